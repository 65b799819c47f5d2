"""Expressions: what they compute, what is a fault when loaded, and where they stop."""

import time
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from realms.journey.expressions.compiled import (
    ExpressionFailed,
    FaultyExpression,
    Outcomes,
    compile_expression,
)
from utilities.errors import ErrorKind

ROW = {"type": "object", "properties": {"ok": {"type": "boolean"}, "name": {"type": "string"}}}
SCOPE: Mapping[str, Mapping[str, Any] | None] = {
    "input": {
        "type": "object",
        "properties": {
            "file_id": {"type": "string"},
            "count": {"type": "integer"},
            "limit": {"type": "number"},
            "rows": {"type": "array", "items": {"$ref": "#/$defs/Row"}},
            "owner": {"anyOf": [{"$ref": "#/$defs/Row"}, {"type": "null"}]},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "tree": {"$ref": "#/$defs/Tree"},
        },
        "$defs": {
            "Row": ROW,
            "Tree": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Tree"}}},
            "Circle": {"$ref": "#/$defs/Circle"},
        },
    },
    "read": None,
    "check_rows": None,
    "run": {"type": "object", "properties": {"id": {"type": "string"}}},
    "item": None,
}


def value_of(text: str, outcomes: Outcomes = Outcomes(), **data: Any) -> Any:  # noqa: B008 - frozen
    return compile_expression(text, dict.fromkeys([*SCOPE, *data])).value(data, outcomes)


def fault_of(text: str, **options: Any) -> FaultyExpression:
    with pytest.raises(FaultyExpression) as found:
        compile_expression(text, SCOPE, **options)
    return found.value


