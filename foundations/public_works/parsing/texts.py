"""Documents as text in sections: PDF by page, DOCX and Markdown by heading, plain text by line."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from foundations.public_works import media_types
from foundations.public_works.media_types import Encrypted, MediaType
from foundations.public_works.parsing.faults import FieldLimit, UnreadableFile
from foundations.public_works.parsing.models import Scalar
from foundations.public_works.parsing.notes import Notes
from foundations.public_works.parsing.passages import MAX_CHARACTERS
from foundations.public_works.parsing.sources import Section, Text

MAX_TEXT = 50_000_000  # characters
_HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*$")
_FENCE = re.compile(r"^\s*(```|~~~)")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)\s]*(?:\s+\"[^\"]*\")?\)")
_MARKS = re.compile(r"(\*\*|__|`)(?=\S)(.+?)(?<=\S)\1")
_BULLET = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s+")
_RULER = re.compile(r"^[\s|:-]+$")
_KEPT = ("title", "subject", "authors", "created_at", "modified_at", "page_count", "pdf_version")


def text(path: Path, *, media: MediaType, notes: Notes) -> Text:
    """The text of a document.

    Raises:
        Encrypted: it needs a password. UnreadableFile: it is damaged, or no text in its encoding.
        FieldLimit: it holds more than fifty million characters.
    """
    match media.name:
        case media_types.PDF:
            extracted = _extracted(path, media.name, notes)
            pages = [(page["page_number"], page["content"]) for page in extracted.pages or []]
            sections = [Section(f"page {number}", _reflowed(content)) for number, content in pages]
            return Text(sections, _metadata(extracted.metadata))
        case media_types.DOCX:
            extracted = _extracted(path, media.name, notes)
            return Text(list(by_heading(extracted.content)), _metadata(extracted.metadata))
        case media_types.MARKDOWN:
            return Text(list(by_heading(_decoded(path, media.encoding))))
        case _:
            return Text(list(_by_line(_decoded(path, media.encoding))))


def by_heading(markdown: str) -> Iterator[Section]:
    """Sections of a Markdown text, each placed under the headings it stands below."""
    trail: list[str] = []
    held: list[str] = []
    fenced = False
    for line in markdown.splitlines():
        if _FENCE.match(line):
            fenced = not fenced
            continue
        heading = None if fenced else _HEADING.match(line)
        if heading is None:
            held.append(line if fenced else _plain(line))
            continue
        yield from _held(trail, held)
        level = len(heading[1])
        trail = [*trail[: level - 1], _plain(heading[2])]
        held = []
    yield from _held(trail, held)


def _held(trail: list[str], lines: list[str]) -> Iterator[Section]:
    """A section of its own, its heading in front, so that a passage can be understood alone."""
    body = "\n".join(lines).strip()
    if body or trail:
        place = " > ".join(trail)[:200] or "beginning"
        headed = f"{trail[-1]}\n\n{body}" if trail and body else body or trail[-1]
        yield Section(place, headed)


def _plain(line: str) -> str:
    """A line without Markdown's marks."""
    if _RULER.match(line):
        return ""
    bare = _MARKS.sub(r"\2", _LINK.sub(r"\1", _BULLET.sub("", line)))
    if bare.startswith("|") and bare.rstrip().endswith("|"):
        bare = "; ".join(cell.strip() for cell in bare.strip().strip("|").split("|"))
    return bare.removeprefix("> ")


def _by_line(plain: str) -> Iterator[Section]:
    """Paragraphs gathered into sections a passage can hold, each placed by its first line."""
    held: list[str] = []
    start = 1
    for first, paragraph in _paragraphs(plain):
        if held and sum(map(len, held)) + len(paragraph) > MAX_CHARACTERS:
            yield Section(f"line {start}", "\n\n".join(held))
            held = []
        start = start if held else first
        held.append(paragraph)
    if held:
        yield Section(f"line {start}", "\n\n".join(held))


def _paragraphs(plain: str) -> Iterator[tuple[int, str]]:
    """Each paragraph with the number of its first line."""
    held: list[str] = []
    for number, line in enumerate([*plain.splitlines(), ""], start=1):
        if line.strip():
            held.append(line)
        elif held:
            yield number - len(held), "\n".join(held)
            held = []


def _decoded(path: Path, encoding: str) -> str:
    try:
        found = path.read_text(encoding=encoding)
    except UnicodeDecodeError as error:
        raise UnreadableFile(
            f"the file is no {encoding} text", hint="name its encoding in the parse options"
        ) from error
    if "\x00" in found:
        line = found[: found.index("\x00")].count("\n") + 1
        raise UnreadableFile(
            f"line {line} holds a NUL byte, which no text has", hint="is the file complete?"
        )
    return _judged(found)


def _judged(found: str) -> str:
    if len(found) > MAX_TEXT:
        raise FieldLimit(f"the text is longer than {MAX_TEXT:,} characters", hint="split the file")
    return found


def _extracted(path: Path, media_type: str, notes: Notes) -> Any:
    """Have kreuzberg read a document: no cache, no text recognition, one thread."""
    import kreuzberg

    config = kreuzberg.ExtractionConfig(
        use_cache=False,
        disable_ocr=True,  # type: ignore[call-arg]  # it is there; its stub forgot it
        enable_quality_processing=False,
        output_format="markdown" if media_type == media_types.DOCX else "plain",
        pages=kreuzberg.PageConfig(extract_pages=media_type == media_types.PDF),
        concurrency=kreuzberg.ConcurrencyConfig(max_threads=1),
    )
    try:
        extracted = kreuzberg.extract_file_sync(path, media_type, config=config)
    except kreuzberg.KreuzbergError as error:
        if "password" in str(error).lower() or "encrypt" in str(error).lower():
            raise Encrypted(
                "the document is protected by a password", hint="save it without one"
            ) from error
        raise UnreadableFile(
            "the document is damaged or cut off", hint="open it and save it anew"
        ) from error
    for warning in extracted.processing_warnings or ():
        notes.add("extraction", str(warning)[:200])
    _judged(extracted.content)
    return extracted


def _metadata(raw: dict[str, Any]) -> dict[str, Scalar]:
    """What is worth keeping of a document's own words about itself."""
    kept: dict[str, Scalar] = {}
    for name in _KEPT:
        value = raw.get(name)
        if isinstance(value, list):
            value = ", ".join(str(item) for item in value)
        if value not in (None, "", "(unspecified)", "unspecified", "untitled", "anonymous"):
            kept[name] = value if isinstance(value, int) else str(value)
    return kept


def _reflowed(page: str) -> str:
    """The lines of a printed page as paragraphs: a line much shorter than the longest ends one."""
    lines = [line.strip() for line in page.splitlines()]
    longest = max((len(line) for line in lines), default=0)
    flowing: list[str] = []
    for line, following in pairwise([*lines, ""]):
        flowing.append(line)
        if not line or _ends_paragraph(line, following, longest):
            flowing.append("\n\n")
        elif line.endswith("-") and following[:1].islower():
            flowing[-1] = line[:-1]
        else:
            flowing.append(" ")
    return "".join(flowing).strip()


def _ends_paragraph(line: str, following: str, longest: int) -> bool:
    short = len(line) < 0.8 * longest
    return short and (line.endswith((".", ":", "!", "?", ";")) or following[:1].isupper())
