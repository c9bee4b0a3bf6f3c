"""Filter patterns: the examples of AWS's "Filter pattern syntax" pages, what is invalid, and that nothing crashes."""

from __future__ import annotations

import json
import time

import pytest
from drydock.services.logs.field_patterns import split_fields
from drydock.services.logs.patterns import compiled
from drydock.services.logs.regexes import InvalidPattern
from hypothesis import example, given, settings
from hypothesis import strategies as st

UNAUTHORIZED = "[ERROR 401] UNAUTHORIZED REQUEST"
SUCCESS = "[SUCCESS 200] AUTHORIZED REQUEST"
BAD = "[ERROR 400] BAD REQUEST"
TEXT = [
    ("ERROR", UNAUTHORIZED, True),
    ("ERROR", SUCCESS, False),
    ("ERROR", "[ERROR] A fatal exception has occurred", True),
    ("ERROR", "Exiting with ERRORCODE: -1", True),
    ("error", UNAUTHORIZED, False),
    ("ERROR REQUEST", BAD, True),
    ("REQUEST ERROR", BAD, True),
    ("ERROR Exception", "[ERROR] Caught IllegalArgumentException", True),
    ("ERROR Exception", "[ERROR] Unhandled", False),
    ("Failed to process the request", "[ERROR] Unable to continue: Failed to process the request", True),
    ('"INTERNAL SERVER ERROR"', "[ERROR 500] INTERNAL SERVER ERROR", True),
    ('"INTERNAL SERVER ERROR"', "[ERROR 500] INTERNAL ERROR OF SERVER", False),
    ("?ERROR ?WARN", "ERROR WARN message", True),
    ("?ERROR ?WARN", "ERROR message", True),
    ("?ERROR ?WARN", "WARN message", True),
    ("?ERROR ?WARN", "INFO message", False),
    ("ERROR WARN", "ERROR WARN message", True),
    ("ERROR WARN", "ERROR message", False),
    ("ERROR -WARN", "ERROR message", True),
    ("ERROR -WARN", "ERROR WARN message", False),
    ('"ERROR" - "Exiting"', "Exiting with ERRORCODE: -1", False),
    ('"ERROR" - "Exiting"', "[ERROR] A fatal exception has occurred", True),
    ('?"ERROR 4" ?"Task timed out"', BAD, True),
    ('?"ERROR 4" ?"Task timed out"', "Task timed out after 3 s", True),
    ("?ERROR ?WARN REQUEST", "[INFO] REQUEST FAILED", True),
    ("?ERROR ?WARN REQUEST", "ERROR message", False),
    ("?ERROR -WARN", "INFO message", True),
    ("-WARN", "anything", True),
    ("-WARN", "WARNING", False),
    ('" "', "anything", True),
    ('" "', "anything_without_spaces", True),
    ("", "anything", True),
    ("   ", "anything", True),
    (r'"say \"hi\""', 'they say "hi" to us', True),
    (r'"back\\slash"', "back\\slash", True),
    ("%AUTHORIZED%", UNAUTHORIZED, True),
    ("%AUTHORIZED%", SUCCESS, True),
    ("%AUTHORIZED%", BAD, False),
    (r"%\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}%", "from 10.0.0.17 to us", True),
    (r"%\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}%", "from 10.0.17 to us", False),
    ("%[Ee]rror|[Ff]ail%", "it fails", True),
    ("%[Ee]rror|[Ff]ail%", "it FAILS", False),
    ("%ERROR% REQUEST", BAD, True),
    ("REQUEST -%4\\d\\d%", BAD, False),
    ("?%4\\d1% ?%5\\d\\d%", UNAUTHORIZED, True),
]
TRAIL = json.dumps(
    {
        "eventType": "UpdateTrail",
        "sourceIPAddress": "111.111.111.111",
        "arrayKey": ["value", "another value"],
        "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}],
        "SomeObject": None,
        "ThisFlag": True,
        "cluster.name": "c",
        "errorCode": 400,
        "latency": 50.5,
        "big": 1.2e3,
        "code": "404",
    }
)
PEOPLE = json.dumps(
    {
        "user": {"id": 1, "email": "John.Stiles@example.com"},
        "users": [{"id": 2, "email": "John.Doe@example.com"}, {"id": 3, "email": "Jane.Doe@example.com"}],
        "actions": ["GET", "PUT", "DELETE"],
        "coordinates": [[0, 1, 2], [4, 5, 6], [7, 8, 9]],
    }
)
JSON = [
    ('{ $.eventType = "UpdateTrail" }', TRAIL, True),
    ("{ $.eventType = UpdateTrail }", TRAIL, True),
    ("{$.eventType=UpdateTrail}", TRAIL, True),
    ('{ $.eventType = "*Trail" }', TRAIL, True),
    ('{ $.eventType = "Update*" }', TRAIL, True),
    ("{ $.eventType = *dateTr* }", TRAIL, True),
    ("{ $.eventType = Up*ail }", TRAIL, False),
    ("{ $.eventType = Up*ail }", '{"eventType": "Up*ail"}', True),
    ("{ $.eventType = * }", TRAIL, True),
    ("{ $.sourceIPAddress != 123.123.* }", TRAIL, True),
    ("{ $.sourceIPAddress != 111.111.* }", TRAIL, False),
    ('{ $.arrayKey[0] = "value" }', TRAIL, True),
    ('{ $.arrayKey[1] = "value" }', TRAIL, False),
    ('{ $.arrayKey[7] = "value" }', TRAIL, False),
    ('{ $.eventType[0] = "U" }', TRAIL, False),
    ("{ $.objectList[1].id = 2 }", TRAIL, True),
    ("{ $.objectList[*].id = 2 }", TRAIL, True),
    ("{ $.objectList[*].id = 3 }", TRAIL, False),
    ("{ $.objectList.id = 2 }", TRAIL, False),
    ("{ $.* = UpdateTrail }", TRAIL, True),
    ("{ $.['cluster.name'] = \"c\" }", TRAIL, True),
    ("{ $.SomeObject IS NULL }", TRAIL, True),
    ("{ $.eventType IS NULL }", TRAIL, False),
    ("{ $.SomeOtherObject IS NULL }", TRAIL, False),
    ("{ $.SomeOtherObject NOT EXISTS }", TRAIL, True),
    ("{ $.SomeObject NOT EXISTS }", TRAIL, False),
    ("{ $.ThisFlag IS TRUE }", TRAIL, True),
    ("{ $.ThisFlag IS FALSE }", TRAIL, False),
    ("{ $.ThisFlag = true }", TRAIL, True),
    ("{ $.ThisFlag = 1 }", TRAIL, False),
    ("{ $.SomeObject != x }", TRAIL, False),
    ("{ $.SomeOtherObject != x }", TRAIL, False),
    ("{ $.arrayKey != x }", TRAIL, False),
    ("{ $.arrayKey = * }", TRAIL, False),
    ("{ $.errorCode = 400 }", TRAIL, True),
    ("{ $.errorCode = 4* }", TRAIL, True),
    ("{ $.errorCode != 500 }", TRAIL, True),
    ("{ $.errorCode >= 400 }", TRAIL, True),
    ("{ $.errorCode > 400 }", TRAIL, False),
    ("{ $.latency < 55.5 }", TRAIL, True),
    ("{ $.latency <= 50.5 }", TRAIL, True),
    ("{ $.latency > +1000 }", TRAIL, False),
    ("{ $.latency > -1 }", TRAIL, True),
    ("{ $.latency < 10e3 }", TRAIL, True),
    ("{ $.latency < 10e-3 }", TRAIL, False),
    ("{ $.big = 1200 }", TRAIL, True),
    ("{ $.code = 404 }", TRAIL, True),
    ('{ $.code = "404" }', TRAIL, True),
    ("{ $.eventType < 3 }", TRAIL, False),
    ("{ $.eventType = %Up[a-z]+Tr% }", TRAIL, True),
    ("{ $.eventType != %Up[a-z]+Tr% }", TRAIL, False),
    ('{ ($.user.id = 1) && ($.users[0].email = "John.Doe@example.com") }', PEOPLE, True),
    ('{ ($.user.id = 2 && $.users[0].email = "nonmatch") || $.actions[2] = "GET" }', PEOPLE, False),
    (
        '{ $.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = nonmatch && $.actions[2] = nomatch }',
        PEOPLE,
        True,
    ),
    (
        '{ ($.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = nonmatch) && $.actions[2] = nomatch }',
        PEOPLE,
        False,
    ),
    ("{ $.coordinates[1][2] = 6 }", PEOPLE, True),
    ("{$.foo = bar}", '{"foo": "bar"}', True),
    ("{$.foo = baz }", '{"foo": "bar"}', False),
    ("{$.foo = bar || $.foo = baz }", '{"foo": "baz"}', True),
    ("{ $.users = 1 }", '{"users": [1, 2, 3]}', False),
    ("{ $.users != 1 }", '{"users": [1, 2, 3]}', False),
    ("{ $.a = 1 }", "not JSON", False),
    ("{ $.a = 1 }", '{"a": 1', False),
    ("{ $.a = 1 }", '"a"', False),
    ("{ $.a NOT EXISTS }", "not JSON", False),
]
APACHE = '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /apache_pb.gif HTTP/1.0" 200 1534'
MISSING = '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'
ALL = "ip, user, username, timestamp, request, status_code"
FIELDS = [
    (f"[{ALL}, bytes]", APACHE, True),
    (f"[{ALL}]", APACHE, False),
    (f"[{ALL}, bytes, more]", APACHE, False),
    ("[..., status_code, bytes]", APACHE, True),
    ("[ip, user, ..., status_code, bytes]", APACHE, True),
    ("[ip, user, ...]", APACHE, True),
    ("[ip, user, …]", APACHE, True),
    (f"[{ALL}, ..., bytes]", APACHE, True),
    (f"[{ALL}, bytes > 1000]", APACHE, True),
    (f"[{ALL}, bytes > 1534]", APACHE, False),
    (f"[{ALL} = 200, bytes]", APACHE, True),
    (f"[{ALL} = 4*, bytes]", APACHE, False),
    (f"[{ALL} = 4*, bytes]", MISSING, True),
    ("[ip, user, username, timestamp, request = *html*, status_code = 4*, bytes]", MISSING, True),
    ("[ip, user, username, timestamp, request = *html*, status_code = 4*, bytes]", APACHE, False),
    (f"[{ALL} = 4* && status_code != 403, bytes]", MISSING, True),
    (f"[{ALL} = 4* && status_code != 404, bytes]", MISSING, False),
    (f"[{ALL} = 5* || status_code = 404, bytes]", MISSING, True),
    (f"[{ALL} >= 400 && (status_code = 403 || status_code = 404), bytes]", MISSING, True),
    ("[..., request=*.html*, status_code=4*,]", MISSING, True),
    ('[ip, user="-", username = "fra*", ...]', APACHE, True),
    (r"[ip=%127\.0\.0\.[1-9]%, ...]", APACHE, True),
    (r"[ip=%127\.0\.0\.[2-9]{1,3}%, ...]", APACHE, False),
    (r"[ip!=%127\.0\.0\.[2-9]{1,3}%, ...]", APACHE, True),
    ("[w1=ERROR, w2]", "ERROR message", True),
    ("[w1=ERROR, w2]", "ERROR WARN message", False),
    ("[w1=ERROR, w2]", "WARN message", False),
    ("[w1=ERROR || w1=WARN, w2]", "WARN message", True),
    ("[w1=ERROR || w1=WARN, w2]", "INFO message", False),
    ("[w1!=ERROR && w1!=WARN, w2]", "INFO message", True),
    ("[w1=!ERROR&&w1=!WARN, w2]", "ERROR message", False),
    ("[w1=ERROR, ...]", "[ERROR] in brackets", True),
    ("[w1 < 3]", "text", False),
]
INVALID = [
    "foo.bar", "a-b", "?", "-", '"open', "%open", "%%", "(a)", "ERROR!", "a%b%", '"a"b', "? x",
    "%some!thing%", "%a(b)%", "%a b%", "%é%", "%a**%", "%*a%", "%[a%", "%[]%", "%a{2,1}%", "%a{x}%", "%\\%", "%[z-a]%",
    "%a^b%", "%a$b%", "%a|%", "%a{1001}%", "%a% %b% %c%",
    "{", "{}", "{ }", "{ $ = 1 }", "{ $.a }", "{ $.a = }", "{ a = 1 }", "{ $.a == 1 }", "{ $.a = 1", "{ $.a = 1 } x",
    "{ $.a > x }", '{ $.a < "3" }', "{ ($.a = 1 }", "{ $.a = 1 && }", "{ $.a = 1 & $.b = 2 }", "{ $.a IS MAYBE }",
    "{ $.a EXISTS }", "{ $.a = x y }", "{ $.a[x] = 1 }", "{ $.a = @ }", "{ $.a[*].b[*] = 1 }", "{ $.a is null }",
    "{ $.a[*] = 1 && $.b[*] = 1 && $.c[*] = 1 && $.d[*] = 1 }", "{ $.a = %x% && $.b = %y% && $.c = %z% }",
    "{" + "(" * 400 + "$.a = 1" + ")" * 400 + "}",
    "[", "[]", "[,,]", "[a", "[a b]", "[a, a]", "[..., a, ...]", "[a=1 && b=2, b]", "[a=]", "[=1]", "[a > x]", "[a = 1 c]",
    "[" + "(" * 400 + "a=1" + ")" * 400 + "]",
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "message", "expected"), TEXT + JSON + FIELDS)
def test_documented_examples(pattern: str, message: str, expected: bool) -> None:
    matcher = compiled(pattern)
    assert matcher.matches(message) is expected
    assert (matcher.extract(message) is not None) is expected
    assert not expected or matcher.needle in message


