"""A worker's process: Celery takes messages from the broker, the city answers them on its loop."""

import asyncio
import os
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from logging import getLogger
from typing import TYPE_CHECKING, Any

from loguru import logger

from foundations.public_works.adapters.celery_app import make_app
from foundations.public_works.adapters.celery_dispatch import CeleryDispatch
from foundations.public_works.adapters.celery_messages import TASK, TRACES, BadMessage
from utilities.errors import ErrorKind, PlatformError
from utilities.long_lived import loop_factory

if TYPE_CHECKING:
    from celery import Celery

_ANSWER_SECONDS = 60.0
_LOGGER = getLogger(__name__)

WorkersCity = Callable[[], AbstractAsyncContextManager[CeleryDispatch]]
"""Boots a city that does the work; its dispatch answers messages."""


class PoolRefused(PlatformError):
    """A worker was started with a pool in which its event loop cannot live."""

    kind = ErrorKind.CONFIGURATION


def working_app(
    broker_url: str, city: WorkersCity, *, failed: Callable[[PlatformError], int]
) -> "Celery":
    """The Celery application of a worker: it boots a city of its own when the worker starts.

    `failed` is told why the worker cannot start, and answers its exit code.
    """
    from celery import signals

    app = make_app(broker_url)
    home = _Home(city, app, failed)
    signals.worker_init.connect(home.begun, weak=False)
    signals.worker_ready.connect(home.ready, weak=False)
    signals.worker_shutdown.connect(home.over, weak=False)
    signals.setup_logging.connect(_leave_logs_alone, weak=False)
    options = {"typing": False, "Strategy": home.strategy}

    @app.task(name=TASK, **options)  # type: ignore[untyped-decorator]  # celery ships no types
    def wake(*_: object, **__: object) -> None:
        raise AssertionError("messages are answered as they come, and never by Celery's pool")

    return app


def _check_form(payload: Any) -> tuple[list[object], dict[str, object]]:
    arguments, keywords, _ = payload
    if not isinstance(arguments, list) or not isinstance(keywords, dict):
        raise TypeError
    return arguments, keywords


class _Home:
    """The thread with the loop on which a worker's city lives, and what Celery tells it."""

    def __init__(
        self, city: WorkersCity, app: "Celery", failed: Callable[[PlatformError], int]
    ) -> None:
        self._city = city
        self._app = app
        self._failed = failed
        self._loop: asyncio.AbstractEventLoop | None = None
        self._dispatch: CeleryDispatch | None = None
        self._stop = asyncio.Event()
        self._opened: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="city", daemon=True)

    def begun(self, sender: Any, **_: object) -> None:
        """Boot the city before the first message is taken; without one there is no worker."""
        if sender.app is not self._app:
            return
        _calm_celery()
        try:
            _check_pool(sender.pool_cls)
            self.open()
        except PlatformError as error:
            raise SystemExit(self._failed(error)) from error

    def ready(self, sender: Any, **_: object) -> None:
        if sender.app is self._app:
            logger.info("the worker is ready")

    def over(self, sender: Any, **_: object) -> None:
        if sender.app is self._app:
            self.close()

    def strategy(self, _task: Any, _app: Any, consumer: Any, **_: Any) -> Callable[..., None]:
        """How the worker takes messages: each goes straight to the city's loop, not by the pool.

        It is acknowledged when it was answered, so no more come than the worker may have in hand.
        """
        losses = consumer.connection_errors

        def take(message: Any, _body: Any, ack: Any, *_: object) -> None:
            try:
                arguments, keywords = _check_form(message.payload)
            except Exception as error:  # noqa: BLE001 - the task runner's edge: a decoder may raise anything
                logger.warning("a message is dropped: it cannot be read ({})", type(error).__name__)
                message.ack_log_error(_LOGGER, losses)
                return
            assert self._loop is not None
            work = self._answer(arguments, keywords, message.headers.get(TRACES))
            answered = asyncio.run_coroutine_threadsafe(work, self._loop)
            answered.add_done_callback(lambda _: ack(_LOGGER, losses))  # on the worker's own thread

        return take

    async def _answer(
        self, arguments: Sequence[object], message: Mapping[str, object], traces: object
    ) -> None:
        """Have the city answer; what cannot be answered now is rung again by the scheduler."""
        assert self._dispatch is not None
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await self._dispatch.receive(arguments, message, traces)
        except BadMessage as error:
            logger.warning("a message is dropped: {}", error.detail)
        except (PlatformError, TimeoutError) as error:
            logger.warning("a message could not be answered: {}", error)
        except Exception as error:  # noqa: BLE001 - the task runner's edge: one message stops no other
            logger.opt(exception=error).error("a message could not be answered")

    def open(self) -> None:
        """Boot the city.

        Raises:
            PlatformError: it does not boot.
        """
        self._thread.start()
        self._opened.result()

    def close(self) -> None:
        """Leave the city: what is in progress is given its time, the rest is left to others."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            self._loop = runner.get_loop()
            try:
                runner.run(self._live())
            except BaseException as error:  # noqa: BLE001 - the thread's edge: whoever waits for the boot hears it
                if self._opened.done():
                    logger.opt(exception=error).error("the worker's city failed; the worker ends")
                    os._exit(1)
                self._opened.set_exception(error)

    async def _live(self) -> None:
        async with self._city() as dispatch:
            self._dispatch = dispatch
            self._opened.set_result(None)
            await self._stop.wait()


def _check_pool(pool: Any) -> None:
    name = str(getattr(pool, "__module__", pool)).rpartition(".")[2]
    if name not in _POOL_MODULES:
        raise PoolRefused(
            f"a worker with the pool {name} cannot do journeys: all runs of a process share a loop",
            hint="leave -P out, or give -P threads or -P solo; start more workers for more cores",
        )


_POOL_MODULES = ("thread", "solo")


def _calm_celery() -> None:
    """Do not repeat what is known: no message has an ETA, and none is long under way."""
    getLogger("celery.worker.consumer.delayed_delivery").setLevel("ERROR")
    warnings.filterwarnings("ignore", module=r"celery\.worker\.consumer\.consumer")


def _leave_logs_alone(**_: object) -> None:
    """Log lines go where the city's go."""
