"""What each milestone does and what comes of it, looked up among the services."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from realms.journey.language.milestone import Ask
from realms.journey.language.ordering import Step
from realms.journey.plans.plan import JsonSchema, Signature, Signatures
from utilities.marked_faults import Faults

_TEXT: JsonSchema = {"type": "string"}
_EVENT_ID: Mapping[str, JsonSchema] = {"event_id": _TEXT}
_RACE_RESULT: Mapping[str, JsonSchema] = {"winner": _TEXT, "result": {"type": "object"}}


@dataclass(frozen=True, slots=True)
class Works:
    """A milestone's work: what it calls, if it calls, and what expressions see as its result."""

    signature: Signature | None = None
    output: Mapping[str, JsonSchema] = field(default_factory=dict)
    """The fields of what it gives (with `for_each`, for each item)."""
    result: JsonSchema | None = None
    """None where nothing is known of it."""
    feeds: Mapping[str, JsonSchema] = field(default_factory=dict)
    """The fields that bind parameters of later milestones by their name."""
    opaque: bool = False
    """Its service is not known, so neither is what it gives."""


class WorkLookup:
    """Finds what templates name among the services and agents; what is not there is a fault."""

    def __init__(self, signatures: Signatures, faults: Faults) -> None:
        self._signatures = signatures
        self._faults = faults
        self._services = frozenset(signatures.services())

    def works(self, step: Step) -> Works:
        """What a milestone does."""
        found = self._once(step)
        if step.written.for_each is None:
            return found
        each = found.result if found.result is not None else {}
        return Works(found.signature, found.output, {"type": "array", "items": each})

    def signature(self, service: str, api: str, place: str) -> Signature | None:
        """The API called at `place`, when it can be."""
        if not service or self._faults.at(f"{place}.service"):
            return None
        if service not in self._services:
            problem = f'no service is called "{service}"'
            right = sorted(self._services)
            self._faults.add(f"{place}.service", problem, wrong=service, right=right)
            return None
        apis = self._signatures.apis(service)
        if not api:
            if f"{place}.api" in self._faults.marks and not self._faults.at(f"{place}.api"):
                self._faults.add(f"{place}.api", "is empty")
            return None
        if api not in apis:
            problem = f'{service} has no API "{api}"'
            self._faults.add(f"{place}.api", problem, wrong=api, right=apis)
            return None
        signature = self._signatures.signature(service, api)
        if signature.effect is None:
            problem = f"{service}.{api} does not say what effect it has"
            remedy = "Declare it: @soa_api(effect=Effect...)"
            self._faults.add(f"{place}.api", problem, suggestion=remedy)
        return signature

    def _once(self, step: Step) -> Works:
        milestone, place = step.written, step.place
        if milestone.service:
            return self._called(milestone.service, milestone.api, place)
        if milestone.agent:
            self._check_agent(milestone.agent, f"{place}.agent")
        if milestone.agent or milestone.journey:
            return Works(result={"type": "object"})
        if milestone.ask is not None:
            return self._asked(milestone.ask, f"{place}.ask.form")
        if milestone.emit is not None:
            return Works(None, _EVENT_ID, _object(_EVENT_ID, required=_EVENT_ID), _EVENT_ID)
        if milestone.race is not None:
            return Works(None, _RACE_RESULT, _object(_RACE_RESULT, required=_RACE_RESULT))
        if milestone.wait is not None or milestone.wait_for is not None:
            return Works(result={"type": "object"})
        return Works(opaque=True)

    def _called(self, service: str, api: str, place: str) -> Works:
        signature = self.signature(service, api, place)
        if signature is None:
            return Works(opaque=True)
        output = signature.output
        return Works(signature, output, _object(output, required=output), output)

    def _check_agent(self, agent: str, place: str) -> None:
        agents = self._signatures.agents()
        if agent not in agents and not self._faults.at(place):
            problem = f'no agent is called "{agent}"'
            self._faults.add(place, problem, wrong=agent, right=sorted(agents))

    def _asked(self, ask: Ask, place: str) -> Works:
        form = ask.form
        if not form or self._faults.at(place):
            return Works(opaque=True)
        if form.get("type") != "object":
            self._faults.add(place, "must be a JSON Schema of type object")
            return Works(opaque=True)
        if "answered_by" in form.get("properties", {}):
            self._faults.add(place, '"answered_by" is filled in: it says who answered')
        properties = {n: _whole(part, form) for n, part in form.get("properties", {}).items()}
        required: Sequence[str] = form.get("required", ())
        if ask.quorum > 1:
            answer = _object(properties, required=required)
            many = {
                "answers": {"type": "array", "items": answer},
                "answered_by": {"type": "array", "items": _TEXT},
            }
            return Works(None, many, _object(many, required=many))
        output = {**properties, "answered_by": _TEXT}
        certain = {name: output[name] for name in [*required, "answered_by"] if name in output}
        return Works(None, output, _object(output, required=certain), certain)


def _object(properties: Mapping[str, JsonSchema], *, required: Sequence[str] | Any) -> JsonSchema:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


def _whole(part: Any, form: JsonSchema) -> JsonSchema:
    """A part of a form that keeps what its references point to."""
    if isinstance(part, Mapping) and "$defs" in form:
        return {**part, "$defs": form["$defs"]}
    return part if isinstance(part, Mapping) else {}
