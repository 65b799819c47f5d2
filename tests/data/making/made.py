"""What a maker of test data gives: the bytes of a file, and what is true of them."""

import io
import re
import statistics
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Truth = dict[str, Any]
MOMENT = "2026-01-15T08:00:00Z"
_CHANGED = re.compile(rb"(<dcterms:(?:modified|created)[^>]*>)[^<]*(<)")


@dataclass(frozen=True, slots=True)
class Made:
    """A file and its truths. `plain`: made by the standard library alone, the same everywhere."""

    data: bytes
    truth: Truth
    plain: bool = True


def table(
    name: str,
    columns: Mapping[str, str],
    rows: Sequence[Sequence[Any]],
    *,
    place: str = "",
) -> Truth:
    """What is true of a table: its columns' types as stated, its figures computed from `rows`."""
    facts: dict[str, Truth] = {}
    for at, (column, kind) in enumerate(columns.items()):
        cells = [row[at] for row in rows]
        filled = [cell for cell in cells if cell is not None]
        known: Truth = {"missing": len(cells) - len(filled), "distinct": len(set(filled))}
        if kind in ("integer", "number"):
            known |= {
                "minimum": min(filled),
                "maximum": max(filled),
                "mean": round(statistics.fmean(filled), 9),
                "median": statistics.median(filled),
            }
        elif kind in ("date", "datetime"):
            known |= {"minimum": str(min(filled)), "maximum": str(max(filled))}
        facts[column] = known
    return {
        "name": name,
        "place": place,
        "rows": len(rows),
        "types": dict(columns),
        "columns": facts,
    }


def steady(package: bytes) -> bytes:
    """A ZIP package without the hour it was made at."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(package)) as given,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made,
    ):
        for info in given.infolist():
            data = _CHANGED.sub(rb"\g<1>" + MOMENT.encode() + rb"\g<2>", given.read(info))
            entry = zipfile.ZipInfo(info.filename, (2026, 1, 15, 8, 0, 0))
            entry.compress_type = (
                zipfile.ZIP_STORED if info.filename == "mimetype" else zipfile.ZIP_DEFLATED
            )
            made.writestr(entry, data)
    return out.getvalue()


def zipped(entries: Mapping[str, bytes]) -> bytes:
    """A ZIP archive of these files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in entries.items():
            entry = zipfile.ZipInfo(name, (2026, 1, 15, 8, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            made.writestr(entry, data)
    return out.getvalue()
