"""Every operation of every service of the course, in every protocol it speaks, with botocore as the oracle.

botocore writes a request, the gateway's recognition and parser read it: the parameters must be the same. The gateway
writes an answer made from the operation's output shape, botocore reads it: the answer must be the same. And an error's
code and message must arrive. Nothing goes over a socket here; ``test_identity.py`` and ``test_fuzz.py`` do that.
"""

from __future__ import annotations

import io
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from botocore.awsrequest import AWSRequest, HeadersDict
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, Shape
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from drydock.errors import AwsError
from drydock.gateway.detect import detect
from drydock.gateway.models import SERVICES
from drydock.gateway.protocol import codec
from drydock.gateway.wire import WireRequest

from tests.gateway.made import Maker, difference, settled

ROUNDS = 2
SPOKEN = ("json", "query", "ec2", "rest-json", "rest-xml", "smithy-rpc-v2-cbor")
"""Those of AWS's protocols that are tried where a service lists them; ``query`` of a service that has moved on is tried
as well, since older SDKs still send it."""
TAKEN_FOR_ANOTHER = {
    "s3:GetBucketLifecycle": "its successor, GetBucketLifecycleConfiguration, has the same URI",
    "s3:PutBucketLifecycle": "its successor, PutBucketLifecycleConfiguration, has the same URI",
    "s3:GetBucketNotification": "its successor, GetBucketNotificationConfiguration, has the same URI",
    "s3:PutBucketNotification": "its successor, PutBucketNotificationConfiguration, has the same URI",
    "s3:ListDirectoryBuckets": "the request is ListBuckets', sent to another host (S3 Express)",
}
"""Requests that cannot be told from another operation's"""
LEFT_AS_TEXT = {"s3": ("Expires",)}
"""Times that botocore itself leaves as text, because clients put other things there"""
NOT_READ_BACK: dict[str, str] = {
    "s3:GetBucketLocation": "the answer's root element is the value itself; botocore reads it in a handler of boto3",
    "s3:GetBucketNotification": "its successor answers; botocore cannot read the older one's lists of one member",
    "s3:GetObject": "S3 gives the object's own ContentType; S3's answers are moto's and do not pass the serializer here",
}
"""Answers that botocore's bare parser cannot read, or that another part of the emulator writes"""

_loader = Loader()
CASES = [
    (service, protocol)
    for service in SERVICES
    for protocol in _loader.load_service_model(service, "service-2")["metadata"]["protocols"]
    if protocol in SPOKEN
]


@pytest.fixture(params=CASES, ids="-".join)
def spoken(request: pytest.FixtureRequest) -> tuple[ServiceModel, str]:
    """A service's model, and a protocol that the service speaks."""
    service, protocol = request.param
    return ServiceModel(_loader.load_service_model(service, "service-2"), service), protocol


def operations(service: ServiceModel) -> list[OperationModel]:
    return [service.operation_model(name) for name in service.operation_names]


def streams_events(operation: OperationModel) -> bool:
    return bool(operation.has_event_stream_input or operation.has_event_stream_output)


def without_text(shape: Shape | None, made: dict[str, Any], members: tuple[str, ...] = ()) -> dict[str, Any]:
    """Without members that do not come back as they were: the named ones, and an empty body, which is no body."""
    payload = shape.serialization.get("payload") if shape else None
    return {key: value for key, value in made.items() if key not in members and not (key == payload and not value)}


def on_the_wire(operation: OperationModel, protocol: str, params: dict[str, Any]) -> WireRequest:
    """The request as botocore would send it."""
    service = operation.service_model
    made = create_serializer(protocol, include_validation=False).serialize_to_request(params, operation)
    body = made["body"]
    if isinstance(body, dict):
        body = urlencode(body)
    if hasattr(body, "read"):
        body = body.read()
    body = body.encode() if isinstance(body, str) else bytes(body or b"")
    scope = f"000000000000/20260101/eu-west-1/{service.signing_name}/aws4_request"
    headers = {name: value if isinstance(value, str) else value.decode() for name, value in made["headers"].items()}
    headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={'0' * 64}"
    request = AWSRequest(
        made["method"], "http://localhost" + made["url_path"], headers, body, made.get("query_string") or {}
    ).prepare()
    url = urlsplit(request.url)
    sent = {name.lower(): value for name, value in headers.items()} | {"host": "localhost"}
    return WireRequest(made["method"], url.path, url.query, sent, body)


