"""Runs at the start of each Python program in the plain tier, where all tasks share one loopback.

``bind`` of a port the task may think its own goes to a free port of 127.0.0.1 instead, and is noted in the folder that
``DRYDOCK_PORTS`` names (see ``portmap``); ``connect`` to a task's address and port goes to where it really is. Programs
started with ``python -I``, ``-E`` or ``-S`` and servers whose sockets are not made by Python do not pass here.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from typing import Any

_FOLDER = os.environ.get("DRYDOCK_PORTS", "")
_OURS = [address for address in os.environ.get("DRYDOCK_ADDRESSES", "").split(",") if address]
_LOOPBACK = ("127.0.0.1", "localhost", "::1", "::ffff:127.0.0.1")
_ANYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - it is what programs ask for

_bind = socket.socket.bind
_connect = socket.socket.connect
_connect_ex = socket.socket.connect_ex


def _find(address: str, port: int) -> int | None:
    try:
        with open(f"{_FOLDER}/{address}", encoding="ascii") as lines:
            found = [int(line.split()[1]) for line in lines if int(line.split()[0]) == port]
    except OSError:
        return None  # nobody of that address has bound anything
    return found[-1] if found else None


def _note(port: int, real: int) -> None:
    for address in _OURS:
        descriptor = os.open(f"{_FOLDER}/{address}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, f"{port} {real}\n".encode())
        finally:
            os.close(descriptor)


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            _bind(trial, ("127.0.0.1", port))
        except OSError:
            return False
        return True


def _shares_port(sock: socket.socket) -> bool:
    return hasattr(socket, "SO_REUSEPORT") and bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT))


def bind(sock: socket.socket, address: Any) -> None:
    if sock.family not in (socket.AF_INET, socket.AF_INET6) or sock.type != socket.SOCK_STREAM:
        return _bind(sock, address)
    host, port = address[:2]
    if host not in (*_ANYWHERE, *_LOOPBACK, *_OURS):
        return _bind(sock, address)
    if sock.family == socket.AF_INET:
        loopback = "127.0.0.1"
    elif sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY):
        return _bind(sock, ("::1", 0))  # its twin for IPv4 is the one that is noted
    else:
        loopback = "::ffff:127.0.0.1"
    known = _find(_OURS[0], port) if port and _OURS else None
    if known is not None and (_shares_port(sock) or _is_free(known)):
        return _bind(sock, (loopback, known))
    if known is not None:
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    _bind(sock, (loopback, 0))
    if port:
        _note(port, sock.getsockname()[1])
    return None


def _real(sock: socket.socket, address: Any) -> Any:
    if sock.family not in (socket.AF_INET, socket.AF_INET6) or sock.type & 0xF != socket.SOCK_STREAM:
        return address
    host, port = address[:2]
    candidates = _OURS if host in (*_ANYWHERE, *_LOOPBACK) else [str(host)]
    for candidate in candidates:
        real = _find(candidate, port)
        if real is not None:
            return ("127.0.0.1" if sock.family == socket.AF_INET else "::ffff:127.0.0.1", real)
    return address


def connect(sock: socket.socket, address: Any) -> None:
    _connect(sock, _real(sock, address))


def connect_ex(sock: socket.socket, address: Any) -> int:
    return _connect_ex(sock, _real(sock, address))


def _install() -> None:
    socket.socket.bind = bind  # type: ignore[method-assign, assignment]
    socket.socket.connect = connect  # type: ignore[method-assign, assignment]
    socket.socket.connect_ex = connect_ex  # type: ignore[method-assign, assignment]


def _give_way() -> None:
    """Let the interpreter's own sitecustomize run as well, and leave ``sys.path`` as the program expects it."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if entry != here]
    ours = sys.modules.pop("sitecustomize", None)
    try:
        __import__("sitecustomize")
    except ModuleNotFoundError as error:
        if error.name != "sitecustomize":
            raise
        if ours is not None:
            sys.modules["sitecustomize"] = ours


if _FOLDER:
    _install()
    _give_way()
