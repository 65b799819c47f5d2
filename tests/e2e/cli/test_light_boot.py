"""What the boot of a city that knows its folder leaves alone until somebody needs it."""

import json
import subprocess
import sys
from typing import NamedTuple

import pytest

from tests.support.processes import ROOT, clean_environment

BOOT = """
import asyncio, json, sys
from pathlib import Path
import main
from foundations.public_works.settings import Settings
from utilities.models import FrozenModel

def inheriting(cls):
    for below in cls.__subclasses__():
        yield below
        yield from inheriting(below)

async def boot():
    async with main.Platform(Settings(data_dir=Path(sys.argv[1]))):
        models = list(inheriting(FrozenModel))
        made = [model.__name__ for model in models if model.__pydantic_complete__]
        print(json.dumps({"modules": list(sys.modules), "models": len(models), "made": made}))

asyncio.run(boot())
"""
UNNEEDED = [
    "alembic",  # the tables are up to date
    "celery",
    "dependency_injector.wiring",
    "foundations.experience.client",
    "foundations.public_works.parsing.insights.texts.entities",
    "foundations.public_works.parsing.passages",
    "foundations.public_works.parsing.reading",
    "httpx2",
    "kreuzberg",
    "numpy",
    "opentelemetry.sdk",
    "polars",
    "psycopg",
    "pydantic_ai",
    "realms.journey.testing",
    "realms.journey.trials",
    "typer",
    "wordllama",
    "yara_x",
]


class Booted(NamedTuple):
    """What a process had imported when its city was open, and which models it had built."""

    modules: list[str]
    models: int
    made: list[str]


@pytest.fixture(scope="module")
def booted(tmp_path_factory: pytest.TempPathFactory) -> Booted:
    """The second process over a folder."""
    folder = tmp_path_factory.mktemp("city")
    for _ in range(2):
        found = subprocess.run(
            [sys.executable, "-c", BOOT, str(folder)],
            cwd=ROOT,
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=True,
        )
    return Booted(**json.loads(found.stdout))


@pytest.mark.parametrize("module", UNNEEDED)
def test_boot_imports_nothing_that_it_does_not_need(booted: Booted, module: str) -> None:
    assert module not in booted.modules


def test_boot_builds_few_of_the_models(booted: Booted) -> None:
    assert len(booted.made) < booted.models / 10, booted.made
