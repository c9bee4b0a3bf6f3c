"""CloudWatch Logs."""

from drydock.services.logs.api import Logs

__all__ = ["Logs"]
