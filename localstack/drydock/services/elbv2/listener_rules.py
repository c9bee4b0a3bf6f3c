"""Operations on listener rules. The messages marked with (?) are to be compared with AWS."""

from __future__ import annotations

from typing import Any

from drydock.errors import AwsError, NotImplementedByDrydock
from drydock.request import Request
from drydock.services.elbv2 import checks, errors
from drydock.services.elbv2.listeners import ListenerOperations
from drydock.services.elbv2.model import Listener, Rule
from drydock.services.elbv2.registry import Params
from drydock.store import Scope

MOST_RULES = 100


class RuleOperations(ListenerOperations):
    """CreateRule, DeleteRule, ModifyRule, DescribeRules, SetRulePriorities."""

    async def create_rule(self, request: Request, params: Params) -> dict[str, Any]:
        """Requests meet it as soon as this returns."""
        scope = request.scope
        listener = self.listener(scope, params["ListenerArn"])
        balancer = self.balancer(scope, listener.load_balancer_arn)
        if balancer.kind == "network":
            raise errors.configuration("Rules are not supported for listeners of Network Load Balancers")  # (?)
        if params.get("Transforms"):
            raise NotImplementedByDrydock("elbv2", "CreateRule with Transforms", "Rewrite in the application.")
        conditions = checks.conditions_of(params["Conditions"], "CreateRule")
        actions = checks.actions_of(params["Actions"], "CreateRule")
        checks.check_tags(params.get("Tags", []))
        self._check_priorities(scope, listener, {"": params["Priority"]})
        of_balancer = [r for each in self.listeners_of(scope, balancer.arn) for r in self.rules_of(scope, each.arn)]
        if len(of_balancer) >= MOST_RULES:
            raise AwsError("TooManyRules", f"A load balancer can have at most '{MOST_RULES}' rules")  # (?)
        self.check_groups(scope, balancer, actions, listener.protocol)
        arn = self._arn_under(request, listener.arn.replace(":listener/", ":listener-rule/", 1), "rule")
        made = Rule(arn, listener.arn, params["Priority"], conditions, actions, list(params.get("Tags", [])))
        self.rules.put(scope, arn, made)
        await self.changed(request)
        return {"Rules": [made.describe()]}

    def _check_priorities(self, scope: Scope, listener: Listener, wanted: dict[str, int]) -> None:
        """``wanted``: the priorities that rules (by ARN) are to have."""
        taken = {rule.priority for rule in self.rules_of(scope, listener.arn) if rule.arn not in wanted}
        for priority in wanted.values():
            if priority in taken:
                code, message = errors.PRIORITY_IN_USE
                raise AwsError(code, message.format(priority))

    def _rule(self, scope: Scope, arn: str) -> Rule:
        """One that can be changed. Raises AwsError."""
        self._check_arn(arn, "listener-rule/", "listener rule")
        found = self.rules.get(scope, arn)
        if found is None:
            if self._of_default(scope, arn) is not None:
                raise AwsError("OperationNotPermitted", f"Default rule '{arn}' cannot be modified")
            raise errors.no_rule(arn)
        return found

    def _of_default(self, scope: Scope, arn: str) -> Listener | None:
        return next((one for one in self.listeners.of(scope) if one.default_rule_arn == arn), None)

    async def delete_rule(self, request: Request, params: Params) -> dict[str, Any]:
        """Not the default one."""
        found = self._rule(request.scope, params["RuleArn"])
        self.rules.delete(request.scope, found.arn)
        await self.changed(request)
        return {}

    async def modify_rule(self, request: Request, params: Params) -> dict[str, Any]:
        """Its conditions, its actions."""
        scope = request.scope
        found = self._rule(scope, params["RuleArn"])
        if params.get("Transforms"):
            raise NotImplementedByDrydock("elbv2", "ModifyRule with Transforms", "Rewrite in the application.")
        if not params.get("Conditions") and not params.get("Actions"):
            raise errors.invalid("Either conditions or actions must be specified")
        conditions, actions = found.conditions, found.actions
        if params.get("Conditions"):
            conditions = checks.conditions_of(params["Conditions"], "ModifyRule")
        if params.get("Actions"):
            actions = checks.actions_of(params["Actions"], "ModifyRule")
            listener = self.listener(scope, found.listener_arn)
            self.check_groups(scope, self.balancer(scope, listener.load_balancer_arn), actions, listener.protocol)
        found.conditions, found.actions = conditions, actions
        self.rules.put(scope, found.arn, found)
        await self.changed(request)
        return {"Rules": [found.describe()]}

    def describe_rules(self, request: Request, params: Params) -> dict[str, Any]:
        """Of a listener with the default one last, or by ARNs."""
        scope, arns = request.scope, params.get("RuleArns") or []
        if arns and params.get("ListenerArn"):
            raise errors.invalid("A listener ARN and rule ARNs cannot be specified at the same time")  # (?)
        if arns:
            listed = []
            for arn in arns:
                rule, listener = self.rules.get(scope, arn), self._of_default(scope, arn)
                if rule is None and listener is None:
                    raise AwsError(*errors.NO_RULES)
                listed += [rule.describe()] if rule else [listener.default_rule()] if listener else []
        elif params.get("ListenerArn"):
            listener = self.listener(scope, params["ListenerArn"])
            listed = [rule.describe() for rule in self.rules_of(scope, listener.arn)] + [listener.default_rule()]
        else:
            raise errors.invalid("You must specify either listener rule ARNs or a listener ARN")
        shown, more = self.page(listed, params)
        return {"Rules": shown, **more}

    async def set_rule_priorities(self, request: Request, params: Params) -> dict[str, Any]:
        """Of several rules of one listener at once."""
        scope, pairs = request.scope, params["RulePriorities"]
        wanted: dict[str, int] = {}
        for pair in pairs:
            if "RuleArn" not in pair or "Priority" not in pair:
                raise errors.invalid("A rule ARN and a priority must be specified")  # (?)
            rule = self._rule(scope, pair["RuleArn"])
            if pair["Priority"] in wanted.values():
                raise errors.invalid(f"Priority '{pair['Priority']}' was provided multiple times")
            wanted[rule.arn] = pair["Priority"]
        found = [self._rule(scope, arn) for arn in wanted]
        if len({rule.listener_arn for rule in found}) > 1:
            raise errors.invalid("The rules must be of the same listener")  # (?)
        if found:
            self._check_priorities(scope, self.listener(scope, found[0].listener_arn), wanted)
        for rule in found:
            rule.priority = wanted[rule.arn]
            self.rules.put(scope, rule.arn, rule)
        await self.changed(request)
        return {"Rules": [rule.describe() for rule in found]}
