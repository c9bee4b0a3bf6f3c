"""The operations of Lambda that are deeds: invocations. Functions, versions, aliases and permissions are the moto backend's."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from typing import Any

from drydock.errors import AwsError, NotImplementedByDrydock
from drydock.request import Request
from drydock.services.cloudwatch import alarm_documents
from drydock.services.cloudwatch.model import AlarmSignal, Record
from drydock.services.functions import archives, metrics, rules
from drydock.services.functions.model import Function, Order, Outcome, Queued
from drydock.services.functions.queue import Queue
from drydock.services.functions.running import TAIL, Runner
from drydock.services.iam.evaluation import Caller, lets_service
from drydock.services.service import Platform, Service
from drydock.store import Scope

Params = dict[str, Any]
Ask = Callable[[Scope, str, str, Params], Awaitable[Params]]
Moto = Callable[[Request, str, Params], Awaitable[Params]]
ALARMS = "lambda.alarms.cloudwatch.amazonaws.com"


class Lambda(Service):
    """``moto`` and ``ask`` are the moto backend, ``record`` is where metrics go. For alarms: :meth:`act`."""

    name = "lambda"

    def __init__(
        self,
        platform: Platform,
        runner: Runner,
        moto: Moto,
        ask: Ask,
        record: Record,
    ) -> None:
        super().__init__(platform)
        self._moto = moto
        self._ask = ask
        self._record = record
        self._runner = runner
        self._queue = Queue(platform, self._runnable, self._run, self._dropped)

    async def start(self) -> None:
        self._queue.start()

    def clean(self) -> None:
        """Before anything is invoked: what an earlier life left. Blocks."""
        self._runner.clean()

    async def stop(self) -> None:
        await self._queue.stop()
        await self._runner.abandon(None)

    async def reset(self, account: str | None) -> None:
        await self._queue.stop(account)
        await self._runner.abandon(account)

    def runtime_lost(self) -> None:
        """The runtime is gone; what ran in it is told so."""
        self._runner.lost()

    # --- what the moto backend would take and nobody do -------------------------------------------------------------

    async def create_function(self, request: Request, params: Params) -> Params:
        """A function, if all that it asks for happens here."""
        _check_archive((params.get("Code") or {}).get("ZipFile"))
        return await self._kept(request, "CreateFunction", params)

    async def update_function_configuration(self, request: Request, params: Params) -> Params:
        """The same of a change."""
        return await self._kept(request, "UpdateFunctionConfiguration", params)

    async def update_function_code(self, request: Request, params: Params) -> Params:
        """Another archive."""
        _check_archive(params.get("ZipFile"))
        return await self._kept(request, "UpdateFunctionCode", params)

    async def put_function_event_invoke_config(self, request: Request, params: Params) -> Params:
        """Retries and age of events."""
        return await self._kept(request, "PutFunctionEventInvokeConfig", params)

    async def update_function_event_invoke_config(self, request: Request, params: Params) -> Params:
        """The same of a change."""
        return await self._kept(request, "UpdateFunctionEventInvokeConfig", params)

    async def _kept(self, request: Request, operation: str, params: Params) -> Params:
        reason = rules.not_done(params)
        if reason:
            raise NotImplementedByDrydock("lambda", operation, reason)
        kept = {name: value for name, value in params.items() if name not in ("VpcConfig", "DeadLetterConfig")}
        return await self._moto(request, operation, kept)  # moto stumbles over empty ones

    # --- operations ---------------------------------------------------------------------------------------------------

    async def invoke(self, request: Request, params: Params) -> Params:
        """Wait for the answer, or accept the event, or (DryRun) only look."""
        kind = params.get("InvocationType") or "RequestResponse"
        scope = request.scope
        name, qualifier = rules.parsed_name(params["FunctionName"], params.get("Qualifier"), scope)
        function = await self._find(scope, name, qualifier)
        event = rules.event_of(_bytes(params.get("Payload")), kind == "Event")
        if kind == "DryRun":
            return {"StatusCode": 204}
        reason = rules.unserved(function)
        if reason:
            raise NotImplementedByDrydock("lambda", "Invoke", reason)
        context = _client_context(params.get("ClientContext"))
        unique = request.request_id or self.platform.ids.uuid(scope, "invocation", function.arn)
        if kind == "Event":
            self._accept(scope, name, qualifier, event, context, unique)
            return {"StatusCode": 202, "Payload": b""}
        order = Order(unique, rules.arn_of(scope, name, qualifier), event, context)
        outcome = await self._run(scope, function, order, request.principal.access_key)
        answer: Params = {
            "StatusCode": 200, "Payload": outcome.payload.encode(), "ExecutedVersion": function.version,
        }  # fmt: skip
        if outcome.error:
            answer["FunctionError"] = outcome.error
        if params.get("LogType") == "Tail":
            tail = "".join(f"{line}\n" for line in outcome.log).encode()[-TAIL:]
            answer["LogResult"] = base64.b64encode(tail).decode()
        return answer

    async def invoke_async(self, request: Request, params: Params) -> Params:
        """The deprecated form of an Event."""
        given = {"FunctionName": params["FunctionName"], "Payload": params["InvokeArgs"], "InvocationType": "Event"}
        return {"Status": (await self.invoke(request, given))["StatusCode"]}

    # --- for others ---------------------------------------------------------------------------------------------------

    async def act(self, arn: str, signal: AlarmSignal) -> None:
        """An alarm's action: the function gets an event, if its policy lets CloudWatch alarms. Raises AwsError."""
        scope = signal.scope
        name, qualifier = rules.parsed_name(arn, None, scope)
        function = await self._runnable(scope, name, qualifier)
        caller = Caller(scope.account, service=ALARMS)
        context = {"aws:sourcearn": signal.arn, "aws:sourceaccount": scope.account}
        if not lets_service(function.policy, "lambda:InvokeFunction", arn, caller, context):
            raise AwsError(
                "AccessDeniedException",
                "CloudWatch Alarms is not authorized to perform: lambda:InvokeFunction on the resource because no "
                "resource-based policy allows the action",
            )
        event = alarm_documents.event(signal, self.platform.ids.uuid(scope, "alarm-metric", signal.arn))
        unique = self.platform.ids.uuid(scope, "invocation", function.arn)
        self._accept(scope, name, qualifier, event, "", unique)

    # --- the deed -----------------------------------------------------------------------------------------------------

    def _accept(self, scope: Scope, name: str, qualifier: str, event: str, context: str, unique: str) -> None:
        now = self.platform.clock(scope.account).now()
        self._queue.put(scope, Queued(unique, name, qualifier, event, context, accepted=now, due=now))
        self._record(scope, metrics.accepted(name, now))

    def _dropped(self, scope: Scope, name: str) -> None:
        self._record(scope, metrics.dropped(name, self.platform.clock(scope.account).now()))

    async def _runnable(self, scope: Scope, name: str, qualifier: str) -> Function:
        function = await self._find(scope, name, qualifier)
        reason = rules.unserved(function)
        if reason:
            raise NotImplementedByDrydock("lambda", "Invoke", reason)
        return function

    async def _find(self, scope: Scope, name: str, qualifier: str, with_code: bool = False) -> Function:
        """Of an alias with weights, one of its versions. Raises AwsError if there is none."""
        asked = {"name": name, "qualifier": rules.qualifier_or_latest(qualifier), "code": with_code}
        found = await self._ask(scope, self.name, "DescribeForRun", asked)
        if not found:
            raise rules.not_found(rules.arn_of(scope, name, qualifier))
        zipped = tuple(base64.b64decode(archive) for archive in found.get("archives", []))
        function = Function.of(found, zipped)
        if function.weights:
            drawn = int.from_bytes(self.platform.ids.digest(scope, "weight", f"{name}:{qualifier}")[:4], "big") / 2**32
            other = rules.version_for(drawn, function.weights)
            return await self._find(scope, name, other, with_code) if other else function
        return function

    async def _run(self, scope: Scope, function: Function, order: Order, access_key: str = "") -> Outcome:
        """``access_key`` is that of whoever invokes it. Raises AwsError."""
        clock = self.platform.clock(scope.account)
        whole = await self._find(scope, function.name, function.version, with_code=True)
        running = sum((run.scope, run.function.name) == (scope, function.name) for run in self._runner.running.values())
        if function.reserved is not None and running >= function.reserved:
            self._record(scope, metrics.throttled(function.name, clock.now()))
            raise rules.throttled()
        began = clock.now()
        outcome, took = await self._runner.run(scope, whole, order, access_key)
        self._record(scope, metrics.invoked(function.name, began, took, bool(outcome.error), running + 1))
        return outcome


def _bytes(payload: Any) -> bytes:
    if payload is None:
        return b""
    if isinstance(payload, str):
        return payload.encode()
    return bytes(payload.read() if hasattr(payload, "read") else payload)


def _check_archive(archive: bytes | None) -> None:
    """Raises InvalidParameterValue for what is no archive."""
    if archive is None:
        return
    try:
        archives.check(archive)
    except archives.BadArchive as error:
        raise AwsError("InvalidParameterValueException", str(error), status=400) from None


def _client_context(given: str | None) -> str:
    """JSON, of what comes in Base64. Raises InvalidRequestContent."""
    if not given:
        return ""
    try:
        return base64.b64decode(given, validate=True).decode()
    except ValueError as error:
        message = f"Client context must be a valid Base64-encoded JSON object: {error}"
        raise AwsError("InvalidRequestContentException", message, status=400) from None
