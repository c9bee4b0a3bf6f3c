"""What is needed to run a Lambda function, of what moto keeps. Runs in the child."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any


def answer(account: str, region: str, operation: str, body: bytes) -> bytes:
    """One of :data:`OPERATIONS`, JSON in and out."""
    from moto.awslambda.models import lambda_backends

    backend = lambda_backends[account][region]
    return json.dumps(OPERATIONS[operation](backend, json.loads(body or b"{}"))).encode()


def describe_for_run(backend: Any, asked: dict[str, Any]) -> dict[str, Any]:
    """The function ``name`` (its ``qualifier``), nothing if there is none; with ``code`` the archives of it and its
    layers too."""
    from moto.awslambda.exceptions import LambdaClientError

    try:
        function = backend.get_function(asked["name"], asked["qualifier"])
    except LambdaClientError:
        return {}
    found = _facts(function)
    latest = backend.get_function(asked["name"], None)
    found["reserved"] = latest.reserved_concurrency
    found["async"] = latest.event_invoke_config[0].config if latest.event_invoke_config else {}
    if asked.get("code"):
        layers = [backend.layers_versions_by_arn(layer["Arn"]) for layer in function.layers]
        found["archives"] = [_archive(one) for one in (function, *layers) if one is not None]
    return found


def _facts(function: Any) -> dict[str, Any]:
    return {
        "name": function.function_name,
        "arn": function.function_arn,
        "version": str(function.version),
        "package": function.package_type,
        "runtime": function.run_time or "",
        "handler": function.handler or "",
        "role": function.role,
        "memory": int(function.memory_size),
        "timeout": int(function.timeout),
        "environment": dict(function.environment_vars),
        "policy": json.dumps({"Version": "2012-10-17", "Statement": function.policy.statements}),
    }


def _archive(one: Any) -> str:
    return base64.b64encode(getattr(one, "code_bytes", b"") or b"").decode()


OPERATIONS: dict[str, Callable[[Any, dict[str, Any]], dict[str, Any]]] = {"DescribeForRun": describe_for_run}
