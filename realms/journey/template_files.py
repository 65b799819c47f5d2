"""Journey templates in files, found by being there: beside the program, and in realms' folders."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import foundations
from foundations.curator.registry import Registry
from realms.journey.language.loading import read_template
from utilities.errors import ErrorKind, PlatformError
from utilities.strict_yaml import MAX_BYTES

TESTS = ".tests.yaml"
"""Beside `name.yaml` stand its tests, in `name.tests.yaml`."""

_TOP = Path(foundations.__file__).parents[1]


class UnreadableTemplate(PlatformError):
    """A template's file cannot be read."""

    kind = ErrorKind.CONFIGURATION


@dataclass(frozen=True, slots=True)
class TemplateFile:
    """A file that holds a template: where it is, what it is called, and its text."""

    path: Path
    name: str
    text: str

    @property
    def shown(self) -> str:
        """Its path from the top of the checkout or installation, where it is below."""
        return (
            str(self.path.relative_to(_TOP)) if self.path.is_relative_to(_TOP) else str(self.path)
        )


class TemplateFiles:
    """Reads each file again only when it has changed. Its methods block: call them in a thread."""

    def __init__(self, *, registry: Registry) -> None:
        self._registry = registry
        self._read: dict[Path, tuple[tuple[int, int], TemplateFile]] = {}
        self._names: frozenset[str] = frozenset()

    def holds(self, name: str) -> bool:
        """Whether a file held the template when all were looked at last; does not block."""
        return name in self._names

    def unchanged(self, file: TemplateFile) -> bool:
        """Whether a file is as it was read last; one look, quick enough for the event loop."""
        try:
            stat = os.stat(file.path)  # noqa: PTH116 - the same, at each start, for half the price
        except OSError:
            return False
        return self._read[file.path][0] == (stat.st_mtime_ns, stat.st_size)

    def all(self) -> list[TemplateFile]:
        """Every file with a name, by name; the boot report tells of the others."""
        found: dict[str, TemplateFile] = {}
        for path in self.paths():
            with suppress(UnreadableTemplate):
                file = self.read(path)
                found.setdefault(file.name, file)
        self._names = frozenset(found)
        return [found[name] for name in sorted(found) if name]

    def find(self, name: str) -> TemplateFile | None:
        """The file that holds the template called `name`."""
        return next((file for file in self.all() if file.name == name), None)

    def read(self, path: Path) -> TemplateFile:
        """A file as it is now.

        Raises:
            UnreadableTemplate: it is gone, closed to us, or no text.
        """
        try:
            stat = path.stat()
        except OSError as error:
            raise _unreadable(error) from error
        stamp = (stat.st_mtime_ns, stat.st_size)
        known = self._read.get(path)
        if known is None or known[0] != stamp:
            known = self._read[path] = (stamp, _read(path))
        return known[1]

    def paths(self) -> Iterator[Path]:
        """Template files of the program, then of each realm's folder, then of installed realms."""
        folders = [_TOP / "templates" / "journeys"]
        for root in import_module("realms").__path__:
            folders += sorted(Path(root).glob("*/journeys"))
        for entry in self._registry.parts():
            if entry.room.realm and (entry.room.folder / "journeys") not in folders:
                folders.append(entry.room.folder / "journeys")
        for folder in folders:
            found = sorted(folder.glob("*.yaml"))
            yield from (path for path in found if not path.name.endswith(TESTS))


def _read(path: Path) -> TemplateFile:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        text = data.decode("utf-8")
    except OSError as error:
        raise _unreadable(error) from error
    except UnicodeDecodeError as error:
        raise UnreadableTemplate("is no UTF-8 text", hint="save it as UTF-8") from error
    return TemplateFile(path, read_template(text).template.journey_template, text)


def _unreadable(error: OSError) -> UnreadableTemplate:
    return UnreadableTemplate(f"cannot be read: {error.strerror}", hint="mend the file")
