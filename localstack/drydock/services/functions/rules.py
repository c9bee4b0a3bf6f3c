"""What Lambda takes, refuses and says. Pure.

Sources: Lambda API reference (Invoke); Lambda Developer Guide, "Lambda quotas", "How Lambda handles errors and retries with
asynchronous invocation", "Sending Lambda function logs to CloudWatch Logs", "Lambda environment variables".
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from drydock.errors import AwsError
from drydock.services.functions.model import LATEST, Function
from drydock.store import Scope

LARGEST_SYNCHRONOUS = 6 << 20
LARGEST_ASYNCHRONOUS = 1 << 20
LARGEST_RESPONSE = 6_291_556
LARGEST_UNZIPPED = 262_144_000
OLDEST = 21600.0
"""Seconds after which an asynchronous invocation is given up, if nobody says otherwise"""
LONGEST_DELAY = 300.0
RETRY_AFTER = (60.0, 120.0)
"""Lab seconds before the first and the second retry of an asynchronous invocation that failed ("Lambda waits one minute
before the second attempt, two minutes before the third")"""
_NAME = re.compile(
    r"(?:(?:arn:aws[a-z-]*:lambda:(?P<region>[a-z0-9-]+):)?(?P<account>\d{12}):function:|function:)?"
    r"(?P<name>[a-zA-Z0-9_-]+)(?::(?P<qualifier>\$LATEST|[a-zA-Z0-9_-]+))?"
)


def parsed_name(given: str, qualifier: str | None, scope: Scope) -> tuple[str, str]:
    """Name and qualifier ("" if there is none) of a FunctionName in any of its forms, asked for in an account and region.
    Raises InvalidParameterValue, ResourceNotFound."""
    match = _NAME.fullmatch(given)
    if match is None:
        raise AwsError("InvalidParameterValueException", f"Invalid function name: {given}", status=400)  # (?)
    within = match["qualifier"] or ""
    if within and qualifier and within != qualifier:
        raise AwsError(
            "InvalidParameterValueException",
            "The derived qualifier from the function name does not match the specified qualifier.",
            status=400,
        )
    if match["region"] not in (None, scope.region):
        message = f"Functions from '{match['region']}' are not reachable in this region ('{scope.region}')"
        raise AwsError("ResourceNotFoundException", message, status=404)
    if match["account"] not in (None, scope.account):
        raise not_found(given)
    return match["name"], qualifier or within


def arn_of(scope: Scope, name: str, qualifier: str) -> str:
    """A function's as its caller names it."""
    return f"arn:aws:lambda:{scope.region}:{scope.account}:function:{name}" + (f":{qualifier}" if qualifier else "")


def not_found(arn: str) -> AwsError:
    """There is no such function, version or alias."""
    return AwsError("ResourceNotFoundException", f"Function not found: {arn}", status=404)


def throttled() -> AwsError:
    """As many as may run do so already."""
    return AwsError("TooManyRequestsException", "Rate Exceeded.", status=429)


def event_of(payload: bytes, asynchronous: bool) -> str:
    """The JSON document that a function is called with. Raises RequestTooLarge, InvalidRequestContent."""
    largest = LARGEST_ASYNCHRONOUS if asynchronous else LARGEST_SYNCHRONOUS
    if len(payload) > largest:
        raise AwsError(
            "RequestTooLargeException",
            f"{len(payload)} byte payload is too large for the "
            f"{'Event' if asynchronous else 'RequestResponse'} invocation type (limit {largest} bytes)",
            status=413,
        )
    try:
        text = payload.decode() or "{}"
        json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AwsError(
            "InvalidRequestContentException",
            f"Could not parse request body into json: Could not parse payload into json: {error}",
            status=400,
        ) from None
    return text


def unserved(function: Function) -> str:
    """Why such a function cannot run here, empty if it can."""
    if function.package != "Zip":
        return "Container images as functions: use a .zip archive."
    if not function.runtime.startswith("python3."):
        return f"The runtime {function.runtime or '(none)'}: functions in Python run here, by this machine's Python 3."
    return ""


def not_done(params: dict[str, Any]) -> str:
    """What a function or its configuration asks for and nobody here does, as a hint; empty if there is nothing."""
    if any((params.get("VpcConfig") or {}).get(name) for name in ("SubnetIds", "SecurityGroupIds")):
        return "VpcConfig: leave it out; functions here are in no VPC."
    if (params.get("DeadLetterConfig") or {}).get("TargetArn"):
        return "DeadLetterConfig: leave it out, and look at AsyncEventsDropped."
    if any((params.get("DestinationConfig") or {}).values()):
        return "DestinationConfig: leave it out, and have the function publish what it has to say."
    if params.get("FileSystemConfigs"):
        return "FileSystemConfigs: leave them out."
    if (params.get("TracingConfig") or {}).get("Mode") == "Active":
        return "TracingConfig: leave it out; nothing is traced."
    logging = params.get("LoggingConfig") or {}
    if logging.get("LogGroup") or logging.get("LogFormat", "Text") != "Text":
        return "LoggingConfig: leave it out; functions log text into /aws/lambda/NAME."
    return _code_not_done({**params, **(params.get("Code") or {})})


def _code_not_done(code: dict[str, Any]) -> str:
    if code.get("ImageUri") or code.get("PackageType", "Zip") != "Zip":
        return "Container images as functions: use a .zip archive."
    if code.get("S3ObjectVersion"):
        return "S3ObjectVersion: leave it out; the newest object is taken."
    return "SourceKMSKeyArn: leave it out." if code.get("SourceKMSKeyArn") else ""


# --- what is logged ---------------------------------------------------------------------------------------------------


def log_group(function: Function) -> str:
    """/aws/lambda/name"""
    return f"/aws/lambda/{function.name}"


def log_stream(function: Function, now: float, unique: str) -> str:
    """``unique``: 32 hexadecimal digits, of the environment in which it runs."""
    day = datetime.fromtimestamp(now, UTC)
    return f"{day:%Y/%m/%d}/[{function.version}]{unique}"


def started(function: Function, request_id: str) -> str:
    """The first line of an invocation."""
    return f"START RequestId: {request_id} Version: {function.version}"


def ended(request_id: str) -> str:
    """The last line but one."""
    return f"END RequestId: {request_id}"


def report(function: Function, request_id: str, took: float, init: float, memory: int, status: str = "") -> str:
    """The last line. ``took`` and ``init`` are seconds, ``memory`` bytes; the time of initialising is billed, too."""
    parts = [
        f"REPORT RequestId: {request_id}",
        f"Duration: {took * 1000:.2f} ms",
        f"Billed Duration: {-int(-(took + init) * 1000 // 1)} ms",
        f"Memory Size: {function.memory} MB",
    ]
    if memory:  # that of one whose process is gone is not known
        parts.append(f"Max Memory Used: {min(-(-memory >> 20), function.memory)} MB")
    if init:
        parts.append(f"Init Duration: {init * 1000:.2f} ms")
    if status:
        parts.append(f"Status: {status}")
    return "\t".join(parts) + "\t"


def timed_out_line(request_id: str, function: Function, now: float) -> str:
    """What the log says of an invocation that was cut off."""
    at = datetime.fromtimestamp(now, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z {request_id} Task timed out after {function.timeout:.2f} seconds"


# --- what the caller gets ---------------------------------------------------------------------------------------------


def timed_out(request_id: str, function: Function) -> str:
    """The function did not end in time."""
    return _failure(
        "Sandbox.Timedout", f"RequestId: {request_id} Error: Task timed out after {function.timeout:.2f} seconds"
    )


def exited(request_id: str, code: int) -> str:
    """Its process ended without an answer; ``code`` as a shell gives it."""
    reason = "Runtime exited without providing a reason"
    if code > 128:
        reason = f"Runtime exited with error: signal: {'killed' if code == 137 else code - 128}"
    elif code:
        reason = f"Runtime exited with error: exit status {code}"
    return _failure("Runtime.ExitError", f"RequestId: {request_id} Error: {reason}")


def too_large() -> str:
    """Its answer is larger than one can be."""
    message = f"Response payload size exceeded maximum allowed payload size ({LARGEST_RESPONSE} bytes)."
    return _failure("Function.ResponseSizeTooLarge", message)


def not_started(request_id: str, reason: str) -> str:
    """There was no environment to run it in, or no code. (?)"""
    return _failure("Runtime.Unknown", f"RequestId: {request_id} Error: {reason}")


def _failure(kind: str, message: str) -> str:
    return json.dumps({"errorType": kind, "errorMessage": message})


def environment(function: Function, scope: Scope, stream: str) -> dict[str, str]:
    """What Lambda sets beside the function's own variables; credentials and paths are added where they are known."""
    return {
        **function.environment,
        "_HANDLER": function.handler,
        "AWS_REGION": scope.region,
        "AWS_DEFAULT_REGION": scope.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": log_group(function),
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PYTHONUNBUFFERED": "1",
    }


def next_try(failures: int, accepted: float, function: Function, now: float) -> float | None:
    """When an asynchronous invocation that has failed so often is tried again; None: it is given up."""
    if failures > function.retries:
        return None
    due = now + RETRY_AFTER[min(failures, len(RETRY_AFTER)) - 1]
    return due if due - accepted <= function.oldest else None


def may_pass(error: AwsError) -> bool:
    """Whether an error is none of the function's: throttled, or nothing to run it in just now. What is lacking here (501)
    stays so."""
    return error.status == 429 or (error.status or 400) in (500, 502, 503, 504)


def begun_again(delays: int, accepted: float, oldest: float, now: float) -> float | None:
    """When an asynchronous invocation that could not be begun (throttled, no environment) is tried again: after 1 second,
    and twice as long each time, up to 5 minutes; None: it is too old by then."""
    due = now + min(2.0 ** (delays - 1), LONGEST_DELAY)
    return due if due - accepted <= oldest else None


def version_for(draw: float, weights: dict[str, float]) -> str:
    """Which version of an alias with weights an invocation gets; ``draw`` is at least 0 and below 1. Empty: its own."""
    for version, weight in sorted(weights.items()):
        draw -= weight
        if draw < 0:
            return version
    return ""


def qualifier_or_latest(qualifier: str) -> str | None:
    """As moto wants it."""
    return None if qualifier in ("", LATEST) else qualifier
