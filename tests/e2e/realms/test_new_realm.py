"""`new realm NAME`: a working realm in a checkout, without an edit of any file that is there."""

import hashlib
import json
import shutil
import sys
from pathlib import Path

import pytest

from foundations.experience.scaffold import BadRealmName, RealmExists, write_realm
from tests.support.processes import ROOT, civitas, serving

pytestmark = pytest.mark.slow

PARTS = ("foundations", "smart_city", "realms", "utilities", "templates", "main.py")
UNWANTED = shutil.ignore_patterns("__pycache__", "*.pyc")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the program is made of, with the tests' configuration."""
    copy = tmp_path / "checkout"
    for part in PARTS[:-1]:
        shutil.copytree(ROOT / part, copy / part, ignore=UNWANTED)
    (copy / "tests").mkdir()
    for file in ("main.py", "pyproject.toml", "tests/conftest.py"):
        shutil.copy(ROOT / file, copy / file)
    return copy


def test_scaffolded_realm_works_at_once(checkout: Path, tmp_path: Path) -> None:
    before = fingerprint(checkout)
    command = (sys.executable, str(checkout / "main.py"))

    made = civitas("new", "realm", "billing_desk", command=command, cwd=checkout)

    assert made.returncode == 0, made.stderr
    assert "realms/billing_desk/container.py" in made.stdout
    after = fingerprint(checkout)
    assert {file: after[file] for file in before} == before

    tested = civitas(
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-o",
        "addopts=",
        "tests/realms/billing_desk",
        command=(sys.executable,),
        cwd=checkout,
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr

    with serving(tmp_path / "data", command=command, cwd=checkout) as server:
        journeys = civitas(
            *("journey", "list", "--json", "--data-dir", tmp_path / "data"),
            command=command,
            cwd=checkout,
        )
        graph = civitas(
            "city", "graph", "--data-dir", tmp_path / "data", command=command, cwd=checkout
        )
        server.stop()
    names = [template["name"] for template in json.loads(journeys.stdout)["templates"]]
    assert "billing_desk_report" in names
    assert "BillingDeskService" in graph.stdout
    assert "subgraph realms_billing_desk" in graph.stdout


def test_scaffolded_realm_keeps_the_rules(checkout: Path) -> None:
    write_realm("billing_desk", checkout)
    places = ("realms/billing_desk", "tests/realms")

    checked = civitas("-m", "ruff", "check", *places, command=(sys.executable,), cwd=checkout)
    formatted = civitas(
        "-m", "ruff", "format", "--check", *places, command=(sys.executable,), cwd=checkout
    )

    assert checked.returncode == 0, checked.stdout
    assert formatted.returncode == 0, formatted.stdout


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("Billing", "billing"),
        ("9lives", "lives"),
        ("a-b", "a_b"),
        ("../x", "x"),
        ("class", "class_realm"),
        ("", "billing"),
        ("x" * 41, "x" * 40),
        ("é", "billing"),
    ],
)
def test_name_that_is_no_package_is_refused(tmp_path: Path, name: str, suggestion: str) -> None:
    with pytest.raises(BadRealmName) as refused:
        write_realm(name, tmp_path)

    assert suggestion in refused.value.hint


@pytest.mark.parametrize("taken", ["realms/billing", "realms/billing.py", "tests/realms/billing"])
def test_nothing_is_overwritten(tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).mkdir(parents=True)

    with pytest.raises(RealmExists):
        write_realm("billing", tmp_path)

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_realm_is_made_in_a_checkout_only(tmp_path: Path) -> None:
    found = civitas("new", "realm", "billing", "--into", tmp_path)

    assert found.returncode == 3
    assert "is no checkout" in found.stderr


def fingerprint(checkout: Path) -> dict[str, str]:
    """What each file of a checkout holds."""
    return {
        str(file.relative_to(checkout)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in checkout.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
