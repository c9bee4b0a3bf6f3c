"""A command in a running container, by ECS Exec, with its output and its exit status (a shell: :mod:`labkit.shell`).

AWS's protocol tells no exit status. So the command is run by ``sh -c`` in the container, which afterwards prints a line
of its own with the status; that line is taken out of the output. A container without ``sh`` cannot be asked in this way.
What a command writes to its two outputs comes through one terminal, in one stream.
"""

from __future__ import annotations

import re
import secrets
import shlex
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labkit.errors import LabError

if TYPE_CHECKING:
    from labkit.data_channel import DataChannel

COLUMNS, ROWS = 200, 50
"""Of the terminal that a single command sees"""
_SCRIPT = """sh -c "$1"; printf '\\n%s %d\\n' "$2" $?"""


@dataclass(frozen=True)
class Executed:
    """What a command wrote (lines end with ``\\n``), and its exit status."""

    output: str
    status: int
    session_id: str = ""

    def __str__(self) -> str:
        return self.output


def execute(
    session: Any, cluster: str, task: str, command: str, container: str | None = None, timeout: float = 300.0
) -> Executed:
    """Run a shell command in a task's container, to its end. ``session`` is boto3's, or a client of ECS.

    Raises what ExecuteCommand raises, and LabError if the command does not end in ``timeout`` seconds of real time (it is
    ended then), or if its status cannot be had.
    """
    marker = f"labkit-{secrets.token_hex(8)}"
    channel = begin(session, cluster, task, shlex.join(["sh", "-c", _SCRIPT, "sh", command, marker]), container)
    try:
        output = _to_its_end(channel, time.monotonic() + timeout)
    finally:
        channel.close()
    return _read(output, marker, channel)


def begin(session: Any, cluster: str, task: str, command: str, container: str | None) -> DataChannel:
    """ExecuteCommand, and the channel of the session that it answers with."""
    from labkit.data_channel import DataChannel  # its WebSocket library, which few chapters need

    ecs = session if hasattr(session, "execute_command") else session.client("ecs")
    given = {"container": container} if container else {}
    answer = ecs.execute_command(cluster=cluster, task=task, command=command, interactive=True, **given)
    return DataChannel(answer["session"])


def _to_its_end(channel: DataChannel, deadline: float) -> bytes:
    output, sized = b"", False
    while not channel.ended:
        left = deadline - time.monotonic()
        if left <= 0:
            if channel.begun:
                channel.terminate()
            raise LabError("The command did not end in time, and was ended.", "Give it more with timeout=SECONDS.")
        output += channel.receive(min(left, 1.0) if sized else 0.05)
        if channel.begun and not sized and not channel.ended:
            sized = True
            channel.resize(COLUMNS, ROWS)
    return output


def _read(output: bytes, marker: str, channel: DataChannel) -> Executed:
    text = output.decode("utf-8", "replace").replace("\r\n", "\n")
    found = re.search(rf"\n{marker} (\d+)\n", text)
    if found is None:
        why = channel.told.strip().rpartition("\n")[2] or "The session ended before the command did."
        raise LabError(
            f"The command's status is not known. {why}", "Does the container have sh, and does the task still run?"
        )
    return Executed(text[: found.start()], int(found[1]), channel.session_id)
