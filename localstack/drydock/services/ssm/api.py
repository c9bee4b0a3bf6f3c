"""Systems Manager's operations on sessions; the rest of the service is in the supporting services."""

from __future__ import annotations

from typing import Any

from drydock.errors import AwsError
from drydock.request import Request
from drydock.services.service import Platform, Service
from drydock.services.ssm.sessions import Sessions

Params = dict[str, Any]


class Ssm(Service):
    """ResumeSession and TerminateSession, which the Session Manager plug-in and the AWS CLI use."""

    name = "ssm"

    def __init__(self, platform: Platform, sessions: Sessions) -> None:
        super().__init__(platform)
        self._sessions = sessions

    def resume_session(self, request: Request, params: Params) -> dict[str, Any]:
        """A new token for a session whose connection broke. Raises DoesNotExistException."""
        name = params["SessionId"]
        session = self._sessions.find(name, request.scope)
        if session is None or session.running is None:
            raise AwsError("DoesNotExistException", f"Session {name} does not exist.")  # (?)
        return {"SessionId": name, "TokenValue": session.fresh_token(), "StreamUrl": self._sessions.url(request, name)}

    def terminate_session(self, request: Request, params: Params) -> dict[str, Any]:
        """One that is not there any more has been terminated."""
        session = self._sessions.find(params["SessionId"], request.scope)
        if session is not None:
            self._sessions.terminate(session)
        return {"SessionId": params["SessionId"]}
