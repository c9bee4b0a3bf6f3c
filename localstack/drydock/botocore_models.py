"""botocore's service models, read without the weight of ordered dicts. Shared by the gateway and by who speaks to moto."""

from __future__ import annotations

import functools
import json
import os
from typing import Any

from botocore.loaders import JSONFileLoader, Loader
from botocore.model import ServiceModel


class PlainModels(JSONFileLoader):
    """Reads models into plain dicts (which keep their order as well): EC2's takes 10 MB, ordered ones take 30 MB."""

    def _load_file(self, full_path: str, open_method: Any) -> Any:
        if not os.path.isfile(full_path):
            return None
        with open_method(full_path, "rb") as file:
            return json.loads(file.read())


_loader = Loader(file_loader=PlainModels(), include_default_search_paths=True)


@functools.cache
def service_model(service: str) -> ServiceModel:
    """The newest model of a service that botocore ships."""
    return ServiceModel(_loader.load_service_model(service, "service-2"), service)
