"""Machines after the emulator was killed or ended: those that ran run again, the others stay as they are."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.emulator_process import ROOT, EmulatorProcess, wait_until
from tests.services.ec2.yard import AGENT_POLICY, PARAMETER, Yard
from tests.services.ecs.story import marked_sleep, processes

ACCOUNT = "000000000000"


def opened(emulator: EmulatorProcess) -> Yard:
    """Skips where no machine can run."""
    runtime = emulator.get("/_drydock/status")["runtime"]
    if runtime["tier"] != "namespaces":
        pytest.skip(f"no namespaces tier here: {runtime['reason']}")
    return Yard(lambda service, **given: emulator.client(service, ACCOUNT, **given), ACCOUNT)


@pytest.fixture
def mine(tmp_path: Path) -> Iterator[EmulatorProcess]:
    with EmulatorProcess(tmp_path / "state", "--instant") as running:
        yield running


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_machines_that_ran_run_again_on_their_disks(mine: EmulatorProcess, how: str) -> None:
    yard = opened(mine)
    _, marker = marked_sleep()
    config = f"#cloud-config\nbootcmd:\n - 'echo boot >> /boots; echo boots:$(wc -l < /boots)'\n - sleep {marker} &\n"
    running, _ = yard.booted(config)
    stopped, _ = yard.booted()
    yard.ec2.stop_instances(InstanceIds=[stopped])
    before = yard.until(stopped, "stopped")
    was = yard.describe(running)
    if how == "kill":
        mine.kill()
    else:
        mine.stop()
    wait_until(lambda: processes(marker) == [], "its processes are gone")
    mine.start()
    yard = opened(mine)
    assert yard.state(running) in ("pending", "running")
    assert mine.faults() == []
    now = yard.until(running)
    for name in ("PrivateIpAddress", "PublicIpAddress", "PrivateDnsName", "LaunchTime", "SubnetId"):
        assert now[name] == was[name]
    assert "boots:2" in yard.until_printed(running, "login:", 2)
    assert len(processes(marker)) == 1
    assert yard.describe(stopped) == before
    assert mine.faults() == []


def test_termination_leaves_nothing(mine: EmulatorProcess) -> None:
    yard = opened(mine)
    ids = [yard.booted("mkdir /hidden; chmod 0 /hidden")[0] for _ in range(2)]
    yard.ec2.terminate_instances(InstanceIds=ids[:1])
    yard.until(ids[0], "terminated")
    mine.kill()
    mine.start()
    yard = opened(mine)
    assert yard.state(ids[0]) == "terminated"
    yard.until(ids[1])
    yard.ec2.terminate_instances(InstanceIds=ids[1:])
    yard.until(ids[1], "terminated")
    folder = mine.state / "machines"
    assert {each.name for each in folder.iterdir()} == {"consoles"}
    assert "login:" in yard.console(ids[1])


def test_killed_in_the_midst_of_everything(mine: EmulatorProcess) -> None:
    yard = opened(mine)
    first, second = yard.booted()[0], yard.booted()[0]
    yard.launch("echo third")
    yard.ec2.stop_instances(InstanceIds=[first])
    yard.ec2.terminate_instances(InstanceIds=[second])
    mine.kill()
    mine.start()
    yard = opened(mine)
    yard.until(first, "stopped")
    yard.until(second, "terminated")

    def third() -> list[str]:
        found = [i for r in yard.ec2.describe_instances()["Reservations"] for i in r["Instances"]]
        return [i["State"]["Name"] for i in found if i["InstanceId"] not in (first, second)]

    wait_until(lambda: third() == ["running"], "the third runs", mine.output)
    assert mine.faults() == []


def test_a_reset_ends_an_account_s_machines(mine: EmulatorProcess) -> None:
    yard = opened(mine)
    _, marker = marked_sleep()
    yard.booted(f"sleep {marker} &")
    assert len(processes(marker)) == 1
    mine.get("/_drydock/reset", {"account": ACCOUNT})
    assert processes(marker) == []
    assert yard.ec2.describe_instances()["Reservations"] == []
    assert mine.faults() == []
    assert {each.name for each in (mine.state / "machines").iterdir()} <= {"consoles"}


def test_a_group_goes_on_where_it_was(mine: EmulatorProcess) -> None:
    yard = opened(mine)
    groups: Any = yard.aws("autoscaling")
    data = {"ImageId": yard.image(), "InstanceType": "t3.nano"}
    yard.ec2.create_launch_template(LaunchTemplateName="template", LaunchTemplateData=data)
    groups.create_auto_scaling_group(
        AutoScalingGroupName="g", MinSize=2, MaxSize=2, AvailabilityZones=["us-east-1a"],
        LaunchTemplate={"LaunchTemplateName": "template"},
    )  # fmt: skip
    mine.kill()
    mine.start()
    yard = opened(mine)
    groups = yard.aws("autoscaling")

    def states() -> list[str]:
        found = groups.describe_auto_scaling_groups()["AutoScalingGroups"][0]["Instances"]
        return [each["LifecycleState"] for each in found]

    wait_until(lambda: states() == ["InService"] * 2, "two members", lambda: f"{states()}{mine.output()}")
    found = [i for r in yard.ec2.describe_instances()["Reservations"] for i in r["Instances"]]
    assert [each["State"]["Name"] for each in found] == ["running"] * 2


def test_agents_register_again_as_who_they_were(mine: EmulatorProcess) -> None:
    yard = opened(mine)
    ecs = yard.aws("ecs")
    ecs.create_cluster(clusterName="yard")
    profile = yard.profile("machines", AGENT_POLICY)
    script = "echo ECS_CLUSTER=yard >> /etc/ecs/ecs.config"
    instance = yard.launch(script, ImageId=yard.image(PARAMETER), IamInstanceProfile=profile)
    yard.until_printed(instance, "Connected to ACS")
    before = ecs.list_container_instances(cluster="yard")["containerInstanceArns"]
    mine.kill()
    mine.start()
    yard = opened(mine)
    yard.until_printed(instance, "Connected to ACS", 2)
    found = yard.aws("ecs").describe_container_instances(cluster="yard", containerInstances=before)[
        "containerInstances"
    ]
    assert [(each["ec2InstanceId"], each["agentConnected"]) for each in found] == [(instance, True)]


def test_when_the_runtime_dies_machines_are_booted_again(mine: EmulatorProcess) -> None:
    yard = opened(mine)
    _, marker = marked_sleep()
    instance, _ = yard.booted(f"sleep {marker} &")
    stopped, _ = yard.booted()
    yard.ec2.stop_instances(InstanceIds=[stopped])
    yard.until(stopped, "stopped")
    before = processes(marker)
    assert len(before) == 1
    os.kill(_helper_of(before[0]), signal.SIGKILL)
    wait_until(lambda: processes(marker) == [], "its processes are gone")
    yard.until_printed(instance, "login:", 2)
    assert yard.until(instance)["State"]["Name"] == "running"
    assert yard.state(stopped) == "stopped"
    assert mine.faults() == []


def _helper_of(pid: int) -> int:
    """The runtime's process above all containers: pid 1 of its namespace, whose command names it."""
    while b"drydock.runtime.process.entry" not in Path(f"/proc/{pid}/cmdline").read_bytes():
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return pid


