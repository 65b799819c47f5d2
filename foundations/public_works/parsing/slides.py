"""Presentations (PPTX): each slide's title, texts, tables and notes, in their order."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from foundations.public_works.parsing import properties
from foundations.public_works.parsing.markdown import tables
from foundations.public_works.parsing.models import ParseOptions
from foundations.public_works.parsing.notes import Notes
from foundations.public_works.parsing.packages import REL_ID, listed, parsed, relationships
from foundations.public_works.parsing.places import Place
from foundations.public_works.parsing.sources import Section, Source

_MAX_SLIDES = 2_000
_MAX_POINTS = 10_000
_PRESENTATION = "ppt/presentation.xml"
_TITLES = {"title", "ctrTitle"}
_PASSED_OVER = {"sldNum", "dt", "ftr", "hdr", "sldImg"}

Grid = tuple[str, list[list[str]]]


def presentation(path: Path, *, options: ParseOptions, notes: Notes) -> Source:
    """The slides of a presentation, which `archives.walk` has judged.

    Raises:
        UnreadableFile: a part that it needs is missing or broken.
    """
    sections: list[Section] = []
    grids: list[Grid] = []
    with zipfile.ZipFile(path) as package:
        shown = _slides(package)
        if len(shown) > _MAX_SLIDES:
            notes.add(
                "slides", f"only the first {_MAX_SLIDES:,} slides were read", code="slide_cap"
            )
        for number, part in enumerate(shown[:_MAX_SLIDES], start=1):
            section, found = _slide(package, part, number)
            sections += section
            grids += found
    return Source(
        "text",
        tables=tables(grids, sections, options=options, notes=notes),
        sections=sections,
        metadata={"slide_count": len(shown)},
        properties=properties.of_package(path),
    )


def _slides(package: zipfile.ZipFile) -> list[str]:
    """The parts of the slides, in the order of the presentation (ECMA-376 part 1, 19.2.1.34)."""
    return [part for part, _ in listed(package, _PRESENTATION, "sldIdLst/{*}sldId")]


def _slide(package: zipfile.ZipFile, part: str, number: int) -> tuple[list[Section], list[Grid]]:
    """What one slide says, its notes last; nothing when it says nothing."""
    title, lines = "", []
    grids: list[list[list[str]]] = []
    for shape in _shapes(parsed(package, part)):
        kind = _placeholder(shape)
        if kind in _PASSED_OVER:
            continue
        if shape.tag.endswith("}graphicFrame"):
            grid = [
                [" ".join(_paragraphs(cell)) for cell in row.iterfind("{*}tc")]
                for row in shape.iterfind(".//{*}tbl/{*}tr")
            ]
            grids += [grid] if grid else _charts(package, part, shape)
            continue
        said = list(_paragraphs(shape))
        if kind in _TITLES and not title:
            title = " ".join(said)
        else:
            lines += said
    spoken = _notes_of(package, part)
    if spoken:
        lines += ["Notes:", *spoken]
    place = Place.slide(number, title)
    body = "\n\n".join(lines)  # each a paragraph: slides set no full stops
    told = f"{title}\n\n{body}".strip()
    sections = [Section(place, told)] if told else []
    sections += [
        Section(place.of_cells(), "\n\n".join(filter(None, [title, _in_lines(grid)])))
        for grid in grids
    ]
    return sections, [(str(place), grid) for grid in grids]


def _in_lines(grid: list[list[str]]) -> str:
    return "\n".join("; ".join(row) for row in grid)


def _charts(package: zipfile.ZipFile, part: str, frame: Element) -> Iterator[list[list[str]]]:
    """The values that a chart draws, as its slide keeps them (ECMA-376 part 1, 21.2)."""
    targets = relationships(package, part)
    for drawn in frame.iterfind(".//{*}chart"):
        target = targets.get(drawn.get(REL_ID, ""))
        if target is None:
            continue
        columns: dict[str, list[str]] = {}
        for series in parsed(package, target[1]).iterfind(".//{*}ser"):
            name = " ".join(_cached(series, "tx")) or f"series {len(columns) + 1}"
            columns.setdefault("label", _cached(series, "cat") or _cached(series, "xVal"))
            columns[name] = _cached(series, "val") or _cached(series, "yVal")
        longest = max(map(len, columns.values()), default=0)
        even = [[name, *cells, *[""] * (longest - len(cells))] for name, cells in columns.items()]
        if longest:
            yield [list(row) for row in zip(*even, strict=True)]


def _cached(series: Element, axis: str) -> list[str]:
    """What a series has on an axis, by the numbers of its points."""
    points = series.findall(f"{{*}}{axis}//{{*}}pt")
    said = {int(point.get("idx", "0")): point.findtext("{*}v", "") for point in points}
    return [said.get(number, "") for number in range(max(said, default=-1) + 1)][:_MAX_POINTS]


def _notes_of(package: zipfile.ZipFile, part: str) -> list[str]:
    for kind, target in relationships(package, part).values():
        if kind.endswith("/notesSlide"):
            return [
                line
                for shape in _shapes(parsed(package, target))
                if _placeholder(shape) not in _PASSED_OVER
                for line in _paragraphs(shape)
            ]
    return []


def _shapes(root: Element) -> Iterator[Element]:
    """Shapes and frames of a slide, those in groups too, in their order."""
    for element in root.iter():
        if element.tag.endswith(("}sp", "}graphicFrame")):
            yield element


def _placeholder(shape: Element) -> str:
    found = shape.find("./{*}nvSpPr/{*}nvPr/{*}ph")
    return "" if found is None else found.get("type", "body")


def _paragraphs(shape: Element) -> Iterator[str]:
    for paragraph in shape.iterfind(".//{*}p"):
        pieces = [
            " " if piece.tag.endswith("}br") else piece.text or ""
            for piece in paragraph.iter()
            if piece.tag.endswith(("}t", "}br"))
        ]
        if line := " ".join("".join(pieces).split()):
            yield line
