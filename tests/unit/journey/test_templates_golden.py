"""Faulty templates and the reports they must get, word for word (tests/golden/templates)."""

from pathlib import Path

import pytest

from realms.journey.language.compiling import load_plan
from realms.journey.language.template_faults import FaultyTemplate
from tests.support.faulty import SERVICES
from tests.support.journeys import DATA_MASH, ROOT

GOLDEN = ROOT / "tests/golden/templates"
FAULTY = sorted(GOLDEN.glob("*.yaml"))


@pytest.mark.parametrize("path", FAULTY, ids=[path.stem for path in FAULTY])
def test_a_faulty_template_gets_its_report(path: Path) -> None:
    file = f"templates/journeys/{path.name}"

    with pytest.raises(FaultyTemplate) as faulty:
        load_plan(path.read_bytes(), SERVICES, file=file)

    report = "".join(f"{fault.line(file)}\n" for fault in faulty.value.faults)
    assert report == path.with_suffix(".txt").read_text()
    assert len(faulty.value.errors) == len(faulty.value.faults)


def test_there_are_enough_of_them() -> None:
    assert len(FAULTY) >= 150
    assert {path.stem for path in GOLDEN.glob("*.txt")} == {path.stem for path in FAULTY}


def test_the_shipped_template_has_no_fault() -> None:
    plan = load_plan(DATA_MASH, SERVICES, file="mash.yaml")

    assert list(plan.inputs) == ["file_id"]
    assert list(plan.nodes) == [
        "file_uploaded",
        "file_parsed",
        "semantic_processed",
        "insights_generated",
    ]
