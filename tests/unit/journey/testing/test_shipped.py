"""The journeys that are shipped: all tested, every crash survived, old journals go as before."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from foundations.curator.registry import Registry
from foundations.experience.command_line import main
from main import Platform
from realms.journey.api import RunStatus
from realms.journey.testing.cases import Source
from realms.journey.testing.finding import JourneyTests, UnknownJourney, standing
from realms.journey.testing.golden import loaded, replayed
from realms.journey.testing.playing_by_hand import JourneyCity
from realms.journey.testing.suite import play_suite

TOP = Path(__file__).parents[4]
JOURNALS = TOP / "tests" / "golden" / "journals"
SHIPPED = sorted(
    path for path in (TOP / "templates" / "journeys").glob("*.yaml") if ".tests." not in path.name
)


@pytest.fixture(scope="module")
def registry() -> Registry:
    return standing(Platform)


@pytest.fixture(scope="module")
def journeys(registry: Registry) -> JourneyTests:
    return JourneyTests(registry)


@pytest.mark.parametrize("template", SHIPPED, ids=lambda path: path.stem)
def test_shipped_journey_does_as_its_tests_say_on_every_branch_and_through_every_crash(
    registry: Registry, journeys: JourneyTests, template: Path
) -> None:
    found = journeys.read(template)

    played = play_suite(found.suite, registry=registry, below=found.below)

    assert played.tests
    assert [test.problems for test in played.tests if test.problems] == []
    assert played.never == ()
    assert any(test.crashes for test in played.tests)


@pytest.mark.parametrize("template", SHIPPED, ids=lambda path: path.stem)
def test_journals_of_a_shipped_journey_are_kept(journeys: JourneyTests, template: Path) -> None:
    name = journeys.read(template).suite.plan.name

    assert (JOURNALS / f"{name}.json").is_file(), f"journey record {name} --to ..."


@pytest.mark.parametrize("file", sorted(JOURNALS.glob("*.json")), ids=lambda path: path.stem)
def test_kept_journals_go_as_before_by_code_and_templates_of_today(
    journeys: JourneyTests, file: Path
) -> None:
    golden = loaded(file.read_bytes(), file=file.name)

    problems = replayed(
        golden, lambda text: journeys.plan(text, file=file.name), today=journeys.texts()
    )

    assert problems == []


def test_journey_is_found_by_name_by_file_and_by_its_tests(journeys: JourneyTests) -> None:
    path = TOP / "templates" / "journeys" / "data_mash_journey_template.yaml"

    assert journeys.path("data_mash_flow") == path
    assert journeys.path(str(path)) == path
    assert journeys.path(str(path.with_name(f"{path.stem}.tests.yaml"))) == path


@pytest.mark.parametrize("asked", ["data_mash_flo", "nowhere.yaml"])
def test_journey_that_is_not_there_is_told(journeys: JourneyTests, asked: str) -> None:
    with pytest.raises(UnknownJourney):
        journeys.path(asked)


TEMPLATE = """\
journey_template: greets
input: {file_id: string}
milestones:
  - {milestone_id: stored, service: ContentStewardService, api: process_client_file}
"""
TESTS = """\
tests:
  - name: verifies the file
    input: {file_id: f}
    mocks:
      ContentStewardService.process_client_file:
        returns: {file_id: f, validation_status: valid, storage_location: here}
    expect: {path: [stored]}
  - name: expects too much
    input: {file_id: f}
    mocks: {ContentStewardService.process_client_file: {raises: {kind: not_found}}}
    expect: {path: [stored]}
