"""Adapts moto as a library to a process that must start fast, stay small and keep to itself.

Measured on moto 5.2.5: of 1.5 s and 174 MB to load EC2, 0.45 s were boto3 reading botocore's endpoints three times,
0.2 s and 90 MB were the instance types and their offerings in every region. Now they are read once and as far as asked.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

import botocore
from botocore import loaders

from drydock.botocore_models import PlainModels
from drydock.moto_backend import addresses, functions, groups, machines, parameters, public_addresses, subnets
from drydock.moto_backend.trusted_iam import TrustedIams
from drydock.packages import without_code

OFFERINGS = "ec2/resources/instance_type_offerings"
TYPES = "ec2/resources/instance_types.json"
_FORBIDDEN = {
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.posix_spawn",
    "os.spawn",
    "os.system",
    "pty.spawn",
    "socket.connect",
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "socket.sendto",
    "subprocess.Popen",
}


class Forbidden(PermissionError):
    """moto tried to reach the network or to start a program."""


def forbid_the_outside() -> None:
    """From here on no connection, no name look-up, no child process (SNS over HTTP, Lambda's Docker, ...)."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _FORBIDDEN:
            raise Forbidden(f"moto's process may not use {event}")

    sys.addaudithook(hook)


@functools.cache
def _regions() -> dict[str, dict[str, list[str]]]:
    """service -> partition -> regions, from botocore's endpoints.json without keeping the rest of it."""
    with open(os.path.join(os.path.dirname(botocore.__file__), "data", "endpoints.json"), encoding="utf-8") as file:
        partitions = json.load(file)["partitions"]
    found: dict[str, dict[str, list[str]]] = {}
    for partition in partitions:
        names = {sys.intern(name) for name in partition["regions"]}
        for service, description in partition["services"].items():
            found.setdefault(service, {})[partition["partition"]] = [n for n in description["endpoints"] if n in names]
    return found


class Regions:
    """In place of boto3.Session, of which moto's services only want the names of regions."""

    def get_available_regions(
        self, service_name: str, partition_name: str = "aws", allow_non_regional: bool = False
    ) -> list[str]:
        """The regions of a service, by its name in the SDK."""
        prefixes = {"elbv2": "elasticloadbalancing", "elb": "elasticloadbalancing", "cloudwatch": "monitoring"}
        return list(_regions().get(prefixes.get(service_name, service_name), {}).get(partition_name, []))

    def get_available_partitions(self) -> list[str]:
        """All partitions, the public one first."""
        found = {partition for partitions in _regions().values() for partition in partitions}
        return sorted(found, key=lambda name: (name != "aws", name))


class LazyOfferings(dict[str, Any]):
    """region -> offered instance types of one location type; a region is read when it is asked for."""

    def __init__(self, location_type: str, regions: list[str]) -> None:
        super().__init__()
        self._location_type = location_type
        self._regions = regions

    def __missing__(self, region: str) -> Any:
        if region not in self._regions:
            raise KeyError(region)
        from moto.utilities.utils import load_resource

        offered = load_resource(f"{OFFERINGS}/{self._location_type}/{region}.json")
        for offer in offered:
            offer["LocationType"] = self._location_type
        self[region] = offered
        return offered

    def __contains__(self, region: object) -> bool:
        return region in self._regions

    def __iter__(self) -> Iterator[str]:
        return iter(self._regions)

    def get(self, region: str, default: Any = None) -> Any:
        return self[region] if region in self._regions else default

    def values(self) -> Any:
        return [self[region] for region in self._regions]

    def items(self) -> Any:
        return [(region, self[region]) for region in self._regions]


class LazyInstanceTypes:
    """In place of the class attribute with all instance types: read when they are first described."""

    def __init__(self) -> None:
        self._types: list[Any] | None = None

    def __get__(self, instance: object, owner: type) -> list[Any]:
        if self._types is None:
            from moto.ec2.models import instance_types
            from moto.utilities.utils import load_resource

            instance_types.INSTANCE_TYPES = load_resource(TYPES)
            self._types = [instance_types.InstanceType(name) for name in instance_types.INSTANCE_TYPES]
        return self._types


def adapt_core() -> None:
    """Everything that must be in place before a service of moto is imported."""
    _stand_in_for_boto3()
    sys.modules.setdefault("pytest", None)  # type: ignore[arg-type]  # time_machine would import it for its plugin
    loaders.JSONFileLoader._load_file = PlainModels._load_file
    from moto.core import common_models, responses

    # moto remembers every object it ever made for its dashboard, so nothing would ever be freed.
    def make(cls: type, *args: Any, **kwargs: Any) -> Any:
        return object.__new__(cls)

    common_models.BaseModel.__new__ = make

    # Half the time of a small request went into listing the methods of its response class.
    responses.method_names_from_class = functools.cache(responses.method_names_from_class)


def _stand_in_for_boto3() -> None:
    """boto3's own code takes 0.1 s; its submodules can be imported (Lambda's does one)."""
    without_code("boto3").Session = Regions  # type: ignore[attr-defined]


@functools.cache
def import_ec2() -> None:
    """Import EC2's models (which half of moto needs) without reading the instance types and their offerings."""
    from moto.utilities import utils

    read = utils.load_resource

    def load_resource(resource: str) -> Any:
        if resource.startswith(OFFERINGS):
            return []
        return {} if resource == TYPES else read(resource)

    utils.load_resource = load_resource
    try:
        from moto.ec2.models import instance_types
    finally:
        utils.load_resource = read
        for module in ("moto.ec2.models.amis", "moto.ec2.models.instance_types"):
            if module in sys.modules:
                sys.modules[module].load_resource = read  # type: ignore[attr-defined]
    for location_type, regions in list(instance_types.INSTANCE_TYPE_OFFERINGS.items()):
        instance_types.INSTANCE_TYPE_OFFERINGS[location_type] = LazyOfferings(location_type, sorted(regions))
    instance_types.InstanceTypeBackend.instance_types = LazyInstanceTypes()
    addresses.adapt()
    public_addresses.adapt()
    subnets.adapt()
    machines.adapt()
    importlib.import_module("moto.ec2.utils").iam_backends = TrustedIams()  # type: ignore[attr-defined]


def import_service(module: str) -> Any:
    """moto's ``urls`` of a service, by the name of its package. Raises ModuleNotFoundError."""
    import_ec2()
    urls = importlib.import_module(f"moto.{module}.urls")
    if module == "ec2":
        public_addresses.adapt_responses()
    if module == "autoscaling":
        groups.adapt()
    if module == "ssm":
        parameters.adapt()
    if module == "awslambda":
        models: Any = importlib.import_module("moto.awslambda.models")
        models.iam_backends = TrustedIams()
        functions.adapt()
        models.DockerModel._DockerModel__docker_client = None  # its objects leave theirs out when they are pickled
    return urls
