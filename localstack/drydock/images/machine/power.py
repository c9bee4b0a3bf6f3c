"""``shutdown``, ``poweroff``, ``halt`` and ``reboot`` of a machine: a wish, told to its first process."""

from __future__ import annotations

import os
import signal
import sys


def main() -> int:
    name = os.path.basename(sys.argv[0])
    words = sys.argv[1:]
    if "-c" in words:
        print("shutdown: nothing is scheduled", file=sys.stderr)
        return 1
    when = next((word for word in words if not word.startswith("-")), "now")
    if name == "shutdown" and when not in ("now", "+0"):
        print(f"shutdown: Drydock's machines can only be shut down 'now', not at {when!r}", file=sys.stderr)
        return 1
    again = name == "reboot" or (name == "shutdown" and ("-r" in words or "--reboot" in words))
    os.kill(1, signal.SIGUSR2 if again else signal.SIGUSR1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
