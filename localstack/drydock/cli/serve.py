"""``./lab serve``: the emulator in the foreground, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import errno
import json
import logging
import logging.handlers
import os
import resource
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any

from drydock.cli.places import ENDPOINT_FILE, state_folder
from drydock.emulator import Config, Emulator
from drydock.errors import UserError

LOG_FILE = "drydock.log"
MANY_FILES = 65536


def run(arguments: argparse.Namespace) -> int:
    """Serve until told to end."""
    state = state_folder(arguments.state)
    config = Config(
        host=arguments.host,
        port=arguments.port,
        state=state,
        speed=arguments.speed,
        seed=arguments.seed,
        epoch=arguments.epoch,
        account=arguments.account,
        runtime=arguments.runtime,
        runtime_tier=arguments.runtime_tier,
        test_endpoints=arguments.test_endpoints,
        instant=arguments.instant,
        allow_hosts=arguments.allow_host,
    )
    try:
        with _new_runner() as runner:
            return runner.run(_serve(config, arguments.verbose))
    except (OSError, sqlite3.OperationalError) as error:
        if not _disk_is_full(error):
            raise
        raise UserError(
            f"There is no space left for the state folder {state}.", "Free some, or choose another folder with --state."
        ) from error


def _disk_is_full(error: OSError | sqlite3.OperationalError) -> bool:
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return error.sqlite_errorcode == sqlite3.SQLITE_FULL


def _allow_many_files() -> None:
    """Each connection and each container takes descriptors; shells allow 1024 and would let us have more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MANY_FILES if hard == resource.RLIM_INFINITY else min(hard, MANY_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _new_runner() -> asyncio.Runner:
    try:
        import uvloop
    except ImportError:  # not on every platform; asyncio's own loop does the same, slower
        return asyncio.Runner()
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


async def _serve(config: Config, verbose: bool) -> int:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, ended.set)
    emulator = Emulator(config)
    _log_to(config.state, verbose)
    started = False
    try:
        await _start(emulator)
        started = True
        url = _write_endpoint(emulator)
        print(f"drydock serves on {url} (containers: {emulator.runtime_info.reason})", flush=True)
        await ended.wait()
    finally:
        (config.state / ENDPOINT_FILE).unlink(missing_ok=True)
        await emulator.close()
        if not started:
            logging.getLogger(__name__).info("could not start")
    return 0


async def _start(emulator: Emulator) -> None:
    """Raises UserError; for what nobody has foreseen, the log has the story."""
    try:
        await emulator.start()
    except (UserError, OSError, sqlite3.OperationalError, asyncio.CancelledError):
        raise
    except Exception as error:
        logging.getLogger(__name__).info("could not start", exc_info=error)
        raise UserError(
            f"The emulator could not start: {type(error).__name__}: {error}.",
            f"{emulator.config.state / LOG_FILE} has the details; './lab doctor' may know more.",
        ) from error


def _write_endpoint(emulator: Emulator) -> str:
    host = "127.0.0.1" if emulator.config.host in ("0.0.0.0", "::") else emulator.config.host  # noqa: S104
    url = f"http://{f'[{host}]' if ':' in host else host}:{emulator.port}"
    temporary = emulator.config.state / f"{ENDPOINT_FILE}.new"
    temporary.write_text(json.dumps({"url": url, "pid": os.getpid()}))
    temporary.replace(emulator.config.state / ENDPOINT_FILE)
    return url


class _WithoutTraceback(logging.Formatter):
    """For people; the log file has the whole story."""

    def format(self, record: logging.LogRecord) -> str:
        return self.formatMessage(_with_message(record))


def _with_message(record: logging.LogRecord) -> logging.LogRecord:
    record.message = record.getMessage()
    return record


def _log_to(state: Path, verbose: bool) -> None:
    """Warnings to the terminal, everything to a file of bounded size."""
    terminal = logging.StreamHandler(sys.stderr)
    terminal.setLevel(logging.INFO if verbose else logging.WARNING)
    terminal.setFormatter(_WithoutTraceback("drydock: %(message)s"))
    handlers: list[Any] = [terminal]
    try:
        file = logging.handlers.RotatingFileHandler(state / LOG_FILE, maxBytes=5 << 20, backupCount=2, delay=False)
    except OSError as error:
        raise UserError(f"The log file in {state} cannot be written: {error.strerror}.", "Free some space.") from error
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handlers.append(file)
    logging.basicConfig(level=logging.INFO, handlers=handlers, force=True)
    logging.raiseExceptions = False  # a full disk must not flood the terminal with tracebacks of the log itself
