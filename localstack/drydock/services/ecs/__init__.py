"""Amazon ECS: clusters, task definitions and tasks whose containers run."""
