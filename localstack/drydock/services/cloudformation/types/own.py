"""CloudFormation's own types: nested stacks, wait conditions and their handles."""

from __future__ import annotations

from drydock.errors import AwsError
from drydock.services.cloudformation import signals
from drydock.services.cloudformation.faults import Failed
from drydock.services.cloudformation.intrinsics import text_of
from drydock.services.cloudformation.types.base import NotFound, Params, ResourceType, Work, unless

_GONE = ("ValidationError",)


class NestedStack(ResourceType):
    name = "AWS::CloudFormation::Stack"
    service = "cloudformation"
    passes = ("TemplateURL", "Parameters", "Tags", "TimeoutInMinutes")
    patience = 12 * 3600.0

    def _given(self, work: Work) -> Params:
        parameters = work.properties.get("Parameters") or {}
        return {
            "TemplateURL": work.properties["TemplateURL"],
            "Parameters": [
                {
                    "ParameterKey": name,
                    "ParameterValue": ",".join(text_of(v) for v in value)
                    if isinstance(value, list)
                    else text_of(value),
                }
                for name, value in parameters.items()
            ],
            "Capabilities": work.house.capabilities_of(work.principal.account, work.region, work.stack_id),
            "Tags": work.user_tags,
        }

    async def create(self, work: Work) -> None:
        given = self._given(work)
        if work.properties.get("TimeoutInMinutes"):
            given["TimeoutInMinutes"] = work.properties["TimeoutInMinutes"]
        name = work.name("StackName", 128)
        given |= {"StackName": name, "OnFailure": "DO_NOTHING", "ParentId": work.stack_id}
        answer = await work.call("cloudformation", "CreateStack", **given)
        work.made(answer["StackId"])

    async def find(self, work: Work) -> str:
        return str(work.house.id_of(work.principal.account, work.region, work.name("StackName", 128)))

    async def _described(self, work: Work) -> Params:
        answer = await work.call("cloudformation", "DescribeStacks", StackName=work.physical_id)
        return dict(answer["Stacks"][0])

    async def steady(self, work: Work) -> bool:
        stack = await self._described(work)
        status = stack["StackStatus"]
        if status in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            return True
        if status.endswith("_IN_PROGRESS"):
            return False
        reason = stack.get("StackStatusReason", "")
        raise Failed(f"Embedded stack {work.physical_id} was not successfully created: {reason}".rstrip())

    async def read(self, work: Work) -> Params:
        stack = await self._described(work)
        return {f"Outputs.{one['OutputKey']}": one["OutputValue"] for one in stack.get("Outputs", [])}

    async def update(self, work: Work) -> None:
        try:
            await work.call("cloudformation", "UpdateStack", StackName=work.physical_id, **self._given(work))
        except AwsError as error:
            if error.message != "No updates are to be performed.":
                raise

    async def delete(self, work: Work) -> None:
        if not await unless(_GONE, self._described(work)):
            raise NotFound
        await work.call("cloudformation", "DeleteStack", StackName=work.physical_id)

    async def gone(self, work: Work) -> bool:
        stack = await self._described(work)
        if stack["StackStatus"] == "DELETE_FAILED":
            raise Failed(
                f"Embedded stack {work.physical_id} was not successfully deleted: {stack['StackStatusReason']}"
            )
        return bool(stack["StackStatus"] == "DELETE_COMPLETE")


class WaitConditionHandle(ResourceType):
    """Its physical id is a URL to which signals are sent."""

    name = "AWS::CloudFormation::WaitConditionHandle"
    service = "cloudformation"
    unique = False

    async def create(self, work: Work) -> None:
        work.made(
            work.house.handle_url(work.principal.account, work.region, work.stack_id, work.logical_id, work.token)
        )

    async def find(self, work: Work) -> str:
        url = work.house.handle_url(work.principal.account, work.region, work.stack_id, work.logical_id, work.token)
        return str(url)

    async def delete(self, work: Work) -> None:
        """There is nothing but the name."""


class WaitCondition(ResourceType):
    """Complete when its signals have come."""

    name = "AWS::CloudFormation::WaitCondition"
    service = "cloudformation"
    unique = False
    passes = ("Handle", "Count", "Timeout")
    replaces = frozenset({"Handle", "Count", "Timeout"})

    async def create(self, work: Work) -> None:
        work.made(f"{work.stack_id}/{work.logical_id}")

    async def find(self, work: Work) -> str:
        return f"{work.stack_id}/{work.logical_id}"

    async def read(self, work: Work) -> Params:
        return {"Data": signals.data(work.signals)}

    async def delete(self, work: Work) -> None:
        """There is nothing but the record."""


TYPES: tuple[type[ResourceType], ...] = (NestedStack, WaitConditionHandle, WaitCondition)