DATA = {
    "n": 3, "f": 3.0, "half": 2.5, "yes": True, "nothing": None, "text": "é€😀", "list": [1, 2, 3],
    "empty": [], "map": {"x": 1, "a-b": 2, "if": 3}, "huge": 2**70,
    "rows": [{"ok": True, "v": 1}, {"ok": False, "v": 2}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a.n > 1", True), ("a.f > 1", True), ("a.n == a.f", True), ("a.n + a.half", 5.5),
        ("a.f + 1", 4.0), ("a.half * 2", 5.0), ("a.n - 1 - 1", 1), ("-a.n", -3), ("1 - -1", 2),
        ("2 * 3 + 4 * 5", 26), ("(2 + 3) * 4", 20), ("7 / 2", 3), ("-7 / 2", -3), ("7.0 / 2", 3.5),
        ("-7 % 3", -1), ("7 % -3", 1), ("a.f % 2", 1), ("0x1F", 31), ("1e3", 1000.0), (".5", 0.5),
        ("-9223372036854775808", -(2**63)), ("a.huge > 1", True), ("a.huge", 2**70),
        ("a.yes && !a.yes || a.yes", True), ("true || a.missing", True),
        ("a.missing || true", True),
        ("false && a.missing", False), ("a.missing && false", False), ("a.yes ? 'y' : 'n'", "y"),
        ("a.n > 5 ? 1 : a.n > 2 ? 2 : 3", 2), ("1 < 2 == true", True), ("true > false", True),
        ("a.nothing == null", True), ("a.n == null", False), ("a.n != 'x' || true", True),
        ("[1, 2] == [1.0, 2.0]", True), ("a.list == [true, 2, 3]", False), ("a.yes == 1", False),
        ("a.map == {'x': 1.0, 'a-b': 2, 'if': 3}", True), ("a.rows == a.rows", True),
        ("a.list[0]", 1), ("a.list[1.0]", 2), ("a.map['a-b']", 2), ("a.map.if", 3),
        ("a[a.text == 'x' ? 'n' : 'f']", 3.0), ("has(a.n)", True), ("has(a.missing)", False),
        ("has(a.nothing)", True), ("has(a['x-y'])", False), ("2 in a.list", True),
        ("2.0 in a.list", True), ("true in a.list", False), ("'x' in a.map", True),
        ("'y' in a.map", False), ("'n' in ['n', 'm']", True), ("[1, 2] in [[1, 2]]", True),
        ("size(a.text)", 3), ("a.text.size()", 3), ("size(a.list)", 3), ("size(a.map)", 3),
        ("a.rows.all(r, r.ok)", False), ("a.rows.exists(r, !r.ok)", True),
        ("a.empty.all(r, r)", True),
        ("a.empty.exists(r, r)", False), ("a.rows.exists_one(r, r.ok)", True),
        ("a.rows.filter(r, r.ok)", [{"ok": True, "v": 1}]), ("a.rows.map(r, r.v)", [1, 2]),
        ("a.rows.map(r, r.v > 1, r.v * 2)", [4]), ("a.map.map(k, k)", ["x", "a-b", "if"]),
        ("a.rows.map(a, a.v)", [1, 2]), ("[[1], [2, 3]].map(x, x.map(y, y + x[0]))", [[2], [4, 5]]),
        ("[0, 1].exists(x, 1 / x == 1)", True), ("[0, 1].all(x, 1 / x == 5)", False),
        ("a.list.filter(x, x > 1).map(y, y * 2).exists(z, z == 6)", True),
        ("a.list + [4]", [1, 2, 3, 4]), ("a.text + '!'", "é€😀!"), ("string(a.n) + 'x'", "3x"),
        ("string(a.f)", "3"), ("string(a.half)", "2.5"), ("string(true)", "true"),
        ("int('12')", 12),
        ("int(2.9)", 2), ("int(-2.9)", -2), ("double('1.5')", 1.5), ("double(a.n)", 3.0),
        ("dyn(a.n)", 3), ("'abc'.startsWith('a')", True), ("'abc'.endsWith('c')", True),
        ("'abc'.contains('b')", True), ("a.text.contains('€')", True),
        ("'a1'.matches('[0-9]$')", True),
        ("'a,b'.split(',')", ["a", "b"]), ("'ab'.split('')", ["a", "b"]),
        ("['a', 'b'].join('-')", "a-b"), ("['a', 'b'].join()", "ab"), ("' x '.trim()", "x"),
        ("'abca'.replace('a', 'x')", "xbcx"), ("'abcd'.substring(1, 3)", "bc"),
        ("'abcd'.substring(2)", "cd"), ("'abcd'.indexOf('c')", 2), ("'ÉaB'.lowerAscii()", "Éab"),
        ("'éaB'.upperAscii()", "éAB"), ("{'k': [1, null, {'d': a.n}]}", {"k": [1, None, {"d": 3}]}),
        ("{}", {}), ("[]", []), ("[1, 2,]", [1, 2]), ("'\\u00e9\\x41\\101\\n'", "éAA\n"),
        ("r'\\d'", "\\d"), ("r'\\'", "\\"), ("'''a'b'''", "a'b"), ('"it\'s"', "it's"),
        ("a\n .n", 3),
        (" && ".join(["true"] * 300), True), ("!" * 20 + "true", True),
    ],
)  # fmt: skip
def test_an_expression_computes(text: str, value: Any) -> None:
    made = value_of(text, a=DATA)

    assert made == value
    assert type(made) is type(value)


