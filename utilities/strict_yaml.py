"""Strict YAML: text in, marked nodes out, and nothing that could surprise in between.

The events of PyYAML's C parser are put together here, so that none of YAML's generosity comes in:
no tags, no anchors, no merge keys, no second of two equal keys, one document, capped in size, depth
and count. Scalars stay text; `constant` reads one as YAML 1.2 (core schema) would.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from utilities.errors import ErrorKind, FieldError, PlatformError

MAX_BYTES = 256 * 1024
MAX_DEPTH = 32
MAX_NODES = 20_000
MAX_FAULTS = 100


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in a text; both count from one."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Text:
    """A scalar as it was written; `plain` when it stood without quotes.

    `exact` when every character of `text` stands in the file as it is, on one line.
    """

    mark: Mark
    text: str
    plain: bool
    exact: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    mark: Mark
    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A key and its value."""

    key: Text
    value: "Node"


@dataclass(frozen=True, slots=True)
class Entries:
    """A mapping, in the order written; no key stands twice."""

    mark: Mark
    entries: tuple[Entry, ...]

    def entry(self, name: str) -> Entry | None:
        return next((entry for entry in self.entries if entry.key.text == name), None)


Node = Text | Items | Entries


@dataclass(frozen=True, slots=True)
class YamlFault:
    """One thing that is wrong, and where."""

    mark: Mark
    problem: str


class UnreadableYaml(PlatformError):
    """The text is not YAML as the city reads it."""

    kind = ErrorKind.INVALID

    def __init__(self, faults: tuple[YamlFault, ...]) -> None:
        self.faults = faults
        super().__init__(
            "; ".join(f"{fault.mark} {fault.problem}" for fault in faults),
            errors=[FieldError(f"/{fault.mark}", fault.problem) for fault in faults],
        )


class NotWritten(PlatformError):
    """A value would become something else than what was written."""

    kind = ErrorKind.INVALID


def read_yaml(source: str | bytes) -> Node:
    """The one document of `source`.

    Raises:
        UnreadableYaml: with every fault found, each with its line and column.
    """
    text = _decoded(source)
    reader = _Reader(text)
    try:
        root = reader.document()
    except yaml.YAMLError as error:
        reader.faults.append(_explained(error, text))
        root = None
    if root is None or reader.faults:
        raise UnreadableYaml(tuple(sorted(reader.faults[:MAX_FAULTS], key=lambda f: f.mark)))
    return root


_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def is_null(node: Node) -> bool:
    """Whether nothing was written, or `null`."""
    return isinstance(node, Text) and node.plain and node.text in _NULL


def constant(node: Text) -> Any:
    """A scalar by YAML 1.2's core schema: `no` and `12:30:45` are text, `true` is a boolean.

    Raises:
        NotWritten: the number would not read back as it was written (`1.10`, `0777`, `1e3`), is
            beyond 64 bits, or is not finite.
    """
    text = node.text
    if not node.plain:
        return text
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _NOT_FINITE.fullmatch(text):
        raise NotWritten(f"{text} is no JSON number", hint="quote it to have it as text")
    if _INTEGER.fullmatch(text):
        return _as_written(text, int(text, 0) if text[:2] in {"0o", "0x"} else int(text[:40]))
    if _NUMBER.fullmatch(text):
        return _as_written(text, float(text))
    return text


def _as_written(text: str, number: float) -> float:
    if isinstance(number, int) and not -(2**63) <= number < 2**63:
        raise NotWritten("the number is beyond 64 bits", hint="quote it to have it as text")
    if number in {math.inf, -math.inf}:
        raise NotWritten(f"{text} is too large a number", hint="quote it to have it as text")
    if repr(number) != text:
        raise NotWritten(
            f"{text} would become {number!r}", hint=f'write {number!r}, or "{text}" to have text'
        )
    return number


@dataclass(slots=True)
class _Open:
    """A collection that has begun and not ended."""

    mark: Mark
    items: list[Node] = field(default_factory=list)
    keys: dict[str, Text] | None = None
    entries: list[Entry] = field(default_factory=list)
    key: Text | None = None


