"""What tests of insights share: tables in, the insights of one kind out."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from foundations.public_works.parsing.artifacts import PASSAGES, write_passages
from foundations.public_works.parsing.insights.comparing import ParsedFile
from foundations.public_works.parsing.insights.model import Insight, InsightKind
from foundations.public_works.parsing.insights.tables.columns import table_of
from foundations.public_works.parsing.insights.tables.table import of_table
from foundations.public_works.parsing.models import ParseResult, Passage
from foundations.public_works.parsing.places import Place
from foundations.public_works.parsing.profiles import profile


def noise(n: int, seed: int = 1, spread: float = 1.0) -> list[float]:
    """Normal values that are the same in every run."""
    lots = random.Random(seed)
    return [lots.gauss(0, spread) for _ in range(n)]


def all_told(columns: Mapping[str, Sequence[Any]]) -> list[Insight]:
    return of_table(table_of(pl.DataFrame(columns, strict=False), "t"))


def told(columns: Mapping[str, Sequence[Any]], kind: InsightKind) -> list[Insight]:
    return [insight for insight in all_told(columns) if insight.kind is kind]


def table_file(folder: Path, name: str, columns: Mapping[str, Sequence[Any]]) -> ParsedFile:
    """A parsed file with one table."""
    frame = pl.DataFrame(columns, strict=False)
    path = folder / f"{name}.parquet"
    frame.write_parquet(path)
    known = profile(frame, name, artifact=path.name, truncated=False)
    parsed = ParseResult(kind="table", name=f"{name}.csv", media_type="text/csv", tables=(known,))
    return ParsedFile(parsed, {path.name: path})


def text_file(folder: Path, name: str, *texts: str, **facts: Any) -> ParsedFile:
    """A parsed text of the passages given."""
    inside = folder / name
    inside.mkdir()
    write_passages(
        inside,
        [
            Passage(number=n, place=Place.read("x"), text=text)
            for n, text in enumerate(texts, start=1)
        ],
    )
    words = sum(len(text.split()) for text in texts)
    parsed = ParseResult(kind="text", name=name, media_type="text/plain", word_count=words, **facts)
    return ParsedFile(parsed, {PASSAGES: inside / PASSAGES})
