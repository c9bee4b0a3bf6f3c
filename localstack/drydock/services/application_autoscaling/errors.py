"""Application Auto Scaling's errors."""

from __future__ import annotations

from drydock.errors import AwsError

PLACE = "service namespace: {}, resource ID: {}, scalable dimension: {}"


def invalid(message: str) -> AwsError:
    """ValidationException."""
    return AwsError("ValidationException", message)


def absent(what: str, resource_id: str, dimension: str, further: str = "") -> AwsError:
    """ObjectNotFoundException. ``what`` says what of the place is not there."""
    return AwsError("ObjectNotFoundException", f"{what} for {PLACE.format('ecs', resource_id, dimension)}{further}")


def not_registered(resource_id: str, dimension: str) -> AwsError:
    """Of those that need a scalable target."""
    return absent("No scalable target registered", resource_id, dimension)


def too_many(what: str, most: int) -> AwsError:
    """LimitExceededException."""
    return AwsError("LimitExceededException", f"The maximum number of {what} ({most}) has been reached.")  # (?)
