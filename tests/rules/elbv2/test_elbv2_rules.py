"""Health, matching, choosing and framing, decided without I/O."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from drydock.dataplane.balancing import choosing, cookies, pages
from drydock.dataplane.balancing.balancer import Balancer
from drydock.dataplane.balancing.chunks import Chunks
from drydock.dataplane.balancing.counting import Tally
from drydock.dataplane.balancing.forwarding import written
from drydock.dataplane.balancing.heads import (
    Refused,
    RequestHead,
    answer_head,
    parse_answer,
    parse_request,
    request_fields,
)
from drydock.dataplane.balancing.matching import chain, matching, redirection
from drydock.services.elbv2 import attributes, checks, rules
from drydock.services.elbv2.model import Health, TargetGroup
from hypothesis import given
from hypothesis import strategies as st

# ------------------------------------------------------------------ health


def states(outcomes: str, state: str = "initial", **given: Any) -> str:
    """Letters of the states after checks that pass (``+``), answer 500 (``-``) or time out (``.``)."""
    health, streak, told = Health(**given), rules.Streak(), ""
    shapes = {"+": {"status": 200}, "-": {"status": 500}, ".": {"error": "timeout"}}
    for letter in outcomes:
        found = rules.judged(state, health, streak, shapes[letter])
        state = found.state if found else state
        told += state[0]
    return told


@pytest.mark.parametrize(
    ("outcomes", "state", "expected"),
    [
        ("+", "initial", "h"),  # one is enough for a new target
        ("-+", "initial", "ih"),
        ("--", "initial", "iu"),
        ("-+-+-", "healthy", "hhhhh"),
        ("--", "healthy", "hu"),
        ("+++++", "unhealthy", "uuuuh"),
        ("++++-+++++", "unhealthy", "uuuuuuuuuh"),
        (".-", "healthy", "hu"),
    ],
)
def test_thresholds(outcomes: str, state: str, expected: str) -> None:
    assert states(outcomes, state) == expected


def test_reasons() -> None:
    health, streak = Health(unhealthy=2), rules.Streak()
    assert rules.judged("healthy", health, streak, {"status": 404}) is None
    found = rules.judged("healthy", health, streak, {"status": 503})
    assert found == rules.Standing(
        "unhealthy", "Target.ResponseCodeMismatch", "Health checks failed with these codes: [503]"
    )
    assert rules.judged("unhealthy", health, streak, {"error": "timeout"}) == rules.Standing(
        "unhealthy", "Target.Timeout", "Request timed out"
    )
    assert rules.judged("unhealthy", health, streak, {"error": "refused"}) == rules.Standing(
        "unhealthy", "Target.FailedHealthChecks", "Health checks failed"
    )


@pytest.mark.parametrize(
    ("matcher", "status", "expected"),
    [
        ("200", 200, True),
        ("200", 201, False),
        ("200,301", 301, True),
        ("200-299", 250, True),
        ("200-299,404", 404, True),
    ],
)
def test_matcher(matcher: str, status: int, expected: bool) -> None:
    assert rules.matches(matcher, status) is expected


# ------------------------------------------------------------------ matching


def request(text: str) -> RequestHead:
    return parse_request(text.replace("\n", "\r\n").encode())


REQUEST = "GET /img/A.png?Version=2&x=a%20b HTTP/1.1\nHost: Shop.example:8080\nX-Kind: Mobile app\nX-Kind: two"


@pytest.mark.parametrize(
    ("field", "name", "values", "expected"),
    [
        ("path-pattern", "", ["/img/*"], True),
        ("path-pattern", "", ["/IMG/*"], False),
        ("path-pattern", "", ["/img/?.png"], True),
        ("path-pattern", "", ["/img/??.png"], False),
        ("path-pattern", "", ["/img"], False),
        ("path-pattern", "", ["/x", "/img/A.png"], True),
        ("host-header", "", ["shop.EXAMPLE"], True),
        ("host-header", "", ["*.example"], True),
        ("host-header", "", ["example"], False),
        ("http-header", "x-kind", ["*app"], True),
        ("http-header", "X-Kind", ["TWO"], True),
        ("http-header", "X-Other", ["*"], False),
        ("http-request-method", "", ["GET"], True),
        ("http-request-method", "", ["get", "POST"], False),
        ("query-string", "", [{"key": "version", "value": "2"}], True),
        ("query-string", "", [{"key": None, "value": "a b"}], True),
        ("query-string", "", [{"key": "version", "value": "3"}], False),
        ("source-ip", "", ["198.51.100.0/24"], True),
        ("source-ip", "", ["10.0.0.0/8", "2001:db8::/32"], False),
    ],
)
def test_conditions(field: str, name: str, values: list[Any], expected: bool) -> None:
    compiled = chain(
        [
            {"conditions": [{"field": field, "name": name, "values": values}], "action": {"type": "it"}},
            {"conditions": [], "action": {"type": "default"}},
        ]
    )
    found = matching(compiled, request(REQUEST), "198.51.100.1")
    assert (found.action["type"] == "it") is expected


def test_all_conditions_must_hold_and_the_first_rule_counts() -> None:
    path = {"field": "path-pattern", "name": "", "values": ["/img/*"]}
    method = {"field": "http-request-method", "name": "", "values": ["POST"]}
    rules_ = [([path, method], "both"), ([path], "path"), ([path], "later"), ([], "default")]
    compiled = chain([{"conditions": c, "action": {"type": a}} for c, a in rules_])
    assert matching(compiled, request(REQUEST), "1.2.3.4").action["type"] == "path"


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ({"protocol": "HTTPS", "port": "443"}, "https://Shop.example:443/img/A.png?Version=2&x=a%20b"),
        (
            {"host": "www.#{host}", "path": "/#{port}/#{path}", "query": ""},
            "http://www.Shop.example:8080/8080/img/A.png",
        ),
        ({"query": "a=1"}, "http://Shop.example:8080/img/A.png?a=1"),
    ],
)
def test_redirections(action: dict[str, Any], expected: str) -> None:
    assert redirection(action, request(REQUEST), "http", 80, "dns") == expected


# ------------------------------------------------------------------ choosing


@dataclass(eq=False)
class Candidate:
    name: str
    state: str = "healthy"
    outstanding: int = 0


@given(st.lists(st.integers(0, 999), min_size=1, max_size=5))
def test_weights_are_kept_exactly(weights: list[int]) -> None:
    pairs = [(str(number), weight) for number, weight in enumerate(weights)]
    state: dict[str, float] = {}
    total = sum(weights)
    chosen = [choosing.weighted(pairs, state) for _ in range(total or 1)]
    if not total:
        assert chosen == [None]
    else:
        assert [chosen.count(name) for name, _ in pairs] == weights


def test_a_shift_of_weights_takes_effect_at_once() -> None:
    state: dict[str, float] = {}
    for _ in range(7):
        choosing.weighted([("a", 1), ("b", 1)], state)
    assert {choosing.weighted([("a", 0), ("b", 1)], state) for _ in range(10)} == {"b"}


def test_fail_open() -> None:
    def chosen(*states: str, least: int = 1, percentage: float = 0.0) -> str:
        found = choosing.eligible([Candidate(s[0], s) for s in states], least, percentage)
        return "".join(c.name for c in found)

    assert chosen("healthy", "unhealthy", "initial") == "h"
    assert chosen("unhealthy", "unhealthy", "draining", "unused") == "uu"
    assert chosen("initial", "draining") == ""
    assert chosen("healthy", "unhealthy", least=2) == "hu"
    assert chosen("healthy", "healthy", "unhealthy", percentage=50) == "hh"
    assert chosen("healthy", "unhealthy", "unhealthy", percentage=50) == "huu"


def test_least_outstanding_and_slow_start() -> None:
    found = [Candidate("a", outstanding=2), Candidate("b", outstanding=1), Candidate("c", outstanding=1)]
    assert choosing.least_outstanding(found, 0).name == "b"
    assert choosing.least_outstanding(found, 2).name == "c"
    chance = random.Random(1)
    share = {"a": 1.0, "b": 0.1, "c": 1.0}
    chosen = [choosing.rotation(found, t, lambda one: share[one.name], chance.random).name for t in range(3000)]
    assert 50 < chosen.count("b") < 160
    assert [choosing.ramp(at, 100) for at in (0, 50, 100)] == [0.02, 0.5, 1.0]
    assert choosing.ramp(0, 0) == 1.0


# ------------------------------------------------------------------ framing


@given(st.lists(st.binary(max_size=300), max_size=5), st.integers(1, 50), st.binary(max_size=20))
def test_chunks_end_where_they_end(pieces: list[bytes], step: int, behind: bytes) -> None:
    pieces = [piece for piece in pieces if piece]
    body = b"".join(b"%x;e=1\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\nT: v\r\n\r\n"
    data, chunks, at = body + behind, Chunks(collect=True), 0
    while at < len(data):
        part = data[at : at + step]
        end = chunks.feed(part)
        if end is not None:
            assert at + end == len(body)
            break
        at += len(part)
    else:
        raise AssertionError("it did not end")
    assert b"".join(chunks.pieces or []) == b"".join(pieces)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_parsers(data: bytes) -> None:
    """Whatever comes: understood or refused."""
    for parse in (parse_request, lambda head: parse_answer(head, False), Chunks().feed):
        for text in (data, b"GET / HTTP/1.1\r\nHost: a\r\n" + data, b"HTTP/1.1 200 OK\r\n" + data):
            try:
                parse(text)
            except Refused as refusal:
                assert 400 <= refusal.status < 600


@given(
    st.lists(
        st.sampled_from([b"Content-Length: 1", b"Content-Length: 2", b"Transfer-Encoding: chunked", b"X: y"]),
        max_size=4,
    )
)
def test_a_body_has_one_length(lines: list[bytes]) -> None:
    head = b"\r\n".join([b"POST / HTTP/1.1", b"Host: a", *lines])
    framing = [line for line in lines if line != b"X: y"]
    if len(framing) > 1:
        with pytest.raises(Refused):
            parse_request(head)
    else:
        parsed = parse_request(head)
        assert parsed.chunked == (framing == [b"Transfer-Encoding: chunked"])
        assert parsed.length == (int(framing[0][-1:]) if framing and not parsed.chunked else 0)


FIELD_LINES = st.lists(
    st.sampled_from(
        [
            "Host: a", "host: b:80", "Content-Length: 3", "Content-Length: 03", "Transfer-Encoding: chunked", "Connection: close",
            "Connection: keep-alive, X-Kind", "Connection: upgrade", "Upgrade: websocket", "X-Kind: c", "X_Odd: d", "Expect: 100-continue",
            "X-Forwarded-For: 10.0.0.1", "X-Amzn-Trace-Id: Root=1", "Set-Cookie: a=b", " folded", "no colon", "Accept: */*",
        ]
    ),
    max_size=6,
)  # fmt: skip


def seen(read: Callable[[], object]) -> object:
    """All that was found out, or how it was refused."""
    try:
        found = read()
    except Refused as refusal:
        return refusal.status
    return {name: getattr(found, name) for name in type(found).__slots__ if not name.startswith("_")}


@given(FIELD_LINES, st.booleans(), st.booleans())
def test_what_is_remembered_of_a_head_is_what_is_read(lines: list[str], first: bool, second: bool) -> None:
    """However often, and whatever was done with it meanwhile."""
    rest = "\r\n".join(lines).encode()
    afresh = seen(lambda: request_fields(rest, first, second))
    whole = b"GET / HTTP/1.%d\r\n%b" % (first, rest)
    for _ in range(2):
        try:
            head = parse_request(whole, second)
        except Refused as refusal:
            assert refusal.status == afresh or (first and "host" in str(afresh) and refusal.status == 400)
            break
        written(head, Balancer("a", "s", lambda *_: None), "http", 80, "10.0.0.9", 1)
        assert seen(lambda fields=head.fields: fields) == afresh
    answer = b"HTTP/1.1 200 OK\r\n" + rest
    fresh = seen(lambda: answer_head(answer, second))
    for keep in (True, False, True):
        assert seen(lambda: parse_answer(answer, second)) == fresh
        if isinstance(fresh, dict):
            known, new = parse_answer(answer, second), answer_head(answer, second)
            assert known.sent(b"X: y", keep, []) == known.sent(b"X: y", keep, []) == new.sent(b"X: y", keep, [])
            assert known.sent(b"", keep, [b"A: b"]) == new.sent(b"", keep, [b"A: b"])


@given(st.floats(0, 100))
def test_times_are_counted_within_three_percent(seconds: float) -> None:
    tally = Tally()
    tally.answered(200, seconds)
    counted = tally.take()
    assert counted is not None
    ((middle, count),) = counted["times"]
    assert count == 1 and abs(middle - seconds) <= 0.04 * seconds + 1e-6


def test_odd_names_are_dropped_if_asked_for() -> None:
    head = b"GET / HTTP/1.1\r\nHost: a\r\nX_Y: 1\r\nX-Y: 2"
    assert parse_request(head).lines == [b"X_Y: 1", b"X-Y: 2"]
    assert parse_request(head, True).lines == [b"X-Y: 2"]


def test_cookies() -> None:
    head = request("GET / HTTP/1.1\nHost: a\nCookie: a=b; AWSALB=x==; c=d\nCookie: AWSALBTG=y")
    assert cookies.value_of(head, b"AWSALB", b"AWSALBCORS") == b"x=="
    assert cookies.value_of(head, b"AWSALBTG") == b"y"
    assert cookies.value_of(head, b"AWSALBCORS") == b""
    assert cookies.token("s", "a") != cookies.token("s", "b") != cookies.token("t", "b")


def test_pages_say_how_long_they_are() -> None:
    for status in (400, 408, 463, 502, 503, 504):
        head, _, body = pages.page(status, "now", False).partition(b"\r\n\r\n")
        assert f"Content-Length: {len(body)}".encode() in head
        assert head.startswith(b"HTTP/1.1 %d " % status)


# ------------------------------------------------------------------ what is told to the data plane


def test_what_is_checked_can_be_carried_out() -> None:
    """Conditions and actions as AWS keeps them, as the data plane reads them."""
    given = [
        {"Field": "path-pattern", "Values": ["/a*"]},
        {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X", "Values": ["1"]}},
        {"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "k", "Value": "v"}, {"Value": "w"}]}},
    ]
    kept = checks.conditions_of(given, "CreateRule")
    assert kept[0] == {"Field": "path-pattern", "Values": ["/a*"], "PathPatternConfig": {"Values": ["/a*"]}}
    told = [rules.condition(each) for each in kept]
    assert told[2]["values"] == [{"key": "k", "value": "v"}, {"key": None, "value": "w"}]
    chain([{"conditions": told, "action": {}}])
    action = checks.actions_of([{"Type": "forward", "TargetGroupArn": "t"}], "CreateRule")
    assert rules.action(action[0]) == {"type": "forward", "groups": [["t", 1]], "stickiness": 0}
    redirect = {"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_302", "Port": "443"}}
    assert rules.action(checks.actions_of([redirect], "CreateRule")[0])["status"] == 302


def test_every_attribute_has_a_default_that_is_allowed() -> None:
    for table in (attributes.LOAD_BALANCER, attributes.LISTENER, attributes.TARGET_GROUP):
        defaults = attributes.shown(table, {})
        assert attributes.checked(table, defaults, "x", "y") == {p["Key"]: p["Value"] for p in defaults}
    rules.group(TargetGroup("a", "n", "HTTP", 80, "v", "ip"))
