"""A worker whose city only notes what it is woken for: `celery -A tests.support.rung worker`.

Its broker and the file of its notes come by environment.
"""

import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from foundations.public_works.adapters.celery_dispatch import CeleryDispatch
from foundations.public_works.adapters.celery_worker import working_app
from foundations.public_works.settings import Settings
from utilities.clock import SystemClock
from utilities.errors import ErrorKind, PlatformError
from utilities.observability.distributed_tracing import DistributedTracing
from utilities.observability.logs import configure_logs

if TYPE_CHECKING:
    from celery import Celery

NOTES = "RUNG_NOTES"
BROKER = "RUNG_BROKER"


class NotToday(PlatformError):
    """This city does not boot."""

    kind = ErrorKind.CONFIGURATION


@asynccontextmanager
async def _city() -> AsyncIterator[CeleryDispatch]:
    notes = Path(os.environ[NOTES])
    if notes.name == "refuse":
        raise NotToday("it does not boot", hint="another day")

    def note(*words: object) -> None:
        with notes.open("a") as file:
            file.write(" ".join(map(str, words)) + "\n")

    async def arrived(keys: Sequence[str]) -> None:
        note("together", time.time(), *keys)

    async def handler(key: str) -> None:
        note("alone", time.time(), key)

    settings = Settings.model_validate({"broker_url": os.environ[BROKER]})
    async with CeleryDispatch(
        settings=settings, clock=SystemClock(), tracing=DistributedTracing()
    ) as dispatch:
        dispatch.handle("runs", handler, arrived=arrived)
        dispatch.handle("lanes", handler)
        note("open", time.time())
        yield dispatch
    note("closed", time.time())


def __getattr__(name: str) -> "Celery":
    if name != "celery_app":
        raise AttributeError(name)
    configure_logs(level="INFO")
    made = globals()[name] = working_app(os.environ[BROKER], _city, failed=_failed)
    return made


def _failed(error: PlatformError) -> int:
    sys.stdout.write(f"refused: {error.detail}\n")
    return 78
