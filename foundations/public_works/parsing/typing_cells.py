"""Gives columns of strings their types, by what all of their cells say.

A column has a type only when every filled cell agrees; one cell that does not makes it text, and
the warning says which. Numbers with leading zeros are codes and stay text, and so do whole numbers
of nineteen digits or more. Words such as `NA` are
missing values in a column of numbers or dates, and words in a column of words. Dates of the form
3/4/2024 are read only where some date of the column tells day from month.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import polars as pl

from foundations.public_works.parsing.notes import Notes

MISSING_WORDS = ("NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "-", "#N/A")
_INTEGER = r"^[+-]?\d{1,18}$"
_LONG_CODE = r"^\d{19,}$"
_CODE = r"^[+-]?0\d"
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$"
_THOUSANDS = r"^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$"
_DECIMAL_COMMA = r"^[+-]?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?$"
_LIKE_NUMBER = r"^[+-]?\d[\d., '\u00a0\u202f\u2019]*$"
_TELLS_COMMA = r"^[+-]?(\d{1,3}([. '\u00a0\u202f\u2019]\d{3})+,\d+|\d+,(\d{1,2}|\d{4,}))$"
_TELLS_POINT = r"^[+-]?(\d{1,3}([, '\u00a0\u202f\u2019]\d{3})+\.\d+|\d+\.(\d{1,2}|\d{4,}))$"
_COMMA_IN_TEXT = re.compile(
    r"(?<![\d.,])(?:\d{1,3}(?:\.\d{3})+,\d+|\d+,\d{1,2}|\d{1,3}(?:\.\d{3}){2,})(?![\d.,]*\d)"
)
_POINT_IN_TEXT = re.compile(
    r"(?<![\d.,])(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.\d{1,2})(?![\d.,]*\d)"
)
_POINTED = r"^[+-]?\d{1,3}(\.\d{3})*$"
_GROUPED = r"^[+-]?\d{1,3}([ '\u00a0\u202f\u2019]\d{3})*([.,]\d+)?$"
_GROUP_MARK = r"[ '\u00a0\u202f\u2019]"
_ISO_DATE = r"^\d{4}-\d{2}-\d{2}$"
_SLASH_DATE = r"^\d{4}/\d{1,2}/\d{1,2}$"
_ISO_DATETIME = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?$"
_ISO_INSTANT = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)$"
_TIME = r"^\d{1,2}:\d{2}(:\d{2})?$"
_DAY_MONTH = r"^(\d{1,2})([./-])(\d{1,2})[./-](\d{4})$"
_DAY_MONTH_TIME = r"^\d{1,2}([./-])\d{1,2}[./-]\d{4},? \d{1,2}:\d\d(:\d\d)?( ?[AaPp][Mm])?$"
_HALF_DAY = r"[AaPp][Mm]$"
_WORDS = {"true": True, "false": False, "yes": True, "no": False}
_EITHER = f"{_NUMBER}|{_THOUSANDS}"
_WORD = r"^([tT][rR][uU][eE]|[fF][aA][lL][sS][eE]|[yY][eE][sS]|[nN][oO])$"
_DAY_FIRST = r"^(1[3-9]|[2-9]\d)[./-]"
_MONTH_FIRST = r"^\d{1,2}[./-](1[3-9]|[2-9]\d)[./-]"
_DECIDING = (
    _INTEGER,
    _LONG_CODE,
    _NUMBER,
    _EITHER,
    _DECIMAL_COMMA,
    _GROUPED,
    _WORD,
    _ISO_DATE,
    _SLASH_DATE,
    _ISO_DATETIME,
    _ISO_INSTANT,
    _TIME,
    _DAY_MONTH,
    _DAY_MONTH_TIME,
    _HALF_DAY,
    _LIKE_NUMBER,
)
"""A column with a value against each of these is text, and tells nothing of its table's numbers."""
ASKED_OF_ALL = (*_DECIDING, _POINTED, r"\.")
ASKED_OF_ANY = (_CODE, _TELLS_COMMA, _TELLS_POINT, _GROUP_MARK, ",", _DAY_FIRST, _MONTH_FIRST)
"""How a column is read depends on nothing but whether all of its values match the ones, and any the
others. So a value against each of the ones, and one for each of the others, stand for all."""
_FEW = 1_000

Attempt = Callable[[pl.Series], pl.Series | None]


@dataclass(frozen=True, slots=True)
class Typing:
    """How the cells of a column are read.

    Values that match `settled` would not change it, once `witness` is among its values.
    """

    name: str
    convert: Attempt | None = field(default=None, compare=False)
    settled: str = ""
    witness: str = ""

    def is_settled(self, values: pl.Series, further: pl.Series) -> bool:
        """Whether a column with these values, read so, is read the same with `further` ones."""
        if self is TEXT:
            return not any(values.str.contains(pattern).all() for pattern in _DECIDING)
        if not self.settled or (self.witness and not values.str.contains(self.witness).any()):
            return False
        return bool(further.str.contains(self.settled).all())


TEXT = Typing("text")
_CODES = Typing("codes", None, _INTEGER)


