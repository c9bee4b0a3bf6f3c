"""What is measured: Drydock and, where they are installed, its peers, each started fresh in a folder of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START_PATIENCE = 60.0


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """One emulator. ``command`` is a template with ``{port}`` and ``{state}``."""

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    port: int = 0

    def start(self, state: Path) -> float:
        """Real seconds from its spawn to its first answer to ecs:ListClusters."""
        self.port = free_port()
        values = {"port": str(self.port), "state": str(state)}
        command = [part.format(**values) for part in self.command]
        environment = {**os.environ, **{key: value.format(**values) for key, value in self.environment.items()}}
        begun = time.perf_counter()
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        while time.perf_counter() - begun < START_PATIENCE:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}")
            try:
                self.list_clusters()
            except (OSError, ValueError):
                time.sleep(0.002)
                continue
            return time.perf_counter() - begun
        raise RuntimeError(f"{self.name} did not answer")

    def list_clusters(self) -> None:
        """One request by hand, so that no client's start-up is measured."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/",
            b"{}",
            {
                "Content-Type": "application/x-amz-json-1.1",
                "X-Amz-Target": "AmazonEC2ContainerServiceV20141113.ListClusters",
                "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/ecs/aws4_request, "
                "SignedHeaders=host, Signature=" + "0" * 64,
            },
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            json.load(answer)["clusterArns"]

    def memory(self) -> float:
        """PSS of the whole process tree in MB."""
        assert self.process is not None
        return sum(pss(pid) for pid in tree(self.process.pid))

    def cpu(self) -> float:
        """CPU seconds the process tree has used so far."""
        assert self.process is not None
        return sum(cpu_seconds(pid) for pid in tree(self.process.pid))

    def stop(self) -> None:
        """SIGTERM to its group."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


def drydock(*flags: str) -> Server:
    """Ours."""
    return Server(
        "drydock",
        [sys.executable, "-m", "drydock", "serve", "--port", "{port}", "--state", "{state}", *flags],
        {"PYTHONPATH": f"{ROOT}/localstack:{ROOT}/labs"},
    )


def peers() -> list[Server]:
    """Those that are installed in this environment."""
    found = []
    if importlib.util.find_spec("ministack"):
        found.append(Server("ministack", [sys.executable, "-m", "ministack"], {"GATEWAY_PORT": "{port}"}))
    if importlib.util.find_spec("moto") and importlib.util.find_spec("flask"):
        command = [sys.executable, "-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", "{port}"]
        found.append(Server("moto_server", command))
    return found


def tree(root: int) -> list[int]:
    """A process and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        children.setdefault(parent, []).append(int(entry.name))
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children.get(pid, [])
    return found


def pss(pid: int) -> float:
    """Proportional set size in MB; 0 if it is gone."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


def cpu_seconds(pid: int) -> float:
    """User and system time, its reaped children's included."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
