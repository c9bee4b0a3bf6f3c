"""CloudFormation's functions: checked for their form, looked through for what they refer to, and evaluated. Pure.

A value that is not known yet (something of a resource that is still to be made, when a change is only planned) is
:data:`UNKNOWN`, and so is what is computed of it. ``AWS::NoValue`` is :data:`NOTHING`: it takes its property with it.

Source: "Intrinsic function reference" of the CloudFormation User Guide.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from drydock.services.cloudformation import cidr
from drydock.services.cloudformation.faults import format_error, template_error

Node = Any


class _Mark:
    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


UNKNOWN = _Mark("UNKNOWN")
NOTHING = _Mark("NOTHING")
IN_VALUES = (
    *("Ref", "Fn::GetAtt", "Fn::Sub", "Fn::Join", "Fn::Select", "Fn::Split", "Fn::FindInMap", "Fn::If", "Fn::Base64"),
    *("Fn::Cidr", "Fn::GetAZs", "Fn::ImportValue", "Fn::Length", "Fn::ToJsonString"),
)
IN_CONDITIONS = ("Fn::And", "Fn::Equals", "Fn::Not", "Fn::Or", "Condition")
EXTENSIONS = ("Fn::Length", "Fn::ToJsonString")
"""Functions that only AWS::LanguageExtensions brings"""
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_VARIABLE_NAME = re.compile(r"!?[\w.:\s]*")
_SUB = (
    "One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first argument, and an"
    " optional second argument to specify a mapping of values to replace in the string"
)
_GET_ATT = "Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute"
_JOIN = (
    "every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined or a"
    " function that returns a list of strings (such as Fn::GetAZs) to be joined."
)
_SPLIT = (
    "every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split or a function"
    " that returns a string to be split."
)
_SELECT = "Fn::Select requires a list argument with two elements: an integer index and a list"
_FIND = "every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for return value"
_IF = "Fn::If requires a list argument with three elements"
_CIDR = "every Fn::Cidr object requires two parameters, (1) a ipBlock and (2) a count"


@dataclass
class Context:
    """Against what functions are evaluated. The callables raise ValidationError, or give UNKNOWN."""

    values: Mapping[str, Any]
    """Of parameters and pseudo parameters: a string, or a list of strings"""
    conditions: Mapping[str, bool] = field(default_factory=dict)
    mappings: Mapping[str, Any] = field(default_factory=dict)
    zones: Callable[[str], list[str]] = lambda region: []
    reference: Callable[[str], Any] = lambda name: UNKNOWN
    attribute: Callable[[str, str], Any] = lambda name, attribute: UNKNOWN
    imported: Callable[[str], Any] = lambda name: UNKNOWN
    extended: bool = False
    """With AWS::LanguageExtensions"""


def functions(node: Node) -> Iterator[str]:
    """The names of all functions in a node, the ones within others too."""
    if isinstance(node, dict):
        if name := function_of(node):
            yield name
        for one in node.values():
            yield from functions(one)
    elif isinstance(node, list):
        for one in node:
            yield from functions(one)


class Reference(NamedTuple):
    """What a function names. ``kind``: Ref, GetAtt (``attribute`` says which), Condition, Map."""

    kind: str
    name: str
    attribute: str = ""


def function_of(node: Node) -> str:
    """The name of the function that a node is; empty if it is none."""
    if isinstance(node, dict) and len(node) == 1:
        name = next(iter(node))
        if name in IN_VALUES or (name in IN_CONDITIONS and name != "Condition"):
            return str(name)
        if isinstance(name, str) and (name.startswith("Fn::") or (name == "Condition" and isinstance(node[name], str))):
            return name
    return ""


def references(node: Node, conditions: Mapping[str, bool] | None = None) -> Iterator[Reference]:
    """Everything a node refers to. With ``conditions``, only in the branches that Fn::If takes. Raises ValidationError for
    functions of a wrong form."""
    name = function_of(node)
    if not name:
        inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        for one in inner:
            yield from references(one, conditions)
        return
    given = node[name]
    if name == "Ref":
        if not isinstance(given, str):
            raise template_error("every Ref object must have a single String value.")
        yield Reference("Ref", given)
    elif name == "Fn::GetAtt":
        yield from _of_attribute(given, conditions)
    elif name == "Fn::Sub":
        text, own = sub_parts(given)
        yield from references(own, conditions)
        yield from (reference for reference in _of_text(text) if reference.name not in own)
    elif name == "Fn::If":
        condition, yes, no = if_parts(given)
        yield Reference("Condition", condition)
        chosen = (yes, no) if conditions is None else (yes,) if conditions.get(condition) else (no,)
        for branch in chosen:
            yield from references(branch, conditions)
    elif name == "Condition":
        yield Reference("Condition", given)
    else:
        yield from references(given, conditions)


def _of_attribute(given: Node, conditions: Mapping[str, bool] | None) -> Iterator[Reference]:
    resource, attribute = attribute_parts(given)
    if isinstance(resource, str):
        yield Reference("GetAtt", resource, attribute if isinstance(attribute, str) else "")
    else:
        yield from references(resource, conditions)
    yield from references(attribute, conditions)


def _of_text(text: str) -> Iterator[Reference]:
    for variable in variables(text):
        resource, dot, attribute = variable.partition(".")
        yield Reference("GetAtt", resource, attribute) if dot else Reference("Ref", variable)


def variables(text: str) -> list[str]:
    """The names in a text of Fn::Sub, without those written ``${!Literal}``. Raises ValidationError."""
    found = []
    for name in _VARIABLE.findall(text):
        if not _VARIABLE_NAME.fullmatch(name) or not name.strip():
            raise template_error(
                "variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, and"
                " colons"
            )
        if not name.startswith("!"):
            found.append(name.strip())
    return found


def attribute_parts(given: Node) -> tuple[Any, Any]:
    """Resource and attribute of a Fn::GetAtt. Raises ValidationError."""
    if isinstance(given, str):
        resource, _, attribute = given.partition(".")
        given = [resource, attribute]
    if not isinstance(given, list) or len(given) < 2 or not all(given):
        raise template_error(_GET_ATT)
    if len(given) > 2:  # a dotted attribute may be written as several
        if not all(isinstance(part, str) for part in given):
            raise template_error(_GET_ATT)
        given = [given[0], ".".join(given[1:])]
    if not isinstance(given[0], str | dict):
        raise template_error(_GET_ATT)
    return given[0], given[1]


def sub_parts(given: Node) -> tuple[str, dict[str, Any]]:
    """Text and own variables of a Fn::Sub. Raises ValidationError."""
    if isinstance(given, str):
        return given, {}
    if (
        isinstance(given, list)
        and len(given) == 2
        and isinstance(given[0], str)
        and isinstance(given[1], dict)
        and not function_of(given[1])
    ):
        return given[0], given[1]
    raise template_error(_SUB)


def if_parts(given: Node) -> tuple[str, Any, Any]:
    """Condition and branches of a Fn::If. Raises ValidationError."""
    if not isinstance(given, list) or len(given) != 3 or not isinstance(given[0], str):
        raise template_error(_IF)
    return given[0], given[1], given[2]


def text_of(value: Any) -> str:
    """A scalar as CloudFormation writes it into a string."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def evaluate(node: Node, context: Context) -> Any:
    """The value of a node. Raises ValidationError."""
    name = function_of(node)
    if name:
        return _evaluate_function(name, node[name], context)
    if isinstance(node, dict):
        pairs = ((key, evaluate(one, context)) for key, one in node.items())
        return {key: value for key, value in pairs if value is not NOTHING}
    if isinstance(node, list):
        values = (evaluate(one, context) for one in node)
        return [value for value in values if value is not NOTHING]
    return node


