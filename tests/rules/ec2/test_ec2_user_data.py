"""User data of every form becomes a plan, or a warning; nothing that it holds can hurt the emulator."""

from __future__ import annotations

import base64
import gzip
import json
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from typing import Any

import pytest
from drydock.services.ec2 import user_data

SCRIPT = "#!/bin/bash\necho hello\n"


def plan(text: str | bytes) -> dict[str, Any]:
    raw = text.encode() if isinstance(text, str) else text
    made = user_data.plan(base64.b64encode(raw).decode(), "i-1", "al2023-ami-x")
    json.dumps(made)
    return made


def modules(text: str | bytes) -> dict[str, Any]:
    """Of a plan without warnings."""
    made = plan(text)
    assert made["warnings"] == []
    found: dict[str, Any] = made["modules"]
    return found


def warnings(text: str | bytes) -> list[str]:
    return [f"{module}: {message}" for module, message in plan(text)["warnings"]]


def decoded(content: str) -> str:
    return base64.b64decode(content).decode()


def scripts(found: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: decoded(one["content"]) for one in found.get("scripts", [])}


def multipart(*parts: tuple[str, str, str]) -> str:
    """(subtype, file name, content)"""
    whole = MIMEMultipart()
    for subtype, name, content in parts:
        part = MIMEText(content, subtype)
        if name:
            part.add_header("Content-Disposition", f'attachment; filename="{name}"')
        whole.attach(part)
    return whole.as_string()


def test_no_user_data_is_no_plan() -> None:
    for text in ("", "\n", "  \n"):
        assert plan(text)["modules"] == {} == {name: 0 for name, _ in plan(text)["warnings"]}


@pytest.mark.parametrize("shebang", ["#!/bin/bash", "#!/bin/sh", "#!/usr/bin/env python3", "#! /bin/sh"])
def test_a_script_is_part_001(shebang: str) -> None:
    text = f"{shebang}\necho hello\n"
    assert scripts(modules(text)) == {"part-001": text}


def test_gzip_is_unpacked() -> None:
    assert scripts(modules(gzip.compress(SCRIPT.encode()))) == {"part-001": SCRIPT}


def test_a_gzip_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(b"#!/bin/sh\n" + b" " * (user_data.LARGEST_UNPACKED + 1))
    assert len(bomb) < user_data.LARGEST
    assert plan(bomb)["modules"] == {}
    assert "unpacks to more than" in warnings(bomb)[0]


def test_broken_gzip_is_told() -> None:
    assert "begins like gzip" in warnings(b"\x1f\x8bnonsense")[0]


def test_what_is_not_base64_is_told() -> None:
    assert user_data.plan("!!", "i-1", "x")["warnings"] == [
        ("util.py", "Failed to read the user data: Invalid BASE64 encoding of user data.")
    ]


@pytest.mark.parametrize("text", ["echo hello", "ECS_CLUSTER=web", "<powershell>x</powershell>", "\xff\xfe"])
def test_other_text_is_unhandled_as_cloud_init_says_it(text: str) -> None:
    assert plan(text)["modules"] == {}
    assert warnings(text)[0].startswith(
        "__init__.py: Unhandled non-multipart (text/x-not-multipart) userdata: b'" if text.isascii() else "__init__"
    )


def test_includes_are_refused_with_the_reason() -> None:
    assert plan("#include\nhttps://example.com/x")["modules"] == {}
    assert "no internet" in warnings("#include\nhttps://example.com/x")[0]


@pytest.mark.parametrize("begin", ["#part-handler", "#upstart-job", "## template: jinja", "#cloud-config-archive"])
def test_forms_that_are_not_acted_on_are_told(begin: str) -> None:
    assert plan(begin + "\nx")["modules"] == {}
    assert "was left out" in warnings(begin + "\nx")[0]


def test_a_boothook_loses_its_first_line() -> None:
    found = modules("#cloud-boothook\n#!/bin/sh\necho early\n")
    assert [decoded(one["content"]) for one in found["boothook"]] == ["#!/bin/sh\necho early\n"]


# -- multi-part


