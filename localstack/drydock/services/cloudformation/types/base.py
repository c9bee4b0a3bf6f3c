"""What every row of the table of resource types is made of, and what it works with.

A type makes, reads, changes and deletes its resource through the service's own API, under the stack's caller. It is told
nothing that a template's author could not have told the service, and it passes on every property that it names; what the
schema has beyond these is refused before anything is made.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from botocore.model import Shape
from drydock.botocore_models import service_model
from drydock.errors import AwsError
from drydock.request import Principal
from drydock.services.cloudformation.faults import Failed
from drydock.services.cloudformation.intrinsics import text_of
from drydock.services.cloudformation.schemas import schema_of
from drydock.services.service import Call

Params = dict[str, Any]
Tags = list[dict[str, str]]
STACK_ID, STACK_NAME, LOGICAL_ID = (f"aws:cloudformation:{name}" for name in ("stack-id", "stack-name", "logical-id"))

GOES_INSIDE = frozenset(
    (
        "CreateLaunchTemplate",
        "CreateLaunchTemplateVersion",
        "ModifyInstanceAttribute",
        "RegisterTaskDefinition",
        "RunInstances",
    )
)
"""Operations whose parameters are read by programs in tasks and instances"""


class NotFound(Exception):
    """There is no such resource (any more)."""


@dataclass
class Work:
    """One resource that is worked on."""

    calls: Call
    principal: Principal
    region: str
    stack_id: str
    stack_name: str
    logical_id: str
    type: str
    token: str
    """Of its creation; the same when a creation is taken up again"""
    properties: Params
    """With dynamic references resolved, checked against the schema"""
    physical_id: str = ""
    attributes: Params = field(default_factory=dict)
    old: Params = field(default_factory=dict)
    """Properties before a change"""
    stack_tags: Tags = field(default_factory=list)
    old_stack_tags: Tags = field(default_factory=list)
    """Before a change"""
    signals: dict[str, dict[str, str]] = field(default_factory=dict)
    creation_policy: Params = field(default_factory=dict)
    note: Callable[[str], None] = lambda physical_id: None
    others: frozenset[str] = frozenset()
    """Physical ids of the stack's other resources, which are not this one"""
    began: float = 0.0
    """When the service was asked to make it"""
    house: Any = None
    """CloudFormation itself, for its own types"""

    async def call(self, service: str, operation: str, /, **params: Any) -> Params:
        """An operation of a service. Raises AwsError."""
        if operation in GOES_INSIDE:
            params = self.house.as_seen_inside(params)
        return await self.calls(self.principal, self.region, service, operation, params)

    def made(self, physical_id: str) -> None:
        """There is a physical resource from now on; written down at once."""
        self.physical_id = physical_id
        self.note(physical_id)

    @property
    def account(self) -> str:
        """Whose the resource is."""
        return self.principal.account

    def name(self, member: str, longest: int, lower: bool = False) -> str:
        """The name that a property gives, else one of the stack's name, the logical id and a token."""
        given = self.properties.get(member)
        if given:
            return text_of(given)
        room = longest - len(self.token) - 2
        logical = self.logical_id[: max(room // 2, room - len(self.stack_name))]
        made = f"{self.stack_name[: room - len(logical)]}-{logical}-{self.token}"
        return made.lower() if lower else made

    def changed(self, member: str) -> bool:
        """Whether a change concerns a property; the stack's tags count as the resource's."""
        if member == "Tags" and self.stack_tags != self.old_stack_tags:
            return True
        return bool(self.properties.get(member) != self.old.get(member))

    @property
    def own_tags(self) -> Tags:
        """CloudFormation's own."""
        pairs = ((STACK_ID, self.stack_id), (STACK_NAME, self.stack_name), (LOGICAL_ID, self.logical_id))
        return [{"Key": key, "Value": value} for key, value in pairs]

    @property
    def user_tags(self) -> Tags:
        """The resource's tags and the stack's; the resource's count where both have a key."""
        return merged_tags(self.properties.get("Tags"), self.stack_tags)

    @property
    def gone_tags(self) -> list[str]:
        """Keys that a change takes away."""
        keys = {one["Key"] for one in self.user_tags}
        old = merged_tags(self.old.get("Tags"), self.old_stack_tags)
        return [one["Key"] for one in old if one["Key"] not in keys]

    @property
    def tags(self) -> Tags:
        """All, for services that take CloudFormation's own."""
        return [*self.user_tags, *self.own_tags]


def merged_tags(given: Any, further: Tags) -> Tags:
    """A resource's tags, however its type writes them, and others of other keys."""
    if isinstance(given, dict):
        given = [{"Key": key, "Value": value} for key, value in given.items()]
    own = [{"Key": text_of(one["Key"]), "Value": text_of(one.get("Value", ""))} for one in given or []]
    keys = {one["Key"] for one in own}
    return [*own, *(one for one in further if one["Key"] not in keys)]


class ResourceType:
    """A row of the table. The names of the properties that it passes on are ``passes``."""

    name: ClassVar[str]
    service: ClassVar[str] = ""
    passes: ClassVar[tuple[str, ...]] = ()
    replaces: ClassVar[frozenset[str]] = frozenset()
    """Properties whose change makes another resource here, beyond those of the schema"""
    whole: ClassVar[bool] = True
    """Whether a creation is one call: what is found after an interruption needs nothing more"""
    patience: ClassVar[float] = 3600.0
    """Seconds of lab time until it is given up that the resource becomes steady"""
    unique: ClassVar[bool] = True
    """Whether what :meth:`find` finds before a creation forbids it"""

    async def create(self, work: Work) -> None:
        """Begin it and tell ``work.made`` at once. Raises AwsError, Failed."""
        raise NotImplementedError

    async def find(self, work: Work) -> str:
        """The physical id of what an interrupted creation made; empty if it made nothing."""
        return ""

    async def steady(self, work: Work) -> bool:
        """Whether what was begun (made or changed) is complete. Raises AwsError, Failed."""
        return True

    async def read(self, work: Work) -> Params:
        """The attributes that Fn::GetAtt gives. Raises AwsError."""
        return {}

    async def update(self, work: Work) -> None:
        """Bring it from ``work.old`` to ``work.properties``, in place. Raises AwsError, Failed."""
        raise Failed(f"Drydock cannot change a resource of type {self.name} in place.")

    async def delete(self, work: Work) -> None:
        """Begin its deletion. Raises AwsError, Failed, NotFound."""
        raise NotImplementedError

    async def gone(self, work: Work) -> bool:
        """Whether a deletion that was begun is complete."""
        return True

    def reference(self, physical_id: str, attributes: Params) -> Any:
        """What Ref gives."""
        return physical_id

    @classmethod
    def lacking(cls) -> frozenset[str]:
        """Properties that AWS has and we do not pass on."""
        schema = schema_of(cls.name)
        return frozenset(schema.properties) - schema.read_only - frozenset(cls.passes)


def picked(properties: Params, *names: str) -> Params:
    """Those that are there."""
    return {name: properties[name] for name in names if name in properties}


@functools.cache
def _input(service: str, operation: str) -> Shape:
    shape = service_model(service).operation_model(operation).input_shape
    assert shape is not None
    return shape


def shaped(service: str, operation: str, given: Params) -> Params:
    """Properties as parameters of an operation: names in the service's own capitals, scalars of the model's types. Raises
    Failed for what the operation does not have."""
    found: Params = _shape(given, _input(service, operation), "")
    return found


def _shape(value: Any, shape: Shape, path: str) -> Any:
    kind = shape.type_name
    if kind == "structure":
        if not isinstance(value, dict):
            raise Failed(f"{path or 'Properties'} must be an object.")
        names = {name.lower(): name for name in shape.members}
        found = {}
        for key, inner in value.items():
            name = names.get(key.lower())
            if name is None:
                raise Failed(f"Drydock does not pass on the property {path}{key}; leave it out.")
            found[name] = _shape(inner, shape.members[name], f"{path}{key}.")
        return found
    if kind == "list":
        if not isinstance(value, list):
            raise Failed(f"{path.rstrip('.')} must be a list.")
        return [_shape(one, shape.member, path) for one in value]
    if kind == "map":
        if not isinstance(value, dict):
            raise Failed(f"{path.rstrip('.')} must be an object.")
        return {key: _shape(one, shape.value, path) for key, one in value.items()}
    return _scalar(value, kind, path.rstrip("."))


def _scalar(value: Any, kind: str, path: str) -> Any:
    if isinstance(value, dict | list):
        raise Failed(f"{path} must be a value.")
    if kind == "boolean" and not isinstance(value, bool):
        return text_of(value).lower() == "true"
    if kind in ("integer", "long", "float", "double") and not isinstance(value, int | float):
        try:
            return int(value) if kind in ("integer", "long") else float(value)
        except ValueError:
            raise Failed(f"{path} must be a number.") from None
    return text_of(value) if kind == "string" else value


async def unless(codes: tuple[str, ...], work: Awaitable[Any]) -> bool:
    """Do something; whether it was done, or met with one of these errors. Raises AwsError for any other."""
    try:
        await work
    except AwsError as error:
        if error.code in codes:
            return False
        raise
    return True
