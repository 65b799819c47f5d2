"""A plan as a mermaid flowchart: milestones by phase, and what is handed over between them."""

from realms.journey.engine.binding import FromResult
from realms.journey.engine.plan import Node, Plan


def mermaid(plan: Plan) -> str:
    """The chart; each edge names the results that the later milestone takes from the earlier."""
    numbers = {path: f"m{index}" for index, path in enumerate(plan.nodes)}
    lines = ["flowchart TD"]
    phases = dict.fromkeys(node.phase for node in plan.nodes.values())
    for index, phase in enumerate(phases):
        nodes = [node for node in plan.nodes.values() if node.phase == phase]
        boxes = [f"{numbers[node.path]}[{_label(node)}]" for node in nodes]
        if phase:
            boxes = [f'subgraph p{index}["{phase}"]', *(f"  {box}" for box in boxes), "end"]
        lines += [f"  {box}" for box in boxes]
    for node in plan.nodes.values():
        for need in node.needs:
            handed = ", ".join(_handed(node, need))
            arrow = f'-- "{handed}" -->' if handed else "-->"
            lines.append(f"  {numbers[need]} {arrow} {numbers[node.path]}")
    return "\n".join(lines) + "\n"


def _label(node: Node) -> str:
    return f'"{node.path}<br/>{node.service}.{node.api}"'


def _handed(node: Node, need: str) -> list[str]:
    return [
        binding.source.field
        for binding in node.bindings
        if isinstance(binding.source, FromResult) and binding.source.path == need
    ]
