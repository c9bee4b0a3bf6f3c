"""What a load balancer answers by itself. Pure. The bodies are those of AWS (server ``awselb/2.0``)."""

from __future__ import annotations

REASONS = {
    200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 301: "Moved Permanently", 302: "Found",
    304: "Not Modified", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 408: "Request Time-out", 409: "Conflict", 410: "Gone", 413: "Request Entity Too Large",
    414: "Request-URI Too Large", 417: "Expectation Failed", 418: "I'm a teapot", 429: "Too Many Requests", 463: "",
    500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Temporarily Unavailable",
    504: "Gateway Time-out",
}  # fmt: skip
"""Of nginx, as AWS shows them; others have none"""


def head(status: int, fields: list[tuple[str, str]], date: str, keep: bool, server: bool = True) -> bytes:
    """A response's head, with the empty line."""
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, '')}"]
    if server:
        lines.append("Server: awselb/2.0")
    lines.append(f"Date: {date}")
    lines += [f"{name}: {value}" for name, value in fields]
    lines.append(f"Connection: {'keep-alive' if keep else 'close'}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def body(status: int) -> bytes:
    """Of an error or a redirection."""
    title = f"{status} {REASONS.get(status, '')}".strip()
    return (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n</body>\r\n"
        "</html>\r\n"
    ).encode()


def page(
    status: int,
    date: str,
    keep: bool,
    content: bytes | None = None,
    content_type: str = "text/html",
    fields: list[tuple[str, str]] | None = None,
    without_body: bool = False,
    server: bool = True,
) -> bytes:
    """A whole response. ``content`` None: AWS's own page for this status."""
    content = body(status) if content is None else content
    given = [("Content-Type", content_type)] if content_type else []
    given += [("Content-Length", str(len(content))), *(fields or [])]
    return head(status, given, date, keep, server) + (b"" if without_body else content)
