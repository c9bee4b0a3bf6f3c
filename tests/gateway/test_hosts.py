"""Under which names the emulator answers, and to whose pages."""

from __future__ import annotations

import pytest
from drydock.gateway.hosts import AllowedHosts

from tests.emulator_process import EmulatorProcess
from tests.gateway.raw import exchange, head, request, scope

SERVED = (
    "localhost", "localhost:4566", "LOCALHOST", "localhost.", "127.0.0.1", "127.0.0.1:1", "127.16.0.9", "[::1]", "[::1]:4566",
    "bucket.s3.localhost", "web-1.us-east-1.elb.localhost:8080", "localhost.localstack.cloud",
    "s3.localhost.localstack.cloud:4566",
)  # fmt: skip
FOREIGN = (
    "example.com", "localhost.example.com", "127.0.0.1.nip.io", "notlocalhost", "10.0.0.1", "169.254.169.254", "0.0.0.0",  # noqa: S104
    "[::]", "[fe80::1]", "[::1", "", " ", "localhost.localstack.cloud.evil.net", "evil.net:localhost", "2130706433", "localhost@evil.net",
    "xn--lcalhost-54a", "evil.net\\.localhost.com", "a" * 5000, "évil", "%6cocalhost",
)  # fmt: skip
ORIGINS = (
    "http://localhost:8888",
    "https://localhost",
    "http://127.0.0.1:4566",
    "http://console.localhost:4566",
    "http://[::1]:1",
)
STRANGERS = (
    "null", "http://example.com", "https://localhost.example.com", "file://", "chrome-extension://abc", "http://[", "http://",
    "", "http://localhost@evil.net", "javascript:localhost", "http://127.0.0.1.evil.net", "://localhost", "//localhost",
)  # fmt: skip


def get(emulator: EmulatorProcess, path: str = "/_drydock/health", **headers: str) -> tuple[int, bytes]:
    return exchange(emulator.url, request(b"", f"GET {path} HTTP/1.1", **headers))


@pytest.mark.parametrize("host", SERVED)
def test_names_that_are_served(emulator: EmulatorProcess, host: str) -> None:
    assert get(emulator, Host=host)[0] == 200


@pytest.mark.parametrize("host", FOREIGN)
def test_names_that_are_not(emulator: EmulatorProcess, host: str) -> None:
    """Neither AWS's API nor the emulator's own pages: a name can be made to resolve to 127.0.0.1 by anybody."""
    assert get(emulator, Host=host)[0] in (400, 403)
    target = "AmazonEC2ContainerServiceV20141113.ListClusters"
    signed = scope("1" * 12, "ecs")
    status, answer = exchange(emulator.url, request(b"{}", Host=host, X_Amz_Target=target, Authorization=signed))
    assert status in (400, 403) and b"clusterArns" not in answer


@pytest.mark.parametrize("origin", ORIGINS)
def test_pages_of_this_machine(emulator: EmulatorProcess, origin: str) -> None:
    assert get(emulator, Origin=origin)[0] == 200


@pytest.mark.parametrize("origin", STRANGERS)
def test_pages_of_others(emulator: EmulatorProcess, origin: str) -> None:
    status, answer = get(emulator, Origin=origin)
    assert status == 403 and b"ForbiddenOrigin" in answer
    signed = scope("1" * 12, "sts")
    form = {"Content_Type": "application/x-www-form-urlencoded", "Authorization": signed, "Origin": origin}
    assert exchange(emulator.url, request(b"Action=GetCallerIdentity&Version=2011-06-15", **form))[0] == 403


def test_no_host_or_two(emulator: EmulatorProcess) -> None:
    assert exchange(emulator.url, b"GET /_drydock/health HTTP/1.1\r\nConnection: close\r\n\r\n")[0] in (400, 403)
    twice = b"GET /_drydock/health HTTP/1.1\r\nHost: evil.net\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert exchange(emulator.url, twice)[0] == 400
    absolute = b"GET http://evil.net/_drydock/health HTTP/1.1\r\nHost: evil.net\r\nConnection: close\r\n\r\n"
    assert exchange(emulator.url, absolute)[0] == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site", "nonsense"])
def test_forms_of_other_sites_change_nothing(emulator: EmulatorProcess, site: str) -> None:
    """A browser says where a request comes from even where it sends no Origin."""
    before = emulator.get("/_drydock/clock")["speed"]
    for path, body in (("/_drydock/clock", b'{"speed": 7}'), ("/_drydock/reset", b'{"account": "999999999999"}')):
        status, answer = exchange(emulator.url, request(body, f"POST {path} HTTP/1.1", Sec_Fetch_Site=site))
        assert status in (400, 403) and b"error" in answer
    assert emulator.get("/_drydock/clock")["speed"] == before


def test_head_of_the_tests_is_a_request(emulator: EmulatorProcess) -> None:
    """The requests above are refused for their names alone."""
    assert head() == b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert get(emulator, Host="localhost")[0] == 200


def test_names_that_were_allowed() -> None:
    hosts = AllowedHosts(["Drydock", "0.0.0.0", ""])  # noqa: S104
    assert hosts.admits("drydock:4566") and hosts.admits_origin("http://drydock:4566")
    assert not hosts.admits("") and not hosts.admits("0.0.0.0") and not hosts.admits("other")  # noqa: S104
