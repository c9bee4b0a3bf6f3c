"""The emulator's own pages: health, status, clocks, reset, and moto's test endpoints where they were asked for."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from drydock import __version__
from drydock.clock import Clock, as_datetime
from drydock.errors import UserError
from drydock.gateway.models import FROM_MOTO, OWN

LARGEST_BODY = 64 << 10


def admin_app(house: Any) -> Callable[..., Awaitable[None]]:
    """``house`` is the Emulator."""
    pages = AdminPages(house)
    routes = [
        Route("/_drydock/health", pages.health),
        Route("/_localstack/health", pages.localstack_health),
        Route("/_drydock/status", pages.status),
        Route("/_drydock/endpoints", pages.endpoints),
        Route("/_drydock/validate", pages.validate),
        Route("/_drydock/clock", pages.clocks, methods=["GET"]),
        Route("/_drydock/clock", pages.change_clock, methods=["POST"]),
        Route("/_drydock/reset", pages.reset, methods=["POST"]),
        Route("/_drydock/cloudformation/signal/{handle:path}", pages.signal, methods=["PUT"]),
    ]
    if house.config.test_endpoints:
        routes += [
            Route("/moto-api/reset", pages.moto_reset, methods=["POST"]),
            Route("/moto-api/reset-auth", pages.moto_reset_auth, methods=["POST"]),
        ]
    return Starlette(routes=routes, exception_handlers={UserError: _user_error, HTTPException: _http_error})


async def _user_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, UserError)
    return JSONResponse({"error": error.wrong, "remedy": error.remedy}, 400)


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return JSONResponse(
        {"error": error.detail, "remedy": "See docs/architecture.md for what there is."}, error.status_code
    )


class AdminPages:
    """One method for each page."""

    def __init__(self, house: Any) -> None:
        self._house = house

    async def health(self, request: Request) -> JSONResponse:
        """Contract: version, pid, runtime tier, ready."""
        info = self._house.runtime_info
        return JSONResponse(
            {
                "version": __version__,
                "pid": os.getpid(),
                "ready": self._house.ready,
                "runtime": info.kind,
                "runtime_tier": info.tier,
            }
        )

    async def localstack_health(self, request: Request) -> JSONResponse:
        """As LocalStack's clients expect it."""
        services = dict.fromkeys(sorted(OWN), "running") | dict.fromkeys(
            sorted(FROM_MOTO), "running" if self._house.moto.running else "available"
        )
        return JSONResponse({"services": services, "edition": "drydock", "version": __version__})

    async def signal(self, request: Request) -> Response:
        """A wait condition handle, which its URL alone opens, as a presigned one does on AWS."""
        body = await request.body()
        if len(body) > LARGEST_BODY:
            raise HTTPException(413, "The signal is too large.")
        try:
            (await self._house.cloudformation.service()).signal_handle(request.url.path, body)
        except ValueError as error:
            raise HTTPException(400, str(error)) from None
        self._house.store.commit()
        return Response(status_code=200)

    async def status(self, request: Request) -> JSONResponse:
        """Everything ``./lab status`` shows."""
        house = self._house
        info = house.runtime_info
        pids = {
            "emulator": os.getpid(),
            "runtime helper": info.pid,
            "supporting services": house.moto.pid,
            "data plane": house.dataplane.pid,
        }
        return JSONResponse(
            {
                "version": __version__,
                "ready": house.ready,
                "state": str(house.config.state.resolve()),
                "runtime": {
                    "kind": info.kind,
                    "tier": info.tier,
                    "reason": info.reason,
                    "network": info.network,
                    "memory": info.memory,
                },
                "clocks": {account: _clock(house.clocks.of(account)) for account in house.clocks.known()},
                "tasks": house.ecs.summary(),
                "memory_mb": {name: memory_of(pid) for name, pid in pids.items() if pid},
            }
        )

    async def endpoints(self, request: Request) -> JSONResponse:
        """URLs that reach what runs here: ports of tasks, by the task's id and by its public address, and listeners of load
        balancers."""
        tasks: dict[str, dict[str, str]] = {}
        blocked: dict[str, dict[str, str]] = {}
        addresses: dict[str, dict[str, str]] = {}
        for sandbox, port, host, outside in self._house.dataplane.endpoints():
            url = f"http://{host}:{outside}"
            tasks.setdefault(sandbox, {})[str(port)] = url
            if (reach := self._house.reach(sandbox, port)) and reach.public_address:
                addresses.setdefault(reach.public_address, {})[str(reach.port)] = url
            verdict = await self._house.admission(sandbox, port)
            if not verdict.allowed:
                blocked.setdefault(sandbox, {})[str(port)] = verdict.reason
        emulator = f"http://{self._house.config.host}:{self._house.port}"
        return JSONResponse(
            {
                "emulator": emulator,
                "tasks": tasks,
                "addresses": addresses,
                "blocked": blocked,
                "load_balancers": self._house.elbv2.endpoints(),
            }
        )

    async def validate(self, request: Request) -> JSONResponse:
        """Invariants that do not hold just now."""
        faults = self._house.validate()
        return JSONResponse({"faults": faults}, 200 if not faults else 409)

    async def clocks(self, request: Request) -> JSONResponse:
        """The clock of ``?account=``, or of the default account."""
        account = request.query_params.get("account", self._house.config.account)
        return JSONResponse(_clock(self._house.clocks.of(_account(account))))

    async def change_clock(self, request: Request) -> JSONResponse:
        """``{account, speed}``, ``{account, advance: seconds}``, ``{account, lease: name, speed, seconds}`` or
        ``{account, release: name}``; the answer is the clock."""
        body = await _json(request)
        clock = self._house.clocks.of(_account(body.get("account", self._house.config.account)))
        if "lease" in body:
            clock.lease(str(body["lease"])[:200], _number(body, "speed"), _number(body, "seconds"))
        elif "release" in body:
            clock.release(str(body["release"]))
        elif "advance" in body:
            clock.advance(_number(body, "advance"))
        elif "speed" in body:
            clock.set_speed(_number(body, "speed"))
        else:
            raise UserError("This changes nothing about the clock.", "Send speed, advance, lease or release.")
        self._house.store.commit()
        return JSONResponse(_clock(clock))

    async def reset(self, request: Request) -> JSONResponse:
        """``{account}`` of one account, ``{}`` of all."""
        body = await _json(request)
        account = body.get("account")
        await self._house.reset(None if account is None else _account(account))
        return JSONResponse({"status": "ok"})

    async def moto_reset(self, request: Request) -> JSONResponse:
        """As moto's server: everything, of all accounts."""
        await self._house.reset(None)
        return JSONResponse({"status": "ok"})

    async def moto_reset_auth(self, request: Request) -> JSONResponse:
        """moto turns authorisation off for the first N requests and counts again; ours is always on for issued keys."""
        return JSONResponse({"status": "ok"})


