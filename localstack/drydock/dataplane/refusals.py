"""Why a connection or a port was not given."""

from __future__ import annotations


class PlaneFailure(Exception):
    """A port could not be opened, or the data plane's process has died."""


class NotAdmitted(OSError):
    """Security groups or routes keep the connection out. As on AWS nobody answers it: it hangs until it is cut."""
