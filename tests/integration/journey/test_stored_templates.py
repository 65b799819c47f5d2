"""Templates that tenants store beside those in files: versions, names, what runs begin with."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from foundations.curator.registry import Registry
from realms.journey.api import RunStatus
from realms.journey.control.engine import JourneyEngine
from realms.journey.engine.journal import VersionTaken
from realms.journey.language.template_faults import FaultyTemplate
from realms.journey.runs import JourneyRunsService
from realms.journey.template_versions import JourneyTemplatesService
from realms.journey.templates import (
    JourneyTemplates,
    MisnamedTemplate,
    ReadOnlyTemplate,
    UnknownTemplate,
)
from tests.integration.journey.test_services import place_templates
from tests.support.journey_rooms import open_realms
from tests.support.journeys import DATA_MASH, USER
from utilities.context import CallContext, UserContext, bound

pytestmark = pytest.mark.anyio

SOUTH = CallContext("trace", UserContext(tenant="south", principal="bea"))


def template(version: str = "", *, name: str = "upload", says: str = "") -> str:
    stated = f'version: "{version}"\n' if version else ""
    return (
        f"journey_template: {name}\n{stated}description: '{says}'\nmilestones:\n"
        "  - {milestone_id: stored, service: ContentStewardService, api: process_client_file}\n"
    )


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    async with open_realms(tmp_path) as opened:
        with bound(USER):
            yield opened


@pytest.fixture
def store(registry: Registry) -> JourneyTemplatesService:
    return registry.get(JourneyTemplatesService)


@pytest.fixture
def templates(registry: Registry) -> JourneyTemplates:
    return registry.get(JourneyTemplates)


@pytest.fixture
def engine(registry: Registry) -> JourneyEngine:
    return registry.get(JourneyEngine)


async def test_a_stored_template_is_run(
    store: JourneyTemplatesService, engine: JourneyEngine
) -> None:
    put = await store.put_template(template("1"), name="upload")

    accepted = await engine.start("upload", {"file_id": "f1"})
    run = await engine.wait(accepted.run_id, seconds=10)

    assert (put.name, put.version, put.new, put.put_by) == ("upload", "1", True, "ada")
    assert run.status is RunStatus.SUCCEEDED
    assert run.template_hash == put.template_hash


async def test_the_newest_version_is_run_unless_one_is_stated(
    store: JourneyTemplatesService, engine: JourneyEngine
) -> None:
    first = await store.put_template(template("1"))
    before = await engine.start("upload", {"file_id": "f1"})
    second = await store.put_template(template("2"))

    newest = await engine.start("upload", {"file_id": "f1"})
    stated = await engine.start("upload@1", {"file_id": "f1"})

    assert before.template_hash == first.template_hash
    assert newest.template_hash == second.template_hash
    assert stated.template_hash == first.template_hash
    listed = await store.list_versions("upload")
    assert [(one.version, one.current) for one in listed.versions] == [("2", True), ("1", False)]


async def test_a_version_is_never_stored_with_another_text(store: JourneyTemplatesService) -> None:
    await store.put_template(template("1"))

    with pytest.raises(VersionTaken) as caught:
        await store.put_template(template("1", says="other"))

    assert caught.value.hint == "raise its version"


async def test_a_template_without_a_version_has_its_hash_for_one(
    store: JourneyTemplatesService, engine: JourneyEngine
) -> None:
    first = await store.put_template(template(says="one"))
    second = await store.put_template(template(says="two"))

    run = await engine.start(f"upload@{first.version}", {"file_id": "f1"})

    assert first.version == first.template_hash
    assert run.template_hash == first.template_hash != second.template_hash


async def test_what_is_put_again_is_the_current_one_again(
    store: JourneyTemplatesService, templates: JourneyTemplates
) -> None:
    await store.put_template(template("1"))
    await store.put_template(template("2"))

    again = await store.put_template(template("1"))

    assert not again.new
    assert (await templates.current("upload")).plan.version == "1"
    assert [one.version for one in (await store.list_versions("upload")).versions] == ["1", "2"]


async def test_all_faults_are_told_at_once_and_nothing_is_stored(
    store: JourneyTemplatesService,
) -> None:
    faulty = template("1").replace("process_client_file", "process_client_fil") + "wrong: 1\n"

    with pytest.raises(FaultyTemplate) as caught:
        await store.put_template(faulty, name="upload")

    assert len(caught.value.faults) == 2
    assert "upload.yaml:5:" in caught.value.detail
    with pytest.raises(UnknownTemplate):
        await store.list_versions("upload")


async def test_the_name_of_a_file_is_refused_with_the_file(
    store: JourneyTemplatesService, registry: Registry
) -> None:
    for name in ("data_mash_flow", ""):
        with pytest.raises(ReadOnlyTemplate, match="templates/journeys/data_mash_journey_template"):
            await store.put_template(DATA_MASH, name=name)
    listed = await store.list_versions("data_mash_flow")
    assert [one.file for one in listed.versions] == [
        "templates/journeys/data_mash_journey_template.yaml"
    ]


async def test_a_template_is_stored_under_its_own_name_only(store: JourneyTemplatesService) -> None:
    with pytest.raises(MisnamedTemplate, match='it is called "upload", not "download"'):
        await store.put_template(template("1"), name="download")


async def test_tenants_have_templates_of_their_own(
    store: JourneyTemplatesService, engine: JourneyEngine, templates: JourneyTemplates
) -> None:
    mine = await store.put_template(template("1", says="north"))
    await engine.start("upload", {"file_id": "f1"})
    with bound(SOUTH):
        with pytest.raises(UnknownTemplate):
            await engine.start("upload", {"file_id": "f1"})
        theirs = await store.put_template(template("1", says="south"))
        run = await engine.start("upload@1", {"file_id": "f1"})

        assert run.template_hash == theirs.template_hash
        assert len((await store.list_versions("upload")).versions) == 1
    assert (await templates.current("upload", "1")).plan.text_hash == mine.template_hash


async def test_a_journey_within_a_journey_is_looked_for_among_the_tenants_own(
    store: JourneyTemplatesService, engine: JourneyEngine
) -> None:
    await store.put_template(template("1"))
    for name, below in (("middle", "upload"), ("outer", "middle")):
        await store.put_template(
            f"journey_template: {name}\ninput: {{file_id: string}}\nmilestones:\n"
            f"  - milestone_id: below\n    journey: {below}\n"
            '    with: {file_id: "${input.file_id}"}\n'
        )

    accepted = await engine.start("outer", {"file_id": "f1"})
    run = await engine.wait(accepted.run_id, seconds=10)

    assert run.status is RunStatus.SUCCEEDED, run


async def test_stored_templates_are_listed_and_shown_beside_files(
    store: JourneyTemplatesService, registry: Registry
) -> None:
    runs = registry.get(JourneyRunsService)
    await store.put_template(template("1", says="old"))
    await store.put_template(template("2", says="new"))

    listed = {one.name: one for one in (await runs.list_templates()).templates}
    old = await runs.get_template("upload", "1")

    assert (listed["upload"].version, listed["upload"].file) == ("2", "")
    assert listed["data_mash_flow"].file
    assert (old.description, old.text) == ("old", template("1", says="old"))
    with pytest.raises(UnknownTemplate, match='no version "3"'):
        await runs.get_template("upload", "3")


async def test_a_new_process_finds_what_was_stored(tmp_path: Path) -> None:
    with bound(USER):
        async with open_realms(tmp_path) as registry:
            await registry.get(JourneyTemplatesService).put_template(template("1"))
        async with open_realms(tmp_path) as registry:
            engine = registry.get(JourneyEngine)
            run = await engine.wait(
                (await engine.start("upload@1", {"file_id": "f1"})).run_id, seconds=10
            )

    assert run.status is RunStatus.SUCCEEDED


async def test_a_file_that_comes_later_goes_first_and_stated_versions_stay(
    store: JourneyTemplatesService,
    templates: JourneyTemplates,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await store.put_template(template("1", says="stored"))
    place_templates(monkeypatch, tmp_path / "top", upload=template("2", says="file"))
    await templates.all()

    assert (await templates.current("upload")).plan.description == "file"
    assert (await templates.current("upload", "1")).plan.description == "stored"


async def test_an_unchanged_template_is_at_hand_without_a_thread(
    store: JourneyTemplatesService, templates: JourneyTemplates
) -> None:
    await store.put_template(template("1"))
    for name in ("upload", "data_mash_flow"):
        await templates.current(name)
        begun = time.perf_counter()
        for _ in range(1_000):
            await templates.current(name)
        assert (time.perf_counter() - begun) / 1_000 < 30e-6


async def test_templates_that_state_rules_are_told_of_every_tenant(
    store: JourneyTemplatesService, templates: JourneyTemplates
) -> None:
    hourly = (
        'schedule: {every: 1h, input: {file_id: "f1"}}\n'
        "input: {file_id: {type: string, default: f}}\n"
    )
    await store.put_template(template("1"))
    await store.put_template(template("1", name="weekly") + "retention: {keep: P7D}\n")
    with bound(SOUTH):
        await store.put_template(template("1") + hourly)
        await store.put_template(template("2") + hourly.replace("schedule", '"sch\\u0065dule"'))

    found = {(one.tenant, one.name): one.plan for one in await templates.in_force()}

    assert set(found) == {("north", "weekly"), ("south", "upload")}
    south, north = found["south", "upload"], found["north", "weekly"]
    assert south is not None
    assert south.version == "2"
    assert south.schedule is not None
    assert north is not None
    assert north.retention is not None


PARENT = """\
journey_template: parent
milestones:
  - milestone_id: first
    race:
      - {milestone_id: one, journey: upload, with: {file: x}}
      - {milestone_id: two, wait: 1h}
  - {milestone_id: three, journey: upload, with: {file_id: 5}}
  - {milestone_id: four, journey: later, with: {anything: 1}}
