"""Which service and operation a request means, and who claims to have signed it. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote

from drydock.gateway.models import (
    API_VERSIONS,
    SERVICES,
    SIGNING_NAMES,
    TARGET_PREFIXES,
    operation_names,
    routes,
    service_model,
)
from drydock.gateway.wire import WireRequest

_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/\d{8}/([^/,\s]*)/([^/,\s]+)/aws4_request")
_CBOR_PATH = re.compile(r"/service/([^/]+)/operation/([^/]+)/?")
DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True)
class Detected:
    """``service`` is None if nothing AWS-like was recognised, ``operation`` None if the service has no such thing."""

    service: str | None
    operation: str | None
    protocol: str
    access_key: str
    region: str
    uri: dict[str, str] = field(default_factory=dict)
    """Members taken from the path of a REST request, decoded"""


def detect(request: WireRequest) -> Detected:
    """Find out what is meant, from the signature's scope, the target header, the action or the path."""
    claim = request.headers.get("authorization", "")
    if "X-Amz-Credential" in request.query:
        claim = "Credential=" + request.arguments.get("X-Amz-Credential", [""])[0]
    match = _CREDENTIAL.search(claim)
    access_key, region, signing = match.groups() if match else ("", DEFAULT_REGION, "")
    region = region if re.fullmatch(r"[a-z0-9-]{1,40}", region) else DEFAULT_REGION
    named = SIGNING_NAMES.get(signing, signing)
    service: str | None = named if named in SERVICES else None

    def found(service: str | None, operation: str | None, protocol: str, uri: dict[str, str] | None = None) -> Detected:
        return Detected(service, operation, protocol, access_key, region, uri or {})

    if target := request.headers.get("x-amz-target"):
        prefix, _, operation = target.rpartition(".")
        owner = TARGET_PREFIXES.get(prefix)
        return found(owner or service, operation if owner else None, "json")
    if request.headers.get("smithy-protocol") == "rpc-v2-cbor":
        path = _CBOR_PATH.search(request.path)
        prefix_service = TARGET_PREFIXES.get(path[1]) if path else None
        return found(prefix_service or service, path[2] if path and prefix_service else None, "smithy-rpc-v2-cbor")
    if "x-www-form-urlencoded" in request.headers.get("content-type", "") or "Action" in request.arguments:
        action = request.form.get("Action")
        if action is not None:
            service = service or API_VERSIONS.get(request.form.get("Version", ""))
            if service in (None, *API_VERSIONS.values()):
                return found(service, action, "ec2" if service == "ec2" else "query")
            if not service_model(service).metadata["protocol"].startswith("rest"):
                return found(service, None, "json")  # it does not speak the query protocol
    return _detect_rest(request, service or ("s3" if _looks_like_s3(request) else None), found)


def _looks_like_s3(request: WireRequest) -> bool:
    """Unsigned requests for objects (public buckets, presigned with the older signature)."""
    return "amz-sdk-invocation-id" in request.headers or "AWSAccessKeyId" in request.query


def _detect_rest(request: WireRequest, service: str | None, found: Callable[..., Detected]) -> Detected:
    if service is None:
        return found(None, None, "")
    protocol = service_model(service).metadata["protocol"]
    if not protocol.startswith("rest"):
        return found(service, None, protocol)
    path = request.path if service != "s3" else _path_with_bucket(request)
    for route in routes(service):
        if route.method != request.method or not (match := route.path.fullmatch(path)):
            continue
        wanted = route.query.items()
        if all(k in request.arguments and (v is None or v in request.arguments[k]) for k, v in wanted) and all(
            header in request.headers for header in route.headers
        ):
            uri = {route.members[group]: unquote(value) for group, value in match.groupdict().items()}
            return found(service, route.operation, protocol, uri)
    return found(service, None, protocol)


def _path_with_bucket(request: WireRequest) -> str:
    """Virtual-hosted addressing (``bucket.s3.localhost``) as a path."""
    host = request.headers.get("host", "").partition(":")[0]
    bucket, dot, rest = host.partition(".s3.")
    return f"/{bucket}{request.path}" if dot and rest else request.path


def exists(service: str, operation: str) -> bool:
    """Whether AWS has such an operation."""
    return operation in operation_names(service)
