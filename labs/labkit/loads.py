"""``load``: ApacheBench against a load balancer, in the background, so that one can watch meanwhile.

Where there is no ``ab`` a generator of ours stands in; it says so, and reports the same figures.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from types import TracebackType
from typing import Any

from labkit.errors import LabError
from labkit.showing import show

AB_PATIENCE = 120
"""Real seconds that one request may take (ab's -s; its default, 30, is less than an overrun service needs)"""
GIVEN = (
    ("requests", r"Complete requests:\s+(\d+)"),
    ("failed", r"Failed requests:\s+(\d+)"),
    ("not 2xx", r"Non-2xx responses:\s+(\d+)"),
    ("seconds", r"Time taken for tests:\s+([\d.]+)"),
    ("a second", r"Requests per second:\s+([\d.]+)"),
    ("median, ms", r"\n\s+50%\s+(\d+)"),
    ("99 %, ms", r"\n\s+99%\s+(\d+)"),
)
"""Of ab's report"""


class Load:
    """``with lab.load(url, requests=5_000_000, concurrency=500) as load:`` runs until all requests are answered, until
    :meth:`stop` or until the block ends. :attr:`report` has the figures afterwards."""

    def __init__(self, url: str, requests: int, concurrency: int) -> None:
        address = url if url.count("/") > 2 else f"{url}/"
        words = ["ab", "-r", "-c", str(concurrency), "-n", str(requests), address]
        self.command = " ".join(words)
        self.report: dict[str, float] = {}
        found = shutil.which("ab")
        if found:
            self._words = [found, "-q", "-s", str(AB_PATIENCE), *words[1:]]
        else:
            print("There is no ab here (Debian: apt install apache2-utils; macOS: brew install httpd).")
            print("Python's own load generator stands in for it; it is slower.")
            self._words = [sys.executable, "-m", "labkit.standin_load", *words[1:]]
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Load:
        self._process = subprocess.Popen(
            self._words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if not self.report:
            try:
                self.stop()
            except LabError:
                if error is None:
                    raise

    @property
    def running(self) -> bool:
        """Whether requests are still sent."""
        return self._process is not None and self._process.poll() is None

    def wait(self) -> dict[str, float]:
        """Until all requests are answered."""
        return self._ended(self._running().communicate()[0])

    def stop(self) -> dict[str, float]:
        """Ctrl-C: it reports what was answered so far."""
        process = self._running()
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            return self._ended(process.communicate(timeout=20)[0])
        except subprocess.TimeoutExpired:
            process.kill()
            return self._ended(process.communicate()[0])

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise LabError("The load has not begun.", "Use it as 'with lab.load(...) as load:'.")
        return self._process

    def _ended(self, told: str) -> dict[str, float]:
        self.report = read_report(told)
        if not self.report:
            raise LabError(f"ab has reported nothing: {told.strip()[-300:] or 'no output'}", "Does the URL answer?")
        return self.report


def read_report(told: str) -> dict[str, float]:
    """The figures in what ab prints; empty if there are none. What ab does not mention did not happen."""
    found = {name: match[1] for name, pattern in GIVEN if (match := re.search(pattern, told))}
    if "requests" not in found:
        return {}
    return {name: float(found.get(name, 0)) for name, _ in GIVEN}


def load(url: str, requests: int = 5_000_000, concurrency: int = 500) -> Load:
    """ApacheBench as ``ab -r -c CONCURRENCY -n REQUESTS URL``."""
    return Load(url, requests, concurrency)


def show_report(report: dict[str, Any]) -> None:
    """The figures as a table."""
    show([{name: f"{value:g}" for name, value in report.items()}])
