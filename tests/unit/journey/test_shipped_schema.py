"""The JSON Schema that travels with the program, and the templates that point to it."""

import json
import re
from pathlib import Path

import pytest

from realms.journey.language.template import language_schema

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "templates/journeys/journey.schema.json"
LINE = re.compile(r"# yaml-language-server: \$schema=(\S+)\n")
OWNERS = "data_mash_journey_template.yaml"
"""Stays as it was given."""


def ours() -> list[Path]:
    found = [*ROOT.glob("templates/**/journeys/**/*.yaml"), *ROOT.glob("realms/*/journeys/*.yaml")]
    return [p for p in found if p.name != OWNERS and not p.name.endswith(".tests.yaml")]


def test_the_shipped_schema_is_that_of_the_language() -> None:
    remedy = f"civitas journey schema --to {SHIPPED.relative_to(ROOT)}"
    assert json.loads(SHIPPED.read_text()) == language_schema(), remedy


@pytest.mark.parametrize("path", ours(), ids=lambda path: path.name)
def test_our_templates_tell_editors_where_their_schema_is(path: Path) -> None:
    line = LINE.match(path.read_text())

    assert line is not None
    where = ROOT / "realms/made/journeys" if "{{name}}" in str(path) else path.parent
    assert (where / line[1]).resolve() == SHIPPED
