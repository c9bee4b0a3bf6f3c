"""AWS Security Token Service: temporary credentials, and who is asking."""

from drydock.services.sts.api import Sts

__all__ = ["Sts"]
