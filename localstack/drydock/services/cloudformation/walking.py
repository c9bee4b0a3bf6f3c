"""Walks a graph of resources: what can be done at the same time is done at the same time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from drydock.services.cloudformation.faults import Cancelled, Failed
from drydock.services.cloudformation.graph import Graph, ready

log = logging.getLogger(__name__)


async def walk(
    graph: Graph, step: Callable[[str], Awaitable[None]], cancelled: asyncio.Event, stop_at_failure: bool
) -> dict[str, Exception]:
    """Do ``step`` for every node, each after those that it needs; what failed, in the order of its failing. After a failure
    nothing else begins that needs it; with ``stop_at_failure`` nothing at all, and ``cancelled`` is set for those at
    work."""
    done: set[str] = set()
    begun: set[str] = set()
    failed: dict[str, Exception] = {}
    running: dict[asyncio.Task[None], str] = {}
    try:
        while True:
            if not cancelled.is_set():
                for name in ready(graph, done, begun):
                    begun.add(name)
                    running[asyncio.ensure_future(step(name))] = name
            if not running:
                return failed
            finished, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in finished:
                name = running.pop(task)
                error = task.exception()
                if error is None:
                    done.add(name)
                elif isinstance(error, Exception):
                    if not isinstance(error, Failed | Cancelled):
                        log.error("while working on %s", name, exc_info=error)
                    failed[name] = error
                    if stop_at_failure:
                        cancelled.set()
                else:
                    raise error
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
