"""From a template to its plan: everything is looked up, bound and checked once, here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from foundations.declarations import Effect
from realms.journey.engine.binding import (
    FROM_CONTEXT,
    Binding,
    Constant,
    FromInput,
    FromResult,
    Producer,
    nearest,
)
from realms.journey.engine.contracts import Check, Fits
from realms.journey.engine.language import ContractField, HandoffContract, Milestone, Template
from realms.journey.engine.loading import read_template
from realms.journey.engine.ordering import in_line
from realms.journey.engine.plan import (
    Call,
    JsonSchema,
    Node,
    ParameterShape,
    Plan,
    Signature,
    Signatures,
)
from realms.journey.engine.schemas import clash
from realms.journey.engine.template_faults import Faults, FaultyTemplate


def load_plan(source: str | bytes, signatures: Signatures, *, file: str) -> Plan:
    """Read a template and compile it against the services.

    Raises:
        FaultyTemplate: with every fault of form, order, services, binding and contracts at once.
    """
    reading = read_template(source)
    compiler = _Compiler(reading.template, signatures, reading.faults)
    nodes = compiler.nodes()
    if reading.faults.found:
        raise FaultyTemplate(reading.faults.found, file=file)
    template = reading.template
    return Plan(
        name=template.journey_template,
        version=template.version,
        text_hash=reading.text_hash,
        description=template.description,
        inputs=compiler.inputs,
        nodes={node.path: node for node in nodes},
        checks={name: Fits(schema) for name, schema in compiler.inputs.items()},
        roots=tuple(node.path for node in nodes if not node.needs),
        followers={
            node.path: tuple(n.path for n in nodes if node.path in n.needs) for node in nodes
        },
    )


@dataclass(slots=True)
class _Due:
    """Checks, and promised fields, found so far for one milestone."""

    on_entry: dict[tuple[str, str, str], Check] = field(default_factory=dict)
    on_done: dict[tuple[str, str, str], Check] = field(default_factory=dict)
    traced: list[str] = field(default_factory=list)
    promised: set[str] = field(default_factory=set)


class _Compiler:
    """Compiles one template; every method notes what does not fit and goes on."""

    def __init__(self, template: Template, signatures: Signatures, faults: Faults) -> None:
        self._template = template
        self._signatures = signatures
        self._faults = faults
        self._known = [self._look_up(i, m) for i, m in enumerate(template.milestones)]
        self._line = in_line(template.milestones, faults)
        self._due = {m.milestone_id: _Due() for m in template.milestones}
        self.inputs: Mapping[str, JsonSchema] = self._inputs()

    def nodes(self) -> list[Node]:
        bound = {i: self._bound(i) for i in range(len(self._template.milestones))}
        if self._template.milestones:
            for name, contract in self._template.handoff_contracts.items():
                self._contract(name, contract)
        if self._faults.found:
            return []
        return [
            self._node(index, bound[index], needs=self._line[max(at - 1, 0) : at])
            for at, index in enumerate(self._line)
        ]

    def _node(self, index: int, bindings: tuple[Binding, ...], *, needs: Sequence[int]) -> Node:
        milestone, signature = self._template.milestones[index], self._known[index]
        assert signature is not None
        assert signature.effect is not None
        due = self._due[milestone.milestone_id]
        return Node(
            path=milestone.milestone_id,
            work=Call(milestone.service, milestone.api, signature.effect, bindings),
            phase=milestone.phase,
            description=milestone.description,
            needs=tuple(self._template.milestones[i].milestone_id for i in needs),
            output=signature.output,
            on_entry=tuple(due.on_entry.values()),
            on_done=tuple(due.on_done.values()),
            trace_required_by=tuple(due.traced),
            promised=frozenset(due.promised),
        )

    # services

    def _look_up(self, index: int, milestone: Milestone) -> Signature | None:
        service, api, place = milestone.service, milestone.api, f"milestones[{index}]"
        if not service:
            return None
        services = self._signatures.services()
        if service not in services:
            problem = f'no service is called "{service}"'
            self._faults.add(f"{place}.service", problem, wrong=service, right=services)
            return None
        apis = self._signatures.apis(service)
        if not api:
            return None
        if api not in apis:
            problem = f'{service} has no API "{api}"'
            self._faults.add(f"{place}.api", problem, wrong=api, right=apis)
            return None
        signature = self._signatures.signature(service, api)
        match signature.effect:
            case None:
                problem = f"{service}.{api} does not say what effect it has"
                remedy = "Declare it: @soa_api(effect=Effect...)"
                self._faults.add(f"{place}.api", problem, suggestion=remedy)
            case Effect.TRANSACTIONAL:
                problem = f"{service}.{api} is transactional, which this version does not support"
                remedy = "Declare it keyed, and let it use the idempotency key"
                self._faults.add(f"{place}.api", problem, suggestion=remedy)
        return signature

    # binding

    def _inputs(self) -> Mapping[str, JsonSchema]:
        """What the template declares, else the required parameters of the first milestone."""
        if self._template.inputs is not None:
            return self._template.inputs
        if not self._known or self._known[0] is None:
            return {}
        constants = self._template.milestones[0].constants
        return {
            name: shape.schema
            for name, shape in self._known[0].parameters.items()
            if shape.required and name not in constants
        }

    def _earlier(self, index: int) -> list[Producer]:
        """The milestones before `index` on the line, as producers of their fields."""
        return [self._producer(i) for i in self._line[: self._line.index(index)]]

    def _producer(self, index: int) -> Producer:
        signature = self._known[index]
        path = self._template.milestones[index].milestone_id
        return Producer(path, signature.output if signature else {}, opaque=signature is None)

    def _bound(self, index: int) -> tuple[Binding, ...]:
        signature = self._known[index]
        if signature is None:
            return ()
        constants = self._constants(index, signature)
        found = [Binding(name, Constant(value)) for name, value in constants.items()]
        if index not in self._line:
            return tuple(found)
        earlier = self._earlier(index)
        for name, shape in signature.parameters.items():
            if name in constants:
                continue
            source = nearest(name, earlier=earlier, inputs=self.inputs)
            if source is not None:
                found.append(Binding(name, source))
                self._check_types(index, name, shape, source)
            elif shape.required and not any(producer.opaque for producer in earlier):
                self._report_unbound(index, name, earlier)
        return tuple(found)

    def _constants(self, index: int, signature: Signature) -> Mapping[str, Any]:
        constants = self._template.milestones[index].constants
        for name, value in constants.items():
            place = f"milestones[{index}].with.{name}"
            if self._faults.at(place):
                continue
            if name in FROM_CONTEXT:
                self._faults.add(place, f'"{name}" comes from the call context and nowhere else')
            elif name not in signature.parameters:
                problem = f'{signature.service}.{signature.api} has no parameter "{name}"'
                self._faults.add(place, problem, wrong=name, right=signature.parameters)
            elif problem := Fits(signature.parameters[name].schema).problem(value):
                self._faults.add(place, f'does not fit parameter "{name}": {problem}')
        return constants

    def _check_types(
        self, index: int, name: str, shape: ParameterShape, source: FromResult | FromInput
    ) -> None:
        if problem := clash(self._schema_of(source), shape.schema):
            api = self._template.milestones[index].api
            whence = source.path if isinstance(source, FromResult) else "the input"
            text = f'parameter "{name}" of {api} cannot take what {whence} gives: it {problem}'
            self._faults.add(f"milestones[{index}].api", text)
        if isinstance(source, FromResult):
            self._due[source.path].promised.add(source.field)

    def _schema_of(self, source: FromResult | FromInput) -> JsonSchema:
        if isinstance(source, FromInput):
            return self.inputs[source.name]
        index = [m.milestone_id for m in self._template.milestones].index(source.path)
        signature = self._known[index]
        assert signature is not None
        return signature.output[source.field]

    def _report_unbound(self, index: int, name: str, earlier: Sequence[Producer]) -> None:
        milestone = self._template.milestones[index]
        problem = (
            f'parameter "{name}" of {milestone.api} is fed by no earlier milestone and no input'
        )
        right = {field for producer in earlier for field in producer.fields} | set(self.inputs)
        place = f"milestones[{index}].api"
        self._faults.add(place, problem, wrong=name, right=sorted(right - FROM_CONTEXT))

    # contracts

    def _contract(self, name: str, contract: HandoffContract) -> None:
        pair = self._pair(name)
        if pair is None or not self._line:
            return
        ids = self._template.milestones
        crossings = [
            at
            for at in range(len(self._line) - 1)
            if (ids[self._line[at]].phase, ids[self._line[at + 1]].phase) == pair
        ]
        if not crossings:
            problem = f'no milestone of "{pair[0]}" is followed by one of "{pair[1]}"'
            self._faults.add(f"handoff {name}", problem)
        for at in crossings:
            self._crossing(name, contract, at)

    def _pair(self, name: str) -> tuple[str, str] | None:
        phases = list(dict.fromkeys(m.phase for m in self._template.milestones if m.phase))
        pairs = {f"{a}_to_{b}": (a, b) for a in phases for b in phases if a != b}
        if name not in pairs:
            problem = f'"{name}" names no two phases of this journey'
            self._faults.add(f"handoff {name}", problem, wrong=name, right=pairs)
        return pairs.get(name)

    def _crossing(self, name: str, contract: HandoffContract, at: int) -> None:
        """Place the checks of a contract on the edge between positions `at` and `at + 1`."""
        milestones = self._template.milestones
        entered = milestones[self._line[at + 1]]
        last = at + 1
        while (
            last + 1 < len(self._line) and milestones[self._line[last + 1]].phase == entered.phase
        ):
            last += 1
        if contract.trace_required:
            self._due[entered.milestone_id].traced.append(name)
        for side, fields, until in (
            ("input", contract.input, at),
            ("output", contract.output, last),
        ):
            producers = [self._producer(i) for i in self._line[: until + 1]]
            for wanted in fields:
                if wanted.name in FROM_CONTEXT:
                    continue
                source = nearest(wanted.name, earlier=producers, inputs=self.inputs)
                if source is not None:
                    self._place(name, side, wanted, source, entered)
                elif not any(producer.opaque for producer in producers):
                    self._report_unkept(name, side, wanted.name, at=at, last=last)

    def _place(
        self,
        name: str,
        side: str,
        wanted: ContractField,
        source: FromResult | FromInput,
        entered: Milestone,
    ) -> None:
        schema = wanted.value_schema
        if schema is not None and (problem := clash(self._schema_of(source), schema)):
            place = f"handoff {name}.{side}.{wanted.name}"
            text = f'"{wanted.name}" {problem}'
            self._faults.add(place, text, path=f"handoff {name}")
        producer = source.path if isinstance(source, FromResult) else ""
        fits = None if schema is None else Fits(schema)
        check = Check(name, side, wanted.name, producer, fits)
        if producer:
            self._due[producer].on_done[name, side, wanted.name] = check
            self._due[producer].promised.add(wanted.name)
        if side == "input" or not producer:
            self._due[entered.milestone_id].on_entry[name, side, wanted.name] = check

    def _report_unkept(self, name: str, side: str, wanted: str, *, at: int, last: int) -> None:
        milestones = self._template.milestones
        left, entered = milestones[self._line[at]], milestones[self._line[at + 1]]
        bound_by, to = (left, f"to {entered.milestone_id}")
        if side == "output":
            bound_by, to = milestones[self._line[last]], f"by {entered.phase}"
        index = milestones.index(bound_by)
        signature = self._known[index]
        assert signature is not None
        returns = ", ".join(signature.output) or "nothing"
        problem = f'"{wanted}" is promised {to}, but {bound_by.api} returns {returns}'
        self._faults.add(f"handoff {name}.{side}", problem, path=f"handoff {name}")
