"""Processes beside the server: workers that do journeys, and schedulers that let none be forgotten.

All of them boot the same city; they find each other by the database, and ring by the broker.
"""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING

from foundations.boot import Duty
from foundations.experience.cities import CityFactory
from foundations.experience.exit_codes import exit_code
from foundations.experience.terminal import Terminal
from foundations.experience.watchdog import watched
from foundations.public_works.cloud_ready import on_workers
from foundations.public_works.settings import Settings
from utilities.errors import ErrorKind, PlatformError
from utilities.long_lived import calm_collector
from utilities.observability.logs import configure_logs

if TYPE_CHECKING:
    from foundations.public_works.adapters.celery_app import Celery
    from foundations.public_works.adapters.celery_dispatch import CeleryDispatch


class NoBroker(PlatformError):
    """There is no broker: one process does everything."""

    kind = ErrorKind.CONFIGURATION


@cache
def celery_app(platform: CityFactory) -> "Celery":
    """For `celery -A main.celery_app worker`; what cannot be started says why and ends it."""
    try:
        settings = Settings.load()
        configure_logs(level=settings.log_level)
        return worker_app(platform, settings)
    except PlatformError as error:
        raise SystemExit(_told(error)) from error


def worker_app(platform: CityFactory, settings: Settings) -> "Celery":
    """The Celery application whose worker boots a city and does journeys.

    Raises:
        NoBroker: the settings name none.
    """
    from foundations.public_works.adapters.celery_worker import working_app

    @asynccontextmanager
    async def city() -> "AsyncIterator[CeleryDispatch]":
        from foundations.public_works.adapters.celery_dispatch import CeleryDispatch

        async with platform(settings, duty=Duty.WORK) as booted:
            calm_collector()
            with watched(settings.stall_seconds):
                yield booted.registry.get(CeleryDispatch)

    return working_app(broker_of(settings), city, failed=_told)


def work(platform: CityFactory, settings: Settings, *, queues: Sequence[str] = ()) -> None:
    """Be a worker until a signal ends it; then give what is in progress its time.

    `queues` are names that templates give; without any the worker takes what names none.

    Raises:
        NoBroker: the settings name none.
    """
    from foundations.public_works.adapters.celery_app import consumed

    app = worker_app(platform, settings)
    taken = ["--queues", ",".join(consumed(queues))] if queues else []
    app.worker_main(["worker", "--loglevel", "WARNING", *_QUIET, *taken])


_QUIET = ("--without-gossip", "--without-mingle")


async def schedule(platform: CityFactory, settings: Settings, ready: Callable[[], None]) -> int:
    """Be a scheduler until a signal ends it; the answer is the exit code.

    Raises:
        NoBroker: the settings name none.
    """
    broker_of(settings)
    stop = asyncio.get_running_loop().create_future()

    def asked(wanted: signal.Signals) -> None:
        if not stop.done():
            stop.set_result(wanted)

    for wanted in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(wanted, asked, wanted)
    async with platform(settings, duty=Duty.SCHEDULE):
        calm_collector()
        with watched(settings.stall_seconds):
            ready()
            ended_by: signal.Signals = await stop
    return 128 + signal.SIGINT if ended_by == signal.SIGINT else 0


def broker_of(settings: Settings) -> str:
    """The broker's URL.

    Raises:
        NoBroker: the settings name none.
    """
    if not on_workers(settings) or settings.broker_url is None:
        raise NoBroker(
            "workers and schedulers need a broker, and the settings choose none",
            hint="set CLOUD_READY_MODE=hybrid, CIVITAS_BROKER_URL=amqp://... or redis://..., and "
            "CIVITAS_DATABASE_URL for all of the city; see `civitas city doctor`",
        )
    return settings.broker_url.get_secret_value()


def _told(error: PlatformError) -> int:
    Terminal().tell(error)
    sys.stderr.flush()
    return exit_code(error)
