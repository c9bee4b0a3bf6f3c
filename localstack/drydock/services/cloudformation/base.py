"""What all of CloudFormation's operations share."""

from __future__ import annotations

from typing import Any, TypeVar

from drydock.errors import NotImplementedByDrydock
from drydock.services.cloudformation.asking import Asking
from drydock.services.cloudformation.binding import Binding
from drydock.services.cloudformation.controller import Controller
from drydock.services.cloudformation.faults import invalid
from drydock.services.cloudformation.records import Records
from drydock.services.iam.api import Iam
from drydock.services.service import Platform, Service

Params = dict[str, Any]
T = TypeVar("T")
PAGE = 100


class CloudFormationOperations(Service):
    """The base of the operations, which are split by topic."""

    name = "cloudformation"

    def __init__(self, platform: Platform, iam: Iam, instant: bool) -> None:
        super().__init__(platform)
        self.lacking: frozenset[str] = frozenset()
        """Services that are not part of Drydock, as botocore calls them"""
        self.records = Records(platform)
        self.binding = Binding(platform, self.records)
        self.asking = Asking(platform, iam, self.binding)
        self.controller = Controller(platform, self.records, self.binding, self, instant)

    def instead_of(self, operation: str) -> str:
        """What to use for operations that are lacking."""
        if "Drift" in operation:
            return "Drift is not detected; compare DescribeStackResources with the services' own descriptions."
        if "StackPolicy" in operation:
            return "Stack policies are not part of it; use termination protection and DeletionPolicy."
        if "StackSet" in operation or "StackInstances" in operation:
            return "Stack sets are not part of it; create a stack in each account and region."
        return ""


def page(items: list[T], params: Params, size: int = PAGE) -> tuple[list[T], Params]:
    """One page, and the token for the next. Raises ValidationError."""
    token = params.get("NextToken") or "0"
    if not token.isascii() or not token.isdigit():
        raise invalid("Token is not valid.")  # (?)
    start = int(token)
    rest = {"NextToken": str(start + size)} if len(items) > start + size else {}
    return items[start : start + size], rest


def refuse(params: Params, *names: str) -> None:
    """Raises NotImplemented for parameters that would be ignored."""
    for name in names:
        if params.get(name):
            raise NotImplementedByDrydock("cloudformation", name, "Leave it out.")