def _clock(clock: Clock) -> dict[str, Any]:
    now = clock.now()
    return {"now": now, "shown": as_datetime(now).isoformat(), "speed": clock.speed, "leases": clock.leases}


def _account(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch("[0-9]{12}", value):
        raise UserError(f"{value!r} is not an account id.", "Give twelve digits.")
    return value


def _number(body: dict[str, Any], key: str) -> float:
    value = body.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UserError(f"{key} must be a number.", f"Send {key} in seconds or as a factor.")
    return float(value)


async def _json(request: Request) -> dict[str, Any]:
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise UserError("Pages of other origins may not do this.", "Use the command line.")
    size, chunks = 0, []
    async for chunk in request.stream():
        size += len(chunk)
        if size > LARGEST_BODY:
            raise UserError("The request is too large.", "Send a small JSON object.")
        chunks.append(chunk)
    import json

    try:
        body = json.loads(b"".join(chunks) or b"{}")
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise UserError("The request is not a JSON object.", 'Send one such as {"speed": 60}.')
    return body


def memory_of(pid: int) -> float:
    """PSS of a process in MB (shared pages counted in part), RSS where the kernel does not tell; 0 if it is gone."""
    for file, field in (("smaps_rollup", "Pss:"), ("status", "VmRSS:")):
        try:
            with open(f"/proc/{pid}/{file}", encoding="ascii") as lines:
                for line in lines:
                    if line.startswith(field):
                        return round(int(line.split()[1]) / 1024, 1)
        except (OSError, ValueError):
            continue
    return 0.0
