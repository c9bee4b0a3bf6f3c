"""A stack's template with everything it is evaluated against: parameters, pseudo parameters, zones, exports, resources."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from drydock.errors import AwsError
from drydock.request import Principal
from drydock.services.cloudformation.bound import Bound, bind
from drydock.services.cloudformation.faults import Failed, invalid
from drydock.services.cloudformation.intrinsics import UNKNOWN, Context, evaluate, text_of
from drydock.services.cloudformation.model import Output, Stack, StackResource, Version
from drydock.services.cloudformation.records import Records
from drydock.services.cloudformation.template import Template, parse
from drydock.services.cloudformation.types.table import TABLE
from drydock.services.service import Platform
from drydock.store import Scope

T = TypeVar("T")


class _ZonesWanted(Exception):
    def __init__(self, region: str) -> None:
        super().__init__(region)
        self.region = region


class Binding:
    """Makes :class:`Bound` templates, and evaluates their parts."""

    def __init__(self, platform: Platform, records: Records) -> None:
        self._platform = platform
        self._records = records
        self._zones: dict[tuple[str, str], list[str]] = {}

    def forget(self) -> None:
        """What was asked of EC2."""
        self._zones.clear()

    async def bind(self, scope: Scope, stack: Stack, version: Version, principal: Principal) -> Bound:
        """What the version's parameters make of its template. Raises ValidationError, NotImplemented."""
        template = parse(version.template)
        context = self.context(scope, stack.id, stack.name, template, version)
        return await self.with_zones(scope, principal, lambda: bind(template, context))

    def context(self, scope: Scope, stack_id: str, stack_name: str, template: Template, version: Version) -> Context:
        """Without resources and conditions."""
        values: dict[str, Any] = {
            "AWS::AccountId": scope.account,
            "AWS::NotificationARNs": [],
            "AWS::Partition": "aws",
            "AWS::Region": scope.region,
            "AWS::StackId": stack_id,
            "AWS::StackName": stack_name,
            "AWS::URLSuffix": "amazonaws.com",
        }
        for name, parameter in template.parameters.items():
            if name in version.parameters:
                values[name] = parameter.value(version.resolved.get(name, version.parameters[name]))

        def zones(region: str) -> list[str]:
            found = self._zones.get((scope.account, region))
            if found is None:
                raise _ZonesWanted(region)
            return list(found)

        def imported(name: str) -> Any:
            found = self._records.exports(scope).get(name)
            if found is None:
                raise invalid(f"No export named {name} found.")
            return found[1].value

        return Context(values, zones=zones, imported=imported, extended=template.extended)

    async def with_zones(self, scope: Scope, principal: Principal, work: Callable[[], T]) -> T:
        """Do something that may ask for availability zones, which EC2's API tells."""
        while True:
            try:
                return work()
            except _ZonesWanted as wanted:
                answer = await self._platform.call(principal, wanted.region, "ec2", "DescribeAvailabilityZones", {})
                names = sorted(zone["ZoneName"] for zone in answer["AvailabilityZones"])
                self._zones[scope.account, wanted.region] = names

    async def properties(
        self, scope: Scope, stack: Stack, bound: Bound, node: Any, used: set[str] | None = None
    ) -> Any:
        """A node of the template, evaluated with the stack's resources as they are. The names of exports that it uses are
        added to ``used``. Raises Failed."""
        context = self.with_resources(scope, stack, bound.context)
        plain = context.imported

        def imported(name: str) -> Any:
            value = plain(name)
            if used is not None:
                used.add(name)
            return value

        try:
            context = replace(context, imported=imported)
            return await self.with_zones(scope, stack.caller.principal(), lambda: evaluate(node, context))
        except AwsError as error:
            raise Failed(error.message) from None

    def with_resources(
        self, scope: Scope, stack: Stack, context: Context, unknown: frozenset[str] = frozenset()
    ) -> Context:
        """``unknown``: logical ids of what is not there yet, or will be another."""

        def there(name: str) -> StackResource | None:
            record = self._records.resource(scope, stack, name)
            return None if record is None or name in unknown or not record.exists else record

        def reference(name: str) -> Any:
            record = there(name)
            if record is None:
                return UNKNOWN
            return TABLE[record.type].reference(record.now.physical_id, record.now.attributes)

        def attribute(name: str, wanted: str) -> Any:
            record = there(name)
            if record is None:
                return UNKNOWN
            if wanted not in record.now.attributes:
                message = f"Template error: resource {name} does not support attribute type {wanted} in Fn::GetAtt"
                raise invalid(message)
            return record.now.attributes[wanted]

        return replace(context, reference=reference, attribute=attribute)

    async def outputs(self, scope: Scope, stack: Stack, bound: Bound, used: set[str]) -> list[Output]:
        """The stack's outputs. Raises Failed."""
        found = []
        for key, output in bound.outputs.items():
            value = await self.properties(scope, stack, bound, output["Value"], used)
            export = (output.get("Export") or {}).get("Name")
            export = "" if export is None else await self.properties(scope, stack, bound, export, used)
            if isinstance(value, dict | list):
                raise Failed(
                    f"Template format error: The Value field of every Outputs member must evaluate to a String. ({key})"
                )
            found.append(Output(key, text_of(value), str(output.get("Description") or ""), text_of(export)))
        return found
