"""Reports: charts are drawn from their specifications, and files cannot speak in them."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from foundations.public_works.parsing.insights import charts
from foundations.public_works.parsing.insights.comparing import compare
from foundations.public_works.parsing.insights.finding import find
from foundations.public_works.parsing.insights.model import Insight
from foundations.public_works.parsing.insights.model import InsightKind as K
from realms.solution.report.content import FileReport, Report
from realms.solution.report.drawing import HEIGHT, UnknownChart, draw
from realms.solution.report.markdown import escaped, markdown
from realms.solution.report.page import page
from tests.support.insights import noise, table_file, text_file

HOSTILE = "<script>alert(1)</script>\"'&![x](http://evil.test/a.png)\u202e\x1b[31m"


def drawn(spec: charts.Chart) -> ET.Element:
    return ET.fromstring(draw(spec, label="what it shows"))


def numbers(element: ET.Element, tag: str, *names: str) -> list[tuple[float, ...]]:
    return [tuple(float(one.attrib[n]) for n in names) for one in element.iter(tag)]


# --- drawing -------------------------------------------------------------------------------------


def test_histogram_has_a_bar_for_each_bin_as_high_as_its_count() -> None:
    spec = charts.histogram(np.array([0.0, 1, 1, 1, 2, 2, 3, 3, 4, 4]), "a")

    bars = numbers(drawn(spec), "rect", "height")

    counts = [row["rows"] for row in spec["data"]["values"]]
    assert sum(counts) == 10
    tallest = max(bars)[0]
    assert [bar[0] / tallest for bar in bars] == pytest.approx(
        [count / max(counts) for count in counts], abs=0.01
    )


def test_points_stand_where_their_values_are() -> None:
    spec = charts.points(np.array([0.0, 5, 10]), np.array([1.0, 2, 3]), ("x", "y"))

    at = numbers(drawn(spec), "circle", "cx", "cy")

    assert at[1][0] == pytest.approx((at[0][0] + at[2][0]) / 2)
    assert at[0][1] > at[1][1] > at[2][1], "up is more"


def test_marked_points_are_always_drawn_and_red() -> None:
    x = np.arange(2000.0)

    spec = charts.points(x, x, ("x", "y"), marked=[1234])

    red = [c for c in drawn(spec).iter("circle") if c.attrib["fill"] == "#c0392b"]
    assert [title.text for circle in red for title in circle] == ["x: 1234, y: 1234, row: 1235"]
    assert len(list(drawn(spec).iter("circle"))) <= charts.MOST_POINTS + 1


def test_bars_start_at_zero_also_below_it() -> None:
    spec = charts.bars(["up", "down"], [2.0, -1.0], ("g", "v"))

    (up, wide), (down, narrow) = numbers(drawn(spec), "rect", "x", "width")

    assert wide == pytest.approx(2 * narrow, abs=0.2)
    assert down + narrow == pytest.approx(up, abs=0.2)


def test_squares_are_darker_where_the_share_is_larger() -> None:
    spec = charts.squares(["a", "b"], ["x", "y"], [[0.9, 0.1], [0.4, 0.6]], ("r", "c", "share"))

    shades = [float(one.attrib["fill-opacity"]) for one in drawn(spec).iter("rect")]

    assert sorted(shades) == [shades[1], shades[2], shades[3], shades[0]]


def test_line_over_time_has_its_fit_and_its_break() -> None:
    times = [f"2024-01-{day:02d}" for day in range(1, 11)]
    spec = charts.line(times, np.arange(10.0), ("day", "a"), fit=np.arange(10.0), at="2024-01-05")

    paths = [one.attrib for one in drawn(spec).iter("path") if "stroke" in one.attrib]

    assert len(paths) == 3
    assert paths[0]["d"].count("L") == 9
    assert paths[2]["stroke-dasharray"]
    assert paths[2]["d"].endswith(f"{HEIGHT - 40}V8")


@pytest.mark.parametrize(
    ("change", "says"),
    [({"mark": "arc"}, "no mark 'arc'"), ({"x": "geojson"}, "no scale of type 'geojson'")],
)
def test_what_cannot_be_drawn_is_refused(change: dict[str, Any], says: str) -> None:
    spec = charts.points(np.array([1.0, 2]), np.array([1.0, 2]), ("x", "y"))
    spec["mark"] = change.get("mark", spec["mark"])
    spec["encoding"]["x"]["type"] = change.get("x", "quantitative")

    with pytest.raises(UnknownChart, match=says):
        draw(spec, label="")


def test_long_and_hostile_labels_are_cut_and_escaped() -> None:
    element = drawn(charts.bars([HOSTILE * 3, "b"], [1.0, 2.0], (HOSTILE, "v")))

    texts = [one.text or "" for one in element.iter("text")]
    assert all("\u202e" not in text and "\x1b" not in text for text in texts)
    assert any(text.endswith("…") for text in texts)


# --- reports -------------------------------------------------------------------------------------


class Seen(HTMLParser):
    """Every tag with its attributes, and the text between them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def report(tmp_path: Path) -> Report:
    values = [*noise(60), 40.0]
    table = table_file(tmp_path, "plain", {HOSTILE: values, "g": ["x", HOSTILE] * 30 + ["x"]})
    parsed = table.parsed.model_copy(update={"name": f"{HOSTILE}.csv"})
    text = text_file(tmp_path, "a.txt", f"Revenue in 2023 was 4 million euros.\n\n{HOSTILE}")
    other = text_file(tmp_path, "b.txt", "Revenue in 2023 was 7 million euros.")
    return Report(
        files=(
            FileReport("plain.csv", "f1", find(parsed, table.artifacts), (f"line 1: {HOSTILE}",)),
            FileReport("a.txt", "f2", find(text.parsed, text.artifacts).model_copy(
                update={"left_out": 3})),
            FileReport(f"/tmp/{HOSTILE.replace('/', '')}", error=HOSTILE, hint=HOSTILE),
        ),
        across=compare([text, other]),
        made_at="2026-01-05",
    )  # fmt: skip


