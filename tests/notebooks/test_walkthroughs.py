"""Every notebook is run, from its first cell to its last: in the gate the solution by nbval, which compares its outputs (what
the checks say among them), and some learner's copies by papermill; with ``--all`` all of them, and in every other way there is.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from labkit.builder.emulator import Emulator, account_of, running
from labkit.builder.execution import CELL_TAKES, execute, printed
from labkit.builder.main import built
from labkit.builder.source import notebook, read
from labkit.chapter import facts
from labkit.exercises import NOT_ATTEMPTED
from nbformat import NotebookNode

from tests.notebooks.conftest import need_namespaces, need_what_the_chapter_needs
from tests.notebooks.estate import client, faults, fresh, left_behind
from tests.notebooks.wrong_answers import WRONG

pytestmark = [pytest.mark.notebooks, pytest.mark.timeout(600)]
_SLUGS = sorted(path.parent.name for path in (Path(__file__).resolve().parents[2] / "labs").glob("[0-9]*_*/lab.py"))
CHAPTERS = [pytest.param(slug, marks=pytest.mark.xdist_group(slug)) for slug in reversed(_SLUGS)]
"""Each in one worker, since all its runs have the same account and seed, and so the same public addresses on this machine;
the latest first, for they take longest"""
UNSOLVED_IN_GATE = ("00_start_here", "12_fargate_cluster")
"""Learner's copies differ from the solutions in their exercises alone, and take as long"""
UNSOLVED = [
    pytest.param(slug, marks=[pytest.mark.xdist_group(slug), *([] if slug in UNSOLVED_IN_GATE else [pytest.mark.all])])
    for slug in reversed(_SLUGS)
]
AMI = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"


def _verdicts(made: NotebookNode) -> dict[str, str]:
    """What the checks and quizzes said, by cell."""
    tagged = [cell for cell in made.cells if {"check", "quiz"} & set(cell.metadata.get("tags", []))]
    assert len([cell for cell in tagged if "check" in cell.metadata["tags"]]) >= 2, (
        "a chapter has two exercises at least"
    )
    return {cell.id: printed(cell) for cell in tagged}


def _expect(made: NotebookNode, verdict: str) -> None:
    wrong = {name: text for name, text in _verdicts(made).items() if f": {verdict}" not in text}
    assert not wrong, f"these do not say {verdict!r}: {wrong}"


def _nothing_left(emulator: Emulator, account: str) -> None:
    assert left_behind(emulator, account) == {}
    assert faults(emulator) == []


@pytest.mark.parametrize("slug", CHAPTERS)
def test_nbval_finds_the_outputs_of_the_solution_again(emulator: Emulator, root: Path, slug: str) -> None:
    need_namespaces(emulator)  # in which the outputs were made: they show the tier, and what is in a container of it
    account = account_of(slug[:2])
    fresh(emulator, account)
    made = root / "solutions" / f"{slug}.ipynb"
    command = [
        sys.executable, "-m", "pytest", "--nbval", "--nbval-kernel-name", "python3", "--nbval-cell-timeout",
        str(CELL_TAKES), "--nbval-kernel-startup-timeout", "60", "-p", "tests.notebooks.kernels", "-p", "no:cacheprovider", "-p", "no:xdist",
        "--color=no", "-q", str(made),
    ]  # fmt: skip
    ended = subprocess.run(
        command, cwd=root, env=emulator.environment(account), capture_output=True, text=True, timeout=500, check=False
    )
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-2000:]
    code = [cell for cell in nbformat.read(made, as_version=4).cells if cell.cell_type == "code"]
    assert re.search(rf"\b{len(code)} passed", ended.stdout), ended.stdout[-2000:]
    _nothing_left(emulator, account)


def _target(name: str) -> object:
    """Targets that are not here are skipped by name, with the reason."""
    reasons = {
        "drydock": "",
        "localstack": "" if os.environ.get("LOCALSTACK_AUTH_TOKEN") else "no LOCALSTACK_AUTH_TOKEN: ECS needs one",
        "aws": "" if os.environ.get("LAB_AWS_ACCOUNT") else "no LAB_AWS_ACCOUNT: nobody builds in AWS by accident",
    }
    marks = [pytest.mark.skipif(bool(reasons[name]), reason=reasons[name])]
    return pytest.param(name, marks=marks if name == "drydock" else [*marks, pytest.mark.all])


