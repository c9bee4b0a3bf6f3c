"""Where the helper process begins: ``python -I -S -c "..." <descriptor>``, see :mod:`driver`.

The first message is the configuration.
"""

from __future__ import annotations

import gc
import os
import resource
import socket
import sys

from drydock.runtime.process.helper import Helper, described
from drydock.runtime.process.messages import RECEIVE_SIZE, Inbox, pack
from drydock.runtime.process.processes import HAS_PROC

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from drydock.runtime.process.tier import Tier


def main(control: socket.socket, configuration: dict[str, Any]) -> None:
    os.set_inheritable(configuration["lock"], False)
    os.umask(0o022)
    usual = resource.getrlimit(resource.RLIMIT_NOFILE)
    configuration["nofile"] = list(usual)
    if HAS_PROC:  # elsewhere "unlimited" is more than the system takes
        resource.setrlimit(resource.RLIMIT_NOFILE, (usual[1], usual[1]))
    try:
        tier = make_tier(control, configuration)
        gc.collect()
        gc.freeze()  # before any fork: a collection would write to every page, and the children share them
        ready = tier.enter()
    except OSError as error:
        control.sendall(pack({"event": "failed", **described(error)}))
        os._exit(1)
    Helper(control, tier).serve({"pid": os.getpid(), **ready})


def make_tier(control: socket.socket, configuration: dict[str, Any]) -> Tier:
    if configuration["tier"] == "namespaces":
        from drydock.runtime.process.namespaces import NamespacesTier

        return NamespacesTier(control, configuration)
    from drydock.runtime.process.plain import PlainTier

    return PlainTier(configuration)


def run_from_command_line() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    inbox = Inbox()
    while data := control.recv(RECEIVE_SIZE):
        for configuration, _ in inbox.feed(data, []):
            main(control, configuration)
