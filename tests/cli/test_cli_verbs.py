"""./lab's verbs on a running emulator."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.cli.commands import drydock, said
from tests.emulator_process import EmulatorProcess

VERBS = ["up", "serve", "status", "doctor", "reset", "clock", "stop", "build", "test", "bench"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    with EmulatorProcess(tmp_path_factory.mktemp("cli") / "state") as running:
        yield running


def on(running: EmulatorProcess, *arguments: str) -> str:
    done = drydock(*arguments, "--state", str(running.state))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str) -> None:
    done = drydock(verb, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: lab {verb}")
    assert len(done.stdout.splitlines()) > 3


def test_help_lists_the_verbs() -> None:
    shown = drydock("--help").stdout
    assert [verb for verb in VERBS if not re.search(rf"^\s+{verb}\s+[A-Z]", shown, re.MULTILINE)] == []


@pytest.mark.parametrize("arguments", [
    ["nonsense"], [], ["serve", "--port", "many"], ["clock", "--advance", "soon"], ["reset", "--account", "12"],
    ["serve", "--epoch", "yesterday"], ["status", "--colour"], ["serve", "--runtime-tier", "best"],
])  # fmt: skip
def test_wrong_usage(arguments: list[str]) -> None:
    done = drydock(*arguments)
    assert done.returncode == 2
    assert "usage: lab" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("flags, words", [
    (["--speed", "0"], "0 times real time"), (["--speed", "-3"], "-3 times"), (["--speed", "1e9"], "1e+09 times"),
    (["--runtime", "docker"], "docker runtime"), (["--speed", "nan"], "nan times"),
])  # fmt: skip
def test_flags_that_cannot_be(tmp_path: Path, flags: list[str], words: str) -> None:
    wrong, _ = said(drydock("serve", "--port", "0", "--state", str(tmp_path / "s"), *flags))
    assert words in wrong


def test_status(shared: EmulatorProcess) -> None:
    shared.client("ecs").create_cluster()
    shown = on(shared, "status")
    assert "Traceback" not in shown
    assert re.search(rf"^emulator .*ready.*{re.escape(shared.url)}", shown, re.MULTILINE)
    assert str(shared.state) in shown
    assert re.search(r"^containers +process runtime, tier (namespaces|plain)$", shown, re.MULTILINE)
    assert re.search(r"^clock 000000000000 +\d{4}-\d\d-\d\dT[\d:]+Z at 1x", shown, re.MULTILINE)
    assert re.search(r"^tasks +none$", shown, re.MULTILINE)
    assert re.search(r"^memory +\d+ MB \(emulator \d+ MB", shown, re.MULTILINE)


def test_clock(shared: EmulatorProcess) -> None:
    def read(line: str) -> tuple[datetime, float]:
        match = re.match(r"(\S+)Z at ([\d.e+]+)x", line)
        assert match, line
        return datetime.fromisoformat(match[1]), float(match[2])

    before, speed = read(on(shared, "clock", "--account", "222222222222"))
    assert speed == 1
    after, speed = read(on(shared, "clock", "--account", "222222222222", "--advance", "15m"))
    assert 900 <= (after - before).total_seconds() < 930
    _, speed = read(on(shared, "clock", "--account", "222222222222", "--speed", "60"))
    assert speed == 60
    other, speed = read(on(shared, "clock", "--account", "333333333333"))
    assert speed == 1
    assert (other - before).total_seconds() < 60, "another account's clock stays where it was"
    done = drydock("clock", "--speed", "0", "--state", str(shared.state))
    assert "0 times real time" in said(done)[0]


def test_reset_of_one_account(shared: EmulatorProcess) -> None:
    for account in ("444444444444", "555555555555"):
        shared.client("ecs", account).create_cluster()
        shared.client("s3", account).create_bucket(Bucket=f"b-{account}")
    assert "account 444444444444" in on(shared, "reset", "--account", "444444444444")
    assert shared.client("ecs", "444444444444").list_clusters()["clusterArns"] == []
    assert shared.client("s3", "444444444444").list_buckets()["Buckets"] == []
    assert len(shared.client("ecs", "555555555555").list_clusters()["clusterArns"]) == 1
    assert len(shared.client("s3", "555555555555").list_buckets()["Buckets"]) == 1
    on(shared, "reset")
    assert shared.client("ecs", "555555555555").list_clusters()["clusterArns"] == []


def test_stop_and_what_there_is_to_do_without_an_emulator(tmp_path: Path) -> None:
    running = EmulatorProcess(tmp_path / "state").start()
    running.client("ecs").create_cluster(clusterName="kept")
    assert on(running, "stop") == "Stopped.\n"
    assert running.process is not None
    assert running.process.wait(5) == 0
    assert on(running, "stop").startswith("No emulator is running on ")
    for verb in ("status", "clock"):
        wrong, remedy = said(drydock(verb, "--state", str(running.state)))
        assert wrong.startswith("No emulator is running on ")
        assert "./lab up" in remedy
    assert "while the emulator runs" in said(drydock("reset", "--account", "0" * 12, "--state", str(running.state)))[0]
    running.start()
    assert len(running.client("ecs").list_clusters()["clusterArns"]) == 1
    running.stop()
    on(running, "reset")
    running.start()
    assert running.client("ecs").list_clusters()["clusterArns"] == []
    running.stop()


def test_ctrl_c_ends_serve_with_nothing_ugly(tmp_path: Path) -> None:
    with EmulatorProcess(tmp_path / "state") as running:
        assert running.process is not None
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(20) == 0
        assert "Traceback" not in (tmp_path / "state" / "serve.out").read_text()


def test_a_stale_endpoint_file_is_no_running_emulator(tmp_path: Path) -> None:
    state = tmp_path / "state"
    running = EmulatorProcess(state).start()
    running.kill()
    assert json.loads((state / "endpoint.json").read_text())["pid"]
    assert said(drydock("status", "--state", str(state)))[0].startswith("No emulator is running on ")
    running.start()
    running.stop()


def test_doctor(shared: EmulatorProcess, tmp_path: Path) -> None:
    port = shared.url.rpartition(":")[2]
    shown = on(shared, "doctor", "--port", port)
    assert re.search(r"^ok +Python +3\.\d+", shown, re.MULTILINE)
    assert re.search(rf"^ok +port +{port} is used by our own emulator", shown, re.MULTILINE)
    assert re.search(r"^(ok|note) +containers +tier (namespaces|plain): ", shown, re.MULTILINE)
    done = drydock("doctor", "--port", port, "--state", str(tmp_path))
    assert done.returncode == 1
    assert re.search(rf"^BAD +port +Port {port} is already in use by .*\(pid \d+\)", done.stdout, re.MULTILINE)
