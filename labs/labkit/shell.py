"""A shell in a running container, by ECS Exec: ``python -m labkit.shell CLUSTER TASK`` in a terminal, on the target that is on.
The AWS CLI with its Session Manager plug-in does the same: ``aws ecs execute-command --interactive``.
"""

from __future__ import annotations

import argparse
import os
import select
import sys
import termios
import tty
from typing import TYPE_CHECKING, Any

from labkit.execute import begin
from labkit.sessions import session

if TYPE_CHECKING:
    from labkit.data_channel import DataChannel


def converse(channel: DataChannel) -> str:
    """Connect this program's terminal with the session until it ends: raw mode, so that Ctrl-C and the like go to the program
    there; the terminal's size is looked at twice a second. What the other side says about the end."""
    source, before = sys.stdin.fileno(), None
    if sys.stdin.isatty():
        before = termios.tcgetattr(source)
        tty.setraw(source)
    try:
        _pass_on(channel, source)
    finally:
        if before is not None:
            termios.tcsetattr(source, termios.TCSADRAIN, before)
        channel.close()
    return channel.told


def _pass_on(channel: DataChannel, source: int) -> None:
    size: tuple[int, int] | None = None
    sources: list[Any] = [channel, source]
    while not channel.ended:
        output = channel.receive(0.0)
        while output:
            output = output[os.write(sys.stdout.fileno(), output) :]
        if channel.begun and not channel.ended and (seen := _size()) != size:
            size = seen
            channel.resize(*seen)
        waiting = sources if channel.begun else sources[:1]
        readable = select.select(waiting, [], [], 0.5)[0] if not channel.ended else []
        if source in readable:
            text = os.read(source, 1024)
            if text:
                channel.type(text)
            else:  # the end of what is piped in: Ctrl-D for the program
                channel.type(b"\x04")
                sources.remove(source)


def _size() -> tuple[int, int]:
    try:
        found = os.get_terminal_size(sys.stdout.fileno())
    except OSError:
        return 300, 100  # as the AWS CLI's plug-in has it where there is no terminal
    return found.columns, found.lines


def main(arguments: list[str] | None = None) -> int:
    """``python -m labkit.shell``"""
    parser = argparse.ArgumentParser(
        prog="python -m labkit.shell", description="A shell in a running container (ECS Exec)."
    )
    parser.add_argument("cluster")
    parser.add_argument("task", help="id or ARN")
    parser.add_argument("--container", help="where the task has several")
    parser.add_argument("--command", default="/bin/sh", help="instead of /bin/sh; run without a shell")
    given = parser.parse_args(arguments)
    told = converse(begin(session(), given.cluster, given.task, given.command, given.container))
    if told:
        print(f"\n{told}", file=sys.stderr)
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
