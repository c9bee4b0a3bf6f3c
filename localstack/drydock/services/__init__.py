"""One folder per AWS service, all of the same shape: api, model, lifecycle, rules, controller."""
