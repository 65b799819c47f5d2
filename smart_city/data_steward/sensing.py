"""Tells what data is personal, by pattern and by context: in columns of tables, and in texts."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property, lru_cache

from smart_city.data_steward.finders import FINDERS, Span
from smart_city.data_steward.policy import DataPolicy, Detector
from utilities.linear_patterns import matches

NEAR = 48
"""So many characters before and after count as near."""
_PIECE, _STRETCH = 4_000, 300
_LONGEST_LABEL = 60
_SEGMENT = re.compile(r"[^;\n]+")
_ROW = re.compile(r"^.{0,200}?\brow \d+: ")
_LABEL = re.compile(rf"\s*(?P<label>[^:]{{1,{_LONGEST_LABEL}}}?):\s+(?P<value>\S.*)")
_COLUMN = re.compile(r"^Column (?P<label>.{1,200}?) of .{1,200}? holds (?P<told>.+?); \d")
"""How `table_words.describe_column` begins."""
_ODD_CELL = re.compile(r"'(?P<label>.{1,200}?)' is read as .*?, such as (?P<told>.+?) in row \d")
"""How `typing_cells` quotes a cell, which quality reasons repeat."""
_WORD = re.compile(r"[^\s,;\"'<>()\[\]]+")


@dataclass(frozen=True, slots=True)
class Column:
    """A column as far as it was looked at: its name, its type, and some of its values."""

    table: str
    name: str
    type: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """A place in a text, and the detector that found it."""

    start: int
    end: int
    detector: str


@dataclass(frozen=True)
class Sense:
    """One detector."""

    stated: Detector

    @cached_property
    def columns(self) -> re.Pattern[str] | None:
        """What names of its columns are like."""
        named = "|".join(_entry(entry) for entry in self.stated.columns)
        return re.compile(named) if named else None

    @cached_property
    def near(self) -> re.Pattern[str] | None:
        """What stands near it."""
        return _nearby(self.stated.near)

    @cached_property
    def not_near(self) -> re.Pattern[str] | None:
        """What does not stand before it."""
        return _nearby(self.stated.not_near)

    @property
    def looks(self) -> bool:
        """Whether values say something to it."""
        return bool(self.stated.finds or self.stated.pattern)

    @cached_property
    def sure(self) -> bool:
        """Whether the values alone decide."""
        return self.looks and not (self.stated.columns or self.stated.near)

    def named(self, name: str) -> bool:
        """Whether a column of this name may be one."""
        return self.columns is not None and bool(self.columns.search(_words_of(name)))

    def spans(self, text: str) -> Iterator[Span]:
        """Where its pattern fits, whatever stands around it."""
        if self.stated.finds:
            yield from FINDERS[self.stated.finds].spans(text)
        elif self.stated.pattern:
            for word in _WORD.finditer(text):
                bare = word[0].rstrip(".:!?")
                if matches(self.stated.pattern, bare):
                    yield word.start(), word.start() + len(bare)

    @property
    def reads(self) -> bool:
        """Whether it tells anything in a text, where no name of a column stands beside it."""
        return self.near is not None or self.sure

    def in_context(self, text: str, folded: str) -> Iterator[Span]:
        """Where its pattern fits and the words around it do not speak against it."""
        if self._near_words and not any(word in folded for word in self._near_words):
            return  # a quick look, before the patterns take theirs
        for start, end in self.spans(text):
            before, after = text[max(0, start - NEAR) : start], text[end : end + NEAR]
            if self.not_near is not None and self.not_near.search(before):
                continue
            if self.near is None or self.near.search(before) or self.near.search(after):
                yield start, end

    @cached_property
    def _near_words(self) -> tuple[str, ...]:
        return tuple(word.casefold() for word in self.stated.near)

    def fits(self, values: Sequence[str], kind: str) -> bool:
        """Whether values of this type are what it looks for; none at all speak for it."""
        if self.stated.values != "any" and not _is_of(self.stated.values, kind):
            # one odd cell makes a text of a column of numbers, which it is all the same
            alike = sum(_type_of(value) == self.stated.values for value in values)
            if not alike or alike < self.stated.share * len(values):
                return False
        if not self.looks or not values:
            return True
        found = sum(any(True for _ in self.spans(value)) for value in values)
        return found >= self.stated.share * len(values)


@dataclass(frozen=True)
class Senses:
    """All detectors of a policy."""

    all: tuple[Sense, ...]

    @classmethod
    def of(cls, policy: DataPolicy) -> "Senses":
        """The detectors of a policy; each compiles its patterns when it first looks."""
        return cls(tuple(Sense(one) for one in policy.detect))

    @cached_property
    def classes(self) -> Mapping[str, str]:
        """The class of each detector."""
        return {sense.stated.name: sense.stated.data_class for sense in self.all}

    @cached_property
    def _reading(self) -> tuple[Sense, ...]:
        return tuple(sense for sense in self.all if sense.reads)

    @cached_property
    def _named(self) -> Callable[[str], tuple[Sense, ...]]:
        """Those that a name speaks for; the same labels come again in every row."""
        return lru_cache(maxsize=4096)(
            lambda name: tuple(sense for sense in self.all if sense.named(name))
        )

    @cached_property
    def _beside(self) -> Mapping[str, frozenset[str]]:
        return {sense.stated.name: frozenset(sense.stated.beside) for sense in self.all}

    def columns(self, table: Sequence[Column]) -> dict[str, tuple[str, ...]]:
        """The detectors that tell each column of one table; without those that none tells."""
        told: dict[str, list[str]] = {}
        for column in table:
            for sense in self.all:
                if not sense.stated.beside and _is_column(sense, column):
                    told.setdefault(column.name, []).append(sense.stated.name)
        found = {name for names in told.values() for name in names}
        for column in table:
            for sense in self.all:
                if found & set(sense.stated.beside) and _is_column(sense, column):
                    told.setdefault(column.name, []).append(sense.stated.name)
        return {name: tuple(detectors) for name, detectors in told.items()}

    def hits(self, text: str) -> list[Hit]:
        """What a text holds, by its patterns and by labels such as `birth date: 1970-01-01`."""
        found: list[Hit] = []
        for begin, piece in _pieces(text):
            folded = piece.casefold()
            hits = _outermost(
                Hit(begin + start, begin + end, sense.stated.name)
                for sense in self._reading
                for start, end in sense.in_context(piece, folded)
            )
            found += hits
            found += self._labelled(piece, begin, {hit.detector for hit in hits})
        return found

    def likely(self, text: str) -> list[Hit]:
        """The same for words that were taken from what they stood beside: all that fits is one."""
        return [
            Hit(begin + start, begin + end, sense.stated.name)
            for begin, piece in _pieces(text)
            for sense in self.all
            for start, end in sense.spans(piece)
        ]

    def _labelled(self, piece: str, begin: int, beside: set[str]) -> list[Hit]:
        labels = list(_labels(piece))
        plain: list[Hit] = []
        needy: list[Hit] = []
        for label in labels:
            value = piece[label.start : label.end]
            kind = "" if label.of is LabelOf.ROW else _type_of(value)
            told = label.of is LabelOf.COLUMN
            for sense in self._named(label.text):
                if told or sense.fits((value,), kind):
                    hit = Hit(begin + label.start, begin + label.end, sense.stated.name)
                    (needy if sense.stated.beside and not told else plain).append(hit)
        around = beside | {hit.detector for hit in plain}
        return plain + [hit for hit in needy if around & self._beside[hit.detector]]


class LabelOf(Enum):
    """What a label is."""

    TEXT = auto()
    ROW = auto()
    """The name of a column beside one of its values; of which type the others are nobody knows."""
    COLUMN = auto()
    """The name of a column in a sentence that tells values of it."""


@dataclass(frozen=True, slots=True)
class Label:
    """A label, and where its value stands."""

    text: str
    start: int
    end: int
    of: LabelOf


def _outermost(hits: Iterable[Hit]) -> list[Hit]:
    """Without those that lie inside of a longer one: an account number holds no phone number."""
    kept: list[Hit] = []
    for hit in sorted(hits, key=lambda one: (one.start, -one.end)):
        longer = kept and kept[-1].end >= hit.end and kept[-1] != hit
        if not (longer and (kept[-1].start, kept[-1].end) != (hit.start, hit.end)):
            kept.append(hit)
    return kept


def _is_column(sense: Sense, column: Column) -> bool:
    if sense.sure:
        return bool(column.values) and sense.fits(column.values, column.type)
    return sense.named(column.name) and sense.fits(column.values, column.type)


def _labels(piece: str) -> Iterator[Label]:
    if told := _COLUMN.match(piece):
        yield Label(told["label"], told.start("told"), told.end("told"), LabelOf.COLUMN)
        return
    for told in _ODD_CELL.finditer(piece) if "' is read as " in piece else ():
        yield Label(told["label"], told.start("told"), told.end("told"), LabelOf.COLUMN)
    if ":" not in piece:
        return
    of = LabelOf.TEXT
    for segment in _SEGMENT.finditer(piece):
        row = _ROW.match(segment[0])
        if row or segment.start() == 0 or piece[segment.start() - 1] == "\n":
            of = LabelOf.ROW if row else LabelOf.TEXT
        if match := _LABEL.match(segment[0], row.end() if row else 0):
            end = len(match["value"].rstrip(". \t\r"))
            begin = segment.start() + match.start("value")
            yield Label(match["label"].strip(), begin, begin + end, of)


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """A text in pieces of some thousand characters, cut at blanks, so that no pattern is slow."""
    start = 0
    while start < len(text):
        end = start + _PIECE
        if end < len(text):
            blank = max(text.find("\n", end, end + _STRETCH), text.find(" ", end, end + _STRETCH))
            end = blank if blank > 0 else end
        yield start, text[start:end]
        start = end


def _entry(entry: str) -> str:
    """`first name` also as `firstname` and `FirstName`; a star stands for the rest of a word.

    `=name` is a whole name, all others may have words before and after them.
    """
    words = " ?".join(re.escape(word) for word in _words_of(entry).split(" "))
    rest = r"\w*" if entry.endswith("*") else ""
    return rf"^{words}{rest}$" if entry.startswith("=") else rf"(?:^| ){words}{rest}(?: |$)"


def _words_of(name: str) -> str:
    """The words of a name, small and with one blank between them."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[^\W\d_])(?=\d)", " ", name)
    return " ".join(re.findall(r"[^\W_]+", apart)).casefold()


def _nearby(words: Iterable[str]) -> re.Pattern[str] | None:
    told = "|".join(re.escape(word) for word in words)
    return re.compile(rf"(?<!\w)(?:{told})(?!\w)", re.IGNORECASE) if told else None


_NUMBERS = frozenset({"integer", "number"})
_DATES = frozenset({"date", "datetime"})


def _is_of(wanted: str, kind: str) -> bool:
    """Whether a type of values is the one wanted; one that nobody knows may be."""
    match wanted:
        case _ if not kind:
            return True
        case "number":
            return kind in _NUMBERS
        case "date":
            return kind in _DATES
        case _:
            return kind not in _NUMBERS | _DATES


def _type_of(value: str) -> str:
    if re.fullmatch(r"[-+]?[\d., ]+(?:[€$£]|[A-Z]{3})?", value.strip()):
        return "number"
    return "date" if re.fullmatch(r"\d{4}-\d\d-\d\d(?:[ T].*)?", value.strip()) else "text"
