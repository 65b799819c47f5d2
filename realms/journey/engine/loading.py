"""From the text of a template to the template, with every fault of its form at once."""

import hashlib
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from realms.journey.engine.language import (
    MAX_MILESTONES,
    MILESTONE_LATER,
    RESERVED_IDS,
    TOP_LATER,
    ContractField,
    HandoffContract,
    JsonSchema,
    Milestone,
    Template,
)
from realms.journey.engine.schemas import BadSchema, checked_schema
from realms.journey.engine.template_faults import Faults
from realms.journey.engine.yaml_reader import (
    Entries,
    Entry,
    Items,
    Node,
    NotWritten,
    Text,
    UnreadableYaml,
    constant,
    is_null,
    read_yaml,
)

_TOP = ("journey_template", "version", "description", "input", "milestones", "handoff_contracts")
_MILESTONE = ("milestone_id", "phase", "service", "api", "with", "next_milestone", "description")
_CONTRACT = ("input", "output", "trace_id")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_MAX_TEXT = 4096


@dataclass(frozen=True, slots=True)
class Reading:
    """What could be read of a template; whole only when there are no faults."""

    template: Template
    text_hash: str
    faults: Faults


def text_hash(source: str | bytes) -> str:
    """The identity of a template's text."""
    data = source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source
    return hashlib.sha256(data).hexdigest()


def read_template(source: str | bytes) -> Reading:
    """Read a template: what is sound of it, and its faults of form.

    A check against the services adds its own to them.
    """
    faults = Faults()
    try:
        root = read_yaml(source)
    except UnreadableYaml as error:
        for fault in error.faults:
            faults.marks[f"yaml {fault.mark}"] = fault.mark
            faults.add(f"yaml {fault.mark}", fault.problem, path="yaml")
        return Reading(Template(journey_template="", milestones=()), text_hash(source), faults)
    return Reading(_Loader(faults).template(root), text_hash(source), faults)


