"""Finds rooms: folders of `smart_city/` and `realms/`, and packages with an entry point."""

from collections.abc import Iterator
from importlib import import_module, util
from importlib.metadata import entry_points
from pathlib import Path

from foundations.curator.verification import Fault, FaultKind
from foundations.rooms import Room

ENTRY_POINT_GROUP = "civitas.realms"


def roles() -> list[Room]:
    """The roles of the smart city, by name: each a folder with a container."""
    return list(_folders("smart_city", realm="smart_city"))


def realms() -> tuple[list[Room], list[Fault]]:
    """The realms beside this one's folder, then those of installed packages, by name.

    What an entry point names and cannot be imported is a fault.
    """
    found = list(_folders("realms"))
    faults: list[Fault] = []
    for point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: point.name):
        if _importable(point.value):
            found.append(Room(point.value, point.name))
        else:
            problem = f"names the package {point.value}, which cannot be imported"
            remedy = "install that package, or correct the entry point"
            faults.append(Fault(FaultKind.REALM, f"entry point {point.name}", problem, remedy))
    return found, faults


def _folders(package: str, *, realm: str = "") -> Iterator[Room]:
    for root in import_module(package).__path__:
        for folder in sorted(Path(root).iterdir()):
            if (folder / "container.py").is_file():
                yield Room(f"{package}.{folder.name}", realm or folder.name)


def _importable(package: str) -> bool:
    try:
        spec = util.find_spec(package)
    except ImportError:
        return False
    return spec is not None and spec.submodule_search_locations is not None
