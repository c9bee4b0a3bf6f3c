"""The transform AWS::LanguageExtensions, as far as it changes the template's shape: Fn::ForEach written out. Pure.

Source: "AWS::LanguageExtensions transform" and "Fn::ForEach" of the CloudFormation User Guide.
"""

from __future__ import annotations

import re
from typing import Any

from drydock.services.cloudformation.faults import template_error
from drydock.services.cloudformation.intrinsics import Context, evaluate, text_of, unknown

NAME = "AWS::LanguageExtensions"
MOST = 500
"""Of what one template's loops may make: as many resources as a stack may have, and as much again within them (?)"""
_PREFIX = "Fn::ForEach::"


def expand(tree: dict[str, Any], context: Context) -> dict[str, Any]:
    """The template with its loops written out. Raises ValidationError."""
    budget = [MOST * 20]
    return {
        section: _expand(body, context, {}, budget) if section in ("Resources", "Conditions", "Outputs") else body
        for section, body in tree.items()
    }


def _expand(node: Any, context: Context, bound: dict[str, str], budget: list[int]) -> Any:
    budget[0] -= 1
    if budget[0] < 0:
        raise template_error("Fn::ForEach makes too much.")  # (?)
    if isinstance(node, list):
        return [_expand(one, context, bound, budget) for one in node]
    if isinstance(node, str):
        return _put(node, bound)
    if not isinstance(node, dict):
        return node
    if len(node) == 1 and isinstance(node.get("Ref"), str) and node["Ref"] in bound:
        return bound[node["Ref"]]
    made: dict[str, Any] = {}
    for key, value in node.items():
        pairs = (
            _loop(key, value, context, bound, budget)
            if key.startswith(_PREFIX)
            else [(_put(key, bound), _expand(value, context, bound, budget))]
        )
        for name, one in pairs:
            if name in made:
                raise template_error(f"Fn::ForEach makes {name} twice.")  # (?)
            made[name] = one
    return made


def _loop(key: str, value: Any, context: Context, bound: dict[str, str], budget: list[int]) -> list[tuple[str, Any]]:
    if not (isinstance(value, list) and len(value) == 3 and isinstance(value[0], str) and isinstance(value[2], dict)):
        raise template_error(
            f"{key} requires three arguments: an identifier, a collection and a map of what is made."  # (?)
        )
    identifier, collection, body = value
    members = evaluate(_expand(collection, context, bound, budget), context)
    if unknown(members) or not isinstance(members, list) or any(isinstance(one, dict | list) for one in members):
        raise template_error(f"The collection of {key} must be a list of strings.")  # (?)
    made: list[tuple[str, Any]] = []
    for member in members:
        inner = _expand(body, context, {**bound, identifier: text_of(member)}, budget)
        made += list(inner.items())
    return made


def _put(text: str, bound: dict[str, str]) -> str:
    """``${Identifier}`` and, for names, ``&{Identifier}`` without what is not alphanumeric."""
    for name, value in bound.items():
        text = text.replace("${" + name + "}", value)
        text = text.replace("&{" + name + "}", re.sub(r"[^A-Za-z0-9]", "", value))
    return text