def test_page_is_one_file_that_asks_for_nothing_and_runs_nothing(report: Report) -> None:
    made = page(report)
    seen = Seen(made)

    assert {tag for tag, _ in seen.tags} & {
        "script",
        "img",
        "link",
        "iframe",
        "object",
        "form",
    } == set()
    for _tag, attributes in seen.tags:
        assert not any(name.startswith("on") for name in attributes)
        assert not {"src", "style", "srcset", "xlink:href"} & set(attributes)
        assert (attributes.get("href") or "#").startswith("#")
    assert "url(" not in made
    assert "@import" not in made
    policy = next(a["content"] for t, a in seen.tags if a.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_page_shows_what_a_hostile_file_says_as_text(report: Report) -> None:
    made = page(report)

    assert "<script>alert(1)</script>" in Seen(made).text
    assert "\u202e" not in made
    assert "\x1b" not in made


def test_page_has_every_insight_with_its_chart(report: Report) -> None:
    made = page(report)
    table = report.files[0].insights
    assert table is not None

    assert report.across is not None
    assert "Across the files" in made
    assert "3 weaker findings are left out." in made
    charted = [one for one in table.insights if one.chart]
    assert charted
    facts = [one for one in table.columns if one.chart]
    assert made.count("<svg ") == len(charted) + len(facts)


def test_markdown_has_no_links_images_or_markup_of_a_file(report: Report) -> None:
    made = markdown(report)

    bare = re.sub(r"\\.", "", made)
    assert not re.search(r"[\[\]<>`]", bare)
    assert "http://" not in made
    assert [line for line in made.splitlines() if line.startswith("# ")] == ["# Data mash report"]
    assert "| column | type | unit |" in made


@pytest.mark.parametrize("start", ["# not a heading", "- no item", "+ none", "1. nor this"])
def test_text_at_the_start_of_a_line_is_no_markup(start: str) -> None:
    assert escaped(start).startswith(("\\", "1\\."))


def test_document_for_programs_has_everything(report: Report) -> None:
    document = report.document()

    assert [file["file_id"] for file in document["files"]] == ["f1", "f2", ""]
    assert document["files"][2]["error"] == {"detail": HOSTILE, "hint": HOSTILE}
    assert document["across"]["insights"][0]["kind"] == "contradiction"


def test_single_dull_file_needs_no_list_of_files(tmp_path: Path) -> None:
    dull = table_file(tmp_path, "dull", {"a": [1, 2], "b": ["x", "y"]})
    made = page(Report((FileReport("dull.csv", "f", find(dull.parsed, dull.artifacts)),)))

    assert "<nav>" not in made
    assert "Nothing unusual stands out" in made
    assert isinstance(dull.parsed.name, str)


def test_places_name_rows_and_say_that_there_are_more() -> None:
    from realms.solution.report.content import places, strength

    insight = Insight.model_validate(
        {
            "kind": K.MISSING,
            "sentence": "x",
            "strength": 0.9,
            "evidence": {"table": "t", "columns": ["a"], "rows": list(range(1, 13))},
        }
    )

    assert places(insight) == ["t; column a; rows 1, 2, 3, 4, 5, 6, 7, 8 and 4 more"]
    assert strength(insight) == "strong"


@pytest.mark.parametrize("values", [[0.0, 5e-324], [1e16, 1e16 + 2], [-1e300, 1e300], []])
def test_any_finite_values_are_drawn(values: list[float]) -> None:
    axis = {"field": "x", "type": "quantitative", "title": "x"}
    rows = [{"x": value, "y": 1} for value in values]
    both = {"x": axis, "y": {**axis, "field": "y"}}

    drawn = draw({"mark": "point", "encoding": both, "data": {"values": rows}}, label="x")

    assert drawn.count("<circle") == len(values)
    assert "nan" not in drawn
