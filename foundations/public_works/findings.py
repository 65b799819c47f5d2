"""What was found about the things a city stands on, each with what to do about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from utilities.errors import ErrorKind, PlatformError


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"
    """It keeps the city from booting."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about one part; `remedy` is what to do, where something is to be done."""

    about: str
    level: Level
    detail: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.about}: {self.detail}\n    remedy: {self.remedy}"


def ok(about: str, detail: str) -> Finding:
    """What is as it should be."""
    return Finding(about, Level.OK, detail)


def warning(about: str, detail: str, remedy: str) -> Finding:
    """What works and should not stay so."""
    return Finding(about, Level.WARNING, detail, remedy)


def fault(about: str, detail: str, remedy: str) -> Finding:
    """What keeps the city from booting."""
    return Finding(about, Level.FAULT, detail, remedy)


class InfrastructureUnfit(PlatformError):
    """What the city is told to stand on is missing or unfit."""

    kind = ErrorKind.CONFIGURATION

    def __init__(self, mode: str, findings: Iterable[Finding]) -> None:
        self.faults = tuple(found for found in findings if found.level is Level.FAULT)
        listed = "\n".join(f"  {found}" for found in self.faults)
        super().__init__(
            f"{len(self.faults)} fault(s) keep the city from booting, mode {mode}:\n{listed}",
            hint="mend each as its remedy says; `civitas city doctor` tells them beforehand",
        )
