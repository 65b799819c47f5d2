"""The benchmark of the cloud path: the same work on workers, in one process, and by others.

PostgreSQL (fsync on) and RabbitMQ are started for it, and serve all measured systems; each
measurement has a database of its own. Rounds are interleaved, figures are medians.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.journeys.children import Children, Figures, System
from tests.benchmarks.journeys.rounds import MEDIANS, interleaved, medians, ratio
from tests.support import postgres
from tests.support.brokers import Broker, own_broker, why_not
from utilities.errors import ErrorKind, PlatformError

_PACKAGE = "tests.benchmarks.workers"
_CELERY = System("celery", "celery_peer", ("celery", "kombu", "sqlalchemy", "psycopg"))
_DBOS = System("dbos", "dbos_peer", ("dbos", "psycopg"))
_CIVITAS = System("civitas", "civitas_peer")
PEERS: Mapping[str, System] = {"celery": _CELERY, "dbos": _DBOS}
CPU_MS = 2.0
FAN, FAN_CPU_MS = 40, 25.0
"""Items of one run, and what each burns: more than the calls that workers keep to themselves."""
_COLUMNS = {
    "case": "case",
    "milestones_per_s": "milestones/s",
    "p50_ms": "p50 ms of a run",
    "p99_ms": "p99 ms of a run",
    "start_p95_ms": "p95 ms to start",
    "cpu_us_per_milestone": "CPU us/milestone here",
    "workers_cpu_us_per_milestone": "on workers",
    "database_cpu_us_per_milestone": "in the database",
    "broker_cpu_us_per_milestone": "in the broker",
}
Table = tuple[list[str], list[list[str]]]


class NoServers(PlatformError):
    """A server that the benchmark needs is not on this machine."""

    kind = ErrorKind.UNAVAILABLE


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that is measured."""

    name: str
    system: System = _CIVITAS
    workers: int = 2
    in_flight: int = 100
    per_message: int = 0
    cpu_ms: float = 0
    fan: int = 0


CASES = (
    Case("two workers"),
    Case("one worker", workers=1),
    Case("one run in flight", in_flight=1),
    Case("one run per message", per_message=1),
    Case("in one process", workers=0),
    Case("CPU-bound, two workers", cpu_ms=CPU_MS),
    Case("CPU-bound, one worker", workers=1, cpu_ms=CPU_MS),
    Case("items of one run, two workers", in_flight=1, cpu_ms=FAN_CPU_MS, fan=FAN),
    Case("items of one run, one worker", workers=1, in_flight=1, cpu_ms=FAN_CPU_MS, fan=FAN),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """One use of the benchmark."""

    compare: tuple[str, ...] = ()
    rounds: int = 3
    seconds: float = 5
    peers_python: str = ""
    folder: Path | None = None
    profile: str = ""


def measure(plan: Plan, say: Callable[[str], None]) -> Figures:
    """All cases, and the peers; `say` is told of the way.

    Raises:
        NoServers: PostgreSQL or RabbitMQ is not on this machine.
        PeerMissing: a system to compare with is not installed.
        MeasurementFailed: a measured process ended without figures.
    """
    children = Children(plan.peers_python, plan.folder)
    cases = (*CASES, *(Case(name, PEERS[name]) for name in plan.compare))
    children.check_installed([case.system for case in cases])
    if reason := why_not("rabbitmq"):
        raise NoServers(reason)
    with ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="civitas-bench-"))
        try:
            server = stack.enter_context(postgres.own_server(durable=True))
        except postgres.NoPostgres as error:
            raise NoServers(str(error)) from error
        broker = stack.enter_context(own_broker("rabbitmq", Path(scratch)))
        bench = _Bench(plan, children, server, broker, say)
        found = interleaved(cases, plan.rounds, bench.measured)
    results = [_result(case, rounds) for case, rounds in found.items()]
    return {"results": results, "ratios": _ratios(results)}


def tables(found: Figures) -> Iterator[Table]:
    """The same for people."""
    shown = [[_shown(result.get(key)) for key in _COLUMNS] for result in found["results"]]
    yield list(_COLUMNS.values()), shown
    yield ["ratio", "milestones/s"], [[key, str(value)] for key, value in found["ratios"].items()]


@dataclass(slots=True)
class _Bench:
    plan: Plan
    children: Children
    server: postgres.PostgresServer
    broker: Broker
    say: Callable[[str], None]
    places: int = 0

    def measured(self, case: Case, number: int) -> Figures:
        """One measurement, with a database and a virtual host of its own."""
        self.places = self.places % 14 + 1
        self.broker.flush()
        python = {"python": self.plan.peers_python} if case.system.needs else {}
        python = {key: value for key, value in python.items() if value}
        profile = self.plan.profile if case.name == CASES[0].name else ""
        with self.server.database() as url, self.children.scratch() as folder:
            figures = self.children.run(
                f"{_PACKAGE}.{case.system.module}",
                folder,
                *("--database", url, "--broker", self.broker.url(self.places)),
                *("--workers", case.workers, "--in-flight", case.in_flight),
                *("--seconds", self.plan.seconds, "--per-message", case.per_message),
                *("--database-pid", self.server.pid, "--broker-pid", self.broker.pid),
                *("--fan", case.fan),
                *("--cpu-ms", case.cpu_ms, *(("--profile", profile) if profile else ())),
                **python,
            )
        self.say(f"round {number}, {case.name}: {figures['milestones_per_s']:,.0f} milestones/s")
        return figures


def _result(case: Case, rounds: list[Figures]) -> Figures:
    more = ("start_p95_ms", *(name for name in _COLUMNS if name.endswith("_cpu_us_per_milestone")))
    names = (*MEDIANS, *(name for name in more if name in rounds[0]))
    return {
        "case": case.name,
        "system": case.system.name,
        "workers": case.workers,
        "in_flight": case.in_flight,
        **medians(rounds, names),
        "rounds": [round(figures["milestones_per_s"], 1) for figures in rounds],
        "settings": rounds[-1]["settings"],
    }


def _ratios(results: list[Figures]) -> dict[str, float]:
    speed = {result["case"]: result["milestones_per_s"] for result in results}
    pairs = [
        *((ours, peer) for ours in ("two workers", "in one process") for peer in PEERS),
        ("two workers", "one worker"),
        ("CPU-bound, two workers", "CPU-bound, one worker"),
        ("items of one run, two workers", "items of one run, one worker"),
    ]
    return {
        f"{one} / {other}": ratio(speed[one], speed[other])
        for one, other in pairs
        if one in speed and other in speed
    }


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int | float) else str(value)
