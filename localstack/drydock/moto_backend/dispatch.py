"""From a request of ours to the function of moto that answers it, and back. Runs in the child."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from drydock.moto_backend import functions, groups, lean, machines
from drydock.moto_backend.rules import S3_WITHOUT_METHOD, host_for_moto

Handler = Callable[[Any, str, Any], Any]
_DROPPED = {"connection", "content-length", "date", "server", "status", "transfer-encoding"}


class NotInMoto(Exception):
    """moto has no code for this operation."""


@dataclass(frozen=True)
class Reply:
    """What moto answered."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Dispatcher:
    """Calls moto's services, each imported when it is first asked for.

    This is what moto's own server does for a request, without Flask: the service is known, so its few URL patterns are
    tried against the path, and its handler is called with moto's own request object over a hand-made WSGI environment.
    """

    def __init__(self, imported: Callable[[str], None]) -> None:
        """``imported`` is told the name of each service after it was imported."""
        from moto.core.request import Request

        self._imported = imported
        self._methods: dict[str, set[str]] = {}

        self._request = Request
        self._routes: dict[str, list[tuple[re.Pattern[str], Handler]]] = {}

    def routes(self, service: str) -> list[tuple[re.Pattern[str], Handler]]:
        """The URL patterns of a service, imported if need be."""
        found = self._routes.get(service)
        if found is None:
            module = {"lambda": "awslambda"}.get(service, service.replace("-", ""))
            try:
                urls = lean.import_service(module)
            except ModuleNotFoundError as error:
                raise NotInMoto(service) from error
            found = [(re.compile(p.format("").rstrip("$") + "/?$"), h) for p, h in urls.url_paths.items()]
            self._routes[service] = found
            self._imported(service)
        return found

    def import_service(self, service: str) -> None:
        """Import a service before its request begins, so that what happens while importing is not part of the request."""
        with contextlib.suppress(NotInMoto):  # the request itself will say so
            self.routes(service)

    def send(self, head: dict[str, Any], body: bytes) -> Reply:
        """Answer a request. Raises NotInMoto; whatever else moto raises is a defect of moto."""
        ours = {"ec2": machines, "autoscaling": groups, "lambda": functions}.get(head["service"])
        if ours is not None and head["operation"] in ours.OPERATIONS:
            return Reply(200, [], ours.answer(head["account"], head["region"], head["operation"], body))
        split = urlsplit(head["url"])
        if not self._implements(head["service"], head["operation"]):
            raise NotInMoto(head["operation"])
        path = split.path or "/"
        handler = next((handler for pattern, handler in self.routes(head["service"]) if pattern.match(path)), None)
        if handler is None:
            raise NotInMoto(head["operation"])
        request = self._request(environment(head, body))
        reply = self._call(handler, request)
        if reply.status == 404 and not reply.body and head["service"] != "s3":
            raise NotInMoto(head["operation"])  # moto could not even name the action
        return reply

    def _implements(self, service: str, operation: str) -> bool:
        """Whether moto has a method for an operation; asked beforehand, because S3 would do something else instead."""
        from moto.core.utils import camelcase_to_underscores, method_names_from_class

        methods = self._methods.get(service)
        if methods is None:
            handler: Any = self.routes(service)[0][1]
            responder = handler.__self__
            owner = responder if isinstance(responder, type) else type(responder)
            methods = self._methods[service] = set(method_names_from_class(owner))
        if service == "s3" and operation in S3_WITHOUT_METHOD:
            return True
        return camelcase_to_underscores(operation) in methods

    def _call(self, handler: Handler, request: Any) -> Reply:
        from botocore.exceptions import ClientError
        from werkzeug.exceptions import HTTPException

        try:
            result = handler(request, request.raw_url, request.headers)
        except NotImplementedError as error:
            raise NotInMoto(str(error)) from error
        except ClientError as error:
            result = 400, {}, error.response["Error"]["Message"]
        except HTTPException as error:
            response = error.get_response()
            result = response.status_code, dict(response.headers), response.get_data()
        status, headers, content = result if isinstance(result, tuple) and len(result) == 3 else (200, {}, result)
        keep_length = request.method == "HEAD"
        pairs = [
            (str(name), str(value))
            for name, value in headers.items()
            if name.lower() not in _DROPPED or (keep_length and name.lower() == "content-length")
        ]
        return Reply(int(status), pairs, b"" if keep_length else as_bytes(content))


def as_bytes(content: Any) -> bytes:
    """A body of moto's, whatever it is made of."""
    if content is None:
        return b""
    if isinstance(content, str):
        return content.encode()
    if isinstance(content, (bytes, bytearray)):
        return bytes(content)
    return b"".join(as_bytes(part) for part in content)


def environment(head: dict[str, Any], body: bytes) -> dict[str, Any]:
    """The WSGI environment of a request, with the account in moto's own header.

    To moto every request is signed, in the region it was sent to: who may do what was decided before it came here.
    """
    split = urlsplit(head["url"])
    target = split.path + (f"?{split.query}" if split.query else "")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": head["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(split.path or "/").decode("latin-1"),
        "RAW_URI": target or "/",
        "QUERY_STRING": split.query,
        "SERVER_NAME": split.hostname or "localhost",
        "SERVER_PORT": str(split.port or 80),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    original_names: dict[str, str] = {}
    for name, value in head["headers"]:
        lower = name.lower()
        if lower in ("host", "content-length", "transfer-encoding"):
            continue
        key = name.upper().replace("-", "_")
        if lower != "content-type":
            key = f"HTTP_{key}"
        if lower.startswith("x-amz-meta-") and "_" in lower:
            original_names[key] = name
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    environ["HTTP_HOST"] = host_for_moto(head["service"], split.netloc)
    environ["HTTP_X_MOTO_ACCOUNT_ID"] = head["account"]
    environ["HTTP_AUTHORIZATION"] = (
        f"AWS4-HMAC-SHA256 Credential=DRYDOCK/20000101/{head['region']}/{head['service']}/aws4_request"
    )
    environ["CONTENT_LENGTH"] = str(len(body))
    environ["moto.preserved_header_names"] = original_names
    return environ
