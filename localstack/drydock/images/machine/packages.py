"""``yum``, ``dnf``, ``apt-get`` of a machine: there is no repository, so only what is already there can be "installed"."""

from __future__ import annotations

import os
import sys

COMMANDS = {
    "awscli": ("aws",), "awscli-2": ("aws",), "bind-utils": ("dig",), "coreutils": ("ls",), "docker": ("docker",),
    "findutils": ("find",), "gcc": ("gcc",), "httpd": ("httpd", "apache2"), "httpd-tools": ("ab",), "nodejs": ("node",),
    "python3": ("python3",), "python3-pip": ("pip3",), "procps-ng": ("ps",), "util-linux": ("mount",),
}  # fmt: skip
"""Packages whose command has another name"""


def there(package: str) -> bool:
    folders = os.environ.get("PATH", "/usr/bin").split(":")
    wanted = COMMANDS.get(package, (package,))
    return any(os.access(os.path.join(folder, name), os.X_OK) for name in wanted for folder in folders)


def main() -> int:
    tool = os.path.basename(sys.argv[0])
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    action, names = (words[0], words[1:]) if words else ("", [])
    if action in ("update", "upgrade", "check-update", "makecache", "clean", "dist-upgrade") and not names:
        print(f"{tool}: Drydock has no package repository: there is nothing to update. Nothing to do.")
        return 0
    if action in ("install", "reinstall", "groupinstall", "update", "upgrade", "localinstall"):
        missing = [name for name in names if not there(name)]
        for name in names:
            if name in missing:
                print(f"Error: Drydock has no package repository: {name} was not installed", file=sys.stderr)
            else:
                print(f"{name} is there already: it is this computer's own. Nothing to do.")
        return 1 if missing else 0
    if action in ("remove", "erase", "autoremove", "purge"):
        print(
            f"Error: {tool}: Drydock's machines are made of this computer's files: nothing is removed", file=sys.stderr
        )
        return 1
    print(f"Error: {tool}: Drydock has no package repository, and no '{action or 'command'}'", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
