"""Runs and templates for those outside: start, list, look at, lint, draw."""

from typing import Annotated, Any

from pydantic import Field

from foundations.declarations import Effect, service, soa_api
from realms.journey.api import JourneyRun, RunHistory, RunPage, RunStatus
from realms.journey.control import views
from realms.journey.control.engine import JourneyEngine
from realms.journey.control.history import history
from realms.journey.engine.journal import AliasTaken, Journal, RunFilter
from realms.journey.engine.records import StoredTemplate
from realms.journey.engine.schedules import PREFIX
from realms.journey.language.mermaid import mermaid
from realms.journey.language.template_faults import FaultyTemplate
from realms.journey.template_files import TemplateFile
from realms.journey.templates import JourneyTemplates, version_of
from utilities.context import current
from utilities.marked_faults import MarkedFault
from utilities.models import FrozenModel
from utilities.strict_yaml import MAX_BYTES

_OTHERS = {"data_mash_": "data mashes", PREFIX: "schedules"}
Limit = Annotated[int, Field(ge=1, le=200, description="how many at most")]
HistoryLimit = Annotated[int, Field(ge=1, le=1_000, description="how many at most")]
MOST_EVENTS = 1_000_000_000
"""Far more than a run can have: a number beyond it is a mistake."""
After = Annotated[int, Field(ge=0, le=MOST_EVENTS, description="`next_after` of the page before")]
Alias = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9._@:+-]{0,300}$",
        description="a second, unique id; empty for none; `data_mash_` and `schedule:` are kept",
    ),
]
Cursor = Annotated[str, Field(max_length=64, description="`next_cursor` of the page before")]


def refuse_kept(alias: str) -> None:
    """Let nobody take an alias that the city gives itself, or that no path can name.

    Raises:
        AliasTaken: it begins as those of the city do, or is a step in a path.
    """
    if alias in {".", ".."}:
        raise AliasTaken(f'"{alias}" is a step in a path', hint="choose another alias")
    for prefix, whose in _OTHERS.items():
        if alias.startswith(prefix):
            raise AliasTaken(
                f'aliases that begin with "{prefix}" are those of {whose}',
                hint="choose another alias",
            )


class FoundFault(FrozenModel):
    """One fault of a template."""

    line: int
    column: int
    path: str
    problem: str
    suggestion: str = ""
    text: str = Field(description="All of it in one line, as the command line shows it.")


class LintReport(FrozenModel):
    """Whether a template can be run, and if not, everything that is wrong with it."""

    sound: bool
    faults: tuple[FoundFault, ...] = ()


class TemplateSummary(FrozenModel):
    """A template by name; `sound` says whether it can be run."""

    name: str
    description: str = ""
    version: str = ""
    file: str = Field(description="The file that holds it; empty when it was stored over REST.")
    sound: bool
    milestones: tuple[str, ...] = ()


class TemplateList(FrozenModel):
    """Every template by name."""

    templates: tuple[TemplateSummary, ...]


class TemplateDetail(TemplateSummary):
    """A template with its text and what it takes."""

    text: str
    template_hash: str = ""
    input: dict[str, Any] = Field(default_factory=dict, description="JSON Schemas by name.")
    faults: tuple[FoundFault, ...] = ()


class TemplateGraph(FrozenModel):
    """A template drawn."""

    name: str
    mermaid: str


