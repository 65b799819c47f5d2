"""Gives columns of strings their types, by what all of their cells say.

A column has a type only when every filled cell agrees; one cell that does not makes it text, and
the warning says which. Numbers with leading zeros are codes and stay text. Words such as `NA` are
missing values in a column of numbers or dates, and words in a column of words. Dates of the form
3/4/2024 are read only where some date of the column tells day from month.
"""

from collections.abc import Callable

import polars as pl

from foundations.public_works.parsing.notes import Notes

MISSING_WORDS = ("NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "-", "#N/A")
_INTEGER = r"^[+-]?\d{1,18}$"
_CODE = r"^[+-]?0\d"
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$"
_THOUSANDS = r"^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$"
_DECIMAL_COMMA = r"^[+-]?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?$"
_LIKE_NUMBER = r"^[+-]?\d[\d., '\u00a0\u202f\u2019]*$"
_TELLS_COMMA = r"^[+-]?(\d{1,3}([. '\u00a0\u202f\u2019]\d{3})+,\d+|\d+,(\d{1,2}|\d{4,}))$"
_TELLS_POINT = r"^[+-]?(\d{1,3}([, '\u00a0\u202f\u2019]\d{3})+\.\d+|\d+\.(\d{1,2}|\d{4,}))$"
_POINTED = r"^[+-]?\d{1,3}(\.\d{3})*$"
_GROUPED = r"^[+-]?\d{1,3}([ '\u00a0\u202f\u2019]\d{3})*([.,]\d+)?$"
_GROUP_MARK = r"[ '\u00a0\u202f\u2019]"
_ISO_DATE = r"^\d{4}-\d{2}-\d{2}$"
_SLASH_DATE = r"^\d{4}/\d{1,2}/\d{1,2}$"
_ISO_DATETIME = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?$"
_ISO_INSTANT = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)$"
_TIME = r"^\d{1,2}:\d{2}(:\d{2})?$"
_DAY_MONTH = r"^(\d{1,2})([./-])(\d{1,2})[./-](\d{4})$"
_WORDS = {"true": True, "false": False, "yes": True, "no": False}

_FEW = 1_000

Attempt = Callable[[pl.Series], pl.Series | None]


def typed(frame: pl.DataFrame, notes: Notes, *, comma_is_decimal: bool = False) -> pl.DataFrame:
    """The frame with each column of strings in the type that all its cells have.

    `comma_is_decimal` is what to think of `1,234` while no number of the table tells.
    """
    style = decimal_mark(frame)
    comma_is_decimal = style == "," or (comma_is_decimal and style != ".")
    if style == ",":
        frame = frame.with_columns(_without_points(column) for column in frame)
    return pl.DataFrame(
        [
            _typed(series, notes, comma_is_decimal=comma_is_decimal)
            if series.dtype == pl.String
            else series
            for series in frame
        ]
    )


def decimal_mark(frame: pl.DataFrame) -> str:
    """The mark before decimals, where numbers of the table tell: `1.5` a point, `1.234,5` a comma.

    `1,234` alone tells nothing. "" when none tells, or when they disagree.
    """
    comma = point = False
    for series in frame.select(pl.selectors.string()):
        values = series.str.strip_chars().drop_nulls()
        values = values.filter(~values.is_in(MISSING_WORDS))
        if values.is_empty() or not _all(values, _LIKE_NUMBER):
            continue
        comma = comma or bool(values.str.contains(_TELLS_COMMA).any())
        point = point or bool(values.str.contains(_TELLS_POINT).any())
    return "," if comma and not point else "." if point and not comma else ""


def _without_points(series: pl.Series) -> pl.Series:
    """A column such as `1.234` in a table whose decimals follow a comma: whole thousands."""
    if series.dtype != pl.String:
        return series
    values = series.str.strip_chars().drop_nulls()
    if values.is_empty() or not _all(values, _POINTED):
        return series
    return series.str.replace_all(".", "", literal=True)


def _typed(series: pl.Series, notes: Notes, *, comma_is_decimal: bool) -> pl.Series:
    filled = series.str.strip_chars().drop_nulls()
    words = filled.is_in(MISSING_WORDS)
    values = filled.filter(~words)
    if values.is_empty():
        return series
    attempt = _attempt_for(values, comma_is_decimal=comma_is_decimal)
    if attempt is None:
        _note_spoilers(series, values, notes)
        return series
    stripped = series.str.strip_chars()
    wanted = stripped.set(stripped.is_in(MISSING_WORDS).fill_null(value=False), None)
    made = attempt(wanted)
    if made is None or made.null_count() != wanted.null_count():
        return series
    if words.any():
        shown = ", ".join(sorted(set(filled.filter(words).to_list())))
        notes.add(
            "words read as missing",
            f"{int(words.sum())} cells of {series.name!r} say {shown}; they are read as missing",
            code="missing_words",
        )
    return made.alias(series.name)


