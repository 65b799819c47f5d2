"""Reads one file: tells what it is, has it read, writes the artifacts, sums up what is known."""

from collections.abc import Iterator
from pathlib import Path

from foundations.public_works import archives, media_types
from foundations.public_works.media_types import MediaType, detect
from foundations.public_works.parsing import passages as words
from foundations.public_works.parsing.faults import NoData, NoText
from foundations.public_works.parsing.models import (
    ParseOptions,
    ParseResult,
    ParseWarning,
    Passage,
    Scalar,
    TableProfile,
)
from foundations.public_works.parsing.notes import Notes
from foundations.public_works.parsing.sources import Table, Tables, Text

PASSAGES = "passages.jsonl"
MAX_TABLES = 50
MAX_JOURNALLED = 150_000  # bytes of a result as JSON


def read(path: Path, output: Path, *, name: str, options: ParseOptions) -> ParseResult:
    """Read the file at `path` and write its artifacts into `output`; see `Parsers.parse`."""
    media = detect(path, name)
    if options.encoding:
        media = media.model_copy(update={"encoding": options.encoding})
    notes = Notes()
    source = _source(path, media, Path(name).stem or "table", options, notes)
    result = _summed_up(source, output)
    return fitted(
        result.model_copy(
            update={
                "name": name[:200],
                "media_type": media.name,
                "encoding": media.encoding,
                "metadata": _small(source.metadata),
                "warnings": _warnings(media, notes),
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


def write_passages(output: Path, passages: list[Passage]) -> None:
    """One passage a line, as JSON."""
    with (output / PASSAGES).open("w", encoding="utf-8") as file:
        file.writelines(passage.model_dump_json() + "\n" for passage in passages)


def read_passages(path: Path) -> list[Passage]:
    """The passages in an artifact."""
    with path.open(encoding="utf-8") as file:
        return [Passage.model_validate_json(line) for line in file]


def _source(
    path: Path, media: MediaType, title: str, options: ParseOptions, notes: Notes
) -> Tables | Text:
    """Have the file read by what it is. Readers are imported here: each brings heavy libraries."""
    match media.name:
        case media_types.CSV | media_types.TSV:
            from foundations.public_works.parsing.tables import delimited

            return delimited(path, title, encoding=media.encoding, options=options, notes=notes)
        case media_types.XLSX:
            from foundations.public_works.parsing.workbooks import workbook

            return workbook(path, options=options, notes=notes)
        case media_types.JSON | media_types.NDJSON:
            from foundations.public_works.parsing.json_documents import document

            return document(path, title, media=media, options=options, notes=notes)
        case _:
            from foundations.public_works.parsing.texts import text

            if media.name == media_types.DOCX:
                archives.inspect(path)
            return text(path, media=media, notes=notes)


def _summed_up(source: Tables | Text, output: Path) -> ParseResult:
    match source:
        case Tables():
            return _of_tables(source, output)
        case Text():
            return _of_text(source, output)


def _of_tables(source: Tables, output: Path) -> ParseResult:
    """Profile each table, write it as Parquet, and put it in words."""
    from foundations.public_works.parsing import table_words

    if not source.tables:
        raise NoData("the file holds no table with a row in it")
    profiles = [
        _stored(table, output, f"table-{number}.parquet")
        for number, table in enumerate(source.tables[:MAX_TABLES], start=1)
    ]
    rows = max(1, table_words.ROW_PASSAGES // len(profiles))
    passages = words.numbered(
        piece
        for known, table in zip(profiles, source.tables, strict=False)
        for piece in table_words.of_table(known, table.frame, rows=rows)
    )
    write_passages(output, passages)
    return ParseResult(
        kind="table",
        name="",
        media_type="",
        tables=tuple(profiles),
        passage_count=len(passages),
        artifacts=(*(known.artifact for known in profiles), PASSAGES),
    )


def _stored(table: Table, output: Path, artifact: str) -> TableProfile:
    from foundations.public_works.parsing.profiles import profile

    table.frame.write_parquet(output / artifact)
    return profile(table.frame, table.name, artifact=artifact, truncated=table.truncated)


def _of_text(source: Text, output: Path) -> ParseResult:
    """Cut the text into passages, and find what it is about."""
    from foundations.public_works.parsing.phrases import key_phrases, summary

    passages = words.numbered(_cut(source))
    if not passages:
        raise NoText(
            "the document holds no text, only pictures or empty pages",
            hint="run text recognition (OCR) over it first",
        )
    write_passages(output, passages)
    return ParseResult(
        kind="text",
        name="",
        media_type="",
        passage_count=len(passages),
        word_count=sum(len(passage.text.split()) for passage in passages),
        summary=summary(passages),
        key_phrases=key_phrases(passages),
        artifacts=(PASSAGES,),
    )


def _cut(source: Text) -> Iterator[tuple[str, str]]:
    for section in source.sections:
        yield from words.cut(section.text, section.place)


def _warnings(media: MediaType, notes: Notes) -> tuple[ParseWarning, ...]:
    return (*(ParseWarning(detail=detail) for detail in media.warnings), *notes.warnings())


def _small(metadata: dict[str, Scalar]) -> dict[str, Scalar]:
    """The first forty facts, none longer than a line."""
    return {
        key[:100]: value[:300] if isinstance(value, str) else value
        for key, value in list(metadata.items())[:40]
    }
