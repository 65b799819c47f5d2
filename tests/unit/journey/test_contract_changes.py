"""Which changes of a template break what relied on it, and which do not."""

import pytest

from realms.journey.language.contract_changes import Change, Impact, changes, shape_of
from realms.journey.language.template_faults import FaultyTemplate
from tests.support.journeys import DATA_MASH, OBJECT, TEXT, FakeServices, signature

TABLE = {"type": "object", "properties": {"rows": {"type": "integer"}}, "required": ["rows"]}
SERVICES = FakeServices(
    signature("Files.read", {"file_id": TEXT}, {"table": TABLE, "name": TEXT}),
    signature("Files.scan", {"file_id": TEXT}, {"table": OBJECT, "name": TEXT, "pages": OBJECT}),
    signature("Files.name", {"file_id": TEXT}, {"name": TEXT}),
    signature("Ledger.book", {"table": OBJECT}, {"entry": TEXT}),
)
BASE = """\
journey_template: books
input: {file_id: string, limit: {type: integer, default: 3}}
milestones:
  - {milestone_id: read, phase: files, service: Files, api: read}
  - milestone_id: decide
    phase: people
    ask: {form: {type: object, properties: {ok: {type: boolean}}}}
  - {milestone_id: go, phase: people, wait_for: {signal: go}}
  - {milestone_id: tell, phase: people, emit: {event: told}}
  - {milestone_id: book, phase: ledger, service: Ledger, api: book}
handoff_contracts:
  files_to_people:
    input: {table: {type: object}}
    output: name
"""
OUTPUT = BASE + 'output: {entry: "${book.entry}", rows: "${read.table.rows}"}\n'


def found(before: str, after: str) -> list[tuple[str, str, str]]:
    was, now = (shape_of(text, SERVICES, file="x.yaml") for text in (before, after))
    return [(c.impact.value, c.path, c.problem) for c in changes(was, now)]


def changed(old: str, new: str, *, base: str = BASE) -> list[tuple[str, str, str]]:
    assert old in base
    return found(base, base.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "path", "problem"),
    [
        ("file_id: string,", "file_id: string, who: string,", "input.who", "is new and required"),
        ("file_id: string, ", "", "input.file_id", "is taken no more"),
        ("file_id: string", "file_id: {type: string, maxLength: 9}", "input.file_id", "takes less"),
        ("file_id: string", "file_id: integer", "input.file_id", "takes something else"),
        ("file_id: string", "file_id: {enum: [a, b]}", "input.file_id", "takes less"),
        (", default: 3", "", "input.limit", "has no default any more"),
        ("type: integer,", "type: integer, minimum: 1,", "input.limit", "takes less"),
        (
            "properties: {ok:",
            "required: [ok], properties: {ok:",
            "milestones.decide.ask.form",
            "takes less",
        ),
        ("signal: go", "signal: gone", "signal go", "is waited for no more"),
        ("event: told", "event: heard", "event told", "is published no more"),
        (
            "api: read",
            "api: scan",
            "milestones.read.table",
            "promises less: object of another form",
        ),
        ("milestone_id: book,", "milestone_id: enter,", "milestones.book", "is gone"),
        (
            "input: {table: {type: object}}",
            "input: {table: {type: object}, name: string}",
            "handoff files_to_people.input.name",
            "is asked for now",
        ),
        (
            "{table: {type: object}}",
            "{table: {type: object, required: [rows]}}",
            "handoff files_to_people.input.table",
            "takes less",
        ),
        ("    output: name\n", "", "handoff files_to_people.output.name", "is promised no more"),
        (
            "    output: name\n",
            "    output: name\n    trace_id: required\n",
            "handoff files_to_people.trace_id",
            "is required now",
        ),
        (
            "  files_to_people:",
            "  people_to_ledger: {input: name}\n  files_to_people:",
            "handoff people_to_ledger.input.name",
            "is asked for now",
        ),
    ],
)
def test_a_change_that_breaks(old: str, new: str, path: str, problem: str) -> None:
    breaking = [(p, what) for impact, p, what in changed(old, new) if impact == "breaking"]

    assert len(breaking) == 1, breaking
    assert breaking[0][0] == path
    assert breaking[0][1].startswith(problem)


