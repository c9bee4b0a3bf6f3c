"""The calls of Linux that Python 3.11 has no function for, through ctypes; and the errors they end in, which say what was tried.

Imported by the helper and by the children it forks, so it imports little.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
_LOCKED_FLAGS = MS_NOSUID | MS_NODEV | MS_NOEXEC
_MNT_DETACH = 2

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_CAPBSET_DROP, _PR_SET_CHILD_SUBREAPER = 1, 22, 24, 36
_SECCOMP_MODE_FILTER = 2

_X86 = os.uname().machine == "x86_64"
_SYS_PIVOT_ROOT = 155 if _X86 else 41
_AUDIT_ARCH = 0xC000003E if _X86 else 0xC00000B7

# Docker's default capabilities, less MKNOD: there is no device cgroup here that would guard the made nodes.
_KEPT_CAPABILITIES = frozenset({0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 29, 31})

# chown, fchown, lchown, fchownat, setuid, setgid, setreuid, setregid, setgroups, setresuid, setresgid (and 64 bit
# arm's of the same). In a user namespace with a single id they can only fail.
_FAKED_CALLS = (
    (92, 93, 94, 260, 105, 106, 113, 114, 116, 117, 119) if _X86 else (54, 55, 143, 144, 145, 146, 147, 149, 159)
)

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{os.strerror(code)} [{errno.errorcode.get(code, code)}]", what)
    return result


def unshare(flags: int, what: str) -> None:
    _check(_libc.unshare(flags), f"unshare({what})")


def setns(descriptor: int, flags: int) -> None:
    """Enter a namespace, or several of a process if ``descriptor`` is a pidfd (Linux 5.8)."""
    _check(_libc.setns(descriptor, flags), "setns")


def mount(source: str | None, target: str, kind: str | None = None, flags: int = 0, data: str | None = None) -> None:
    def encoded(text: str | None) -> bytes | None:
        return None if text is None else os.fsencode(text)

    what = kind or ("bind" if flags & MS_BIND else "propagation")
    result = _libc.mount(
        encoded(source or "none"), encoded(target), encoded(kind), ctypes.c_ulong(flags), encoded(data)
    )
    _check(result, f"mount {what} on {target}")


def unmount(target: str) -> None:
    _check(_libc.umount2(os.fsencode(target), _MNT_DETACH), f"umount {target}")


def make_read_only(target: str) -> None:
    """Of a mount that is there already. The flags the mount has must be kept: dropping them in a user namespace is EPERM."""
    kept = os.statvfs(target).f_flag & _LOCKED_FLAGS
    mount(None, target, None, MS_REMOUNT | MS_BIND | MS_RDONLY | kept)


def bind(source: str, target: str, read_only: bool = False) -> None:
    mount(source, target, None, MS_BIND | MS_REC)
    if read_only:
        make_read_only(target)


def pivot_into(root: str) -> None:
    """Make ``root`` (a mount point) the root of this mount namespace; the old one lands on top of it and is taken off."""
    os.chdir(root)
    _check(_libc.syscall(_SYS_PIVOT_ROOT, b".", b"."), "pivot_root")
    _check(_libc.umount2(b".", _MNT_DETACH), "umount old root")
    os.chdir("/")


def die_with_parent(signal: int) -> None:
    """Get ``signal`` when the *thread* that started us ends."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal), 0, 0, 0), "prctl(PDEATHSIG)")


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends (instead of pid 1). Nothing where there is no prctl."""
    if hasattr(_libc, "prctl"):
        _check(_libc.prctl(_PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1), 0, 0, 0), "prctl(SUBREAPER)")


def drop_capabilities() -> None:
    """Take from what the next program may have all that Docker's default does not give."""
    for capability in range(64):
        if capability in _KEPT_CAPABILITIES:
            continue
        if _libc.prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0) < 0:
            break  # past the last one that this kernel knows


def pretend_ownership() -> None:
    """Let chown and set*id return success without doing anything, by a seccomp filter that the next program inherits.

    There is one id in an unprivileged user namespace; nginx, apt and many entry points give up if these calls fail.
    """

    def instruction(code: int, yes: int, no: int, value: int) -> bytes:
        return struct.pack("HBBI", code, yes, no, value)

    load, jump_if_equal, answer = 0x20, 0x15, 0x06
    count = len(_FAKED_CALLS)
    program = [
        instruction(load, 0, 0, 4),
        instruction(jump_if_equal, 0, count + 1, _AUDIT_ARCH),
        instruction(load, 0, 0, 0),
        *(instruction(jump_if_equal, count - place, 0, number) for place, number in enumerate(_FAKED_CALLS)),
        instruction(answer, 0, 0, 0x7FFF0000),  # allow
        instruction(answer, 0, 0, 0x00050000),  # errno 0
    ]
    code = ctypes.create_string_buffer(b"".join(program))
    filter_ = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program), ctypes.addressof(code)))
    _check(_libc.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_MODE_FILTER), filter_, 0, 0), "seccomp")


def write_file(path: str, text: str) -> None:
    """For files of /proc and of cgroups: one write, and an error that names the file."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        os.write(descriptor, text.encode())
    except OSError as error:
        error.filename = "write " + path
        raise
    finally:
        os.close(descriptor)
