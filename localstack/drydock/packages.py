"""Third-party packages of which only a part is needed."""

from __future__ import annotations

import importlib.util
import sys
import types


def without_code(name: str) -> types.ModuleType:
    """A package whose own ``__init__`` is not run, so that what it pulls in is not loaded; its submodules are imported as
    ever. Nothing happens to one that is there already. Raises ModuleNotFoundError."""
    if name in sys.modules:
        return sys.modules[name]
    found = importlib.util.find_spec(name)
    if found is None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    package = types.ModuleType(name)
    package.__path__ = list(found.submodule_search_locations or [])
    package.__spec__ = found
    sys.modules[name] = package
    return package
