"""IAM and STS without HTTP: operations called as the gateway calls them, answers compared with botocore's models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.session import get_session
from botocore.validate import ParamValidator
from drydock.clock import Clocks
from drydock.errors import AwsError
from drydock.gateway.authorize import Authorizer
from drydock.ids import Ids
from drydock.request import Principal, Request
from drydock.services.iam import Iam
from drydock.services.service import Platform
from drydock.services.sts import Sts
from drydock.store import Store

ACCOUNT = "123456789012"
ECS_TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)
MODELS = {name: get_session().get_service_model(name) for name in ("iam", "sts")}


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: Any = "*", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def faults(value: Any, shape: Shape, path: str) -> list[str]:
    """Where an answer has members that the output shape has not, or lacks required ones."""
    if isinstance(shape, StructureShape):
        wrong = [f"{path}.{key} is no member" for key in value if key not in shape.members]
        wrong += [f"{path}.{key} is required" for key in shape.required_members if key not in value]
        for key, item in value.items():
            wrong += faults(item, shape.members[key], f"{path}.{key}") if key in shape.members else []
        return wrong
    if isinstance(shape, ListShape):
        return [fault for item in value for fault in faults(item, shape.member, f"{path}[]")]
    if isinstance(shape, MapShape):
        return [fault for item in value.values() for fault in faults(item, shape.value, f"{path}{{}}")]
    types = {"string": str, "integer": int, "boolean": bool, "timestamp": object}
    return [] if isinstance(value, types[shape.type_name]) else [f"{path} is {value!r}"]


class House:
    """An emulator's IAM and STS."""

    def __init__(self, folder: Path, database: Path | None = None) -> None:
        self.store = Store(database)
        clocks = Clocks(self.store)
        self.platform = Platform(self.store, clocks, Ids(self.store, "seed"), folder, call=None)  # type: ignore[arg-type]
        self.iam = Iam(self.platform)
        self.sts = Sts(self.platform, self.iam)
        self.authorizer = Authorizer(self.iam)
        self.root = Principal.root(ACCOUNT, ACCOUNT)

    def call(self, operation: str, *, service: str = "iam", by: Principal | None = None, **params: Any) -> Any:
        """Call an operation; the parameters and the answer must be of the model's shapes."""
        model = MODELS[service].operation_model(operation)
        if model.input_shape:
            ParamValidator().validate(params, model.input_shape)
        owner = self.iam if service == "iam" else self.sts
        answer = owner.operation(operation)(Request(service, operation, "us-east-1", by or self.root), params) or {}
        assert (faults(answer, model.output_shape, operation) if model.output_shape else list(answer)) == []
        return answer

    def error(self, operation: str, **params: Any) -> tuple[str, str]:
        """Code and message of an operation that fails; nothing may have changed by it."""
        before = self.snapshot()
        with pytest.raises(AwsError) as caught:
            self.call(operation, **params)
        assert self.snapshot() == before
        return caught.value.code, caught.value.message

    def snapshot(self) -> list[str]:
        """All of IAM's resources as text."""
        directory = self.iam.directory
        collections = (
            *(directory.users, directory.groups, directory.roles, directory.policies),
            *(directory.profiles, directory.keys, directory.sessions, directory.accounts),
        )
        return [repr(entry) for collection in collections for entry in collection.all()]

    def role(self, name: str = "task", trust: str = ECS_TRUST, *statements: dict[str, Any], **more: Any) -> str:
        """Make a role with one inline policy; its ARN."""
        arn = self.call("CreateRole", RoleName=name, AssumeRolePolicyDocument=trust, **more)["Role"]["Arn"]
        if statements:
            self.call("PutRolePolicy", RoleName=name, PolicyName="inline", PolicyDocument=document(*statements))
        return str(arn)

    def user(self, name: str = "ann", *statements: dict[str, Any]) -> Principal:
        """Make a user with one inline policy and a key; the principal behind the key."""
        self.call("CreateUser", UserName=name)
        if statements:
            self.call("PutUserPolicy", UserName=name, PolicyName="inline", PolicyDocument=document(*statements))
        key = self.call("CreateAccessKey", UserName=name)["AccessKey"]
        credential = self.iam.find_credential(key["AccessKeyId"])
        assert credential is not None
        return credential.principal

    def session(self, role_arn: str, policy: str | None = None) -> Principal:
        """A session of a role."""
        return self.iam.issue_session(ACCOUNT, role_arn, "session", 3600, policy).principal

    def check(self, service: str, operation: str, principal: Principal, /, **params: Any) -> None:
        """Ask the authoriser."""
        self.authorizer.check(Request(service, operation, "us-east-1", principal), params)

    def denied(self, service: str, operation: str, principal: Principal, /, **params: Any) -> AwsError:
        """The authoriser's refusal."""
        with pytest.raises(AwsError) as caught:
            self.check(service, operation, principal, **params)
        return caught.value
