"""CloudWatch's errors, by the codes that its query protocol has."""

from __future__ import annotations

from drydock.errors import AwsError


def invalid(message: str) -> AwsError:
    """InvalidParameterValue."""
    return AwsError("InvalidParameterValue", message)


def combination(message: str) -> AwsError:
    """InvalidParameterCombination."""
    return AwsError("InvalidParameterCombination", message)


def missing(message: str) -> AwsError:
    """MissingParameter."""
    return AwsError("MissingParameter", message)


def failed(message: str) -> AwsError:
    """ValidationError."""
    return AwsError("ValidationError", message)
