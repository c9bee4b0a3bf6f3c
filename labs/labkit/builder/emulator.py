"""An emulator of its own for a run of notebooks, and the environment in which their kernels reach it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SEED = "1"
EPOCH = "2026-01-05T09:00:00"
"""A Monday morning"""
START_TAKES = 60.0
END_TAKES = 20.0


class EmulatorFailed(Exception):
    """It did not start; the message has the end of its log."""


@dataclass(frozen=True)
class Emulator:
    """A running one."""

    root: Path
    url: str
    state: Path
    account: str

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """GET or POST one of its own pages; also the answer of a 409 (faults). Raises OSError."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"})  # noqa: S310
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code == 409:
                return json.load(error)
            raise

    def environment(self, account: str | None = None) -> dict[str, str]:
        """For a kernel: this emulator and nothing of the user's own AWS, IPython or Jupyter settings."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "LAB_", "LOCALSTACK_", "JUPYTER_"))}
        return {
            **kept,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "DRYDOCK_STATE": str(self.state),
            "IPYTHONDIR": str(self.state / "ipython"),
            "JUPYTER_PREFER_ENV_PATH": "1",
            "LAB_ACCOUNT": account or self.account,
            "LAB_BATCH": "1",
            "LAB_ROOT": str(self.root),
            "LAB_TARGET": "drydock",
            "LC_ALL": "C.UTF-8",
            "PYTHONHASHSEED": "0",
            "PYTHONPATH": os.pathsep.join([str(self.root / "localstack"), str(self.root / "labs")]),
            "TZ": "UTC",
        }


def account_of(nn: str) -> str:
    """The account in which a chapter's notebooks are built and tested."""
    return f"1000000000{nn}"


@contextmanager
def running(root: Path, account: str, keep_log: Path | None = None, tier: str = "namespaces") -> Iterator[Emulator]:
    """Start one on a state folder of its own, and end it. ``keep_log``: where its log is copied. Raises EmulatorFailed."""
    folder = Path(tempfile.mkdtemp(prefix="drydock-notebooks-"))
    state, said = folder / "state", folder / "said"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root / "localstack"), str(root / "labs")])}
    command = [
        sys.executable, "-m", "drydock", "serve", "--port", "0", "--state", str(state), "--seed", SEED,
        "--epoch", EPOCH, "--account", account, "--runtime-tier", tier,
    ]  # fmt: skip
    with said.open("wb") as output:
        child = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
    try:
        yield Emulator(root, _await_url(child, state, said), state, account)
    finally:
        child.terminate()
        try:
            child.wait(END_TAKES)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if keep_log is not None:
            keep_log.parent.mkdir(parents=True, exist_ok=True)
            keep_log.write_text(_log(state, said), "utf-8")
        shutil.rmtree(folder, ignore_errors=True)


def _await_url(child: subprocess.Popen[bytes], state: Path, said: Path) -> str:
    end = time.monotonic() + START_TAKES
    while time.monotonic() < end:
        if child.poll() is not None:
            raise EmulatorFailed(f"the emulator did not start:\n{_log(state, said)}")
        try:
            found = json.loads((state / "endpoint.json").read_text())
        except (OSError, ValueError):
            time.sleep(0.05)  # it is being started, or just writing the file
            continue
        if found["pid"] == child.pid:
            return str(found["url"])
    raise EmulatorFailed(f"the emulator was not ready within {START_TAKES:.0f} s:\n{_log(state, said)}")


def _log(state: Path, said: Path) -> str:
    files = [file for file in (said, state / "drydock.log") if file.exists()]
    return "\n".join(file.read_text("utf-8", "replace")[-20_000:] for file in files)
