"""Who asks: the access key's owner, and whether the signature is really theirs (Signature Version 4).

An access key of 12 digits stands for the root user of the account of that number, as in LocalStack, and any other key
that does not look like one of AWS's (``test``) for the root user of the default account; their secret is not checked,
since nobody gave them one. A key that looks like AWS's (``AKIA...``, ``ASIA...``) must be one that IAM or STS of this
emulator issued, and then signature, session token and expiry are verified. All in *real* time.

Source: AWS General Reference, "Create a signed AWS API request" and "Troubleshoot signed requests".
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, unquote

from drydock.errors import AwsError
from drydock.gateway.detect import Detected
from drydock.gateway.models import SIGNING_NAMES
from drydock.gateway.wire import WireRequest
from drydock.request import Principal
from drydock.services.iam.model import Credential

_AWS_KEY = re.compile(r"A(KIA|SIA)[A-Z0-9]{12,}")
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=([^,\s]+)\s*,\s*SignedHeaders=([^,\s]+)\s*,\s*Signature=([0-9a-f]{64})\s*"
)
_ALLOWED_SKEW = 15 * 60
_UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"


@dataclass(frozen=True)
class _Signature:
    scope: str
    signed_headers: tuple[str, ...]
    signature: str
    when: str
    lifetime: int
    token: str
    presigned: bool


class Identity:
    """Finds the principal of a request."""

    def __init__(self, default_account: str, find_credential: Callable[[str], Credential | None]) -> None:
        self._default_account = default_account
        self._find = find_credential

    def principal(self, request: WireRequest, detected: Detected) -> Principal:
        """The caller. Raises AwsError if there is none, the key is unknown or the signature is not its owner's."""
        key = detected.access_key
        if not key:
            raise _refused("missing", detected)
        if not _AWS_KEY.fullmatch(key):
            account = key if re.fullmatch("[0-9]{12}", key) else self._default_account
            return Principal.root(account, key)
        credential = self._find(key)
        if credential is None or not credential.active:
            raise _refused("key", detected)
        signature = _read_signature(request, detected)
        if not hmac.compare_digest(credential.session_token.encode(), signature.token.encode()):
            raise _refused("token", detected)
        if credential.expires is not None and credential.expires <= time.time():
            raise _refused("expired", detected)
        _check_time(signature, detected)
        _check_what_is_signed(signature, request, detected)
        expected = sign(request, signature.scope, signature.signed_headers, signature.when, credential.secret)
        if not hmac.compare_digest(expected.encode(), signature.signature.encode()):
            raise _refused("mismatch", detected)
        return credential.principal


