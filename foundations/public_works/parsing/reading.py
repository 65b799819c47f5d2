"""Reads one file: tells what it is, has it read, writes the artifacts, sums up what is known."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from foundations.public_works import archives, media_types
from foundations.public_works.media_types import MediaType, detect
from foundations.public_works.parsing import passages as words
from foundations.public_works.parsing.artifacts import PASSAGES, write_passages
from foundations.public_works.parsing.faults import NoData, NoText
from foundations.public_works.parsing.models import (
    ParseOptions,
    ParseResult,
    Passage,
    Scalar,
    TableProfile,
)
from foundations.public_works.parsing.notes import Notes
from foundations.public_works.parsing.places import Place
from foundations.public_works.parsing.sources import Source, Table

MAX_TABLES = 50
_PACKAGES = {media_types.DOCX, media_types.PPTX, media_types.ODT}
MAX_JOURNALLED = 150_000  # bytes of a result as JSON


def read(path: Path, output: Path, *, name: str, options: ParseOptions) -> ParseResult:
    """Read the file at `path` and write its artifacts into `output`; see `Parsers.parse`."""
    notes = Notes()
    media, source = _read(path, output, name, options, notes)
    result = _summed_up(source, output, notes)
    return fitted(
        result.model_copy(
            update={
                "name": name[:200],
                "media_type": media.name,
                "encoding": media.encoding,
                "properties": source.properties,
                "files": source.files,
                "metadata": _small(source.metadata),
                "warnings": notes.warnings(),
            }
        )
    )


def fitted(result: ParseResult) -> ParseResult:
    """The result small enough to be journalled: samples go first, then columns beyond the first.

    `column_count` keeps telling how many columns there are.
    """
    for columns in (200, 50, 10, 1):
        if len(result.model_dump_json()) <= MAX_JOURNALLED:
            return result
        smaller = tuple(
            table.model_copy(update={"sample": (), "columns": table.columns[:columns]})
            for table in result.tables
        )
        result = result.model_copy(update={"tables": smaller})
    return result


def _read(
    path: Path, scratch: Path, name: str, options: ParseOptions, notes: Notes
) -> tuple[MediaType, Source]:
    """Tell what a file is, and have it read."""
    media = detect(path, name)
    for detail in media.warnings:
        notes.add("name", detail, code="name_mismatch")
    if options.encoding:
        media = media.model_copy(update={"encoding": options.encoding})
    source = _source(path, scratch, media, Path(name).stem or "table", options, notes)
    _require_content(source)
    return media, source


def _require_content(source: Source) -> None:
    """Pass what holds something.

    Raises:
        NoData: there are only empty tables. NoText: there are only pictures or empty pages.
    """
    if source.tables or any(section.text.strip() for section in source.sections):
        return
    if source.kind == "table":
        raise NoData("the file holds no table with a row in it")
    raise NoText(
        "the document holds no text, only pictures or empty pages",
        hint="run text recognition (OCR) over it first",
    )


def _source(
    path: Path, scratch: Path, media: MediaType, title: str, options: ParseOptions, notes: Notes
) -> Source:
    """Have the file read by what it is. Readers are imported here: each brings heavy libraries."""
    match media.name:
        case media_types.CSV | media_types.TSV:
            from foundations.public_works.parsing.tables import delimited

            return delimited(
                path,
                title,
                scratch=scratch,
                encoding=media.encoding,
                options=options,
                notes=notes,
            )
        case media_types.XLSX | media_types.ODS:
            from foundations.public_works.parsing.workbooks import workbook

            return workbook(path, options=options, notes=notes)
        case media_types.PARQUET:
            from foundations.public_works.parsing.parquet_files import parquet

            return parquet(path, title, options=options, notes=notes)
        case media_types.JSON | media_types.NDJSON:
            from foundations.public_works.parsing.json_documents import document

            return document(path, title, media=media, options=options, notes=notes)
        case media_types.ZIP | media_types.EML:
            return _container(path, scratch, media, options, notes)
        case _:
            return _document(path, media, options, notes)


def _document(path: Path, media: MediaType, options: ParseOptions, notes: Notes) -> Source:
    if media.name in _PACKAGES:
        archives.inspect(path)
    match media.name:
        case media_types.PPTX:
            from foundations.public_works.parsing.slides import presentation

            return presentation(path, options=options, notes=notes)
        case media_types.HTML:
            from foundations.public_works.parsing.texts import web_page

            return web_page(path, media=media, options=options, notes=notes)
        case _:
            from foundations.public_works.parsing.texts import text

            return text(path, media=media, options=options, notes=notes)


def _container(
    path: Path, scratch: Path, media: MediaType, options: ParseOptions, notes: Notes
) -> Source:
    from foundations.public_works.parsing import within

    def read_within(inner: Path, name: str, local: Notes) -> tuple[str, Source]:
        found, source = _read(inner, scratch, name, options, local)
        return found.name, source

    take = within.archive if media.name == media_types.ZIP else within.message
    return take(path, scratch, read=read_within, notes=notes)


def _summed_up(source: Source, output: Path, notes: Notes) -> ParseResult:
    """Write tables as Parquet and passages as lines, and tell what is known of both."""
    tables = _named_apart(source.tables)
    if len(tables) > MAX_TABLES:
        notes.add(
            "tables",
            f"only the first {MAX_TABLES} of {len(tables):,} tables were read",
            code="table_cap",
        )
    profiles = [
        _stored(table, output, f"table-{number}.parquet")
        for number, table in enumerate(tables[:MAX_TABLES], start=1)
    ]
    told = words.numbered(_cut(source))
    passages = words.numbered([*_places(told), *_in_words(profiles, tables)])
    if len(passages) == words.MAX_PASSAGES:
        notes.add(
            "passages",
            f"only the first {words.MAX_PASSAGES:,} passages were kept",
            code="passage_cap",
        )
    write_passages(output, passages)
    result = ParseResult(
        kind=source.kind,
        name="",
        media_type="",
        tables=tuple(profiles),
        passage_count=len(passages),
        artifacts=(*(known.artifact for known in profiles), PASSAGES),
    )
    return _with_words(result, [one for one in told if one.place.is_prose])


def _with_words(result: ParseResult, told: list[Passage]) -> ParseResult:
    """What the text of a file is about, its tables and code left out."""
    if not told:
        return result
    from foundations.public_works.parsing.languages import language_of
    from foundations.public_works.parsing.phrases import key_phrases, summary

    language = language_of(passage.text for passage in told)
    return result.model_copy(
        update={
            "word_count": sum(words.count(passage.text) for passage in told),
            "summary": summary(told, language),
            "key_phrases": key_phrases(told, language),
        }
    )


def _stored(table: Table, output: Path, artifact: str) -> TableProfile:
    from foundations.public_works.parsing.profiles import profile, profile_from

    if table.stored is None:
        table.frame.write_parquet(output / artifact)
        known = profile(table.frame, table.name, artifact=artifact, truncated=table.truncated)
    else:
        table.stored.path.rename(output / artifact)
        known = profile_from(
            table.stored.known,
            table.frame,
            table.name,
            artifact=artifact,
            truncated=table.truncated,
        )
    return known.model_copy(update={"place": table.place})


def _in_words(profiles: list[TableProfile], tables: list[Table]) -> Iterator[tuple[Place, str]]:
    """The tables put in words, but those whose cells stand in the text."""
    from foundations.public_works.parsing import table_words

    both = [
        (known, table) for known, table in zip(profiles, tables, strict=False) if not table.told
    ]
    rows = max(1, table_words.ROW_PASSAGES // max(1, len(both)))
    for known, table in both:
        yield from table_words.of_table(known, table.frame, rows=rows)


def _named_apart(tables: list[Table]) -> list[Table]:
    """The tables, those that share a name numbered: it is by their names that people know them."""
    taken: set[str] = set()
    apart: list[Table] = []
    for table in tables:
        name, copy = table.name, 2
        while name in taken:
            name, copy = f"{table.name} ({copy})", copy + 1
        taken.add(name)
        apart.append(replace(table, name=name))
    return apart


def _places(passages: list[Passage]) -> Iterator[tuple[Place, str]]:
    return ((passage.place, passage.text) for passage in passages)


def _cut(source: Source) -> Iterator[tuple[Place, str]]:
    for section in source.sections:
        yield from words.cut(section.text, section.place)


def _small(metadata: dict[str, Scalar]) -> dict[str, Scalar]:
    """The first forty facts, none longer than a line."""
    return {
        key[:100]: value[:300] if isinstance(value, str) else value
        for key, value in list(metadata.items())[:40]
    }
