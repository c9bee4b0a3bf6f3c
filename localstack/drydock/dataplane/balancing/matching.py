"""Which rule a request is for: conditions compiled once, tried in the order of their rules' priorities. Pure.

Source: "Condition types for listener rules" of the Application Load Balancer user guide. Wildcards are ``*`` (0 or more
characters) and ``?`` (exactly one).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote_plus

from drydock.dataplane.balancing.heads import RequestHead

Condition = Callable[[RequestHead, str], bool]
"""(head, client's address)"""


def wildcard(pattern: str, case: bool) -> re.Pattern[bytes]:
    """Of the whole text."""
    translated = "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in re.sub(r"\*+", "*", pattern))
    return re.compile(translated.encode("latin-1", "replace"), re.DOTALL | (0 if case else re.IGNORECASE))


def host_name(host: bytes | None) -> bytes:
    """Without the port."""
    if not host:
        return b""
    if host[:1] == b"[":
        return host[: host.find(b"]") + 1]
    return host.partition(b":")[0]


def _path(condition: dict[str, Any]) -> Condition:
    patterns = [wildcard(value, True) for value in condition["values"]]
    return lambda head, _: any(pattern.fullmatch(head.path) for pattern in patterns)


def _host(condition: dict[str, Any]) -> Condition:
    patterns = [wildcard(value, False) for value in condition["values"]]
    return lambda head, _: any(pattern.fullmatch(host_name(head.host)) for pattern in patterns)


def _header(condition: dict[str, Any]) -> Condition:
    name = condition["name"].lower().encode("latin-1", "replace")
    patterns = [wildcard(value, False) for value in condition["values"]]
    return lambda head, _: any(pattern.fullmatch(value) for value in head.values(name) for pattern in patterns)


def _method(condition: dict[str, Any]) -> Condition:
    methods = {value.encode("latin-1", "replace") for value in condition["values"]}
    return lambda head, _: head.method in methods


def _query(condition: dict[str, Any]) -> Condition:
    wanted = [
        (None if pair.get("key") is None else wildcard(pair["key"], False), wildcard(pair["value"], False))
        for pair in condition["values"]
    ]

    def matches(head: RequestHead, client: str) -> bool:
        for part in head.query.split(b"&"):
            key, _, value = part.partition(b"=")
            key, value = _decoded(key), _decoded(value)
            if any((k is None or k.fullmatch(key)) and v.fullmatch(value) for k, v in wanted):
                return True
        return False

    return matches


def _decoded(text: bytes) -> bytes:
    return (
        unquote_plus(text.decode("latin-1"), "latin-1").encode("latin-1", "replace")
        if b"%" in text or b"+" in text
        else text
    )


def _source(condition: dict[str, Any]) -> Condition:
    networks = [ipaddress.ip_network(value, strict=False) for value in condition["values"]]
    return lambda _, client: any(ipaddress.ip_address(client) in network for network in networks)


_KINDS = {
    "path-pattern": _path,
    "host-header": _host,
    "http-header": _header,
    "http-request-method": _method,
    "query-string": _query,
    "source-ip": _source,
}


class Rule:
    """All of its conditions must hold; ``action`` is what the emulator wrote."""

    __slots__ = ("action", "conditions", "state")

    def __init__(self, given: dict[str, Any]) -> None:
        self.conditions = [_KINDS[condition["field"]](condition) for condition in given["conditions"]]
        self.action: dict[str, Any] = given["action"]
        self.state: dict[str, float] = {}
        """Of the choice between weighted target groups"""


def chain(rules: list[dict[str, Any]]) -> list[Rule]:
    """In the order in which they are tried; the last has no conditions."""
    return [Rule(rule) for rule in rules]


def matching(rules: list[Rule], head: RequestHead, client: str) -> Rule:
    """The first whose conditions hold."""
    for rule in rules:
        for condition in rule.conditions:
            if not condition(head, client):
                break
        else:
            return rule
    return rules[-1]


def redirection(
    action: dict[str, Any],
    head: RequestHead,
    scheme: str,
    port: int,
    fallback_host: str,
    ports: Mapping[int, int] | None = None,
) -> str:
    """The Location. Source: "Redirect actions": placeholders #{protocol}, #{host}, #{port}, #{path}, #{query}; a port is
    always in it. A client that came by another port of this machine than the listener's is led back to that one; where the rule
    names the port of another listener, to the one that leads there (``ports``)."""
    host, _, came_by = (head.host or b"").decode("latin-1").rpartition(":") if b":" in (head.host or b"") else (
        (head.host or b"").decode("latin-1"), "", "")  # fmt: skip
    given = {
        "protocol": scheme,
        "host": host or fallback_host,
        "port": came_by if came_by.isdigit() else str(port),
        "path": head.path.decode("latin-1")[1:],
        "query": head.query.decode("latin-1"),
    }

    def filled(text: str) -> str:
        return re.sub(r"#\{(protocol|host|port|path|query)\}", lambda found: given[found[1]], text)

    protocol = filled(action.get("protocol") or "#{protocol}").lower()
    query = filled(action.get("query", "#{query}"))
    to_port = filled(action.get("port") or "#{port}")
    if ports and action.get("port", "#{port}") != "#{port}" and to_port.isdigit():
        to_port = str(ports.get(int(to_port), to_port))
    place = f"{filled(action.get('host') or '#{host}')}:{to_port}"
    return f"{protocol}://{place}{filled(action.get('path') or '/#{path}')}" + (f"?{query}" if query else "")
