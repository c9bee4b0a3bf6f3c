"""Errors that CloudFormation answers with, and why a resource or an operation failed."""

from __future__ import annotations

from drydock.errors import AwsError


def invalid(message: str) -> AwsError:
    """ValidationError, which is most of what CloudFormation answers."""
    return AwsError("ValidationError", message, status=400)


def format_error(message: str) -> AwsError:
    """A template that does not have a template's form."""
    return invalid(f"Template format error: {message}")


def template_error(message: str) -> AwsError:
    """A template whose functions are used wrongly."""
    return invalid(f"Template error: {message}")


class Failed(Exception):
    """A resource could not be made, changed or deleted; the text is the event's ResourceStatusReason."""


class Cancelled(Exception):
    """Given up because something else failed, or because somebody asked for it."""
