"""labkit against a running emulator: targets, sessions, clocks, waiting, and what is told to people."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import labkit as lab
import pytest
from labkit import chapter, clocks, sessions, waiting
from labkit import target as targets
from labkit.errors import EmulatorDown

from tests.emulator_process import EmulatorProcess

pytestmark = pytest.mark.usefixtures("lab_environment")
_TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)


def _speed(emulator: EmulatorProcess, account: str) -> float:
    return float(emulator.get(f"/_drydock/clock?account={account}")["speed"])


def test_begin_says_where_we_are(account: str, capsys: pytest.CaptureFixture[str]) -> None:
    here = lab.begin("00")
    told = capsys.readouterr().out
    assert (here.account, here.region, here.target, here.prefix) == (account, "us-east-1", "drydock", "lab00")
    assert "Start here" in told and account in told and "embedded emulator" in told
    assert here.file("nightly.json").exists()


def test_what_a_chapter_makes_is_tagged(aws: Callable[..., Any]) -> None:
    lab.begin("00")
    lab.client("ecs").create_cluster(clusterName="lab00", tags=[{"key": "mine", "value": "1"}])
    lab.client("logs").create_log_group(logGroupName="/lab00/x")
    lab.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=_TRUST)
    [cluster] = aws("ecs").describe_clusters(clusters=["lab00"], include=["TAGS"])["clusters"]
    assert {"key": "lab", "value": "00"} in cluster["tags"] and {"key": "mine", "value": "1"} in cluster["tags"]
    assert aws("iam").list_role_tags(RoleName="r")["Tags"] == [{"Key": "lab", "Value": "00"}]
    arn = aws("logs").describe_log_groups()["logGroups"][0]["arn"].removesuffix(":*")
    assert aws("logs").list_tags_for_resource(resourceArn=arn)["tags"] == {"lab": "00"}


def test_cleanup_deletes_the_chapters_own_and_nothing_else(
    aws: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    aws("ecs").create_cluster(clusterName="theirs")
    aws("logs").create_log_group(logGroupName="/theirs")
    aws("iam").create_role(RoleName="lab00-untagged", AssumeRolePolicyDocument=_TRUST)
    here = lab.begin("00")
    lab.client("ecs").create_cluster(clusterName="lab00")
    lab.client("logs").create_log_group(logGroupName="/lab00/x")
    lab.client("iam").create_role(RoleName="mine", AssumeRolePolicyDocument=_TRUST)
    lab.client("iam").put_role_policy(RoleName="mine", PolicyName="p", PolicyDocument=_ALLOW)
    lab.cleanup(here)
    assert [arn.rpartition("/")[2] for arn in aws("ecs").list_clusters()["clusterArns"]] == ["theirs"]
    assert [group["logGroupName"] for group in aws("logs").describe_log_groups()["logGroups"]] == ["/theirs"]
    names = {role["RoleName"] for role in aws("iam").list_roles()["Roles"]}
    assert "lab00-untagged" in names and "mine" not in names
    assert "clusters                   1        none" in capsys.readouterr().out


_ALLOW = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'


def test_cleanup_that_leaves_something_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    here = lab.begin("00")
    lab.client("ecs").create_cluster(clusterName="lab00")
    ecs = lab.client("ecs")
    monkeypatch.setattr("labkit.cleaning.client", lambda name: _Stubborn(ecs) if name == "ecs" else lab.client(name))
    with pytest.raises(lab.LabError, match="Something is left: lab00"):
        lab.cleanup(here)


class _Stubborn:
    """ECS, but for clusters, which it keeps."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def delete_cluster(self, cluster: str) -> None:
        """Does not."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def test_wait_answers_with_what_it_saw_and_gives_the_clock_back(
    emulator: EmulatorProcess, account: str, capsys: pytest.CaptureFixture[str]
) -> None:
    seen, speeds = iter(["PENDING", "RUNNING", "STOPPED"]), []

    def look() -> dict[str, str]:
        speeds.append(_speed(emulator, account))
        return {"lastStatus": next(seen)}

    assert lab.wait(look, until="STOPPED", name="task", speed=600) == {"lastStatus": "STOPPED"}
    assert capsys.readouterr().out == "task: STOPPED\n"
    assert speeds == [600, 600, 600]
    assert _speed(emulator, account) == 100, "the emulator of the tests runs at 100x when nobody waits"


def test_wait_gives_up_in_lab_time_and_gives_the_clock_back(
    emulator: EmulatorProcess, account: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "LEAST_PATIENCE", 0.0)
    with pytest.raises(lab.LabError, match="task is still PENDING after 200 seconds"):
        lab.wait(lambda: "PENDING", until={"STOPPED"}, name="task", timeout=200, speed=1000)
    assert _speed(emulator, account) == 100


def test_wait_does_not_give_up_before_real_work_had_its_real_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LEAST_PATIENCE", 0.5)
    began = time.monotonic()
    with pytest.raises(lab.LabError, match="still PENDING after 100 seconds"):
        lab.wait(lambda: "PENDING", until="STOPPED", name="task", timeout=100, speed=5000)
    assert 0.5 <= time.monotonic() - began < 10


def test_the_clock_is_given_back_after_any_error(emulator: EmulatorProcess, account: str) -> None:
    with pytest.raises(ZeroDivisionError), lab.fast(500):
        assert _speed(emulator, account) == 500
        _ = 1 / 0
    assert _speed(emulator, account) == 100


def test_a_lease_is_renewed_while_it_is_held(
    emulator: EmulatorProcess, account: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clocks, "LEASE_SECONDS", 0.4)
    monkeypatch.setattr(clocks, "RENEW_EVERY", 0.1)
    with lab.fast(500):
        began = lab.now()
        while (lab.now() - began).total_seconds() < 500:  # a real second: longer than the lease would last
            pass
        assert _speed(emulator, account) == 500


def test_the_clock_of_another_account_is_left_alone(emulator: EmulatorProcess) -> None:
    with lab.fast(500):
        assert _speed(emulator, "555555555555") == 100


def test_the_clock_can_be_moved_forward() -> None:
    before = lab.now()
    lab.clock(advance=86400)
    assert (lab.now() - before).total_seconds() >= 86400


def test_a_person_gets_their_variables_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LAB_BATCH", "0")
    here = lab.begin("00")
    lab.client("ecs").create_cluster(clusterName="lab00")
    here.answer = {"a": [1]}
    here.task = f"arn:aws:ecs:us-east-1:{here.account}:task/lab00/{'0' * 32}"
    again = lab.begin("00")
    assert again.answer == {"a": [1]}
    assert "Restored: here.answer" in capsys.readouterr().out
    with pytest.raises(lab.LabError, match="no 'task' yet"):  # there is no such task any more
        _ = again.task
    lab.cleanup(again)
    with pytest.raises(lab.LabError, match="no 'answer' yet"):
        _ = lab.begin("00").answer


def test_a_run_without_a_person_begins_with_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_BATCH", "0")
    lab.begin("00").answer = 1
    monkeypatch.setenv("LAB_BATCH", "1")
    with pytest.raises(lab.LabError, match="no 'answer' yet"):
        _ = lab.begin("00").answer


def test_expect_error_prints_awss_message(capsys: pytest.CaptureFixture[str]) -> None:
    with lab.expect_error("ClusterNotFoundException"):
        lab.client("ecs").list_tasks(cluster="none")
    assert capsys.readouterr().out == "ClusterNotFoundException: Cluster not found.\n"


def test_expect_error_fails_without_an_error_or_with_another() -> None:
    with pytest.raises(lab.LabError, match="the call succeeded"), lab.expect_error("ClusterNotFoundException"):
        lab.client("ecs").list_clusters()
    with pytest.raises(lab.LabError, match="AWS answered ClusterNotFoundException"), lab.expect_error("Other"):
        lab.client("ecs").list_tasks(cluster="none")


def test_sh_prints_raises_and_reaches_the_target(emulator: EmulatorProcess, capsys: pytest.CaptureFixture[str]) -> None:
    assert lab.sh("echo $AWS_ENDPOINT_URL; echo err >&2") == f"{emulator.url}\nerr\n"
    assert capsys.readouterr().out == f"{emulator.url}\nerr\n"
    with pytest.raises(lab.LabError, match="failed with exit code 3"):
        lab.sh("exit 3")
    with pytest.raises(lab.LabError, match="no command"):
        lab.sh(["no-such-command-here"])
    with pytest.raises(lab.LabError, match="not done within"):
        lab.sh("sleep 5", timeout=0.2)


def test_url_of_an_address_and_of_a_listener_that_is_not_there() -> None:
    assert lab.url("127.16.0.5", 8081, "x") == "http://127.16.0.5:8081/x"
    assert lab.url("a.example", 443) == "https://a.example/"
    with pytest.raises(lab.LabError, match="No listener"):
        lab.url("web-1.us-east-1.elb.localhost")


def test_questions_and_hints(capsys: pytest.CaptureFixture[str]) -> None:
    lab.begin("00")
    capsys.readouterr()
    for given, said in (
        ("c", "did-it-work: passed"),
        (" C ", "did-it-work: passed"),
        ("a", "did-it-work: not yet: Your task with exit code 3"),
        ("z", "'z' is not one of a, b, c"),
        (None, "did-it-work: not attempted yet"),
    ):
        lab.quiz("did-it-work", given)
        assert said in capsys.readouterr().out
    lab.check("greeting", None)
    assert capsys.readouterr().out == "greeting: not attempted yet\n"
    lab.check("greeting", 7)
    assert "7 is not the ARN of a task" in capsys.readouterr().out
    texts = set()
    for level in (1, 2, 3):
        lab.hint("greeting", level)
        texts.add(capsys.readouterr().out)
    assert len(texts) == 3
    with pytest.raises(lab.LabError, match="no 'greetings'"):
        lab.check("greetings", 1)


def test_every_exercise_and_question_of_a_chapter_is_in_its_source() -> None:
    for folder in sorted(chapter.labs_folder().glob("[0-9]*_*")):
        here = lab.begin(folder.name[:2])
        from labkit.exercises import chapter_module

        module, text = chapter_module(here), (folder / "lab.py").read_text()
        assert len(module.EXERCISES) >= 2 and module.QUESTIONS
        for name in module.EXERCISES:
            assert f'lab.check("{name}", ' in text and f'lab.hint("{name}")' in text
        for name, question in module.QUESTIONS.items():
            assert f'lab.quiz("{name}", ' in text
            assert question.right in question.options and set(question.why) == set(question.options)


def test_a_chapter_says_at_its_top_what_it_takes_and_costs() -> None:
    for folder in sorted(chapter.labs_folder().glob("[0-9]*_*")):
        told, text = chapter.facts(folder.name[:2]), (folder / "lab.py").read_text()
        top = text[: text.index("# %% id=")]
        assert f"# # {told.nn} {told.title}" in top
        assert f"{told.minutes['drydock']} minutes" in top and f"{told.minutes['aws']} on real AWS" in top
        assert f"{told.cost_usd:.2f} USD on AWS" in top
        assert "**You will do.**" in top and "**You will learn.**" in top and "**You need.**" in top
        assert set(told.minutes) == set(told.targets)


def test_nobody_at_the_endpoint_is_said_in_two_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(EmulatorDown) as told:
        lab.begin("00")
    assert told.value._render_traceback_() == [
        "The emulator is not running: nothing answers at http://127.0.0.1:9.",
        "Start it with ./lab up",
    ]


def test_targets_that_there_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_TARGET", "azure")
    with pytest.raises(lab.LabError, match="no target 'azure'"):
        lab.begin("00")
    monkeypatch.delenv("LAB_TARGET")
    with pytest.raises(lab.LabError, match="no chapter '77'"):
        lab.begin("77")


def test_a_parameter_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_TARGET", "aws")
    assert lab.begin("00", target="drydock").target == "drydock"
    assert os.environ["LAB_TARGET"] == "drydock"


def test_on_aws_the_account_must_be_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is made. Who we are is put in here; all else is as it would be."""
    monkeypatch.setenv("LAB_TARGET", "aws")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setattr(chapter, "account_of", lambda target: "123456789012")
    for named in (None, "210987654321"):
        if named:
            monkeypatch.setenv("LAB_AWS_ACCOUNT", named)
        with pytest.raises(lab.LabError, match="set LAB_AWS_ACCOUNT=123456789012"):
            lab.begin("00")
    monkeypatch.setenv("LAB_AWS_ACCOUNT", "123456789012")
    monkeypatch.setattr(chapter.needs, "bring_up", lambda name, client: name)
    lab.begin("00")
    assert "0.02 USD" in capsys.readouterr().out