def test_parts_are_scripts_by_their_file_names() -> None:
    text = multipart(("x-shellscript", "b.sh", "#!/bin/sh\nb\n"), ("x-shellscript", "", "#!/bin/sh\na\n"))
    assert scripts(modules(text)) == {"b.sh": "#!/bin/sh\nb\n", "part-002": "#!/bin/sh\na\n"}


def test_a_file_name_cannot_lead_elsewhere() -> None:
    text = multipart(("x-shellscript", "../../etc/evil", SCRIPT), ("x-shellscript", "/abs", SCRIPT))
    assert all("/" not in name and not name.startswith(".") for name in scripts(modules(text)))


def test_plain_parts_are_known_by_their_first_line() -> None:
    text = multipart(("plain", "a", SCRIPT), ("plain", "b", "#cloud-config\nruncmd: [ls]\n"))
    assert set(scripts(modules(text))) == {"a", "runcmd"}


def test_configs_of_several_parts_are_merged_the_later_wins() -> None:
    text = multipart(
        ("cloud-config", "1", "runcmd: [first]\nbootcmd: [early]\n"), ("cloud-config", "2", "runcmd: [second]\n")
    )
    found = modules(text)
    assert scripts(found) == {"runcmd": "#!/bin/sh\nsecond\n"}
    assert decoded(found["bootcmd"]) == "#!/bin/sh\nearly\n"


def test_headers_without_mime_version_are_taken() -> None:
    text = 'Content-Type: text/x-shellscript; charset="us-ascii"\n\n#!/bin/sh\nls\n'
    assert scripts(modules(text)) == {"part-001": "#!/bin/sh\nls\n"}


def test_aws_batch_style_boundary() -> None:
    text = (
        'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="==B=="\n\n--==B==\n'
        'Content-Type: text/x-shellscript; charset="us-ascii"\n\n#!/bin/bash\necho x\n--==B==--\n'
    )
    assert scripts(modules(text)) == {"part-001": "#!/bin/bash\necho x"}


# -- cloud-config


def test_commands_are_lines_of_shell_or_quoted_words() -> None:
    found = modules('#cloud-config\nruncmd:\n - echo $HOME > /tmp/x\n - [echo, "a b", $HOME]\n - [ls, 5]\n')
    assert scripts(found)["runcmd"] == "#!/bin/sh\necho $HOME > /tmp/x\necho 'a b' '$HOME'\nls 5\n"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("runcmd: ls", "Input to shellify was type 'str'. Expected list or tuple."),
        ("runcmd: [{a: b}]", "Unable to shellify type 'dict'. Expected list, string, tuple."),
        ("bootcmd: {a: b}", "Input to shellify was type 'dict'"),
        ("packages: git", "packages must be a list"),
        ("packages: [{a: b}]", "no package's name"),
        ("packages: [--installroot=/]", "no package's name"),
        ("write_files: x", "write_files must be a list"),
    ],
)
def test_wrong_values_are_told_and_the_rest_goes_on(wrong: str, says: str) -> None:
    text = f"#cloud-config\n{wrong}\n"
    other = "bootcmd: [ls]" if not wrong.startswith("bootcmd") else "runcmd: [ls]"
    assert any(says in told for told in warnings(text + other))
    assert plan(text + other)["modules"]


