"""What user data sees and does: its steps in cloud-init's order, the commands of the machine, its network."""

from __future__ import annotations

import gzip
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest

from tests.services.ec2.yard import Yard


def in_order(console: str, *texts: str) -> bool:
    places = [console.find(text) for text in texts]
    assert -1 not in places, (texts, places, console)
    return places == sorted(places)


def test_a_script_runs_as_root_with_its_output_on_the_console(yard: Yard) -> None:
    instance, console = yard.booted("id -u; pwd; hostname; echo to-stderr >&2; cat /etc/os-release")
    described = yard.describe(instance)
    assert in_order(
        console, "Linux version", "running 'init'", "running 'modules:final'", "to-stderr", "finished at", "login:"
    )
    assert f"0\n/\n{described['PrivateDnsName']}\nto-stderr" in console
    assert "Drydock's stand-in for Amazon Linux 2023" in console


@pytest.mark.parametrize("shebang", ["#!/bin/sh", "#!/usr/bin/env python3"])
def test_scripts_of_other_languages(yard: Yard, shebang: str) -> None:
    body = "print('py' + 'thon')" if "python" in shebang else "echo py''thon"
    assert "python\n" in yard.booted(f"{shebang}\n{body}\n")[1]


def test_a_failure_is_shown_as_cloud_init_shows_it_and_the_machine_runs_on(yard: Yard) -> None:
    instance, console = yard.booted("echo before; exit 3")
    assert "[WARNING]: Failed running /var/lib/cloud/instances/" in console and "/scripts/part-001 [3]" in console
    assert "cc_scripts_user.py[WARNING]: Failed to run module scripts-user" in console
    assert yard.state(instance) == "running"


def test_a_cloud_config_in_cloud_init_s_order(yard: Yard) -> None:
    config = """#cloud-config
runcmd:
 - echo three; cat /etc/made /etc/late
packages: [coreutils, nosuchpackage]
write_files:
 - {path: /etc/made, content: "content-two\\n", permissions: '0600', owner: 'ec2-user:ec2-user'}
 - {path: /etc/late, content: "content-late\\n", defer: true}
bootcmd:
 - [echo, one and]
 - ls /etc/made
users: [default]
"""
    _, console = yard.booted(config)
    assert in_order(
        console,
        "do not act on 'users'",
        "one and",
        "nosuchpackage was not installed",
        "three",
        "content-two",
        "content-late",
    )
    assert "cannot access '/etc/made'" in console or "No such file" in console
    assert "coreutils is there already" in console
    assert "Failed to install packages: ['coreutils', 'nosuchpackage']" in console


def test_many_parts(yard: Yard) -> None:
    whole = MIMEMultipart()
    for subtype, name, text in (
        ("cloud-config", "c", "#cloud-config\nruncmd: [echo from-runcmd]\n"),
        ("x-shellscript", "b.sh", "#!/bin/sh\necho from-b\n"),
        ("x-shellscript", "a.sh", "#!/bin/sh\necho from-a\n"),
        ("cloud-boothook", "h", "#cloud-boothook\n#!/bin/sh\necho from-hook\n"),
    ):
        part = MIMEText(text, subtype)
        part.add_header("Content-Disposition", f'attachment; filename="{name}"')
        whole.attach(part)
    _, console = yard.booted(UserData=whole.as_string())
    assert in_order(console, "from-hook", "from-a", "from-b", "from-runcmd")


def test_gzip(yard: Yard) -> None:
    assert "unpacked\n" in yard.booted(UserData=gzip.compress(b"#!/bin/sh\necho unpacked\n"))[1]


def test_what_cannot_be_run_is_said(yard: Yard) -> None:
    assert (
        "Unhandled non-multipart (text/x-not-multipart) userdata: b'just text"
        in yard.booted(UserData="just text, no more")[1]
    )


@pytest.mark.parametrize("command", ["yum install -y nosuch", "dnf -y install nosuch", "apt-get install -y nosuch"])
def test_nothing_can_be_installed_and_the_command_says_so(yard: Yard, command: str) -> None:
    _, console = yard.booted(
        f"{command}; echo code=$?; yum update -y; echo update=$?; yum install -y python3; echo there=$?"
    )
    assert "Drydock has no package repository: nosuch was not installed" in console
    assert "code=1" in console and "update=0" in console and "there=0" in console


def test_what_runs_in_the_background_stays_and_its_output_is_on_the_console(yard: Yard) -> None:
    script = "(while [ ! -e /go ]; do sleep 0.05; done; echo later) &\n(sleep 0.2; touch /go) &\necho done"
    instance, _ = yard.booted(script)
    assert "later" in yard.until_printed(instance, "later")


def test_the_output_is_in_cloud_init_s_log_too(yard: Yard) -> None:
    script = "echo mar''ker; until grep -q ^marker /var/log/cloud-init-output.log; do sleep 0.02; done; echo found-it"
    assert "found-it" in yard.booted(script)[1]


def test_machines_of_one_vpc_reach_each_other(yard: Yard) -> None:
    serve = "mkdir /www; cd /www; echo hello-from-one > index.html; nohup python3 -m http.server 8080 >/dev/null 2>&1 &"
    first, _ = yard.booted(serve)
    address = yard.describe(first)["PrivateIpAddress"]
    ask = (
        "python3 - <<'E'\nimport time, urllib.request\nfor _ in range(100):\n    try:\n"
        f"        print(urllib.request.urlopen('http://{address}:8080/').read().decode()); break\n"
        "    except OSError: time.sleep(0.1)\nE\n"
    )
    assert "hello-from-one" in yard.booted(ask)[1]


def test_the_console_is_empty_at_first_unless_the_latest_is_asked_for(yard: Yard) -> None:
    instance = yard.launch()
    assert "Output" not in yard.ec2.get_console_output(InstanceId=instance)
    yard.until(instance)
    yard.until_printed(instance, "login:")


def test_only_the_latest_64_kib_are_shown(yard: Yard) -> None:
    _, console = yard.booted("for i in $(seq 1 9000); do echo line-$i-................; done")
    assert len(console.encode()) <= 64 << 10
    assert "line-9000-" in console and "line-1-" not in console
