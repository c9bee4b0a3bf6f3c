"""CloudFormation templates as graphs: what refers to what, and what can therefore be made at the same time. Pure.

Only the long and the short forms of ``Ref``, ``Fn::GetAtt``, ``Fn::Sub`` and ``DependsOn`` make an order among resources.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

_IN_SUB = re.compile(r"\$\{([A-Za-z0-9]+)(?:\.[A-Za-z0-9.]+)?\}")


class _Loader(yaml.SafeLoader):
    """Plain data; ``!Ref x`` is ``{"Ref": "x"}``."""


def _short(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = str(value).split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short)


@dataclass(frozen=True)
class Resource:
    """``needs``: the resources of the template that must be there before it, in the template's order."""

    name: str
    type: str
    needs: tuple[str, ...]


def resources(template: str) -> list[Resource]:
    """In the template's order. Raises yaml.YAMLError, KeyError for what is no template."""
    told = yaml.load(template, _Loader)["Resources"]  # noqa: S506 - a SafeLoader
    found = []
    for name, body in told.items():
        after = body.get("DependsOn", [])
        mentioned = {*_mentioned(body), *([after] if isinstance(after, str) else after)}
        found.append(Resource(name, body["Type"], tuple(other for other in told if other in mentioned)))
    return found


def _mentioned(value: Any) -> set[str]:
    if isinstance(value, list):
        return {name for each in value for name in _mentioned(each)}
    if not isinstance(value, dict):
        return set()
    found = set()
    for key, inner in value.items():
        if key == "Ref":
            found.add(str(inner))
        elif key == "Fn::GetAtt":
            found.add(str(inner[0] if isinstance(inner, list) else inner.split(".")[0]))
        elif key == "Fn::Sub":
            text, own = (inner[0], inner[1]) if isinstance(inner, list) else (inner, {})
            found |= {name for name in _IN_SUB.findall(text) if name not in own} | _mentioned(own)
        else:
            found |= _mentioned(inner)
    return found


def steps(found: list[Resource]) -> list[list[Resource]]:
    """What needs nothing; then what needs only those; and so on. Raises ValueError for a circle."""
    rest, done, made = list(found), set[str](), []
    while rest:
        ready = [one for one in rest if set(one.needs) <= done]
        if not ready:
            raise ValueError(f"these wait for each other: {', '.join(one.name for one in rest)}")
        made.append(ready)
        done |= {one.name for one in ready}
        rest = [one for one in rest if one not in ready]
    return made


def direct(found: list[Resource]) -> dict[str, tuple[str, ...]]:
    """Of each resource's needs, those that none of its other needs brings along: the arrows that a picture must have."""
    by_name = {one.name: one for one in found}
    behind: dict[str, set[str]] = {}

    def all_behind(name: str) -> set[str]:
        if name not in behind:
            behind[name] = set()  # a circle ends here
            needs = by_name[name].needs
            behind[name] = {*needs, *(far for near in needs for far in all_behind(near))}
        return behind[name]

    return {
        one.name: tuple(n for n in one.needs if not any(n in all_behind(other) for other in one.needs if other != n))
        for one in found
    }
