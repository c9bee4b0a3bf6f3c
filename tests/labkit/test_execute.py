"""labkit's client of ECS Exec: a command with its exit status, and a shell in a terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from typing import Any

import labkit as lab
import pytest
from botocore.exceptions import ClientError
from labkit.errors import LabError

from tests.emulator_process import ROOT, EmulatorProcess, wait_until
from tests.services.ecs.exec_room import SLEEP, Room
from tests.services.ecs.story import marked_sleep, processes


@pytest.fixture
def room(lab_environment: EmulatorProcess, aws: Callable[..., Any], account: str) -> Room:
    return Room(aws, account)


def run(room: Room, task: str, command: str, **given: Any) -> tuple[str, int]:
    done = lab.execute(lab.session(), "yard", task, command, **given)
    return done.output, done.status


def test_commands_and_their_status(room: Room) -> None:
    task = room.task()
    for command, told in (
        ("echo one; echo two >&2; exit 3", ("one\ntwo\n", 3)),
        ("true", ("", 0)),
        ("printf 'no end'", ("no end", 0)),
        ("echo 'a  b' | tr a-z A-Z && false", ("A  B\n", 1)),
        ("kill -9 $$", ("Killed\n", 137)),
        ("while [ \"$(stty size)\" = '0 0' ]; do :; done; stty size", ("50 200\n", 0)),  # told after the start
    ):
        output, status = run(room, task, command)
        assert (output if "Killed" not in told[0] else told[0], status) == told, command
    output, status = run(room, task, "echo 'it never ends")
    assert status != 0 and "nterminated" in output
    assert run(room, task, "seq 20000")[0] == "".join(f"{number}\n" for number in range(1, 20001))
    assert str(lab.execute(room.ecs, "yard", task, "echo by a client")) == "by a client\n"


def test_the_container_is_chosen(room: Room) -> None:
    task = room.task(SLEEP, {**SLEEP, "essential": False, "environment": [{"name": "WHICH", "value": "second"}]})
    assert run(room, task, "echo $WHICH", container="c1") == ("second\n", 0)
    with pytest.raises(ClientError, match="Container name is required"):
        run(room, task, "echo $WHICH")


def test_one_that_does_not_end_in_time_is_ended(room: Room) -> None:
    task = room.task()
    command, marker = marked_sleep()
    with pytest.raises(LabError, match="did not end in time"):
        run(room, task, " ".join(command), timeout=1.0)
    wait_until(lambda: not processes(marker), "it has ended")


def test_one_whose_task_ends_has_no_status(room: Room) -> None:
    task = room.task({"command": ["sleep", "2"]})
    with pytest.raises(LabError, match="status is not known"):
        run(room, task, "sleep 100")
    room.stopped(task)


class Screen:
    """``python -m labkit.shell`` in a terminal of the test's own."""

    def __init__(self, *arguments: str) -> None:
        self.master, slave = pty.openpty()
        self.resize(90, 20)
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}/labs"}
        command = [sys.executable, "-m", "labkit.shell", *arguments]
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
        )
        os.close(slave)
        self.text = ""

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def until(self, pattern: str) -> None:
        end = time.monotonic() + 20
        while not re.search(pattern, self.text):
            assert time.monotonic() < end, self.text
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    self.text += os.read(self.master, 4096).decode()
                except OSError as error:  # nobody writes any more
                    raise AssertionError(f"the shell has ended with {self.process.wait(10)}: {self.text!r}") from error


@pytest.fixture
def screen(room: Room) -> Iterator[Screen]:
    made = Screen("yard", room.task())
    yield made
    made.process.kill()
    made.process.wait()
    os.close(made.master)


def test_a_shell_in_a_terminal(screen: Screen) -> None:
    screen.until(r"[#$] ")
    screen.type("stty size\r")
    screen.until(r"20 90\r\n")
    screen.resize(77, 11)
    screen.type("while ! stty size | grep -q '11 77'; do sleep 0.1; done; echo re''sized\r")
    screen.until(r"resized\r\n")
    marker = marked_sleep()[1]
    screen.type(f"echo be''gun; sleep {marker}; echo af''ter\r")
    screen.until(r"begun\r\n")
    wait_until(lambda: processes(marker), "the shell has started its command")
    screen.type("\x03")
    screen.until(r"\^C\s+[#$] ")
    screen.type("echo st''ill\r")
    screen.until(r"still\r\n")
    assert "after" not in screen.text
    screen.type("exit\r")
    assert screen.process.wait(20) == 0


def test_what_is_piped_in_and_what_cannot_be_run(room: Room) -> None:
    task = room.task()
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}/labs"}
    command = [sys.executable, "-m", "labkit.shell", "yard", task]
    options: dict[str, Any] = {"capture_output": True, "env": environment, "timeout": 60}
    done = subprocess.run(command, input=b"echo $((6 * 7))\n", check=False, **options)
    assert done.returncode == 0 and b"42\r\n" in done.stdout, done
    failed = subprocess.run([*command, "--command", "no-such"], input=b"", check=False, **options)
    assert failed.returncode == 1
    assert b'Unable to start command: Failed to start pty: exec: "no-such": executable file not found' in failed.stderr
