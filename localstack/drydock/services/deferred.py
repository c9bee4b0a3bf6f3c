"""A service that costs nothing at the emulator's start: its modules are imported when somebody first asks for it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from drydock.request import Request
from drydock.services.service import Operation, Platform, Service

S = TypeVar("S", bound=Service)


class Deferred(Service, Generic[S]):
    """In the place of a service that no other needs in order to be made. ``make`` imports and makes it: at its first
    request, or at the emulator's start if the store holds something of it, since its controller has then work to do."""

    def __init__(self, platform: Platform, name: str, make: Callable[[], S]) -> None:
        super().__init__(platform)
        self._service_name = name
        self._make = make
        self._made: S | None = None
        self._lock = asyncio.Lock()

    async def service(self) -> S:
        """The service itself, made and started."""
        async with self._lock:  # whoever comes second waits until it has started
            if self._made is None:
                made = self._make()
                await made.start()
                self._made = made
            return self._made

    def operation(self, name: str) -> Operation:
        if self._made is not None:
            return self._made.operation(name)

        async def asked(request: Request, params: dict[str, Any]) -> dict[str, Any] | None:
            result = (await self.service()).operation(name)(request, params)
            return await result if inspect.isawaitable(result) else result

        return asked

    async def start(self) -> None:
        if self.platform.store.holds(self._service_name):
            await self.service()

    async def stop(self) -> None:
        async with self._lock:
            if self._made is not None:
                await self._made.stop()

    async def reset(self, account: str | None) -> None:
        if self._made is not None:
            await self._made.reset(account)

    def validate(self) -> list[str]:
        return [] if self._made is None else self._made.validate()