def unknown(value: Any) -> bool:
    """Whether a value, or anything within it, is not known yet."""
    if isinstance(value, dict):
        return any(unknown(one) for one in value.values())
    if isinstance(value, list):
        return any(unknown(one) for one in value)
    return value is UNKNOWN


def _evaluate_function(name: str, given: Node, context: Context) -> Any:
    if name == "Ref":
        return _reference(given, context)
    if name == "Fn::If":
        condition, yes, no = if_parts(given)
        if condition not in context.conditions:
            raise format_error(f"Unresolved condition dependency {condition} in the Resources block of the template")
        return evaluate(yes if context.conditions[condition] else no, context)
    if name == "Fn::GetAtt":
        resource, attribute = (evaluate(part, context) for part in attribute_parts(given))
        return UNKNOWN if unknown([resource, attribute]) else context.attribute(resource, text_of(attribute))
    if name == "Fn::Sub":
        return _sub(given, context)
    if name == "Fn::FindInMap":
        return _find(given, context)
    if name in EXTENSIONS and not context.extended:
        raise template_error(f"{name} requires the transform AWS::LanguageExtensions.")  # (?)
    function = _FUNCTIONS.get(name)
    if function is None:
        raise format_error(f"Unrecognized function: {name}")  # (?)
    value = evaluate(given, context)
    return UNKNOWN if unknown(value) else function(value, context)


def _reference(name: Any, context: Context) -> Any:
    if not isinstance(name, str):
        raise template_error("every Ref object must have a single String value.")
    if name == "AWS::NoValue":
        return NOTHING
    return context.values[name] if name in context.values else context.reference(name)