def sign(request: WireRequest, scope: str, signed_headers: tuple[str, ...], when: str, secret: str) -> str:
    """The Signature Version 4 of a request as it came in. ``scope`` is date/region/service/aws4_request."""
    date, region, service, _ = scope.split("/")
    headers = "".join(f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in signed_headers)
    canonical = "\n".join(
        (
            request.method,
            _canonical_path(request.path, service),
            _canonical_query(request.query),
            headers,
            ";".join(signed_headers),
            _payload_hash(request, service),
        )
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"AWS4-HMAC-SHA256\n{when}\n{scope}\n{digest}"
    return hmac.new(_signing_key(secret, date, region, service), to_sign.encode(), hashlib.sha256).hexdigest()


@functools.lru_cache(maxsize=1024)
def _signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    key = ("AWS4" + secret).encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _canonical_path(path: str, service: str) -> str:
    once = quote(unquote(path), safe="/-_.~")
    return once if service == "s3" else quote(once, safe="/-_.~")


def _canonical_query(query: str) -> str:
    pairs = [
        (quote(key, safe="-_.~"), quote(value, safe="-_.~"))
        for key, value in parse_qsl(query, keep_blank_values=True)
        if key != "X-Amz-Signature"
    ]
    return "&".join(f"{key}={value}" for key, value in sorted(pairs))


def _payload_hash(request: WireRequest, service: str) -> str:
    claimed = request.headers.get("x-amz-content-sha256")
    if claimed is None and service == "s3" and "X-Amz-Signature" in request.query:
        return _UNSIGNED_PAYLOAD
    if claimed is not None and not re.fullmatch(r"[0-9a-f]{64}", claimed):
        return claimed  # unsigned or signed in chunks
    actual = hashlib.sha256(request.body).hexdigest()
    if claimed is not None and claimed != actual:
        if service != "s3":
            return actual  # the signature will not match
        raise AwsError(
            "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed."
        )
    return actual


def _read_signature(request: WireRequest, detected: Detected) -> _Signature:
    """Taken apart from the header or, presigned, from the query string."""
    arguments = {key: values[0] for key, values in request.arguments.items()}
    if "X-Amz-Signature" in arguments:
        credential, headers = arguments.get("X-Amz-Credential", ""), arguments.get("X-Amz-SignedHeaders", "")
        signature, when = arguments["X-Amz-Signature"], arguments.get("X-Amz-Date", "")
        lifetime, token = arguments.get("X-Amz-Expires", "604800"), arguments.get("X-Amz-Security-Token", "")
        presigned = True
    else:
        match = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
        if not match:
            raise _refused("incomplete", detected)
        credential, headers, signature = match.groups()
        when, lifetime, presigned = request.headers.get("x-amz-date", ""), "0", False
        token = request.headers.get("x-amz-security-token", "")
    scope = credential.partition("/")[2]
    if (
        scope.count("/") != 3
        or not re.fullmatch(r"[0-9]{8}T[0-9]{6}Z", when)
        or not re.fullmatch("[0-9]{1,9}", lifetime)
    ):
        raise _refused("incomplete", detected)
    signed = tuple(headers.lower().split(";"))
    return _Signature(scope, signed, signature, when, min(int(lifetime), 604800), token, presigned)


def _check_what_is_signed(signature: _Signature, request: WireRequest, detected: Detected) -> None:
    """What the signature leaves out, somebody on the way could have changed."""
    date, _, service, _ = signature.scope.split("/")
    if date != signature.when[:8]:
        raise _refused(
            "mismatch",
            detected,
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP:"
            f" '{date}' != '{signature.when[:8]}', from '{signature.when}'.",
        )
    if SIGNING_NAMES.get(service, service) != detected.service:
        raise _refused("mismatch", detected, f"Credential should be scoped to correct service: '{detected.service}'. ")
    if "host" not in signature.signed_headers:
        message = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
        raise _refused("mismatch", detected, message)
    if detected.service == "s3":
        if any(name.startswith("x-amz-") and name not in signature.signed_headers for name in request.headers):
            raise AwsError(
                "AccessDenied", "There were headers present in the request which were not signed", status=403
            )
    elif "x-amz-target" in request.headers and "x-amz-target" not in signature.signed_headers:
        message = "'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization."
        raise _refused("mismatch", detected, message)


def _check_time(signature: _Signature, detected: Detected) -> None:
    try:
        signed_at = datetime.strptime(signature.when, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise _refused("incomplete", detected) from None
    now = time.time()
    shown = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    latest = signed_at + (signature.lifetime if signature.presigned else _ALLOWED_SKEW)
    if now > latest:
        edge = datetime.fromtimestamp(now - _ALLOWED_SKEW, UTC).strftime("%Y%m%dT%H%M%SZ")
        told = f"Signature expired: {signature.when} is now earlier than {edge} ({shown} - 15 min.)"
        raise _refused("late link" if signature.presigned else "late", detected, told)
    if signed_at > now + _ALLOWED_SKEW:
        edge = datetime.fromtimestamp(now + _ALLOWED_SKEW, UTC).strftime("%Y%m%dT%H%M%SZ")
        told = f"Signature not yet current: {signature.when} is still later than {edge} ({shown} + 15 min.)"
        raise _refused("late", detected, told)


_INVALID = "The security token included in the request is invalid."
_WRONG = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and"
    " signing method. Consult the service documentation for details."
)
_MALFORMED = "Authorization header does not conform to Signature Version 4."
_NOT_VALIDATED = "AWS was not able to validate the provided access credentials"
_SKEWED = "The difference between the request time and the current time is too large."
_REFUSALS: dict[str, dict[str, tuple[str, int, str]]] = {
    "json": {
        "missing": ("MissingAuthenticationTokenException", 400, "Missing Authentication Token"),
        "key": ("UnrecognizedClientException", 400, _INVALID),
        "token": ("UnrecognizedClientException", 400, _INVALID),
        "expired": ("ExpiredTokenException", 400, "The security token included in the request is expired"),
        "mismatch": ("InvalidSignatureException", 400, _WRONG),
        "incomplete": ("IncompleteSignatureException", 400, _MALFORMED),
    },
    "query": {
        "missing": ("MissingAuthenticationToken", 403, "Request is missing Authentication Token"),
        "key": ("InvalidClientTokenId", 403, _INVALID),
        "token": ("InvalidClientTokenId", 403, _INVALID),
        "expired": ("ExpiredToken", 403, "The security token included in the request is expired"),
        "mismatch": ("SignatureDoesNotMatch", 403, _WRONG),
        "incomplete": ("IncompleteSignature", 400, _MALFORMED),
    },
    "ec2": {
        "missing": ("MissingParameter", 400, "The request must contain the parameter AWSAccessKeyId"),
        "key": ("AuthFailure", 401, _NOT_VALIDATED),
        "token": ("AuthFailure", 401, _NOT_VALIDATED),
        "expired": ("RequestExpired", 400, "Request has expired."),
        "mismatch": ("AuthFailure", 401, _NOT_VALIDATED),
        "late": ("RequestExpired", 400, "Request has expired."),
        "late link": ("RequestExpired", 400, "Request has expired."),
        "incomplete": ("AuthFailure", 401, _NOT_VALIDATED),
    },
    "s3": {
        "missing": ("AccessDenied", 403, "Access Denied"),
        "key": ("InvalidAccessKeyId", 403, "The AWS Access Key Id you provided does not exist in our records."),
        "token": ("InvalidToken", 400, "The provided token is malformed or otherwise invalid."),
        "expired": ("ExpiredToken", 400, "The provided token has expired."),
        "mismatch": (
            "SignatureDoesNotMatch",
            403,
            "The request signature we calculated does not match the signature you provided. Check your key and signing"
            " method.",
        ),
        "late": ("RequestTimeTooSkewed", 403, _SKEWED),
        "late link": ("AccessDenied", 403, "Request has expired"),
        "incomplete": ("AuthorizationHeaderMalformed", 400, "The authorization header is malformed."),
    },
}
"""Code, status and message of what is wrong, by the family of the service"""


def _refused(wrong: str, detected: Detected, message: str = "") -> AwsError:
    """``message`` is for the families that tell more than that it is wrong."""
    family = detected.protocol if detected.protocol in ("query", "ec2") else "json"
    table = _REFUSALS["s3" if detected.service == "s3" else family]
    code, status, usual = table.get(wrong) or table["mismatch"]  # most tell of a late request in the same words
    terse = detected.service == "s3" or family == "ec2"
    if detected.protocol == "rest-json":
        status = 403
    return AwsError(code, usual if terse or not message else message, status=status)
