"""The import contracts hold, and each of them is seen to break when it is broken."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("foundations", "smart_city", "realms", "utilities")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
    "contracts"
]

PLANTED = {
    "layers": ("utilities/planted.py", "import foundations.rooms"),
    "boot-order": ("foundations/curator/planted.py", "import foundations.experience.road"),
    "realms": ("realms/business_enablement/planted.py", "import realms.journey.engine"),
    "roles": ("smart_city/nurse/planted.py", "import smart_city.traffic_cop.sessions"),
    "roles-from-above": (
        "realms/business_enablement/planted.py",
        "import smart_city.traffic_cop.sessions",
    ),
    "api": ("smart_city/traffic_cop/api.py", "import smart_city.traffic_cop.records"),
    "injector": (
        "realms/business_enablement/planted.py",
        "from dependency_injector import providers",
    ),
    "web": ("realms/business_enablement/planted.py", "from fastapi import APIRouter"),
    "database": ("realms/business_enablement/planted.py", "import sqlalchemy"),
    "broker": ("realms/business_enablement/planted.py", "import celery"),
    "objects": ("foundations/public_works/planted.py", "import obstore"),
    "pure-core": ("realms/journey/engine/facts.py", "import asyncio"),
    "circles": ("foundations/agentic/planted.py", "import foundations.experience.road"),
}
"""A violation of each contract: the file, and the line that is added to it."""


def test_the_tree_keeps_every_contract() -> None:
    assert broken_contracts(ROOT) == []


def test_every_contract_has_a_planted_violation() -> None:
    assert {contract["id"] for contract in CONTRACTS} == set(PLANTED)


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract["id"])
def test_contract_breaks_on_a_planted_violation(contract: dict[str, Any], tmp_path: Path) -> None:
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    file, line = PLANTED[contract["id"]]
    with (tmp_path / file).open("a") as planted:
        planted.write(f"\n{line}\n")
    if contract["id"] == "circles":
        back = tmp_path / "foundations/experience/planted.py"
        back.write_text("import foundations.agentic.planted\n")

    assert contract["name"] in broken_contracts(tmp_path)


def broken_contracts(tree: Path) -> list[str]:
    """The names of the contracts that a tree breaks."""
    found = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree), "COLUMNS": "300"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Contracts:" in found.stdout, found.stdout + found.stderr
    lines = found.stdout.splitlines()
    broken = [line.split(" BROKEN")[0] for line in lines if " BROKEN" in line]
    assert bool(broken) == bool(found.returncode)
    return broken
