"""Journey templates: those in files, which are read-only here, and those that tenants stored."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from foundations.curator.verification import BootCheck, Fault, FaultKind
from foundations.public_works.threads import in_thread
from realms.journey.engine.ports import TemplateSource, Written
from realms.journey.engine.records import StoredTemplate, TemplateRecords
from realms.journey.engine.runner import Services
from realms.journey.engine.schedules import InForce, ScheduledTemplates
from realms.journey.language.compiling import load_plan, unmet_faults
from realms.journey.language.contract_changes import Change, changes, shape_of
from realms.journey.language.loading import text_hash
from realms.journey.language.template_faults import FaultyTemplate
from realms.journey.plans.handing_down import begun_by, called
from realms.journey.plans.plan import Plan
from realms.journey.template_files import TemplateFile, TemplateFiles, UnreadableTemplate
from utilities.clock import Clock
from utilities.context import LOCAL_USER, current, current_or_none
from utilities.errors import ErrorKind, FieldError, PlatformError
from utilities.suggest import did_you_mean

Found = TemplateFile | StoredTemplate
_PLANS = 256
_RULES = ("schedule", "retention", "\\")
"""No template states a rule without one of these words, or an escape in their place."""


class UnknownTemplate(PlatformError):
    """There is no such journey template."""

    kind = ErrorKind.NOT_FOUND


class ReadOnlyTemplate(PlatformError):
    """A file holds the template, and files are changed where they are."""

    kind = ErrorKind.CONFLICT


class MisnamedTemplate(PlatformError):
    """The template has another name than it is stored under."""

    kind = ErrorKind.INVALID


class JourneyTemplates(TemplateSource, ScheduledTemplates, BootCheck):
    """Compiles templates against the services; those in files are checked at boot.

    A name belongs to a file first: what is stored under the name of a file is refused, and a file
    that comes later hides what was stored, which is still there in its stated versions. What a
    tenant stored is there for its own runs only.
    """

    def __init__(
        self, *, services: Services, files: TemplateFiles, records: TemplateRecords, clock: Clock
    ) -> None:
        self._services = services
        self._files = files
        self._records = records
        self._clock = clock
        self._plans: OrderedDict[str, Plan] = OrderedDict()
        self._filed: dict[str, tuple[TemplateFile, Written]] = {}
        self._stored: dict[tuple[str, str], tuple[int, Written]] = {}
        self._ruled: dict[str, Plan] = {}
        self._looking = asyncio.Lock()
        self._seen: set[str] = set()
        """Files that were looked at in this turn of the loop: a thousand starts look once."""

    # for runs

    async def current(self, name: str, version: str = "") -> Written:
        """The template called `name`, as its file is now, else as the caller's tenant stored it.

        The current one of several stored versions is the one put last. A template that states no
        version has its hash for one.

        Raises:
            UnknownTemplate: it is nowhere, or not in this version.
            FaultyTemplate: it has faults.
        """
        written = self._at_hand(name) or await self._looked_up(name)
        if not version or version == version_of(written.plan):
            return written
        return await self._in_version(name, version, written)

    async def compiled(self, text: str) -> Plan:
        """The plan of a text, compiled once.

        Raises:
            FaultyTemplate: it does not fit the services of today.
        """
        known = self._plans.get(text_hash(text))
        if known is not None:
            return known
        return await in_thread(self._compiled, text, "the text this run began with")

    # for people

    async def all(self) -> list[Found]:
        """Every template of the caller's tenant by name, each as it is now."""
        files = await in_thread(self._files.all)
        stored = await self._records.all_current(current().tenant)
        found: list[Found] = [*files]
        found += [one for one in stored if not self._files.holds(one.name)]
        return sorted(found, key=lambda one: one.name)

    async def find(self, name: str, version: str = "") -> Found:
        """One template, faulty or not, as it is now or in a stated version.

        Raises:
            UnknownTemplate: it is nowhere, or not in this version.
        """
        file = await in_thread(self._files.find, name)
        if file is not None and version in {"", *await self._versions_of(file)}:
            return file
        tenant = current().tenant
        stored = (
            await self._records.version(tenant, name, version)
            if version
            else await self._records.current(tenant, name)
        )
        if stored is None:
            raise await self._unknown(name, version)
        return stored

    async def versions(self, name: str) -> list[Found]:
        """Every version of a template that runs may begin with, the current one first.

        Raises:
            UnknownTemplate: there is none.
        """
        file = await in_thread(self._files.find, name)
        stored = await self._records.versions(current().tenant, name)
        found: list[Found] = [*([file] if file else []), *stored]
        if not found:
            raise await self._unknown(name)
        return found

    async def put(
        self, text: str, *, name: str = "", file: str = "template.yaml"
    ) -> tuple[StoredTemplate, bool]:
        """Store a version for the caller's tenant, the current one from now on; whether it is new.

        Raises:
            ReadOnlyTemplate: a file holds the template of this name.
            FaultyTemplate: it has faults; `file` is how they call it.
            MisnamedTemplate: it is to be stored as `name`, and is called otherwise.
            VersionTaken: this version was stored with another text.
        """
        await self._refuse_filed(name)
        plan = await in_thread(self._compiled, text, file)
        if faulty := await self._unmet(plan, text, file):
            raise faulty
        if name and plan.name != name:
            raise MisnamedTemplate(
                f'it is called "{plan.name}", not "{name}"',
                hint=f"store it under {plan.name}, or change its journey_template",
                errors=[FieldError("/journey_template", f'is not "{name}"')],
            )
        await self._refuse_filed(plan.name)
        user = current().user
        template = StoredTemplate(
            tenant=user.tenant,
            name=plan.name,
            version=version_of(plan),
            text_hash=plan.text_hash,
            text=text,
            put_at=self._clock.now(),
            put_by=user.principal,
        )
        stored, new = await self._records.put(template)
        self._keep(stored, plan)
        return stored, new

    async def lint(self, text: str, *, file: str) -> FaultyTemplate | None:
        """What is wrong with a text, as far as the running city can tell."""
        faulty = await in_thread(self._faulty, text, file)
        return faulty or await self._unmet(await self.compiled(text), text, file)

    async def changes(
        self, before: str, after: str, *, files: tuple[str, str]
    ) -> tuple[Change, ...]:
        """What changed between two texts for those who rely on the first.

        Raises:
            FaultyTemplate: one of them is no template; `files` is how they are called.
        """
        before_file, after_file = files
        return await in_thread(self._changes, before, after, before_file, after_file)

    # for schedules and boot

    async def in_force(self) -> Sequence[InForce]:
        """Templates that state a rule, those of files under the tenant of the local user."""
        files = await in_thread(self._files.all)
        stored = await self._records.current_that_say(_RULES)
        found: list[tuple[str, Found]] = [
            (LOCAL_USER.tenant, file) for file in files if any(word in file.text for word in _RULES)
        ]
        found += [(one.tenant, one) for one in stored if not self._files.holds(one.name)]
        return await in_thread(self._ruling, found)

    def verify(self) -> Iterable[Fault]:
        """Every fault of every template in a file."""
        seen: dict[str, str] = {}
        for path in self._files.paths():
            try:
                file = self._files.read(path)
            except UnreadableTemplate as error:
                yield Fault(FaultKind.TEMPLATE, str(path), error.detail, error.hint)
                continue
            if faulty := self._faulty(file.text, file.shown) or self._unmet_by_files(file):
                yield from _boot_faults(faulty)
            elif file.name in seen:
                problem = f'is called "{file.name}", as is {seen[file.name]}'
                yield Fault(FaultKind.TEMPLATE, file.shown, problem, "give one another name")
            seen.setdefault(file.name, file.shown)

    # inside

    def _at_hand(self, name: str) -> Written | None:
        """The template as it was read last, if it is the same: the quick way, at each start."""
        if filed := self._filed.get(name):
            file, written = filed
            if name in self._seen:
                return written
            if self._files.unchanged(file):
                asyncio.get_running_loop().call_soon(self._seen.discard, name)
                self._seen.add(name)
                return written
        if self._files.holds(name):
            return None
        stored = self._stored.get((_tenant(), name))
        return None if stored is None else stored[1]

    async def _looked_up(self, name: str) -> Written:
        """Read anew; of a thousand that ask for it at once, one does, and the others have it."""
        async with self._looking:
            if written := self._at_hand(name):
                return written
            if filed := await in_thread(self._read_file, name):
                return filed
            if stored := await self._records.current(_tenant(), name):
                plan = await in_thread(self._compiled, stored.text, stored.shown)
                return self._keep(stored, plan)
        raise await self._unknown(name)

    async def _in_version(self, name: str, version: str, now: Written) -> Written:
        stored = await self._records.version(_tenant(), name, version)
        if stored is None:
            raise UnknownTemplate(
                f'"{name}" is there in version "{version_of(now.plan)}", not "{version}"',
                hint=f"GET /api/journey/templates/{name}/versions lists all",
            )
        plan = await in_thread(self._compiled, stored.text, stored.shown)
        return Written(plan, stored.text, apart=True)

    def _keep(self, stored: StoredTemplate, plan: Plan) -> Written:
        """Have it at hand, unless a later one was put meanwhile."""
        key, written = (stored.tenant, stored.name), Written(plan, stored.text, apart=True)
        known = self._stored.get(key)
        if known is None or known[0] <= stored.number:
            self._stored[key] = (stored.number, written)
        return written

    def _read_file(self, name: str) -> Written | None:
        file = self._files.find(name)
        if file is None:
            return None
        written = Written(self._compiled(file.text, file.shown), file.text)
        self._filed[name] = (file, written)
        return written

    def _ruling(self, templates: Sequence[tuple[str, Found]]) -> list[InForce]:
        """Templates compiled; a plan is kept for the next look, beside those that runs go by."""
        found, plans = [], {}
        for tenant, template in templates:
            key = text_hash(template.text)
            try:
                plan = self._ruled.get(key) or self._compiled(template.text, template.shown)
            except FaultyTemplate:
                found.append(InForce(tenant, template.name, None))
            else:
                plans[key] = plan
                found.append(InForce(tenant, template.name, plan))
        self._ruled = plans
        return found

    async def _versions_of(self, file: TemplateFile) -> set[str]:
        """What a file's version may be called: its hash, unless it states one."""
        try:
            return {version_of(await self.compiled(file.text))}
        except FaultyTemplate:
            return {text_hash(file.text)}

    async def _unknown(self, name: str, version: str = "") -> UnknownTemplate:
        if version:
            return UnknownTemplate(
                f'no version "{version}" of "{name}" is there',
                hint=f"GET /api/journey/templates/{name}/versions lists all",
            )
        names = [file.name for file in await in_thread(self._files.all)]
        if _tenant():
            names += [one.name for one in await self._records.all_current(_tenant())]
        hint = did_you_mean(name, names) or "GET /api/journey/templates lists all"
        return UnknownTemplate(f'no journey template is called "{name}"', hint=hint)

    async def _refuse_filed(self, name: str) -> None:
        file = await in_thread(self._files.find, name) if name else None
        if file is not None:
            raise ReadOnlyTemplate(
                f'"{name}" is held by the file {file.shown}',
                hint="change the file, or store the template under another name",
            )

    def _changes(self, before: str, after: str, file: str, other: str) -> tuple[Change, ...]:
        was = shape_of(before, self._services, file=file)
        return changes(was, shape_of(after, self._services, file=other))

    async def _unmet(self, plan: Plan, text: str, file: str) -> FaultyTemplate | None:
        """What journeys within would not be given, as far as they are there and sound."""
        below = {}
        for work in begun_by(plan):
            with suppress(UnknownTemplate, FaultyTemplate):
                below[called(work)] = (await self.current(work.template, work.version)).plan
        return unmet_faults(plan, below, text, file=file)

    def _unmet_by_files(self, file: TemplateFile) -> FaultyTemplate | None:
        plan, below = self._compiled(file.text, file.shown), {}
        for work in begun_by(plan):
            found = self._files.find(work.template)
            if found is not None and not self._faulty(found.text, found.shown):
                known = self._compiled(found.text, found.shown)
                if work.version in {"", version_of(known)}:
                    below[called(work)] = known
        return unmet_faults(plan, below, file.text, file=file.shown)

    def _faulty(self, text: str, file: str) -> FaultyTemplate | None:
        try:
            self._compiled(text, file)
        except FaultyTemplate as error:
            return error
        return None

    def _compiled(self, text: str, file: str) -> Plan:
        key = text_hash(text)
        plan = self._plans.get(key) or load_plan(text, self._services, file=file)
        self._plans[key] = plan
        while len(self._plans) > _PLANS:
            self._plans.popitem(last=False)
        return plan


def version_of(plan: Plan) -> str:
    """The version that a template states, else its hash."""
    return plan.version or plan.text_hash


def _tenant() -> str:
    """Whose stored templates are meant; outside of any call nobody's."""
    context = current_or_none()
    return context.tenant if context is not None else ""


def _boot_faults(faulty: FaultyTemplate) -> Iterator[Fault]:
    for fault in faulty.faults:
        subject = f"{faulty.file}:{fault.mark}"
        remedy = fault.suggestion or "mend the template; `civitas journey lint` checks it again"
        yield Fault(FaultKind.TEMPLATE, subject, f"{fault.path}  {fault.problem}", remedy)
