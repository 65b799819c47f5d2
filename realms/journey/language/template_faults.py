"""What is raised for a template with faults: all of them, in the form of one line each."""

from collections.abc import Iterable

from utilities.errors import ErrorKind, FieldError, PlatformError
from utilities.marked_faults import MarkedFault

_MOST_SHOWN = 500
"""So many faults are told at once; a template that has more is hardly one."""


class FaultyTemplate(PlatformError):
    """A journey template has faults."""

    kind = ErrorKind.INVALID

    def __init__(self, faults: Iterable[MarkedFault], *, file: str) -> None:
        self.file = file
        found = sorted(set(faults))
        self.faults = tuple(found[:_MOST_SHOWN])
        lines = [fault.line(file) for fault in self.faults]
        if len(found) > _MOST_SHOWN:
            lines.append(f"{file}  and {len(found) - _MOST_SHOWN:,} more")
        super().__init__(
            "\n".join(lines),
            hint=f"mend the {len(found):,} fault(s); `civitas journey lint` checks again",
            errors=[FieldError(_pointer(f), f"{f.mark}  {f.sentence}") for f in self.faults],
        )


def _pointer(fault: MarkedFault) -> str:
    """`milestones[1].api` as a JSON pointer, as near as the structure allows."""
    return "/" + fault.path.replace("handoff ", "handoff_contracts/").replace("[", "/").replace(
        "]", ""
    ).replace(".", "/")