@service
class JourneyRunsService:
    """What is running, what has run, and what can be."""

    def __init__(
        self, *, engine: JourneyEngine, journal: Journal, templates: JourneyTemplates
    ) -> None:
        self._engine = engine
        self._journal = journal
        self._templates = templates

    @soa_api(public=True)
    async def list_runs(
        self,
        status: RunStatus | None = None,
        template: str = "",
        limit: Limit = 50,
        cursor: Cursor = "",
    ) -> RunPage:
        """Runs of the caller's tenant, newest first."""
        wanted = RunFilter(current().tenant, status=status, template=template)
        rows = await self._journal.page(wanted, before=cursor, limit=limit + 1)
        more = rows[limit - 1].run_id if len(rows) > limit else ""
        return RunPage(runs=tuple(map(views.summary, rows[:limit])), next_cursor=more)

    @soa_api(public=True)
    async def get_run(self, run_id: str) -> JourneyRun:
        """One run by id or alias, each milestone with its status, attempts, times and output.

        Raises:
            UnknownRun: there is none.
        """
        return await self._engine.get(run_id)

    @soa_api(public=True)
    async def get_run_history(
        self, run_id: str, after: After = 0, limit: HistoryLimit = 200
    ) -> RunHistory:
        """What happened to a run by id or alias, in order: all that its journal says.

        Raises:
            UnknownRun: there is none.
        """
        known = await self._engine.run_called(run_id)
        stored = (await self._journal.load([known]))[known]
        return history(known, stored.entries, after=after, limit=limit)

    @soa_api(public=True, effect=Effect.KEYED)
    async def start_run(
        self,
        template: str,
        input: dict[str, Any],  # noqa: A002 - the word of the journey language
        alias: Alias = "",
        rerun: bool = False,
    ) -> JourneyRun:
        """Accept a run of a template; it survives any crash from the moment this answers.

        Asked again with the same alias it gives the same run; without one, but inside a call that
        has an idempotency key, that key is the alias.

        Raises:
            UnknownTemplate, FaultyTemplate, InvalidInput, AliasTaken: it cannot be accepted.
        """
        refuse_kept(alias)
        key = current().idempotency_key
        return await self._engine.start(template, input, alias=alias or key, rerun=rerun)

    @soa_api(public=True)
    async def list_templates(self) -> TemplateList:
        """Every template, sound or not, as it is now."""
        found = await self._templates.all()
        return TemplateList(templates=tuple([await self._summary(one) for one in found]))

    @soa_api(public=True)
    async def get_template(self, name: str, version: str = "") -> TemplateDetail:
        """One template, as it is now or in a stated version: its text, what it takes, its faults.

        Raises:
            UnknownTemplate: there is none.
        """
        file = await self._templates.find(name, version)
        known = dict(await self._summary(file))
        try:
            plan = await self._templates.compiled(file.text)
        except FaultyTemplate as error:
            return TemplateDetail(**known, text=file.text, faults=_found(error, file.shown))
        inputs = {name: dict(schema) for name, schema in plan.inputs.items()}
        return TemplateDetail(**known, text=file.text, template_hash=plan.text_hash, input=inputs)

    @soa_api(public=True, effect=Effect.PURE)
    async def lint_template(
        self, text: Annotated[str, Field(max_length=4 * MAX_BYTES)], file: str = "template.yaml"
    ) -> LintReport:
        """Check a template's text against the city without running anything."""
        return lint_report(await self._templates.lint(text, file=file), file)

    @soa_api(public=True)
    async def get_template_graph(self, name: str) -> TemplateGraph:
        """A template as a mermaid flowchart.

        Raises:
            UnknownTemplate, FaultyTemplate: it cannot be drawn.
        """
        written = await self._templates.current(name)
        return TemplateGraph(name=name, mermaid=mermaid(written.plan))

    async def _summary(self, found: TemplateFile | StoredTemplate) -> TemplateSummary:
        file = found.shown if isinstance(found, TemplateFile) else ""
        try:
            plan = await self._templates.compiled(found.text)
        except FaultyTemplate:
            return TemplateSummary(name=found.name, file=file, sound=False)
        return TemplateSummary(
            name=plan.name,
            description=plan.description,
            version=version_of(plan),
            file=file,
            sound=True,
            milestones=tuple(plan.nodes),
        )


def lint_report(faulty: FaultyTemplate | None, file: str) -> LintReport:
    """What a check has found."""
    return LintReport(sound=faulty is None, faults=_found(faulty, file) if faulty else ())


def _found(faulty: FaultyTemplate, file: str) -> tuple[FoundFault, ...]:
    return tuple(_shown(fault, file) for fault in faulty.faults)


def _shown(fault: MarkedFault, file: str) -> FoundFault:
    return FoundFault(
        line=fault.mark.line,
        column=fault.mark.column,
        path=fault.path,
        problem=fault.problem,
        suggestion=fault.suggestion,
        text=fault.line(file),
    )
