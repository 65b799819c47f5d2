"""Documents as text in sections: PDF by page, plain text by line, all others by heading."""

import re
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from foundations.public_works import media_types
from foundations.public_works.archives import Encrypted
from foundations.public_works.media_types import MediaType
from foundations.public_works.parsing import packages, properties, web_pages
from foundations.public_works.parsing.faults import FieldLimit, UnreadableFile
from foundations.public_works.parsing.markdown import sections_and_grids, split_front
from foundations.public_works.parsing.markdown import tables as markdown_tables
from foundations.public_works.parsing.models import DocumentProperties, ParseOptions, Scalar
from foundations.public_works.parsing.notes import Notes
from foundations.public_works.parsing.passages import TARGET
from foundations.public_works.parsing.places import Place
from foundations.public_works.parsing.printed import reflowed, without_running_lines
from foundations.public_works.parsing.sources import Section, Source

MAX_TEXT = 50_000_000  # characters
_PICTURE = re.compile(r"!\[image\]\([^)]*\)")
_FACTS = ("page_count", "pdf_version")
_SAID_NOTHING = ("", "(unspecified)", "unspecified", "untitled", "anonymous", "(anonymous)")
_IN_HEX = re.compile(r"\\'([0-9a-fA-F]{2})")
"""How RTF writes letters in the properties that kreuzberg gives as they stand."""
_COMMENTS = "word/comments.xml"


def text(path: Path, *, media: MediaType, options: ParseOptions, notes: Notes) -> Source:
    """The text of a document, its tables, and what it says of itself.

    Raises:
        Encrypted: it needs a password. UnreadableFile: it is damaged, or no text in its encoding.
        FieldLimit: it holds more than fifty million characters.
    """
    match media.name:
        case media_types.PDF:
            extracted = _extracted(path, media.name, notes)
            pages = extracted.pages or []
            lines = without_running_lines([page["content"] for page in pages])
            sections = [
                Section(Place.page(page["page_number"]), reflowed(own))
                for page, own in zip(pages, lines, strict=True)
            ]
            return Source(
                "text",
                sections=sections,
                metadata=_facts(extracted.metadata),
                properties=_properties(extracted.metadata),
            )
        case media_types.DOCX | media_types.ODT:
            extracted = _extracted(path, media.name, notes)
            said = properties.of_package(path)
            read = _of_markdown(extracted.content, options, notes, said=said)
            return replace(read, sections=[*read.sections, *_comments(path)])
        case media_types.RTF:
            extracted = _extracted(path, media.name, notes)
            said = _properties(extracted.metadata)
            return _of_markdown(_PICTURE.sub("", extracted.content), options, notes, said=said)
        case media_types.MARKDOWN:
            said, body = split_front(_decoded(path, media.encoding))
            return _of_markdown(body, options, notes, said=said)
        case _:
            return Source("text", sections=list(_by_line(_decoded(path, media.encoding))))


def web_page(path: Path, *, media: MediaType, options: ParseOptions, notes: Notes) -> Source:
    """The text and tables of a web page, without what its head says to browsers.

    Raises:
        UnreadableFile: it is no text in its encoding. FieldLimit: see `text`.
    """
    page = _decoded(path, media.encoding)
    said, body = web_pages.split(page)
    extracted = _extracted(web_pages.unnested(body).encode(), media.name, notes)
    return _of_markdown(extracted.content, options, notes, said=said)


def _comments(path: Path) -> Iterator[Section]:
    """What people wrote beside the text of a DOCX file (ECMA-376 part 1, 17.13.4)."""
    with zipfile.ZipFile(path) as package:
        if _COMMENTS not in package.namelist():
            return
        comments = packages.parsed(package, _COMMENTS).iterfind("{*}comment")
        said = [
            " ".join("".join(piece.text or "" for piece in one.iterfind(".//{*}t")).split())
            for one in comments
        ]
    if any(said):
        yield Section(Place.name("comments"), "\n\n".join(filter(None, said)))


def _of_markdown(
    markdown: str, options: ParseOptions, notes: Notes, *, said: DocumentProperties
) -> Source:
    found = sections_and_grids(markdown)
    tables = markdown_tables(found.grids, found.sections, options=options, notes=notes)
    return Source("text", tables=tables, sections=found.sections, properties=said)


def _by_line(plain: str) -> Iterator[Section]:
    """Paragraphs gathered into sections a passage can hold, each placed by its first line."""
    held: list[str] = []
    start = 1
    for first, paragraph in _paragraphs(plain):
        if held and sum(map(len, held)) + len(paragraph) > TARGET:
            yield Section(Place.line(start), "\n\n".join(held))
            held = []
        start = start if held else first
        held.append(paragraph)
    if held:
        yield Section(Place.line(start), "\n\n".join(held))


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


def _extracted(document: Path | bytes, media_type: str, notes: Notes) -> Any:
    """Have kreuzberg read a document: no cache, no text recognition, one thread."""
    import kreuzberg

    by_page = media_type == media_types.PDF
    config = kreuzberg.ExtractionConfig(
        use_cache=False,
        disable_ocr=True,  # type: ignore[call-arg]  # it is there; its stub forgot it
        enable_quality_processing=False,
        output_format="plain" if by_page else "markdown",
        pages=kreuzberg.PageConfig(extract_pages=by_page),
        concurrency=kreuzberg.ConcurrencyConfig(max_threads=1),
    )
    try:
        extracted = (
            kreuzberg.extract_bytes_sync(document, media_type, config=config)
            if isinstance(document, bytes)
            else kreuzberg.extract_file_sync(document, media_type, config=config)
        )
    except kreuzberg.KreuzbergError as error:
        if "password" in str(error).lower() or "encrypt" in str(error).lower():
            raise Encrypted(
                "the document is protected by a password", hint="save it without one"
            ) from error
        raise UnreadableFile(
            "the document is damaged or cut off", hint="open it and save it anew"
        ) from error
    for warning in extracted.processing_warnings or ():
        notes.add("extraction", str(warning)[:200], code="extraction")
    _judged(extracted.content)
    return extracted


def _facts(raw: dict[str, Any]) -> dict[str, Scalar]:
    """What is worth keeping of a document's figures."""
    return {name: raw[name] for name in _FACTS if isinstance(raw.get(name), int | str)}


def _properties(raw: dict[str, Any]) -> DocumentProperties:
    """A document's own words about itself, as kreuzberg found them."""
    authors = raw.get("authors")
    return DocumentProperties(
        title=_said(raw.get("title")),
        subject=_said(raw.get("subject")),
        authors=tuple(
            filter(None, map(_said, authors if isinstance(authors, list) else [authors]))
        ),
        language=_said(raw.get("language")),
        created_at=_said(raw.get("created_at")),
        modified_at=_said(raw.get("modified_at")),
    )


def _said(value: object) -> str:
    told = _IN_HEX.sub(_letter, str(value or "")).strip()[:300]
    return "" if told.casefold() in _SAID_NOTHING else told


def _letter(code: re.Match[str]) -> str:
    return bytes.fromhex(code[1]).decode("cp1252", errors="replace")
