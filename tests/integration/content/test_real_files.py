"""The insights of the real files are true: each figure is computed anew with the standard library.

What is known of each file stands in tests/data/README.md.
"""

import csv
import json
import re
import statistics
from pathlib import Path
from typing import Any

import pytest

from foundations.public_works.adapters.child_process import ChildProcessParsers
from foundations.public_works.parsing.artifacts import PASSAGES, read_passages
from foundations.public_works.parsing.insights.model import Insight, InsightKind
from foundations.public_works.parsing.models import ParseResult
from foundations.public_works.settings import Settings

pytestmark = pytest.mark.anyio

DATA = Path(__file__).parents[2] / "data"
READ_FROM_THE_START = ["weather.csv", "annual-report.docx", "bundle.zip", "forwarded.eml"]


class Mashed:
    """A parsed real file and its insights."""

    def __init__(self, parsed: ParseResult, insights: tuple[Insight, ...], folder: Path) -> None:
        self.parsed = parsed
        self.insights = insights
        self.folder = folder

    def one(self, kind: InsightKind, *columns: str) -> Insight:
        found = [
            insight
            for insight in self.insights
            if insight.kind is kind and (not columns or insight.evidence.columns == columns)
        ]
        assert len(found) == 1, [insight.sentence for insight in found]
        return found[0]


async def mashed(name: str, folder: Path) -> Mashed:
    parsers = ChildProcessParsers(settings=Settings())
    parsed = await parsers.parse(DATA / name, folder, name=name)
    artifacts = {artifact: folder / artifact for artifact in parsed.artifacts}
    found = await parsers.find_insights(parsed, artifacts)
    return Mashed(parsed, found.insights, folder)


