"""``./lab up``: the emulator and JupyterLab, until Ctrl-C ends both."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import webbrowser
from pathlib import Path
from types import FrameType

from drydock.cli.places import ask_url, checkout, endpoint, state_folder
from drydock.cli.working_copy import refresh
from drydock.errors import UserError

START_TAKES = 60.0
END_TAKES = 15.0


class Ended(Exception):
    """SIGTERM or Ctrl-C."""


def run(arguments: argparse.Namespace) -> int:
    """Start both, say where they are, wait, end both."""
    root = checkout()
    state = state_folder(arguments.state)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _end)
    children: list[subprocess.Popen[bytes]] = []
    try:
        children.append(_start_emulator(arguments, state))
        url = _await_emulator(children[0], state)
        work = root / "work"
        for line in refresh(root, work):
            print(line)
        jupyter, notebooks = _start_jupyter(arguments, root, state, work, url)
        children.append(jupyter)
        print(f"Emulator    {url}\nNotebooks   {notebooks}\nCtrl-C ends both. What you do stays in {work} and {state}.")
        sys.stdout.flush()
        if not arguments.no_browser:
            webbrowser.open(notebooks)
        return _wait(children)
    except Ended:
        print("\nEnding JupyterLab and the emulator.", flush=True)
        return 0
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        _end_all(children)


def _end(number: int, frame: FrameType | None) -> None:
    raise Ended


def _start_emulator(arguments: argparse.Namespace, state: Path) -> subprocess.Popen[bytes]:
    passed = ["--host", arguments.host, "--port", str(arguments.port), "--state", str(state)]
    passed += ["--speed", str(arguments.speed), "--account", arguments.account]
    passed += ["--runtime", arguments.runtime, "--runtime-tier", arguments.runtime_tier]
    if arguments.seed is not None:
        passed += ["--seed", arguments.seed]
    if arguments.epoch is not None:
        from datetime import UTC, datetime

        passed += ["--epoch", datetime.fromtimestamp(arguments.epoch, UTC).isoformat()]
    for name in arguments.allow_host:
        passed += ["--allow-host", name]
    for flag in ("test_endpoints", "instant", "verbose"):
        if getattr(arguments, flag):
            passed.append("--" + flag.replace("_", "-"))
    # a session of its own: Ctrl-C in the terminal reaches only us, and we end the children in order
    return subprocess.Popen([sys.executable, "-m", "drydock", "serve", *passed], start_new_session=True)


def _await_emulator(child: subprocess.Popen[bytes], state: Path) -> str:
    end = time.monotonic() + START_TAKES
    while time.monotonic() < end:
        if child.poll() is not None:  # it has said why
            raise UserError("The emulator did not start.", "The line above says why.")
        found = endpoint(state)
        url = str(found["url"]) if found is not None and found["pid"] == child.pid else ""
        if url and ask_url(url + "/_drydock/health")["ready"]:
            return url
        time.sleep(0.05)
    raise UserError(f"The emulator was not ready within {START_TAKES:.0f} s.", f"Its log is in {state}.")


def _start_jupyter(
    arguments: argparse.Namespace, root: Path, state: Path, work: Path, url: str
) -> tuple[subprocess.Popen[bytes], str]:
    runtime = state / "jupyter"
    runtime.mkdir(parents=True, exist_ok=True)
    for stale in runtime.glob("jpserver-*"):
        stale.unlink(missing_ok=True)
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", f"--ServerApp.root_dir={work}", "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={arguments.jupyter_port}", "--ServerApp.port_retries=50",
        f"--LabApp.app_settings_dir={_without_news(state)}",
    ]  # fmt: skip
    if os.geteuid() == 0:
        print("You are root: JupyterLab is started with --allow-root. Better run the course as an ordinary user.")
        command.append("--allow-root")
    environment = {
        **os.environ,
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "JUPYTER_TOKEN": secrets.token_hex(16),
        "AWS_ENDPOINT_URL": url,
        "DRYDOCK_STATE": str(state.resolve()),
        "LAB_ROOT": str(root),
        "PYTHONPATH": os.pathsep.join([str(root / "localstack"), str(root / "labs")]),
    }
    log = state / "jupyter.log"
    with log.open("wb") as output:
        child = subprocess.Popen(command, start_new_session=True, env=environment, stdout=output, stderr=output)
    end = time.monotonic() + START_TAKES
    while time.monotonic() < end and child.poll() is None:
        for file in runtime.glob("jpserver-*.json"):
            try:
                told = json.loads(file.read_text())
                return child, f"{told['url']}lab?token={told['token']}"
            except (OSError, ValueError, KeyError):
                break  # still being written
        time.sleep(0.05)
    _end_all([child])
    raise UserError("JupyterLab did not start.", f"Its log {log} says why.")


def _without_news(state: Path) -> Path:
    """JupyterLab's settings, so that it neither asks about news nor looks for updates: it may have no internet."""
    folder = state / "jupyter-settings"
    folder.mkdir(parents=True, exist_ok=True)
    quiet = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}
    (folder / "overrides.json").write_text(json.dumps(quiet))
    return folder


def _wait(children: list[subprocess.Popen[bytes]]) -> int:
    names = {children[0].pid: "The emulator", children[1].pid: "JupyterLab"}
    while True:
        for child in children:
            if child.poll() is not None:
                raise UserError(f"{names[child.pid]} has ended by itself.", "Its log in the state folder says why.")
        time.sleep(0.2)


def _end_all(children: list[subprocess.Popen[bytes]]) -> None:
    for child in reversed(children):
        if child.poll() is None:
            child.terminate()
    for child in children:
        try:
            child.wait(END_TAKES)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