def test_on_aws_the_emulators_endpoint_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_TARGET", "aws")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert lab.client("ecs").meta.endpoint_url == "https://ecs.eu-west-1.amazonaws.com"
    assert "IGNORE_CONFIGURED_ENDPOINT_URLS=true" in lab.sh("env | grep IGNORE")


def test_what_answers_may_be_something_else(monkeypatch: pytest.MonkeyPatch, lab_environment: EmulatorProcess) -> None:
    monkeypatch.setattr(targets.Target, "ask", lambda self, path, body=None: {"services": {}})
    with pytest.raises(lab.LabError, match="is not Drydock"):
        lab.begin("00")


def test_a_localstack_without_ecs_is_said_before_anything_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its health page lists what its plan has; Drydock's own page of that name has it all."""
    assert lab.begin("00", target="localstack").target == "localstack"
    health = {"services": {"logs": "running", "iam": "available", "ecs": "disabled"}}
    monkeypatch.setattr(targets.Target, "ask", lambda self, path, body=None: health)
    with pytest.raises(lab.LabError, match="This LocalStack has no ecs"):
        lab.begin("00")


def test_every_service_of_the_course_has_an_endpoint(emulator: EmulatorProcess) -> None:
    for name in ("ecs", "codepipeline", "redshift-data", "scheduler", "application-autoscaling", "codecommit"):
        assert lab.client(name).meta.endpoint_url == emulator.url


def test_tags_are_put_only_where_aws_takes_them() -> None:
    sessions.tag_with("00")
    models = lab.client("ecs").meta.service_model
    assert sessions._add_tag({}, models.operation_model("CreateCluster"))["tags"] == [{"key": "lab", "value": "00"}]
    assert sessions._add_tag({}, models.operation_model("ListClusters")) == {}
    given = {"tags": [{"key": "lab", "value": "own"}]}
    assert sessions._add_tag(dict(given), models.operation_model("RunTask")) == given
    assert json.dumps(given)  # unchanged


def test_a_chapters_files_are_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LAB_ROOT")
    assert lab.begin("00").file("lab.py").exists()