@pytest.mark.parametrize(
    ("text", "column", "problem"),
    [
        ("a.missing", 2, '"missing" is missing'),
        ("a.map.x.y", 8, 'a number has no field "y"'),
        ("a.text.x", 7, 'a text has no field "x"'),
        ("b.x", 0, '"b" is missing'),
        ("a.list[3]", 7, "there is no item 3 in a list of 3"),
        ("a.list[-1]", 7, "there is no item -1 in a list of 3"),
        ("a.list[0.5]", 7, "a whole number is needed, not a number"),
        ("a.list[a.yes]", 9, "a whole number is needed, not true or false"),
        ("a.map[1]", 6, "an object is indexed by a text, not a number"),
        ("a.n[0]", 4, "[...] looks into a list or an object, not a number"),
        ("a.n / 0", 4, "division by zero"),
        ("a.half / 0", 7, "division by zero"),
        ("a.n % 0", 4, "division by zero"),
        ("a.half % 2", 7, "a whole number is needed, not a number"),
        ("a.huge + 1", 7, "the number is too large"),
        ("1e308 * 10", 6, "the number is too large"),
        ("a.text + 1", 7, '"+" cannot take a text and a number'),
        ("a.yes + 1", 6, '"+" cannot take true or false and a number'),
        ("-a.text", 0, '"-" cannot take a number and a text'),
        ("a.text > 1", 7, "cannot compare a text with a number"),
        ("a.nothing > 1", 10, "cannot compare null with a number"),
        ("a.list < a.list", 7, "cannot compare a list with a list"),
        ("a.n && true", 4, "a number stands where true or false is needed"),
        ("!a.n", 0, "a number stands where true or false is needed"),
        ("a.n ? 1 : 2", 2, "a number stands where true or false is needed"),
        ("a.rows.all(r, r.v)", 16, "a number stands where true or false is needed"),
        ("a.rows.filter(r, r.v)", 19, "a number stands where true or false is needed"),
        ("a.rows.exists_one(r, 1 / (r.v - 1) == 1)", 23, "division by zero"),
        ("a.n.all(r, r)", 4, "this goes over a list or an object, not a number"),
        ("1 in a.n", 2, "in looks into a list or an object, not a number"),
        ("has(a.n.x)", 8, 'a number has no field "x"'),
        ("size(a.n)", 0, "size cannot take a number"),
        ("a.n.contains('x')", 4, "contains cannot take a number"),
        ("a.n.matches('x')", 4, "matches cannot take a number"),
        ("int('x')", 0, "this text is no whole number"),
        ("int('9' + '9999999999999999999')", 0, "this text is no whole number"),
        ("double('nan')", 0, "this text is no number"),
        ("double(a.huge * 1.0)", 0, ""),
        ("double('1e999')", 0, "the number is too large"),
        ("[a.n].join()", 6, "join takes a list of texts"),
        ("'ab'.substring(3)", 5, "substring reaches outside of a text of 2"),
        ("{a.text: 1, 'é€😀': 2}", 0, "the keys of an object must be texts, each given once"),
        ("{a.n: 1}", 0, "the keys of an object must be texts, each given once"),
    ],
)  # fmt: skip
def test_an_expression_without_a_value_fails_and_tells_no_data(
    text: str, column: int, problem: str
) -> None:
    if not problem:
        assert value_of(text, a=DATA) == float(2**70)
        return
    with pytest.raises(ExpressionFailed) as failed:
        compile_expression(text, {"a": None, "b": None}).value({"a": DATA})

    assert (failed.value.column, failed.value.problem) == (column, problem)
    assert failed.value.kind is ErrorKind.INVALID
    assert text in failed.value.detail


