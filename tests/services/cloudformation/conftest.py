"""Stacks in the shared emulator, told as stories."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator_process import wait_until

PATIENCE = 60.0


class Stacks:
    """CloudFormation of one account, as a test speaks of it."""

    def __init__(self, aws: Callable[..., Any], account: str) -> None:
        self.aws, self.account = aws, account
        self.cfn = aws("cloudformation")

    def describe(self, name: str) -> dict[str, Any]:
        """One stack, by name or id."""
        return dict(self.cfn.describe_stacks(StackName=name)["Stacks"][0])

    def settled(self, name: str) -> dict[str, Any]:
        """The stack when nothing is under way any more."""

        def look() -> Any:
            stack = self.describe(name)
            return None if stack["StackStatus"].endswith("_IN_PROGRESS") else stack

        return dict(wait_until(look, f"stack {name} settles", lambda: "\n".join(self.story(name)), PATIENCE))

    def create(self, name: str, template: Any, expect: str = "CREATE_COMPLETE", **given: Any) -> dict[str, Any]:
        """Created, and ended as it is expected to."""
        given.setdefault("Capabilities", ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"])
        made = self.cfn.create_stack(StackName=name, TemplateBody=body(template), **given)
        return self._ended(made["StackId"], expect)

    def update(self, name: str, template: Any = None, expect: str = "UPDATE_COMPLETE", **given: Any) -> dict[str, Any]:
        """Updated; without a template, with the one it has."""
        given.setdefault("Capabilities", ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"])
        source = {"UsePreviousTemplate": True} if template is None else {"TemplateBody": body(template)}
        made = self.cfn.update_stack(StackName=name, **source, **given)
        return self._ended(made["StackId"], expect)

    def delete(self, name: str, expect: str = "DELETE_COMPLETE", **given: Any) -> dict[str, Any]:
        """Deleted."""
        stack_id = self.describe(name)["StackId"]
        self.cfn.delete_stack(StackName=name, **given)
        return self._ended(stack_id, expect)

    def _ended(self, stack_id: str, expect: str) -> dict[str, Any]:
        stack = self.settled(stack_id)
        assert stack["StackStatus"] == expect, "\n".join(self.story(stack_id))
        return stack

    def events(self, name: str) -> list[dict[str, Any]]:
        """From the first to the last."""
        pages = self.cfn.get_paginator("describe_stack_events").paginate(StackName=name)
        return list(reversed([event for page in pages for event in page["StackEvents"]]))

    def story(self, name: str) -> list[str]:
        """A line for each event."""
        return [
            f"{one['LogicalResourceId']} {one['ResourceStatus']} {one.get('ResourceStatusReason', '')}".strip()
            for one in self.events(name)
        ]

    def physical(self, name: str, logical: str) -> str:
        """The id of a resource."""
        detail = self.cfn.describe_stack_resource(StackName=name, LogicalResourceId=logical)["StackResourceDetail"]
        return str(detail["PhysicalResourceId"])

    def refused(self, operation: str, **given: Any) -> tuple[str, str]:
        """Code and message of an error."""
        with pytest.raises(ClientError) as error:
            getattr(self.cfn, operation)(**given)
        told = error.value.response["Error"]
        return told["Code"], told["Message"]


def body(template: Any) -> str:
    """A template's text."""
    return template if isinstance(template, str) else json.dumps(template)


@pytest.fixture
def stacks(aws: Callable[..., Any], account: str) -> Stacks:
    return Stacks(aws, account)
