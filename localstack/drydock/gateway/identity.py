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
            raise _error(detected, "MissingAuthenticationToken", "Request is missing Authentication Token", 403)
        if not _AWS_KEY.fullmatch(key):
            account = key if re.fullmatch(r"\d{12}", key) else self._default_account
            return Principal.root(account, key)
        credential = self._find(key)
        if credential is None or not credential.active:
            raise _unknown_key(detected)
        signature = _read_signature(request, detected)
        if credential.session_token != signature.token:
            raise _unknown_key(detected)
        if credential.expires is not None and credential.expires <= time.time():
            code = "ExpiredTokenException" if detected.protocol == "json" else "ExpiredToken"
            status = 400 if detected.protocol == "json" else 403
            raise _error(detected, code, "The security token included in the request is expired", status)
        _check_time(signature, detected)
        expected = sign(request, signature.scope, signature.signed_headers, signature.when, credential.secret)
        if not hmac.compare_digest(expected, signature.signature):
            raise _mismatch(
                detected,
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret"
                " Access Key and signing method. Consult the service documentation for details.",
            )
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
            raise _incomplete(detected)
        credential, headers, signature = match.groups()
        when, lifetime, presigned = request.headers.get("x-amz-date", ""), "0", False
        token = request.headers.get("x-amz-security-token", "")
    scope = credential.partition("/")[2]
    if scope.count("/") != 3 or not re.fullmatch(r"\d{8}T\d{6}Z", when) or not lifetime.isdigit():
        raise _incomplete(detected)
    signed = tuple(headers.lower().split(";"))
    return _Signature(scope, signed, signature, when, min(int(lifetime), 604800), token, presigned)


def _check_time(signature: _Signature, detected: Detected) -> None:
    try:
        signed_at = datetime.strptime(signature.when, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise _incomplete(detected) from None
    now = time.time()
    shown = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    latest = signed_at + (signature.lifetime if signature.presigned else _ALLOWED_SKEW)
    if now > latest:
        edge = datetime.fromtimestamp(now - _ALLOWED_SKEW, UTC).strftime("%Y%m%dT%H%M%SZ")
        raise _mismatch(detected, f"Signature expired: {signature.when} is now earlier than {edge} ({shown} - 15 min.)")
    if signed_at > now + _ALLOWED_SKEW:
        edge = datetime.fromtimestamp(now + _ALLOWED_SKEW, UTC).strftime("%Y%m%dT%H%M%SZ")
        raise _mismatch(
            detected, f"Signature not yet current: {signature.when} is still later than {edge} ({shown} + 15 min.)"
        )


def _error(detected: Detected, code: str, message: str, status: int) -> AwsError:
    return AwsError(code, message, status)


def _unknown_key(detected: Detected) -> AwsError:
    if detected.service == "s3":
        return AwsError(
            "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", status=403
        )
    if detected.protocol == "ec2":
        return AwsError("AuthFailure", "AWS was not able to validate the provided access credentials", status=401)
    code, status = (
        ("UnrecognizedClientException", 400) if detected.protocol == "json" else ("InvalidClientTokenId", 403)
    )
    return AwsError(code, "The security token included in the request is invalid.", status=status)


def _mismatch(detected: Detected, message: str) -> AwsError:
    code, status = ("InvalidSignatureException", 400) if detected.protocol == "json" else ("SignatureDoesNotMatch", 403)
    return AwsError(code, message, status=status)


def _incomplete(detected: Detected) -> AwsError:
    code = "IncompleteSignatureException" if detected.protocol == "json" else "IncompleteSignature"
    return AwsError(code, "Authorization header does not conform to Signature Version 4.", status=400)
