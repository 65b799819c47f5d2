"""Finds rooms: folders of `smart_city/` and `realms/`, and packages with an entry point."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module, util
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from foundations.curator.entries import Room
from foundations.curator.verification import Fault, FaultKind

ENTRY_POINT_GROUP = "civitas.realms"


@dataclass(frozen=True, slots=True)
class FoundRoom:
    """A room and the folder its files stand in."""

    room: Room
    folder: Path

    def module(self, name: str) -> ModuleType | None:
        """Its module `name` (container, routes, commands), or None when it has none."""
        wanted = f"{self.room.package}.{name}"
        return import_module(wanted) if util.find_spec(wanted) else None


def roles() -> list[FoundRoom]:
    """The roles of the smart city, each a folder with a container."""
    return list(_folders("smart_city", realm="smart_city"))


def realms() -> tuple[list[FoundRoom], list[Fault]]:
    """The built-in realms, then those of installed packages; what cannot be used is a fault."""
    found = list(_folders("realms"))
    faults: list[Fault] = []
    for point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: point.name):
        spec = _spec(point.value)
        if spec is None:
            problem = f"names the package {point.value}, which cannot be imported"
            remedy = "install that package, or correct the entry point"
            faults.append(Fault(FaultKind.REALM, f"entry point {point.name}", problem, remedy))
        else:
            found.append(FoundRoom(Room(point.value, point.name), spec))
    return found, faults


def _folders(package: str, *, realm: str = "") -> Iterator[FoundRoom]:
    """The sub-packages that have a container, by name."""
    for root in import_module(package).__path__:
        for folder in sorted(Path(root).iterdir()):
            if (folder / "container.py").is_file():
                room = Room(f"{package}.{folder.name}", realm or folder.name)
                yield FoundRoom(room, folder)


def _spec(package: str) -> Path | None:
    """The folder of an importable package."""
    try:
        spec = util.find_spec(package)
    except ImportError:
        return None
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))
