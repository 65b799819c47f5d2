"""Templates that are stored over REST, the language they are written in, and their schedules."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from foundations.declarations import Effect, service, soa_api
from realms.journey.engine.records import StoredTemplate
from realms.journey.engine.schedules import Planned, Schedules
from realms.journey.language.contract_changes import Impact
from realms.journey.language.loading import text_hash
from realms.journey.language.template import language_schema
from realms.journey.plans.plan import Overlap
from realms.journey.template_files import TemplateFile
from realms.journey.templates import JourneyTemplates, version_of
from utilities.context import current
from utilities.errors import PlatformError
from utilities.models import FrozenModel
from utilities.strict_yaml import MAX_BYTES


class TemplateVersion(FrozenModel):
    """One version that runs may begin with, as `name@version`."""

    name: str
    version: str = Field(description="As the template states it, else its hash.")
    template_hash: str
    current: bool = Field(description="Whether a run begins with it that asks for no version.")
    file: str = Field(default="", description="The file that holds it, if one does.")
    put_at: datetime | None = None
    put_by: str = ""


class PutTemplate(TemplateVersion):
    """A version as it was stored; `new` unless it was there already."""

    new: bool


class TemplateVersions(FrozenModel):
    """Every version of a template, the current one first."""

    name: str
    versions: tuple[TemplateVersion, ...]


class LanguageSchema(FrozenModel):
    """The JSON Schema of the journey language."""

    language: dict[str, Any]


class ScheduleSummary(FrozenModel):
    """When runs of a template begin by themselves."""

    template: str
    cron: str = ""
    every_seconds: float | None = None
    timezone: str
    overlap: Overlap
    catch_up_seconds: float | None = None
    next_at: datetime
    waiting: int = Field(description="Times that have come whose runs have yet to begin.")
    last_run: str = Field(default="", description="The alias of the run that began last.")


class ScheduleList(FrozenModel):
    """Every schedule, the next to ring first."""

    schedules: tuple[ScheduleSummary, ...]


class ContractChange(FrozenModel):
    """One difference between two versions of a template."""

    impact: Impact
    path: str
    problem: str


class ContractChanges(FrozenModel):
    """What changed for those who rely on a template, the breaking changes first."""

    breaking: bool = Field(description="Whether something that worked may work no more.")
    changes: tuple[ContractChange, ...] = ()


Text = Annotated[str, Field(max_length=4 * MAX_BYTES)]


@service
class JourneyTemplatesService:
    """What journeys may be: versions of templates, their language, their schedules."""

    def __init__(self, *, templates: JourneyTemplates, schedules: Schedules) -> None:
        self._templates = templates
        self._schedules = schedules

    @soa_api(public=True, effect=Effect.KEYED)
    async def put_template(
        self,
        text: Text,
        name: Annotated[str, Field(max_length=200)] = "",
        file: Annotated[str, Field(max_length=500)] = "",
    ) -> PutTemplate:
        """Store a version of a template, which is the current one from now on.

        Runs in progress keep the text they began with. Put again, a version becomes the current
        one again. A template that states no version has its hash for one.

        Raises:
            ReadOnlyTemplate: a file holds the template of this name.
            FaultyTemplate: it has faults; it lists them all.
            MisnamedTemplate: it is to be stored as `name`, and is called otherwise.
            VersionTaken: this version was stored with another text.
        """
        shown = file or f"{name or 'template'}.yaml"
        stored, new = await self._templates.put(text, name=name, file=shown)
        self._schedules.look_soon()
        return PutTemplate(**dict(_stored(stored, current_one=True)), new=new)

    @soa_api(public=True)
    async def list_versions(self, name: str) -> TemplateVersions:
        """The versions of one template that runs may begin with, the current one first.

        Raises:
            UnknownTemplate: there is none.
        """
        found = [
            await self._version(one, current_one=number == 0)
            for number, one in enumerate(await self._templates.versions(name))
        ]
        return TemplateVersions(name=name, versions=tuple(found))

    @soa_api(public=True, effect=Effect.PURE)
    async def compare_templates(
        self, before: Text, after: Text, before_file: str = "before", after_file: str = "after"
    ) -> ContractChanges:
        """What changed between two texts in contracts, inputs and outputs, and what that breaks.

        Raises:
            FaultyTemplate: one of them is no template.
        """
        found = await self._templates.changes(before, after, files=(before_file, after_file))
        listed = [ContractChange(impact=c.impact, path=c.path, problem=c.problem) for c in found]
        breaking = any(change.impact is Impact.BREAKING for change in listed)
        return ContractChanges(breaking=breaking, changes=tuple(listed))

    @soa_api(public=True)
    async def get_language_schema(self) -> LanguageSchema:
        """The JSON Schema of the journey language, for editors."""
        return LanguageSchema(language=language_schema())

    @soa_api(public=True)
    async def list_schedules(self) -> ScheduleList:
        """The schedules of the caller's tenant, the next to ring first."""
        planned = await self._schedules.planned(current().tenant)
        return ScheduleList(schedules=tuple(map(_schedule, planned)))

    async def _version(
        self, template: TemplateFile | StoredTemplate, *, current_one: bool
    ) -> TemplateVersion:
        if isinstance(template, StoredTemplate):
            return _stored(template, current_one=current_one)
        known = text_hash(template.text)
        try:
            version = version_of(await self._templates.compiled(template.text))
        except PlatformError:
            version = known
        return TemplateVersion(
            name=template.name,
            version=version,
            template_hash=known,
            current=current_one,
            file=template.shown,
        )


def _stored(template: StoredTemplate, *, current_one: bool) -> TemplateVersion:
    return TemplateVersion(
        name=template.name,
        version=template.version,
        template_hash=template.text_hash,
        current=current_one,
        put_at=template.put_at,
        put_by=template.put_by,
    )


def _schedule(planned: Planned) -> ScheduleSummary:
    schedule = planned.schedule
    every, back = schedule.every, schedule.catch_up
    return ScheduleSummary(
        template=planned.template,
        cron=schedule.cron,
        every_seconds=None if every is None else every.total_seconds(),
        timezone=schedule.timezone,
        overlap=schedule.overlap,
        catch_up_seconds=None if back is None else back.total_seconds(),
        next_at=planned.next_at,
        waiting=planned.waiting,
        last_run=planned.last,
    )
