"""What each call is given: by `with`, by name from the nearest earlier milestone, or the input."""

from collections.abc import Mapping
from typing import Any

from realms.journey.language.promises import Promises
from realms.journey.language.roads import Roads
from realms.journey.language.seeing import ExpressionCompiler, Sight
from realms.journey.language.words import NAME
from realms.journey.plans.binding import (
    FROM_CONTEXT,
    Binding,
    Computed,
    Constant,
    FromInput,
    FromResult,
    Secret,
)
from realms.journey.plans.contracts import Fits
from realms.journey.plans.plan import JsonSchema, ParameterShape, Signature
from realms.journey.plans.schemas import clash, types_of
from utilities.marked_faults import Faults

_TEXT = {"type": "string"}


class Feeder:
    """Binds the parameters of one template's calls; what cannot be fed is a fault."""

    def __init__(
        self,
        *,
        inputs: Mapping[str, JsonSchema],
        expressions: ExpressionCompiler,
        promises: Promises,
        faults: Faults,
    ) -> None:
        self._inputs = inputs
        self._expressions = expressions
        self._promises = promises
        self._faults = faults

    def stated(self, values: Mapping[str, Any], place: str, sight: Sight) -> list[Binding]:
        """What `with` gives to something that takes any names."""
        found: list[Binding] = []
        for name, value in values.items():
            where = f"{place}.with.{name}"
            if self._secret(value) is not None:
                self._faults.add(where, "a secret can be given to a service only")
            elif (binding := self._bound(name, value, where, sight, None)) is not None:
                found.append(binding)
        return found

    def stated_for(
        self, signature: Signature, values: Mapping[str, Any], place: str, sight: Sight
    ) -> list[Binding]:
        """What `with` gives to an API."""
        found: list[Binding] = []
        for name, value in values.items():
            where = f"{place}.with.{name}"
            if self._faults.at(where):
                continue
            shape = signature.parameters.get(name)
            if name in FROM_CONTEXT:
                self._faults.add(where, f'"{name}" comes from the call context and nowhere else')
            elif shape is None:
                problem = f'{signature.service}.{signature.api} has no parameter "{name}"'
                self._faults.add(where, problem, wrong=name, right=signature.parameters)
            elif (binding := self._bound(name, value, where, sight, shape)) is not None:
                found.append(binding)
        return found

    def by_name(
        self,
        signature: Signature,
        stated: Mapping[str, Any],
        place: str,
        roads: Roads,
        *,
        before: int,
        sure: int,
    ) -> list[Binding]:
        """What is fed by name: all that `with` does not state.

        `before` are the milestones that may feed it, of which those in `sure` have succeeded.
        """
        found: list[Binding] = []
        for name, shape in signature.parameters.items():
            if name in stated or name in FROM_CONTEXT:
                continue
            sources = roads.nearest(name, before)
            if len(sources) > 1:
                self._report_rivals(name, sources, place, roads)
            elif sources:
                found.append(
                    self._from_result(signature, name, shape, place, roads, sources[0], sure)
                )
            elif name in self._inputs:
                found.append(Binding(name, FromInput(name)))
                self._check(self._inputs[name], "the input", name, shape, signature, place)
            elif shape.required and not roads.unknown(before):
                self._report_unfed(signature, name, place, roads, before)
        return found

    def _from_result(
        self,
        signature: Signature,
        name: str,
        shape: ParameterShape,
        place: str,
        roads: Roads,
        source: int,
        sure: int,
    ) -> Binding:
        producer = roads.graph.order[source].id
        self._check(roads.works[source].feeds[name], producer, name, shape, signature, place)
        if not sure >> source & 1:
            problem = (
                f'parameter "{name}" of {signature.api} is fed by "{producer}", '
                "which may be skipped or have failed"
            )
            remedy = f"Say what then: with: {{{name}: \"${{skipped('{producer}') ? ...}}\"}}"
            self._faults.add(f"{place}.api", problem, suggestion=remedy)
        self._promises.field(producer, name)
        return Binding(name, FromResult(producer, name))

    def _bound(
        self, name: str, value: Any, where: str, sight: Sight, shape: ParameterShape | None
    ) -> Binding | None:
        schema = shape.schema if shape is not None else None
        if (secret := self._secret(value)) is not None:
            return self._bound_secret(name, secret, where, schema)
        if _nested_secret(value):
            problem = "a secret stands for a whole parameter, not within one"
            self._faults.add(where, problem)
            return None
        if not _has_expression(value):
            if schema is not None and (problem := Fits(schema).problem(value)):
                self._faults.add(where, f'does not fit parameter "{name}": {problem}')
            return Binding(name, Constant(value))
        wants = None if schema is None else types_of(schema)
        found = self._expressions.value(value, where, sight, wants=wants)
        if found is None:
            return None
        self._promises.read(found)
        given = found.schema or {"type": _kind(value)}
        if schema is not None and (problem := clash(given, schema)):
            self._faults.add(where, f'does not fit parameter "{name}": it {problem}')
        if found.is_constant:  # `$${` alone, which stands for `${`
            return Binding(name, Constant(found.value({})))
        return Binding(name, Computed(found))

    def _bound_secret(
        self, name: str, secret: Any, where: str, schema: JsonSchema | None
    ) -> Binding | None:
        if not isinstance(secret, str) or not NAME.fullmatch(secret):
            self._faults.add(where, "a secret is given by its name: {secret: api_token}")
            return None
        if schema is not None and (problem := clash(_TEXT, schema)):
            self._faults.add(where, f'does not fit parameter "{name}": a secret {problem}')
        return Binding(name, Secret(secret))

    @staticmethod
    def _secret(value: Any) -> Any:
        return value["secret"] if isinstance(value, dict) and set(value) == {"secret"} else None

    def _check(
        self,
        given: JsonSchema,
        whence: str,
        name: str,
        shape: ParameterShape,
        signature: Signature,
        place: str,
    ) -> None:
        if problem := clash(given, shape.schema):
            text = f'parameter "{name}" of {signature.api} cannot take what {whence} gives'
            self._faults.add(f"{place}.api", f"{text}: it {problem}")

    def _report_rivals(self, name: str, sources: list[int], place: str, roads: Roads) -> None:
        ids = [roads.graph.order[source].id for source in sources[:5]]
        problem = f'"{name}" is fed by {" and by ".join(ids)}, and no path orders them'
        remedy = f'Choose: with: {{{name}: "${{{ids[-1]}.{name}}}"}}'
        self._faults.add(f"{place}.api", problem, suggestion=remedy)

    def _report_unfed(
        self, signature: Signature, name: str, place: str, roads: Roads, before: int
    ) -> None:
        problem = (
            f'parameter "{name}" of {signature.api} is fed by no earlier milestone and no input'
        )
        right = sorted({*roads.offered(before), *self._inputs} - FROM_CONTEXT)
        self._faults.add(f"{place}.api", problem, wrong=name, right=right)


def _has_expression(value: Any) -> bool:
    match value:
        case str():
            return "${" in value
        case dict():
            return any("${" in key or _has_expression(part) for key, part in value.items())
        case list():
            return any(map(_has_expression, value))
    return False


def _nested_secret(value: Any) -> bool:
    match value:
        case dict():
            return any(
                (isinstance(part, dict) and set(part) == {"secret"}) or _nested_secret(part)
                for part in value.values()
            )
        case list():
            return any(
                (isinstance(part, dict) and set(part) == {"secret"}) or _nested_secret(part)
                for part in value
            )
    return False


def _kind(value: Any) -> str | list[str]:
    if isinstance(value, dict):
        return "object"
    return "array" if isinstance(value, list) else list(_ANY)


_ANY = ("string", "number", "boolean", "object", "array", "null")
