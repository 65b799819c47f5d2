"""Reading tests of journeys: strict, every fault at once, each with its place."""

import jsonschema
import pytest

from realms.journey.testing.cases import FaultyTests
from realms.journey.testing.language import schema_of_tests
from tests.support.office import CASES, INVOICE_CHECK, INVOICE_TESTS, suite
from utilities.strict_yaml import Entries, Items, Node, constant, read_yaml


def told(tests: str, template: str = INVOICE_CHECK) -> list[str]:
    with pytest.raises(FaultyTests) as caught:
        suite(template, tests)
    return caught.value.detail.splitlines()


def test_every_fault_is_told_at_once_with_its_place() -> None:
    faults = (CASES / "faulty.txt").read_text().splitlines()

    assert told((CASES / "faulty.yaml").read_text()) == faults


def test_tests_may_stand_in_the_template_itself() -> None:
    template = """\
journey_template: reads
milestones: [{milestone_id: read, service: DeskService, api: read}]
tests:
  - name: within
    input: {file_id: f}
    expect: {status: done}
"""

    (fault,) = told("", template)

    assert fault.startswith('office.yaml:6:22  tests[0].expect.status  "done" is none of pending,')


def test_file_that_is_no_yaml_is_told() -> None:
    assert told("tests: [\n") == ["office.tests.yaml:2:1  yaml  did not find expected node content"]


def test_sound_tests_fit_the_published_schema() -> None:
    jsonschema.Draft202012Validator(schema_of_tests()).validate(_plain(read_yaml(INVOICE_TESTS)))


def test_unknown_words_do_not_fit_the_published_schema() -> None:
    faulty = {"tests": [{"name": "a", "expect": {}, "inptu": {}}]}

    assert list(jsonschema.Draft202012Validator(schema_of_tests()).iter_errors(faulty))


def _plain(node: Node) -> object:
    match node:
        case Entries(entries=entries):
            return {entry.key.text: _plain(entry.value) for entry in entries}
        case Items(items=items):
            return [_plain(item) for item in items]
        case text:
            return constant(text)
