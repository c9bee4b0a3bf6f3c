"""What Lambda takes, refuses and says."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from drydock.errors import AwsError, NotImplementedByDrydock
from drydock.services.functions import archives, metrics, rules
from drydock.services.functions.archives import BadArchive, unpack
from drydock.services.functions.model import Function
from drydock.store import Scope

SCOPE = Scope("123456789012", "eu-west-1")
FACTS = {
    "name": "f", "arn": "arn:aws:lambda:eu-west-1:123456789012:function:f", "version": "$LATEST", "package": "Zip",
    "runtime": "python3.12", "handler": "m.h", "role": "arn:aws:iam::123456789012:role/r", "memory": 128, "timeout": 3,
    "environment": {"X": "1", "AWS_REGION": "nowhere"}, "policy": "{}", "reserved": None, "async": {}, "weights": {},
}  # fmt: skip
F = Function.of(FACTS, ())


@pytest.mark.parametrize(
    ("given", "qualifier", "found"),
    [
        ("f", None, ("f", "")),
        ("f", "3", ("f", "3")),
        ("f:live", None, ("f", "live")),
        ("f:live", "live", ("f", "live")),
        ("f:$LATEST", None, ("f", "$LATEST")),
        ("function:f", None, ("f", "")),
        ("123456789012:function:f", None, ("f", "")),
        ("123456789012:function:f:2", None, ("f", "2")),
        ("arn:aws:lambda:eu-west-1:123456789012:function:f", None, ("f", "")),
        ("arn:aws:lambda:eu-west-1:123456789012:function:f:2", None, ("f", "2")),
    ],
)
def test_names(given: str, qualifier: str | None, found: tuple[str, str]) -> None:
    assert rules.parsed_name(given, qualifier, SCOPE) == found


@pytest.mark.parametrize(("given", "qualifier"), [("a b", None), ("f:1", "2"), ("arn:aws:s3:::f", None), ("", None)])
def test_names_that_are_none(given: str, qualifier: str | None) -> None:
    with pytest.raises(AwsError) as caught:
        rules.parsed_name(given, qualifier, SCOPE)
    assert caught.value.code == "InvalidParameterValueException"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("arn:aws:lambda:us-east-1:123456789012:function:f",
         "Functions from 'us-east-1' are not reachable in this region ('eu-west-1')"),
        ("arn:aws:lambda:eu-west-1:999999999999:function:f",
         "Function not found: arn:aws:lambda:eu-west-1:999999999999:function:f"),
    ],
)  # fmt: skip
def test_functions_of_others(given: str, message: str) -> None:
    with pytest.raises(AwsError) as caught:
        rules.parsed_name(given, None, SCOPE)
    assert (caught.value.code, caught.value.message) == ("ResourceNotFoundException", message)


@pytest.mark.parametrize(
    "payload, event", [(b"", "{}"), (b'{"a": 1}', '{"a": 1}'), (b"3", "3"), (b'"\xc3\xa4"', '"ä"')]
)
def test_events(payload: bytes, event: str) -> None:
    assert rules.event_of(payload, asynchronous=False) == event


@pytest.mark.parametrize("payload", [b"{", b"\xff", b"[" * 100_000])
def test_events_that_are_no_json(payload: bytes) -> None:
    with pytest.raises(AwsError, match="Could not parse request body into json") as caught:
        rules.event_of(payload, asynchronous=False)
    assert (caught.value.code, caught.value.status) == ("InvalidRequestContentException", 400)


@pytest.mark.parametrize(("asynchronous", "limit"), [(False, 6 << 20), (True, 1 << 20)])
def test_events_that_are_too_large(asynchronous: bool, limit: int) -> None:
    fits = b'"' + b"a" * (limit - 2) + b'"'
    assert len(rules.event_of(fits, asynchronous)) == limit
    with pytest.raises(AwsError) as caught:
        rules.event_of(b" " + fits, asynchronous)
    assert (caught.value.code, caught.value.status) == ("RequestTooLargeException", 413)


def test_reports() -> None:
    told = rules.report(F, "r", took=0.0012, init=0.2, memory=40 << 20)
    assert told == (
        "REPORT RequestId: r\tDuration: 1.20 ms\tBilled Duration: 202 ms\tMemory Size: 128 MB\tMax Memory Used: 40 MB\t"
        "Init Duration: 200.00 ms\t"
    )
    assert "Max Memory Used" not in rules.report(F, "r", 1.0, 0.0, 0)
    assert "Max Memory Used: 128 MB" in rules.report(F, "r", 1.0, 0.0, 500 << 20)
    assert rules.report(F, "r", 3.0, 0.0, 1, "timeout").endswith("\tStatus: timeout\t")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (0, "Runtime exited without providing a reason"),
        (3, "Runtime exited with error: exit status 3"),
        (137, "Runtime exited with error: signal: killed"),
        (139, "Runtime exited with error: signal: 11"),
    ],
)
def test_ends_without_an_answer(code: int, reason: str) -> None:
    assert json.loads(rules.exited("r", code)) == {
        "errorType": "Runtime.ExitError", "errorMessage": f"RequestId: r Error: {reason}",
    }  # fmt: skip


def test_a_function_s_variables_do_not_hide_lambda_s() -> None:
    found = rules.environment(F, SCOPE, "stream")
    assert (found["X"], found["AWS_REGION"]) == ("1", "eu-west-1")


@pytest.mark.parametrize(
    ("failures", "retries", "now", "due"),
    [
        (1, 2, 10.0, 70.0),
        (2, 2, 100.0, 220.0),
        (3, 2, 300.0, None),
        (1, 0, 10.0, None),
        (1, 2, 950.0, None),  # older than a thousand seconds by then
    ],
)
def test_retries_of_events(failures: int, retries: int, now: float, due: float | None) -> None:
    function = replace(F, retries=retries, oldest=1000.0)
    assert rules.next_try(failures, accepted=0.0, function=function, now=now) == due


def test_what_could_not_be_begun_is_tried_for_six_hours_at_longer_and_longer_intervals() -> None:
    waits = [rules.begun_again(delays, accepted=0.0, oldest=21600.0, now=1000.0) for delays in range(1, 11)]
    assert waits == [1000.0 + wait for wait in (1, 2, 4, 8, 16, 32, 64, 128, 256, 300)]
    assert rules.begun_again(1, accepted=0.0, oldest=1000.5, now=1000.0) is None


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (rules.throttled(), True),
        (AwsError("ServiceException", status=500), True),
        (AwsError("ServiceUnavailable", status=503), True),
        (rules.not_found("f"), False),
        (NotImplementedByDrydock("lambda", "Invoke"), False),
        (AwsError("InvalidParameterValueException", status=400), False),
        (AwsError("ValidationError"), False),
    ],
)
def test_which_errors_may_pass(error: AwsError, passes: bool) -> None:
    assert rules.may_pass(error) is passes


@pytest.mark.parametrize(
    ("draw", "version"), [(0.0, "1"), (0.09, "1"), (0.1, "2"), (0.29, "2"), (0.31, ""), (0.99, "")]
)
def test_versions_of_an_alias_with_weights(draw: float, version: str) -> None:
    assert rules.version_for(draw, {"2": 0.2, "1": 0.1}) == version


def test_retries_are_two_within_six_hours_unless_somebody_says_otherwise() -> None:
    assert (F.retries, F.oldest) == (2, 21600.0)
    told = Function.of({**FACTS, "async": {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}}, ())
    assert (told.retries, told.oldest) == (0, 60.0)


@pytest.mark.parametrize(
    ("params", "word"),
    [
        ({"VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": []}}, "VpcConfig"),
        ({"DeadLetterConfig": {"TargetArn": "arn:aws:sqs:eu-west-1:1:q"}}, "DeadLetterConfig"),
        ({"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:eu-west-1:1:q"}}}, "DestinationConfig"),
        ({"FileSystemConfigs": [{}]}, "FileSystemConfigs"),
        ({"TracingConfig": {"Mode": "Active"}}, "TracingConfig"),
        ({"TracingConfig": {"Mode": "PassThrough"}}, ""),
        ({"LoggingConfig": {"LogFormat": "JSON"}}, "LoggingConfig"),
        ({"LoggingConfig": {"LogGroup": "mine"}}, "LoggingConfig"),
        ({"LoggingConfig": {"LogFormat": "Text"}, "PackageType": "Zip"}, ""),
        ({"Code": {"ImageUri": "x"}}, "Container images"),
        ({"Code": {"S3Bucket": "b", "S3Key": "k", "S3ObjectVersion": "1"}}, "S3ObjectVersion"),
        ({"VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []}, "DeadLetterConfig": {}, "DestinationConfig": {}}, ""),
        ({}, ""),
    ],
)
def test_what_nobody_here_does(params: dict[str, Any], word: str) -> None:
    told = rules.not_done(params)
    assert told.startswith(word) and bool(told) == bool(word)


@pytest.mark.parametrize(
    ("change", "word"), [({}, ""), ({"runtime": "nodejs22.x"}, "nodejs22.x"), ({"package": "Image"}, "images")]
)
def test_what_cannot_run_here(change: dict[str, str], word: str) -> None:
    assert word in rules.unserved(replace(F, **change)) and bool(rules.unserved(replace(F, **change))) == bool(word)


def test_an_invocation_is_counted_for_the_function_and_for_all() -> None:
    found = metrics.invoked("f", 60.0, took=0.5, failed=True, at_once=2)
    counted = {(datum.metric.name, len(datum.metric.dimensions)): datum.samples for datum in found}
    assert counted["Errors", 0] == counted["Errors", 1] == ((1.0, 1.0),)
    assert counted["Duration", 1] == ((500.0, 1.0),)
    assert counted["ConcurrentExecutions", 2] == ((2.0, 1.0),)


# --- archives ---------------------------------------------------------------------------------------------------------


def zipped(**files: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/"), content)
    return made.getvalue()


def test_an_archive_becomes_a_folder(tmp_path: Path) -> None:
    unpack(zipped(**{"m.py": b"x", "deep__er__n.py": b"y"}), tmp_path / "task")
    assert (tmp_path / "task" / "m.py").read_bytes() == b"x"
    assert (tmp_path / "task" / "deep" / "er" / "n.py").read_bytes() == b"y"
    unpack(b"", tmp_path / "none")
    assert list((tmp_path / "none").iterdir()) == []


def _link() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        entry = zipfile.ZipInfo("passwd")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    return made.getvalue()


def _damaged() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("out.txt", bytes(range(256)) * 40)
    content = bytearray(made.getvalue())
    content[45:60] = b"\xff" * 15
    return bytes(content)


@pytest.mark.parametrize(
    "archive",
    [
        b"no archive",
        zipped(m=b"x" * 1000)[:-30],
        zipped(**{"..__out.py": b"x"}),
        zipped(**{"a__..__..__out.py": b"x"}),
        zipped(**{"__tmp__out.py": b"x"}),
        _link(),
        _damaged(),
    ],
)
def test_archives_that_nothing_is_made_of(tmp_path: Path, archive: bytes) -> None:
    with pytest.raises(BadArchive):
        unpack(archive, tmp_path / "in" / "task")
    assert not list(tmp_path.rglob("out.py")) and not list(tmp_path.rglob("passwd"))


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "LARGEST_UNZIPPED", 100)
    with pytest.raises(BadArchive, match="smaller than 100 bytes"):
        unpack(zipped(a=b"0" * 60, b=b"0" * 60), tmp_path / "task")
    assert not list((tmp_path / "task").iterdir())