@pytest.mark.parametrize("target", [_target("drydock"), _target("localstack"), _target("aws")])
@pytest.mark.parametrize("folder", ["notebooks", pytest.param("solutions", marks=pytest.mark.all)])
@pytest.mark.parametrize("slug", UNSOLVED)
def test_papermill_runs_it_to_its_end(
    emulator: Emulator, root: Path, tmp_path: Path, slug: str, folder: str, target: str
) -> None:
    account = account_of(slug[:2])
    if target not in facts(slug[:2], root / "labs").targets:
        pytest.skip(f"the chapter does not run on {target}")
    embedded = target == "drydock"
    if embedded:
        need_what_the_chapter_needs(emulator, slug)
        fresh(emulator, account)
    environment = emulator.environment(account) if embedded else {**os.environ, "LAB_BATCH": "1", "LAB_ROOT": str(root)}
    environment.pop("LAB_TARGET", None)  # the parameter alone decides
    out = tmp_path / "executed.ipynb"
    command = [
        sys.executable, str(root / "tests/notebooks/kernels.py"), str(root / folder / f"{slug}.ipynb"), str(out), "-p", "target", target,
        "-k", "python3", "--execution-timeout", str(CELL_TAKES if embedded else 900), "--start-timeout", "60",
        "--no-progress-bar", "--cwd", str(tmp_path),
    ]  # fmt: skip
    ended = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=500 if embedded else 3600,
        check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-6000:]
    made = nbformat.read(out, as_version=4)
    _expect(made, "passed" if folder == "solutions" else NOT_ATTEMPTED)
    if embedded:
        _nothing_left(emulator, account)


@pytest.mark.all
@pytest.mark.parametrize("slug", CHAPTERS)
def test_checks_say_what_is_wrong_with_a_wrong_answer(emulator: Emulator, root: Path, slug: str) -> None:
    need_what_the_chapter_needs(emulator, slug)
    account = account_of(slug[:2])
    fresh(emulator, account)
    made = notebook(read(root / "labs" / slug), solved=True)
    last_check = max(n for n, cell in enumerate(made.cells) if "check" in cell.metadata.get("tags", []))
    exercises = {cell.id: cell for cell in made.cells if "check" in cell.metadata.get("tags", [])}
    wrong = WRONG[slug[:2]]
    assert {answer.exercise for answer in wrong} == {name.removesuffix("-check") for name in exercises}
    extra = [
        nbformat.v4.new_code_cell(f'{answer.code}\nlab.check("{answer.exercise}", answer)', id=f"wrong-{number}")
        for number, answer in enumerate(wrong)
    ]
    made.cells[last_check + 1 : last_check + 1] = extra
    execute(made, emulator, account)
    for answer, cell in zip(wrong, extra, strict=True):
        text = printed(next(done for done in made.cells if done.id == cell.id))
        assert f"{answer.exercise}: not yet: " in text, f"{answer.code} -> {text}"
        assert answer.said in text, f"{answer.code} -> {text}"
        assert "Look at: " in text
    _nothing_left(emulator, account)


@pytest.mark.all
@pytest.mark.parametrize("slug", CHAPTERS)
def test_every_cell_may_be_run_again(emulator: Emulator, root: Path, slug: str) -> None:
    """Each is run twice, one right after the other."""
    need_what_the_chapter_needs(emulator, slug)
    account = account_of(slug[:2])
    fresh(emulator, account)
    made = notebook(read(root / "labs" / slug), solved=True)
    for cell in [cell for cell in made.cells if cell.cell_type == "code"]:
        again = nbformat.v4.new_code_cell(cell.source, id=f"{cell.id}-again", metadata=cell.metadata)
        made.cells.insert(made.cells.index(cell) + 1, again)
    execute(made, emulator, account)
    _expect(made, "passed")
    _nothing_left(emulator, account)


@pytest.mark.all
@pytest.mark.parametrize("slug", CHAPTERS)
def test_the_plain_tier_tells_the_same_story(root: Path, slug: str) -> None:
    """Where there are no namespaces (macOS), the same solutions pass; a chapter on instances skips its cells and says why."""
    account = account_of(slug[:2])
    with running(root, account, tier="plain") as plain:
        need_what_the_chapter_needs(plain, slug)
        made = execute(notebook(read(root / "labs" / slug), solved=True), plain)
        if "instances" in facts(slug[:2], root / "labs").needs:
            checks = {name: text for name, text in _verdicts(made).items() if name.endswith("-check")}
            assert all(text.startswith("Skipped: ") and "plain tier" in text for text in checks.values()), checks
        else:
            _expect(made, "passed")
        _nothing_left(plain, account)


