"""A template's text becomes a tree, and hostile text nothing at all, quickly."""

from __future__ import annotations

import time
from typing import Any

import pytest
from drydock.errors import AwsError
from drydock.services.cloudformation.loading import DEEPEST, load
from drydock.services.cloudformation.template import parse

WELL_FORMED: list[tuple[str, Any]] = [
    ("a: !Ref B", {"Ref": "B"}),
    ("a: !GetAtt B.C.D", {"Fn::GetAtt": ["B", "C.D"]}),
    ("a: !GetAtt [B, C]", {"Fn::GetAtt": ["B", "C"]}),
    ("a: !Sub '${B}'", {"Fn::Sub": "${B}"}),
    ("a: !Sub ['${B}', {B: c}]", {"Fn::Sub": ["${B}", {"B": "c"}]}),
    ("a: !Join [',', [b, !Ref C]]", {"Fn::Join": [",", ["b", {"Ref": "C"}]]}),
    ("a: !Condition B", {"Condition": "B"}),
    ("a: !If [B, !Ref C, !Ref 'AWS::NoValue']", {"Fn::If": ["B", {"Ref": "C"}, {"Ref": "AWS::NoValue"}]}),
    ("a: !GetAZs ''", {"Fn::GetAZs": ""}),
    ("a: !Base64\n  Fn::Sub: x", {"Fn::Base64": {"Fn::Sub": "x"}}),
    ("a: !Cidr [10.0.0.0/16, 4, 8]", {"Fn::Cidr": ["10.0.0.0/16", 4, 8]}),
    ("a: 2012-10-17", "2012-10-17"),
    ("a: '080'", "080"),
    ("a: 080", "080"),
    ("a: 012345678901", "012345678901"),
    ("a: 1_000", "1_000"),
    ("a: 12:30", "12:30"),
    ("a: 80", 80),
    ("a: 0.5", 0.5),
    ("a: yes", True),
    ("a: 'yes'", "yes"),
    ("a: .inf", ".inf"),
    ("a:", None),
    ("a: {200: x}", {"200": "x"}),
    ("a: {on: x}", {"on": "x"}),
    ("a: |\n  x\n  y\n", "x\ny\n"),
    ('{"a": {"Ref": "B"}}', {"Ref": "B"}),
    ('  {"a": [1, true, null]}', [1, True, None]),
]


@pytest.mark.parametrize(("text", "value"), WELL_FORMED)
def test_well_formed(text: str, value: Any) -> None:
    found = load(text)["a"]
    assert found == value and type(found) is type(value)


REFUSED = [
    ("a: [b}", "Template format error: YAML not well-formed. (line 1, column 6)"),
    ("a: b: c", "Template format error: YAML not well-formed. (line 1, column 5)"),
    ("a: \x00", "Template format error: YAML not well-formed."),
    ('{"a": }', "Template format error: JSON not well-formed. (line 1, column 7)"),
    ('{"a": NaN}', "Template format error: JSON not well-formed."),
    ("- a", "Template format error: unsupported structure."),
    ("a", "Template format error: unsupported structure."),
    ("", "Template format error: unsupported structure."),
    ("a: &x {}\nb: *x", "Template error: YAML aliases are not allowed in CloudFormation templates"),
    ("a: !GetAtt B", "Template error: Fn::GetAtt object requires two non-empty parameters, the resource name and the"
     " resource attribute"),
    ("a: !Foo b", "Template format error: unsupported YAML tag !Foo. (line 1, column 4)"),
    ("a: !!python/object/apply:os.system ['touch /tmp/x']",
     "Template format error: unsupported YAML tag tag:yaml.org,2002:python/object/apply:os.system. (line 1, column 4)"),
    ("a: !!python/name:os.system ''",
     "Template format error: unsupported YAML tag tag:yaml.org,2002:python/name:os.system. (line 1, column 4)"),
    ("a: !!binary aGk=", "Template format error: unsupported YAML tag tag:yaml.org,2002:binary. (line 1, column 4)"),
    ("a: !!set {b}", "Template format error: unsupported YAML tag tag:yaml.org,2002:set. (line 1, column 4)"),
    ("a: {<<: {b: c}}", "Template format error: hash merges are not supported."),
    ("a: 1\na: 2", "Template format error: duplicate key a (line 2, column 1)"),
    ('{"a": 1, "a": 2}', "Template format error: duplicate key a"),
    ("? [a]\n: b", "Template format error: YAML not well-formed. (line 1, column 5)"),
    ("a: b\n---\nc: d", "Template format error: YAML not well-formed. (line 2, column 1)"),
    ("a: " + "[" * (DEEPEST + 5), f"Template format error: nesting exceeds {DEEPEST} levels."),
    ('{"a": ' + "[" * 200 + "]" * 200 + "}", f"Template format error: nesting exceeds {DEEPEST} levels."),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(AwsError) as error:
        load(text)
    assert (error.value.code, error.value.message) == ("ValidationError", message)


def bomb() -> str:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    return "\n".join(lines)


HOSTILE = {
    "an alias bomb": bomb(),
    "a deep document": "a: " + "[" * 500_000,
    "a deep JSON document": '{"a": ' + "[" * 500_000,
    "deep braces": "{a: " * 200_000,
    "many indents": "\n".join(" " * n + "a:" for n in range(1000)),
    "many documents": "---\n" * 250_000,
    "many keys, one twice": "\n".join(f"k{n}: v" for n in range(60_000)) + "\nk1: v",
    "an object": "Resources: !!python/object/new:subprocess.Popen [[touch, /tmp/x]]",
    "a million digits": "a: " + "9" * 1_000_000,
    "JSON of a million digits": '{"a": ' + "9" * 1_000_000 + "}",
    "many anchors": "\n".join(f"k{n}: &a{n} v" for n in range(50_000)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_templates_are_refused_quickly(name: str) -> None:
    began = time.process_time()
    with pytest.raises(AwsError):
        parse(HOSTILE[name])
    assert time.process_time() - began < 3.0
