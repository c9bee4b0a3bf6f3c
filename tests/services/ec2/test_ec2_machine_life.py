"""An instance is what DescribeInstances says it is: from pending to terminated there is a machine behind it, or none."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.ec2.yard import Yard
from tests.services.ecs.story import processes


def sleeping(yard: Yard, number: int) -> tuple[str, str]:
    """An instance with a sleep in the background, and the argument by which it is known on this computer."""
    marker = f"301.{int(yard.account) % 10**6:06}{number}"
    instance, _ = yard.booted(f"sleep {marker} &")
    return instance, marker


def code(call: Any, **given: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**given)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_the_whole_life(yard: Yard) -> None:
    marker = f"302.{int(yard.account) % 10**7}"
    answer = yard.ec2.run_instances(
        ImageId=yard.image(), InstanceType="t3.micro", MinCount=1, MaxCount=1, UserData=f"#!/bin/sh\nsleep {marker} &\n"
    )
    assert answer["Instances"][0]["State"] == {"Code": 0, "Name": "pending"}
    instance = answer["Instances"][0]["InstanceId"]
    assert processes(marker) == []
    running = yard.until(instance)
    yard.until_printed(instance, "login:")
    assert running["State"]["Code"] == 16 and "StateReason" not in running
    assert len(processes(marker)) == 1

    stopping = yard.ec2.stop_instances(InstanceIds=[instance])["StoppingInstances"][0]
    assert (stopping["CurrentState"]["Name"], stopping["PreviousState"]["Name"]) == ("stopping", "running")
    stopped = yard.until(instance, "stopped")
    assert processes(marker) == []
    assert stopped["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    assert re.fullmatch(r"User initiated \(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d GMT\)", stopped["StateTransitionReason"])
    assert "PublicIpAddress" not in stopped

    starting = yard.ec2.start_instances(InstanceIds=[instance])["StartingInstances"][0]
    assert (starting["CurrentState"]["Name"], starting["PreviousState"]["Name"]) == ("pending", "stopped")
    again = yard.until(instance)
    assert again["PrivateIpAddress"] == running["PrivateIpAddress"]
    assert again["PublicIpAddress"] != running["PublicIpAddress"]

    gone = yard.ec2.terminate_instances(InstanceIds=[instance])["TerminatingInstances"][0]
    assert gone["CurrentState"] == {"Code": 32, "Name": "shutting-down"}
    assert yard.until(instance, "terminated")["StateReason"]["Code"] == "Client.UserInitiatedShutdown"


def test_the_disk_outlives_reboot_and_stop_and_user_data_runs_once(yard: Yard) -> None:
    count = "echo run >> /var/runs; cat /var/runs | wc -l; touch /usr/local/share/mine; ls /usr/local/share/mine"
    script = "#cloud-config\nbootcmd:\n - {}\n - 'echo boot >> /boots; echo boots:$(cat /boots | wc -l); ls /root/kept || true'\n"
    script = script.replace(" - {}\n", "") + f"runcmd:\n - '{count}; touch /root/kept'\n"
    instance, console = yard.booted(script)
    assert "boots:1" in console and "/usr/local/share/mine" in console
    yard.ec2.reboot_instances(InstanceIds=[instance])
    console = yard.until_printed(instance, "login:", 2)
    assert "boots:2" in console and console.count("/root/kept") >= 1
    assert yard.state(instance) == "running"
    yard.ec2.stop_instances(InstanceIds=[instance])
    yard.until(instance, "stopped")
    yard.ec2.start_instances(InstanceIds=[instance])
    console = yard.until_printed(instance, "login:")
    assert "boots:3" in console and "/root/kept" in console
    assert "/usr/local/share/mine" not in console


def test_a_machine_that_powers_itself_off_is_stopped(yard: Yard) -> None:
    instance = yard.launch("(sleep 0.3; shutdown -h now) &")
    stopped = yard.until(instance, "stopped")
    assert stopped["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"
    assert "Power down" in yard.console(instance)


def test_or_terminated_if_it_was_launched_so(yard: Yard) -> None:
    instance = yard.launch("poweroff", InstanceInitiatedShutdownBehavior="terminate")
    assert yard.until(instance, "terminated")["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"


def test_a_reboot_from_inside(yard: Yard) -> None:
    instance = yard.launch("reboot; sleep 60")
    console = yard.until_printed(instance, "login:")
    assert "Restarting system" in console and console.count("Linux version") == 2
    assert yard.state(instance) == "running"


def test_requests_in_the_wrong_state_change_nothing(yard: Yard) -> None:
    instance = yard.launch()
    ids = {"InstanceIds": [instance]}
    yard.until(instance)
    yard.ec2.stop_instances(**ids)
    assert code(yard.ec2.reboot_instances, **ids)[0] == "IncorrectInstanceState"
    yard.until(instance, "stopped")
    assert code(yard.ec2.reboot_instances, **ids)[0] == "IncorrectInstanceState"
    assert yard.ec2.stop_instances(**ids)["StoppingInstances"][0]["CurrentState"]["Name"] == "stopped"
    yard.ec2.terminate_instances(**ids)
    yard.until(instance, "terminated")
    message = f"The instance '{instance}' is not in a state from which it can be started."
    assert code(yard.ec2.start_instances, **ids) == ("IncorrectInstanceState", message)
    assert yard.ec2.terminate_instances(**ids)["TerminatingInstances"][0]["CurrentState"]["Name"] == "terminated"
    assert code(yard.ec2.stop_instances, InstanceIds=["i-0123456789abcdef0"])[0] == "InvalidInstanceID.NotFound"


def test_an_instance_can_be_terminated_before_it_runs(yard: Yard) -> None:
    instance = yard.launch("echo never")
    yard.ec2.terminate_instances(InstanceIds=[instance])
    yard.until(instance, "terminated")


def test_termination_protection(yard: Yard) -> None:
    instance = yard.launch(DisableApiTermination=True)
    assert code(yard.ec2.terminate_instances, InstanceIds=[instance])[0] == "OperationNotPermitted"
    yard.ec2.modify_instance_attribute(InstanceId=instance, DisableApiTermination={"Value": False})
    yard.ec2.terminate_instances(InstanceIds=[instance])
    yard.until(instance, "terminated")


def test_status_checks_begin_with_the_boot(yard: Yard, emulator: Any) -> None:
    instance = yard.launch()
    yard.until(instance)

    def status() -> str:
        found = yard.ec2.describe_instance_status(InstanceIds=[instance])["InstanceStatuses"][0]
        return str(found["InstanceStatus"]["Status"])

    assert status() in ("initializing", "ok")
    emulator.get("/_drydock/clock", {"account": yard.account, "advance": 121})
    assert status() == "ok"


def test_instances_of_one_request_have_addresses_of_their_own(yard: Yard) -> None:
    made = yard.ec2.run_instances(ImageId=yard.image(), InstanceType="t3.nano", MinCount=1, MaxCount=3)["Instances"]
    assert len(made) == 3
    described = [yard.until(each["InstanceId"]) for each in made]
    for name in ("PublicIpAddress", "PrivateIpAddress", "PrivateDnsName"):
        assert len({each[name] for each in described}) == 3
    assert all(each["PublicIpAddress"].startswith("127.") for each in described)


def test_what_can_be_changed_only_while_it_is_stopped(yard: Yard) -> None:
    instance, _ = yard.booted()
    change = {"InstanceId": instance, "InstanceType": {"Value": "t3.small"}}
    refused = code(yard.ec2.modify_instance_attribute, **change)
    assert refused == ("IncorrectInstanceState", f"The instance '{instance}' is not in the 'stopped' state.")
    yard.ec2.stop_instances(InstanceIds=[instance])
    yard.until(instance, "stopped")
    yard.ec2.modify_instance_attribute(**change)
    yard.ec2.modify_instance_attribute(
        InstanceId=instance, UserData={"Value": b"#cloud-config\nbootcmd: [echo changed]\n"}
    )
    yard.ec2.start_instances(InstanceIds=[instance])
    assert yard.until(instance)["InstanceType"] == "t3.small"
    yard.until_printed(instance, "changed")


def test_a_client_token_makes_one(yard: Yard) -> None:
    given = {"ImageId": yard.image(), "InstanceType": "t3.nano", "MinCount": 1, "MaxCount": 1, "ClientToken": "once"}
    first, second = (yard.ec2.run_instances(**given)["Instances"][0]["InstanceId"] for _ in range(2))
    assert first == second
    assert code(yard.ec2.run_instances, **{**given, "InstanceType": "t3.micro"})[0] == "IdempotentParameterMismatch"


def test_the_limit_of_memory_is_the_type_s(yard: Yard) -> None:
    script = "python3 -c 'x = bytearray(900 << 20)' ; echo code=$?; python3 -c 'x = bytearray(50 << 20)'; echo small=$?"
    _, console = yard.booted(script, InstanceType="t3.nano")
    assert "code=137" in console and "small=0" in console


def test_a_killed_first_process_is_no_running_instance(yard: Yard) -> None:
    instance, marker = sleeping(yard, 1)
    parent = int(re.search(r"PPid:\s+(\d+)", Path(f"/proc/{processes(marker)[0]}/status").read_text())[1])  # type: ignore[index]
    os.kill(parent, signal.SIGKILL)
    stopped = yard.until(instance, "stopped")
    assert stopped["StateReason"]["Code"] == "Server.InternalError"
    assert processes(marker) == []
