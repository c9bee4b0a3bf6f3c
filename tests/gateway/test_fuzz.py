"""Whatever comes in, the answer is a 4xx, a 501 or a closed connection, soon; nothing is logged as a failure of ours, and
the next request is answered as if nothing had happened."""

from __future__ import annotations

import json
import random
import socket
import statistics
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

import cbor2
import pytest
from botocore import xform_name
from botocore.model import Shape
from drydock.gateway.models import TARGET_PREFIXES, operation_model, operation_names
from drydock.services.ecs.api import Ecs
from drydock.services.iam.api import Iam
from drydock.services.logs.api import Logs
from drydock.services.sts.api import Sts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.emulator_process import EmulatorProcess
from tests.gateway.raw import exchange, harmless, head, request, scope

ACCOUNT = "314159265358"
FORM = "application/x-www-form-urlencoded"
TARGETS = {service: prefix for prefix, service in TARGET_PREFIXES.items()}


@pytest.fixture
def url(emulator: EmulatorProcess) -> Iterator[str]:
    """The emulator's; afterwards it still answers and has logged no traceback."""
    log = emulator.state / "drydock.log"
    before = log.stat().st_size if log.exists() else 0
    yield emulator.url
    began = time.monotonic()
    assert exchange(emulator.url, api("ecs", "ListClusters", {}))[0] == 200
    assert time.monotonic() - began < 5
    with open(log, encoding="utf-8", errors="replace") as lines:
        lines.seek(before)
        told = lines.read()
    assert "Traceback" not in told, told[-6000:]
    emulator.get("/_drydock/reset", {"account": ACCOUNT})


def api(service: str, operation: str, params: Any, **headers: str) -> bytes:
    """A call of a JSON service by the account's root key."""
    body = params if isinstance(params, bytes) else json.dumps(params).encode()
    named = {"X_Amz_Target": f"{TARGETS[service]}.{operation}", "Authorization": scope(ACCOUNT, service)}
    return request(body, **(named | {"Content_Type": "application/x-amz-json-1.1"} | headers))


def form(service: str, body: bytes, **headers: str) -> bytes:
    return request(body, **({"Content_Type": FORM, "Authorization": scope(ACCOUNT, service)} | headers))


