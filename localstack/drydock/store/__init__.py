"""Where resources live: objects in memory, every committed change in SQLite before the answer goes out."""

from drydock.store.store import GLOBAL, Change, Collection, Scope, Store, Watch

__all__ = ["GLOBAL", "Change", "Collection", "Scope", "Store", "Watch"]
