"""main.py is no package and escapes the import linter; it is held to its rules here."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("foundations", "smart_city", "realms", "utilities")
LINE_BUDGET = 130
LIGHT = {"contextlib", "sys", "types", "typing", "foundations"}
"""What may be imported before a command is known; everything else is inside functions."""


def test_main_is_a_short_composition_root() -> None:
    assert len((ROOT / "main.py").read_text().splitlines()) <= LINE_BUDGET


def test_main_imports_only_light_modules_at_the_top() -> None:
    tree = ast.parse((ROOT / "main.py").read_text())

    assert set(imported(tree.body)) <= LIGHT


def test_nobody_imports_main() -> None:
    importers = [
        str(file.relative_to(ROOT))
        for package in PACKAGES
        for file in (ROOT / package).rglob("*.py")
        if "main" in imported(ast.walk(ast.parse(file.read_text())))
    ]

    assert importers == []


def test_the_stages_stand_in_boot_order() -> None:
    from main import STAGES

    assert [stage.name for stage in STAGES] == [
        "public_works",
        "curator",
        "agentic",
        "experience",
        "smart_city",
        "realms",
    ]


def test_the_top_level_is_as_its_owner_fixed_it() -> None:
    allowed = {"pyproject.toml", "README.md", "main.py", *PACKAGES, "templates", "docs", "tests"}
    generated = {"build", "dist", "venv", "htmlcov", "__pycache__", "civitas.egg-info"}
    found = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}

    assert found - generated <= allowed


def imported(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """The top-level names of what these statements import."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0]