"""
UNMET = """\
parent:5:52  milestones[0].race[0].with.file_id  upload needs "file_id". with: {file_id: "${...}"}
parent:5:59  milestones[0].race[0].with.file  upload takes no "file". Did you mean "file_id"?
parent:7:60  milestones[1].with.file_id  does not fit upload: it is not of type string
"""


async def test_what_a_journey_within_does_not_take_is_told_with_its_place(
    registry: Registry, store: JourneyTemplatesService
) -> None:
    await store.put_template(template("1"))

    with pytest.raises(FaultyTemplate) as refused:
        await store.put_template(PARENT, file="parent")
    linted = await registry.get(JourneyRunsService).lint_template(PARENT, file="parent")

    assert refused.value.detail == UNMET.rstrip()
    assert [fault.text for fault in linted.faults] == UNMET.splitlines()


async def test_a_journey_that_is_stored_later_is_looked_at_when_a_run_begins(
    store: JourneyTemplatesService, engine: JourneyEngine
) -> None:
    await store.put_template(PARENT.replace("upload", "not_yet"), file="parent")

    with pytest.raises(UnknownTemplate, match="not_yet"):
        await engine.start("parent", {})


async def test_boot_tells_what_files_hand_down_otherwise_than_files_take(
    templates: JourneyTemplates, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place_templates(monkeypatch, tmp_path / "top", upload=template("1"), parent=PARENT)

    told = [f"{fault.subject}  {fault.problem}" for fault in templates.verify()]

    assert len(told) == 3
    assert any(line.endswith("does not fit upload: it is not of type string") for line in told)
