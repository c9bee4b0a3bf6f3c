"""ApacheBench in the background, what it reports, and who stands in for it."""

from __future__ import annotations

import http.server
import shutil
import threading
from collections.abc import Iterator

import labkit as lab
import pytest
from labkit import loads
from labkit.errors import LabError
from labkit.loads import read_report

REPORT = """
Concurrency Level:      500
Time taken for tests:   7.091 seconds
Complete requests:      1500
Failed requests:        3
   (Connect: 0, Receive: 0, Length: 3, Exceptions: 0)
Non-2xx responses:      2
Requests per second:    211.54 [#/sec] (mean)
Time per request:       2363.564 [ms] (mean)

Percentage of the requests served within a certain time (ms)
  50%   2282
  99%   2666
 100%   2679 (longest request)
"""


def test_report() -> None:
    assert read_report(REPORT) == {
        "requests": 1500, "failed": 3, "not 2xx": 2, "seconds": 7.091, "a second": 211.54, "median, ms": 2282,
        "99 %, ms": 2666,
    }  # fmt: skip


def test_what_is_not_mentioned_did_not_happen() -> None:
    assert read_report(REPORT.replace("Non-2xx responses:      2\n", ""))["not 2xx"] == 0


def test_no_report() -> None:
    assert read_report("apr_socket_recv: Connection refused (111)") == {}


class Page(http.server.BaseHTTPRequestHandler):
    asked = threading.Semaphore(0)

    def do_GET(self) -> None:
        Page.asked.release()
        self.send_response(200 if self.path == "/" else 404)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *what: object) -> None:
        """Nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        Page.asked = threading.Semaphore(0)


@pytest.fixture(params=["ab", "stand-in"])
def generator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "stand-in":
        monkeypatch.setattr(loads.shutil, "which", lambda name: None)
    elif shutil.which("ab") is None:
        pytest.skip("there is no ab here (Debian: apache2-utils)")
    return str(request.param)


def test_all_requests(url: str, generator: str, capsys: pytest.CaptureFixture[str]) -> None:
    with lab.load(url, requests=40, concurrency=4) as load:
        report = load.wait()
    assert (report["requests"], report["failed"], report["not 2xx"]) == (40, 0, 0)
    assert ("stands in" in capsys.readouterr().out) == (generator == "stand-in")


def test_other_answers_are_counted(url: str, generator: str) -> None:
    with lab.load(f"{url}/nowhere", requests=10, concurrency=2) as load:
        assert load.wait()["not 2xx"] == 10


def test_stopped_by_hand(url: str, generator: str) -> None:
    with lab.load(url, requests=5_000_000, concurrency=4) as load:
        for _ in range(100):
            assert Page.asked.acquire(timeout=30)
        assert load.running
        report = load.stop()
    assert 0 < report["requests"] < 5_000_000 and not load.running
    assert load.command == f"ab -r -c 4 -n 5000000 {url}/"


def test_no_report_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loads.shutil, "which", lambda name: "/bin/echo")
    with pytest.raises(LabError, match="nothing"), lab.load("http://127.0.0.1:9", requests=1, concurrency=1) as load:
        load.wait()


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loads.shutil, "which", lambda name: None)
    with lab.load("http://127.0.0.1:9", requests=3, concurrency=1) as load:
        assert load.wait()["failed"] == 3
