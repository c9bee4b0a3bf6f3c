"""Stacks and what belongs to them, as they are kept. Everything that an operation needs to go on after a restart is here.
Times are seconds of lab time since 1970."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from drydock.clock import as_datetime
from drydock.request import Principal

Tags = list[dict[str, str]]
STACK = "AWS::CloudFormation::Stack"


@dataclass
class Caller:
    """Under whom a stack's resources are made: who asked for the operation, or the stack's service role."""

    account: str
    arn: str
    kind: Literal["root", "user", "role", "service"]
    user_id: str
    name: str = ""
    access_key: str = ""

    @classmethod
    def of(cls, principal: Principal) -> Caller:
        """To be kept."""
        return cls(**vars(principal))

    def principal(self) -> Principal:
        """To be used."""
        return Principal(self.account, self.arn, self.kind, self.user_id, self.name, self.access_key)


@dataclass
class Version:
    """What a stack is, or was, to be."""

    template: str
    parameters: dict[str, str] = field(default_factory=dict)
    """As they were given"""
    resolved: dict[str, str] = field(default_factory=dict)
    """Values out of Systems Manager's Parameter Store, for parameters of such a type"""
    tags: Tags = field(default_factory=list)
    capabilities: list[str] = field(default_factory=list)
    role_arn: str = ""
    hidden: list[str] = field(default_factory=list)
    """Parameters whose values are not shown (NoEcho)"""


@dataclass
class Thing:
    """A physical resource, and how it was made."""

    type: str
    physical_id: str = ""
    properties: dict[str, Any] = field(default_factory=dict)
    """Evaluated, but for dynamic references"""
    attributes: dict[str, Any] = field(default_factory=dict)
    """What Fn::GetAtt gives"""
    token: str = ""
    """Of its creation: names that we give are made of it"""
    begun: float = 0.0
    """When its service was asked to make it, and had nothing like it yet; 0 if it was not, or refused"""
    deletion_policy: str = ""
    replace_policy: str = ""
    needs: list[str] = field(default_factory=list)
    """Logical ids of what it was made after"""
    metadata: Any = None
    tags: Tags = field(default_factory=list)
    """The stack's, that it was made with"""


@dataclass
class StackResource:
    """A logical resource of a stack."""

    stack_id: str
    logical_id: str
    now: Thing
    status: str
    changed: float
    reason: str = ""
    before: Thing | None = None
    """While the stack is updated: what a rollback goes back to"""
    added: bool = False
    """While the stack is updated: whether it was not there before"""
    signals: dict[str, dict[str, str]] = field(default_factory=dict)
    """By unique id, what was signalled: status, reason, data"""
    waits_since: float = 0.0
    """Since when it waits for signals, or to be steady"""

    @property
    def type(self) -> str:
        """The type's name."""
        return self.now.type

    @property
    def exists(self) -> bool:
        """Whether there is a physical resource, or may be."""
        return bool(self.now.physical_id or self.now.token) and self.status not in ("DELETE_COMPLETE", "DELETE_SKIPPED")


@dataclass
class Retired:
    """A physical resource that an update has left behind; it is deleted when the update is through."""

    logical_id: str
    thing: Thing
    retain: bool = False


@dataclass
class Output:
    """One of a stack's outputs."""

    key: str
    value: str
    description: str = ""
    export: str = ""

    def describe(self) -> dict[str, Any]:
        """As DescribeStacks shows it."""
        shown = {"OutputKey": self.key, "OutputValue": self.value}
        if self.description:
            shown["Description"] = self.description
        if self.export:
            shown["ExportName"] = self.export
        return shown


@dataclass
class Stack:
    """A stack, also when it has been deleted."""

    id: str
    name: str
    status: str
    created: float
    version: Version
    caller: Caller
    reason: str = ""
    updated: float | None = None
    deleted: float | None = None
    previous: Version | None = None
    """While it is updated: what a rollback goes back to"""
    outputs: list[Output] = field(default_factory=list)
    imports: list[str] = field(default_factory=list)
    """Names of the exports that it uses"""
    retired: list[Retired] = field(default_factory=list)
    on_failure: Literal["ROLLBACK", "DELETE", "DO_NOTHING"] = "ROLLBACK"
    retain_except_on_create: bool = False
    timeout: float | None = None
    """Seconds until its creation is given up"""
    began: float = 0.0
    """Of the operation under way"""
    token: str = ""
    """ClientRequestToken of the latest operation"""
    termination_protection: bool = False
    parent_id: str = ""
    root_id: str = ""
    change_set_id: str = ""
    retain: list[str] = field(default_factory=list)
    """Of a deletion: what is to be kept"""
    skip: list[str] = field(default_factory=list)
    """Of a continued rollback: what is left as it is"""
    description: str = ""

    @property
    def gone(self) -> bool:
        """Whether it has been deleted: it can be described by its id only."""
        return self.status == "DELETE_COMPLETE"

    @property
    def under_way(self) -> bool:
        """Whether an operation is at work on it."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"


@dataclass
class Event:
    """One of a stack's events."""

    id: str
    stack_id: str
    stack_name: str
    logical_id: str
    physical_id: str
    type: str
    status: str
    at: float
    reason: str = ""
    properties: str = ""
    token: str = ""

    def describe(self) -> dict[str, Any]:
        """As DescribeStackEvents shows it."""
        shown: dict[str, Any] = {
            "StackId": self.stack_id,
            "EventId": self.id,
            "StackName": self.stack_name,
            "LogicalResourceId": self.logical_id,
            "PhysicalResourceId": self.physical_id,
            "ResourceType": self.type,
            "Timestamp": as_datetime(self.at),
            "ResourceStatus": self.status,
        }
        if self.reason:
            shown["ResourceStatusReason"] = self.reason
        if self.properties:
            shown["ResourceProperties"] = self.properties
        if self.token:
            shown["ClientRequestToken"] = self.token
        return shown


@dataclass
class ChangeSet:
    """What an operation would change."""

    id: str
    name: str
    stack_id: str
    stack_name: str
    type: Literal["CREATE", "UPDATE"]
    version: Version
    created: float
    status: str = "CREATE_COMPLETE"
    reason: str = ""
    execution_status: str = "AVAILABLE"
    description: str = ""
    changes: list[dict[str, Any]] = field(default_factory=list)
    on_failure: str = ""
    token: str = ""