def typed(
    frame: pl.DataFrame, notes: Notes, *, comma_is_decimal: bool = False, mark: str = ""
) -> pl.DataFrame:
    """The frame with each column of strings in the type that all its cells have.

    `comma_is_decimal` is what to think of `1,234` while no number of the table tells, `mark` what
    the text around the table has before decimals.
    """
    style = decimal_mark(frame) or mark
    comma_is_decimal = says_comma(style, otherwise=comma_is_decimal)
    if style == ",":
        frame = frame.with_columns(
            without_points(column) if is_pointed(column) else column for column in frame
        )
    return pl.DataFrame(
        [
            _typed(series, notes, comma_is_decimal=comma_is_decimal)
            if series.dtype == pl.String
            else series
            for series in frame
        ]
    )


def decimal_mark(columns: Iterable[pl.Series]) -> str:
    """The mark before decimals, where numbers of the table tell: `1.5` a point, `1.234,5` a comma.

    `1,234` alone tells nothing. "" when none tells, or when they disagree.
    """
    comma = point = False
    for series in columns:
        if series.dtype != pl.String:
            continue
        values = meant(series).drop_nulls()
        if values.is_empty() or not _all(values, _LIKE_NUMBER):
            continue
        comma = comma or bool(values.str.contains(_TELLS_COMMA).any())
        point = point or bool(values.str.contains(_TELLS_POINT).any())
    return "," if comma and not point else "." if point and not comma else ""


def mark_in(text: str) -> str:
    """The mark before decimals in the figures of a text; "" where few tell, or they disagree."""
    commas, points = len(_COMMA_IN_TEXT.findall(text)), len(_POINT_IN_TEXT.findall(text))
    return "," if commas > 2 * points else "." if points > 2 * commas else ""


def says_comma(mark: str, *, otherwise: bool) -> bool:
    """Whether a comma stands before decimals in a table with this mark, "" where none tells."""
    return mark == "," or (otherwise and mark != ".")


def is_pointed(series: pl.Series) -> bool:
    """Whether a column holds numbers such as `1.234`, which are thousands beside `1,5`."""
    if series.dtype != pl.String:
        return False
    values = meant(series).drop_nulls()
    return not values.is_empty() and _all(values, _POINTED)


def without_points(series: pl.Series) -> pl.Series:
    """The cells without their points."""
    return series.str.replace_all(".", "", literal=True)


def without_group_marks(series: pl.Series) -> pl.Series:
    """The cells without blanks and apostrophes, such as stand between thousands."""
    return series.str.replace_all(_GROUP_MARK, "")


def has_group_marks(series: pl.Series) -> bool:
    """Whether a cell holds a blank or an apostrophe."""
    return bool(series.str.contains(_GROUP_MARK).any())


def meant(series: pl.Series) -> pl.Series:
    """The cells without blanks around them; those that say that nothing is there are missing."""
    stripped = series.str.strip_chars()
    return stripped.set(_says_missing(stripped), None)


def missing_words(series: pl.Series) -> Counter[str]:
    """The words that say that nothing is there, and how many cells say each."""
    stripped = series.str.strip_chars()
    said = stripped.filter(_says_missing(stripped)).alias("word").value_counts(name="cells")
    return Counter(dict(said.iter_rows()))


def note_words(name: str, words: Counter[str], notes: Notes) -> None:
    """Say so where words of a column were read as missing."""
    if words:
        shown = ", ".join(sorted(words))
        notes.add(
            "words read as missing",
            f"{words.total()} cells of {name!r} say {shown}; they are read as missing",
            code="missing_words",
        )


def _says_missing(stripped: pl.Series) -> pl.Series:
    return stripped.is_in(MISSING_WORDS).fill_null(value=False)


def _typed(series: pl.Series, notes: Notes, *, comma_is_decimal: bool) -> pl.Series:
    wanted = meant(series)
    values = wanted.drop_nulls()
    typing = typing_of(values, comma_is_decimal=comma_is_decimal)
    if typing.convert is None:
        spoilers = Spoilers(series.name)
        spoilers.look(wanted)
        spoilers.note(notes)
        return series
    made = typing.convert(wanted)
    if made is None or made.null_count() != wanted.null_count():
        return series
    note_words(series.name, missing_words(series), notes)
    return made.alias(series.name)


def typing_of(values: pl.Series, *, comma_is_decimal: bool) -> Typing:
    """How a column is read that holds these values: by the pattern that all of them match."""
    if values.is_empty():
        return TEXT
    if _all(values, _NUMBER):
        coded = bool(values.str.contains(_CODE).any())
        if _all(values, _INTEGER):
            return _CODES if coded else _INTEGERS
        if _all(values, _LONG_CODE):
            return _CODES  # a float would make many of them one
        return TEXT if coded else _NUMBERS
    if comma_is_decimal and _all(values, _DECIMAL_COMMA):
        return _COMMA_NUMBERS
    if values.str.contains(",", literal=True).any() and _all(values, _EITHER):
        return Typing("thousands", lambda s: _number(s.str.replace_all(",", "", literal=True)))
    if has_group_marks(values) and _all(values, _GROUPED):
        return _grouped(typing_of(without_group_marks(values), comma_is_decimal=comma_is_decimal))
    return _BOOLEANS if _all(values, _WORD) else _temporal(values)