def _sub(given: Node, context: Context) -> Any:
    text, own = sub_parts(given)
    values: dict[str, Any] = {}
    for variable in variables(text):
        if variable in own:
            values[variable] = evaluate(own[variable], context)
        elif "." in variable and variable not in context.values:
            values[variable] = context.attribute(*variable.split(".", 1))
        else:
            values[variable] = _reference(variable, context)
    if any(unknown(value) for value in values.values()):
        return UNKNOWN
    for value in values.values():
        if isinstance(value, dict | list):
            raise template_error("Fn::Sub expressions must resolve to a string")  # (?)

    def put(match: re.Match[str]) -> str:
        name = match.group(1)
        if name.startswith("!"):
            return "${" + name[1:] + "}"
        value = values[name.strip()]
        return "" if value is NOTHING else text_of(value)

    return _VARIABLE.sub(put, text)


def _find(given: Node, context: Context) -> Any:
    if not isinstance(given, list) or len(given) not in ((3, 4) if context.extended else (3,)):
        raise template_error(_FIND)
    default = NOTHING
    if len(given) == 4:
        if not isinstance(given[3], dict) or set(given[3]) != {"DefaultValue"}:
            raise template_error(_FIND)
        default = evaluate(given[3]["DefaultValue"], context)
    keys = [evaluate(part, context) for part in given[:3]]
    if unknown(keys):
        return UNKNOWN
    name, first, second = (text_of(key) for key in keys)
    if name not in context.mappings and default is NOTHING:
        raise template_error(f"Mapping named '{name}' is not present in the 'Mappings' section of template.")
    found = context.mappings.get(name, {}).get(first, {})
    if second in found:
        return found[second]
    if default is NOTHING:
        raise template_error(f"Unable to get mapping for {name}::{first}::{second}")
    return default


def _join(value: Any, context: Context) -> str:
    if not (isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], list)):
        raise template_error(_JOIN)
    if any(isinstance(one, dict | list) for one in value[1]):
        raise template_error(_JOIN)
    return value[0].join(text_of(one) for one in value[1])


def _split(value: Any, context: Context) -> list[str]:
    if not (isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and value[0]):
        raise template_error(_SPLIT)
    if isinstance(value[1], dict | list):
        raise template_error(_SPLIT)
    return text_of(value[1]).split(value[0])


def _select(value: Any, context: Context) -> Any:
    if not (isinstance(value, list) and len(value) == 2 and isinstance(value[1], list)):
        raise template_error(_SELECT)
    index = value[0]
    if not re.fullmatch(r"-?\d{1,9}", text_of(index)):
        raise template_error(_SELECT)
    number = int(index)
    if not 0 <= number < len(value[1]):
        raise template_error(f"Fn::Select cannot select nonexistent value at index {number}")
    return value[1][number]


def _base64(value: Any, context: Context) -> str:
    if isinstance(value, dict | list):
        raise template_error("every Fn::Base64 object must have a String-typed value.")
    return base64.b64encode(text_of(value).encode()).decode()


def _cidr(value: Any, context: Context) -> list[str]:
    if not (isinstance(value, list) and len(value) in (2, 3)):
        raise template_error(_CIDR)
    block, count, *bits = (text_of(part) for part in value)
    return cidr.blocks(block, count, bits[0] if bits else None)


def _zones(value: Any, context: Context) -> list[str]:
    if isinstance(value, dict | list):
        raise template_error("Fn::GetAZs requires a string as argument")  # (?)
    return context.zones(text_of(value) or text_of(context.values["AWS::Region"]))


def _import(value: Any, context: Context) -> Any:
    if isinstance(value, dict | list):
        raise template_error("the attribute in Fn::ImportValue must be a string or a function that returns a string")
    return context.imported(text_of(value))


def _length(value: Any, context: Context) -> int:
    if not isinstance(value, list):
        raise template_error("Fn::Length only accepts a list.")  # (?)
    return len(value)


def _json_string(value: Any, context: Context) -> str:
    if not isinstance(value, dict | list):
        raise template_error("Fn::ToJsonString only accepts an object or an array.")  # (?)
    return json.dumps(value, separators=(",", ":"))


_FUNCTIONS: dict[str, Callable[[Any, Context], Any]] = {
    "Fn::Join": _join,
    "Fn::Split": _split,
    "Fn::Select": _select,
    "Fn::Base64": _base64,
    "Fn::Cidr": _cidr,
    "Fn::GetAZs": _zones,
    "Fn::ImportValue": _import,
    "Fn::Length": _length,
    "Fn::ToJsonString": _json_string,
}
