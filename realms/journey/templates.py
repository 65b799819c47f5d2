"""Journey templates, found by being there: beside the program, and in every realm's folder."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import foundations
from foundations.curator.registry import Registry
from foundations.curator.verification import BootCheck, Fault, FaultKind
from foundations.public_works.threads import in_thread
from realms.journey.engine.compiling import load_plan
from realms.journey.engine.driver import TemplateSource, Written
from realms.journey.engine.loading import read_template, text_hash
from realms.journey.engine.plan import Plan
from realms.journey.engine.runner import Services
from realms.journey.engine.template_faults import FaultyTemplate
from realms.journey.engine.yaml_reader import MAX_BYTES
from utilities.errors import ErrorKind, PlatformError
from utilities.suggest import did_you_mean

_PLANS = 256
_TOP = Path(foundations.__file__).parents[1]


class UnknownTemplate(PlatformError):
    """There is no such journey template."""

    kind = ErrorKind.NOT_FOUND


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


class JourneyTemplates(TemplateSource, BootCheck):
    """Reads templates from files, compiles them against the services, and checks all at boot."""

    def __init__(self, *, services: Services, registry: Registry) -> None:
        self._services = services
        self._registry = registry
        self._plans: OrderedDict[str, Plan] = OrderedDict()
        self._read: dict[Path, tuple[tuple[int, int], TemplateFile]] = {}
        self._current_by_name: dict[str, tuple[TemplateFile, Written]] = {}

    async def current(self, name: str, version: str = "") -> Written:
        """The template called `name`, as its file is now; in `version`, if one is stated.

        Raises:
            UnknownTemplate: no file holds it, or not in this version.
            FaultyTemplate: it has faults.
        """
        written = self._unchanged(name)
        if written is None:
            written = await in_thread(self._current, name)
        if version and written.plan.version != version:
            raise UnknownTemplate(
                f'"{name}" is there in version "{written.plan.version}", not "{version}"',
                hint=f"ask for {name}@{written.plan.version}, or for {name}",
            )
        return written

    def _unchanged(self, name: str) -> Written | None:
        """The template as it was read last, if its file is still the same."""
        known = self._current_by_name.get(name)
        if known is None:
            return None
        file, written = known
        try:
            stat = file.path.stat()
        except OSError:
            return None
        return written if self._read[file.path][0] == (stat.st_mtime_ns, stat.st_size) else None

    async def compiled(self, text: str) -> Plan:
        """The plan of a text, compiled once.

        Raises:
            FaultyTemplate: it does not fit the services of today.
        """
        known = self._plans.get(text_hash(text))
        if known is not None:
            return known
        return await in_thread(self._compiled, text, "the text this run began with")

    async def files(self) -> list[TemplateFile]:
        """Every template by name."""
        return await in_thread(self._files)

    async def file(self, name: str) -> TemplateFile:
        """The file of the template called `name`.

        Raises:
            UnknownTemplate: no file holds it.
        """
        return await in_thread(self._named, name)

    async def lint(self, text: str, *, file: str) -> FaultyTemplate | None:
        """What is wrong with a text, as far as the running city can tell."""
        return await in_thread(self._faulty, text, file)

    def verify(self) -> Iterable[Fault]:
        """Every fault of every template."""
        seen: dict[str, str] = {}
        for path in self._paths():
            try:
                file = self._file(path)
            except UnreadableTemplate as error:
                yield Fault(FaultKind.TEMPLATE, str(path), error.detail, error.hint)
                continue
            if faulty := self._faulty(file.text, file.shown):
                yield from _boot_faults(faulty)
            elif file.name in seen:
                problem = f'is called "{file.name}", as is {seen[file.name]}'
                yield Fault(FaultKind.TEMPLATE, file.shown, problem, "give one another name")
            seen.setdefault(file.name, file.shown)

    def _faulty(self, text: str, file: str) -> FaultyTemplate | None:
        try:
            self._compiled(text, file)
        except FaultyTemplate as error:
            return error
        return None

    def _current(self, name: str) -> Written:
        file = self._named(name)
        written = Written(self._compiled(file.text, file.shown), file.text)
        self._current_by_name[name] = (file, written)
        return written

    def _named(self, name: str) -> TemplateFile:
        files = self._files()
        file = next((file for file in files if file.name == name), None)
        if file is None:
            near = did_you_mean(name, [file.name for file in files])
            hint = near or "GET /api/journey/templates lists all"
            raise UnknownTemplate(f'no journey template is called "{name}"', hint=hint)
        return file

    def _compiled(self, text: str, file: str) -> Plan:
        key = text_hash(text)
        plan = self._plans.get(key) or load_plan(text, self._services, file=file)
        self._plans[key] = plan
        while len(self._plans) > _PLANS:
            self._plans.popitem(last=False)
        return plan

    def _files(self) -> list[TemplateFile]:
        """Every file with a name; the boot report tells of the others."""
        found: dict[str, TemplateFile] = {}
        for path in self._paths():
            with suppress(UnreadableTemplate):
                file = self._file(path)
                found.setdefault(file.name, file)
        return [found[name] for name in sorted(found) if name]

    def _file(self, path: Path) -> TemplateFile:
        """A file, read again only when it has changed."""
        try:
            stat = path.stat()
        except OSError as error:
            raise _unreadable(error) from error
        stamp = (stat.st_mtime_ns, stat.st_size)
        known = self._read.get(path)
        if known is None or known[0] != stamp:
            known = self._read[path] = (stamp, _read(path))
        return known[1]

    def _paths(self) -> Iterator[Path]:
        """Template files of the program, then of each realm's folder, then of installed realms."""
        folders = [_TOP / "templates" / "journeys"]
        for root in import_module("realms").__path__:
            folders += sorted(Path(root).glob("*/journeys"))
        for entry in self._registry.parts():
            if entry.room.realm and (entry.room.folder / "journeys") not in folders:
                folders.append(entry.room.folder / "journeys")
        for folder in folders:
            yield from sorted(folder.glob("*.yaml"))


def _read(path: Path) -> TemplateFile:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        text = data.decode("utf-8")
    except OSError as error:
        raise UnreadableTemplate(
            f"cannot be read: {error.strerror}", hint="mend the file"
        ) from error
    except UnicodeDecodeError as error:
        raise UnreadableTemplate("is no UTF-8 text", hint="save it as UTF-8") from error
    return TemplateFile(path, read_template(text).template.journey_template, text)


def _unreadable(error: OSError) -> UnreadableTemplate:
    return UnreadableTemplate(f"cannot be read: {error.strerror}", hint="mend the file")


def _boot_faults(faulty: FaultyTemplate) -> Iterator[Fault]:
    for fault in faulty.faults:
        subject = f"{faulty.file}:{fault.mark}"
        remedy = fault.suggestion or "mend the template; `civitas journey lint` checks it again"
        yield Fault(FaultKind.TEMPLATE, subject, f"{fault.path}  {fault.problem}", remedy)
