"""A plan as a mermaid flowchart: milestones by phase, conditions, and what is handed over."""

from collections.abc import Iterable, Iterator

from realms.journey.plans.binding import Binding, Computed, FromResult
from realms.journey.plans.durations import shown
from realms.journey.plans.plan import (
    AgentWork,
    Ask,
    Call,
    Emit,
    Node,
    Plan,
    Race,
    SubJourney,
    Timer,
    WaitFor,
    Work,
)

_MOST = 60
"""Longer texts are cut in the drawing."""


def mermaid(plan: Plan) -> str:
    """The chart; each edge says under which condition, and which results the later one takes."""
    names = {path: f"m{number}" for number, path in enumerate(plan.nodes)}
    lines = ["flowchart TD"]
    phases = dict.fromkeys(node.phase for node in plan.nodes.values() if not node.branch_of)
    for number, phase in enumerate(phases):
        boxes = [
            line
            for node in plan.nodes.values()
            if node.phase == phase and not node.branch_of
            for line in _boxes(plan, node, names)
        ]
        if phase:
            boxes = [f'subgraph p{number}["{_safe(phase)}"]', *(f"  {b}" for b in boxes), "end"]
        lines += [f"  {box}" for box in boxes]
    lines += [f"  {edge}" for node in plan.nodes.values() for edge in _edges(plan, node, names)]
    return "\n".join(lines) + "\n"


def _boxes(plan: Plan, node: Node, names: dict[str, str]) -> Iterator[str]:
    yield _box(node, names[node.path])
    if isinstance(node.work, Race):
        yield f'subgraph {names[node.path]}r["race {node.path}: the first wins"]'
        for path in node.work.branches:
            yield f"  {_box(plan.nodes[path], names[path])}"
        yield "end"


def _box(node: Node, name: str) -> str:
    opening, closing = _SHAPES.get(type(node.work), ("[", "]"))
    label = "<br/>".join(_safe(part) for part in [node.path, _does(node.work), *_marks(node)])
    return f'{name}{opening}"{label}"{closing}'


_SHAPES: dict[type[Work], tuple[str, str]] = {
    Ask: ("[/", "/]"),
    Timer: ("([", "])"),
    WaitFor: ("([", "])"),
    Emit: (">", "]"),
    SubJourney: ("[[", "]]"),
    AgentWork: ("{{", "}}"),
    Race: ("((", "))"),
}


def _does(work: Work) -> str:
    match work:
        case Call():
            return f"{work.service}.{work.api}"
        case SubJourney():
            return f"journey {work.template}{'@' if work.version else ''}{work.version}"
        case AgentWork():
            return f"agent {work.agent}"
        case Ask():
            return f"ask {work.role}" if work.role else "ask"
        case Timer():
            return f"wait {shown(work.duration)}"
        case WaitFor():
            return f"wait for {work.signal}"
        case Emit():
            return f"emit {work.event}"
        case Race():
            return "race"


def _marks(node: Node) -> Iterator[str]:
    if node.condition is not None and not node.needs:
        yield f"if {node.condition.text}"
    if node.each is not None:
        yield f"for each {node.each.name} of {node.each.items.text}"
    if node.loop is not None:
        yield f"until {node.loop.until.text}, at most {node.loop.most} times"
    if node.compensate is not None:
        yield f"undone by {node.compensate.service}.{node.compensate.api}"


def _edges(plan: Plan, node: Node, names: dict[str, str]) -> Iterator[str]:
    arrow = "-.->" if node.path in plan.closing else "-->"
    for need in node.needs:
        said = [f"if {node.condition.text}"] if node.condition else []
        said += [", ".join(dict.fromkeys(_handed(node, need)))]
        label = "<br/>".join(_safe(part) for part in said if part)
        yield f"{names[need]} {_labelled(arrow, label)} {names[node.path]}"
    if isinstance(node.work, Race):
        for path in node.work.branches:
            yield f"{names[node.path]} -.- {names[path]}"


def _labelled(arrow: str, label: str) -> str:
    if not label:
        return arrow
    return f'-. "{label}" .->' if arrow == "-.->" else f'-- "{label}" -->'


def _handed(node: Node, need: str) -> Iterator[str]:
    for binding in _bindings(node.work):
        match binding.source:
            case FromResult(path, field) if path == need:
                yield field
            case Computed(value) if need in value.names:
                yield from sorted(value.fields.get(need, ())) or [need]


def _bindings(work: Work) -> Iterable[Binding]:
    return work.bindings if isinstance(work, Call | SubJourney | AgentWork | Emit) else ()


def _safe(text: str) -> str:
    """Text within quotes of mermaid, whose entities begin with #."""
    cut = text if len(text) <= _MOST else f"{text[: _MOST - 3]}..."
    for sign, name in (("#", "#35;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;")):
        cut = cut.replace(sign, name)
    return " ".join(cut.split())
