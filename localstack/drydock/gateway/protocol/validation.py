"""Checks parsed parameters against the constraints of the service's model, and says what is wrong as AWS does.

``1 validation error detected: Value null at 'cluster' failed to satisfy constraint: Member must not be null``
"""

from __future__ import annotations

from typing import Any

from botocore.model import Shape

from drydock.errors import AwsError
from drydock.gateway.models import operation_model, service_model


def malformed_xml() -> AwsError:
    """S3's error for a body that is not what the operation wants."""
    message = "The XML you provided was not well-formed or did not validate against our published schema"
    return AwsError("MalformedXML", message, status=400)


def validate(service: str, operation: str, params: dict[str, Any]) -> None:
    """Required members, lengths and ranges. Enumerations and patterns are left to the services, whose messages differ.

    Raises AwsError with the code the service uses for it.
    """
    shape = operation_model(service, operation).input_shape
    if shape is None:
        return
    faults: list[str] = []
    _check(params, shape, "", faults)
    if faults:
        count = len(faults)
        plural = "s" if count > 1 else ""
        raise AwsError(code_of(service), f"{count} validation error{plural} detected: " + "; ".join(faults))


def require(service: str, operation: str, params: dict[str, Any]) -> None:
    """Only that the required members are there, for services that do their own validation but fail without them.

    Raises AwsError with the code the service uses for it.
    """
    missing = _missing(params, operation_model(service, operation).input_shape)
    if missing is None:
        return
    if service == "s3":
        raise malformed_xml()
    if service in ("sqs", "ec2"):
        raise AwsError("MissingParameter", f"The request must contain the parameter {missing}.", status=400)
    path = ".".join(_inside("", name) for name in missing.split("."))
    raise AwsError(code_of(service), f"1 validation error detected: {_fault('null', path, 'Member must not be null')}")


def _missing(value: Any, shape: Shape | None) -> str | None:
    """The first required member that is not there, in structures within structures."""
    if shape is None or shape.type_name != "structure" or not isinstance(value, dict):
        return None
    for name, member in shape.members.items():
        inner = value.get(name)
        if inner is None:
            if name in shape.required_members:
                return str(name)
        elif deeper := _missing(inner, member):
            return f"{name}.{deeper}"
    return None


def code_of(service: str) -> str:
    """The code of a service's validation errors."""
    model = service_model(service)
    if model.metadata["protocol"] in ("query", "ec2"):
        return "ValidationError"
    modelled = {shape.name for shape in model.error_shapes}
    for code in ("InvalidParameterException", "InvalidInputException"):
        if code in modelled:
            return code
    return "ValidationException"


def _check(value: Any, shape: Shape, path: str, faults: list[str]) -> None:
    kind = shape.type_name
    if kind == "structure":
        if getattr(shape, "is_document_type", False):
            return
        for name in shape.required_members:
            if value.get(name) is None:
                faults.append(_fault("null", _inside(path, name), "Member must not be null"))
        for name, inner in value.items():
            member = shape.members.get(name)
            if member is not None:
                _check(inner, member, _inside(path, name), faults)
    elif kind == "list":
        _check_length(value, shape, path, faults)
        for number, inner in enumerate(value, 1):
            _check(inner, shape.member, f"{path}.{number}.member", faults)
    elif kind == "map":
        _check_length(value, shape, path, faults)
        for key, inner in value.items():
            _check(inner, shape.value, f"{path}.{key}.member", faults)
    elif kind in ("string", "blob"):
        _check_length(value, shape, path, faults)
    elif kind in ("integer", "long", "float", "double"):
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        if low is not None and value < low:
            faults.append(_fault(f"'{value}'", path, f"Member must have value greater than or equal to {low}"))
        elif high is not None and value > high:
            faults.append(_fault(f"'{value}'", path, f"Member must have value less than or equal to {high}"))


def _inside(path: str, name: str) -> str:
    """The path of a member: AWS says ``period`` of what the model calls ``Period``."""
    return f"{path}.{name[:1].lower()}{name[1:]}".lstrip(".")


def _check_length(value: Any, shape: Shape, path: str, faults: list[str]) -> None:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    shown = f"'{value}'" if isinstance(value, str) else f"'{str(value)[:200]}'"
    if low is not None and len(value) < low:
        faults.append(_fault(shown, path, f"Member must have length greater than or equal to {low}"))
    elif high is not None and len(value) > high:
        faults.append(_fault(shown, path, f"Member must have length less than or equal to {high}"))


def _fault(value: str, path: str, constraint: str) -> str:
    return f"Value {value} at '{path}' failed to satisfy constraint: {constraint}"
