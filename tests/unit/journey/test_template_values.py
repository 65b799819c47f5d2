"""Texts of a template with `${...}` in them, and constants around such texts."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realms.journey.expressions.compiled import ExpressionFailed, FaultyExpression, Outcomes
from realms.journey.expressions.values import Part, compile_value, template_parts

SCOPE = {"input": {"type": "object", "properties": {"n": {"type": "integer"}}}, "read": None}
DATA = {"input": {"n": 3}, "read": {"name": "é", "half": 2.0, "list": [1], "yes": True}}


def fault_of(value: Any, **options: Any) -> FaultyExpression:
    with pytest.raises(FaultyExpression) as found:
        compile_value(value, SCOPE, **options)
    return found.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${input.n}", 3),
        ("${ input.n }", 3),
        ("${read.list}", [1]),
        ("n=${input.n}, ${read.name}!", "n=3, é!"),
        (" ${input.n}", " 3"),
        ("${input.n}${input.n}", "33"),
        ("${read.half} ${read.yes}", "2 true"),
        ("$${input.n}", "${input.n}"),
        ("a $${b} ${input.n}", "a ${b} 3"),
        ("$$${input.n}", "$${input.n}"),
        ("${ {'a': {'b': 1}}['a'] }", {"b": 1}),
        ("${'}'}", "}"),
        ('${"}" + "{"}', "}{"),
        ("${'\\'}'}", "'}"),
        ("${r'\\'}", "\\"),
        ("${'''}'}'''}", "}'}"),
        ("costs $5 {now}", "costs $5 {now}"),
        ("{{ ''.__class__ }}", "{{ ''.__class__ }}"),
        ("", ""),
    ],
)
def test_a_text_is_put_together(text: str, value: Any) -> None:
    made = compile_value(text, SCOPE).value(DATA)

    assert made == value
    assert type(made) is type(value)


@pytest.mark.parametrize(
    ("text", "column", "problem"),
    [
        ("${input.n", 0, 'this "${" is never closed: the expression was cut'),
        ("n: ${read.x ? 'a", 3, 'this "${" is never closed: the expression was cut'),
        ("${ {'a': 1 }", 0, 'this "${" is never closed: the expression was cut'),
        ("${}", 2, "is empty"),
        ("${env:SECRET}", 2, 'there is no "env:" in expressions'),
        ("ab ${input.m}", 11, 'there is no field "m"'),
        ("${''.__class__}", 5, 'a text has no field "__class__"'),
        ("n ${[1]}", 4, "gives a list, not a number or a text or a whole number or true or false"),
    ],
)
def test_a_fault_counts_its_column_in_the_whole_text(text: str, column: int, problem: str) -> None:
    fault = fault_of(text)

    assert (fault.column, fault.problem, fault.path) == (column, problem, ())


def test_a_fault_tells_the_path_to_its_text() -> None:
    fault = fault_of({"rows": [1, {"label": "n ${inptu.n}"}]})

    assert fault.path == ("rows", 1, "label")
    assert (fault.column, fault.hint) == (4, 'Did you mean "input"?')
    assert fault_of({"a": {"${input.n}": 1}}).problem == "a key cannot be an expression"
    assert fault_of([["${"]]).path == (0, 0)


def test_constants_are_what_the_template_says_and_cost_nothing() -> None:
    constant = {"a": [1, None, {"b": "x"}], "c": "$${x}"}

    value = compile_value(constant, SCOPE)

    assert value.is_constant
    assert value.value({}) == {"a": [1, None, {"b": "x"}], "c": "${x}"}
    assert value.value({}) is value.value({})


def test_expressions_stand_anywhere_in_a_nested_constant() -> None:
    value = compile_value(
        {"n": "${input.n}", "list": [0, "${read.list.map(x, x + 1)}"], "same": {"k": 1},
         "why": "${skipped('read')}"},
        SCOPE,
    )  # fmt: skip

    assert value.value(DATA, Outcomes(skipped=frozenset({"read"}))) == {
        "n": 3, "list": [0, [2]], "same": {"k": 1}, "why": True,
    }  # fmt: skip
    assert value.names == {"input", "read"}
    assert value.fields == {"input": {"n"}, "read": {"list"}}
    assert value.guards == {"read"}
    assert value.asks_status
    assert not value.is_constant


def test_what_is_wanted_holds_for_one_expression_or_text() -> None:
    boolean = {"wants": {"boolean"}}

    assert compile_value("${input.n > 1}", SCOPE, **boolean).schema == {"type": "boolean"}
    assert fault_of("${input.n}", **boolean).column == 2
    assert fault_of("${input.n} > 1", **boolean).hint == "Write one ${...} with nothing around it"
    assert compile_value("n ${input.n}", SCOPE, wants={"string"}).schema == {"type": "string"}


def test_lists_objects_and_nulls_do_not_stand_within_a_text() -> None:
    with pytest.raises(ExpressionFailed, match="the value is not"):
        compile_value("x ${read.list}", SCOPE).value(DATA)


def test_a_text_does_not_grow_without_end() -> None:
    value = compile_value("${read.text} and ${read.text}", SCOPE)

    with pytest.raises(ExpressionFailed, match="more than 1048576 characters"):
        value.value({"read": {"text": "x" * 600_000}})


def test_data_that_looks_like_an_expression_stays_text() -> None:
    assert compile_value("${read.x} ${read.x}", SCOPE).value({"read": {"x": "${1}"}}) == "${1} ${1}"


def test_parts_know_where_they_begin() -> None:
    assert template_parts("a ${b} $${c} ${d}") == (
        Part("a ", 0, is_expression=False),
        Part("b", 4, is_expression=True),
        Part(" ${c} ", 6, is_expression=False),
        Part("d", 15, is_expression=True),
    )


@given(st.text())
def test_any_text_can_be_escaped(text: str) -> None:
    escaped = text.replace("${", "$${")

    assert compile_value(escaped, {}).value({}) == text


@given(st.text(alphabet="${}'\" ar\\", max_size=20))
def test_any_text_is_a_template_or_a_fault(text: str) -> None:
    try:
        parts = template_parts(text)
    except FaultyExpression:
        return
    assert sum(len(part.text) for part in parts) <= len(text)
