"""CloudWatch's dashboards."""

from __future__ import annotations

from drydock.services.cloudformation.types.base import NotFound, ResourceType, Work, picked, shaped, unless

_GONE = ("ResourceNotFound", "DashboardNotFoundError")


class Dashboard(ResourceType):
    name = "AWS::CloudWatch::Dashboard"
    service = "cloudwatch"
    passes = ("DashboardName", "DashboardBody")

    async def _put(self, work: Work, name: str) -> None:
        given = {"DashboardName": name, **picked(work.properties, "DashboardBody")}
        await work.call("cloudwatch", "PutDashboard", **shaped("cloudwatch", "PutDashboard", given))

    async def create(self, work: Work) -> None:
        name = work.name("DashboardName", 255)
        await self._put(work, name)
        work.made(name)

    async def find(self, work: Work) -> str:
        name = work.name("DashboardName", 255)
        return name if await unless(_GONE, work.call("cloudwatch", "GetDashboard", DashboardName=name)) else ""

    async def update(self, work: Work) -> None:
        await self._put(work, work.physical_id)

    async def delete(self, work: Work) -> None:
        call = work.call("cloudwatch", "DeleteDashboards", DashboardNames=[work.physical_id])
        if not await unless(_GONE, call):
            raise NotFound


TYPES: tuple[type[ResourceType], ...] = (Dashboard,)
