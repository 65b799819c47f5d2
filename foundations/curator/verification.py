"""Every fault of the city at once, each with what to do about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from utilities.errors import ErrorKind, PlatformError


class FaultKind(StrEnum):
    """What can be wrong with the city as it is declared."""

    UNRESOLVED = "unresolved dependency"
    AMBIGUOUS = "ambiguous dependency"
    CIRCULAR = "circular dependency"
    DUPLICATE = "duplicate name"
    BAD_NAME = "bad name"
    UNTYPED = "untyped API"
    NO_EFFECT = "writing API without an effect"
    UNBUILDABLE = "unbuildable service"
    UNDEFINED = "protocol method left undefined"
    UNKNOWN_TOOL = "unknown tool"
    TEMPLATE = "template that does not fit"
    REALM = "unusable realm"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: on what, what is wrong, and what to do."""

    kind: FaultKind
    subject: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"[{self.kind}] {self.subject} {self.problem}\n    remedy: {self.remedy}"


class BootCheck(Protocol):
    """A service that has something of its own to check before the city says ready."""

    def verify(self) -> Iterable[Fault]: ...


class BootRefused(PlatformError):
    """The city does not fit together."""

    kind = ErrorKind.CONFIGURATION

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        listed = "\n".join(f"  {fault}" for fault in self.faults)
        super().__init__(
            f"{len(self.faults)} fault(s) found at boot:\n{listed}",
            hint="mend each as its remedy says; `civitas city verify` checks without serving",
        )


class RegistrationRefused(PlatformError):
    """A service cannot be registered."""

    kind = ErrorKind.INVALID

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__(
            "; ".join(f"{fault.subject} {fault.problem}" for fault in self.faults),
            hint=" ".join(fault.remedy for fault in self.faults),
        )
