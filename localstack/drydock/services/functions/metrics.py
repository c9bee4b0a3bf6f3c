"""What is counted of invocations: AWS/Lambda. Pure.

Source: Lambda Developer Guide, "Types of metrics for Lambda functions".
"""

from __future__ import annotations

from drydock.services.cloudwatch.model import Datum, metric

NAMESPACE = "AWS/Lambda"


def invoked(name: str, at: float, took: float, failed: bool, at_once: int) -> list[Datum]:
    """An invocation that has ended; ``took`` seconds, one of ``at_once`` that ran then. A function has an Errors of 0
    too."""
    return [
        *_of(name, at, "Invocations", 1.0),
        *_of(name, at, "Errors", float(failed)),
        *_of(name, at, "Throttles", 0.0),
        *_of(name, at, "Duration", took * 1000, "Milliseconds"),
        *_of(name, at, "ConcurrentExecutions", float(at_once)),
    ]


def throttled(name: str, at: float) -> list[Datum]:
    """One that was refused; it is no invocation."""
    return _of(name, at, "Throttles", 1.0)


def accepted(name: str, at: float) -> list[Datum]:
    """An event is in the queue."""
    return _of(name, at, "AsyncEventsReceived", 1.0)


def dropped(name: str, at: float) -> list[Datum]:
    """An event was given up."""
    return _of(name, at, "AsyncEventsDropped", 1.0)


def _of(name: str, at: float, what: str, value: float, unit: str = "Count") -> list[Datum]:
    """For the function, for its unqualified name as a resource, and for all functions together."""
    places: tuple[dict[str, str], ...] = ({"FunctionName": name}, {"FunctionName": name, "Resource": name}, {})
    return [Datum(metric(NAMESPACE, what, place), at, ((value, 1.0),), unit=unit) for place in places]