@pytest.mark.parametrize(
    ("old", "new", "path", "problem"),
    [
        (
            "file_id: string,",
            "file_id: string, n: {type: integer, default: 1},",
            "input.n",
            "is new and has a default",
        ),
        (
            "file_id: string",
            "file_id: {type: [string, integer]}",
            "input.file_id",
            "takes more: string, now string or integer",
        ),
        (
            "file_id: string",
            "file_id: {type: string, default: a}",
            "input.file_id",
            "has a default now",
        ),
        ("default: 3", "default: 4", "input.limit", "has another default"),
        (
            "{ok: {type: boolean}}",
            "{ok: {type: boolean}, why: {type: string}}",
            "milestones.decide.why",
            "is new",
        ),
        (
            "{table: {type: object}}",
            "{table: {}}",
            "handoff files_to_people.input.table",
            "takes more",
        ),
        (
            "    input: {table: {type: object}}\n",
            "",
            "handoff files_to_people.input.table",
            "is asked for no more",
        ),
        (
            "output: name",
            "output: name, table",
            "handoff files_to_people.output.table",
            "is promised now",
        ),
        (
            "output: name",
            "output: {name: string}",
            "handoff files_to_people.output.name",
            "promises more",
        ),
        (
            "  - {milestone_id: go,",
            "  - {milestone_id: rest, phase: people, wait: 1h}\n  - {milestone_id: go,",
            "milestones.rest",
            "is new",
        ),
        ("description", "description", "", ""),
        ("wait_for: {signal: go}", "wait_for: {signal: go, timeout: 1h}", "", ""),
    ],
)
def test_a_change_that_breaks_nothing(old: str, new: str, path: str, problem: str) -> None:
    base = f"description: some words\n{BASE}"
    told = changed(old, new, base=base)

    assert all(impact == "compatible" for impact, _, _ in told), told
    assert [(p, what.startswith(problem)) for _, p, what in told] == (
        [(path, True)] if path else []
    )


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "entry: ",
            "number: ",
            [
                ("breaking", "output.entry", "is given no more"),
                ("compatible", "output.number", "is new"),
            ],
        ),
        (
            '"${read.table.rows}"',
            '"${read.name}"',
            [("breaking", "output.rows", "gives something else: integer, now string")],
        ),
        ("milestone_id: decide", "milestone_id: ask_them", []),
        (
            OUTPUT.removeprefix(BASE),
            "",
            [("breaking", "output", "is stated no more: a run gives every milestone's result")],
        ),
    ],
)
def test_what_a_run_gives_is_its_output_if_it_states_one(
    old: str, new: str, expected: list[tuple[str, str, str]]
) -> None:
    assert changed(old, new, base=OUTPUT) == expected


def test_an_output_that_is_stated_from_now_on_hides_results() -> None:
    assert [(impact, path) for impact, path, _ in found(BASE, OUTPUT)] == [("breaking", "output")]


def test_a_result_with_fewer_fields_breaks_and_one_with_more_does_not() -> None:
    base = OUTPUT.replace(OUTPUT.removeprefix(BASE), "").replace("  - {milestone_id: book", "#")
    fewer = base.replace("api: read", "api: name").replace(
        "    input: {table: {type: object}}\n", ""
    )

    told = found(base.replace("    input: {table: {type: object}}\n", ""), fewer)
    back = found(fewer, base.replace("    input: {table: {type: object}}\n", ""))

    assert told == [("breaking", "milestones.read.table", "is given no more")]
    assert back == [("compatible", "milestones.read.table", "is new")]


def test_the_same_template_in_other_words_has_not_changed() -> None:
    assert found(DATA_MASH, DATA_MASH.replace("File parsed", "Parsed")) == []
    assert found(BASE, f"# a comment\n{BASE}") == []


def test_a_version_whose_services_are_gone_can_still_be_compared() -> None:
    gone = BASE.replace("service: Files", "service: Archive")

    assert ("compatible", "milestones.read", "gives what is not known in one of the versions") in (
        found(BASE, gone)
    )


def test_breaking_changes_come_first() -> None:
    told = found(
        BASE, BASE.replace("default: 3", "default: 4").replace("signal: go", "signal: gone")
    )

    assert [impact for impact, _, _ in told] == ["breaking", "compatible", "compatible"]
    assert str(Change(Impact.BREAKING, *told[0][1:])).startswith("breaking    signal go  is waited")


def test_what_is_no_template_is_refused_with_its_faults() -> None:
    with pytest.raises(FaultyTemplate, match=r"x\.yaml:2:1"):
        shape_of("journey_template: [", SERVICES, file="x.yaml")
