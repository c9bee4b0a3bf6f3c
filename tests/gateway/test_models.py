"""The tables that are written down, against botocore's models and botocore's own clients."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.config import Config
from botocore.loaders import Loader
from drydock.gateway.detect import detect
from drydock.gateway.models import API_VERSIONS, FROM_MOTO, LACKING, OWN, SERVICES, SIGNING_NAMES, TARGET_PREFIXES
from drydock.gateway.wire import WireRequest

_loader = Loader()


def metadata(service: str) -> dict[str, Any]:
    return _loader.load_service_model(service, "service-2")["metadata"]  # type: ignore[no-any-return]


def test_each_service_is_in_one_list() -> None:
    assert len(set(SERVICES)) == len(SERVICES) == len(OWN) + len(FROM_MOTO) + len(LACKING)
    assert set(SERVICES) <= set(_loader.list_available_services("service-2"))


def test_target_prefixes() -> None:
    modelled = {
        metadata(service)["targetPrefix"]: service for service in SERVICES if "targetPrefix" in metadata(service)
    }
    assert modelled == TARGET_PREFIXES


def test_api_versions() -> None:
    """Those of every service that speaks, or spoke, the query protocol."""
    for version, service in API_VERSIONS.items():
        assert metadata(service)["apiVersion"] == version
    speaking = {service for service in SERVICES if {"query", "ec2"} & set(metadata(service)["protocols"])}
    assert speaking | {"sqs"} == set(API_VERSIONS.values())


@pytest.mark.parametrize("service", SERVICES)
def test_a_signature_tells_the_service(service: str) -> None:
    """What boto3's own client signs is recognised by its scope alone, without target and version."""
    seen: list[AWSPreparedRequest] = []

    class Sent(Exception):
        pass

    def note(request: AWSPreparedRequest, **_: Any) -> None:
        seen.append(request)
        raise Sent

    client = boto3.Session().client(
        service, "eu-west-1", endpoint_url="http://localhost:1", aws_access_key_id="1" * 12, aws_secret_access_key="x",
        config=Config(parameter_validation=False),
    )  # fmt: skip
    client.meta.events.register("before-send", note)
    simple = {
        "s3": "list_buckets",
        "sts": "get_caller_identity",
        "lambda": "list_functions",
        "scheduler": "list_schedules",
    }
    with pytest.raises(Sent):
        getattr(client, simple.get(service) or next(iter(client.meta.method_to_api_mapping)))()
    headers = {
        name.lower(): value.decode() if isinstance(value, bytes) else value for name, value in seen[0].headers.items()
    }
    headers.pop("x-amz-target", None)
    scope = headers["authorization"].partition("Credential=")[2].split("/")
    assert SIGNING_NAMES.get(scope[3], scope[3]) == service
    detected = detect(WireRequest("POST", "/", "Action=Foo", headers, b""))
    assert (detected.service, detected.access_key, detected.region) == (service, "1" * 12, "eu-west-1")
