"""Small services for journeys of any shape: one that makes things, and undoes them, by name."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from foundations.declarations import Effect
from realms.journey.api import JourneyRun, MilestoneRecord
from tests.support.journeys import OBJECT, TEXT, JourneyCity, signature
from utilities.errors import ErrorKind, PlatformError

NUMBER = {"type": "integer"}
MADE: dict[str, dict[str, Any]] = {
    "made": TEXT,
    "number": NUMBER,
    "ok": {"type": "boolean"},
    "things": {"type": "array", "items": NUMBER},
}
SOON = timedelta(minutes=20)


class Busy(PlatformError):
    """The service is busy."""

    kind = ErrorKind.UNAVAILABLE


class Unfit(PlatformError):
    """It cannot be made of this."""

    kind = ErrorKind.INVALID


class Workshop:
    """What `WorkService` does in a test, by the name of what it makes."""

    def __init__(self, city: JourneyCity, **journeys: str) -> None:
        self.city = city
        self.does: dict[str, Callable[[Mapping[str, Any]], Any]] = {}
        for found in (
            signature("WorkService.make", {"name": TEXT, "of": {}}, MADE, optional=["of"]),
            signature("WorkService.undo", {"name": TEXT}, {"undone": {"type": "boolean"}}),
            signature("WorkService.keep", {"name": TEXT}, MADE, effect=Effect.TRANSACTIONAL),
            signature("WorkService.send", {"name": TEXT}, MADE, effect=Effect.GUARDED),
            signature("WorkService.hold", {"name": TEXT, "whole": OBJECT}, {"kept": OBJECT}),
        ):
            city.services.known[found.service, found.api] = found
        for api in ("make", "undo", "keep", "send", "hold"):
            city.services.answers[api] = self._answered(api)
        for name, text in journeys.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        """Have a template of this name, from its milestones or in whole."""
        whole = text if "milestones:" in text else f"milestones:\n{text}"
        found = f"journey_template: {name}\n{whole}"
        self.city.texts[name] = self.city.templates.texts[name] = found

    def fails(self, name: str, error: Exception, *, times: int = 1_000_000) -> None:
        """Have the first calls for a name raise."""
        left = [times]

        def behave(arguments: Mapping[str, Any]) -> Any:
            left[0] -= 1
            if left[0] >= 0:
                raise error
            return made(arguments)

        self.does[name] = behave

    def gives(self, name: str, **output: Any) -> None:
        """Have the calls for a name answer this besides."""
        self.does[name] = lambda arguments: {**made(arguments), **output}

    async def run(
        self,
        name: str = "flow",
        values: Mapping[str, Any] | None = None,
        *,
        until: timedelta = SOON,
        **more: Any,
    ) -> JourneyRun:
        """A run of a template, as it stands when nothing moves any more."""
        accepted = await self.city.engine.start(name, values or {}, **more)
        return await self.settled(accepted.run_id, until=until)

    async def settled(self, run_id: str, *, until: timedelta = SOON) -> JourneyRun:
        """The run as it stands when nothing moves any more, by that long after the beginning."""
        await self.city.dispatch.settle(until=until)
        return await self.city.engine.get(run_id)

    @property
    def called(self) -> list[str]:
        """What was called, as `make a`, in order; `a` for `make`."""
        calls = [(call.api, call.arguments["name"]) for call in self.city.services.calls]
        return [name if api == "make" else f"{api} {name}" for api, name in calls]

    def _answered(self, api: str) -> Callable[[Mapping[str, Any]], Any]:
        def answer(arguments: Mapping[str, Any]) -> Any:
            name = arguments["name"] if api != "undo" else f"undo {arguments['name']}"
            if name in self.does:
                return self.does[name](arguments)
            return {"undone": True} if api == "undo" else made(arguments)

        return answer


def made(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {"made": arguments["name"], "number": 1, "ok": True, "things": [1, 2, 3]}


def step(name: str, more: str = "") -> str:
    """A milestone that has `WorkService` make something of its own name."""
    work = f"milestone_id: {name}, service: WorkService, api: make, with: {{name: {name}}}"
    return f"  - {{{work}{more and ', ' + more}}}\n"


def at(run: JourneyRun, milestone: str) -> MilestoneRecord:
    return next(m for m in run.milestones if m.milestone_id == milestone)


def standing(run: JourneyRun) -> dict[str, str]:
    """Where each milestone stands, with its reason."""
    return {
        m.milestone_id: f"{m.status} {m.reason}".strip()
        for m in run.milestones
        if "[" not in m.milestone_id and "~" not in m.milestone_id
    }
