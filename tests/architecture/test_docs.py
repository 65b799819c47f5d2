"""The documents are true of the city: tables, links, commands, routes and examples."""

import ast
import asyncio
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import typer

from foundations.curator.verification import FaultKind
from foundations.experience.application import Application
from foundations.experience.command_line import application
from foundations.public_works.settings import Settings, variable
from main import Platform
from realms.journey.language.compiling import load_plan
from realms.journey.language.template_faults import FaultyTemplate
from realms.journey.plans.plan import Signatures
from realms.journey.registry_services import RegistryServices
from realms.journey.testing.cases import Source, suite_of
from realms.journey.testing.mocks import MockedServices
from realms.journey.testing.suite import play_suite
from tests.support import diagrams
from tests.support.documents import code_blocks, commands, dead_links, inline_code
from tests.support.journey_tables import language_words
from tests.support.page_services import PageServices, page_registry

ROOT = diagrams.ROOT
DOCUMENTS = diagrams.documents()
README = (ROOT / "README.md").read_text("utf-8")
LANGUAGE_PAGE = ROOT / "docs" / "journeys.md"
REALM_PAGE = ROOT / "docs" / "writing-a-realm.md"
OTHER_PROGRAMS = {
    "pip", "pytest", "curl", "ruff", "mypy", "lint-imports", "kill", "sleep", "export",
    "cd", "cp", "chmod", "install", "useradd", "systemctl", "docker", "kubectl", "python3",
    "/srv/civitas/bin/pip",
}  # fmt: skip
MADE_BY_THE_READER = ("realms/tally", "tests/realms/tally", "my-journey.yaml")
NOT_SERVED = ("/api/fils", "/api/tally/", "/api/{realm}/")
"""A mistake that a page shows, the realm a reader writes, and the pattern of derived routes."""

each_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS]
)


@dataclass(frozen=True)
class Described:
    """What a running city says of itself."""

    blocks: dict[str, str]
    paths: dict[str, dict[str, Any]]
    lint: dict[str, str]
    """The lint report of every journey that stands in a document, by its text."""


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Described:
    async def describe() -> Described:
        folder = tmp_path_factory.mktemp("docs") / "city"
        async with Platform(Settings(data_dir=folder)) as city:
            services = city.registry.get(RegistryServices)
            lint = {text: linted(text, PageServices(page, services)) for page, text in journeys()}
            return Described(
                blocks=await diagrams.made_blocks(city),
                paths=city.registry.get(Application).asgi.openapi()["paths"],
                lint=lint,
            )

    return asyncio.run(describe())


@each_document
def test_generated_parts_are_as_the_city_makes_them(document: Path, described: Described) -> None:
    text = document.read_text("utf-8")

    assert set(diagrams.blocks_of(text)) <= set(described.blocks)
    assert text.count("<!-- generated:") == len(diagrams.blocks_of(text))
    assert diagrams.filled(text, described.blocks) == text, "run python -m tests.support.diagrams"


def test_every_part_that_can_be_made_is_in_some_document(described: Described) -> None:
    used = {name for path in DOCUMENTS for name in diagrams.blocks_of(path.read_text("utf-8"))}

    assert used == set(described.blocks)


def test_a_stale_part_is_seen() -> None:
    text = "<!-- generated: roles -->\n\nold\n\n<!-- end -->"

    assert diagrams.filled(text, {"roles": "new"}) != text


@each_document
def test_links_lead_somewhere(document: Path) -> None:
    assert dead_links(document, document.read_text("utf-8")) == []


def test_a_dead_link_is_seen() -> None:
    text = "[a](nowhere.md) [b](README.md#no-such-heading) [c](README.md#checks)"

    assert dead_links(ROOT / "x.md", text) == ["nowhere.md", "README.md#no-such-heading"]


@each_document
def test_commands_exist(document: Path) -> None:
    unknown = {
        " ".join(words): problem
        for words in commands(document.read_text("utf-8"))
        if (problem := wrong_with(words))
    }

    assert unknown == {}


@pytest.mark.parametrize(
    "words",
    [
        "python main.py mesh file.csv",
        "python main.py run list --colour",
        "python main.py mash tests/data/nothing.csv",
        "python -m tests.support.nothing",
        "civitas city stats",
        "cargo test",
    ],
)
def test_a_command_that_does_not_exist_is_seen(words: str) -> None:
    assert wrong_with(words.split())


@each_document
def test_routes_exist(document: Path, described: Described) -> None:
    asked = [r for r in routes(document.read_text("utf-8")) if not r[1].startswith(NOT_SERVED)]

    assert [(method, path) for method, path in asked if not served(described, method, path)] == []


def test_a_route_that_does_not_exist_is_seen(described: Described) -> None:
    assert served(described, "GET", "/api/files/some-id/content")
    assert not served(described, "GET", "/api/files/some-id/contents")
    assert not served(described, "DELETE", "/api/files")


@each_document
def test_files_and_modules_that_are_named_exist(document: Path) -> None:
    named = [
        piece
        for piece in inline_code(document.read_text("utf-8"))
        if re.fullmatch(
            r"(foundations|smart_city|realms|utilities|templates|tests|docs)/[\w./]*", piece
        )
    ]

    missing = [piece for piece in named if not (ROOT / piece).exists()]
    assert [piece for piece in missing if not piece.startswith(MADE_BY_THE_READER)] == []


def test_the_two_lines_are_there_word_for_word() -> None:
    lines = README.splitlines()

    assert "pip install -e . && python main.py mash tests/data/weather.csv" in lines
    assert 'pip install -e ".[test]" && pytest' in lines