def _attempt_for(values: pl.Series, *, comma_is_decimal: bool) -> Attempt | None:
    """The conversion whose pattern all values match, or None for text."""
    if _all(values, _INTEGER) and not values.str.contains(_CODE).any():
        return lambda s: s.cast(pl.Int64, strict=False)
    if _all(values, _NUMBER):
        return None if values.str.contains(_CODE).any() else _number
    if comma_is_decimal and _all(values, _DECIMAL_COMMA):
        return lambda s: _number(
            s.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
        )
    if values.str.contains(",", literal=True).any() and _matches_either(values):
        return lambda s: _number(s.str.replace_all(",", "", literal=True))
    if values.str.contains(_GROUP_MARK).any() and _all(values, _GROUPED):
        bare = values.str.replace_all(_GROUP_MARK, "")
        within = _attempt_for(bare, comma_is_decimal=comma_is_decimal)
        return within and (lambda s: within(s.str.replace_all(_GROUP_MARK, "")))
    if values.str.to_lowercase().is_in(list(_WORDS)).all():
        return lambda s: s.str.to_lowercase().replace_strict(_WORDS, return_dtype=pl.Boolean)
    return _temporal(values)


def _temporal(values: pl.Series) -> Attempt | None:
    if _all(values, _ISO_DATE):
        return lambda s: s.str.to_date("%Y-%m-%d", strict=False)
    if _all(values, _SLASH_DATE):
        return lambda s: s.str.to_date("%Y/%m/%d", strict=False)
    if _all(values, _ISO_DATETIME):
        return lambda s: _spelled_out(s).str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False)
    if _all(values, _ISO_INSTANT):
        return _instant
    if _all(values, _TIME):
        return lambda s: _with_seconds(s).str.to_time("%H:%M:%S", strict=False)
    if _all(values, _DAY_MONTH) and (order := _day_month_order(values)):
        return lambda s: s.str.replace_all("[./-]", "/").str.to_date(order, strict=False)
    return None


def _number(series: pl.Series) -> pl.Series | None:
    made = series.cast(pl.Float64, strict=False)
    return made if made.is_finite().all() else None


def _instant(series: pl.Series) -> pl.Series:
    return _spelled_out(series.str.replace("Z$", "+00:00")).str.to_datetime(
        "%Y-%m-%d %H:%M:%S%.f%z", strict=False, time_zone="UTC"
    )


def _spelled_out(series: pl.Series) -> pl.Series:
    """A blank for the T, and seconds where there are none."""
    return series.str.replace("T", " ", literal=True).str.replace(
        r"^(\S+ \d\d:\d\d)([+-]|$)", "${1}:00${2}"
    )


def _with_seconds(series: pl.Series) -> pl.Series:
    return series.str.replace(r"^(\d{1,2}:\d{2})$", "${1}:00")


def _day_month_order(values: pl.Series) -> str:
    """The format that fits dates such as 31/12/2024; "" while both orders would."""
    first = values.str.extract(_DAY_MONTH, 1).cast(pl.Int64)
    second = values.str.extract(_DAY_MONTH, 3).cast(pl.Int64)
    if values.str.contains(".", literal=True).all():
        return "%d/%m/%Y"  # with points the day stands first everywhere
    day_first, month_first = (first > 12).any(), (second > 12).any()
    if day_first == month_first:
        return ""
    return "%d/%m/%Y" if day_first else "%m/%d/%Y"


def _note_spoilers(series: pl.Series, values: pl.Series, notes: Notes) -> None:
    """Say so when a few cells keep a column of numbers from being one."""
    few = values.head(_FEW)
    if few.str.contains(_NUMBER).sum() < len(few) / 2:
        return
    numeric = values.str.contains(_NUMBER)
    others = int((~numeric).sum())
    if 0 < others <= max(1, len(values) // 20) and len(values) >= 10:
        odd = values.filter(~numeric)[0]
        row = (series.str.strip_chars() == odd).arg_true()[0] + 1
        notes.add(
            "columns that a few cells keep from being numbers",
            f"{series.name!r} is read as text because {others} of {len(values)} cells are no "
            f"numbers, such as {odd[:40]!r} in row {row}",
            code="few_cells_no_numbers",
        )


def _matches_either(values: pl.Series) -> bool:
    return bool((values.str.contains(_NUMBER) | values.str.contains(_THOUSANDS)).all())


def _all(values: pl.Series, pattern: str) -> bool:
    """Whether all values match; most patterns are ruled out by the first few."""
    first = values.head(_FEW).str.contains(pattern).all()
    return bool(first and values.str.contains(pattern).all())
