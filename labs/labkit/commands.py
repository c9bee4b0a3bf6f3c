"""Commands of the shell, and errors that are expected."""

from __future__ import annotations

import os
import subprocess
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from botocore.exceptions import ClientError

from labkit import target as targets
from labkit.errors import LabError

NOT_IMPLEMENTED = 501
"""HTTP status"""
WIDTH = 100
"""Characters of a line in a notebook"""


def sh(command: str | Sequence[str], timeout: float = 300, cwd: str | Path | None = None) -> str:
    """Run a command (a line for ``/bin/sh``, or its words), print its output, and answer with it.

    ``timeout`` is in real seconds. The AWS CLI and SDKs in it reach the same target as the notebook. Raises LabError if
    the command fails, which ``!command`` would hide.
    """
    words = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
    shown = command if isinstance(command, str) else " ".join(command)
    try:
        ended = subprocess.run(
            words, cwd=cwd, env={**os.environ, **_aws_environment()}, timeout=timeout, text=True, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace",
        )  # fmt: skip
    except (FileNotFoundError, PermissionError) as error:  # the latter where a folder of PATH may not be looked into
        raise LabError(f"There is no command {words[0]!r} here.", "Install it, or check its spelling.") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{shown!r} was not done within {timeout:g} s.", "Give it a longer timeout.") from error
    if ended.stdout:
        print(ended.stdout, end="" if ended.stdout.endswith("\n") else "\n")
    if ended.returncode:
        raise LabError(f"{shown!r} failed with exit code {ended.returncode}.", "Its output above says why.")
    return ended.stdout


def _aws_environment() -> dict[str, str]:
    target = targets.current()
    if target.name == "aws":
        return {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}  # ./lab up sets AWS_ENDPOINT_URL to the emulator's
    return {
        "AWS_ENDPOINT_URL": target.endpoint,
        "AWS_ACCESS_KEY_ID": target.access_key,
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": target.region,
        "AWS_REGION": target.region,
    }


@contextmanager
def skip_what_is_missing() -> Iterator[None]:
    """``with lab.skip_what_is_missing():`` ends the block, and says so, at the first call that the target does not have
    (the emulator answers NotImplemented, with status 501). Any other error stays one."""
    try:
        yield
    except ClientError as error:
        told, status = error.response["Error"], error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status != NOT_IMPLEMENTED:
            raise
        print("Skipped on this target, which answers:")
        print(textwrap.fill(f"{told['Code']}: {told['Message']}", WIDTH))


@contextmanager
def expect_error(*codes: str) -> Iterator[None]:
    """``with lab.expect_error("ClusterNotFoundException"):`` prints AWS's message; fails if there is no such error."""
    expected = " or ".join(codes)
    try:
        yield
    except ClientError as error:
        told = error.response["Error"]
        if told["Code"] not in codes:
            raise LabError(
                f"Expected {expected}, and AWS answered {told['Code']}: {told['Message']}", "Look at the call above."
            ) from error
        print(f"{told['Code']}: {told['Message']}")
    else:
        raise LabError(f"Expected {expected}, and the call succeeded.", "Look at the call above.")