SIGNED = {"Authorization": scope(ACCOUNT, "ecs"), "X_Amz_Target": f"{TARGETS['ecs']}.ListClusters"}
CHUNKED = head(Transfer_Encoding="chunked", **SIGNED)
S3 = {"Authorization": scope(ACCOUNT, "s3")}
NOT_HTTP: dict[str, list[bytes]] = {
    "garbage": [bytes(random.Random(1).randrange(256) for _ in range(4000)) + b"\r\n\r\n"],
    "tls": [bytes.fromhex("16030102000100 01fc0303".replace(" ", "")) + b"\x00" * 200],
    "http/2": [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00" * 40],
    "http/0.9": [b"GET /\r\n\r\n"],
    "http/7.3": [b"GET / HTTP/7.3\r\nHost: localhost\r\n\r\n"],
    "no method": [b" / HTTP/1.1\r\nHost: localhost\r\n\r\n"],
    "odd method": [b"BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n"],
    "connect": [b"CONNECT localhost:22 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"],
    "asterisk": [b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"],
    "nul in the path": [b"GET /a\x00b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"],
    "nul in a header": [b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\nConnection: close\r\n\r\n"],
    "bytes in the path": [b"GET /\xff\xfe\xc3 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"],
    "bytes in the query": [b"GET /?\xff=\xfe&Action=\xff HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"],
    "space in a name": [b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n"],
    "folded header": [b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\nConnection: close\r\n\r\n"],
    "long path": [head("GET /" + "a" * 200_000 + " HTTP/1.1")],
    "long query": [head("GET /?" + "a=b&" * 30_000 + " HTTP/1.1")],
    "long header": [head("GET / HTTP/1.1", X="a" * 200_000)],
    "long head in pieces": [b"GET / HTTP/1.1\r\nHost: localhost\r\n", *[b"X-%d: %s\r\n" % (i, b"a" * 1000) for i in range(200)]],
    "many headers": [head("GET / HTTP/1.1", **{f"X{i}": "1" for i in range(20_000)})],
    "two lengths": [b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x"],
    "length and chunks": [head(Content_Length="4", Transfer_Encoding="chunked", **SIGNED) + b"0\r\n\r\nGET /_drydock/x HTTP/1.1\r\n\r\n"],
    "chunks twice": [head(Transfer_Encoding="chunked, chunked", **SIGNED) + b"0\r\n\r\n"],
    "chunks not last": [head(Transfer_Encoding="chunked, gzip", Connection="close", **SIGNED) + b"0\r\n\r\n"],
    "chunks disguised": [head(Transfer_Encoding="\x0bchunked", **SIGNED) + b"0\r\n\r\n"],
    "negative length": [head(Content_Length="-1", **SIGNED)],
    "huge length": [head(Content_Length="9" * 18, **SIGNED)],
    "length of letters": [head(Content_Length="ten", **SIGNED)],
    "length of a square": [b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: \xb2\r\n\r\n{}"],
    "bad chunk": [CHUNKED + b"xyz\r\n{}\r\n0\r\n\r\n"],
    "huge chunk": [CHUNKED + b"ffffffffffffffffff\r\n{}"],
    "negative chunk": [CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n"],
    "chunk too long": [CHUNKED + b"1\r\n{}\r\n0\r\n\r\n"],
    "endless chunk extension": [CHUNKED + b"2;" + b"a" * 300_000],
    "websocket": [head("GET / HTTP/1.1", Upgrade="websocket", Connection="Upgrade, close", Sec_WebSocket_Version="13")],
    "h2c": [head("GET / HTTP/1.1", Upgrade="h2c", Connection="Upgrade, close, HTTP2-Settings", HTTP2_Settings="")],
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_HTTP)
def test_what_is_hardly_http(url: str, name: str) -> None:
    harmless(url, *NOT_HTTP[name], half_close=name in ("long head in pieces", "endless chunk extension"))


@pytest.mark.parametrize("share", [0, 5, 20, 60, 0.5, 0.99])
def test_half_closed_and_cut_off(url: str, share: float) -> None:
    whole = api("ecs", "CreateCluster", {"clusterName": "half"})
    cut = whole[: int(share if share > 1 else share * len(whole))]
    assert harmless(url, cut, half_close=True) in (0, 400, 408)
    assert b"half" not in exchange(url, api("ecs", "ListClusters", {}))[1]


def test_trailers_do_not_pass_for_headers(url: str) -> None:
    trailer = b"X-Amz-Target: AmazonEC2ContainerServiceV20141113.CreateCluster\r\nHost: evil.net\r\n"
    sent = head(Transfer_Encoding="chunked", Connection="close", **SIGNED) + b"2\r\n{}\r\n0\r\n" + trailer + b"\r\n"
    status, answer = exchange(url, sent)
    assert status == 200 and b"clusterArns" in answer


def test_a_large_body_in_one_piece_with_its_head(url: str) -> None:
    """The limit on heads is not one on bodies."""
    body = json.dumps({"clusterName": "large", "tags": [], "unknown": "x" * 200_000}).encode()
    assert exchange(url, api("ecs", "CreateCluster", body))[0] == 200


def test_pipelined_requests_are_answered_in_their_order(url: str) -> None:
    first = api("ecs", "CreateCluster", {"clusterName": "first"}).replace(b"Connection: close\r\n", b"")
    _, answers = exchange(url, first + api("ecs", "ListClusters", {}))
    assert answers.count(b"HTTP/1.1 200") == 2
    assert answers.index(b'"cluster"') < answers.index(b'"clusterArns"')


@pytest.mark.parametrize(
    ("line", "kind", "size"), [("POST / HTTP/1.1", FORM, 17 << 20), ("PUT /b/k HTTP/1.1", "x", 257 << 20)]
)
def test_bodies_that_are_too_large(url: str, line: str, kind: str, size: int) -> None:
    assert harmless(url, head(line, Content_Type=kind, Content_Length=str(size), **S3)) == 413


@pytest.mark.parametrize("kind", [FORM, "application/x-amz-json-1.1"])
def test_an_oversized_body_in_chunks(url: str, kind: str) -> None:
    chunk = b"100000\r\n" + b"a" * (1 << 20) + b"\r\n"
    named = {"X_Amz_Target": SIGNED["X_Amz_Target"]} if "json" in kind else {}
    assert harmless(url, head(Transfer_Encoding="chunked", Content_Type=kind, **named), *[chunk] * 18) in (0, 413)


BODIES = {
    "nothing": b"\x00", "a list": b"[]", "null": b"null", "a number": b"7", "not utf-8": b'{"cluster": "\xff\xfe"}',
    "utf-16": '{"cluster": "a"}'.encode("utf-16"), "deep list": b"[" * 100_000 + b"]" * 100_000,
    "deep object": b'{"tags":' * 50_000 + b"1" + b"}" * 50_000, "unfinished": b'{"cluster": "', "nan": b'{"maxResults": NaN}',
    "long number": b'{"maxResults": ' + b"9" * 10_000 + b"}", "large number": b'{"maxResults": 1e400}',
    "half a character": b'{"clusterName": "\\ud800"}', "half a tag": b'{"clusterName":"c","tags":[{"key":"\\udc00","value":"\\ud800"}]}',
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("call", ["ecs.CreateCluster", "logs.CreateLogGroup", "sqs.CreateQueue"])
def test_json_that_is_none(url: str, call: str, name: str) -> None:
    service, _, operation = call.partition(".")
    if (name, service) in (("nan", "ecs"), ("large number", "ecs")):
        operation = "ListClusters"
    status, answer = exchange(url, api(service, operation, BODIES[name]))
    if name in ("nan", "long number", "large number", "deep object") and status == 200:
        return  # the operation has no such member; what it does not know it does not read
    assert 400 <= status < 500, answer[:300]


@pytest.mark.parametrize(
    "body",
    [b"\xff", b"\x9f", b"\xbf" * 5000, b"\x81" * 100_000, b"\xa1", b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff", b"\xd8\x1c" * 5000,
     b"\xa1\x00\x00", b"\xc1" * 3000, b"\x9b\x7f\xff\xff\xff\xff\xff\xff\xff", cbor2.dumps([1]), cbor2.dumps({"a": 1})[:-1]],
)  # fmt: skip
def test_cbor_that_is_none(url: str, body: bytes) -> None:
    path = f"POST /service/{TARGETS['cloudwatch']}/operation/PutMetricData HTTP/1.1"
    headers = {"smithy_protocol": "rpc-v2-cbor", "Content_Type": "application/cbor"}
    harmless(url, request(body, path, Authorization=scope(ACCOUNT, "monitoring"), **headers))


BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(12))
    + b"]><Tagging><TagSet><Tag><Key>&m;</Key><Value>&m;</Value></Tag></TagSet></Tagging>"
)
XML = {
    "bomb": BOMB, "outside": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><Tagging><TagSet><Tag><Key>&x;</Key>'
    b"<Value>v</Value></Tag></TagSet></Tagging>", "deep": b"<a>" * 50_000, "none": b"\x00\xff", "unfinished": b"<Tagging><TagSet>",
    "other": b"<Other/>", "large": b"<Tagging>" + b"<a/>" * 1_500_000 + b"</Tagging>",
}  # fmt: skip


@pytest.mark.parametrize("name", XML)
def test_xml_that_is_none(url: str, name: str) -> None:
    exchange(url, request(b"", "PUT /fuzzed-bucket HTTP/1.1", **S3))
    status, answer = exchange(url, request(XML[name], "PUT /fuzzed-bucket?tagging HTTP/1.1", **S3))
    assert 400 <= status < 500 or status == 501, answer[:300]
    assert b"root:" not in answer


LINES = (
    "GET /%zz%%%4 HTTP/1.1", "GET /%00%ff%c3%28 HTTP/1.1", "GET /..%2f..%2fetc/passwd HTTP/1.1", "GET //////// HTTP/1.1",
    "PUT /b?tagging&&&=&=x&%=% HTTP/1.1", "GET /?X-Amz-Credential=%ff%00&X-Amz-Signature=%c2%b2&X-Amz-Expires=%c2%b2 HTTP/1.1",
    "GET /?Action=%00&Version=%ff HTTP/1.1", "POST /service/x/operation/ HTTP/1.1", "GET /a;b=c?d#e HTTP/1.1",
    "GET /2015-03-31/functions/%20%00/invocations HTTP/1.1", "DELETE /2015-03-31/functions/" + "x" * 50_000 + " HTTP/1.1",
    "GET /_drydock/%00 HTTP/1.1", "POST /_drydock/clock HTTP/1.1", "GET /_drydock/clock?account=%D9%A1 HTTP/1.1",
    "DELETE /_drydock/reset HTTP/1.1", "GET /_localstack/nothing HTTP/1.1", "GET /v2/%2e%2e/blobs/x HTTP/1.1",
)  # fmt: skip


@pytest.mark.parametrize("line", LINES, ids=lambda line: line[:40])
@pytest.mark.parametrize("service", ["s3", "lambda", "iam", "nothing"])
def test_odd_paths(url: str, line: str, service: str) -> None:
    signed = scope(ACCOUNT, service)
    for authorization in (signed, "AWS4-HMAC-SHA256 Credential=\xff/\xb2", "Basic QVdTOg=="):
        harmless(url, request(b"", line, Authorization=authorization), also=(200,) if service == "s3" else ())


@pytest.mark.parametrize(
    "body",
    [
        b"Action=TagUser&UserName=u&Tags.member.999999999.Key=a", b"Action=TagUser&Tags.member.-1.Key=a&Tags.member.1=x",
        b"Action=ListUsers&MaxItems=" + b"9" * 5000, b"Action=ListUsers&MaxItems=1e9", b"Action=ListUsers&Marker=%ff%00",
        b"Action=CreateUser&UserName=%00%01%0b", b"Action=CreateUser&UserName=" + quote("\ud7ff\ufffe<&>").encode(),
        b"Action=CreateUser&UserName=a&UserName=b&Tags.member.1.Key.Key.Key=x", b"Action=CreateUser&" + b"a." * 500_000 + b"=1",
        b"Action=CreateUser&" + b"a=b&" * 1_000_000, b"Action=%FF", b"Action=", b"Action=ListUsers&Version=%00", b"&&&=&=",
        b"Action=TagUser&UserName=u&" + b"&".join(b"Tags.member.%d.Key=a" % i for i in range(1, 19_000)),
        b"Action=TagUser&UserName=u&" + b"&".join(b"Tags.member.%d.Key=a" % i for i in range(1, 30_000)),
    ],
    ids=range(16),
)  # fmt: skip
def test_odd_forms(url: str, body: bytes) -> None:
    began = time.monotonic()
    harmless(url, form("iam", body), also=(200,) if b"Version=%00" in body or b"Key.Key" in body else ())
    assert time.monotonic() - began < 5


def ours(service: str) -> list[str]:
    """Operations that are there, so that what is wrong gets far."""
    made = {"ecs": Ecs, "logs": Logs, "iam": Iam, "sts": Sts}[service]
    return sorted(name for name in operation_names(service) if hasattr(made, xform_name(name)))


SOUNDNESS = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}
WRONG = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=30), st.sampled_from(("", "\x00", "arn:aws:", "::::", "a" * 3000, "../..", "9" * 30, "\ud800")),
    st.lists(st.integers(), max_size=2), st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)  # fmt: skip


def wrong(shape: Shape | None, draw: Any, depth: int = 0) -> Any:
    """Mostly of the right form, so that it gets far; here and there not."""
    if shape is None or depth > 6 or draw(st.integers(0, 11)) == 0:
        return draw(WRONG)
    kind = shape.type_name
    if kind == "structure":
        names = [n for n in shape.members if n in shape.required_members or draw(st.integers(0, 2)) == 0]
        return {name: wrong(shape.members[name], draw, depth + 1) for name in names if draw(st.integers(0, 19)) != 0}
    if kind == "list":
        return [wrong(shape.member, draw, depth + 1) for _ in range(draw(st.integers(0, 2)))]
    if kind == "map":
        return {draw(st.text(max_size=5)): wrong(shape.value, draw, depth + 1) for _ in range(draw(st.integers(0, 2)))}
    if kind == "string":
        texts = st.sampled_from(("a", "fuzz", "default", "FARGATE", "1", "256", "*"))
        return draw(st.sampled_from(shape.enum) if getattr(shape, "enum", None) else texts)
    if kind in ("integer", "long"):
        return draw(st.sampled_from((-1, 0, 1, 50, 2**31 - 1, 2**31, 2**63 - 1, 2**63, -(2**63))))
    if kind in ("double", "float"):
        return draw(st.sampled_from((0.0, -1.5, 1e308, 1e-308)))
    if kind == "timestamp":
        return draw(st.sampled_from((0, -1, 1.5, 1e11, 1e300, "yesterday", "2026-01-01T00:00:00Z")))
    return draw(st.booleans()) if kind == "boolean" else "AAAA"


@pytest.mark.parametrize("service", ["ecs", "logs"])
def test_wrong_types_in_json(url: str, service: str) -> None:
    seen: dict[int, int] = {}

    @settings(max_examples=250, **SOUNDNESS)  # type: ignore[arg-type]
    @given(st.data())
    def fuzz(data: st.DataObject) -> None:
        operation = data.draw(st.sampled_from(ours(service)))
        params = wrong(operation_model(service, operation).input_shape, data.draw)
        status, answer = exchange(url, api(service, operation, params))
        assert status < 500 or status == 501, (operation, params, answer[:300])
        seen[status] = seen.get(status, 0) + 1

    fuzz()
    print(f"\n{service}: {seen}")
    assert seen.get(400)


@pytest.mark.parametrize("service", ["iam", "sts"])
def test_wrong_values_in_forms(url: str, service: str) -> None:
    @settings(max_examples=200, **SOUNDNESS)  # type: ignore[arg-type]
    @given(st.data())
    def fuzz(data: st.DataObject) -> None:
        operation = data.draw(st.sampled_from(ours(service)))
        shape = operation_model(service, operation).input_shape
        pairs = [("Action", operation)]
        for name in shape.members if shape else ():
            suffix = data.draw(st.sampled_from(("", "", "", ".member.1", ".member.1.Key", ".entry.1.key", ".")))
            value = data.draw(
                st.one_of(st.text(max_size=20), st.integers().map(str), st.just('{"Version":"2012-10-17"}'))
            )
            pairs.append((name + suffix, value))
        body = "&".join(f"{name}={quote(value, errors='replace')}" for name, value in pairs).encode()
        status, answer = exchange(url, form(service, body))
        assert status < 500 or status == 501, (body, answer[:300])
        ElementTree.fromstring(answer.partition(b"\r\n\r\n")[2].decode())  # noqa: S314  (it may quote what was sent)

    fuzz()


def test_random_targets(url: str) -> None:
    @settings(max_examples=60, **SOUNDNESS)  # type: ignore[arg-type]
    @given(
        st.text(st.characters(min_codepoint=33, max_codepoint=255), min_size=1, max_size=30),
        st.sampled_from(sorted(TARGET_PREFIXES)),
    )
    def fuzz(text: str, prefix: str) -> None:
        for target in (text, f"{prefix}.{text}", f"{text}.ListClusters", f"{prefix}.", "."):
            harmless(url, request(b"{}", X_Amz_Target=target, Authorization=scope(ACCOUNT, "ecs")))

    fuzz()


def test_a_thousand_idle_connections_starve_nobody(url: str, emulator: EmulatorProcess) -> None:
    parts = urlsplit(url)
    address = (parts.hostname, parts.port)
    idle = [socket.create_connection(address, timeout=10) for _ in range(1000)]
    try:
        for number, connection in enumerate(idle):
            connection.sendall(
                (b"", b"G", b"POST / HTTP/1.1\r\nHost: localhost\r\n", head(Content_Length="10", **SIGNED))[number % 4]
            )
        ecs = emulator.client("ecs", account=ACCOUNT)
        took = []
        for _ in range(30):
            began = time.perf_counter()
            ecs.list_clusters()
            took.append(time.perf_counter() - began)
        assert statistics.median(took) < 0.1
    finally:
        for connection in idle:
            connection.close()


def test_latency(url: str, emulator: EmulatorProcess) -> None:
    """Printed; benchmarks hold the bar."""
    ecs = emulator.client("ecs", account=ACCOUNT)
    took = []
    for _ in range(200):
        began = time.perf_counter()
        ecs.describe_clusters()
        took.append(time.perf_counter() - began)
    print(f"\nDescribeClusters by boto3: median {statistics.median(took) * 1000:.2f} ms")
    assert statistics.median(took) < 0.1