def files(entry: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = modules(f"#cloud-config\nwrite_files:\n - {entry}\n")["write_files"]
    return found


def test_a_file_has_the_usual_mode_and_no_owner_of_its_own() -> None:
    assert files("{path: /etc/x, content: hello}") == [
        {"path": "/etc/x", "content": base64.b64encode(b"hello").decode(), "mode": 0o644, "owner": "", "append": False}
    ]


@pytest.mark.parametrize(("given", "mode"), [("'0600'", 0o600), ("0o755", 0o755), ("0755", 0o755), ("'755'", 0o755)])
def test_permissions(given: str, mode: int) -> None:
    assert files(f"{{path: /x, permissions: {given}}}")[0]["mode"] == mode


def test_permissions_that_mean_nothing_are_told() -> None:
    text = "#cloud-config\nwrite_files:\n - {path: /x, permissions: rw-r--r--}\n"
    assert plan(text)["modules"]["write_files"][0]["mode"] == 0o644
    assert "returning default 0o644" in warnings(text)[0]


@pytest.mark.parametrize("encoding", ["b64", "base64", "gz+b64", "gzip+base64"])
def test_encoded_contents(encoding: str) -> None:
    data = gzip.compress(b"hello") if encoding.startswith("gz") else b"hello"
    entry = f"{{path: /x, encoding: {encoding}, content: {base64.b64encode(data).decode()}}}"
    assert decoded(files(entry)[0]["content"]) == "hello"


def test_binary_content() -> None:
    assert (
        decoded(files("{path: /x, encoding: gzip, content: !!binary " + _b64(gzip.compress(b"hi")) + "}")[0]["content"])
        == "hi"
    )


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(("encoding", "content"), [("gz", "no"), ("gz+b64", "H4sI"), ("gz+b64", "bm8="), ("b64", "x")])
def test_undecodable_content_is_told(encoding: str, content: str) -> None:
    text = f"#cloud-config\nwrite_files: [{{path: /x, encoding: {encoding}, content: {content}}}]\n"
    assert warnings(text)[0].startswith("cc_write_files.py: Undecodable content of /x")


@pytest.mark.parametrize("entry", ["{content: x}", "{path: relative}", "{path: 5}", "text", "null"])
def test_a_file_without_a_path_is_told(entry: str) -> None:
    assert "No path provided" in warnings(f"#cloud-config\nwrite_files:\n - {entry}\n")[0]


def test_deferred_and_appended_files() -> None:
    found = modules(
        "#cloud-config\nwrite_files: [{path: /a, defer: true}, {path: /b, append: true, owner: 'ec2-user:wheel'}]"
    )
    assert [one["path"] for one in found["write_files_deferred"]] == ["/a"]
    assert (found["write_files"][0]["append"], found["write_files"][0]["owner"]) == (True, "ec2-user:wheel")


def test_packages_by_name_also_with_a_version() -> None:
    assert modules("#cloud-config\npackages: [git, [httpd, '2.4']]")["packages"] == ["git", "httpd"]


@pytest.mark.parametrize(
    "key", ["users", "hostname", "timezone", "ssh_authorized_keys", "mounts", "nonsense", "power_state"]
)
def test_keys_that_are_not_acted_on_are_told(key: str) -> None:
    assert warnings(f"#cloud-config\n{key}: x\n") == [f"cc_{key}.py: Drydock's machines do not act on '{key}'"]


def test_updates_cannot_be_had() -> None:
    assert "no package repository" in warnings("#cloud-config\npackage_update: true\n")[0]
    assert warnings("#cloud-config\npackage_update: false\n") == []


@pytest.mark.parametrize(
    "text",
    [
        "#cloud-config\nruncmd: [\n",
        "#cloud-config\n- a\n- b\n",
        "#cloud-config\njust text\n",
        "#cloud-config\n\truncmd: x\n",
        "#cloud-config\nx: !!python/object/apply:os.system [id]\n",
        "#cloud-config\nx: !vault abc\n",
        "#cloud-config\nx: " + "[" * 3000 + "\n",
        "#cloud-config\nx: " + "[" * 200 + "]" * 200 + "\n",
        b"#cloud-config\nx: \xff\n",
    ],
)
def test_a_document_that_cannot_be_read_is_told_and_changes_nothing(text: str | bytes) -> None:
    assert plan(text)["modules"] == {}
    assert warnings(text)[0].startswith("util.py: Failed loading yaml blob.")


def test_aliases_that_unfold_without_measure_are_refused() -> None:
    lines = ["#cloud-config", "a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert "aliases unfold" in warnings("\n".join(lines) + "\n")[0]


def test_a_few_aliases_are_fine() -> None:
    found = modules("#cloud-config\nbootcmd: &c [ls]\nruncmd: *c\n")
    assert scripts(found) == {"runcmd": "#!/bin/sh\nls\n"}


def test_empty_config_is_no_fault() -> None:
    assert modules("#cloud-config\n") == {}
    assert modules("#cloud-config\nruncmd:\n") == {}
