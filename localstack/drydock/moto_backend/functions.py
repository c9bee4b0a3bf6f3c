"""Lambda's functions as moto keeps them: mended where it forgets, and what is needed to run one. Runs in the child."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from typing import Any


def adapt() -> None:
    """Versions have numbers of their own for ever, configurations are replaced and not piled up, permissions are for the
    alias that they name, layers outlive their deletion in functions that have them."""
    from moto.awslambda import models

    models.LambdaStorage.publish_version = _publish_version
    models.LambdaBackend.put_function_event_invoke_config = _put_event_invoke_config
    models.LambdaBackend.update_function_event_invoke_config = _update_event_invoke_config
    _adapt_permissions(models.LambdaBackend)
    _adapt_updates(models.LambdaFunction)
    _adapt_layers(models.LayerStorage)


def _publish_version(self: Any, name_or_arn: str, description: str = "") -> Any:
    function = self.get_function_by_name_or_arn_forbid_qualifier(name_or_arn)
    kept = self._functions[function.function_name]
    versions = kept["versions"]
    if versions and not function.code_or_config_updated:
        return versions[-1]
    function.code_or_config_updated = False
    latest = int(versions[-1].version) if versions else 0  # of a state folder from before the numbers were kept
    number = kept["published"] = kept.get("published", latest) + 1
    made = copy.copy(function)
    made.code = dict(function.code)
    made.set_version(number)
    if description:
        made.description = description
    versions.append(made)
    self._arns[made.function_arn] = made
    return made


def _put_event_invoke_config(self: Any, function_name: str, config: dict[str, Any]) -> dict[str, Any]:
    from moto.awslambda.models import EventInvokeConfig

    function = self.get_function(function_name)
    made = EventInvokeConfig(function.function_arn, function.last_modified, config)
    function.event_invoke_config = [made]
    found: dict[str, Any] = made.response()
    return found


def _update_event_invoke_config(self: Any, function_name: str, config: dict[str, Any]) -> dict[str, Any]:
    from moto.awslambda.exceptions import UnknownEventConfig

    function = self.get_function(function_name)
    if not function.event_invoke_config:
        raise UnknownEventConfig(function.function_arn)
    return _put_event_invoke_config(self, function_name, {**function.event_invoke_config[0].config, **config})


def _adapt_permissions(backend: Any) -> None:
    add = backend.add_permission

    def add_permission(self: Any, function_name: str, qualifier: str | None, raw: str) -> Any:
        if function_name.startswith("arn:"):
            _, plain, within = self._lambdas.split_function_arn(function_name)
        else:
            plain, _, within = function_name.partition(":")
        return add(self, plain, qualifier or within or None, raw)

    backend.add_permission = add_permission


def _adapt_updates(function: Any) -> None:
    configure, replace_code = function.update_configuration, function.update_function_code

    def update_configuration(self: Any, config_updates: dict[str, Any]) -> Any:
        given = dict(config_updates)
        if given.get("Environment") is not None:
            given["Environment"] = {"Variables": given["Environment"].get("Variables") or {}}
        if given.get("EphemeralStorage"):
            self.ephemeral_storage = given["EphemeralStorage"]["Size"]
        if given.get("TracingConfig"):
            self.tracing_config = given["TracingConfig"]
        return configure(self, given)

    def update_function_code(self: Any, updated_spec: dict[str, Any]) -> Any:
        if updated_spec.get("Architectures") and not updated_spec.get("DryRun"):
            self.architectures = updated_spec["Architectures"]
        return replace_code(self, updated_spec)

    function.update_configuration, function.update_function_code = update_configuration, update_function_code


def _adapt_layers(storage: Any) -> None:
    delete = storage.delete_layer_version

    def delete_layer_version(self: Any, layer_name: str, layer_version: str) -> None:
        gone = self.get_layer_version(layer_name, layer_version)
        self.__dict__.setdefault("_deleted", {})[gone.arn] = gone
        delete(self, layer_name, layer_version)

    storage.delete_layer_version = delete_layer_version


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
        latest = backend.get_function(asked["name"], None)
        function = backend.get_function(asked["name"], asked["qualifier"])
    except LambdaClientError:
        return {}
    found = _facts(function)
    found["policy"] = json.dumps(
        {"Version": "2012-10-17", "Statement": [_statement(s) for s in latest.policy.statements]}
    )
    found["reserved"] = latest.reserved_concurrency
    found["async"] = latest.event_invoke_config[0].config if latest.event_invoke_config else {}
    alias = backend._lambdas._aliases.get(latest.function_arn, {}).get(asked["qualifier"])
    found["weights"] = ((alias.routing_config or {}).get("AdditionalVersionWeights") or {}) if alias else {}
    if asked.get("code"):
        found["archives"] = [_archive(one) for one in (function, *_layers(backend, function))]
    return found


def _layers(backend: Any, function: Any) -> list[Any]:
    deleted = backend._layers.__dict__.get("_deleted", {})
    arns = [layer["Arn"] for layer in function.layers]
    return [backend.layers_versions_by_arn(arn) or deleted[arn] for arn in arns]


def _statement(statement: dict[str, Any]) -> dict[str, Any]:
    """As AWS shows it: an account's id or a role's ARN is among the AWS principals."""
    principal = statement.get("Principal")
    if isinstance(principal, str) and principal != "*":
        return {**statement, "Principal": {"AWS": principal}}
    return statement


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
    }


def _archive(one: Any) -> str:
    return base64.b64encode(getattr(one, "code_bytes", b"") or b"").decode()


OPERATIONS: dict[str, Callable[[Any, dict[str, Any]], dict[str, Any]]] = {"DescribeForRun": describe_for_run}
