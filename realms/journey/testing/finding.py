"""Finds journeys and their tests: by name, by file, or all there are."""

import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from foundations.curator.registry import Registry
from foundations.public_works.settings import Settings
from realms.journey.engine.ports import Written
from realms.journey.language.compiling import load_plan
from realms.journey.plans.plan import Plan, SubJourney
from realms.journey.template_files import TESTS, TemplateFile, TemplateFiles
from realms.journey.testing.cases import Source, Suite, suite_of
from realms.journey.testing.mocks import MockedServices
from utilities.errors import ErrorKind, PlatformError
from utilities.suggest import did_you_mean

if TYPE_CHECKING:
    from foundations.experience.cities import CityFactory


class UnknownJourney(PlatformError):
    """There is no such journey, or no such file."""

    kind = ErrorKind.NOT_FOUND


class UnreadableTests(PlatformError):
    """A file of tests cannot be read."""

    kind = ErrorKind.CONFIGURATION


def standing(platform: "CityFactory") -> Registry:
    """What the services of the city say of themselves: it is booted on an empty folder, and left.

    Raises:
        PlatformError: it does not boot; every fault of every template is told.
    """

    async def booted() -> Registry:
        with tempfile.TemporaryDirectory(prefix="civitas-") as empty:
            async with platform(Settings.load(data_dir=Path(empty)), working=False) as city:
                return city.registry

    return asyncio.run(booted())


@dataclass(frozen=True, slots=True)
class Found:
    """A journey with its tests, and the journeys that its milestones begin."""

    suite: Suite
    below: tuple[Written, ...]


class JourneyTests:
    """The journeys of a city, and their tests."""

    def __init__(self, registry: Registry) -> None:
        self._services = MockedServices(registry=registry)
        self._files = registry.get(TemplateFiles)

    def paths(self) -> list[Path]:
        """The file of every journey, by name."""
        return [file.path for file in self._files.all()]

    def path(self, asked: str) -> Path:
        """The template that a name or a file means; a file of tests means the one it is beside.

        Raises:
            UnknownJourney: there is none.
        """
        path = Path(asked)
        if path.name.endswith(TESTS):
            path = path.with_name(path.name.removesuffix(TESTS) + ".yaml")
        if path.suffix in {".yaml", ".yml"}:
            if not path.is_file():
                raise UnknownJourney(f"there is no file {path}", hint="name a template's file")
            return path
        file = self._files.find(asked)
        if file is None:
            near = did_you_mean(asked, [known.name for known in self._files.all()])
            raise UnknownJourney(f'no journey is called "{asked}"', hint=near or "journey list")
        return file.path

    def read(self, path: Path, *, beside: Source | None = None) -> Found:
        """A journey, its tests, and what is below it; `beside` stands for the file of tests.

        Raises:
            FaultyTemplate, FaultyTests: with every fault.
            UnknownJourney, UnreadableTemplate, UnreadableTests: something is not there.
        """
        file = self._files.read(path)
        suite = suite_of(
            Source(file.shown, file.text),
            self._services,
            beside=beside or _beside(file),
            below=lambda plan: [written.plan for written in self._below(plan)],
        )
        return Found(suite, tuple(self._below(suite.plan)))

    def texts(self) -> dict[str, str]:
        """The text of every journey by name."""
        return {file.name: file.text for file in self._files.all()}

    def plan(self, text: str, *, file: str) -> Plan:
        """A text compiled against the services of today.

        Raises:
            FaultyTemplate: it does not fit them.
        """
        return load_plan(text, self._services, file=file)

    def _below(self, plan: Plan, seen: frozenset[str] = frozenset()) -> Iterator[Written]:
        """The journeys that milestones begin, each once, and those below them."""
        for node in plan.nodes.values():
            if not isinstance(node.work, SubJourney) or node.work.template in seen:
                continue
            name, version = node.work.template, node.work.version
            file = self._files.find(name)
            if file is None:
                raise UnknownJourney(f'{node.path} begins "{name}", which is not there')
            found = self.plan(file.text, file=file.shown)
            if version and found.version != version:
                raise UnknownJourney(
                    f'{node.path} begins {name}@{version}; there is "{found.version}"'
                )
            seen |= {name}
            yield Written(found, file.text)
            for written in self._below(found, seen):
                seen |= {written.plan.name}
                yield written


def _beside(file: TemplateFile) -> Source | None:
    path = file.path.with_name(file.path.stem + TESTS)
    try:
        text = path.read_text("utf-8") if path.is_file() else None
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableTests(f"{path} cannot be read as UTF-8 text") from error
    if text is None:
        return None
    folder = Path(file.shown).parent
    return Source(str(folder / path.name), text)
