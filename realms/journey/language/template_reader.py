"""Marked YAML into the models of the language: each word as its annotation says it is spelled."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from realms.journey.expressions.compiled import FaultyExpression
from realms.journey.expressions.values import template_parts
from realms.journey.language.template import MAX_FIELDS, ContractField
from realms.journey.language.words import (
    CLASS,
    FIELD,
    MAX_TEXT,
    NAME,
    REFERENCE,
    SHARE,
    TOPIC,
    FieldName,
    Spelling,
    in_snake_case,
    shown,
)
from realms.journey.plans.durations import BadDuration, parse_duration
from realms.journey.plans.schemas import JSON_TYPES, BadSchema, checked_schema
from utilities.marked_faults import Faults
from utilities.strict_yaml import (
    Entries,
    Entry,
    Items,
    Node,
    NotWritten,
    Text,
    constant,
    is_null,
)

Part = TypeVar("Part", bound=BaseModel)
_UNREAD: Any = object()
"""What stands for a value that could not be read; its fault is noted."""

_SAID_OF_LISTS = {
    "milestones": "must be a list of at least one milestone",
    "race": "must be a list of milestones",
    "needs": "must be a list of milestone ids, such as [read]",
    "finally": "must be a list of milestone ids, such as [tell]",
}
_SAID_OF_NOTHING = {
    "milestones": "must be a list of at least one milestone",
    "race": "is an empty race, which nothing could win",
    "needs": "is an empty join, which waits for nothing; name what it waits for, or leave it out",
}


class TemplateReader:
    """Reads one template; what is wrong is noted, and the rest is read on."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def part(self, model: type[Part], node: Node, path: str) -> Part:
        """A model of what stands at `path`; the words that were written are its `fields_set`."""
        self._faults.marks.setdefault(path, node.mark)
        words = _words(model)
        read: dict[str, Any] = {}
        for word, entry in self.entries(node, path, known=words).items():
            name, field = words[word]
            value = self._read(entry, _below(path, word), field.annotation, field.metadata)
            read[name] = field.get_default(call_default_factory=True) if _unread(value) else value
        if isinstance(node, Entries):
            for word in getattr(model, "REQUIRED", ()):
                if node.entry(word) is None:
                    self._faults.add(path, f'"{word}" is missing')
        return model.model_construct(_fields_set=set(read), **read)

    def entries(
        self, node: Node, path: str, *, known: Mapping[str, Any] | None = None
    ) -> Mapping[str, Entry]:
        """The entries of a map by key, those with unknown keys left out."""
        if not isinstance(node, Entries):
            self._faults.add(path, "must be a map of names to values")
            return {}
        found: dict[str, Entry] = {}
        for entry in node.entries:
            key = entry.key.text
            place = _below(path, key)
            if known is None or key in known:
                self._mark(place, entry.value)
                found[key] = entry
            else:
                self._faults.marks[place] = entry.key.mark
                problem = f'"{shown(key)}" is not known here'
                self._faults.add(place, problem, wrong=key, right=known)
        return found

    # by annotation

    def _read(self, entry: Entry, path: str, annotation: Any, metadata: Sequence[Any]) -> Any:
        node, annotation, metadata = entry.value, *_plain(annotation, metadata)
        spelling = next((m for m in metadata if isinstance(m, Spelling)), None)
        if spelling is Spelling.CONTRACT_FIELDS:
            self._faults.marks[path] = entry.key.mark
            return self._contract_fields(node, path)
        if spelling is not None:
            return self._spelled(spelling, node, path, metadata)
        if get_origin(annotation) in {Union, UnionType}:
            return self._one_of(entry, path, get_args(annotation))
        if get_origin(annotation) is tuple:
            return self._list(node, path, get_args(annotation)[0], metadata)
        if get_origin(annotation) is not None:  # a mapping
            return self._mapping(node, path, *get_args(annotation))
        if issubclass(annotation, BaseModel):
            return self.part(annotation, node, path)
        if issubclass(annotation, StrEnum):
            return self._choice(node, path, annotation)
        return self._number(node, path, annotation, metadata)

    def _one_of(self, entry: Entry, path: str, annotations: Sequence[Any]) -> Any:
        """A part, or a short form of it: text, or a list."""
        parts = [a for a in annotations if isinstance(a, type) and issubclass(a, BaseModel)]
        lists = [a for a in annotations if get_origin(a) is tuple]
        short = [a for a in annotations if a not in parts and a not in lists]
        match entry.value:
            case Items():
                order = [*lists, *parts, *short]
            case Text():
                order = [*short, *lists, *parts]
            case _:
                order = [*parts, *lists, *short]
        return self._read(entry, path, order[0], ())

    def _list(self, node: Node, path: str, inner: Any, metadata: Sequence[Any]) -> Any:
        word = path.rsplit(".", 1)[-1]
        if not isinstance(node, Items):
            self._faults.add(path, _SAID_OF_LISTS.get(word, "must be a list"))
            return _UNREAD
        most = _bound(metadata, "max_length", 1000)
        if len(node.items) > most:
            self._faults.add(path, f"has {len(node.items):,} {word}; {most:,} is the most")
            return _UNREAD
        if not node.items and _bound(metadata, "min_length", 0):
            self._faults.add(path, _SAID_OF_NOTHING.get(word, "is empty; leave it out, or fill it"))
            return _UNREAD
        found: list[Any] = []
        for index, item in enumerate(node.items):
            place = f"{path}[{index}]"
            self._mark(place, item)
            value = self._read(Entry(Text(item.mark, "", plain=True), item), place, inner, ())
            if _unread(value):
                continue
            if isinstance(value, str) and value in found:
                self._faults.add(place, f'names "{shown(value)}" twice')
            found.append(value)
        return tuple(found)

    def _mapping(self, node: Node, path: str, key: Any, inner: Any) -> Any:
        by_contract = path == "handoff_contracts"
        found: dict[str, Any] = {}
        for name, entry in self.entries(node, path).items():
            place = f"handoff {name}" if by_contract else _below(path, name)
            if by_contract:
                self._faults.marks[place] = entry.key.mark
            elif key is not str and not self._is_spelled(name, place, key):
                continue
            value = self._read(entry, place, inner, ())
            if not _unread(value):
                found[name] = value
        return found

    def _choice(self, node: Node, path: str, choices: type[StrEnum]) -> Any:
        word, known = self._text(node, path), [str(choice) for choice in choices]
        if word in known:
            return choices(word)
        if word is not _UNREAD:
            problem = f'"{shown(word)}" is none of {", ".join(known)}'
            self._faults.add(path, problem, wrong=word, right=known)
        return _UNREAD

    def _number(self, node: Node, path: str, kind: type, metadata: Sequence[Any]) -> Any:
        """A number in its range, or a boolean."""
        said = {bool: "true or false", int: "a whole number"}.get(kind, "a number")
        value = None if not isinstance(node, Text) or is_null(node) else self._constant(node, path)
        if _unread(value):
            return value
        is_kind = type(value) is kind or (kind is float and type(value) is int)
        if not is_kind:
            quoted = isinstance(node, Text) and not node.plain
            self._faults.add(path, f"must be {said}{', without quotes' if quoted else ''}")
            return _UNREAD
        if kind is not bool and not self._in_range(value, path, metadata):
            return _UNREAD
        return value

    def _in_range(self, value: Any, path: str, metadata: Sequence[Any]) -> bool:
        least, most = _bound(metadata, "ge", 0), _bound(metadata, "le", 0)
        if least <= value <= most:
            return True
        self._faults.add(path, f"is {value}; it must be from {least:,} to {most:,}")
        return False

    # by spelling

    def _spelled(self, spelling: Spelling, node: Node, path: str, metadata: Sequence[Any]) -> Any:
        match spelling:
            case Spelling.TEXT:
                return self._text(node, path, most=_bound(metadata, "max_length", MAX_TEXT))
            case (
                Spelling.NAME
                | Spelling.CLASS
                | Spelling.FIELD
                | Spelling.REFERENCE
                | Spelling.TOPIC
            ):
                text = self._text(node, path)
                return text if _unread(text) else self._named(text, path, spelling)
            case Spelling.DURATION:
                return self._duration(node, path)
            case Spelling.EXPRESSION:
                return self._expression(node, path)
            case Spelling.SCHEMA:
                return self._schema(node, path)
            case Spelling.SHARE:
                return self._share(node, path)
            case _:
                return self.value(node, path)

    def _text(self, node: Node, path: str, *, most: int = MAX_TEXT) -> Any:
        """Text as it was written: `no`, `1.10` and `0777` stay what they are."""
        if not isinstance(node, Text) or is_null(node):
            self._faults.add(path, "must be text")
            return _UNREAD
        if len(node.text) > most:
            self._faults.add(path, f"is {len(node.text):,} characters; {most:,} is the most")
            return _UNREAD
        return node.text

    def _named(self, name: str, path: str, spelling: Spelling) -> str:
        """Kept when badly spelled, so that what refers to it is not unknown as well."""
        if not name:
            self._faults.add(path, "is empty")
        elif spelling is Spelling.NAME and not NAME.fullmatch(name):
            right = in_snake_case(name)
            near = f'Did you mean "{right}"?' if NAME.fullmatch(right) else ""
            problem = f'"{shown(name)}" is not snake_case of at most 64 letters, digits and _'
            self._faults.add(path, problem, suggestion=near)
        elif spelling is Spelling.REFERENCE and not REFERENCE.fullmatch(name):
            problem = f'"{shown(name)}" is no journey: write its name, or name@version'
            self._faults.add(path, problem)
        elif spelling is Spelling.TOPIC and not TOPIC.fullmatch(name):
            problem = f'"{shown(name)}" is no topic: up to three words of a-z, 0-9, _, with dots'
            self._faults.add(path, problem)
        elif spelling is Spelling.CLASS and not CLASS.fullmatch(name):
            self._faults.add(path, f'"{shown(name)}" is no name of a class')
        elif spelling is Spelling.FIELD and not FIELD.fullmatch(name):
            self._faults.add(path, f'"{shown(name)}" is no name of a field')
        return name

    def _is_spelled(self, name: str, path: str, key: Any) -> bool:
        _, metadata = _plain(key, ())
        spelling = next(m for m in metadata if isinstance(m, Spelling))
        count = len(self._faults.found)
        self._named(name, path, spelling)
        return len(self._faults.found) == count

    def _duration(self, node: Node, path: str) -> timedelta | Any:
        text = self._text(node, path)
        if _unread(text):
            return _UNREAD
        try:
            return parse_duration(text)
        except BadDuration as error:
            problem = error.detail if "'" in error.detail else f"is {error.detail}"
            self._faults.add(path, problem, suggestion=_sentence(error.hint))
            return _UNREAD

    def _expression(self, node: Node, path: str) -> Any:
        text = self._text(node, path)
        if _unread(text):
            return _UNREAD
        try:
            parts = template_parts(text)
        except FaultyExpression as error:
            self._faults.add(
                path, error.problem, suggestion=_sentence(error.hint), column=error.column
            )
            return _UNREAD
        if len(parts) != 1 or not parts[0].is_expression:
            self._faults.add(path, 'must be one expression, such as "${input.size > 0}"')
            return _UNREAD
        return text

    def _share(self, node: Node, path: str) -> Any:
        text = self._text(node, path)
        if _unread(text):
            return _UNREAD
        if SHARE.fullmatch(text) or (text.isdecimal() and len(text) < 6 and int(text) <= 10_000):
            return text
        self._faults.add(path, "must be a count from 0 to 10,000 or a percentage, such as 2%")
        return _UNREAD

    def _schema(self, node: Node, path: str) -> Any:
        written = self.value(node, path)
        try:
            return checked_schema(written)
        except BadSchema as error:
            self._faults.add(path, error.detail, wrong=error.hint, right=JSON_TYPES)
            return {}

    def _contract_fields(self, node: Node, path: str) -> Any:
        """`file_id, storage_location`, or a map of names to types."""
        match node:
            case Entries():
                types = {
                    name: self._schema(entry.value, f"{path}.{name}")
                    for name, entry in self.entries(node, path).items()
                    if self._is_spelled(name, f"{path}.{name}", FieldName)
                }
                found = [ContractField(name=n, value_schema=schema) for n, schema in types.items()]
            case Text(text=text) if text.strip() and not is_null(node):
                names = [name.strip() for name in text.split(",")]
                for name in sorted({name for name in names[:1000] if names.count(name) > 1}):
                    self._faults.add(path, f'names "{shown(name)}" twice')
                unique = dict.fromkeys(names[:1000])
                found = [
                    ContractField(name=n) for n in unique if self._is_spelled(n, path, FieldName)
                ]
            case _:
                problem = "must be names with commas between, or a map of names to types"
                self._faults.add(path, problem)
                return _UNREAD
        if len(found) > MAX_FIELDS:
            self._faults.add(path, f"has {len(found):,} fields; {MAX_FIELDS} is the most")
            return _UNREAD
        return tuple(found)

    def value(self, node: Node, path: str) -> Any:
        """JSON as it is written; texts may hold expressions, which are not looked at here."""
        self._mark(path, node)
        match node:
            case Items():
                return [self.value(item, f"{path}[{i}]") for i, item in enumerate(node.items)]
            case Entries():
                return {
                    e.key.text: self.value(e.value, _below(path, e.key.text)) for e in node.entries
                }
            case Text(text=text) if "${" in text:
                return text
            case Text(text=text):
                found = self._constant(node, path)
                return text if _unread(found) else found

    def _constant(self, node: Text, path: str) -> Any:
        try:
            return constant(node)
        except NotWritten as error:
            self._faults.add(path, error.detail, suggestion=_sentence(error.hint))
            return _UNREAD

    def _mark(self, path: str, node: Node) -> None:
        self._faults.marks[path] = node.mark
        if isinstance(node, Text) and node.exact:
            self._faults.texts[path] = 0 if node.plain else 1


