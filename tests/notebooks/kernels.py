"""Kernels that speak over Unix sockets. Jupyter chooses a kernel's TCP ports before the kernel binds them, and on a machine
that opens many (three workers' emulators, ``ab``) another may have taken one by then: the kernel dies as it starts.

A plug-in of pytest, for nbval (``-p tests.notebooks.kernels``), and papermill's command line (``python kernels.py ...``).
"""

from __future__ import annotations

import tempfile
import uuid
from functools import wraps
from typing import Any

from jupyter_client.manager import KernelManager


def over_unix_sockets() -> None:
    """Every kernel that this process starts from now on; nothing changes when it is called again."""
    begin = KernelManager.__init__
    if hasattr(begin, "__wrapped__"):
        return

    @wraps(begin)
    def begun_over_unix_sockets(self: KernelManager, *args: Any, **kwargs: Any) -> None:
        address = f"{tempfile.gettempdir()}/kernel-{uuid.uuid4().hex[:12]}"
        begin(self, *args, **{"transport": "ipc", "ip": address, **kwargs})

    KernelManager.__init__ = begun_over_unix_sockets  # type: ignore[method-assign]


pytest_configure = over_unix_sockets

if __name__ == "__main__":
    from papermill.cli import papermill

    over_unix_sockets()
    papermill()
