"""Where things are: the checkout, the state folder, the running emulator."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import drydock
from drydock.errors import UserError

ENDPOINT_FILE = "endpoint.json"


def checkout() -> Path:
    """The folder with ``lab``, ``labs/`` and ``notebooks/``. Raises UserError where drydock was installed without it."""
    root = Path(drydock.__file__).resolve().parents[2]
    if not (root / "lab").exists():
        raise UserError("This command needs a checkout of the course.", "Clone it and run ./lab there.")
    return root


def state_folder(given: Path | None) -> Path:
    """What --state says, else $DRYDOCK_STATE, else .drydock in the checkout or in the current folder."""
    if given is not None:
        return given
    if env := os.environ.get("DRYDOCK_STATE"):
        return Path(env)
    root = Path(drydock.__file__).resolve().parents[2]
    return (root if (root / "lab").exists() else Path.cwd()) / ".drydock"


def endpoint(state: Path) -> dict[str, Any] | None:
    """``{"url", "pid"}`` of the emulator that uses this folder; None if none does."""
    try:
        found = json.loads((state / ENDPOINT_FILE).read_text())
        os.kill(found["pid"], 0)
    except PermissionError:
        return found
    except (OSError, ValueError, KeyError):
        return None
    return found


def ask(state: Path, path: str, body: dict[str, Any] | None = None) -> Any:
    """GET, or POST ``body``, a page of the running emulator. Raises UserError (nothing runs, or it refuses)."""
    running = endpoint(state)
    if running is None:
        raise UserError(f"No emulator is running on {state}.", "Start one with './lab up' or './lab serve'.")
    return ask_url(running["url"] + path, body)


def ask_url(url: str, body: dict[str, Any] | None = None, patience: float = 30.0) -> Any:
    """The same by URL. ``patience`` is in real seconds."""
    import urllib.error
    import urllib.request

    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})  # noqa: S310
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=patience) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        try:
            told = json.load(error)
            raise UserError(told["error"], told["remedy"]) from error
        except (ValueError, KeyError):
            raise UserError(f"The emulator answered with {error.code}.", "Its log says why.") from error
    except (OSError, ValueError) as error:
        raise UserError(
            f"The emulator does not answer at {url}.", "Its log in the state folder may say why."
        ) from error
