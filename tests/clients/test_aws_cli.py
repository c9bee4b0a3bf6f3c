"""Other people's client programs, as they come: the AWS CLI and localstack-client."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.emulator_process import ROOT, EmulatorProcess, wait_until
from tests.services.ecs.exec_room import Room
from tests.services.ecs.instances import AMI, INSTANCE_POLICY, JOIN, answers
from tests.services.ecs.story import EXECUTION_POLICY, IMAGE, PYTHON, trust

pytestmark = pytest.mark.clients


def find_aws() -> str | None:
    """Debian's first: the Python environment of the tests may bring another."""
    return "/usr/bin/aws" if Path("/usr/bin/aws").exists() else shutil.which("aws")


@pytest.fixture
def cli(emulator: EmulatorProcess, account: str, tmp_path: Path) -> Callable[..., Any]:
    """``cli("ecs", "list-clusters")``: its output, parsed where it is JSON. It finds programs in ``bin`` of the test's folder,
    too."""
    program = find_aws()
    if program is None:
        pytest.skip("no AWS CLI here (Debian: apt install awscli)")
    environment = {
        "PATH": f"{tmp_path}/bin:/usr/bin:/bin", "HOME": str(tmp_path), "AWS_ACCESS_KEY_ID": account, "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_PAGER": "", "LANG": "C.UTF-8",
    }  # fmt: skip

    def run(*arguments: str) -> Any:
        done = subprocess.run(
            [program, "--endpoint-url", emulator.url, "--no-cli-pager", *arguments],
            env=environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"aws {' '.join(arguments)}: {done.stderr}"
        return json.loads(done.stdout) if done.stdout.lstrip().startswith("{") else done.stdout

    return run


def ps(marker: str) -> list[str]:
    """The lines of ``ps`` whose program has this argument."""
    lines = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout.splitlines()
    return [line for line in lines if line.split()[1:] == ["sleep", marker]]


def test_the_aws_cli_starts_a_task_that_ps_shows_and_ends_it(
    cli: Callable[..., Any], account: str, aws: Callable[..., Any]
) -> None:
    marker = f"300.{int(account) % 10**9:09}"
    cli("iam", "create-role", "--role-name", "execution", "--assume-role-policy-document",
        trust("ecs-tasks.amazonaws.com"))  # fmt: skip
    cli("iam", "attach-role-policy", "--role-name", "execution", "--policy-arn", EXECUTION_POLICY)
    cli("logs", "create-log-group", "--log-group-name", "/cli")
    assert cli("ecs", "create-cluster", "--cluster-name", "cli")["cluster"]["status"] == "ACTIVE"
    options = {"awslogs-group": "/cli", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "p"}
    container = {"name": "app", "image": IMAGE, "command": ["sh", "-c", f"echo begun; exec sleep {marker}"],
                 "stopTimeout": 2, "logConfiguration": {"logDriver": "awslogs", "options": options}}  # fmt: skip
    cli("ecs", "register-task-definition", "--family", "app", "--requires-compatibilities", "FARGATE",
        "--network-mode", "awsvpc", "--cpu", "256", "--memory", "512",
        "--execution-role-arn", f"arn:aws:iam::{account}:role/execution",
        "--container-definitions", json.dumps([container]))  # fmt: skip
    subnet = cli("ec2", "describe-subnets")["Subnets"][0]["SubnetId"]
    task = cli("ecs", "run-task", "--cluster", "cli", "--task-definition", "app", "--launch-type", "FARGATE",
               "--network-configuration", f"awsvpcConfiguration={{subnets=[{subnet}],assignPublicIp=ENABLED}}",
               )["tasks"][0]["taskArn"]  # fmt: skip
    named = ("--cluster", "cli", "--tasks", task)
    cli("ecs", "wait", "tasks-running", *named)
    assert cli("ecs", "describe-tasks", *named)["tasks"][0]["lastStatus"] == "RUNNING"
    assert len(ps(marker)) == 1, "RUNNING, and ps does not show it"
    cli("ecs", "stop-task", "--cluster", "cli", "--task", task, "--reason", "enough")
    wait_until(  # by boto3, which starts no program: the CLI looks again after six seconds only
        lambda: aws("ecs").describe_tasks(cluster="cli", tasks=[task])["tasks"][0]["lastStatus"] == "STOPPED", "it ends"
    )
    cli("ecs", "wait", "tasks-stopped", *named)
    assert ps(marker) == [], "STOPPED, and ps shows it"
    stopped = cli("ecs", "describe-tasks", *named)["tasks"][0]
    assert stopped["stoppedReason"] == "enough"
    assert stopped["containers"][0]["exitCode"] in (137, 143)
    stream = f"p/app/{task.rpartition('/')[2]}"
    events = cli("logs", "get-log-events", "--log-group-name", "/cli", "--log-stream-name", stream)["events"]
    assert [event["message"] for event in events] == ["begun"]
    assert "begun" in cli("logs", "tail", "/cli", "--since", "1d", "--format", "short")


def test_the_aws_cli_runs_a_service_on_an_instance(
    cli: Callable[..., Any], emulator: EmulatorProcess, aws: Callable[..., Any], tmp_path: Path
) -> None:
    """What takes its time is looked at by boto3, which starts no program: the CLI looks again after 15 seconds only."""
    status = emulator.get("/_drydock/status")["runtime"]
    if status["tier"] != "namespaces":
        pytest.skip(f"instances need the namespaces tier: {status['reason']}")
    cli("iam", "create-role", "--role-name", "node", "--assume-role-policy-document", trust("ec2.amazonaws.com"))
    cli("iam", "attach-role-policy", "--role-name", "node", "--policy-arn", INSTANCE_POLICY)
    cli("iam", "create-instance-profile", "--instance-profile-name", "node")
    cli("iam", "add-role-to-instance-profile", "--instance-profile-name", "node", "--role-name", "node")
    group = cli("ec2", "create-security-group", "--group-name", "node", "--description", "node")["GroupId"]
    cli("ec2", "authorize-security-group-ingress", "--group-id", group, "--protocol", "tcp", "--port", "32768-60999",
        "--cidr", "0.0.0.0/0")  # fmt: skip
    cli("ecs", "create-cluster", "--cluster-name", "cli")
    user_data = tmp_path / "user-data"
    user_data.write_text(JOIN.format("cli"))
    made = cli("ec2", "run-instances", "--image-id", f"resolve:ssm:{AMI}", "--instance-type", "t3.small",
               "--security-group-ids", group, "--iam-instance-profile", "Name=node",
               "--user-data", f"file://{user_data}")["Instances"][0]["InstanceId"]  # fmt: skip
    wait_until(lambda: aws("ecs").list_container_instances(cluster="cli")["containerInstanceArns"], "it joined")
    container = {"name": "web", "image": PYTHON, "command": ["python", "-m", "http.server", "80"], "memory": 64,
                 "stopTimeout": 2, "portMappings": [{"containerPort": 80, "hostPort": 0}]}  # fmt: skip
    cli("ecs", "register-task-definition", "--family", "web", "--container-definitions", json.dumps([container]))
    cli("ecs", "create-service", "--cluster", "cli", "--service-name", "web", "--task-definition", "web",
        "--desired-count", "2")  # fmt: skip
    named = ("--cluster", "cli", "--services", "web")

    def told() -> dict[str, Any]:
        return dict(aws("ecs").describe_services(cluster="cli", services=["web"])["services"][0])

    wait_until(lambda: told()["runningCount"] == 2 and len(told()["deployments"]) == 1, "two tasks run", told)
    assert cli("ecs", "describe-services", *named)["services"][0]["runningCount"] == 2
    cli("ecs", "wait", "services-stable", *named)
    tasks = cli("ecs", "list-tasks", "--cluster", "cli", "--service-name", "web")["taskArns"]
    described = cli("ecs", "describe-tasks", "--cluster", "cli", "--tasks", *tasks)["tasks"]
    found = cli("ec2", "describe-instances", "--instance-ids", made)["Reservations"][0]["Instances"][0]
    for task in described:
        port = task["containers"][0]["networkBindings"][0]["hostPort"]
        assert answers(f"http://{found['PublicIpAddress']}:{port}/") == 200
    cli("ecs", "update-service", "--cluster", "cli", "--service", "web", "--desired-count", "0")
    wait_until(lambda: told()["runningCount"] == 0, "none runs", told)
    cli("ecs", "delete-service", "--cluster", "cli", "--service", "web")
    wait_until(lambda: told()["status"] == "INACTIVE", "it is gone", told)
    cli("ec2", "terminate-instances", "--instance-ids", made)
    wait_until(
        lambda: (
            aws("ec2").describe_instances(InstanceIds=[made])["Reservations"][0]["Instances"][0]["State"]["Name"]
            == "terminated"
        ),
        "it ends",
    )
    cli("ec2", "wait", "instance-terminated", "--instance-ids", made)


def test_the_aws_clis_errors_are_readable(emulator: EmulatorProcess, account: str, tmp_path: Path) -> None:
    program = find_aws()
    if program is None:
        pytest.skip("no AWS CLI here (Debian: apt install awscli)")
    done = subprocess.run(
        [program, "--endpoint-url", emulator.url, "ecs", "list-tasks", "--cluster", "nowhere"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "AWS_ACCESS_KEY_ID": account,
             "AWS_SECRET_ACCESS_KEY": "t", "AWS_DEFAULT_REGION": "us-east-1"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 254
    assert "(ClusterNotFoundException) when calling the ListTasks operation: Cluster not found." in done.stderr


def test_localstack_client(emulator: EmulatorProcess, account: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its session is what labkit uses on the emulator."""
    session = pytest.importorskip("localstack_client.session", reason="PyPI's localstack-client is not installed")
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator.url)
    made = session.Session(
        aws_access_key_id=account, aws_secret_access_key="test", region_name="eu-west-1",
        localstack_host=emulator.url.removeprefix("http://"),
    )  # fmt: skip
    assert made.client("sts").get_caller_identity()["Account"] == account
    arn = made.client("ecs").create_cluster(clusterName="one")["cluster"]["clusterArn"]
    assert arn == f"arn:aws:ecs:eu-west-1:{account}:cluster/one"
    assert made.client("ecs").list_clusters()["clusterArns"] == [arn]
    assert len(made.client("ec2").describe_subnets()["Subnets"]) > 0
    emulator.get("/_drydock/reset", {"account": account})


def test_the_health_page_of_localstack(emulator: EmulatorProcess) -> None:
    told = emulator.get("/_localstack/health")
    assert told["services"]["ecs"] == "running"
    assert told["services"]["ec2"] in ("running", "available")


PLUGIN = f"""#!{sys.executable}
import sys
sys.path.insert(0, {str(ROOT / "labs")!r})
if sys.argv[1:]:
    import json, pathlib
    from labkit.data_channel import DataChannel
    from labkit.shell import converse
    pathlib.Path(sys.argv[0]).with_name("told.json").write_text(json.dumps(sys.argv[1:]))
    print("Starting session with SessionId:", json.loads(sys.argv[1])["sessionId"])
    sys.stdout.flush()
    converse(DataChannel(json.loads(sys.argv[1])))
"""
"""labkit's client in the place of the Session Manager plug-in, called as the AWS CLI calls it"""


def test_the_aws_cli_executes_a_command(
    cli: Callable[..., Any], account: str, aws: Callable[..., Any], tmp_path: Path
) -> None:
    plugin = tmp_path / "bin" / "session-manager-plugin"
    plugin.parent.mkdir()
    plugin.write_text(PLUGIN)
    plugin.chmod(0o755)
    room = Room(aws, account)
    task = room.task()
    said = cli("ecs", "execute-command", "--cluster", "yard", "--task", task, "--container", "c0", "--interactive",
               "--command", "sh -c 'echo from; hostname'")  # fmt: skip
    told = json.loads((plugin.parent / "told.json").read_text())
    assert f"Starting session with SessionId: {json.loads(told[0])['sessionId']}" in said
    assert "from\n" in said
    runtime_id = room.describe(task)["containers"][0]["runtimeId"]
    assert told[1:3] == ["us-east-1", "StartSession"]
    assert json.loads(told[4]) == {"Target": f"ecs:yard_{task.rpartition('/')[2]}_{runtime_id}"}
