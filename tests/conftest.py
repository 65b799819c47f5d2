"""What every test shares, and what a run of all tests does that a run of some does not."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import postgres
from tests.support.brokers import Broker, broker_fixture


@pytest.fixture
def anyio_backend() -> str:
    """Async tests run on asyncio."""
    return "asyncio"


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A RabbitMQ that all test processes share."""
    yield from broker_fixture("rabbitmq", tmp_path_factory)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A Redis that all test processes share."""
    yield from broker_fixture("redis", tmp_path_factory)


@pytest.fixture(scope="session", params=["rabbitmq", "redis_server"])
def broker(request: pytest.FixtureRequest) -> Broker:
    """Each broker in turn."""
    found: Broker = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def postgres_server() -> postgres.PostgresServer:
    """A real PostgreSQL, shared by all tests and workers of this run."""
    try:
        return postgres.shared_server()
    except postgres.NoPostgres as error:
        if os.environ.get("TESTS_NEED_SERVERS"):
            raise
        pytest.skip(str(error))


@pytest.fixture
def postgres_url(postgres_server: postgres.PostgresServer) -> Iterator[str]:
    """An empty database of this test's own."""
    with postgres_server.database() as url:
        yield url


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what the workers shared, when all of them have ended."""
    if not hasattr(config, "workerinput"):
        postgres.stop_shared_server()


def pytest_configure(config: pytest.Config) -> None:
    """Judge and tell coverage when all tests run; some tests cannot cover everything."""
    if not hasattr(config, "workerinput"):
        folder = Path(tempfile.gettempdir()) / f"servers-of-tests-{os.getpid()}"
        os.environ[postgres.SHARED] = str(folder)
    coverage = config.pluginmanager.getplugin("_cov")
    asked = any(argument.startswith("--cov") for argument in config.invocation_params.args)
    if coverage is not None and not asked and not all_tests(config):
        coverage.options.cov_report = {}
        coverage.options.cov_fail_under = 0


def pytest_itemcollected(item: pytest.Item) -> None:
    """Take the mark away that pytest-cov falls over where it is switched off."""
    if item.config.getoption("no_cov"):
        item.own_markers = [mark for mark in item.own_markers if mark.name != "no_cover"]


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One more than processors, four at most, when all tests run; else none.

    A third of their time tests wait for processes that they have started; with two more all takes
    a tenth longer.
    """
    return min(4, 1 + len(os.sched_getaffinity(0))) if all_tests(config) else 0


def all_tests(config: pytest.Config) -> bool:
    """Whether the command line picks no tests: plain `pytest`, with or without ways of showing."""
    picked = (config.option.keyword, config.option.markexpr, config.option.collectonly)
    return config.args_source is pytest.Config.ArgsSource.TESTPATHS and not any(picked)