def test_what_a_chapter_leaves_behind_would_be_seen(emulator: Emulator) -> None:
    account = account_of("98")
    ecs, iam, logs, ec2, ssm = (client(emulator, account, name) for name in ("ecs", "iam", "logs", "ec2", "ssm"))
    assert left_behind(emulator, account) == {}
    ecs.create_cluster(clusterName="c")
    ecs.register_task_definition(family="f", containerDefinitions=[{"name": "n", "image": "busybox", "memory": 64}])
    logs.create_log_group(logGroupName="/g")
    trust = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=document)
    ec2.create_security_group(GroupName="g", Description="g")
    ssm.put_parameter(Name="/p", Value="v", Type="String")
    ec2.create_network_interface(SubnetId=ec2.describe_subnets()["Subnets"][0]["SubnetId"])
    iam.create_instance_profile(InstanceProfileName="p")
    image = ssm.get_parameter(Name=AMI)["Parameter"]["Value"]
    ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1)
    template = {"ImageId": image, "InstanceType": "t3.micro"}
    ec2.create_launch_template(LaunchTemplateName="tpl", LaunchTemplateData=template)
    client(emulator, account, "autoscaling").create_auto_scaling_group(
        AutoScalingGroupName="a", MinSize=0, MaxSize=0, LaunchTemplate={"LaunchTemplateName": "tpl"},
        AvailabilityZones=["us-east-1a"],
    )  # fmt: skip
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")
    ec2.create_internet_gateway()
    ec2.create_route_table(VpcId=vpc)
    handle = {"Resources": {"Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}}
    client(emulator, account, "cloudformation").create_stack(StackName="s", TemplateBody=json.dumps(handle))
    elb = client(emulator, account, "elbv2")
    subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"] if subnet["DefaultForAz"]][:2]
    elb.create_load_balancer(Name="l", Subnets=subnets)
    elb.create_target_group(Name="t", Protocol="HTTP", Port=80, VpcId=vpc)
    cloudwatch = client(emulator, account, "cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="a", Namespace="n", MetricName="m", Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    cloudwatch.put_dashboard(DashboardName="d", DashboardBody=json.dumps({"widgets": []}))
    ecs.create_service(
        cluster="c", serviceName="s", taskDefinition="f", desiredCount=0, launchType="EC2"
    )
    client(emulator, account, "application-autoscaling").register_scalable_target(
        ServiceNamespace="ecs", ResourceId="service/c/s", ScalableDimension="ecs:service:DesiredCount", MinCapacity=0,
        MaxCapacity=1,
    )  # fmt: skip
    assert set(left_behind(emulator, account)) == {
        "stacks",
        "VPCs",
        "subnets",
        "internet gateways",
        "route tables",
        "clusters",
        "task definitions",
        "log groups",
        "roles",
        "security groups",
        "parameters",
        "network interfaces",
        "instances",
        "volumes",
        "instance profiles",
        "launch templates",
        "Auto Scaling groups",
        "load balancers",
        "target groups",
        "alarms",
        "dashboards",
        "scalable targets",
    }
    fresh(emulator, account)
    assert left_behind(emulator, account) == {}


@pytest.mark.all
@pytest.mark.parametrize("slug", CHAPTERS)
def test_building_again_gives_the_same_notebook(emulator: Emulator, root: Path, slug: str) -> None:
    """But for what measured cells show; the committed file is the first build, this is the second."""
    need_namespaces(emulator)
    committed = nbformat.read(root / "solutions" / f"{slug}.ipynb", as_version=4)
    again = built(root, read(root / "labs" / slug), solved=True)
    for made in (committed, again):
        for cell in made.cells:
            if "measured" in cell.metadata.get("tags", []):
                assert cell.outputs, f"{cell.id} is measured and shows nothing"
                cell.outputs = []
    assert nbformat.writes(again, sort_keys=True) == nbformat.writes(committed, sort_keys=True)
