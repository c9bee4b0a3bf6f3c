"""Functions of a test's account."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}


def zipped(**files: str) -> bytes:
    """An archive of modules: ``m="..."`` is m.py; a name with __ is in a folder."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"{name.replace('__', '/')}.py", text)
    return made.getvalue()


class Room:
    """``lam``, ``logs``, ``iam``: clients; ``role``: what functions run under."""

    def __init__(self, aws: Callable[..., Any]) -> None:
        self.aws = aws
        self.lam, self.logs, self.iam, self.cw = aws("lambda"), aws("logs"), aws("iam"), aws("cloudwatch")
        made = self.iam.create_role(RoleName="function", AssumeRolePolicyDocument=json.dumps(TRUST))
        self.role = made["Role"]["Arn"]
        self.iam.attach_role_policy(RoleName="function", PolicyArn=BASIC)

    def function(self, text: str, name: str = "f", **given: Any) -> str:
        """Its ARN. The module is ``m``, the handler ``h``."""
        params = {"Runtime": "python3.12", "Handler": "m.h", "Role": self.role, "Code": {"ZipFile": zipped(m=text)}}
        return str(self.lam.create_function(**{"FunctionName": name, **params, **given})["FunctionArn"])

    def invoke(self, event: Any = None, name: str = "f", **given: Any) -> tuple[Any, str]:
        """Its answer, and its FunctionError ("" if there is none)."""
        payload = {} if event is None else {"Payload": json.dumps(event)}
        answer = self.lam.invoke(FunctionName=name, **payload, **given)
        return json.loads(answer["Payload"].read()), answer.get("FunctionError", "")

    def lines(self, name: str = "f", pattern: str = "") -> list[str]:
        """All events of its log group, none if it has no log."""
        try:
            found = self.logs.filter_log_events(logGroupName=f"/aws/lambda/{name}", filterPattern=pattern)
        except self.logs.exceptions.ResourceNotFoundException:
            return []
        return [event["message"] for event in found["events"]]