@pytest.mark.parametrize(
    ("text", "column", "problem", "hint"),
    [
        ("", 0, "is empty", ""),
        ("  ", 0, "is empty", ""),
        ("inptu.x", 0, 'there is no "inptu" here', 'Did you mean "input"?'),
        ("succeeded", 0, 'there is no "succeeded" here', "Write succeeded()"),
        ("input.fileid", 6, 'there is no field "fileid"', 'Did you mean "file_id"?'),
        ("input['fileid']", 6, 'there is no field "fileid"', 'Did you mean "file_id"?'),
        ("run.zzz", 4, 'there is no field "zzz"', "There are: id"),
        ("has(input.fileid)", 10, 'there is no field "fileid"', 'Did you mean "file_id"?'),
        ("input.rows[0].nam", 14, 'there is no field "nam"', 'Did you mean "name"?'),
        ("input.rows.all(r, r.okk)", 20, 'there is no field "okk"', 'Did you mean "ok"?'),
        ("input.rows.filter(r, r.ok)[0].nam", 30, 'there is no field "nam"',
         'Did you mean "name"?'),
        ("input.rows.map(r, {'a': r})[0].b", 31, 'there is no field "b"', "There are: a"),
        ("input.tree.next.next.nxt", 21, 'there is no field "nxt"', 'Did you mean "next"?'),
        ("input.rows.name", 11, 'a list has no field "name"',
         "Write [0] for the first, or .map(r, ...)"),
        ("input.count.x", 12, 'a whole number has no field "x"', ""),
        ("input.count > 'x'", 12, '">" cannot take a whole number and a text', ""),
        ("input.file_id + input.count", 14, '"+" cannot take a text and a whole number',
         "Write string(...) around the number"),
        ("input.file_id == 1", 14, "a text is never equal to a whole number", ""),
        ("input.count && true", 6, "&& takes true or false, not a whole number", ""),
        ("!input.count", 7, "! takes true or false, not a whole number", ""),
        ("input.count ? 1 : 2", 6, "? asks for true or false, not a whole number", ""),
        ("input.rows.all(r, r.name)", 20, "all asks for true or false, not a text", ""),
        ("input.count.all(r, r)", 12, "all goes over a list or an object, not a whole number", ""),
        ("input.rows['x']", 11, 'a list has no field "x"',
         "Write [0] for the first, or .map(r, ...)"),
        ("input.rows[input.file_id]", 17, "a list is indexed by a number, not a text", ""),
        ("input.labels[1]", 13, "an object is indexed by a text, not a whole number", ""),
        ("input.labels.x + 1", 15, '"+" cannot take a text and a whole number',
         "Write string(...) around the number"),
        ("1 in input.count", 11, "in looks into a list or an object, not a whole number", ""),
        ("size(1)", 5, "size takes a list or a text or an object, not a whole number", ""),
        ("size()", 0, "size takes 1 argument", ""),
        ("'a'.substring()", 4, "substring takes 1 or 2 arguments", ""),
        ("'a'.trim(1)", 4, "trim takes nothing", ""),
        ("skipped('reed')", 8, 'no milestone is called "reed"', 'Did you mean "read"?'),
        ("skipped(input.file_id)", 0, "skipped takes the id of one milestone, in quotes",
         "Write skipped('read')"),
        ("skipped()", 0, "skipped takes the id of one milestone, in quotes",
         "Write skipped('read')"),
        ("succeeded(1)", 10, "succeeded() takes nothing", ""),
        ("suceeded()", 0, 'there is no function "suceeded"', 'Did you mean "succeeded"?'),
        ("now()", 0, 'there is no function "now"', ""),
        ("contains('a', 'b')", 0, 'there is no function "contains"', "Write x.contains(...)"),
        ("read()", 0, 'there is no function "read"',
         '"read" is no function; leave out the brackets'),
        ("read.exist(r, r)", 5, 'there is no method "exist"', 'Did you mean "exists"?'),
        ("read.all(r)", 5, "all takes a name and what is to be found for each",
         "Write .all(r, r.ok)"),
        ("read.all()", 5, "all takes a name and what is to be found for each",
         "Write .all(r, r.ok)"),
        ("read.all(r.x, r)", 5, "all takes a name and what is to be found for each",
         "Write .all(r, r.ok)"),
        ("has(input)", 0, "has asks for one field", "Write has(input.limit)"),
        ("read.matches(input.file_id)", 19, "the pattern of matches must be a text in quotes", ""),
        ("read.matches('(?=a)')", 13, "this is no pattern",
         "There is no look-around and no back reference"),
        ("env:SECRET", 0, 'there is no "env:" in expressions',
         'A secret is given as {secret: name} in "with"'),
        ("input.count = 3", 12, "cannot read '=' here", "Write == to compare"),
        ("true & false", 5, "cannot read '&' here", "Write &&"),
        ("'abc", 0, "this text is never closed", ""),
        ("1 +", 3, "a value is missing before the end", ""),
        ("(1", 2, '")" is missing before the end', ""),
        ("[1 2]", 3, '"]" is missing before "2"', ""),
        ("{'a' 1}", 5, '":" is missing before "1"', ""),
        ("{'a': 1 'b'}", 8, '"}" is missing before "\'b\'"', ""),
        ("{1: 2}", 1, "a key is a text, not a whole number", ""),
        ("{'a': 1, 'a': 2}", 1, '"a" is given twice', ""),
        ("read.", 5, "the name of a field is missing before the end", ""),
        ("read.1x", 4, '".1" is too much here', ""),
        ("1 2", 2, '"2" is too much here', ""),
        ("'\\q'", 0, "\\q stands for no character", ""),
        ("'\\ud800'", 0, "\\ud800 stands for no character", ""),
        ("9223372036854775808", 0, "this number is too large", ""),
        ("1e400", 0, "this number is too large", ""),
        ("1u", 0, "there are no unsigned numbers", "Leave out u"),
        ("b'x'", 0, "bytes are not offered", ""),
        ("1 // why", 2, "a comment has no place in an expression", ""),
        ("''.__class__", 3, 'a text has no field "__class__"', ""),
    ],
)  # fmt: skip
def test_a_fault_is_found_when_loaded(text: str, column: int, problem: str, hint: str) -> None:
    fault = fault_of(text)

    assert (fault.column, fault.problem, fault.hint) == (column, problem, hint)


