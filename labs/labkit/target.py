"""Which AWS the cells speak to: the embedded emulator, a LocalStack container, or AWS itself.

``LAB_TARGET`` names it (``drydock`` if it is not set), ``AWS_ENDPOINT_URL`` says where, ``LAB_ACCOUNT`` may name the
account on the emulator (twelve digits; a room gives each seat its own).
"""

from __future__ import annotations

import json
import os
import re
import urllib.error
import urllib.request
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from labkit.errors import EmulatorDown, LabError

NAMES = ("drydock", "localstack", "aws")
DEFAULT_ENDPOINT = "http://127.0.0.1:4566"
DEFAULT_REGION = "us-east-1"
PATIENCE = 30.0
"""Real seconds"""


@dataclass(frozen=True)
class Target:
    """``endpoint`` is empty on AWS."""

    name: str
    endpoint: str
    region: str

    @property
    def is_drydock(self) -> bool:
        """Only Drydock has a lab clock."""
        return self.name == "drydock"

    @property
    def access_key(self) -> str:
        """On the emulators the access key names the account."""
        return os.environ.get("LAB_ACCOUNT") or "test"

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """GET, or POST ``body`` as JSON, a page of the emulator itself. Raises LabError."""
        url = self.endpoint + path
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"})  # noqa: S310
        # a proxy of the company's must not come between the notebook and this machine
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=PATIENCE) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise _refusal(error, url) from None
        except ValueError:
            raise LabError(
                f"What answers at {self.endpoint} is not Drydock.", "Is LAB_TARGET set as you want?"
            ) from None
        except OSError:
            raise EmulatorDown(self.endpoint) from None


def _refusal(error: urllib.error.HTTPError, url: str) -> LabError:
    try:
        told = json.load(error)
        return LabError(told["error"], told["remedy"])
    except (ValueError, KeyError, TypeError):
        return LabError(f"{url} answered with status {error.code}.", "Is it the emulator that you want?")


def current() -> Target:
    """What the environment says. Raises LabError for a target that there is not."""
    name = os.environ.get("LAB_TARGET") or "drydock"
    if name not in NAMES:
        raise LabError(f"There is no target {name!r}.", f"Set LAB_TARGET to one of {', '.join(NAMES)}.")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""
    if name == "aws":
        return Target(name, "", region)
    key = os.environ.get("LAB_ACCOUNT")
    if key and not re.fullmatch(r"\d{12}", key):
        raise LabError(f"LAB_ACCOUNT is {key!r}, which is no account id.", "Set it to twelve digits, or unset it.")
    endpoint = (os.environ.get("AWS_ENDPOINT_URL") or DEFAULT_ENDPOINT).rstrip("/")
    return Target(name, endpoint, region or DEFAULT_REGION)


def choose(name: str | None) -> Target:
    """The target that a notebook's parameter names, from now on; None leaves the choice to the environment."""
    if name:
        os.environ["LAB_TARGET"] = name
    return current()


def describe(target: Target, services: Collection[str] = ()) -> str:
    """In which world we are, in a few words, after having looked whether it has these services. Raises LabError."""
    if target.name == "aws":
        return "AWS itself"
    if target.is_drydock:
        health = target.ask("/_drydock/health")
        if not isinstance(health, dict) or "runtime_tier" not in health:
            raise LabError(f"What answers at {target.endpoint} is not Drydock.", "Is LAB_TARGET set as you want?")
        if not health["ready"]:
            raise LabError("The emulator is still starting.", "Run this cell again in a second.")
        return f"the embedded emulator, containers in the {health['runtime_tier']} tier"
    health = target.ask("/_localstack/health")
    lacking = [name for name in services if health.get("services", {}).get(name, "disabled") == "disabled"]
    if lacking:
        raise LabError(
            f"This LocalStack has no {' and no '.join(lacking)}.",
            "ECS, ECR and load balancers are in its paid plans (LOCALSTACK_AUTH_TOKEN); the embedded emulator has them.",
        )
    return f"LocalStack {health.get('version', '')}".strip()