def readings() -> list[dict[str, str]]:
    with (DATA / "weather.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def column(name: str) -> list[float]:
    return [float(row[name]) for row in readings() if row[name]]


async def test_insights_of_the_weather_are_true(tmp_path: Path) -> None:
    weather = await mashed("weather.csv", tmp_path)
    rows = readings()

    overview = weather.one(InsightKind.OVERVIEW)
    assert overview.figures["rows"] == len(rows) == 731
    assert overview.figures["missing_cells"] == sum(
        not cell for row in rows for cell in row.values()
    )

    missing = weather.one(InsightKind.MISSING)
    empty = tuple(number for number, row in enumerate(rows, 1) if not row["rain_mm"])
    assert missing.evidence.rows == empty == (81, 83, 85, 87, 89, 91, 93)

    outlier = weather.one(InsightKind.OUTLIER)
    wind = column("wind_kmh")
    assert outlier.figures["farthest"] == max(wind) == 148.0
    assert outlier.figures["farthest_row"] == wind.index(max(wind)) + 1 == 602
    others = sorted(wind)[:-1]
    assert (outlier.figures["others_from"], outlier.figures["others_to"]) == (others[0], others[-1])
    assert outlier.figures["outliers"] == 1

    related = weather.one(InsightKind.CORRELATION)
    assert related.evidence.columns == ("temperature_c", "humidity_percent")
    r = statistics.correlation(column("temperature_c"), column("humidity_percent"))
    assert related.figures["pearson_r"] == pytest.approx(r, abs=1e-6)
    assert round(r, 4) == -0.9769

    duplicate = weather.one(InsightKind.DUPLICATE)
    assert rows[-1] == rows[-2]
    assert duplicate.evidence.rows == (731,)

    difference = weather.one(InsightKind.DIFFERENCE, "station", "wind_kmh")
    hill = [float(row["wind_kmh"]) for row in rows if row["station"] == "Hill"]
    assert difference.figures["highest_group"] == "Hill"
    assert difference.figures["highest_mean"] == pytest.approx(statistics.mean(hill))


async def test_profile_of_the_weather_is_true(tmp_path: Path) -> None:
    parsed = (await mashed("weather.csv", tmp_path)).parsed

    profiled = {known.name: known for known in parsed.tables[0].columns}
    for name in ("temperature_c", "humidity_percent", "rain_mm", "wind_kmh"):
        values = column(name)
        known = profiled[name]
        assert known.missing == 731 - len(values)
        assert known.distinct == len(set(values))
        assert (known.minimum, known.maximum) == (min(values), max(values))
        assert known.mean == pytest.approx(statistics.mean(values))
        assert known.median == pytest.approx(statistics.median(values))
        assert known.std == pytest.approx(statistics.stdev(values))
    assert profiled["date"].minimum == "2025-01-01"
    assert profiled["date"].type == "date"


async def test_planets_keep_their_dates_and_correlations(tmp_path: Path) -> None:
    planets = await mashed("planets.xlsx", tmp_path)

    names = [(table.name, table.row_count) for table in planets.parsed.tables]
    assert names == [("Planets", 8), ("Missions", 9)]
    launched = planets.parsed.tables[1].columns[2]
    assert (launched.type, launched.minimum) == ("date", "1962-08-27")
    related = planets.one(InsightKind.CORRELATION, "distance_1e6_km", "period_days")
    distance = [57.9, 108.2, 149.6, 228.0, 778.5, 1432.0, 2867.0, 4515.0]
    period = [88.0, 224.7, 365.2, 687.0, 4331, 10747, 30589, 59800]
    assert related.figures["pearson_r"] == pytest.approx(
        statistics.correlation(distance, period), abs=1e-6
    )


async def test_elements_are_a_table_of_records(tmp_path: Path) -> None:
    elements = await mashed("elements.json", tmp_path)
    records: list[dict[str, Any]] = json.loads((DATA / "elements.json").read_text())["elements"]

    state = next(c for c in elements.parsed.tables[0].columns if c.name == "state")
    assert [(one.value, one.count) for one in state.most_frequent] == [("solid", 26), ("gas", 9)]
    assert sum(record["state"] == "solid" for record in records) == 26
    related = elements.one(InsightKind.CORRELATION, "atomic_mass", "period")
    assert related.figures["pearson_r"] == pytest.approx(
        statistics.correlation(
            [record["atomic_mass"] for record in records], [record["period"] for record in records]
        ),
        abs=1e-6,
    )
    assert elements.parsed.metadata["source"] == (
        "IUPAC abridged standard atomic weights, state at 20 degrees Celsius"
    )


@pytest.mark.parametrize("name", ["gettysburg.txt", "rain-gauge.md"])
async def test_key_phrases_are_counted_right(tmp_path: Path, name: str) -> None:
    lines = (DATA / name).read_text(encoding="utf-8").casefold().splitlines()
    text = "\n".join(line for line in lines if not line.startswith("|"))
    mash = await mashed(name, tmp_path)

    assert mash.parsed.key_phrases
    for phrase in mash.parsed.key_phrases:
        words = (f"{re.escape(word.removesuffix('s'))}(?:s|es)?" for word in phrase.phrase.split())
        assert phrase.count == len(re.findall(rf"\b{' '.join(words)}\b", text))


@pytest.mark.parametrize("name", ["declaration.pdf", "annual-report.docx", "gettysburg.txt"])
async def test_summaries_and_quotes_stand_in_the_text(tmp_path: Path, name: str) -> None:
    mash = await mashed(name, tmp_path)
    passages = {one.number: one for one in read_passages(tmp_path / PASSAGES)}

    def stands(sentence: str, number: int) -> bool:
        return sentence in " ".join(passages[number].text.split())

    assert mash.parsed.summary
    assert all(stands(one.sentence, one.passage) for one in mash.parsed.summary)
    for insight in mash.insights:
        if insight.kind is InsightKind.FIGURE and "“" in insight.sentence:
            quoted = insight.sentence.split("“")[1].rstrip("”")
            assert stands(quoted, insight.evidence.passages[0])


async def test_declaration_is_placed_by_page(tmp_path: Path) -> None:
    mash = await mashed("declaration.pdf", tmp_path)

    passages = read_passages(tmp_path / PASSAGES)
    assert {one.place.label for one in passages} == {"page 1", "page 2", "page 3"}
    assert all(len(one.text) <= 1000 for one in passages)
    assert mash.one(InsightKind.OVERVIEW).sentence.startswith(
        "declaration.pdf holds 1,335 words in 46 sentences on 3 pages"
    )
    assert mash.one(InsightKind.FIGURE).sentence == "It names the year 1776."


async def test_report_states_its_figures(tmp_path: Path) -> None:
    mash = await mashed("annual-report.docx", tmp_path)

    stated = {
        name: value
        for insight in mash.insights
        if insight.kind in {InsightKind.FIGURE, InsightKind.SUMMARY}
        for name, value in insight.figures.items()
    }
    assert stated["148 km/h"] == 148
    assert stated["900 metres"] == 900
    assert stated["first"] == 1951
    assert stated["1,240 euros"] == 1240


@pytest.mark.parametrize("name", READ_FROM_THE_START)
async def test_what_is_journalled_is_small(tmp_path: Path, name: str) -> None:
    parsers = ChildProcessParsers(settings=Settings())

    parsed = await parsers.parse(DATA / name, tmp_path, name=name)

    assert len(parsed.model_dump_json()) < 20_000
    assert all((tmp_path / artifact).is_file() for artifact in parsed.artifacts)
