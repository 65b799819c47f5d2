"""Strict YAML into a model, with every fault at once, each with its line and column."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from utilities.marked_faults import Faults
from utilities.strict_yaml import (
    Entries,
    Items,
    Node,
    NotWritten,
    UnreadableYaml,
    constant,
    read_yaml,
)

M = TypeVar("M", bound=BaseModel)
_SAID = {
    "string_type": "must be text; a number stands in quotes to be text",
    "int_type": "must be a whole number",
    "tuple_type": "must be a list, such as [one, two]",
    "dict_type": "must be a map",
    "model_type": "must be a map",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
}


def read_model(model: type[M], source: str | bytes) -> tuple[M | None, Faults]:
    """A model of what stands in `source`, or None where there are faults of form.

    Who checks more adds to the faults; their places are such as `classes.contact.may_see[0]`.
    """
    faults = Faults()
    try:
        root = read_yaml(source)
    except UnreadableYaml as error:
        for fault in error.faults:
            faults.marks[f"yaml {fault.mark}"] = fault.mark
            faults.add(f"yaml {fault.mark}", fault.problem, path="yaml")
        return None, faults
    written = _plain(root, "", faults)
    try:
        read = model.model_validate_json(json.dumps(written), strict=True)
    except ValidationError as error:
        names = sorted(set(_words(model)))
        for one in error.errors(include_url=False, include_input=False):
            _tell(one, names, faults)
        return None, faults
    return (None if faults.found else read), faults


def _plain(node: Node, place: str, faults: Faults) -> Any:
    """A node as JSON could say it; where each part stands is kept."""
    faults.marks[place] = node.mark
    match node:
        case Entries():
            told = {}
            for entry in node.entries:
                below = f"{place}.{entry.key.text}" if place else entry.key.text
                told[entry.key.text] = _plain(entry.value, below, faults)
                faults.marks[below] = entry.key.mark
            return told
        case Items():
            return [_plain(one, f"{place}[{at}]", faults) for at, one in enumerate(node.items)]
        case _:
            try:
                return constant(node)
            except NotWritten as error:
                faults.add(place, error.detail, suggestion=error.hint)
                return node.text


def _tell(one: ErrorDetails, names: Sequence[str], faults: Faults) -> None:
    place = _place(one["loc"])
    last = str(one["loc"][-1]) if one["loc"] else ""
    match one["type"]:
        case "missing":
            above = _place(one["loc"][:-1])
            faults.add(above, f'"{last}" is missing')
        case "extra_forbidden":
            faults.add(place, f'"{last}" is no word of this file', wrong=last, right=names)
        case kind:
            said = _SAID.get(kind) or one["msg"].removeprefix("Value error, ")
            faults.add(place, said)


def _place(location: Sequence[int | str]) -> str:
    place = ""
    for part in location:
        place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else part
    return place


def _words(model: type[BaseModel]) -> Iterator[str]:
    """Every word that a model and those inside of it know."""
    for name, field in model.model_fields.items():
        yield field.alias or name
        for part in (field.annotation, *_parts(field.annotation)):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from _words(part)


def _parts(annotation: Any) -> Iterator[Any]:
    for part in get_args(annotation):
        yield part
        yield from _parts(part)
