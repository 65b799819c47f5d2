"""A table becomes another format whole, or not at all and with every reason."""

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from foundations.public_works.parsing.converting import convert
from foundations.public_works.parsing.faults import NotLossless, UnreadableFile
from foundations.public_works.parsing.models import TableFormat

CSV, TSV, PARQUET, NDJSON = TableFormat
TABLE = (
    "id,code,name,share,open,day,at\n"
    '1,007,"Ulm, old",0.5,true,2026-01-31,2026-01-31T12:00:00\n'
    '2,010,"two\nlines ""quoted""",-3.25,false,2024-02-29,2024-02-29T00:00:00\n'
    "3,,Tab\there,,,,\n"
)


def written(folder: Path, text: str, name: str = "a") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return path


def converted(folder: Path, source: Path, of: TableFormat, to: TableFormat) -> Path:
    target = folder / f"{source.name}.{to}"
    convert(source, target, of=of, to=to)
    return target


def refused(folder: Path, source: Path, of: TableFormat, to: TableFormat) -> str:
    with pytest.raises(NotLossless) as error:
        convert(source, folder / "b", of=of, to=to)
    return error.value.detail


@pytest.mark.parametrize("way", [[TSV], [PARQUET], [NDJSON], [TSV, PARQUET, NDJSON, PARQUET]])
def test_table_comes_back_as_it_was(tmp_path: Path, way: list[TableFormat]) -> None:
    path, of = written(tmp_path, TABLE), CSV
    for to in [*way, CSV]:
        path, of = converted(tmp_path, path, of, to), to

    assert path.read_text(encoding="utf-8") == TABLE


def test_types_are_those_that_write_every_cell_again(tmp_path: Path) -> None:
    frame = pl.read_parquet(converted(tmp_path, written(tmp_path, TABLE), CSV, PARQUET))

    assert dict(frame.schema) == {
        "id": pl.Int64, "code": pl.String, "name": pl.String, "share": pl.Float64,
        "open": pl.Boolean, "day": pl.Date, "at": pl.Datetime("us"),
    }  # fmt: skip
    assert frame["code"].to_list() == ["007", "010", None]


def test_lines_of_json_hold_numbers_and_missing_values(tmp_path: Path) -> None:
    lines = converted(tmp_path, written(tmp_path, "a,b\n1,x\n,y\n"), CSV, NDJSON).read_text()

    assert lines == '{"a": 1, "b": "x"}\n{"a": null, "b": "y"}\n'


@pytest.mark.parametrize(
    ("column", "to", "reason"),
    [
        (pl.Series("c", [[1], [2]]), CSV, "c holds List(Int64)"),
        (pl.Series("c", [b"x", b"y"]), NDJSON, "c holds Binary"),
        (pl.Series("c", ["", "x"]), TSV, "c holds empty texts"),
        (pl.Series("c", ["1", "2"]), CSV, "c holds text that would be read back as whole numbers"),
        (pl.Series("c", ["2026-01-31", "2026-02-01"]), NDJSON, "would be read back as dates"),
        (pl.Series("c", [1.5, float("nan")]), NDJSON, "c holds numbers that are infinite, or none"),
        (pl.Series("c", [None, None], pl.Int64), CSV, "c holds no value"),
        (pl.Series("c", [dt.time(1), dt.time(2)]), CSV, "c holds Time"),
        (pl.Series("c", [2**64 - 1, 1], pl.UInt64), CSV, "c holds UInt64"),
        (pl.Series("c", [], pl.Int64), CSV, "the table has no rows"),
    ],
)
def test_what_would_be_lost_is_named(
    tmp_path: Path, column: pl.Series, to: TableFormat, reason: str
) -> None:
    source = tmp_path / "a.parquet"
    pl.DataFrame([column, pl.Series("d", range(len(column)), pl.Int64)]).write_parquet(source)

    assert reason in refused(tmp_path, source, PARQUET, to)


def test_every_reason_is_told_at_once(tmp_path: Path) -> None:
    source = tmp_path / "a.parquet"
    pl.DataFrame({"a": [[1]], "b": [""], "c": [1]}).write_parquet(source)

    told = refused(tmp_path, source, PARQUET, CSV)

    assert "a holds" in told
    assert "b holds" in told


@pytest.mark.parametrize(
    ("text", "of", "reason"),
    [
        ("a,a\n1,2\n", CSV, "the same one"),
        ("a,\n1,2\n", CSV, "columns have no name"),
        ("a,b\n1\n", CSV, "row 2 has 1 cells, the header has 2"),
        ('{"a": 1}\n{"b": 2}\n', NDJSON, "some lines have no a"),
        ('{"a": {"b": 1}}\n', NDJSON, "a holds dict"),
        ('{"a": 1}\n{"a": "x"}\n', NDJSON, "a holds int and str"),
        ('{"a": 99999999999999999999}\n', NDJSON, "beyond 64 bits"),
        ('{"a": 1e999}\n', NDJSON, "infinite"),
    ],
)
def test_source_that_is_no_plain_table(
    tmp_path: Path, text: str, of: TableFormat, reason: str
) -> None:
    assert reason in refused(tmp_path, written(tmp_path, text), of, PARQUET)


@pytest.mark.parametrize(
    ("data", "of"),
    [(b"[1]\n", NDJSON), (b"{\n", NDJSON), (b'{"a": 1, "a": 2}\n', NDJSON), (b"[" * 9999, NDJSON),
     (b'a,b\n"x"y,2\n', CSV), (b"no parquet", PARQUET)],
)  # fmt: skip
def test_source_that_cannot_be_read(tmp_path: Path, data: bytes, of: TableFormat) -> None:
    source = tmp_path / "a"
    source.write_bytes(data)

    with pytest.raises(UnreadableFile):
        convert(source, tmp_path / "b", of=of, to=TSV)


@pytest.mark.parametrize("of", [CSV, NDJSON])
def test_text_in_another_encoding_is_refused(tmp_path: Path, of: TableFormat) -> None:
    source = tmp_path / "a"
    source.write_bytes("a\nMühle\n".encode("latin-1"))

    assert "UTF-8" in refused(tmp_path, source, of, PARQUET)
