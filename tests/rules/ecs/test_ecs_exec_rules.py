"""ECS Exec's decisions: what is run, where it is logged, in which state the agent is."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from drydock.services.ecs import exec_rules
from drydock.services.ecs.exec_rules import Audit
from drydock.services.ecs.model import Container, Task
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize("command, argv", [
    ("/bin/sh", ("/bin/sh",)), ("ls -l /", ("ls", "-l", "/")), ('sh -c "a; b"', ("sh", "-c", "a; b")),
    ("a 'b c' d\\ e", ("a", "b c", "d e")), ("A=1 b", ("A=1", "b")), ("", ("sh",)), ("  ", ("sh",)), ("a # b", ("a",)),
])  # fmt: skip
def test_words(command: str, argv: tuple[str, ...]) -> None:
    assert exec_rules.words(command) == argv


@given(st.lists(st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), min_size=1), min_size=1))
def test_quoted_words_come_back(argv: list[str]) -> None:
    assert exec_rules.words(shlex.join(argv)) == tuple(argv)


@pytest.mark.parametrize("command", ["'", 'a "b', "a \\"])
def test_quotes_that_do_not_close(command: str) -> None:
    with pytest.raises(ValueError):
        exec_rules.words(command)


def awslogs(**options: str) -> dict[str, Any]:
    return {"logConfiguration": {"logDriver": "awslogs", "options": options}}


def configured(**command: Any) -> dict[str, Any]:
    return {"executeCommandConfiguration": command}


WHERE = {
    "cloudWatchLogGroupName": "/g", "s3BucketName": "b", "s3KeyPrefix": "/p/", "cloudWatchEncryptionEnabled": True,
}  # fmt: skip


@pytest.mark.parametrize("configuration, document, audit", [
    (None, {}, Audit()),
    (None, awslogs(**{"awslogs-group": "/a", "awslogs-region": "eu-west-1"}), Audit("/a", "eu-west-1")),
    (configured(logging="DEFAULT"), awslogs(**{"awslogs-group": "/a"}), Audit("/a")),
    (configured(logging="DEFAULT"), {"logConfiguration": {"logDriver": "json-file"}}, Audit()),
    (configured(logging="NONE"), awslogs(**{"awslogs-group": "/a"}), Audit()),
    (configured(logging="OVERRIDE", logConfiguration=WHERE), awslogs(**{"awslogs-group": "/a"}),
     Audit("/g", "", "b", "/p/", True)),
    (configured(logging="OVERRIDE", logConfiguration={"s3BucketName": "b"}), {}, Audit(bucket="b")),
])  # fmt: skip
def test_where_it_is_logged(configuration: Any, document: dict[str, Any], audit: Audit) -> None:
    assert exec_rules.audit_of(configuration, document) == audit


@pytest.mark.parametrize("prefix, key", [("", "s.log"), ("p", "p/s.log"), ("/p/q/", "p/q/s.log")])
def test_keys(prefix: str, key: str) -> None:
    assert Audit(bucket="b", prefix=prefix).key("s") == key


@pytest.mark.parametrize("status, read_only, shown", [
    ("PENDING", False, {"lastStatus": "PENDING"}),
    ("RUNNING", False, {"lastStatus": "RUNNING"}),
    ("STOPPED", False, {"lastStatus": "STOPPED", "reason": "Received Container Stopped event"}),
    ("PENDING", True, {"lastStatus": "PENDING"}),
    ("RUNNING", True, {"lastStatus": "STOPPED", "reason":
     "The agent cannot be started: the container's root file system is read-only."}),
])  # fmt: skip
def test_the_agent_is_as_its_container(status: str, read_only: bool, shown: dict[str, Any]) -> None:
    container = Container("arn", "c", "i", True, "r", status=status, read_only=read_only)
    task = Task("arn", "id", "c", "d", "g", "FARGATE", 0.0, "256", "512", {}, [container], execute_command=True)
    assert task.describe()["containers"][0]["managedAgents"] == [{"name": "ExecuteCommandAgent", **shown}]
    task.execute_command = False
    assert "managedAgents" not in task.describe()["containers"][0]