@pytest.mark.parametrize("pattern", INVALID)
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidPattern):
        compiled(pattern)


def test_fields_are_extracted_by_name_or_place() -> None:
    assert compiled("[..., request=*.html*, status_code=4*,]").extract(MISSING) == {
        "$1": "127.0.0.1",
        "$2": "-",
        "$3": "frank",
        "$4": "10/Oct/2000:13:25:15 -0700",
        "$request": "GET /index.html HTTP/1.0",
        "$status_code": "404",
        "$7": "1534",
    }


def test_json_values_are_extracted_by_selector() -> None:
    pattern = '{ $.eventType = "*" && $.latency > 1 && $.SomeObject IS NULL && $.nothing NOT EXISTS }'
    assert compiled(pattern).extract(TRAIL) == {"$.eventType": "UpdateTrail", "$.latency": "50.5"}


def test_text_extracts_nothing() -> None:
    assert compiled("ERROR").extract(BAD) == {}


def test_brackets_and_quotes_make_one_field() -> None:
    assert split_fields("[a b] c") == ["a b", "c"]
    assert split_fields('x "y z"') == ["x", "y z"]
    assert split_fields("[open never closes") == ["[open", "never", "closes"]
    assert split_fields(r'"an \"inner\" quote" b') == [r"an \"inner\" quote", "b"]
    assert split_fields("") == []