def test_every_setting_is_in_the_readme() -> None:
    names = {f"`{variable(name)}`" for name in Settings.model_fields}

    assert {name for name in names if name not in README} == set()


def test_every_kind_of_fault_is_explained() -> None:
    page = (ROOT / "docs" / "DI_CONTAINER_INITIALIZATION_ORDER.md").read_text("utf-8")

    assert [kind for kind in FaultKind if f"| {kind} |" not in page] == []


def test_journeys_in_documents_are_sound_or_shown_with_their_faults(described: Described) -> None:
    for page, text in journeys():
        report = described.lint[text]
        assert report == "" or report in page, report

    assert any(described.lint.values()), "some are shown with faults"


def test_every_word_of_the_language_stands_in_an_example_that_loads(described: Described) -> None:
    page = LANGUAGE_PAGE.read_text("utf-8")
    sound = [text for on, text in journeys() if on == page and described.lint[text] == ""]
    written = "\n".join(sound)

    assert len(sound) > 10
    assert [w for w in language_words() if not re.search(rf"(?m)(^|[\s{{,]){w}:", written)] == []


def test_tests_in_documents_pass(described: Described) -> None:
    played = 0
    for page, text in journeys():
        registry = page_registry(page)
        if "\ntests:" in text and described.lint[text] == "" and registry.entries():
            suite = suite_of(Source("page.yaml", text), MockedServices(registry=registry))
            result = play_suite(suite, registry=registry)
            assert [problem for test in result.tests for problem in test.problems] == []
            assert result.passed
            played += 1

    assert played


@pytest.mark.parametrize(
    "example",
    [
        pytest.param(block.text, id=f"{path.name}-{number}")
        for path in DOCUMENTS
        for number, block in enumerate(code_blocks(path.read_text("utf-8")))
        if block.language == "python" and '"""' not in block.text.splitlines()[0]
    ],
)
def test_python_examples_run(example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code = compile(example, "example", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(code, {"__name__": "example"})
    if code.co_flags & inspect.CO_COROUTINE:
        asyncio.run(result)


@pytest.mark.slow
def test_the_realm_of_the_page_passes_its_test(tmp_path: Path) -> None:
    text = REALM_PAGE.read_text("utf-8")
    for found in diagrams.BLOCK.finditer(text):
        (block,) = code_blocks(found[0])
        file = tmp_path / renamed(found["name"].removeprefix("realm-file "))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(renamed(block.text) + "\n", "utf-8")
    (tmp_path / "tests/conftest.py").write_text((ROOT / "tests/conftest.py").read_text("utf-8"))
    run = (
        "import os, sys, pytest, realms; realms.__path__.append(os.path.abspath('realms')); "
        "sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', 'tests']))"
    )

    done = subprocess.run(
        [sys.executable, "-c", run],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def renamed(text: str) -> str:
    """Away from the name that a reader who follows the page has taken already."""
    return text.replace("tally", "pagetally").replace("Tally", "Pagetally")


def journeys() -> Iterator[tuple[str, str]]:
    """Every journey template in a document that is not generated, with its page."""
    for path in DOCUMENTS:
        page = path.read_text("utf-8")
        for block in code_blocks(diagrams.BLOCK.sub("", page)):
            if block.language == "yaml" and "journey_template" in block.text:
                yield page, block.text


def linted(text: str, services: Signatures) -> str:
    """What `journey lint` says of a template; empty when it is sound."""
    try:
        load_plan(text, services, file="my-journey.yaml")
    except FaultyTemplate as faulty:
        return faulty.detail
    return ""


def wrong_with(words: list[str]) -> str:
    """Why a command cannot be typed as it stands; empty when it can."""
    while words and "=" in words[0]:
        words = words[1:]
    match words:
        case [] | ["python", "-m", "json.tool" | "pytest", *_]:
            return ""
        case ["python", "-m", module, *_]:
            return "" if find_spec(module) else "there is no such module"
        case ["python", "main.py", *rest] | ["civitas", *rest]:
            return wrong_with_our_command(rest)
        case [program, *_] if program.startswith("."):
            return "" if (ROOT / program).exists() else "there is no such file"
        case [program, *_]:
            return "" if program in OTHER_PROGRAMS else "nobody knows this program"
    return ""


def wrong_with_our_command(words: list[str]) -> str:
    command: Any = typer.main.get_command(application())
    rest = list(words)
    while getattr(command, "commands", None) and rest:
        name = rest.pop(0)
        if name not in command.commands:
            return f"there is no command {name}"
        command = command.commands[name]
    options = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    for word in rest:
        if word.startswith("--") and word.split("=")[0] not in {*options, "--debug"}:
            return f"there is no option {word}"
        if word.startswith(("tests/", "templates/")) and not (ROOT / word).exists():
            return f"there is no {word}"
    return ""


def routes(text: str) -> Iterator[tuple[str, str]]:
    """Method and path of every curl line, and of every `GET /path`."""
    for words in commands(text):
        for word in words if words[:1] == ["curl"] else []:
            if found := re.match(r"http://127\.0\.0\.1:8000(/[^?]*)", word):
                yield "POST" if {"-d", "-F"} & set(words) else "GET", found[1]
    for piece in inline_code(text):
        if found := re.fullmatch(r"(GET|POST) (/[^?\s]*)\S*", piece):
            yield found[1], found[2]


def served(described: Described, method: str, path: str) -> bool:
    """Whether the OpenAPI document has an operation for it."""
    return any(
        method.lower() in operations
        and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", pattern), path) is not None
        for pattern, operations in described.paths.items()
    )