class _Loader:
    """Walks the marked nodes; each method reads one kind of thing and notes what is wrong."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def template(self, root: Node) -> Template:
        faults = self._faults
        faults.marks[""] = root.mark
        top = self._map(root, "", known=_TOP, later=TOP_LATER)
        if "journey_template" not in top and isinstance(root, Entries):
            faults.add("", 'the template has no name: "journey_template" is missing')
        name = self._name(top.get("journey_template"), "journey_template")
        if "milestones" not in top and isinstance(root, Entries):
            faults.add("", 'a journey without milestones goes nowhere: "milestones" is missing')
        return Template(
            journey_template=name,
            version=self._text(top.get("version"), "version", most=64),
            description=self._text(top.get("description"), "description"),
            inputs=self._inputs(top["input"]) if "input" in top else None,
            milestones=tuple(self._milestones(top.get("milestones"))),
            handoff_contracts=dict(self._contracts(top.get("handoff_contracts"))),
        )

    # parts

    def _milestones(self, entry: Entry | None) -> Iterator[Milestone]:
        if entry is None:
            return
        if not isinstance(entry.value, Items) or not entry.value.items:
            self._faults.add("milestones", "must be a list of at least one milestone")
            return
        if len(entry.value.items) > MAX_MILESTONES:
            count = len(entry.value.items)
            self._faults.add(
                "milestones", f"has {count:,} milestones; {MAX_MILESTONES} is the most"
            )
            return
        seen: dict[str, tuple[str, str]] = {}
        for index, node in enumerate(entry.value.items):
            path = f"milestones[{index}]"
            milestone = self._milestone(node, path)
            self._check_unique(milestone.milestone_id, path, seen)
            yield milestone

    def _milestone(self, node: Node, path: str) -> Milestone:
        self._faults.marks[path] = node.mark
        parts = self._map(node, path, known=_MILESTONE, later=MILESTONE_LATER)
        other_work = {"journey", "agent", "ask", "wait", "wait_for", "emit", "race"} & self._keys(
            node
        )
        for word in ("milestone_id", "service", "api"):
            if isinstance(node, Entries) and word not in self._keys(node):
                if word != "milestone_id" and other_work:
                    continue
                self._faults.add(path, f'"{word}" is missing')
        milestone_id = self._name(parts.get("milestone_id"), f"{path}.milestone_id")
        if milestone_id in RESERVED_IDS:
            words = ", ".join(sorted(RESERVED_IDS))
            problem = f'"{milestone_id}" is reserved, as are {words}'
            self._faults.add(f"{path}.milestone_id", problem)
        follows = parts.get("next_milestone")
        return Milestone(
            milestone_id=milestone_id,
            service=self._text(parts.get("service"), f"{path}.service", most=128),
            api=self._text(parts.get("api"), f"{path}.api", most=128),
            phase=self._name(parts.get("phase"), f"{path}.phase"),
            description=self._text(parts.get("description"), f"{path}.description"),
            next_milestone=self._text(follows, f"{path}.next_milestone") if follows else None,
            constants=self._constants(parts.get("with"), f"{path}.with"),
        )

    def _constants(self, entry: Entry | None, path: str) -> dict[str, Any]:
        if entry is None:
            return {}
        values = self._map(entry.value, path)
        return {name: self._value(part.value, f"{path}.{name}") for name, part in values.items()}

    def _inputs(self, entry: Entry) -> dict[str, JsonSchema]:
        declared = self._map(entry.value, "input")
        return {
            name: self._schema(part.value, f"input.{name}")
            for name, part in declared.items()
            if self._is_field(name, f"input.{name}")
        }

    def _contracts(self, entry: Entry | None) -> Iterator[tuple[str, HandoffContract]]:
        if entry is None:
            return
        for name, part in self._map(entry.value, "handoff_contracts").items():
            path = f"handoff {name}"
            self._faults.marks[path] = part.key.mark
            sides = self._map(part.value, path, known=_CONTRACT)
            yield (
                name,
                HandoffContract(
                    input=self._fields(sides.get("input"), f"{path}.input"),
                    output=self._fields(sides.get("output"), f"{path}.output"),
                    trace_required=self._trace(sides.get("trace_id"), f"{path}.trace_id"),
                ),
            )

    def _fields(self, entry: Entry | None, path: str) -> tuple[ContractField, ...]:
        """`file_id, storage_location`, or a map of names to types."""
        if entry is None:
            return ()
        self._faults.marks[path] = entry.key.mark
        match entry.value:
            case Entries():
                return tuple(
                    ContractField(
                        name=name, value_schema=self._schema(part.value, f"{path}.{name}")
                    )
                    for name, part in self._map(entry.value, path).items()
                    if self._is_field(name, f"{path}.{name}")
                )
            case Text(text=text) if text.strip() and not is_null(entry.value):
                names = [name.strip() for name in text.split(",")]
                for name in sorted({name for name in names if names.count(name) > 1}):
                    self._faults.add(path, f'names "{name}" twice')
                return tuple(
                    ContractField(name=name)
                    for name in dict.fromkeys(names)
                    if self._is_field(name, path)
                )
            case _:
                problem = "must be names with commas between, or a map of names to types"
                self._faults.add(path, problem)
                return ()

    def _trace(self, entry: Entry | None, path: str) -> bool:
        if entry is None:
            return False
        word = self._text(entry, path)
        if word not in {"required", "optional"}:
            known = ("required", "optional")
            self._faults.add(path, f'"{word}" is not "required"', wrong=word, right=known)
        return word == "required"

    # scalars and maps

    def _map(
        self, node: Node, path: str, *, known: Collection[str] = (), later: Collection[str] = ()
    ) -> Mapping[str, Entry]:
        """The entries of a map by key, those with unknown keys left out."""
        if not isinstance(node, Entries):
            self._faults.add(path, "must be a map of names to values")
            return {}
        found: dict[str, Entry] = {}
        for entry in node.entries:
            key = entry.key.text
            place = f"{path}.{key}" if path else key
            self._faults.marks[place] = entry.value.mark
            if not known or key in known:
                found[key] = entry
                continue
            self._faults.marks[place] = entry.key.mark
            if key in later:
                self._faults.add(place, f'"{key}" is not supported by this version')
            else:
                right = [*known, *later]
                self._faults.add(place, f'"{key}" is not known here', wrong=key, right=right)
        return found

    @staticmethod
    def _keys(node: Node) -> set[str]:
        return {e.key.text for e in node.entries} if isinstance(node, Entries) else set()

    def _text(self, entry: Entry | None, path: str, *, most: int = _MAX_TEXT) -> str:
        """Text as it was written: `no`, `1.10` and `0777` stay what they are."""
        if entry is None:
            return ""
        if not isinstance(entry.value, Text) or is_null(entry.value):
            self._faults.add(path, "must be text")
            return ""
        if len(entry.value.text) > most:
            self._faults.add(path, f"is {len(entry.value.text):,} characters; {most:,} is the most")
            return ""
        return entry.value.text

    def _name(self, entry: Entry | None, path: str) -> str:
        name = self._text(entry, path)
        if name and not _NAME.fullmatch(name):
            right = _snake(name)
            near = f'Did you mean "{right}"?' if _NAME.fullmatch(right) else ""
            problem = f'"{_shown(name)}" is not snake_case of at most 64 letters, digits and _'
            self._faults.add(path, problem, suggestion=near)
        elif not name and entry is not None and not self._faults.at(path):
            self._faults.add(path, "is empty")
        return name

    def _is_field(self, name: str, path: str) -> bool:
        if _FIELD.fullmatch(name):
            return True
        self._faults.add(path, f'"{_shown(name)}" is no name of a field')
        return False

    def _check_unique(self, name: str, path: str, seen: dict[str, tuple[str, str]]) -> None:
        folded = unicodedata.normalize("NFC", name).casefold()
        if not name:
            return
        if folded not in seen:
            seen[folded] = (name, path)
            return
        first, where = seen[folded]
        mark = self._faults.mark(f"{where}.milestone_id")
        same = "is the id of" if first == name else f'differs only in case or form from "{first}",'
        problem = f'"{_shown(name)}" {same} {where} already, at {mark}'
        self._faults.add(f"{path}.milestone_id", problem)

    def _schema(self, node: Node, path: str) -> JsonSchema:
        written = self._value(node, path)
        try:
            return checked_schema(written)
        except BadSchema as error:
            self._faults.add(path, error.detail, wrong=error.hint, right=_TYPES)
            return {}

    def _value(self, node: Node, path: str) -> Any:
        """A constant as JSON; expressions are refused, and data is never evaluated."""
        self._faults.marks[path] = node.mark
        match node:
            case Items():
                return [self._value(item, f"{path}[{i}]") for i, item in enumerate(node.items)]
            case Entries():
                return {
                    e.key.text: self._value(e.value, f"{path}.{e.key.text}") for e in node.entries
                }
            case Text(text=text) if "${" in text:
                cut = text.count("{") > text.count("}")
                problem = "expressions (${ ... }) are not supported by this version"
                self._faults.add(path, f"{problem}; this one was cut, quote it" if cut else problem)
                return text
            case Text():
                try:
                    return constant(node)
                except NotWritten as error:
                    self._faults.add(path, error.detail, suggestion=_sentence(error.hint))
                    return node.text


_TYPES = ("string", "number", "integer", "boolean", "object", "array", "null")


def _snake(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", plain)
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")


def _shown(text: str) -> str:
    clean = "".join(c if c.isprintable() else "?" for c in text)
    return clean if len(clean) <= 64 else f"{clean[:61]}..."


def _sentence(hint: str) -> str:
    return f"{hint[:1].upper()}{hint[1:]}" if hint else ""
