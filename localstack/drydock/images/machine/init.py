"""The first process of a machine: boots, runs the user data in cloud-init's order, then reaps until it is told to end.

Its standard output is the machine's console. What the emulator is to know goes to its standard error, one JSON document a
line: ``{"event": "running"}``, ``user-data-done``, ``poweroff``, ``reboot``. The plan is ``/run/drydock/plan.json``
(``services/ec2/user_data.py`` makes it of the user data). As with cloud-init a module runs once for an instance, unless
it says ``always``; that it ran is a file under ``/var/lib/cloud/instances/<id>/sem``.

SIGTERM ends the machine; SIGUSR1 is a program's wish to power off, SIGUSR2 to reboot (:mod:`power`).
"""

from __future__ import annotations

import base64
import json
import os
import select
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

PLAN = "/run/drydock/plan.json"
OUTPUT_LOG = "/var/log/cloud-init-output.log"
CLOUD = "/var/lib/cloud"
VERSION = "22.2.2 (Drydock's stand-in)"
WISHES: dict[int, str] = {signal.SIGTERM: "stop", signal.SIGUSR1: "poweroff", signal.SIGUSR2: "reboot"}
GRACE = 2.0
"""Real seconds that programs have between SIGTERM and SIGKILL when the machine ends"""
MODULES = {
    "boothook": ("init", "boothook"),
    "bootcmd": ("init", "bootcmd"),
    "write_files": ("init", "write-files"),
    "packages": ("modules:final", "package-update-upgrade-install"),
    "write_files_deferred": ("modules:final", "write-files-deferred"),
    "scripts": ("modules:final", "scripts-user"),
}
"""Of a plan, in the order in which they run: cloud-init's stage and its module's name"""


class Ending(Exception):
    """The machine is to end: ``how`` is ``stop``, ``poweroff`` or ``reboot``."""

    def __init__(self, how: str) -> None:
        super().__init__(how)
        self.how = how


