"""A room: a package that joins the city, with its container, tables, routes and commands."""

from dataclasses import dataclass
from importlib import import_module, util
from pathlib import Path
from types import ModuleType


@dataclass(frozen=True, slots=True)
class Room:
    """A package and the realm under which its services are served."""

    package: str
    realm: str

    @property
    def name(self) -> str:
        """The package in one word, which names its tables' history."""
        return self.package.replace(".", "_")

    @property
    def folder(self) -> Path:
        """The folder its files stand in."""
        return Path(next(iter(import_module(self.package).__path__)))

    @property
    def migrations(self) -> Path | None:
        """The folder of its alembic revisions, or None when it keeps no tables."""
        folder = self.folder / "migrations"
        return folder if folder.is_dir() else None

    def module(self, name: str) -> ModuleType | None:
        """Its module `name`, such as `routes`, or None when it has none."""
        wanted = f"{self.package}.{name}"
        return import_module(wanted) if util.find_spec(wanted) else None
