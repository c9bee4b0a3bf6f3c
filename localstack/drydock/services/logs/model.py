"""Log groups, log streams and metric filters: what is kept of them, their ARNs, and what describe returns.

The events themselves are not here but on disk (``events.py``), under the ``key`` of their stream and group. A key is
never given twice, so a group that is deleted and made again by the same name sees nothing of its predecessor.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from drydock.store import Scope


@dataclass
class LogGroup:
    """A log group. ``created`` is in milliseconds of lab time."""

    name: str
    key: int
    created: int
    log_class: str = "STANDARD"
    retention: int | None = None
    """Days, None for ever"""
    tags: dict[str, str] = field(default_factory=dict)
    protected: bool = False

    @property
    def kept_days(self) -> int | None:
        """For how many days events are kept; the Delivery class keeps them for one, whatever is asked for."""
        return 1 if self.log_class == "DELIVERY" else self.retention

    def arn(self, scope: Scope) -> str:
        """Without the trailing ``:*``, as tagging and ``logGroupIdentifier`` want it."""
        return f"arn:aws:logs:{scope.region}:{scope.account}:log-group:{self.name}"

    def described(self, scope: Scope, stored: int, metric_filters: int) -> dict[str, Any]:
        """As in DescribeLogGroups."""
        arn = self.arn(scope)
        answer: dict[str, Any] = {
            "logGroupName": self.name,
            "creationTime": self.created,
            "metricFilterCount": metric_filters,
            "arn": f"{arn}:*",
            "storedBytes": stored,
            "logGroupClass": self.log_class,
            "logGroupArn": arn,
            "deletionProtectionEnabled": self.protected,
        }
        if self.kept_days is not None:
            answer["retentionInDays"] = self.kept_days
        return answer

    def briefly(self, scope: Scope) -> dict[str, Any]:
        """As in DescribeLogGroups with a name pattern, which gives these three only."""
        return {"logGroupName": self.name, "creationTime": self.created, "arn": f"{self.arn(scope)}:*"}

    def summary(self, scope: Scope) -> dict[str, Any]:
        """As in ListLogGroups."""
        return {"logGroupName": self.name, "logGroupArn": self.arn(scope), "logGroupClass": self.log_class}


@dataclass
class LogStream:
    """A log stream. ``created`` is in milliseconds of lab time."""

    group: str
    name: str
    key: int
    created: int

    def described(self, scope: Scope, facts: StreamFacts | None) -> dict[str, Any]:
        """As in DescribeLogStreams; ``storedBytes`` of a stream is 0 since 2019."""
        answer: dict[str, Any] = {
            "logStreamName": self.name,
            "creationTime": self.created,
            "arn": f"arn:aws:logs:{scope.region}:{scope.account}:log-group:{self.group}:log-stream:{self.name}",
            "storedBytes": 0,
        }
        if facts is not None:
            answer["firstEventTimestamp"] = facts.first
            answer["lastEventTimestamp"] = facts.last
            answer["lastIngestionTime"] = facts.ingested
            answer["uploadSequenceToken"] = sequence_token(self.key, facts.ingested)
        return answer


@dataclass
class StreamFacts:
    """What is known of a stream's events without reading them; times in milliseconds of lab time."""

    group: int
    first: int
    last: int
    ingested: int
    stored: int
    """Bytes, each event counted with 26 of overhead, as PutLogEvents counts"""


@dataclass
class MetricFilter:
    """A metric filter. ``transformations`` are as they were given to PutMetricFilter."""

    group: str
    name: str
    pattern: str
    transformations: list[dict[str, Any]]
    created: int

    def described(self) -> dict[str, Any]:
        """As in DescribeMetricFilters."""
        return {
            "filterName": self.name,
            "filterPattern": self.pattern,
            "metricTransformations": self.transformations,
            "creationTime": self.created,
            "logGroupName": self.group,
            "applyOnTransformedLogs": False,
        }


def sequence_token(stream: int, ingested: int) -> str:
    """56 digits, as AWS's; nobody reads them any more ("The sequence token is now ignored in PutLogEvents")."""
    return f"49{(ingested << 63 | stream) % 10**54:054d}"
