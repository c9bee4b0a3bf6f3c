"""From a forked child to the container's program: descriptors, user, limits, exec; and the small init that can stand above it.

A child tells what went wrong through its *report*, a pipe that closes by itself when the program starts: messages
(``{"error": ...}``, and in the plain tier first ``{"pid": ...}``).
"""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import select
import signal
import termios

from drydock.runtime.process.messages import pack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, NoReturn

FORWARDED = frozenset(
    {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH}
)
"""Signals that an init hands on to the program"""
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CANNOT_START, NOT_EXECUTABLE, NOT_FOUND = 125, 126, 127
"""Docker's codes: we failed before the command, it cannot be run, there is none"""


def exit_code(status: int) -> int:
    """Of a wait status, as a shell gives it."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def tell(report: int, **members: Any) -> None:
    os.write(report, pack(members))


def fail(report: int, error: BaseException) -> NoReturn:
    """End the child because of what went wrong before its command."""
    if isinstance(error, OSError):
        text = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    else:
        text = f"{type(error).__name__}: {error}"
    try:
        tell(report, error=text, errno=getattr(error, "errno", None))
    finally:  # also when nobody hears it any more: whatever is above us on the stack is the helper's, which we are not
        os._exit(CANNOT_START)


def forget_parent(kept: set[int]) -> None:
    """Undo in a child what it copied from the helper: its descriptors (other tasks' namespaces and pipes would never
    close) and its signal handling."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for name in os.listdir("/dev/fd" if not os.path.exists("/proc/self/fd") else "/proc/self/fd"):
        if int(name) not in kept and int(name) > 2:
            try:
                os.close(int(name))
            except OSError as error:
                if error.errno != errno.EBADF:  # the one that listed the folder
                    raise


def take_stdio(stdio: list[int], pty: bool) -> None:
    """``stdio`` is one pty, thrice, or three descriptors."""
    for target, descriptor in enumerate(stdio):
        os.dup2(descriptor, target)
    if pty:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def set_limits(ulimits: dict[str, list[int]]) -> None:
    """Docker's names (``nofile``) are those of RLIMIT_*. Raises OSError naming the limit."""
    for name, (soft, hard) in ulimits.items():
        number = getattr(resource, f"RLIMIT_{name.upper()}", None)
        if number is None:
            raise OSError(errno.EINVAL, "no such limit on this system", f"ulimit {name}")
        try:
            resource.setrlimit(number, (soft, hard))
        except (OSError, ValueError) as error:
            raise OSError(errno.EPERM, str(error), f"ulimit {name}={soft}:{hard}") from error


class User:
    """Who the program runs as."""

    __slots__ = ("gid", "groups", "home", "uid")

    def __init__(self, uid: int, gid: int, groups: list[int], home: str) -> None:
        self.uid = uid
        self.gid = gid
        self.groups = groups
        self.home = home


def _rows(path: str) -> list[list[str]]:
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8", errors="replace") as file:
        return [line.rstrip("\n").split(":") for line in file if line.count(":") >= 3]


def find_user(text: str) -> User:
    """``uid``, ``name``, either with ``:gid`` or ``:group``, by the /etc of the root we are in. Raises OSError."""
    name, _, group = (text or "0").partition(":")
    users = [row for row in _rows("/etc/passwd") if len(row) >= 6]
    groups = _rows("/etc/group")
    row = next((row for row in users if name in (row[0], row[2])), None)
    if row is None and not name.isdigit():
        raise OSError(errno.EINVAL, "no matching entries in passwd file", f"unable to find user {name}")
    uid, gid, home = (int(row[2]), int(row[3]), row[5]) if row else (int(name), 0, "/")
    others = [int(g[2]) for g in groups if row and row[0] in g[3].split(",")]
    if group:
        found = next((g for g in groups if group in (g[0], g[2])), None)
        if found is None and not group.isdigit():
            raise OSError(errno.EINVAL, "no matching entries in group file", f"unable to find group {group}")
        gid, others = int(found[2]) if found else int(group), []
    return User(uid, gid, sorted({gid, *others}), home if row or uid else "/root")


def become(user: User) -> None:
    """As root only. The standard descriptors become the user's, so that it may open /dev/stdout."""
    if user.uid:
        for descriptor in range(3):
            os.fchown(descriptor, user.uid, -1)
    os.setgroups(user.groups)
    os.setgid(user.gid)
    os.setuid(user.uid)


def run(argv: list[str], env: dict[str, str], report: int, named: str = "") -> NoReturn:
    """The last step. ``named`` is what the user calls the command, if not by its path here."""
    for ignored in signal.valid_signals():  # by CPython, or by the shell that started us; exec would keep that
        if signal.getsignal(ignored) == signal.SIG_IGN:
            signal.signal(ignored, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.umask(0o022)
    code, number = NOT_FOUND, errno.ENOENT
    folders = [""] if "/" in argv[0] else [folder + "/" for folder in env["PATH"].split(":")]
    for folder in folders:  # not os.execvpe: it imports a module, and there may be no Python here any more
        try:
            os.execve(folder + argv[0], argv, env)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                code, number = NOT_EXECUTABLE, error.errno or 0
    command = named or argv[0]
    tell(report, error=f'exec: "{command}": {_why_not(command, number)}', errno=number)
    os._exit(code)


def _why_not(command: str, number: int) -> str:
    """In the words of runc, which AWS passes on."""
    if number == errno.ENOENT:
        found = "stat {}: no such file or directory" if "/" in command else "executable file not found in $PATH"
        return found.format(command)
    words = os.strerror(number)
    return words[:1].lower() + words[1:]


def supervise(start: Callable[[], int], lifeline: int | None, at_end: Callable[[bool], None]) -> NoReturn:
    """Be the init above a program: hand on signals, reap orphans, end with the program's code.

    ``start`` forks the program and returns its pid; signals that come before are kept for it. When ``lifeline`` (a
    pipe's end) closes, everything is killed. ``at_end`` is called before the end, to kill who is left, with whether it
    ends because of the lifeline.
    """
    wake, noted = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(noted, False)
    for number in (*FORWARDED, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(noted, warn_on_full_buffer=False)
    app = start()
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    poll = select.poll()
    poll.register(wake, select.POLLIN)
    if lifeline is not None:
        poll.register(lifeline, select.POLLIN | select.POLLHUP)
    while True:
        status = _reap_until(app)
        if status is not None:
            at_end(False)
            os._exit(exit_code(status))
        ready = {descriptor for descriptor, _ in poll.poll()}
        if lifeline in ready:
            at_end(True)
            os._exit(128 + signal.SIGKILL)
        _forward(os.read(wake, 256), app)


def _forward(numbers: Iterable[int], app: int) -> None:
    for number in numbers:
        if number != signal.SIGCHLD:
            os.kill(app, number)


def _reap_until(app: int) -> int | None:
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == app:
            return status
        if pid == 0:
            return None
