"""Faults of a template: collected all at once, each with its place and the nearest right name."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from realms.journey.engine.yaml_reader import Mark
from utilities.errors import ErrorKind, FieldError, PlatformError
from utilities.suggest import did_you_mean


@dataclass(frozen=True, slots=True, order=True)
class TemplateFault:
    """One fault: where it is in the text and in the structure, what is wrong, what may be meant."""

    mark: Mark
    path: str
    problem: str
    suggestion: str = ""

    def __str__(self) -> str:
        return f"{self.path}  {self.sentence}".lstrip()

    @property
    def sentence(self) -> str:
        return f"{self.problem}. {self.suggestion}" if self.suggestion else self.problem

    def line(self, file: str) -> str:
        """One line: `file:line:column  path  what is wrong. Did you mean ...?`."""
        return f"{file}:{self.mark}  {self}"


class FaultyTemplate(PlatformError):
    """A journey template has faults."""

    kind = ErrorKind.INVALID

    def __init__(self, faults: Iterable[TemplateFault], *, file: str) -> None:
        self.file = file
        self.faults = tuple(sorted(set(faults)))
        super().__init__(
            "\n".join(fault.line(file) for fault in self.faults),
            hint=f"mend the {len(self.faults)} fault(s); `civitas journey lint` checks again",
            errors=[FieldError(_pointer(f), f"{f.mark}  {f.sentence}") for f in self.faults],
        )


@dataclass(slots=True)
class Faults:
    """Collects faults while a template is read, and knows where everything stands."""

    marks: dict[str, Mark] = field(default_factory=dict)
    found: list[TemplateFault] = field(default_factory=list)

    def add(
        self,
        place: str,
        problem: str,
        *,
        wrong: str = "",
        right: Iterable[str] = (),
        path: str = "",
        suggestion: str = "",
    ) -> None:
        """Note a fault at `place` (a path whose mark is known, or below one); `path` shows instead.

        With `wrong`, the nearest of `right` is suggested.
        """
        near = suggestion or (did_you_mean(wrong, right) if wrong else "")
        self.found.append(TemplateFault(self.mark(place), path or place, problem, near))

    def at(self, place: str) -> bool:
        """Whether there is a fault at `place` or below it."""
        return any(fault.path.startswith(place) for fault in self.found)

    def mark(self, place: str) -> Mark:
        """Where `place` stands; for something that is missing, what it is missing in."""
        while place not in self.marks and place:
            cut = max(place.rfind("."), place.rfind("["))
            place = place[: max(cut, 0)]
        return self.marks.get(place, Mark(1, 1))


def _pointer(fault: TemplateFault) -> str:
    """`milestones[1].api` as a JSON pointer, as near as the structure allows."""
    return "/" + fault.path.replace("handoff ", "handoff_contracts/").replace("[", "/").replace(
        "]", ""
    ).replace(".", "/")


Marks = Mapping[str, Mark]