@pytest.mark.parametrize(
    "text",
    [
        "input.owner.anything", "read.parse_result.tables[0].rows", "input.labels.any_name",
        "input.limit + input.count > 1.5", "input.owner == null", "read.x == 'y' && read.x > 1",
        "item.map(i, i.x)[0].y", "[1, 'a'].all(x, x == 1)", "input.tree.next.next.next",
        "input['fi' + 'le_id']",
    ],
)  # fmt: skip
def test_what_the_schemas_do_not_tell_is_left_to_the_run(text: str) -> None:
    assert compile_expression(text, SCOPE).names <= set(SCOPE)


@pytest.mark.parametrize(
    "schema",
    [{"$ref": "#/$defs/Circle", "$defs": {"Circle": {"$ref": "#/$defs/Circle"}}},
    {"$ref": "http://x"},
     {"$ref": 1}, {"type": ["object", "null"]}, {"allOf": [{}, {}]}, {"const": 1},
     {"properties": 3}],
)  # fmt: skip
def test_an_odd_schema_makes_a_name_dynamic(schema: dict[str, Any]) -> None:
    assert compile_expression("x.y", {"x": schema}).names == {"x"}


def test_an_expression_knows_what_it_reads() -> None:
    text = (
        "has(read.extra) && read.rows.all(r, r.ok) && check_rows.all(read, read.x) && input['a-b']"
    )

    expression = compile_expression(text, dict.fromkeys(SCOPE))

    assert expression.names == {"read", "check_rows", "input"}
    assert expression.fields == {"read": {"rows"}, "check_rows": frozenset(), "input": {"a-b"}}
    assert expression.whole == {"check_rows"}
    assert not expression.asks_status


def test_status_functions_ask_for_the_outcomes_and_name_their_guards() -> None:
    expression = compile_expression("failed() || skipped('read') && !skipped(\"item\")", SCOPE)

    assert expression.asks_status
    assert expression.guards == {"read", "item"}
    assert expression.names == frozenset()
    assert expression.value({}, Outcomes(skipped=frozenset({"read"}))) is True
    assert expression.value({}) is False
    assert expression.value({}, Outcomes(succeeded=False, failed=True)) is True
    assert value_of("always() && succeeded()") is True


def test_the_wanted_type_is_checked_when_loaded_and_again_when_it_runs() -> None:
    boolean = {"wants": {"boolean"}}

    assert fault_of("input.count", **boolean).problem == "gives a whole number, not true or false"
    assert compile_expression("input.count", SCOPE, wants={"number"}).value({"input": {"count": 1}})
    late = compile_expression("read.x", SCOPE, wants={"boolean"})
    assert late.value({"read": {"x": False}}) is False
    with pytest.raises(ExpressionFailed, match="the value is not true or false"):
        late.value({"read": {"x": "secret"}})
    whole = compile_expression("read.x", SCOPE, wants={"integer"})
    assert whole.value({"read": {"x": 2.0}}) == 2
    with pytest.raises(ExpressionFailed, match="not a whole number"):
        whole.value({"read": {"x": 2.5}})


