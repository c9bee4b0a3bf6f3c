"""What an operation is asked for: its template, parameters, tags and role, found and checked before anything begins."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from drydock.errors import AwsError, NotImplementedByDrydock
from drydock.request import Principal, Request
from drydock.services.cloudformation.binding import Binding
from drydock.services.cloudformation.bound import Bound
from drydock.services.cloudformation.faults import invalid
from drydock.services.cloudformation.model import Caller, Stack, Version
from drydock.services.cloudformation.parameters import Parameter, chosen
from drydock.services.cloudformation.template import Template, lacking_types, parse
from drydock.services.cloudformation.types.table import TABLE
from drydock.services.iam.api import Iam
from drydock.services.service import Platform

Params = dict[str, Any]
LARGEST_BODY, LARGEST_OBJECT = 51_200, 1_048_576
PRINCIPAL = "cloudformation.amazonaws.com"
_STACK_NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]*")
_CAPABILITIES = ("CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND")
_LACKING = {
    "NotificationARNs": "Notifications are not part of it; watch DescribeStackEvents.",
    "StackPolicyBody": "Stack policies are not part of it.",
    "StackPolicyURL": "Stack policies are not part of it.",
    "StackPolicyDuringUpdateBody": "Stack policies are not part of it.",
    "StackPolicyDuringUpdateURL": "Stack policies are not part of it.",
    "ResourceTypes": "ResourceTypes are not part of it; leave them out.",
    "ResourcesToImport": "Importing resources is not part of it.",
    "ImportExistingResources": "Importing resources is not part of it.",
    "IncludeNestedStacks": "Change sets of nested stacks are not part of it.",
    "DeploymentMode": "DeploymentMode is not part of it.",
    "DeploymentConfig": "DeploymentConfig is not part of it.",
}
_DESCRIBED = {
    "AWS::EC2::VPC::Id": ("DescribeVpcs", "VpcIds"),
    "AWS::EC2::Subnet::Id": ("DescribeSubnets", "SubnetIds"),
    "AWS::EC2::SecurityGroup::Id": ("DescribeSecurityGroups", "GroupIds"),
    "AWS::EC2::SecurityGroup::GroupName": ("DescribeSecurityGroups", "GroupNames"),
    "AWS::EC2::Instance::Id": ("DescribeInstances", "InstanceIds"),
    "AWS::EC2::Image::Id": ("DescribeImages", "ImageIds"),
    "AWS::EC2::KeyPair::KeyName": ("DescribeKeyPairs", "KeyNames"),
    "AWS::EC2::Volume::Id": ("DescribeVolumes", "VolumeIds"),
    "AWS::EC2::AvailabilityZone::Name": ("DescribeAvailabilityZones", "ZoneNames"),
}
"""How EC2 tells whether there is such a thing, by the type of a parameter"""


class Asking:
    """Makes a :class:`Version` of what a request says."""

    def __init__(self, platform: Platform, iam: Iam, binding: Binding) -> None:
        self._platform, self._iam, self._binding = platform, iam, binding

    async def template(self, request: Request, params: Params, stack: Stack | None = None) -> str:
        """The text. Raises ValidationError."""
        body, url, previous = (params.get(name) for name in ("TemplateBody", "TemplateURL", "UsePreviousTemplate"))
        if sum(one not in (None, False) for one in (body, url, previous)) > 1:
            raise invalid("You must specify only one of: Template Body, Template URL, or Use Previous Template.")  # (?)
        if previous and stack is not None:
            return stack.version.template
        if body is not None:
            if len(body.encode()) > LARGEST_BODY:
                raise invalid(
                    f"1 validation error detected: Value '{body[:200]}' at 'templateBody' failed to satisfy constraint:"
                    f" Member must have length less than or equal to {LARGEST_BODY}"
                )
            return str(body)
        if url is not None:
            return await self._from_s3(request, url)
        raise invalid("Either Template URL or Template Body must be specified.")

    async def _from_s3(self, request: Request, url: str) -> str:
        bucket, key, version = place_in_s3(url)
        given = {"Bucket": bucket, "Key": key, **({"VersionId": version} if version else {})}
        try:
            head = await self._platform.call(request.principal, request.region, "s3", "HeadObject", given)
            if head.get("ContentLength", 0) > LARGEST_OBJECT:
                raise invalid(f"Template may not exceed {LARGEST_OBJECT} bytes in size.")
            answer = await self._platform.call(request.principal, request.region, "s3", "GetObject", given)
        except AwsError as error:
            if error.code == "ValidationError":
                raise
            message = "The specified key does not exist." if error.code in ("404", "NoSuchKey") else error.message
            if error.code == "NoSuchBucket":
                message = "The specified bucket does not exist"
            raise invalid(
                f"S3 error: {message}\nFor more information check"
                " http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"
            ) from None
        body = answer["Body"]
        data: bytes = body if isinstance(body, bytes) else body.read()
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise invalid("Template format error: YAML not well-formed.") from None

    async def version(self, request: Request, params: Params, text: str, stack: Stack | None = None) -> Version:
        """Everything that is asked for, with parameters checked. Raises ValidationError, NotImplemented,
        InsufficientCapabilitiesException, AccessDenied."""
        refuse_lacking(params)
        template = parse(text)
        self.check_capabilities(template, params.get("Capabilities") or [])
        before = stack.version if stack is not None else None
        given = params.get("Parameters") or []
        parameters = chosen(template.parameters, given, before.parameters if before else None)
        tags = params.get("Tags")
        if tags is None:
            tags = before.tags if before else []
        check_tags(tags)
        role = params.get("RoleARN") or (before.role_arn if before else "")
        if params.get("RoleARN"):
            self.check_role(request.principal, role)
        principal = self.caller(request, role).principal()
        resolved = await self._resolved(request, template.parameters, parameters)
        await self._check_there(request, principal, template.parameters, parameters, resolved)
        hidden = [name for name, one in template.parameters.items() if one.no_echo]
        capabilities = list(params.get("Capabilities") or [])
        return Version(text, parameters, resolved, list(tags), capabilities, role, hidden)

    @staticmethod
    def check_capabilities(template: Template, given: list[str]) -> None:
        """Raises InsufficientCapabilitiesException, ValidationError."""
        strange = [one for one in given if one not in _CAPABILITIES]
        if strange:
            raise invalid(
                f"1 validation error detected: Value '[{', '.join(given)}]' at 'capabilities' failed to satisfy constraint:"
                " Member must satisfy constraint: [Member must satisfy enum value set: [CAPABILITY_IAM,"
                " CAPABILITY_NAMED_IAM, CAPABILITY_AUTO_EXPAND]]"
            )
        needed = [
            one
            for one in template.capabilities()
            if one not in given and not (one == "CAPABILITY_IAM" and "CAPABILITY_NAMED_IAM" in given)
        ]
        if needed:
            raise AwsError("InsufficientCapabilitiesException", f"Requires capabilities : [{', '.join(needed)}]", 400)

    def caller(self, request: Request, role_arn: str) -> Caller:
        """Under whom the stack's resources are made."""
        if not role_arn:
            return Caller.of(request.principal)
        role = self._iam.directory.role_by_arn(role_arn)
        name = role_arn.rpartition("/")[2]
        session = "AWSCloudFormation"
        return Caller(
            request.account,
            f"arn:aws:sts::{request.account}:assumed-role/{name}/{session}",
            "role",
            f"{role.id if role else ''}:{session}",
            name,
        )

    def check_role(self, principal: Principal, role_arn: str) -> None:
        self._iam.check_pass_role(principal, role_arn, PRINCIPAL)
        if self._iam.check_assumable(role_arn, PRINCIPAL):
            raise invalid(f"Role {role_arn} is invalid or cannot be assumed")

    async def _resolved(
        self, request: Request, parameters: dict[str, Parameter], values: dict[str, str]
    ) -> dict[str, str]:
        """What the parameters of Systems Manager hold."""
        wanted = {name: values[name] for name, parameter in parameters.items() if parameter.ssm}
        found: dict[str, str] = {}
        for name, key in wanted.items():
            answer = await self._platform.call(
                request.principal, request.region, "ssm", "GetParameters", {"Names": [key]}
            )
            if not answer.get("Parameters"):
                raise invalid(f"Unable to fetch parameters [{key}] from parameter store for this account.")
            held = answer["Parameters"][0]
            if held["Type"] == "SecureString":
                raise invalid(f"Parameters [{key}] referenced by template have types not supported by CloudFormation.")
            found[name] = held["Value"]
        return found

    async def _check_there(
        self,
        request: Request,
        principal: Principal,
        parameters: dict[str, Parameter],
        values: dict[str, str],
        resolved: dict[str, str],
    ) -> None:
        """Values of AWS-specific types name something that exists. Raises ValidationError."""
        for name, parameter in parameters.items():
            if parameter.element not in _DESCRIBED:
                continue
            value = parameter.value(resolved.get(name, values[name]))
            operation, member = _DESCRIBED[parameter.element]
            for one in value if isinstance(value, list) else [value]:
                try:
                    await self._platform.call(principal, request.region, "ec2", operation, {member: [one]})
                except AwsError as error:
                    if "NotFound" not in error.code and "Malformed" not in error.code and "Invalid" not in error.code:
                        raise
                    raise invalid(
                        f"Parameter validation failed: parameter value {one} for parameter name {name} does not exist"
                    ) from None


