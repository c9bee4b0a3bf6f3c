"""ECS Exec's sessions: the data channel, the terminal, what is lost, repeated and refused on the way, and the end."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
import websocket

from tests.emulator_process import EmulatorProcess, wait_until
from tests.services.ecs.exec_room import SLEEP, Room
from tests.services.ecs.plugin import Plugin, framed
from tests.services.ecs.story import marked_sleep, processes, seen_id


def gone(marker: str) -> None:
    wait_until(lambda: not processes(marker), "its processes have ended")


# ---------------------------------------------------------------------------------------- a session
def test_a_command_from_its_start_to_its_end(tier_room: Room) -> None:
    task = tier_room.task({**SLEEP, "environment": [{"name": "COLOUR", "value": "green"}]})
    shown = tier_room.describe(task)
    assert shown["enableExecuteCommand"]
    (agent,) = shown["containers"][0]["managedAgents"]
    assert agent.pop("lastStartedAt") and agent == {"name": "ExecuteCommandAgent", "lastStatus": "RUNNING"}
    answer = tier_room.ask(task, "sh -c 'echo $COLOUR $TERM; tty >/dev/null && echo a terminal; exit 3'")
    container = shown["containers"][0]
    assert answer["taskArn"] == task and answer["containerArn"] == container["containerArn"]
    assert (answer["containerName"], answer["interactive"]) == ("c0", True)
    assert re.fullmatch("ecs-execute-command-[0-9a-f]{17}", answer["session"]["sessionId"])
    client = Plugin(answer["session"]).shaken()
    assert client.to_end() == "green xterm-256color\na terminal\n"
    assert client.closed is not None and client.closed["Output"] == ""
    assert client.closed["SessionId"] == answer["session"]["sessionId"]
    assert client.received[:2] == [(0, 5), (1, 7)] and {kind for _, kind in client.received[2:]} == {1}


def test_a_shell_with_keys_resizing_and_an_end(tier_room: Room) -> None:
    client = tier_room.plugin(tier_room.task(), "/bin/sh")
    client.resize(101, 33)
    client.type(b"stty size\r")
    client.until(r"33 101\n")
    client.type(b"trap 'stty size' WINCH; echo s''et\r")
    client.until(r"set\n")
    client.resize(44, 12)
    client.type(b"\r")
    client.until(r"12 44\n")
    marker = marked_sleep()[1]
    client.type(f"echo be''gun; sleep {marker}; echo af''ter\r".encode())
    client.until(r"begun\n")
    wait_until(lambda: processes(marker), "the shell has started its command")
    client.type(b"\x03")
    client.until(r"\^C\s+[#$] ")
    client.type(b"echo still $((40 + 2))\r")
    client.until(r"still 42\n")
    client.type(b"\x04")
    assert "after\n" not in client.to_end(), "Ctrl-C ended the whole line"
    assert client.acknowledged == list(range(client.sequence)), "every message of ours, in its order, once"


def test_it_is_root_where_the_container_is_with_its_environment(isolated: Any, room: Room) -> None:
    task = room.task({**SLEEP, "user": "nobody", "workingDirectory": "/var"})
    said = room.said(task, "sh -c 'id -u; pwd; echo $AWS_CONTAINER_CREDENTIALS_RELATIVE_URI; ls /proc | grep -c ^1$'")
    user, folder, uri, first = said.split()
    assert (int(user), folder, first) == (0, "/var", "1")
    assert uri.startswith("/v2/credentials/")
    assert seen_id(0) == 0


def test_it_reads_the_words_of_a_command_without_a_shell(room: Room) -> None:
    task = room.task()
    assert room.said(task, """printf '%s|' "two words" $HOME a\\ b 'it is' """) == "two words|$HOME|a b|it is|"


@pytest.mark.parametrize("command, why", [
    ("/bin/no-such", "Failed to start pty: fork/exec /bin/no-such: no such file or directory"),
    ("no-such -x", 'Failed to start pty: exec: "no-such": executable file not found in $PATH'),
    ("/etc", "Failed to start pty: fork/exec /etc: permission denied"),
    ("echo 'open", "Failed to parse commands input: No closing quotation"),
])  # fmt: skip
def test_commands_that_cannot_be_run(room: Room, command: str, why: str) -> None:
    client = room.plugin(room.task(), command)
    assert client.to_end() == ""
    assert client.closed is not None
    assert client.closed["Output"] == f"----------ERROR-------\nUnable to start command: {why}\n"


def test_background_programs_do_not_hold_the_session(room: Room) -> None:
    _, marker = marked_sleep()
    client = room.plugin(room.task(), f"sh -c 'trap \"\" HUP; sleep {marker} & echo started'")
    assert client.to_end() == "started\n"


def test_several_sessions_at_once(room: Room) -> None:
    task = room.task(SLEEP, {**SLEEP, "essential": False})
    clients = [room.plugin(task, "sh -c 'read x; echo got $x'", container=name) for name in ("c0", "c1", "c0")]
    for number, client in enumerate(clients):
        client.type(f"{number}\r".encode())
    assert [client.to_end().split("\n")[-2] for client in clients] == ["got 0", "got 1", "got 2"]


# ---------------------------------------------------------------------------------------- much, late, twice
def test_much_output_comes_whole_and_in_order(tier_room: Room) -> None:
    count = 60_000
    said = tier_room.said(tier_room.task(), f"seq {count}")
    assert said == "".join(f"{number}\n" for number in range(1, count + 1))


def test_much_input_comes_whole(room: Room) -> None:
    """More than a program that does not read yet has room for: what was not acknowledged is sent again."""
    client = room.plugin(room.task(), "sh -c 'stty raw -echo; echo ready; sleep 1; head -c 100000 | md5sum'")
    client.until("ready")
    pieces = [bytes([65 + number % 26]) * 1000 for number in range(100)]
    sent = {
        client.sequence + number: framed("input_stream_data", piece, 1, client.sequence + number)
        for number, piece in enumerate(pieces)
    }
    client.sequence += len(sent)
    for data in sent.values():
        client.socket.send_binary(data)
    client.socket.settimeout(0.3)
    while client.closed is None:
        try:
            client.take(client.receive())
        except websocket.WebSocketTimeoutException:
            for number in sorted(set(sent) - set(client.acknowledged)):
                client.socket.send_binary(sent[number])
    assert hashlib.md5(b"".join(pieces)).hexdigest() in client.text


def test_who_does_not_acknowledge_gets_it_again_and_stops_the_program(room: Room, emulator: EmulatorProcess) -> None:
    client = Plugin(room.ask(room.task(), "yes")["session"], acknowledging=False)
    client.pump(lambda: client.received.count((0, 5)) == 3 and client.received[-1] == (0, 5))
    highest = max(number for number, _ in client.received)
    assert highest <= 256, "no more than a window is on its way"
    assert len({number for number, _ in client.received}) == highest + 1
    assert [kind for _, kind in client.received].count(7) == 1, "only the oldest comes again"
    assert emulator.get("/_drydock/health")["ready"]
    for number, _ in sorted(set(client.received)):
        client.acknowledge({"type": "output_stream_data", "id": "", "sequence": number})
    client.acknowledging = True
    client.pump(lambda: client.expected > highest + 300)
    client.type(b"\x03")
    client.to_end()


def test_a_reader_that_sleeps_costs_nothing(room: Room, emulator: EmulatorProcess) -> None:
    """A client that does not even take the bytes: the program waits, the emulator answers."""
    client = room.plugin(room.task(), "yes")
    client.until("y\n")
    for _ in range(20):
        assert emulator.get("/_drydock/health")["ready"]
    client.type(b"\x03")
    client.to_end()


def test_what_comes_early_waits_and_what_comes_twice_counts_once(room: Room) -> None:
    client = room.plugin(room.task(), "sh -c 'stty -echo; echo ready; cat'")
    client.until("ready")
    first = client.sequence
    for number, text in ((2, b"c\n"), (1, b"b\n"), (2, b"c\n"), (0, b"a\n"), (0, b"a\n"), (3, b"d\n")):
        client.socket.send_binary(framed("input_stream_data", text, 1, first + number))
    client.until("a\nb\nc\nd\n")
    client.socket.send_binary(framed("input_stream_data", b"\x04", 1, first + 4))
    assert client.to_end() == "ready\na\nb\nc\nd\n"
    assert set(range(first, first + 5)) <= set(client.acknowledged)


def test_a_pause_is_kept(room: Room) -> None:
    client = room.plugin(room.task(), "sh -c 'read x; echo got $x; read y'")
    client.socket.send_binary(framed("pause_publication", b"", 0, 0))
    client.socket.send_binary(framed("start_publication", b"", 0, 0))
    client.type(b"it\r")
    client.until("got it\n")
    client.type(b"\r")
    client.to_end()


def test_messages_that_are_none_are_passed_over(room: Room) -> None:
    client = room.plugin(room.task(), "sh -c 'read x; echo got $x'")
    for data in (
        b"", b"x" * 50, framed("input_stream_data", b"x", 1, 2)[:-1], framed("acknowledge", b"no json", 0, 0),
        framed("acknowledge", b'{"a": 1}', 0, 0), framed("no_such_type", b"", 0, 0),
        framed("input_stream_data", b"[", 3, -5),
    ):  # fmt: skip
        client.socket.send_binary(data)
    client.type(b"it\r")
    assert "got it\n" in client.to_end()


# ---------------------------------------------------------------------------------------- who is let in
def test_a_token_opens_one_channel(room: Room) -> None:
    task = room.task()
    session, other = room.ask(task, "cat")["session"], room.ask(task, "cat")["session"]
    for wrong in ("x", other["tokenValue"], session["tokenValue"][:-1]):
        assert not opened(Plugin(session, token=wrong))
    client = Plugin(session).shaken()
    assert not opened(Plugin(session)), "it was used"
    client.type(b"still there\r")
    client.until("still there\n")


def opened(client: Plugin) -> bool:
    kind, data = client.socket.recv_data(control_frame=True)
    if kind == websocket.ABNF.OPCODE_CLOSE:
        assert int.from_bytes(data[:2], "big") == 1008
        return False
    return True


@pytest.mark.parametrize("given", [
    {"host": "evil.example"}, {"origin": "http://evil.example"}, {"origin": "null"},
], ids=str)  # fmt: skip
def test_other_peoples_pages_are_not(room: Room, given: dict[str, Any]) -> None:
    session = room.ask(room.task(), "cat")["session"]
    with pytest.raises(websocket.WebSocketBadStatusException) as caught:
        Plugin(session, **given)
    assert caught.value.status_code == 403
    Plugin(session).shaken()


def test_there_must_be_such_a_session(room: Room) -> None:
    session = room.ask(room.task(), "cat")["session"]
    for url in (
        session["streamUrl"].replace(session["sessionId"], "ecs-execute-command-0"),
        room.ecs.meta.endpoint_url.replace("http", "ws") + "/",
    ):
        with pytest.raises(websocket.WebSocketBadStatusException) as caught:
            Plugin({**session, "streamUrl": url})
        assert caught.value.status_code == 403


# ---------------------------------------------------------------------------------------- ends
def test_stopping_the_task_ends_the_session(tier_room: Room) -> None:
    task = tier_room.task()
    command, marker = marked_sleep()
    client = tier_room.plugin(task, " ".join(command))
    wait_until(lambda: processes(marker), "it runs")
    stopped = tier_room.stop(task)
    client.to_end()
    gone(marker)
    (agent,) = stopped["containers"][0]["managedAgents"]
    assert (agent["lastStatus"], agent["reason"]) == ("STOPPED", "Received Container Stopped event")


def test_a_client_or_an_operator_ends_it(room: Room) -> None:
    task, ssm = room.task(), room.aws("ssm")
    command, marker = marked_sleep()
    client = room.plugin(task, " ".join(command))
    wait_until(lambda: processes(marker), "it runs")
    client.type((2).to_bytes(4, "big"), 10)
    client.to_end()
    gone(marker)
    client = room.plugin(task, " ".join(command))
    wait_until(lambda: processes(marker), "it runs")
    name = client.session["sessionId"]
    assert ssm.terminate_session(SessionId=name)["SessionId"] == name
    client.to_end()
    gone(marker)
    with pytest.raises(ssm.exceptions.DoesNotExistException):
        ssm.resume_session(SessionId=name)


def test_what_has_left_its_terminal_ends_with_the_session_too(tier_room: Room) -> None:
    task, marker = tier_room.task(), marked_sleep()[1]
    leaving = f"trap '' HUP; echo up; exec sleep {marker} < /dev/null > /dev/null 2>&1"
    client = tier_room.plugin(task, f'sh -c "{leaving}"')
    client.until("up\n")
    wait_until(lambda: processes(marker), "it runs")
    tier_room.aws("ssm").terminate_session(SessionId=client.session["sessionId"])
    client.to_end()
    gone(marker)


def test_a_broken_connection_is_taken_up_again(room: Room) -> None:
    """What was not acknowledged before comes again, so nothing is lost."""
    client = room.plugin(room.task(), "sh -c 'stty -echo; echo one; read x; echo two; read y; echo three'")
    client.until("one\n")
    client.socket.sock.close()  # without a word
    again = room.aws("ssm").resume_session(SessionId=client.session["sessionId"])
    second = Plugin(
        {"sessionId": again["SessionId"], "streamUrl": again["StreamUrl"], "tokenValue": again["TokenValue"]}
    )
    second.sequence, second.expected = client.sequence, client.expected
    second.type(b"\r")
    second.until("two\n")
    second.type(b"\r")
    assert second.to_end() == "two\nthree\n"


def test_it_is_ended_after_twenty_idle_minutes(room: Room, emulator: EmulatorProcess) -> None:
    command, marker = marked_sleep()
    client = room.plugin(room.task(), " ".join(command))
    wait_until(lambda: processes(marker), "it runs")
    emulator.get("/_drydock/clock", {"account": room.account, "advance": 19 * 60})
    client.type(b"x")
    client.until("x")
    emulator.get("/_drydock/clock", {"account": room.account, "advance": 15 * 60})
    client.type(b"y")
    client.until("y")
    emulator.get("/_drydock/clock", {"account": room.account, "advance": 20 * 60})
    client.to_end()
    assert client.closed is not None and client.closed["Output"] == "Session timed out due to inactivity."
    gone(marker)


@pytest.mark.parametrize("tier, killed", [
    ("namespaces", True), ("plain", True), pytest.param("namespaces", False, marks=pytest.mark.all),
    pytest.param("plain", False, marks=pytest.mark.all),
])  # fmt: skip
def test_nothing_is_left_when_the_emulator_ends(tmp_path: Path, tier: str, killed: bool, account: str) -> None:
    with EmulatorProcess(tmp_path / "state", "--speed", "100", "--runtime-tier", tier) as mine:
        room = Room(lambda service, **given: mine.client(service, account=account, **given), account)
        command, marker = marked_sleep()
        client = room.plugin(room.task(), " ".join(command))
        wait_until(lambda: processes(marker), "it runs")
        if killed:
            mine.kill()
            with pytest.raises((websocket.WebSocketConnectionClosedException, ConnectionError)):
                client.to_end()
        else:
            assert mine.stop() == 0
            client.to_end()
        gone(marker)