@pytest.mark.parametrize(
    ("text", "schema"),
    [
        ("input.file_id", {"type": "string"}), ("input.count + 1", {"type": "integer"}),
        ("input.count + input.limit", {"type": "number"}), ("read.x", None),
        ("input.rows.map(r, r.ok)", {"type": "array", "items": {"type": "boolean"}}),
        ("input.count > 1", {"type": "boolean"}),
    ],
)  # fmt: skip
def test_the_schema_of_the_result_is_known(text: str, schema: Any) -> None:
    made = compile_expression(text, SCOPE).schema

    assert (made and {k: made[k] for k in made if k != "$defs"}) == schema


def test_data_is_never_evaluated() -> None:
    assert value_of("a.x", a={"x": "${1 + 1}"}) == "${1 + 1}"
    assert value_of("a.x + ''", a={"x": "a.x"}) == "a.x"


def test_what_is_read_is_not_copied() -> None:
    rows = [{"ok": True}]

    assert value_of("a.rows", a={"rows": rows}) is rows
    assert value_of("a.rows.filter(r, r.ok)", a={"rows": rows})[0] is rows[0]


NUMBERS = list(range(10_000))


@pytest.mark.no_cover  # much work in a few lines, which other tests cover
@pytest.mark.parametrize(
    "text",
    [
        "a.map(x, a.map(y, 1))",
        "a.map(x, a)",
        "a.map(x, a.map(y, a))",
        "a.all(x, a.all(y, a.all(z, true)))",
        "a.all(x, a == a)",
        "a.filter(x, x in a)",
        "a.exists(x, a.exists(y, y < 0)) || true",
        "a.map(x, 'x')" + ".map(s, s + s)" * 30,
        "[a]" + ".map(s, s + s)" * 30,
        "['ab']" + ".map(s, s.replace('a', 'aaaaaaaaaaaaaaaa'))" * 20,
        "a.map(x, a.map(y, 'ab').join(','))",
        "a.map(x, t.split(','))",
        "a.all(x, t.contains('zz') || t.lowerAscii() == t)",
        "a.all(x, !t.matches('(a+)+$'))",
        "[" + "a.map(x, a)," * 20 + "1]",
    ],
)
def test_a_bomb_ends_quickly(text: str) -> None:
    expression = compile_expression(text, {"a": None, "t": None})
    began = time.perf_counter()

    with pytest.raises(ExpressionFailed, match="takes too long or makes too much"):
        expression.value({"a": NUMBERS, "t": "a,b" * 30_000})

    assert time.perf_counter() - began < 2


def test_ten_thousand_rows_are_no_bomb() -> None:
    rows = [{"ok": True, "id": n, "name": f"row {n}"} for n in range(10_000)]

    text = "a.filter(r, r.ok && r.id >= 5000).map(r, {'id': r.id, 'label': 'n ' + r.name})"
    assert len(value_of(text, a=rows)) == 5000


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1" + " + 1" * 60, "is nested more than 50 deep"),
        ("(" * 60 + "1" + ")" * 60, "is nested more than 50 deep"),
        ("[" * 1000 + "]" * 1000, "is nested more than 50 deep"),
        ("read" + ".a" * 60, "is nested more than 50 deep"),
        ("!" * 3000 + "true", "is nested more than 50 deep"),
        ("true ? 1 : " * 60 + "1", "is nested more than 50 deep"),
        ("'" + "x" * 4096 + "'", "is longer than 4096 characters"),
    ],
)
def test_an_expression_that_is_too_large_is_refused(text: str, problem: str) -> None:
    assert fault_of(text).problem == problem


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=5)
    | st.floats(allow_nan=False, allow_infinity=False, width=32),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4),
    inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
NUMBER = st.integers(-(2**40), 2**40) | st.floats(-1e9, 1e9)