def _grouped(bare: Typing) -> Typing:
    """How cells are read that are read so once nothing stands between their thousands."""
    if (convert := bare.convert) is None:
        return TEXT
    return Typing(f"grouped {bare.name}", lambda s: convert(without_group_marks(s)))


def _temporal(values: pl.Series) -> Typing:
    for typing in _TIMES:
        if _all(values, typing.settled):
            return typing
    if _all(values, _DAY_MONTH) and (order := _day_month_order(values)):
        return Typing(
            order, lambda s: s.str.replace_all("[./-]", "/").str.to_date(order, strict=False)
        )
    if _all(values, _DAY_MONTH_TIME) and (order := _day_month_order(values)):
        halves = values.str.contains(_HALF_DAY)
        clock = "%I:%M:%S%p" if halves.all() else "%H:%M:%S"
        return TEXT if halves.any() and not halves.all() else _of_day(f"{order} {clock}")
    return TEXT


def _of_day(order: str) -> Typing:
    """Times of a day such as 31.12.2024 17:45 or 12/31/2024 5:45 PM."""
    return Typing(order, lambda s: _spelt_alike(s).str.to_datetime(order, strict=False))


def _spelt_alike(series: pl.Series) -> pl.Series:
    """Slashes in the date, one blank, seconds, and no blank before AM or PM."""
    dates = series.str.replace_all("[./-]", "/").str.replace(r",? +", " ").str.to_uppercase()
    return dates.str.replace(r" (\d{1,2}:\d\d) ?([AP]M)?$", " ${1}:00${2}").str.replace(
        r" ([AP]M)$", "${1}"
    )


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
    if values.str.contains(".", literal=True).all():
        return "%d/%m/%Y"  # with points the day stands first everywhere
    day_first = values.str.contains(_DAY_FIRST).any()
    month_first = values.str.contains(_MONTH_FIRST).any()
    if day_first == month_first:
        return ""
    return "%d/%m/%Y" if day_first else "%m/%d/%Y"


class Spoilers:
    """Finds the few cells that keep a column of text from being numbers, block by block."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._few = 0
        self._few_numbers = 0
        self._rows = 0
        self._values = 0
        self._others = 0
        self._first = ("", 0)

    def look(self, block: pl.Series) -> None:
        """Look at more cells, as `meant` gives them."""
        if self._few < _FEW or self._looks_numeric():
            values = block.drop_nulls()
            few = values.head(_FEW - self._few)
            self._few += len(few)
            self._few_numbers += int(few.str.contains(_NUMBER).sum())
            other = (~block.str.contains(_NUMBER)).fill_null(value=False)
            if not self._others and other.any():
                at = other.arg_max() or 0
                self._first = (block[at], self._rows + at + 1)
            self._others += int(other.sum())
            self._values += len(values)
        self._rows += len(block)

    def note(self, notes: Notes) -> None:
        """Say so where there are few enough."""
        if not self._looks_numeric() or self._values < 10:
            return
        if 0 < self._others <= max(1, self._values // 20):
            odd, row = self._first
            notes.add(
                "columns that a few cells keep from being numbers",
                f"{self._name!r} is read as text because {self._others} of {self._values} cells "
                f"are no numbers, such as {odd[:40]!r} in row {row}",
                code="few_cells_no_numbers",
            )

    def _looks_numeric(self) -> bool:
        return self._few_numbers >= self._few / 2


def _all(values: pl.Series, pattern: str) -> bool:
    """Whether all values match; most patterns are ruled out by the first few."""
    first = values.head(_FEW).str.contains(pattern).all()
    return bool(first and values.str.contains(pattern).all())


_INTEGERS = Typing("integer", lambda s: s.cast(pl.Int64, strict=False), r"^[+-]?(0|[1-9]\d{0,17})$")
_NUMBERS = Typing("number", _number, r"^[+-]?(0|[1-9]\d*)\.?\d*$", _TELLS_POINT)
_COMMA_NUMBERS = Typing(
    "number with a comma",
    lambda s: _number(without_points(s).str.replace(",", ".", literal=True)),
    r"^[+-]?\d+(,\d+)?$",
    _TELLS_COMMA,
)
_BOOLEANS = Typing(
    "yes or no",
    lambda s: s.str.to_lowercase().replace_strict(_WORDS, return_dtype=pl.Boolean),
    _WORD,
)
_TIMES = (
    Typing("date", lambda s: s.str.to_date("%Y-%m-%d", strict=False), _ISO_DATE),
    Typing("date by slashes", lambda s: s.str.to_date("%Y/%m/%d", strict=False), _SLASH_DATE),
    Typing(
        "time of a day",
        lambda s: _spelled_out(s).str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False),
        _ISO_DATETIME,
    ),
    Typing("instant", _instant, _ISO_INSTANT),
    Typing("time", lambda s: _with_seconds(s).str.to_time("%H:%M:%S", strict=False), _TIME),
)
