"""An emulator in a process of its own, as a user starts it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 30.0


class EmulatorProcess:
    """``drydock serve`` on a free port and a state folder of its own."""

    def __init__(self, state: Path, *flags: str, python: str = sys.executable) -> None:
        self.state, self.flags, self.python = state, flags, python
        self.before: tuple[str, ...] = ()
        """A command that starts it as somebody else"""
        self.process: subprocess.Popen[bytes] | None = None
        self.url = ""
        self._session = boto3.Session()  # reads its models once

    def start(self) -> EmulatorProcess:
        """Returns when it is ready."""
        self.state.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}/localstack:{ROOT}/labs"}
        with open(self.state / "serve.out", "ab") as out:
            self.process = subprocess.Popen(
                [*self.before, self.python, "-m", "drydock", "serve", "--port", "0", "--state", str(self.state), *self.flags],
                env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            )  # fmt: skip
        wait_until(self._is_ready, "the emulator is ready", self.output)
        return self

    def _is_ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"serve ended with {self.process.returncode}:\n{self.output()}")
        try:
            told = json.loads((self.state / "endpoint.json").read_text())
        except (OSError, ValueError):
            return False
        if told["pid"] != self.process.pid:
            return False
        self.url = told["url"]
        return bool(self.get("/_drydock/health")["ready"])

    def output(self) -> str:
        """What it printed, and the end of its log."""
        log = self.state / "drydock.log"
        return (self.state / "serve.out").read_text() + (log.read_text()[-5000:] if log.exists() else "")

    def get(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """One of its own pages; POST if there is a body."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)

    def faults(self) -> list[str]:
        """Invariants that do not hold."""
        try:
            return list(self.get("/_drydock/validate")["faults"])
        except urllib.error.HTTPError as error:
            return list(json.load(error)["faults"])

    def kill(self) -> None:
        """kill -9"""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"serve did not end on SIGTERM:\n{self.output()}") from None
        return self.process.returncode

    def client(self, service: str, account: str = "000000000000", region: str = "us-east-1", **given: Any) -> Any:
        """A boto3 client with the account's root key."""
        credentials = {"aws_access_key_id": account, "aws_secret_access_key": "test"} | given
        config = Config(retries={"max_attempts": 1, "mode": "standard"}, connect_timeout=5, read_timeout=PATIENCE)
        return self._session.client(service, region_name=region, endpoint_url=self.url, config=config, **credentials)

    def __enter__(self) -> EmulatorProcess:
        return self.start()

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.stop()


def wait_until(condition: Any, what: str, story: Any = lambda: "", patience: float = PATIENCE) -> Any:
    """The first true answer of ``condition``. Fails with the story if it does not come."""
    began = time.monotonic()
    while (waited := time.monotonic() - began) < patience:
        if found := condition():
            return found
        # A pause between two looks, bounded by the patience above: a tenth of what was waited, so that looking costs little.
        time.sleep(min(max(waited / 10, 0.01), 0.2))
    raise AssertionError(f"not within {patience:g} s: {what}\n{story()}")