"""


def test_command_tells_what_failed_where_and_which_branch_was_never_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "greets.yaml"
    file.write_text(TEMPLATE)
    (tmp_path / "greets.tests.yaml").write_text(TESTS)

    code = main(Platform, ["journey", "test", str(file)])

    shown = capsys.readouterr().out
    assert code == 1
    assert "passed  verifies the file" in shown
    assert f"{tmp_path}/greets.tests.yaml:8  status is failed (error), not succeeded" in shown
    assert "branches  3 of 3 taken" in shown
    assert "1 passed, 1 failed" in shown


def test_command_answers_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "greets.yaml"
    file.write_text(TEMPLATE)
    (tmp_path / "greets.tests.yaml").write_text(TESTS.partition("  - name: expects")[0])

    code = main(Platform, ["journey", "test", str(file), "--json"])

    found = json.loads(capsys.readouterr().out)
    assert code == 0
    assert (found["passed"], found["failed"], found["faults"]) == (1, 0, [])
    assert [m["branch"] for m in found["journeys"][0]["never"]] == ["fails"]


def test_command_tells_every_fault_of_faulty_tests(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "greets.yaml"
    file.write_text(TEMPLATE)
    (tmp_path / "greets.tests.yaml").write_text(TESTS.replace("path: [stored]", "pth: [stored]"))

    code = main(Platform, ["journey", "test", str(file)])

    assert code == 1
    assert capsys.readouterr().err.count('"pth" is not known here. Did you mean "path"?') == 2


def test_commands_record_journals_and_replay_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, golden = tmp_path / "greets.yaml", tmp_path / "kept" / "greets.json"
    file.write_text(TEMPLATE)
    (tmp_path / "greets.tests.yaml").write_text(TESTS)

    assert main(Platform, ["journey", "record", str(file), "--to", str(golden)]) == 0
    assert main(Platform, ["journey", "replay", str(golden)]) == 0
    assert "goes as before" in capsys.readouterr().out

    golden.write_bytes(golden.read_bytes().replace(b"process_client_file", b"process_file"))
    assert main(Platform, ["journey", "replay", str(golden)]) == 1
    assert "does not load any more" in capsys.readouterr().out


def test_journey_is_played_by_hand(registry: Registry) -> None:
    city = JourneyCity(registry)
    parsing = "ContentAnalysisOrchestrator.parse_file"
    stored = {"file_id": "f", "validation_status": "valid", "storage_location": "here"}

    played = city.play(
        "data_mash_flow",
        input={"file_id": "f"},
        mocks={
            "ContentStewardService.process_client_file": {"returns": stored},
            parsing: {"raises": {"kind": "unavailable"}, "takes": "1h"},
        },
    )

    assert played.main is not None
    assert played.main.run.status is RunStatus.FAILED
    assert played.duration > timedelta(hours=3)
    assert [call.name for call in played.given.calls].count(parsing) == 3


def test_problems_are_told_to_those_who_play_by_hand(registry: Registry) -> None:
    problems = JourneyCity(registry).problems(
        "data_mash_flow", input={"file_id": "f"}, expect={"refused": {}}
    )

    assert problems == [
        "ContentStewardService.process_client_file was called, and it has no mock",
        "the run was to be refused, and was accepted",
    ]


def test_journey_below_is_found_by_its_name(
    registry: Registry, journeys: JourneyTests, tmp_path: Path
) -> None:
    file = tmp_path / "twice.yaml"
    file.write_text(
        "journey_template: twice\ninput: {file_id: string}\nmilestones:\n"
        '  - {milestone_id: mashed, journey: data_mash_flow, with: {file_id: "${input.file_id}"}}\n'
    )
    mash = TOP / "templates" / "journeys" / "data_mash_journey_template.tests.yaml"
    mocks = mash.read_text().partition("tests:\n")[0]
    (tmp_path / "twice.tests.yaml").write_text(
        mocks + "tests: [{name: a, input: {file_id: f}, expect: {path: [mashed]}}]"
    )

    found = journeys.read(file)
    played = play_suite(found.suite, registry=registry, below=found.below)

    assert [written.plan.name for written in found.below] == ["data_mash_flow"]
    assert played.tests[0].problems == ()


@pytest.mark.parametrize("name", ["nowhere", "data_mash_flow@9"])
def test_journey_below_that_is_not_there_is_told(
    journeys: JourneyTests, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "begins.yaml"
    file.write_text(
        "journey_template: begins\nmilestones:\n"
        f"  - {{milestone_id: below, journey: {name}, with: {{file_id: f}}}}\n"
    )

    with pytest.raises(UnknownJourney):
        journeys.read(file)


def test_example_of_the_page_does_as_it_says(registry: Registry, journeys: JourneyTests) -> None:
    page = (TOP / "docs" / "testing-journeys.md").read_text()
    example = page.partition("```yaml\n")[2].partition("```")[0]
    path = TOP / "templates" / "journeys" / "review_file.yaml"

    found = journeys.read(path, beside=Source("docs/testing-journeys.md", example))
    played = play_suite(found.suite, registry=registry)

    assert [test.problems for test in played.tests] == [()]
    assert played.tests[0].crashes > 10
