"""botocore's service models, read without the weight of ordered dicts. Used on both sides; does not know moto."""

from __future__ import annotations

import json
import os
from typing import Any

from botocore.loaders import JSONFileLoader, Loader


class PlainModels(JSONFileLoader):
    """Reads models into plain dicts (which keep their order as well): EC2's takes 10 MB, ordered ones take 30 MB."""

    def _load_file(self, full_path: str, open_method: Any) -> Any:
        if not os.path.isfile(full_path):
            return None
        with open_method(full_path, "rb") as file:
            return json.loads(file.read())


def loader() -> Loader:
    """A loader of botocore's own data."""
    return Loader(file_loader=PlainModels(), include_default_search_paths=True)