def _unread(value: Any) -> bool:
    return value is _UNREAD


def _plain(annotation: Any, metadata: Sequence[Any]) -> tuple[Any, Sequence[Any]]:
    """An annotation without its metadata and without `None`, which only says "not stated"."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation, *more = get_args(annotation)
            metadata = (*metadata, *_unfolded(more))
        elif get_origin(annotation) in {Union, UnionType} and NoneType in get_args(annotation):
            stated = [a for a in get_args(annotation) if a is not NoneType]
            if len(stated) > 1:
                return Union[tuple(stated)], metadata  # noqa: UP007 - built from a list
            annotation = stated[0]
        else:
            return annotation, metadata


def _unfolded(metadata: Sequence[Any]) -> list[Any]:
    return [part for m in metadata for part in (m.metadata if isinstance(m, FieldInfo) else [m])]


def _bound(metadata: Sequence[Any], name: str, default: int) -> int:
    """The last stated, which is the narrowest."""
    stated = [getattr(m, name) for m in metadata if hasattr(m, name)]
    return stated[-1] if stated else default


@cache
def _words(model: type[BaseModel]) -> Mapping[str, tuple[str, FieldInfo]]:
    return {field.alias or name: (name, field) for name, field in model.model_fields.items()}


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _sentence(hint: str) -> str:
    return f"{hint[:1].upper()}{hint[1:]}" if hint else ""