class _Reader:
    """Puts nodes together from parse events; never recurses."""

    def __init__(self, text: str) -> None:
        self.faults: list[YamlFault] = []
        self._events: Iterator[Any] = yaml.parse(text, Loader=yaml.CSafeLoader)
        self._open: list[_Open] = []
        self._count = 0

    def document(self) -> Node | None:
        root: Node | None = None
        for event in self._events:
            match event:
                case yaml.DocumentStartEvent() if root is not None:
                    self._fault(event, "a second document begins here; a file is one document")
                    return None
                case yaml.AliasEvent():
                    self._fault(event, f"*{event.anchor} is an alias; write the value itself")
                    return None
                case yaml.ScalarEvent() | yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                    if not self._allowed(event):
                        return None
                    root = self._begun(event) or root
                case yaml.SequenceEndEvent():
                    done = self._open.pop()
                    root = self._placed(Items(done.mark, tuple(done.items))) or root
                case yaml.MappingEndEvent():
                    done = self._open.pop()
                    root = self._placed(Entries(done.mark, tuple(done.entries))) or root
        if root is None or is_null(root):
            self.faults.append(YamlFault(Mark(1, 1), "the text is empty, or only comments"))
            return None
        return root

    def _allowed(self, event: Any) -> bool:
        """Whether a node may begin; a bomb ends the reading at once."""
        self._count += 1
        if event.anchor is not None:
            self._fault(event, f"&{event.anchor} is an anchor; write the value where it is used")
            return False
        if self._count > MAX_NODES:
            self._fault(event, f"there are more than {MAX_NODES:,} values")
            return False
        if event.tag is not None:
            self._fault(
                event, f"{_shown(event.tag)} is a tag; values are plain text, numbers, lists, maps"
            )
        return True

    def _begun(self, event: Any) -> Node | None:
        mark = _mark(event.start_mark)
        if isinstance(event, yaml.ScalarEvent):
            return self._placed(Text(mark, event.value, not event.style, _is_exact(event)))
        if len(self._open) >= MAX_DEPTH:
            self._fault(event, f"too_deep: more than {MAX_DEPTH} levels")
            raise UnreadableYaml(tuple(self.faults))
        parent = self._open[-1] if self._open else None
        if parent and parent.keys is not None and parent.key is None:
            self._fault(event, "a key must be a plain word, not a list or a map")
            raise UnreadableYaml(tuple(self.faults))
        keys: dict[str, Text] | None = {} if isinstance(event, yaml.MappingStartEvent) else None
        self._open.append(_Open(mark, keys=keys))
        return None

    def _placed(self, node: Node) -> Node | None:
        """Put a finished node where it belongs; the root is returned."""
        if not self._open:
            return node
        parent = self._open[-1]
        if parent.keys is None:
            parent.items.append(node)
        elif parent.key is None:
            self._keyed(parent, node)
        else:
            parent.entries.append(Entry(parent.key, node))
            parent.key = None
        return None

    def _keyed(self, parent: _Open, node: Node) -> None:
        assert isinstance(node, Text)
        assert parent.keys is not None
        if node.text == "<<" and node.plain:
            self.faults.append(YamlFault(node.mark, "<< is a merge key; write the keys themselves"))
        elif node.text in parent.keys:
            first = parent.keys[node.text].mark
            problem = f'the key "{node.text}" stands here a second time; the first is at {first}'
            self.faults.append(YamlFault(node.mark, problem))
        parent.keys.setdefault(node.text, node)
        parent.key = node

    def _fault(self, event: Any, problem: str) -> None:
        self.faults.append(YamlFault(_mark(event.start_mark), problem))


def _is_exact(event: Any) -> bool:
    quotes = 2 if event.style else 0
    length = event.end_mark.index - event.start_mark.index
    return event.style in {None, "'", '"', ""} and length == len(event.value) + quotes


def _shown(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!", 1)


def _mark(mark: Any) -> Mark:
    return Mark(mark.line + 1, mark.column + 1)


_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ufeff\ufffe\uffff]")


def _decoded(source: str | bytes) -> str:
    """The text of `source` without its byte order mark, once it is seen to be text."""
    if len(source) > MAX_BYTES:
        raise _refused(
            Mark(1, 1), f"the text is {len(source):,} long; {MAX_BYTES:,} bytes is the most"
        )
    data = source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source
    if len(data) > MAX_BYTES:
        raise _refused(Mark(1, 1), f"the text is {len(data):,} bytes; {MAX_BYTES:,} is the most")
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"} or b"\x00" in data:
        raise _refused(Mark(1, 1), "the text is UTF-16 or binary; save it as UTF-8")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        place = _place(data[: error.start].decode("utf-8"))
        raise _refused(place, "this is no UTF-8 text; save it as UTF-8") from error
    text = text.removeprefix("\ufeff")
    if found := _FORBIDDEN.search(text):
        code = f"U+{ord(found[0]):04X}"
        raise _refused(_place(text[: found.start()]), f"the control character {code} is not text")
    return text


def _place(before: str) -> Mark:
    """Where a text stands that `before` precedes."""
    lines = re.split(r"\r\n|\r|\n", before)
    return Mark(len(lines), len(lines[-1]) + 1)


def _refused(mark: Mark, problem: str) -> UnreadableYaml:
    return UnreadableYaml((YamlFault(mark, problem),))


def _explained(error: yaml.YAMLError, text: str) -> YamlFault:
    """The C parser's complaint in the words of someone who writes templates."""
    marked = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    mark = _mark(marked) if marked else Mark(1, 1)
    problem = getattr(error, "problem", None) or "is not YAML"
    lines = re.split(r"\r\n|\r|\n", text)
    line = lines[mark.line - 1] if mark.line <= len(lines) else ""
    at = line[mark.column - 1 : mark.column]
    if at == "\t" or "\t" in line[: len(line) - len(line.lstrip())]:
        tab = Mark(mark.line, line.index("\t") + 1)
        return YamlFault(tab, "a tab cannot indent YAML; use spaces")
    if "${" in line and "expected" in problem:
        problem += '; an expression stands in quotes: "${ ... }"'
    return YamlFault(mark, problem)
