"""Operations on dashboards, and pictures of metric widgets."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from drydock.errors import AwsError, NotImplementedByDrydock
from drydock.request import Request
from drydock.services.cloudwatch.artist import Artist
from drydock.services.cloudwatch.errors import failed, invalid
from drydock.services.cloudwatch.measurements import MetricStore
from drydock.services.cloudwatch.metrics import label_of, opened, sealed
from drydock.services.service import Platform, Service

PAGE, MOST_DELETED = 1_000, 100


@dataclass
class Dashboard:
    """``modified`` in lab seconds since 1970."""

    name: str
    body: str
    modified: float

    def arn(self, account: str) -> str:
        """Dashboards are global."""
        return f"arn:aws:cloudwatch::{account}:dashboard/{self.name}"


class DashboardOperations(Service):
    """Mixed into :class:`~drydock.services.cloudwatch.api.CloudWatch`."""

    metrics: MetricStore

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self.dashboards = platform.store.collection(Dashboard, "cloudwatch", "dashboard")
        self.artist = Artist()

    def put_dashboard(self, request: Request, params: dict[str, Any]) -> dict[str, Any]:
        from drydock.services.cloudwatch.dashboard_body import checked_name, warnings_of  # not needed at start-up

        name = checked_name(params["DashboardName"])
        if params.get("Tags"):
            raise NotImplementedByDrydock("cloudwatch", "PutDashboard", "Tags: leave them out.")
        messages = warnings_of(params["DashboardBody"])
        now = self.platform.clock(request.account).now()
        self.dashboards.put(request.global_scope, name, Dashboard(name, params["DashboardBody"], now))
        return {"DashboardValidationMessages": messages}

    def get_dashboard(self, request: Request, params: dict[str, Any]) -> dict[str, Any]:
        from drydock.services.cloudwatch.dashboard_body import checked_name

        name = checked_name(params["DashboardName"])
        found = self.dashboards.get(request.global_scope, name)
        if found is None:
            raise AwsError("DashboardNotFoundError", f"Dashboard {name} does not exist")
        return {"DashboardArn": found.arn(request.account), "DashboardBody": found.body, "DashboardName": name}

    def list_dashboards(self, request: Request, params: dict[str, Any]) -> dict[str, Any]:
        from drydock.services.cloudwatch.dashboard_body import checked_name

        prefix = params.get("DashboardNamePrefix") or ""
        if prefix:
            checked_name(prefix)
        found = [one for one in self.dashboards.of(request.global_scope) if one.name.startswith(prefix)]
        found.sort(key=lambda one: one.name)
        start = 0
        if (token := params.get("NextToken")) is not None:
            start = opened(token, "dashboards", invalid("Request parameter NextToken is invalid"))
        entries = [
            {
                "DashboardName": one.name,
                "DashboardArn": one.arn(request.account),
                "LastModified": datetime.fromtimestamp(one.modified, UTC),
                "Size": len(one.body.encode()),
            }
            for one in found[start : start + PAGE]
        ]
        more = {"NextToken": sealed("dashboards", start + PAGE)} if start + PAGE < len(found) else {}
        return {"DashboardEntries": entries, **more}

    def delete_dashboards(self, request: Request, params: dict[str, Any]) -> dict[str, Any]:
        names = params["DashboardNames"]
        if not names:
            raise invalid("Need at least 1 dashboard")
        if len(names) > MOST_DELETED:
            raise invalid(f"The collection DashboardNames must not have a size greater than {MOST_DELETED}.")
        missing = [name for name in names if self.dashboards.get(request.global_scope, name) is None]
        for name in names:  # "the operation attempts to delete as many dashboards as possible"
            self.dashboards.delete(request.global_scope, name)
        if missing:
            raise AwsError("DashboardNotFoundError", f"The specified dashboard does not exist. [{', '.join(missing)}]")
        return {}

    async def get_metric_widget_image(self, request: Request, params: dict[str, Any]) -> dict[str, Any]:
        from drydock.services.cloudwatch import widgets

        form = params.get("OutputFormat", "png")
        if form == "image/png":
            raise NotImplementedByDrydock("cloudwatch", "GetMetricWidgetImage", "OutputFormat image/png: use png.")
        if form != "png":
            raise failed(f"The value {form} for parameter OutputFormat is invalid.")  # (?)
        now = self.platform.clock(request.account).now()
        given = widgets.given_of(params["MetricWidget"])
        extra, thresholds = await self._alarms(request, given)
        widget = widgets.widget_of(params["MetricWidget"], now, extra if not given.get("metrics") else None)
        results = self.metrics.evaluated(request.scope, widget.queries, widget.start, widget.end)
        zone = UTC
        series = []
        for query in widget.queries:
            options = widget.lines[query["Id"]]
            for result in results[query["Id"]] if query["ReturnData"] else []:
                series.append(
                    {
                        "label": label_of(query, result, request.scope, now, zone),
                        "points": result.points,
                        "period": result.period,
                        "color": None if result.member else widgets.color_of(options),
                        "axis": options.get("yAxis", "left"),
                    }
                )
        return {"MetricWidgetImage": await self.artist.draw(widgets.picture(widget, series, thresholds))}

    async def _alarms(self, request: Request, given: dict[str, Any]) -> tuple[list[list[Any]], list[Any]]:
        """The metrics and the threshold of the alarm that a widget is annotated with."""
        from drydock.services.cloudwatch import widgets

        arns = (given.get("annotations") or {}).get("alarms") or []
        rows: list[list[Any]] = []
        thresholds: list[Any] = []
        for arn in arns:
            name = arn.rpartition(":alarm:")[2]
            found = self.operation("DescribeAlarms")(request, {"AlarmNames": [name]})
            answer = (await found if asyncio.iscoroutine(found) else found) or {}
            for alarm in answer.get("MetricAlarms", []):  # type: ignore[union-attr]
                if alarm.get("Threshold") is not None:
                    label = f"{alarm.get('MetricName', name)} {alarm['ComparisonOperator']} {alarm['Threshold']:g}"
                    thresholds.append([{"value": alarm["Threshold"], "label": label}])
                rows += widgets.rows_of(alarm)
            if not answer.get("MetricAlarms"):  # type: ignore[union-attr]
                raise failed(f"The alarm {arn} does not exist.")  # (?)
        return rows, thresholds