@pytest.mark.parametrize("sign", ["[", '"', "[ ", '" ', "]", "a]", '\\"'])
def test_fields_of_a_hostile_megabyte_are_split_in_linear_time(sign: str) -> None:
    began = time.perf_counter()
    split_fields(sign * (1_000_000 // len(sign)))
    assert time.perf_counter() - began < 5


pattern_text = st.one_of(
    st.text(max_size=60),
    st.text(alphabet='{}[]()$.*=!<>&|"%?-\\, abc019_ISNULEXT', max_size=60),
    st.text(alphabet='$.*=!<>&|"%?-\\ ()ab1[]', max_size=40).map(lambda body: "{ $.a" + body + "}"),
    st.text(alphabet='.*=!<>&|"%?-\\ ()ab1,', max_size=40).map(lambda body: f"[{body}]"),
    st.text(alphabet="ab01^$?[]{}|\\*+.,-:dsw", max_size=40).map(lambda body: f"%{body}%"),
    st.sampled_from([each[0] for each in TEXT + JSON + FIELDS]),
)
message_text = st.one_of(
    st.text(max_size=200),
    st.text(alphabet='{}[]",: abc019\\', max_size=100),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
        max_leaves=10,
    ).map(json.dumps),
)


@settings(max_examples=600, deadline=None)
@given(pattern_text, message_text)
@example("{ $.a = 1 }", "[" * 100_000)
@example("{ $.a = 1 }", '{"a": ' + "9" * 5000 + "}")
@example("[a > 1]", "9" * 5000)
def test_nothing_but_the_one_error_ever_comes_out(pattern: str, message: str) -> None:
    try:
        matcher = compiled(pattern)
    except InvalidPattern:
        return
    matched = matcher.matches(message)
    extracted = matcher.extract(message)
    assert matched == (extracted is not None)
    assert not matched or matcher.needle in message
    assert all(isinstance(value, str) for value in (extracted or {}).values())


@given(st.text(alphabet="abc", max_size=8), st.text(alphabet="abc", max_size=8))
def test_a_wildcard_at_either_end_means_any_text(term: str, value: str) -> None:
    event = json.dumps({"v": value})
    assert compiled(f'{{ $.v = "{term}*" }}').matches(event) is value.startswith(term)
    assert compiled(f'{{ $.v = "*{term}" }}').matches(event) is value.endswith(term)
    assert compiled(f'{{ $.v = "*{term}*" }}').matches(event) is (term in value)
    assert compiled(f'{{ $.v != "{term}" }}').matches(event) is (term != value)
