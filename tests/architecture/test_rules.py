"""Rules no linter knows: where broad catches stand, and that silence has a reason."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("foundations", "smart_city", "realms", "utilities")
SOURCES = [ROOT / "main.py", *(f for p in PACKAGES for f in sorted((ROOT / p).rglob("*.py")))]
TESTS = sorted((ROOT / "tests").rglob("*.py"))
BROAD_CATCHES = {
    "foundations/experience/problems.py",  # the HTTP edge
    "foundations/public_works/adapters/in_process_dispatch.py",  # the task runner
    "foundations/public_works/adapters/celery_sender.py",  # whatever a broker's client raises
    "foundations/public_works/adapters/celery_worker.py",  # the task runner of a worker
    "realms/journey/control/answering.py",  # answers whoever asked, who is elsewhere
    "foundations/curator/registry.py",  # builds everything and collects the faults
    "foundations/public_works/adapters/sqlite_transactions.py",  # hands each fault on by its future
    "realms/journey/engine/runner.py",  # the engine's edge around a call
    "realms/journey/engine/memory_journal.py",  # around the writes of services
    "realms/journey/control/dead_letters.py",  # a task of its own, which nobody waits for
}
"""The only places that may catch anything at all."""
SILENCED = re.compile(r"#\s*(type:\s*ignore|noqa|pragma:\s*no cover)(?P<rest>.*)")


def test_broad_catches_stand_at_the_edges_only() -> None:
    found = {str(file.relative_to(ROOT)) for file in SOURCES if list(broad_catches(file))}

    assert found <= BROAD_CATCHES


def test_a_broad_catch_is_seen(tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text("try:\n    x = 1\nexcept (ValueError, Exception):\n    pass\n")

    assert list(broad_catches(planted)) == [3]


@pytest.mark.parametrize("file", [*SOURCES, *TESTS], ids=lambda f: str(f.relative_to(ROOT)))
def test_nothing_is_silenced_without_a_code_and_a_reason(file: Path) -> None:
    assert unreasoned(file.read_text()) == []


def test_silence_without_a_reason_is_seen() -> None:
    marker = "noqa"
    assert unreasoned(f"x = 1  # {marker}\n")
    assert unreasoned(f"x = 1  # {marker}: E501\n")
    assert not unreasoned(f"x = 1  # {marker}: E501 - the address is one word\n")


def broad_catches(file: Path) -> Iterator[int]:
    """The lines of `except:`, `except Exception` and `except BaseException` that swallow."""
    for node in ast.walk(ast.parse(file.read_text())):
        if not isinstance(node, ast.ExceptHandler) or raises_again(node):
            continue
        caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        if any(name is None or is_broad(name) for name in caught):
            yield node.lineno


def raises_again(node: ast.ExceptHandler) -> bool:
    """Whether the handler ends by passing on what it caught."""
    return isinstance(node.body[-1], ast.Raise)


def is_broad(name: ast.expr) -> bool:
    return isinstance(name, ast.Name) and name.id in {"Exception", "BaseException"}


def unreasoned(text: str) -> list[int]:
    """Lines that switch a check off without naming which and why."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        silenced = SILENCED.search(line)
        if silenced and not re.search(r"[\w\]].*(\s-\s|\s#\s|\]\s*#|  #).*\w", silenced["rest"]):
            found.append(number)
    return found


@pytest.mark.parametrize(
    "file",
    sorted(ROOT.glob("*/*/migrations/*.py")),
    ids=lambda file: f"{file.parts[-3]}-{file.stem}",
)
def test_revision_is_the_number_its_file_begins_with(file: Path) -> None:
    told = re.search(r'^revision(?:: str)? = "(\w+)"$', file.read_text(), re.MULTILINE)

    assert told is not None
    assert file.name.split("_")[0] == told[1]