def place_in_s3(url: str) -> tuple[str, str, str]:
    """Bucket, key and version of an object's URL, as AWS and this emulator have them. Raises ValidationError."""
    parts = urlsplit(url)
    host, path = parts.hostname or "", unquote(parts.path).lstrip("/")
    version = parse_qs(parts.query).get("versionId", [""])[0]
    if parts.scheme not in ("http", "https", "s3") or not path:
        raise invalid("TemplateURL must be a supported URL.")
    if parts.scheme == "s3":
        raise invalid("S3 error: Domain name specified in " + host + " is not a valid S3 domain")
    virtual = re.fullmatch(r"(.+)\.s3([.-][a-z0-9-]+)*\.(amazonaws\.com|localhost|localhost\.localstack\.cloud)", host)
    if virtual:
        return virtual[1], path, version
    ours = host in ("localhost", "127.0.0.1", "::1") or host.endswith(".localhost") or host.startswith("169.254.")
    ours = ours or host.endswith("localhost.localstack.cloud")
    if ours or re.fullmatch(r"s3([.-][a-z0-9-]+)*\.amazonaws\.com", host):
        bucket, slash, key = path.partition("/")
        if slash and key:
            return bucket, key, version
    raise invalid("TemplateURL must be a supported URL.")


def check_stack_name(name: str) -> None:
    """Raises ValidationError."""
    if not _STACK_NAME.fullmatch(name):
        raise invalid(
            f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: Member must satisfy"
            " regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
        )
    if len(name) > 128:
        raise invalid(
            f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: Member must have"
            " length less than or equal to 128"
        )


