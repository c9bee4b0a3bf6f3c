"""Which tier works here: not by asking for versions but by starting a container; and if it fails, which step and why."""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING, Any

from drydock.errors import UserError
from drydock.runtime.interface import ContainerSpec, Exit, RuntimeFailure, RuntimeInfo, SandboxSpec

if TYPE_CHECKING:
    from drydock.runtime.process.driver import ProcessRuntime

_TIMEOUT = 10.0
_SAYS = b"works"

# (how the failed step begins, error, why, what to do): the first that fits
_HINTS: tuple[tuple[str, int, str, str], ...] = (
    (
        "unshare",
        errno.ENOSPC,
        "a limit in /proc/sys/user/max_*_namespaces is 0 or used up",
        "Raise it, e.g. `sudo sysctl user.max_user_namespaces=10000 user.max_net_namespaces=10000`.",
    ),
    (
        "unshare",
        errno.EPERM,
        "seccomp, kernel.unprivileged_userns_clone=0 or a chroot forbids user namespaces",
        "In a container: `--security-opt seccomp=unconfined`; on Debian: `sudo sysctl kernel.unprivileged_userns_clone=1`.",
    ),
    (
        "unshare",
        errno.EINVAL,
        "the kernel was built without a namespace that is needed",
        "Use another kernel or the plain tier.",
    ),
    (
        "write /proc",
        errno.EPERM,
        "the uid map is refused: AppArmor, or root without CAP_SETFCAP",
        "On Ubuntu `sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`, or start as a normal user.",
    ),
    (
        "mount",
        errno.EACCES,
        "AppArmor restricts user namespaces (Ubuntu 24.04 and later)",
        "`sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0` allows them.",
    ),
    (
        "mount proc",
        errno.EPERM,
        "the host's /proc is partly masked (we are inside a container)",
        "Start that container with `--security-opt systempaths=unconfined` or `--privileged`.",
    ),
    (
        "mount overlay",
        errno.EINVAL,
        "overlayfs refuses the state folder, and a tmpfs too",
        "Linux 5.11 or newer is needed without root.",
    ),
    ("mount overlay", errno.ENODEV, "the kernel has no overlayfs", "`sudo modprobe overlay` loads it."),
    ("add veth", errno.EOPNOTSUPP, "the kernel has no veth devices", "`sudo modprobe veth` loads them."),
    ("/proc", errno.ENOENT, "there is no /proc", "Mount it, or use the plain tier."),
)


class HelperRefused(Exception):
    """The helper could not make ready: at which step, and the error number if the system gave one."""

    def __init__(self, step: str, number: int | None = None) -> None:
        super().__init__(step)
        self.step = step
        self.number = number

    def why(self) -> tuple[str, str]:
        """(the step and what is behind it, what to do)"""
        for begins, number, reason, remedy in _HINTS:
            if self.number == number and self.step.startswith(begins):
                return f"{self.step} ({reason})", remedy
        return self.step, "Use `--runtime-tier plain`, or `--runtime docker` with an engine."


async def choose_tier(runtime: ProcessRuntime, wanted: str) -> RuntimeInfo:
    """Start the runtime's helper in the tier that is wanted and works. Raises UserError."""
    refused: HelperRefused | None = None
    if wanted != "plain":
        try:
            said = await runtime.launch("namespaces")
            await _try(runtime)
            return _describe_namespaces(said)
        except HelperRefused as error:
            await runtime.close()
            refused = error
    reason = "asked for"
    if refused is not None:
        what, remedy = refused.why()
        if wanted == "namespaces":
            raise UserError(f"The namespaces tier does not work here: {what}.", remedy)
        reason = f"namespaces do not work here: {what}. {remedy}"
    try:
        said = await runtime.launch("plain")
        await _try(runtime)
    except HelperRefused as error:
        await runtime.close()
        raise UserError(
            f"Containers cannot be started here: {error.step}.", "`--runtime docker` uses an engine instead."
        ) from error
    network = "ports of the loopback stand for the containers' (Python programs only)"
    return RuntimeInfo("process", "plain", reason, network, "polled; CPU measured only", said["pid"])


def _describe_namespaces(said: dict[str, Any]) -> RuntimeInfo:
    reason = "unprivileged user namespace" if said["rootless"] else "namespaces as root"
    if said["scratch"] == "memory":
        reason += "; the state folder is on an overlay, so what containers write is kept in memory"
    memory = f"{said['memory']}; CPU {said['cpu']}"
    return RuntimeInfo("process", "namespaces", reason, said["network"], memory, said["pid"])


async def _try(runtime: ProcessRuntime) -> None:
    """A sandbox, a container, its output, its exit. Raises HelperRefused with the step that failed."""
    ended: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
    lines: list[bytes] = []
    spec = ContainerSpec("probe", "probe", (), ("/bin/sh", "-c", f"echo {_SAYS.decode()}"), host_files=True)
    try:
        await runtime.create_sandbox(SandboxSpec("probe", "probe", ("10.255.255.254",)))
        await runtime.start_container(spec, lambda _, line: lines.append(line), ended.set_result)
        how = await asyncio.wait_for(ended, _TIMEOUT)
        await runtime.remove_sandbox("probe")
    except RuntimeFailure as error:
        raise HelperRefused(str(error), _number_in(str(error))) from error
    except TimeoutError as error:
        raise HelperRefused(f"a container did not end within {_TIMEOUT:.0f} seconds") from error
    if how.code or lines != [_SAYS]:
        step = how.error or f"a container ended with code {how.code} and printed {b' '.join(lines)!r}"
        raise HelperRefused(step, _number_in(step))


def _number_in(text: str) -> int | None:
    """Errors of kernel calls are written with their name in brackets (``[EINVAL]``)."""
    name = text.rpartition("[")[2].partition("]")[0]
    return getattr(errno, name, None) if name.isupper() else None
