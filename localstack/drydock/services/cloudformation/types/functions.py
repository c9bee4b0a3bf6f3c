"""Lambda."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from drydock.errors import AwsError
from drydock.services.cloudformation.faults import Failed
from drydock.services.cloudformation.intrinsics import text_of
from drydock.services.cloudformation.types.base import NotFound, Params, ResourceType, Work, picked, shaped, unless

_ABSENT = ("ResourceNotFoundException",)
_CONFIGURATION = (
    "Description", "Environment", "Handler", "Layers", "MemorySize", "Role", "Runtime", "Timeout", "EphemeralStorage",
    "TracingConfig",
)  # fmt: skip


def _code(work: Work) -> Params:
    """The Code of CreateFunction: from a bucket, or written in the template, which becomes ``index.py``."""
    given = work.properties["Code"]
    if "ZipFile" not in given:
        return {name: text_of(value) for name, value in given.items()}
    if not text_of(work.properties.get("Runtime", "")).startswith("python"):
        raise Failed(
            "Code.ZipFile with a runtime other than Python is not part of Drydock; put an archive into a bucket."
        )
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(zipfile.ZipInfo("index.py"), text_of(given["ZipFile"]))
    return {"ZipFile": made.getvalue()}


class Function(ResourceType):
    name = "AWS::Lambda::Function"
    service = "lambda"
    passes = (
        "FunctionName",
        "Code",
        "Architectures",
        "PackageType",
        "ReservedConcurrentExecutions",
        "Tags",
        *_CONFIGURATION,
    )
    whole = False

    def _name(self, work: Work) -> str:
        return work.name("FunctionName", 64)

    async def create(self, work: Work) -> None:
        given = picked(work.properties, *_CONFIGURATION, "Architectures", "PackageType")
        params = shaped("lambda", "CreateFunction", {**given, "FunctionName": self._name(work)})
        tags = {"Tags": {one["Key"]: one["Value"] for one in work.tags}}
        await work.call("lambda", "CreateFunction", **params, **tags, Code=_code(work))
        work.made(self._name(work))
        await self._reserve(work)

    async def _reserve(self, work: Work) -> None:
        reserved = work.properties.get("ReservedConcurrentExecutions")
        if reserved is not None:
            given = shaped("lambda", "PutFunctionConcurrency", {"ReservedConcurrentExecutions": reserved})
            await work.call("lambda", "PutFunctionConcurrency", FunctionName=work.physical_id, **given)
        elif work.old.get("ReservedConcurrentExecutions") is not None:
            await work.call("lambda", "DeleteFunctionConcurrency", FunctionName=work.physical_id)

    async def find(self, work: Work) -> str:
        name = self._name(work)
        return name if await unless(_ABSENT, work.call("lambda", "GetFunction", FunctionName=name)) else ""

    async def read(self, work: Work) -> Params:
        found = await work.call("lambda", "GetFunction", FunctionName=work.physical_id)
        return {"Arn": found["Configuration"]["FunctionArn"]}

    async def update(self, work: Work) -> None:
        changed = [name for name in _CONFIGURATION if work.changed(name)]
        if changed:
            given = {name: work.properties.get(name, _DEFAULTS.get(name, "")) for name in changed}
            params = shaped("lambda", "UpdateFunctionConfiguration", {**given, "FunctionName": work.physical_id})
            await work.call("lambda", "UpdateFunctionConfiguration", **params)
        if work.changed("Code") or work.changed("Architectures"):
            given = picked(work.properties, "Architectures")
            await work.call("lambda", "UpdateFunctionCode", FunctionName=work.physical_id, **_code(work), **given)
        if work.changed("ReservedConcurrentExecutions"):
            await self._reserve(work)
        if work.changed("Tags"):
            arn = (await self.read(work))["Arn"]
            if gone := work.gone_tags:
                await work.call("lambda", "UntagResource", Resource=arn, TagKeys=gone)
            tags = {one["Key"]: one["Value"] for one in work.user_tags}
            if tags:
                await work.call("lambda", "TagResource", Resource=arn, Tags=tags)

    async def delete(self, work: Work) -> None:
        if not await unless(_ABSENT, work.call("lambda", "DeleteFunction", FunctionName=work.physical_id)):
            raise NotFound


_DEFAULTS: dict[str, Any] = {
    "Environment": {"Variables": {}}, "Layers": [], "MemorySize": 128, "Timeout": 3, "EphemeralStorage": {"Size": 512},
    "TracingConfig": {"Mode": "PassThrough"},
}  # fmt: skip
"""What a function has of a property that a change takes away"""


class Permission(ResourceType):
    name = "AWS::Lambda::Permission"
    service = "lambda"
    passes = ("Action", "EventSourceToken", "FunctionName", "Principal", "PrincipalOrgID", "SourceAccount", "SourceArn")

    def _id(self, work: Work) -> str:
        return work.name("Id", 100)

    async def create(self, work: Work) -> None:
        params = shaped(
            "lambda", "AddPermission", {**picked(work.properties, *self.passes), "StatementId": self._id(work)}
        )
        await work.call("lambda", "AddPermission", **params)
        work.made(self._id(work))

    async def _statements(self, work: Work) -> str:
        try:
            found = await work.call("lambda", "GetPolicy", FunctionName=text_of(work.properties["FunctionName"]))
        except AwsError as error:
            if error.code in _ABSENT:
                return ""
            raise
        return str(found["Policy"])

    async def find(self, work: Work) -> str:
        return self._id(work) if f'"{self._id(work)}"' in await self._statements(work) else ""

    async def read(self, work: Work) -> Params:
        return {"Id": work.physical_id}

    async def delete(self, work: Work) -> None:
        given = {"FunctionName": text_of(work.properties["FunctionName"]), "StatementId": work.physical_id}
        if not await unless(_ABSENT, work.call("lambda", "RemovePermission", **given)):
            raise NotFound


class Version(ResourceType):
    name = "AWS::Lambda::Version"
    service = "lambda"
    unique = False
    passes = ("FunctionName", "Description")

    async def create(self, work: Work) -> None:
        params = shaped("lambda", "PublishVersion", picked(work.properties, *self.passes))
        there = {one["FunctionArn"] for one in await self._versions(work)}
        made = await work.call("lambda", "PublishVersion", **params)
        if made["FunctionArn"] in there:
            raise Failed(
                f"A version for this Lambda function exists ( {made['Version']} ). Modify the function to create a new version."
            )
        work.made(made["FunctionArn"])

    async def _versions(self, work: Work) -> list[Params]:
        name = text_of(work.properties["FunctionName"])
        return list((await work.call("lambda", "ListVersionsByFunction", FunctionName=name))["Versions"])

    async def find(self, work: Work) -> str:
        """The latest that is none of the stack's other resources."""
        found = [one["FunctionArn"] for one in await self._versions(work) if one["Version"] != "$LATEST"]
        return next((arn for arn in reversed(found) if arn not in work.others), "")

    async def read(self, work: Work) -> Params:
        return {"Version": work.physical_id.rpartition(":")[2], "FunctionArn": work.physical_id}

    async def delete(self, work: Work) -> None:
        name, _, version = work.physical_id.rpartition(":")
        if not await unless(_ABSENT, work.call("lambda", "DeleteFunction", FunctionName=name, Qualifier=version)):
            raise NotFound