def check_tags(tags: list[Params]) -> None:
    """Of a stack. Raises ValidationError."""
    keys = [tag["Key"] for tag in tags]
    if any(key.lower().startswith("aws:") for key in keys):
        raise invalid("aws: prefixed tag key names are not allowed for external use.")  # (?)
    if len(set(keys)) != len(keys):
        raise invalid("Tags must not have duplicate keys.")  # (?)
    if len(tags) > 50:
        raise invalid("1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must have length"
                      " less than or equal to 50")  # fmt: skip


def refuse_lacking(params: Params) -> None:
    """Parameters that AWS has and we do not pass on. Raises NotImplemented."""
    for name, instead in _LACKING.items():
        if params.get(name):
            raise NotImplementedByDrydock("cloudformation", name, instead)
    if (params.get("RollbackConfiguration") or {}).get("RollbackTriggers"):
        raise NotImplementedByDrydock(
            "cloudformation", "RollbackConfiguration", "Rollback triggers are not part of it."
        )


def refuse_properties(bound: Bound, services: frozenset[str]) -> None:
    """Properties that AWS has and no row of the table passes on, and types whose services (botocore's names) are not part
    of Drydock. Raises NotImplemented, naming them."""
    absent = sorted({one.type for one in bound.resources.values() if TABLE[one.type].service in services})
    if absent:
        raise lacking_types(absent)
    lacking = [
        f"{resource.type} {name}"
        for resource in bound.resources.values()
        for name in resource.properties
        if name in TABLE[resource.type].lacking()
    ]
    if lacking:
        named = ", ".join(dict.fromkeys(lacking))
        raise NotImplementedByDrydock("cloudformation", "CreateStack", f"Properties that are not part of it: {named}.")
