"""A wheel in a bare virtual environment, away from the checkout, is the whole program."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import httpx2
import pytest

from tests.support.processes import ROOT, civitas, serving

pytestmark = pytest.mark.slow

LARGEST_INSTALL_MB = 630
"""Without bytecode, which is 70 more where all of it is compiled."""
PACKAGES = ("foundations", "smart_city", "realms", "utilities")
INSTALL_PATIENCE = 600


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel built from this tree."""
    out = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(ROOT)])
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with nothing but the wheel and what it depends on."""
    folder = tmp_path_factory.mktemp("bare") / "venv"
    run([sys.executable, "-m", "venv", str(folder)])
    run([str(folder / "bin/pip"), "install", "--quiet", "--no-compile", str(wheel)])
    return folder


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A folder of somebody else's, with modules that are called like ours."""
    for name in ("utilities", "foundations", "realms"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('foreign package')\n")
    (tmp_path / "main.py").write_text("raise RuntimeError('foreign main')\n")
    (tmp_path / "data.csv").write_text("day,rain\n1,2\n2,4\n3,9\n")
    return tmp_path


def test_wheel_holds_all_that_is_no_module(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        str(file.relative_to(ROOT))
        for folder in (*PACKAGES, "templates")
        for file in (ROOT / folder).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }

    assert wanted <= held
    assert {f"{package}/py.typed" for package in PACKAGES} <= held
    assert any("/migrations/" in name for name in held)
    assert any(name.endswith(".yar") for name in held)
    assert "templates/journeys/data_mash_journey_template.yaml" in held
    assert "templates/journeys/journey.schema.json" in held
    assert "templates/realm/realms/{{name}}/container.py" in held


def test_wheel_holds_nothing_else(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    ours = {top for top in tops if not top.endswith(".dist-info")}

    assert ours == {"main.py", "templates", *PACKAGES}


def test_base_install_is_small(environment: Path) -> None:
    sizes = (
        file.stat().st_size
        for file in environment.rglob("*")
        if file.is_file() and not file.is_symlink()
    )

    assert sum(sizes) / 1e6 < LARGEST_INSTALL_MB


def test_installed_civitas_mashes_beside_foreign_modules(environment: Path, foreign: Path) -> None:
    command = [str(environment / "bin/civitas")]

    found = civitas("mash", "data.csv", "--json", command=command, cwd=foreign)

    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)["success"]
    assert (foreign / ".civitas/city.sqlite3").is_file()


def test_installed_civitas_serves_beside_foreign_modules(environment: Path, foreign: Path) -> None:
    command = [str(environment / "bin/civitas")]

    with serving(foreign / "data", command=command, cwd=foreign) as server:
        ready = httpx2.get(f"{server.url}/readyz")
        found = civitas("mash", "data.csv", "--data-dir", "data", command=command, cwd=foreign)
        assert server.stop() == 0

    assert ready.status_code == 200
    assert "data has 3 rows and 2 columns" in found.stdout


def test_installed_civitas_makes_realms_only_in_a_checkout(
    environment: Path, foreign: Path
) -> None:
    command = [str(environment / "bin/civitas")]

    found = civitas("new", "realm", "billing", command=command, cwd=foreign)

    assert found.returncode == 3
    assert "--into DIR" in found.stderr


def run(command: Sequence[str]) -> None:
    unwanted = ("PYTHONPATH", "PYTHONHOME")
    clean = {name: value for name, value in os.environ.items() if name not in unwanted}
    done = subprocess.run(
        command,
        cwd="/",
        env=clean,
        capture_output=True,
        text=True,
        timeout=INSTALL_PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
