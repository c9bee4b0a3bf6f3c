"""What was measured: the door by which data comes in, and by which statistics are read.

``record`` is for the emulator's own services and for PutMetricData alike; ``values`` for GetMetricData, alarms and
pictures alike. Reading is synchronous and changes nothing that can be seen.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from drydock.errors import UserError
from drydock.services.cloudwatch import periods
from drydock.services.cloudwatch.model import Datum, Metric
from drydock.services.cloudwatch.points import Known, Points, by_period
from drydock.services.cloudwatch.samples import Bucket, bucket_of
from drydock.services.cloudwatch.statistics import compute, needs_raw
from drydock.services.service import Platform
from drydock.store import Scope

if TYPE_CHECKING:
    from drydock.services.cloudwatch.queries import Result

log = logging.getLogger(__name__)
UNWRITTEN_FOR = 10.0
"""Real seconds for which what services record may be in memory only"""
Series = list[tuple[float, float]]
"""(beginning of the period in lab seconds since 1970, value), in the order of time"""


class MetricStore:
    """All metrics of all accounts. Belongs to one event loop; raises sqlite3.OperationalError if the disk is full."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._path = platform.state / "metrics" / "metrics.sqlite3"
        self._opened = Points(self._path) if self._path.exists() else None
        self._flush: asyncio.TimerHandle | None = None

    @property
    def _points(self) -> Points:
        """Where they are kept; the file is made when there is something to keep."""
        if self._opened is None:
            try:
                self._opened = Points(self._path)
            except UserError as error:  # not at start-up but in a request, which answers 503
                raise sqlite3.OperationalError(error.wrong) from error
        return self._opened

    # --- in ---

    def record(self, scope: Scope, data: Sequence[Datum]) -> None:
        """Take measurements in. What is older than any data is kept is dropped. They are on the disk within ten
        seconds of real time, or when :meth:`write` returns."""
        now = self._platform.clock(scope.account).now()
        for datum in data:
            resolution = periods.resolution_at(now - datum.at, datum.resolution)
            bucket = bucket_of(datum)
            if resolution is None or bucket.count == 0:
                continue
            at = math.floor(datum.at / resolution) * resolution
            self._points.add(scope, datum.metric, datum.unit, resolution, at, bucket, now)
        if self._points.waiting and self._flush is None:
            with contextlib.suppress(RuntimeError):  # no loop is running: whoever records writes
                self._flush = asyncio.get_running_loop().call_later(UNWRITTEN_FOR, self._write_later)

    def write(self) -> None:
        """Everything recorded so far is on the disk when this returns."""
        self._points.write()

    def _write_later(self) -> None:
        self._flush = None
        try:
            self._points.write()
        except sqlite3.OperationalError as error:
            log.error("metrics could not be written: %s", error)

    # --- out ---

    def values(self, scope: Scope, queries_: Sequence[dict[str, Any]], start: float, end: float) -> dict[str, Series]:
        """The members of MetricDataQueries, evaluated from ``start`` to before ``end``, by id: all that are one series,
        also those that are not to be returned. Raises AwsError for bad queries and expressions, and for one to be returned
        that is no single series."""
        from drydock.services.cloudwatch import queries  # the grammar of expressions is not needed at start-up

        return queries.single_series(self.evaluated(scope, queries_, start, end), queries_)

    def evaluated(
        self, scope: Scope, queries_: Sequence[dict[str, Any]], start: float, end: float
    ) -> dict[str, list[Result]]:
        """The same with labels, and with the arrays of series. Raises AwsError."""
        from drydock.services.cloudwatch import queries

        return queries.evaluate(queries_, _Reader(self, scope, start, end))

    def statistic(
        self,
        scope: Scope,
        metric: Metric,
        stat: str,
        period: int,
        start: float,
        end: float,
        unit: str | None = None,
    ) -> Series:
        """One statistic of one metric, for each period from ``start`` (rounded down as CloudWatch does) that has data.
        Without ``unit``, whatever the unit."""
        merged: dict[float, Bucket] = {}
        for (at, _), bucket in self.buckets(scope, metric, period, start, end, unit, needs_raw(stat)).items():
            merged.setdefault(at, Bucket()).add(bucket)
        found = ((at, compute(stat, bucket)) for at, bucket in sorted(merged.items()))
        return [(at, value) for at, value in found if value is not None]

    def buckets(
        self, scope: Scope, metric: Metric, period: int, start: float, end: float, unit: str | None, raw: bool
    ) -> dict[tuple[float, str], Bucket]:
        """The samples of each period by (beginning, unit); ``raw``: with every value."""
        now = self._platform.clock(scope.account).now()
        self._points.age(scope.account, now)
        known = self._points.metrics(scope).get(metric)
        if known is None:
            return {}
        start = periods.aligned(start, period, now)
        visible = max(start, periods.least_visible(period, now))
        found = self._points.read(known, periods.readable(period), visible, end, unit, raw)
        return by_period(found, start, period)

    def metrics(self, scope: Scope) -> dict[Metric, Known]:
        """Those that have data; not to be changed."""
        self._points.age(scope.account, self._platform.clock(scope.account).now())
        return self._points.metrics(scope)

    # --- the end ---

    def clear(self, account: str | None) -> None:
        """Forget an account, or all."""
        if self._opened is not None:
            self._opened.clear(account)

    def close(self) -> None:
        """Write what is in memory, close the file."""
        if self._flush is not None:
            self._flush.cancel()
        if self._opened is not None:
            self._opened.close()


class _Reader:
    """What queries read, of one account and region and one stretch of time."""

    def __init__(self, store: MetricStore, scope: Scope, start: float, end: float) -> None:
        self.account, self.region = scope
        self.start, self.end = start, end
        self.now = store._platform.clock(scope.account).now()
        self._store, self._scope = store, scope

    def statistic(self, metric: Metric, stat: str, period: int, unit: str | None) -> Series:
        return self._store.statistic(self._scope, metric, stat, period, self.start, self.end, unit)

    def metrics(self) -> list[Metric]:
        """Those with data within the last two weeks, which SEARCH finds."""
        least = self.now - 14 * periods.DAY
        return [metric for metric, known in self._store.metrics(self._scope).items() if known.active >= least]
