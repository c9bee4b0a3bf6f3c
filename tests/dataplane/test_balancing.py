"""A listener between clients and targets, seen on the wire."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from typing import Any

import pytest

from tests.dataplane.conftest import Stage, answering, everything, head_of
from tests.dataplane.rig import GROUP, forward, group

GET = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
KEPT = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def recorder(heads: list[bytes]) -> Any:
    inner = answering()

    def handle(connection: socket.socket) -> None:
        peeked = connection.recv(65536, socket.MSG_PEEK)
        heads.append(peeked)
        inner(connection)

    return handle


def test_what_a_target_gets(stage: Stage) -> None:
    heads: list[bytes] = []
    stage.serve(recorder(heads))
    request = (
        b"GET /a?b HTTP/1.1\r\nHost: me.example\r\nX-Forwarded-For: 10.1.1.1\r\nX-Forwarded-Proto: https\r\nConnection: close, X-Mine\r\n"
        b"X-Mine: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nProxy-Connection: x\r\nAccept: */*\r\n\r\n"
    )
    assert status(stage.ask(request)) == 200
    lines = heads[0].split(b"\r\n")
    assert lines[0] == b"GET /a?b HTTP/1.1"
    assert b"Host: me.example" in lines and b"Accept: */*" in lines
    assert b"X-Forwarded-For: 10.1.1.1, 198.51.100.1" in lines
    assert b"X-Forwarded-Proto: http" in lines and b"X-Forwarded-Port: 80" in lines
    names = {line.partition(b":")[0].lower() for line in lines}
    assert not names & {b"connection", b"x-mine", b"keep-alive", b"te", b"proxy-connection"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"forwarded_for": "preserve"}, b"X-Forwarded-For: 10.1.1.1"),
        ({"forwarded_for": "remove"}, None),
    ],
)
def test_forwarded_for(stage: Stage, given: dict[str, Any], expected: bytes | None) -> None:
    heads: list[bytes] = []
    stage.serve(recorder(heads), **given)
    stage.ask(b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.1.1.1\r\nConnection: close\r\n\r\n")
    found = [line for line in heads[0].split(b"\r\n") if line.lower().startswith(b"x-forwarded-for")]
    assert found == ([expected] if expected else [])


def test_connections_to_targets_are_kept(stage: Stage) -> None:
    stage.serve(answering())
    for _ in range(5):
        assert status(stage.ask(GET)) == 200
    assert stage.targets[0].connections == 1


def test_round_robin(stage: Stage) -> None:
    stage.serve(answering(b"one"), answering(b"two"))
    told = [stage.ask(GET)[-3:] for _ in range(6)]
    assert sorted(told) == [b"one"] * 3 + [b"two"] * 3


def test_pipelined_requests_are_answered_in_order(stage: Stage) -> None:
    stage.serve(answering())
    answer = stage.ask(KEPT * 50 + GET)
    assert answer.count(b"HTTP/1.1 200 OK") == 51


def test_http_1_0(stage: Stage) -> None:
    def chunked(connection: socket.socket) -> None:
        head_of(connection)
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nT: 1\r\n\r\n"
        )

    stage.serve(chunked)
    answer = stage.ask(b"GET / HTTP/1.0\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert body == b"abcdefg" and b"chunked" not in head.lower()
    assert stage.ask(GET).endswith(b"3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nT: 1\r\n\r\n")


def test_a_body_that_ends_with_the_connection(stage: Stage) -> None:
    def old(connection: socket.socket) -> None:
        head_of(connection)
        connection.sendall(b"HTTP/1.0 200 OK\r\nX: 1\r\n\r\nabc")

    stage.serve(old)
    with stage.connect() as connection:
        for _ in range(2):  # the client's connection is kept
            connection.sendall(KEPT)
            found = b""
            while b"0\r\n\r\n" not in found:
                found += connection.recv(65536)
            assert b"Transfer-Encoding: chunked" in found and b"3\r\nabc\r\n" in found
    assert stage.ask(b"GET / HTTP/1.0\r\n\r\n").endswith(b"\r\n\r\nabc")


def test_head_has_no_body(stage: Stage) -> None:
    stage.serve(answering(b"hello"))
    answer = stage.ask(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + GET)
    first, _, second = answer.partition(b"\r\n\r\n")
    assert b"Content-Length: 5" in first and second.startswith(b"HTTP/1.1 200") and second.endswith(b"hello")


@pytest.mark.parametrize("size", [0, 1, 100_000, 5_000_000])
def test_bodies_of_requests(stage: Stage, size: int) -> None:
    def length(connection: socket.socket) -> None:
        head, rest = head_of(connection)
        if b"chunked" in head:
            while not rest.endswith(b"0\r\n\r\n"):
                rest += connection.recv(65536)
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b"
                % (len(str(len(rest))), str(len(rest)).encode())
            )
            return
        while len(rest) < size:
            rest += connection.recv(65536)
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b"
            % (len(str(size)), str(len(rest)).encode())
        )

    stage.serve(length)
    plain = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % size
    assert stage.ask(plain + b"x" * size).endswith(b"\r\n\r\n%d" % size)
    pieces = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in [b"y" * 50_000] * (size // 50_000)) + b"0\r\n\r\n"
    chunked = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert stage.ask(chunked + pieces).endswith(b"\r\n\r\n%d" % len(pieces))


def test_expect_100_continue_is_answered_here(stage: Stage) -> None:
    stage.serve(answering())
    with stage.connect() as connection:
        connection.sendall(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
        )
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"abc")
        assert status(everything(connection)) == 200


def test_websocket(stage: Stage) -> None:
    def echo(connection: socket.socket) -> None:
        head, rest = head_of(connection)
        assert b"Upgrade: websocket" in head and b"Connection: Upgrade" in head and b"Sec-WebSocket-Key: k" in head
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhi")
        if rest:
            connection.sendall(rest)
        while piece := connection.recv(65536):
            connection.sendall(piece)

    stage.serve(echo)
    with stage.connect() as connection:
        connection.sendall(
            b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n"
        )
        found = b""
        while not found.endswith(b"hi"):
            found += connection.recv(65536)
        assert found.startswith(b"HTTP/1.1 101 ") and b"upgrade: websocket" in found.lower()
        for size in (1, 300_000):
            sender = threading.Thread(target=connection.sendall, args=(b"z" * size,))
            sender.start()
            got = 0
            while got < size:
                got += len(connection.recv(65536))
            sender.join()


# ------------------------------------------------------------------ faults


def test_nobody_listens_is_502(stage: Stage) -> None:
    stage.serve(answering())
    stage.targets[0].close()
    answer = stage.ask(GET)
    assert status(answer) == 502 and b"<center><h1>502 Bad Gateway</h1></center>" in answer
    assert b"Server: awselb/2.0\r\n" in answer


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 2",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 40_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n X: folded\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    ],
)
def test_a_target_that_does_not_speak_http_is_502(stage: Stage, said: bytes) -> None:
    def wrong(connection: socket.socket) -> None:
        head_of(connection)
        connection.sendall(said)

    stage.serve(wrong)
    assert status(stage.ask(GET)) == 502


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ],
)
def test_an_answer_that_breaks_off_is_not_taken_for_whole(stage: Stage, said: bytes) -> None:
    def broken(connection: socket.socket) -> None:
        head_of(connection)
        connection.sendall(said)

    stage.serve(broken)
    with stage.connect() as connection:
        connection.sendall(KEPT)
        found = b""
        with pytest.raises(ConnectionResetError):
            while True:
                piece = connection.recv(65536)
                assert piece, "the connection was closed as if all had come"
                found += piece
    assert not found.endswith(b"0\r\n\r\n")


def test_a_target_that_hangs_is_504(stage: Stage) -> None:
    ended = threading.Event()

    def hangs(connection: socket.socket) -> None:
        head_of(connection)
        ended.wait(30)

    stage.serve(hangs, idle=1.0)
    begun = time.monotonic()
    answer = stage.ask(GET)
    ended.set()
    assert status(answer) == 504 and b"504 Gateway Time-out" in answer
    assert 0.9 < time.monotonic() - begun < 5


def test_a_time_out_is_lab_time_but_real_work_gets_two_seconds(stage: Stage) -> None:
    ended = threading.Event()

    def hangs(connection: socket.socket) -> None:
        head_of(connection)
        ended.wait(30)

    stage.serve(hangs, idle=60.0, speed=1000.0)
    begun = time.monotonic()
    assert status(stage.ask(GET)) == 504
    ended.set()
    assert 1.9 < time.monotonic() - begun < 6


def test_who_may_not_be_reached_is_504(stage: Stage) -> None:
    stage.serve(answering(), speed=1000.0)
    stage.rig.silent.add(stage.targets[0].host)
    assert status(stage.ask(GET)) == 504


def test_a_listener_that_admits_nobody_does_not_answer(stage: Stage) -> None:
    stage.serve(answering(), admitted=False)
    with stage.connect() as connection:
        connection.sendall(GET)
        connection.settimeout(1.0)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        target = stage.targets[0]
        stage.configure([group(GROUP, (target.host, target.port, "healthy"))])
        connection.settimeout(15)
        assert status(everything(connection)) == 200


def test_a_client_that_sends_half_a_request_gets_408(stage: Stage) -> None:
    stage.serve(answering(), idle=1.0)
    assert status(stage.ask(b"GET / HTTP/1.1\r\nHos")) == 408
    assert status(stage.ask(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")) == 408
    assert stage.ask(b"") == b""  # one that says nothing is closed without a word


def test_an_old_connection_that_was_closed_just_then_is_not_the_clients_fault(stage: Stage) -> None:
    def once(connection: socket.socket) -> None:
        head_of(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        head_of(connection)  # the next request is read, and the connection closed without an answer

    stage.serve(once)
    assert [status(stage.ask(GET)) for _ in range(6)] == [200] * 6
    assert stage.targets[0].connections == 6
    answers = [status(stage.ask(GET.replace(b"GET", b"POST"))) for _ in range(2)]
    assert 502 in answers  # what may not be repeated is not


# ------------------------------------------------------------------ targets


def test_states_of_targets(stage: Stage) -> None:
    one, two = stage.target(answering(b"one")), stage.target(answering(b"two"))

    def told(first: str, second: str) -> set[bytes]:
        states = ((one.host, one.port, first), (two.host, two.port, second))
        stage.configure([group(GROUP, *states)])
        return {stage.ask(GET)[-3:] for _ in range(4)}

    assert told("healthy", "initial") == {b"one"}
    assert told("unhealthy", "healthy") == {b"two"}
    assert told("unhealthy", "unhealthy") == {b"one", b"two"}
    assert told("unhealthy", "initial") == {b"one"}
    assert told("draining", "healthy") == {b"two"}
    states = ((one.host, one.port, "initial"), (two.host, two.port, "draining"))
    stage.configure([group(GROUP, *states)])
    assert status(stage.ask(GET)) == 503


def test_a_request_under_way_ends_when_its_target_drains(stage: Stage) -> None:
    arrived, go_on = threading.Event(), threading.Event()

    def slow(connection: socket.socket) -> None:
        head_of(connection)
        arrived.set()
        go_on.wait(10)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow")

    target = stage.target(slow)
    stage.configure([group(GROUP, (target.host, target.port, "healthy"))])
    with stage.connect() as connection:
        connection.sendall(GET)
        arrived.wait(10)
        stage.configure([group(GROUP, (target.host, target.port, "draining"))])
        assert status(stage.ask(GET)) == 503
        go_on.set()
        assert everything(connection).endswith(b"slow")


def test_a_request_under_way_is_cut_off_when_its_target_goes(stage: Stage) -> None:
    arrived = threading.Event()

    def hangs(connection: socket.socket) -> None:
        head_of(connection)
        arrived.set()
        connection.recv(1)

    target = stage.target(hangs)
    stage.configure([group(GROUP, (target.host, target.port, "healthy"))])
    with stage.connect() as connection:
        connection.sendall(GET)
        arrived.wait(10)
        stage.configure([group(GROUP)])
        assert status(everything(connection)) == 502


def test_weights(stage: Stage) -> None:
    one, two = stage.target(answering(b"one")), stage.target(answering(b"two"))
    groups = [group("1", (one.host, one.port, "healthy")), group("2", (two.host, two.port, "healthy"))]
    rules = [{"conditions": [], "action": forward("1", "2", weights=(3, 1))}]
    stage.configure(groups, rules)
    told = [stage.ask(GET)[-3:] for _ in range(8)]
    assert told.count(b"one") == 6 and told.count(b"two") == 2
    stage.configure(groups, [{"conditions": [], "action": forward("1", "2", weights=(0, 0))}])
    assert status(stage.ask(GET)) == 503


def cookies_of(answer: bytes) -> dict[bytes, bytes]:
    found = [line[12:] for line in answer.split(b"\r\n") if line.startswith(b"Set-Cookie: ")]
    return {each.partition(b"=")[0]: each.partition(b"=")[2].partition(b";")[0] for each in found}


def with_cookie(name: bytes, value: bytes) -> bytes:
    return b"GET / HTTP/1.1\r\nHost: a\r\nCookie: x=y; %b=%b\r\nConnection: close\r\n\r\n" % (name, value)


def test_sticky_targets_and_groups(stage: Stage) -> None:
    made = [stage.target(answering(text)) for text in (b"one", b"two", b"tri", b"for")]
    sticky = {"type": "lb_cookie", "seconds": 60.0, "name": b"", "cookies": [b"AWSALB", b"AWSALBCORS"]}
    targets = [(each.host, each.port, "healthy") for each in made]
    groups = [group("1", *targets[:2], stickiness=sticky), group("2", *targets[2:], stickiness=sticky)]
    stage.configure(groups, [{"conditions": [], "action": forward("1", "2", stickiness=60)}])
    answer = stage.ask(GET)
    cookies = cookies_of(answer)
    assert set(cookies) == {b"AWSALB", b"AWSALBCORS", b"AWSALBTG", b"AWSALBTGCORS"}
    assert b"; SameSite=None" in answer and b"; Path=/" in answer
    both = b"GET / HTTP/1.1\r\nHost: a\r\nCookie: AWSALBTG=%b; AWSALB=%b\r\nConnection: close\r\n\r\n"
    request = both % (cookies[b"AWSALBTG"], cookies[b"AWSALB"])
    assert {stage.ask(request)[-3:] for _ in range(8)} == {answer[-3:]}
    cors = request.replace(b"AWSALBTG=", b"AWSALBTGCORS=").replace(b"AWSALB=", b"AWSALBCORS=")
    assert {stage.ask(cors)[-3:] for _ in range(4)} == {answer[-3:]}


def test_the_applications_cookie(stage: Stage) -> None:
    sticky = {"type": "app_cookie", "seconds": 0.0, "name": b"session", "cookies": [b"AWSALBAPP-0"]}
    one = stage.target(answering(b"one", Set_Cookie="session=1; Path=/"))
    two = stage.target(answering(b"two", Set_Cookie="other=1"))
    stage.configure([group(GROUP, *((t.host, t.port, "healthy") for t in (one, two)), stickiness=sticky)])
    answers = [stage.ask(GET) for _ in range(2)]
    by_name = {answer[-3:]: cookies_of(answer) for answer in answers}
    assert set(by_name[b"two"]) == {b"other"}
    kept = by_name[b"one"][b"AWSALBAPP-0"]
    assert {stage.ask(with_cookie(b"AWSALBAPP-0", kept))[-3:] for _ in range(4)} == {b"one"}


def test_fixed_responses_and_redirects(stage: Stage) -> None:
    fixed = {"type": "fixed-response", "status": 418, "body": "short", "content_type": "text/plain"}
    redirect = {
        "type": "redirect", "status": 301, "protocol": "HTTPS", "host": "#{host}", "port": "443", "path": "/new/#{path}",
        "query": "#{query}&x=1",
    }  # fmt: skip
    rules = [
        {"conditions": [{"field": "path-pattern", "name": "", "values": ["/old/*"]}], "action": redirect},
        {"conditions": [], "action": fixed},
    ]
    stage.configure([], rules)
    answer = stage.ask(GET)
    assert (
        answer.startswith(b"HTTP/1.1 418 ")
        and answer.endswith(b"\r\n\r\nshort")
        and b"Content-Type: text/plain\r\n" in answer
    )
    answer = stage.ask(b"GET /old/way?a=b HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 301 Moved Permanently\r\n")
    assert b"Location: https://shop.example:443/new/old/way?a=b&x=1\r\n" in answer
    posted = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
    assert stage.ask(posted * 3 + GET).count(b"HTTP/1.1 418") == 4  # bodies are read, and the connection kept
    assert stage.ask(KEPT * 3000 + GET).count(b"HTTP/1.1 418") == 3001


def test_counters(stage: Stage) -> None:
    stage.serve(answering())
    for _ in range(3):
        stage.ask(GET)
    stage.ask(b"BAD\r\n\r\n")
    told = stage.rig.run(stage.rig.plane.balancers.counted(["arn:lb"]))["of"]["arn:lb"]
    assert told["own"] == {"NewConnectionCount": 4, "RequestCount": 3, "HTTPCode_ELB_4XX_Count": 1}
    (name, zone, tally) = told["groups"][0]
    assert (name, zone, tally["requests"], tally["codes"]) == (GROUP, "az", 3, [0, 0, 3, 0, 0, 0])
    assert sum(count for _, count in tally["times"]) == 3 and 0 < tally["time"][1] <= tally["time"][2]


def test_health_checks(stage: Stage) -> None:
    heads: list[bytes] = []
    good = stage.target(recorder(heads))
    bad = stage.target(lambda connection: connection.recv(1000))
    stage.configure([group(GROUP)])
    asked = {"method": "GET", "path": "/health", "host": "h:1", "patience": 2.0}

    def outcome(host: str, port: int) -> dict[str, Any]:
        told = stage.rig.run(stage.rig.plane.balancers.attempt("arn:lb", host, port, asked))
        return {name: value for name, value in told.items() if name != "tried"}

    assert outcome(good.host, good.port) == {"status": 200}
    assert heads[0].startswith(b"GET /health HTTP/1.1\r\nHost: h:1\r\n") and b"ELB-HealthChecker/2.0" in heads[0]
    assert outcome(bad.host, bad.port) == {"error": "closed"}
    bad.close()
    assert outcome(bad.host, bad.port) == {"error": "refused"}
    stage.rig.silent.add(good.host)
    assert outcome(good.host, good.port) == {"error": "timeout"}


def test_the_process_dies_and_another_takes_over(stage: Stage) -> None:
    stage.serve(answering())
    assert status(stage.ask(GET)) == 200
    first = stage.rig.plane.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert status(stage.ask(GET)) == 200  # the connection waits in the listener until somebody accepts it
    assert stage.rig.plane.pid not in (None, first)
