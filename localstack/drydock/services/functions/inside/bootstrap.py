"""Runs one invocation of a Python function: ``python bootstrap.py TASK LAYERS LIBRARY EXCHANGE``, all folders.

``EXCHANGE`` has ``order.json``; ``answer.json`` is written there. Documents of errors are those of AWS's runtime for Python.
Source: Lambda Developer Guide, "Lambda function handler in Python", "Using the Lambda context object", "Handling errors in
Python".
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import resource
import sys
import time
import traceback
from typing import Any


class Failed(Exception):
    """The document that the caller gets, and what goes into the log."""

    def __init__(self, kind: str, message: str, trace: Any = ()) -> None:
        super().__init__(message)
        self.document: dict[str, Any] = {
            "errorMessage": message,
            "errorType": kind,
            "requestId": "",
            "stackTrace": list(trace),
        }

    @property
    def log(self) -> str:
        head = f"[ERROR] {self.document['errorType']}: {self.document['errorMessage']}"
        return "\n".join([head, "Traceback (most recent call last):", "".join(self.document["stackTrace"])])


class Context:
    """What a handler is told of its invocation."""

    identity = None

    def __init__(self, order: dict[str, Any]) -> None:
        self.aws_request_id = order["request_id"]
        self.function_name = order["name"]
        self.function_version = order["version"]
        self.invoked_function_arn = order["invoked_arn"]
        self.memory_limit_in_mb = str(order["memory"])
        self.log_group_name = order["log_group"]
        self.log_stream_name = order["log_stream"]
        self.client_context = _client_context(order["client_context"])
        self._end = time.monotonic() + order["seconds"]
        self._lab_seconds_in_one = order["timeout"] / order["seconds"]

    def get_remaining_time_in_millis(self) -> int:
        return max(int((self._end - time.monotonic()) * self._lab_seconds_in_one * 1000), 0)

    def log(self, message: Any) -> None:
        sys.stdout.write(str(message))
        sys.stdout.flush()


class ClientContext:
    """From an app; its members are what the caller gave."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.client, self.custom, self.env = (given.get(name) for name in ("client", "custom", "env"))


def _context(order: dict[str, Any]) -> Context:
    try:
        return Context(order)
    except (ValueError, AttributeError) as error:
        raise Failed("Runtime.LambdaContextUnmarshalError", f"Unable to parse Client Context JSON: {error}") from None


def _client_context(text: str) -> ClientContext | None:
    return ClientContext(json.loads(text)) if text else None


def load(handler: str) -> Any:
    """The function that ``module.function`` names. Raises Failed."""
    module, dot, name = handler.rpartition(".")
    if not dot:
        raise Failed(
            "Runtime.MalformedHandlerName", f"Bad handler '{handler}': not enough values to unpack (expected 2, got 1)"
        )
    try:
        loaded = importlib.import_module(module.replace("/", "."))
    except ImportError as error:
        raise Failed("Runtime.ImportModuleError", f"Unable to import module '{module}': {error}") from None
    except SyntaxError as error:
        where = f'  File "{error.filename}" Line {error.lineno}\n    {(error.text or "").strip()}\n'
        message = f"Syntax error in module '{module}': {error}"
        raise Failed("Runtime.UserCodeSyntaxError", message, [where]) from None
    except Exception as error:
        frames = [one for one in traceback.extract_tb(error.__traceback__) if _of_user(one.filename)]
        raise Failed(type(error).__name__, str(error), traceback.format_list(frames)) from None
    found = getattr(loaded, name, None)
    if found is None:
        raise Failed("Runtime.HandlerNotFound", f"Handler '{name}' missing on module '{module}'")
    return found


def _of_user(file: str) -> bool:
    return not file.startswith("<frozen ") and file not in (__file__, importlib.__file__)


def call(handler: Any, event: Any, context: Context) -> str:
    """Its result as JSON. Raises Failed."""
    try:
        result = handler(event, context)
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)[1:]
        raise Failed(type(error).__name__, str(error), traceback.format_list(frames)) from None
    try:
        made = json.dumps(result, separators=(", ", ": "), ensure_ascii=False)
        made.encode()
        return made
    except (TypeError, ValueError, RecursionError) as error:
        raise Failed("Runtime.MarshalError", f"Unable to marshal response: {error}") from None


def log_as_lambda(request_id: str) -> None:
    """The root logger writes as in Lambda; its level is left as it is, WARNING."""

    def note(record: logging.LogRecord) -> bool:
        record.aws_request_id = request_id
        return True

    form = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s"
    formatter = logging.Formatter(form, "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    handler.addFilter(note)
    logging.getLogger().addHandler(handler)


def invoke(order: dict[str, Any], exchange: str) -> None:
    """Load, call, and leave the answer. Code that cannot be loaded is told as AWS does: when it is called."""
    answer: dict[str, Any] = {"init": 0.0, "failed": False, "log": ""}
    began = time.monotonic()
    try:
        handler = load(order["handler"])
        answer["init"] = time.monotonic() - began
        with open(os.path.join(exchange, "loaded"), "w"):
            pass
        began = time.monotonic()
        answer["payload"] = call(handler, json.loads(order["event"]), _context(order))
    except Failed as failure:
        failure.document["requestId"] = order["request_id"]
        answer.update(failed=True, log=failure.log, payload=json.dumps(failure.document))
    answer["took"] = time.monotonic() - began
    answer["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    sys.stdout.flush()
    sys.stderr.flush()
    unfinished = os.path.join(exchange, "answer.part")
    with open(unfinished, "w", encoding="utf-8") as file:
        json.dump(answer, file)
    os.rename(unfinished, os.path.join(exchange, "answer.json"))


def main() -> None:
    """Set the stage as Lambda does. The process ends here: threads that a handler left behind are not waited for."""
    task, layers, library, exchange = sys.argv[1:5]
    minor = f"python3.{sys.version_info[1]}"
    packages = [f"{layers}/python/lib/{minor}/site-packages", f"{layers}/python"]
    sys.path[0:1] = [task, *packages]
    sys.path.append(library)
    os.environ.update(LAMBDA_TASK_ROOT=task, LAMBDA_RUNTIME_DIR=os.path.dirname(os.path.abspath(__file__)))
    os.chdir(task)
    with open(os.path.join(exchange, "order.json"), encoding="utf-8") as file:
        order = json.load(file)
    sys.argv[:] = [""]
    log_as_lambda(order["request_id"])
    invoke(order, exchange)
    os._exit(0)


if __name__ == "__main__":
    main()