class Machine:
    def __init__(self, plan: dict[str, Any], control: int) -> None:
        self.plan = plan
        self.control = control
        self.began = time.monotonic()
        self.wishes: list[str] = []
        self.ended: dict[int, int] = {}
        self.log: int | None = None
        self.output, self.input = os.pipe()
        os.set_blocking(self.output, False)
        self.wake, noted = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(noted, False)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT):
            signal.signal(number, self.note)
        signal.set_wakeup_fd(noted, warn_on_full_buffer=False)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        self.poll = select.poll()
        self.poll.register(self.output, select.POLLIN)
        self.poll.register(self.wake, select.POLLIN)

    def note(self, number: int, _: object) -> None:
        if number in WISHES:
            self.wishes.append(WISHES[number])

    # ------------------------------------------------------------------ output

    def write(self, data: bytes) -> None:
        """To the console, and to cloud-init's log while it is open."""
        for target in (1, self.log):
            view = memoryview(data) if target is not None else memoryview(b"")
            while target is not None and view:
                view = view[os.write(target, view) :]

    def say(self, text: str) -> None:
        self.write(text.encode() + b"\n")

    def kernel(self, text: str) -> None:
        self.say(f"[{time.monotonic() - self.began:12.6f}] {text}")

    def warn(self, module: str, text: str) -> None:
        now = time.time()
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now))
        self.say(f"{stamp},{int(now % 1 * 1000):03d} - {module}[WARNING]: {text}")

    def tell(self, event: str) -> None:
        os.write(self.control, json.dumps({"event": event}).encode() + b"\n")

    # ------------------------------------------------------------------ processes

    def step(self, timeout: float | None = None, ending: bool = False) -> None:
        """Wait for something, pass output on, reap. Raises Ending if that is wished."""
        found = {descriptor for descriptor, _ in self.poll.poll(None if timeout is None else timeout * 1000)}
        if self.wake in found:
            os.read(self.wake, 4096)
        self.pump()
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            self.ended[pid] = os.waitstatus_to_exitcode(status)
        if self.wishes and not ending:
            raise Ending(self.wishes[0])

    def pump(self) -> None:
        while True:
            try:
                data = os.read(self.output, 1 << 16)
            except BlockingIOError:
                return
            self.write(data)

    def run(self, argv: list[str]) -> int:
        """A program of the user data, to its end; what it leaves running in the background stays. The exit code, as a
        shell gives it."""
        pid = os.fork()
        if pid == 0:
            self.become(argv)
        self.ended.pop(pid, None)
        while pid not in self.ended:
            self.step()
        self.pump()
        code = self.ended.pop(pid)
        self.ended.clear()
        return code if code >= 0 else 128 - code

    def become(self, argv: list[str]) -> NoReturn:
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            os.setsid()
            null = os.open(os.devnull, os.O_RDONLY)
            os.dup2(null, 0)
            os.dup2(self.input, 1)
            os.dup2(self.input, 2)
            os.closerange(3, 256)
            os.chdir("/")
            os.execve(argv[0], argv, os.environ)
        except OSError as error:
            os.write(2, f"{argv[0]}: {error.strerror}\n".encode())
        os._exit(126)

    # ------------------------------------------------------------------ boot

    def boot(self) -> None:
        system = os.uname()
        self.kernel(f"Linux version {system.release} ({system.machine}), the kernel of the computer that runs Drydock")
        self.kernel(f"Drydock: {self.plan['instance_id']} is a stand-in for {self.plan['image_name']}")
        self.kernel("Drydock: its programs are this computer's own; its disk and its network are its own")
        self.write_settings()
        if os.path.exists(OUTPUT_LOG) or self.plan["modules"]:
            os.makedirs(os.path.dirname(OUTPUT_LOG), exist_ok=True)
        self.tell("running")
        self.log = os.open(OUTPUT_LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        self.cloud_init()
        self.tell("user-data-done")
        self.say("")
        self.say("Amazon Linux 2023 (Drydock's stand-in)")
        self.say(f"Kernel {system.release} on an {system.machine} (-)")
        self.say("")
        self.say(f"{system.nodename.partition('.')[0]} login: ")

    def write_settings(self) -> None:
        """Where AWS's API is, for programs that do not inherit it from here."""
        told = self.plan["environment"]
        lines = "".join(f"{name}={value}\n" for name, value in told.items())
        exports = "".join(f"export {name}={value}\n" for name, value in told.items())
        os.makedirs("/etc/profile.d", exist_ok=True)
        for path, text in (("/etc/environment", lines), ("/etc/profile.d/drydock.sh", exports)):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)

    def cloud_init(self) -> None:
        plan = self.plan
        self.home = f"{CLOUD}/instances/{plan['instance_id']}"
        os.makedirs(f"{self.home}/sem", exist_ok=True)
        if not os.path.lexists(f"{CLOUD}/instance"):
            os.symlink(self.home, f"{CLOUD}/instance")
        with open(f"{self.home}/user-data.txt", "wb") as file:
            file.write(base64.b64decode(plan["user_data"]))
        stage = ""
        for wanted in ("init-local", "init", "modules:config", "modules:final"):
            self.begin(wanted)
            if wanted == "init":
                for module, text in plan["warnings"]:
                    self.warn(module, text)
            for name, (stage, module) in MODULES.items():
                if stage == wanted and plan["modules"].get(name):
                    self.module(name, module, plan["modules"][name])
        stamp = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime())
        up = time.monotonic() - self.began
        self.say(f"Cloud-init v. {VERSION} finished at {stamp}. Datasource DataSourceEc2.  Up {up:.2f} seconds")

    def begin(self, stage: str) -> None:
        stamp = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime())
        up = time.monotonic() - self.began
        self.say(f"Cloud-init v. {VERSION} running '{stage}' at {stamp}. Up {up:.2f} seconds.")

    def module(self, name: str, module: str, content: Any) -> None:
        """Run it, unless it ran before for this instance; a failure is told, and the boot goes on."""
        if name not in ("boothook", "bootcmd"):
            semaphore = f"{self.home}/sem/config_{name}"
            if os.path.exists(semaphore):
                return
            with open(semaphore, "w", encoding="utf-8") as file:
                file.write(f"{os.getpid()}: {time.time():.0f}\n")
        try:
            failed = getattr(self, f"do_{name}")(content)
        except OSError as error:
            self.warn("util.py", f"{error.filename}: {error.strerror}")
            failed = True
        if failed:
            python = module.replace("-", "_")
            self.warn("util.py", f"Running module {module} (<module 'cloudinit.config.cc_{python}'>) failed")

    def script(self, path: str, content: str) -> list[str]:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(base64.b64decode(content))
        os.chmod(path, 0o700)
        return [path]

    def do_boothook(self, scripts: list[dict[str, str]]) -> bool:
        codes = [self.run(self.script(f"{self.home}/boothooks/{one['name']}", one["content"])) for one in scripts]
        return any(codes)

    def do_bootcmd(self, content: str) -> bool:
        code = self.run(["/bin/sh", *self.script(f"{self.home}/bootcmd.sh", content)])
        if code:
            self.warn("util.py", "Failed to run bootcmd module bootcmd")
        return code != 0

    def do_write_files(self, files: list[dict[str, Any]]) -> bool:
        failed = False
        for one in files:
            try:
                self.write_file(one)
            except (OSError, KeyError) as error:
                self.warn("util.py", f"Failed to write {one['path']}: {error}")
                failed = True
        return failed

    do_write_files_deferred = do_write_files

    def write_file(self, one: dict[str, Any]) -> None:
        os.makedirs(os.path.dirname(one["path"]) or "/", exist_ok=True)
        with open(one["path"], "ab" if one["append"] else "wb") as file:
            file.write(base64.b64decode(one["content"]))
        os.chmod(one["path"], one["mode"])
        if one["owner"]:
            owner, _, group = one["owner"].partition(":")
            os.chown(one["path"], self.number("passwd", owner), self.number("group", group) if group else -1)

    def number(self, table: str, name: str) -> int:
        if name.isdigit():
            return int(name)
        with open(f"/etc/{table}", encoding="utf-8") as file:
            rows = [line.split(":") for line in file]
        return {row[0]: int(row[2]) for row in rows if len(row) > 2}[name]

    def do_packages(self, names: list[str]) -> bool:
        code = self.run(["/usr/bin/dnf", "install", "-y", *names])
        if code:
            self.warn("cc_package_update_upgrade_install.py", f"Failed to install packages: {names}")
        return code != 0

    def do_scripts(self, scripts: list[dict[str, str]]) -> bool:
        folder = f"{self.home}/scripts"
        paths = [self.script(f"{folder}/{one['name']}", one["content"])[0] for one in scripts]
        failed = []
        for path in sorted(paths):
            code = self.run([path])
            if code:
                self.warn("subp.py", f"Failed running {path} [{code}]")
                failed.append(os.path.basename(path))
        if failed:
            count = f"{len(failed)} failures ({','.join(failed)}) in {len(paths)} attempted commands"
            self.warn(
                "cc_scripts_user.py", f"Failed to run module scripts-user (scripts in {folder}): Runparts: {count}"
            )
        return bool(failed)

    # ------------------------------------------------------------------ the end

    def end(self, how: str) -> NoReturn:
        if how != "stop":
            self.tell(how)
        self.say("")
        self.kernel("systemd-shutdown (Drydock's stand-in): Sending SIGTERM to remaining processes...")
        for number, patience in ((signal.SIGTERM, GRACE), (signal.SIGKILL, GRACE)):
            end = time.monotonic() + patience
            try:
                os.kill(-1, number)
            except ProcessLookupError:
                break
            while time.monotonic() < end and self.others():
                self.step(min(0.05, max(0.0, end - time.monotonic())), ending=True)
        self.pump()
        self.kernel("reboot: Restarting system" if how == "reboot" else "reboot: Power down")
        os._exit(0)

    def others(self) -> bool:
        try:
            os.kill(-1, 0)
        except ProcessLookupError:
            return False
        return True


def main() -> NoReturn:
    control = os.dup(2)
    os.dup2(1, 2)
    with open(PLAN, encoding="utf-8") as file:
        plan = json.load(file)
    os.environ.update(plan["environment"])
    machine = Machine(plan, control)
    try:
        machine.boot()
        while True:
            machine.step()
    except Ending as wish:
        machine.end(wish.how)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    main()
