"""Public addresses are loopback addresses of this computer; two emulators must not both believe that one is theirs.

Who uses one holds a socket of that name in Linux's abstract namespace, which ends with its process, however it ends.
"""

from __future__ import annotations

import contextlib
import socket
import sys


class Claims:
    """Those of one emulator."""

    def __init__(self) -> None:
        self._held: dict[str, socket.socket] = {}

    def take(self, address: str) -> bool:
        """Whether the address is ours now (or was), and programs can listen on it."""
        if address in self._held:
            return True
        with contextlib.ExitStack() as stack:
            try:
                probe = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
                probe.bind((address, 0))
                held = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
                if sys.platform == "linux":
                    held.bind(f"\0drydock-public-address-{address}")
            except OSError:
                return False
            stack.pop_all()
            probe.close()
        self._held[address] = held
        return True

    def release(self, address: str) -> None:
        """Nothing happens if it is not held."""
        held = self._held.pop(address, None)
        if held is not None:
            held.close()