def read_answer(operation: OperationModel, protocol: str, answer: Any) -> dict[str, Any]:
    """The answer as botocore reads it."""
    body = io.BytesIO(answer.body) if operation.has_streaming_output and answer.status < 300 else answer.body
    headers = HeadersDict({name.lower(): value for name, value in answer.headers.items()})
    parsed = create_parser(protocol).parse(
        {"headers": headers, "status_code": answer.status, "body": body}, operation.output_shape
    )
    assert isinstance(parsed, dict)
    return parsed


def test_requests(spoken: tuple[ServiceModel, str]) -> None:
    service, protocol = spoken
    name, wrong = service.service_name, []
    for operation in operations(service):
        maker = Maker(f"{name} {protocol} {operation.name}")
        for _ in range(ROUNDS):
            if f"{name}:{operation.name}" in TAKEN_FOR_ANOTHER or operation.has_event_stream_input:
                continue
            params = without_text(
                operation.input_shape, maker.structure(operation.input_shape), LEFT_AS_TEXT.get(name, ())
            )
            request = on_the_wire(operation, protocol, params)
            detected = detect(request)
            if (detected.service, detected.operation, detected.protocol) != (name, operation.name, protocol):
                wrong.append(f"{operation.name} was taken for {detected}")
                continue
            assert (detected.access_key, detected.region) == ("000000000000", "eu-west-1")
            got = codec.parse(name, operation.name, protocol, request, detected.uri)
            if found := difference(settled(params), settled(got)):
                wrong.append(f"{operation.name}{found}")
    assert not wrong, f"{len(wrong)} of {len(service.operation_names)}:\n" + "\n".join(wrong)


def test_answers(spoken: tuple[ServiceModel, str]) -> None:
    service, protocol = spoken
    name, wrong = service.service_name, []
    for operation in operations(service):
        maker = Maker(f"{operation.name} {protocol} {name}")
        for _ in range(ROUNDS):
            if operation.has_event_stream_output or f"{name}:{operation.name}" in NOT_READ_BACK:
                continue
            result = without_text(operation.output_shape, maker.structure(operation.output_shape))
            try:
                answer = codec.write(name, operation.name, protocol, result, "the-request-id")
                got = read_answer(operation, protocol, answer)
            except Exception as error:  # each operation is told of, not only the first
                wrong.append(f"{operation.name}: {error!r:.150}")
                continue
            for member, shape in operation.output_shape.members.items() if operation.output_shape else ():
                if shape.serialization.get("location") == "statusCode":
                    assert got.pop(member) == answer.status
                    result.pop(member, None)
            got = without_text(operation.output_shape, settled(got))
            if found := difference(settled(result), got):
                wrong.append(f"{operation.name}{found}")
    assert not wrong, f"{len(wrong)} of {len(service.operation_names)}:\n" + "\n".join(wrong)


def test_errors(spoken: tuple[ServiceModel, str]) -> None:
    service, protocol = spoken
    name = service.service_name
    for operation in operations(service):
        modelled = [shape.metadata.get("error", {}).get("code") or shape.name for shape in operation.error_shapes]
        for code in ["Throttling", *modelled[:3]]:
            message = f'{operation.name} <did> "not" & could not – {code}'
            answer = codec.write_error(name, operation.name, protocol, AwsError(code, message), "the-request-id")
            assert 400 <= answer.status < 600
            told = read_answer(operation, protocol, answer)
            assert (told["Error"]["Code"].rpartition("#")[2], told["Error"]["Message"]) == (code, message)


def test_an_error_before_the_operation_is_known(spoken: tuple[ServiceModel, str]) -> None:
    service, protocol = spoken
    error = AwsError("UnknownOperationException", f"{service.service_name} has no such operation: Foo.", status=400)
    answer = codec.write_error(service.service_name, None, protocol, error, "the-request-id")
    told = read_answer(operations(service)[0], protocol, answer)
    assert (answer.status, told["Error"]["Code"]) == (400, "UnknownOperationException")


def test_how_many() -> None:
    """What was left out above is this and no more."""
    models = [ServiceModel(_loader.load_service_model(name, "service-2"), name) for name in SERVICES]
    everything = [(model.service_name, operation) for model in models for operation in operations(model)]
    streaming = {f"{service}:{operation.name}" for service, operation in everything if streams_events(operation)}
    left_out = streaming | set(TAKEN_FOR_ANOTHER) | set(NOT_READ_BACK)
    print(f"\n{len(everything)} operations; {len(everything) - len(left_out)} go both ways")
    print(f"event streams are frames, not shapes: {sorted(streaming)}")
    for operation, reason in sorted((TAKEN_FOR_ANOTHER | NOT_READ_BACK).items()):
        print(f"{operation}: {reason}")
    assert len(everything) > 2500
    assert len(left_out) <= 15