class Alias(ResourceType):
    name = "AWS::Lambda::Alias"
    service = "lambda"
    passes = ("FunctionName", "FunctionVersion", "Name", "Description")

    def _place(self, work: Work) -> Params:
        return {name: text_of(work.properties[name]) for name in ("FunctionName", "Name")}

    async def create(self, work: Work) -> None:
        params = shaped("lambda", "CreateAlias", picked(work.properties, *self.passes))
        work.made((await work.call("lambda", "CreateAlias", **params))["AliasArn"])

    async def find(self, work: Work) -> str:
        try:
            return str((await work.call("lambda", "GetAlias", **self._place(work)))["AliasArn"])
        except AwsError as error:
            if error.code in _ABSENT:
                return ""
            raise

    async def read(self, work: Work) -> Params:
        return {"AliasArn": work.physical_id}

    async def update(self, work: Work) -> None:
        given = {
            name: work.properties.get(name, "") for name in ("FunctionVersion", "Description") if work.changed(name)
        }
        await work.call("lambda", "UpdateAlias", **self._place(work), **given)

    async def delete(self, work: Work) -> None:
        if not await self.find(work):
            raise NotFound
        await work.call("lambda", "DeleteAlias", **self._place(work))


TYPES = (Function, Permission, Version, Alias)
