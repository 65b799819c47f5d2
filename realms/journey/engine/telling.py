"""Facts as those who listen hear them."""

from realms.journey.engine.facts import Fact
from realms.journey.engine.hands import settled
from realms.journey.engine.state import RunState


def event(run: RunState, fact: Fact) -> dict[str, object]:
    """A fact as those who listen hear it, without the data it carries."""
    return {
        "kind": fact.kind,
        "run_id": run.run_id,
        "trace_id": run.start.trace_id,
        "tenant": run.start.tenant,
        "milestone_id": getattr(fact, "path", ""),
        "at": fact.at.isoformat(),
        "status": run.status.value,
        "reason": run.reason.value,
        "settled": settled(run),
    }