def test_terminated_instances_are_forgotten_after_an_hour(mine: EmulatorProcess) -> None:
    yard = opened(mine)
    instance = yard.launch()
    yard.ec2.terminate_instances(InstanceIds=[instance])
    yard.until(instance, "terminated")
    mine.get("/_drydock/clock", {"account": ACCOUNT, "advance": 3500})
    assert yard.state(instance) == "terminated"
    mine.get("/_drydock/clock", {"account": ACCOUNT, "advance": 200})
    wait_until(lambda: yard.ec2.describe_instances()["Reservations"] == [], "it is forgotten")


def test_as_an_ordinary_user() -> None:
    """Only root can become somebody else; who is not root has run all other tests as an ordinary user."""
    if os.getuid() != 0:
        pytest.skip("not root: all other tests ran as an ordinary user")
    if shutil.which("setpriv") is None or not os.path.exists("/usr/bin/python3"):
        pytest.skip("needs setpriv (util-linux) and the system's python3")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # noqa: S103 (nobody must get in)
        state = Path(folder) / "state"
        state.mkdir()
        shutil.chown(state, "nobody", "nogroup")
        emulator = EmulatorProcess(state, "--instant", python="/usr/bin/python3")
        packages = os.path.dirname(os.path.dirname(boto3.__file__))
        path = os.pathsep.join([f"{ROOT}/localstack", f"{ROOT}/labs", packages])
        emulator.before = (
            *("setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"),
            *("env", f"PYTHONPATH={path}", "PYTHONDONTWRITEBYTECODE=1", f"HOME={state}"),
        )
        with emulator:
            yard = opened(emulator)
            assert "unprivileged" in emulator.get("/_drydock/status")["runtime"]["reason"]
            script = "bootcmd:\n - 'echo boot >> /boots; echo boots:$(wc -l < /boots); mkdir -p /h; chmod 0 /h'\n"
            instance, _ = yard.booted(f"#cloud-config\n{script}")
            emulator.kill()
            emulator.start()
            yard = opened(emulator)
            assert "boots:2" in yard.until_printed(instance, "login:", 2)
            yard.ec2.terminate_instances(InstanceIds=[instance])
            yard.until(instance, "terminated")
            assert {each.name for each in (state / "machines").iterdir()} == {"consoles"}
            assert emulator.faults() == []


def test_two_emulators_of_one_seed_share_no_public_address(tmp_path: Path) -> None:
    flags = ("--instant", "--seed", "same")
    with EmulatorProcess(tmp_path / "a", *flags) as one, EmulatorProcess(tmp_path / "b", *flags) as other:
        first, second = (opened(each) for each in (one, other))
        mine, theirs = first.until(first.launch()), second.until(second.launch())
        assert mine["InstanceId"] == theirs["InstanceId"]
        assert mine["PublicIpAddress"] != theirs["PublicIpAddress"]
