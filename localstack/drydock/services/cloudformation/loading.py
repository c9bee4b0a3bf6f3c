"""A template's text becomes a tree of dicts, lists and scalars. Pure, and safe: nothing that a text says is executed.

YAML is read event by event with a stack of our own: no object is made but those named here, no recursion follows the
text's nesting, and aliases are refused, as CloudFormation does, so that nothing grows beyond the text. The short forms
(``!Ref``, ``!GetAtt`` ...) become the functions they stand for. JSON is told by its first character.

Source: "CloudFormation template format" (YAML 1.1 without aliases, hash merges and the tags binary, omap, pairs, set and
timestamp).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import Any

import yaml

from drydock.errors import AwsError
from drydock.services.cloudformation.faults import format_error, template_error

DEEPEST = 100
"""Levels of nesting (?)"""
_FUNCTIONS = {
    *("Base64", "Cidr", "FindInMap", "GetAtt", "GetAZs", "ImportValue", "Join", "Select", "Split", "Sub", "Transform"),
    *("And", "Equals", "If", "Not", "Or", "Contains", "EachMemberEquals", "EachMemberIn", "RefAll", "ValueOf"),
    *("ValueOfAll", "Length", "ToJsonString", "GetStackOutput"),
}
SHORT_FORMS = {f"!{name}": f"Fn::{name}" for name in _FUNCTIONS} | {"!Ref": "Ref", "!Condition": "Condition"}
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVE: Any = yaml.SafeLoader("")
_PLAIN = {"tag:yaml.org,2002:str", "tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:merge", "tag:yaml.org,2002:value"}
_STANDARD = {"tag:yaml.org,2002:" + kind for kind in ("str", "int", "float", "bool", "null", "map", "seq")}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")


def load(text: str) -> dict[str, Any]:
    """The tree of a template. Raises ValidationError in AWS's words."""
    tree = _load_json(text) if text.lstrip()[:1] == "{" else _load_yaml(text)
    if not isinstance(tree, dict):
        raise format_error("unsupported structure.")
    return tree


def _load_json(text: str) -> Any:
    try:
        tree = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise format_error(f"JSON not well-formed. (line {error.lineno}, column {error.colno})") from None
    except (ValueError, RecursionError):
        raise format_error("JSON not well-formed.") from None
    _check_depth(tree)
    return tree


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise format_error(f"duplicate key {twice}")  # (?)
    return found


def _check_depth(tree: Any) -> None:
    """Level by level, without recursion."""
    level = [tree]
    for _ in range(DEEPEST):
        level = [inner for node in level if isinstance(node, dict | list) for inner in _inner(node)]
        if not level:
            return
    raise _too_deep()


def _inner(node: Any) -> Iterable[Any]:
    return node.values() if isinstance(node, dict) else node


def _too_deep() -> AwsError:
    return format_error(f"nesting exceeds {DEEPEST} levels.")  # (?)


class _Open:
    """A mapping or sequence that has begun and not ended."""

    def __init__(self, node: Any, tag: str | None) -> None:
        self.node, self.tag = node, tag
        self.key: Any = None
        self.has_key = False


def _load_yaml(text: str) -> Any:
    try:
        return _build(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise format_error(f"YAML not well-formed.{where}") from None
    except (yaml.YAMLError, UnicodeError, RecursionError):
        raise format_error("YAML not well-formed.") from None


def _build(events: Iterable[Any]) -> Any:
    stack: list[_Open] = []
    root: Any = None
    documents = 0
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            raise template_error("YAML aliases are not allowed in CloudFormation templates")
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise format_error(f"YAML not well-formed.{_at(event)}")  # one document is a template
            continue
        if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            _check_tag(event)
            if len(stack) >= DEEPEST:
                raise _too_deep()
            stack.append(_Open({} if isinstance(event, yaml.MappingStartEvent) else [], event.tag))
            continue
        if isinstance(event, yaml.ScalarEvent):
            _check_tag(event)
            value = _tagged(event.tag, _scalar(event), event)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            done = stack.pop()
            value = _tagged(done.tag, done.node, event)
        else:
            continue
        if stack:
            _put(stack[-1], value, event)
        else:
            root = value
    return root


def _put(open_: _Open, value: Any, event: Any) -> None:
    if isinstance(open_.node, list):
        open_.node.append(value)
    elif not open_.has_key:
        if isinstance(value, dict | list) or value is None:
            raise format_error(f"YAML not well-formed.{_at(event)}")
        key = _as_key(value, event)
        if key in open_.node:
            raise format_error(f"duplicate key {key}{_at(event)}")  # (?)
        if key == "<<":
            raise format_error("hash merges are not supported.")  # (?)
        open_.key, open_.has_key = key, True
    else:
        open_.node[open_.key] = value
        open_.has_key = False


def _as_key(value: Any, event: Any) -> str:
    """Keys are strings, also those that look like something else (``200:``, ``on:``)."""
    return str(event.value) if isinstance(event, yaml.ScalarEvent) else str(value)


def _check_tag(event: Any) -> None:
    if event.tag in (None, "!") or event.tag in SHORT_FORMS or event.tag in _STANDARD:
        return
    raise format_error(f"unsupported YAML tag {event.tag}.{_at(event)}")  # (?)


def _tagged(tag: str | None, value: Any, event: Any) -> Any:
    if tag not in SHORT_FORMS:
        return value
    name = SHORT_FORMS[tag]
    if name == "Fn::GetAtt" and isinstance(value, str):
        resource, dot, attribute = value.partition(".")
        if not dot:
            raise template_error(
                "Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute"
            )
        value = [resource, attribute]
    return {name: value}


def _scalar(event: Any) -> Any:
    """YAML 1.1's plain scalars; dates stay text, and so do numbers that another way of writing would change (a leading
    zero of an account id, ``1_000``, ``12:30``)."""
    text = event.value
    tag = event.tag if event.tag in _STANDARD else None
    if tag is None:
        if not event.implicit[0]:
            return text  # quoted
        tag = _RESOLVE.resolve(yaml.ScalarNode, text, (True, False))
        if event.tag in SHORT_FORMS or tag in _PLAIN:
            return text
    if tag.endswith(":null"):
        return None
    if tag.endswith(":bool"):
        return text.lower() in ("yes", "true", "on")
    if tag.endswith(":int") and _INTEGER.fullmatch(text) and len(text) < 40:
        return int(text)
    if tag.endswith(":float"):
        try:
            number = float(text)
        except ValueError:
            return text
        return number if math.isfinite(number) else text
    return text


def _at(event: Any) -> str:
    mark = event.start_mark
    return f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