@given(NUMBER, NUMBER)
def test_numbers_agree_with_python(x: float, y: float) -> None:
    assert value_of("x + y", x=x, y=y) == x + y
    assert value_of("x - y", x=x, y=y) == x - y
    assert value_of("x < y", x=x, y=y) is (x < y)
    assert value_of("x >= y", x=x, y=y) is (x >= y)
    assert value_of("x == y", x=x, y=y) is (x == y)


@pytest.mark.no_cover  # much work in a few lines, which other tests cover
@given(JSON, JSON)
def test_any_data_passes_through_and_equals_itself_only(x: Any, y: Any) -> None:
    assert value_of("x", x=x) is x
    assert value_of("x == x && [x] == [x] && x in [x]", x=x) is True
    assert value_of("{'k': [x]}.k[0]", x=x) is x
    if repr(x) != repr(y) and x != y:
        assert value_of("x == y || y in [x]", x=x, y=y) is False


@pytest.mark.no_cover  # much work in a few lines, which other tests cover
@settings(max_examples=300)
@given(st.text(alphabet="ar.xn0 12'\"[](){}!&|<>=+-*/%?:,\\", max_size=30), JSON)
def test_any_text_is_an_expression_or_a_fault(text: str, data: Any) -> None:
    try:
        value_of(text, a=data, r=data, x=data, n=data)
    except (FaultyExpression, ExpressionFailed) as refused:
        assert refused.problem  # noqa: PT017 - either error is right, another is not


# against the reference implementation

SMALL = st.integers(-4, 4)


def _whole() -> st.SearchStrategy[str]:
    truth, whole = st.deferred(_truth), st.deferred(_whole)
    return (
        SMALL.map(str)
        | st.sampled_from(
            ["a.n", "a.list[1]", "size(a.text)", "a.rows[0].v", "a.missing", "a.text"]
        )
        | st.tuples(whole, st.sampled_from("+-*/%"), whole).map(lambda t: f"({t[0]} {t[1]} {t[2]})")
        | st.tuples(truth, whole, whole).map(lambda t: f"({t[0]} ? {t[1]} : {t[2]})")
        | whole.map(lambda w: f"size(a.list.filter(x, x > {w}))")
        | whole.map(lambda w: f"a.list.map(x, x + {w})[0]")
    )


def _truth() -> st.SearchStrategy[str]:
    truth, whole = st.deferred(_truth), st.deferred(_whole)
    comparing = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
    return (
        st.sampled_from(
            ["true", "false", "a.yes", "has(a.n)", "has(a.missing)", "a.nothing == null"]
        )
        | st.tuples(whole, comparing, whole).map(lambda t: f"{t[0]} {t[1]} {t[2]}")
        | st.tuples(truth, st.sampled_from(["&&", "||"]), truth).map(lambda t: f"({' '.join(t)})")
        | truth.map(lambda t: f"!({t})")
        | st.tuples(st.sampled_from(["all", "exists", "exists_one"]), truth, comparing, whole).map(
            lambda t: f"a.list.{t[0]}(x, {t[1]} && x {t[2]} {t[3]})"
        )
        | whole.map(lambda w: f"{w} in a.list")
    )


@pytest.mark.no_cover  # much work in a few lines, which other tests cover
@settings(max_examples=150, deadline=None)
@given(_whole() | _truth())
def test_expressions_agree_with_the_reference_implementation_of_cel(text: str) -> None:
    cel = pytest.importorskip("cel_expr_python.cel", reason="it has no wheel for this platform")
    assume(text.count("a.list.") < 6)  # it allows 10,000 items and 32 levels in all
    a = {key: value for key, value in DATA.items() if key != "huge"}
    environment = cel.NewEnv(variables={"a": cel.Type.DYN})
    nothing = object()
    try:
        found = environment.compile(text).eval(data={"a": a})
        theirs = nothing if found.type() == cel.Type.ERROR else found.plain_value()
    except RuntimeError as refused:
        assume("recursion" not in str(refused))
        theirs = nothing
    try:
        ours = value_of(text, a=a)
    except (FaultyExpression, ExpressionFailed):
        ours = nothing

    assert ours == theirs
