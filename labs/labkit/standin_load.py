"""Sends requests as ab does, and reports as ab does, where there is no ab: ``python -m labkit.standin_load -c 50 -n 1000 URL``."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from urllib.parse import urlsplit


class Count:
    """What was answered so far."""

    def __init__(self) -> None:
        self.left = 0
        self.took: list[float] = []
        self.failed = 0
        self.other = 0


async def visit(host: str, port: int, path: str, count: Count) -> None:
    """One request after another, each over a connection of its own as ab's are."""
    while count.left > 0:
        count.left -= 1
        began = time.monotonic()
        try:
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(f"GET {path} HTTP/1.0\r\nHost: {host}:{port}\r\n\r\n".encode())
            answer = await reader.read(-1)
            writer.close()
            status = answer.split(b" ", 2)[1]
        except (OSError, IndexError):
            count.failed += 1
            continue
        count.other += not status.startswith(b"2")
        count.took.append(time.monotonic() - began)


async def run(concurrency: int, requests: int, url: str) -> str:
    """The report."""
    place, count = urlsplit(url), Count()
    count.left = requests
    began = time.monotonic()
    visitors = [
        asyncio.create_task(visit(place.hostname or "", place.port or 80, place.path or "/", count))
        for _ in range(concurrency)
    ]
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, lambda: [each.cancel() for each in visitors])
    await asyncio.gather(*visitors, return_exceptions=True)
    seconds = time.monotonic() - began
    took = sorted(count.took) or [0.0]
    lines = [
        "This is labkit's load generator, not ab.",
        f"Time taken for tests:   {seconds:.3f} seconds",
        f"Complete requests:      {len(count.took) + count.failed}",
        f"Failed requests:        {count.failed}",
        f"Non-2xx responses:      {count.other}",
        f"Requests per second:    {len(count.took) / seconds:.2f} [#/sec] (mean)",
        f"  50%  {took[len(took) // 2] * 1000:.0f}",
        f"  99%  {took[len(took) * 99 // 100] * 1000:.0f}",
    ]
    return "\n".join(lines)


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(prog="labkit.standin_load", description=__doc__)
    parser.add_argument("-r", action="store_true", help="go on after errors (it always does)")
    parser.add_argument("-c", type=int, default=1, help="requests at a time")
    parser.add_argument("-n", type=int, default=1, help="requests in all")
    parser.add_argument("url")
    told = parser.parse_args()
    sys.stdout.write(asyncio.run(run(told.c, told.n, told.url)) + "\n")


if __name__ == "__main__":
    main()
