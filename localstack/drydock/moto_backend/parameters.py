"""AWS's public parameters of Systems Manager that are JSON documents, as JSON: moto shows Python's notation. Runs in the
child."""

from __future__ import annotations

import json
from typing import Any


def adapt() -> None:
    """Mend the values as they are loaded."""
    from moto.ssm.models import ParameterDict

    load = ParameterDict._load_tree_parameters

    def _load_tree_parameters(self: Any, path: str) -> None:
        before = set(self)
        load(self, path)
        for name in set(self) - before:
            for parameter in dict.get(self, name, []):
                if not isinstance(parameter.value, str):
                    parameter.value = json.dumps(parameter.value, separators=(",", ":"))

    ParameterDict._load_tree_parameters = _load_tree_parameters
