"""What servers are asked before a city stands on them: real ones, and facts that are rare."""

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis

from foundations.public_works.adapters import probes
from foundations.public_works.adapters.probes import PostgresqlFacts
from foundations.public_works.findings import Finding, Level
from tests.support.brokers import Broker, why_not
from tests.support.postgres import PostgresServer
from tests.support.stores import bucket_settings, bucket_variables, make_bucket, s3_server

pytestmark = pytest.mark.anyio

NOWHERE = "127.0.0.1:9"


def told(findings: list[Finding]) -> list[str]:
    return [f"{found.level}: {found.detail}" for found in findings]


def faults(findings: list[Finding]) -> list[str]:
    assert all(found.remedy for found in findings if found.level is not Level.OK)
    return [found.detail for found in findings if found.level is Level.FAULT]


# PostgreSQL


async def test_postgresql_that_is_fit_is_told_with_its_version(postgres_url: str) -> None:
    for url in (postgres_url, postgres_url.replace("postgresql:", "postgresql+psycopg:")):
        (found,) = await probes.probe_postgresql("store", url)

        assert found.level is Level.OK
        assert found.detail.startswith("PostgreSQL 1")


async def test_postgresql_that_refuses_is_told_without_the_password(
    postgres_server: PostgresServer,
) -> None:
    right = postgres_server.url("nobody_made_it")
    wrong = postgres_server.url("postgres").replace(postgres_server.password, "gF4hJ8kL")

    for url, why in ((right, "does not exist"), (wrong, "authentication failed")):
        (found,) = await probes.probe_postgresql("store", url)

        assert found.level is Level.FAULT
        assert why in found.detail
        assert postgres_server.password not in found.detail
        assert "gF4hJ8kL" not in found.detail


async def test_b11_postgresql_that_takes_no_writes_is_refused(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    database = postgres_url.rpartition("/")[2]
    postgres_server.run(f"ALTER DATABASE {database} SET default_transaction_read_only = on")

    assert faults(await probes.probe_postgresql("store", postgres_url)) == [
        "this PostgreSQL takes no writes"
    ]


async def test_user_who_may_make_no_tables_and_old_encoding_are_refused(
    postgres_server: PostgresServer,
) -> None:
    postgres_server.run("DROP ROLE IF EXISTS reader")
    postgres_server.run("CREATE ROLE reader LOGIN PASSWORD 'gF4hJ8kL'")
    postgres_server.run("DROP DATABASE IF EXISTS ascii")
    postgres_server.run(
        "CREATE DATABASE ascii ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    )
    postgres_server.run("REVOKE CREATE ON SCHEMA public FROM public", database="ascii")
    url = f"postgresql://reader:gF4hJ8kL@127.0.0.1:{postgres_server.port}/ascii"

    assert faults(await probes.probe_postgresql("store", url)) == [
        "the user may make no tables there",
        "the database keeps text as SQL_ASCII",
    ]


async def test_c13_clock_that_is_wrong_is_a_warning(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 2 * 3600)

    (_, found) = await probes.probe_postgresql("store", postgres_url)

    assert found.level is Level.WARNING
    assert "clock is 7200 s behind this machine's; leases go by the database's" in found.detail
    assert "NTP" in found.remedy


FIT = PostgresqlFacts(16, replica=False, read_only=False, encoding="UTF8", fsync=True,
                      may_create=True, ahead=0.1)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({}, []),
        ({"version": 14}, []),
        ({"version": 13}, ["fault: PostgreSQL 13 is older than 14"]),
        ({"replica": True}, ["fault: this PostgreSQL takes no writes"]),
        ({"fsync": False}, ["fault: fsync is off: a power cut loses what was accepted"]),
        ({"ahead": 4.9}, []),
        (
            {"ahead": 60.2},
            [
                "warning: its clock is 60 s ahead of this machine's; leases go by the database's",
            ],
        ),
    ],
)
async def test_facts_of_a_postgresql(change: dict[str, Any], wanted: list[str]) -> None:
    first, *rest = probes.postgresql_findings("store", replace(FIT, **change))

    assert first.level is Level.OK
    assert told(rest) == wanted


# Redis


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[Broker]:
    """A Redis that a test may spoil."""
    if reason := why_not("redis"):
        pytest.skip(reason)
    broker = Broker.beside("redis", tmp_path / "redis")
    broker.start()
    try:
        yield broker
    finally:
        broker.close()


async def test_redis_that_keeps_what_it_is_given_is_fit(redis_server: Broker) -> None:
    for probe in (probes.probe_redis, probes.probe_broker):
        (found,) = await probe("events", redis_server.url())

        assert found.level is Level.OK


async def test_c7_redis_that_forgets_is_refused_with_each_reason(own_redis: Broker) -> None:
    with redis.Redis(port=own_redis.port) as client:
        client.config_set("appendonly", "no")
        client.config_set("maxmemory-policy", "allkeys-lru")

    findings = await probes.probe_broker("journeys", own_redis.url())

    assert faults(findings) == [
        "Redis keeps no append-only file: a restart loses what it was given",
        "Redis throws away what it was given when memory is short (allkeys-lru)",
    ]
    assert "appendonly yes" in findings[1].remedy
    assert "maxmemory-policy noeviction" in findings[2].remedy


async def test_redis_with_a_wrong_password_is_told_without_it(own_redis: Broker) -> None:
    with redis.Redis(port=own_redis.port) as client:
        client.config_set("requirepass", "right")

    for password in ("", ":gF4hJ8kL@"):
        (found,) = await probes.probe_redis(
            "events", f"redis://{password}127.0.0.1:{own_redis.port}"
        )

        assert found.level is Level.FAULT
        assert "gF4hJ8kL" not in found.detail


@pytest.mark.parametrize(
    ("info", "wanted"),
    [
        ({"redis_version": "6.2.1"}, ["fault: Redis 6.2.1 is older than 7"]),
        ({"redis_version": "7.0.0"}, []),
        ({}, []),
    ],
)  # fmt: skip
def test_facts_of_a_redis(info: dict[str, Any], wanted: list[str]) -> None:
    fit = {"redis_version": "8.1.0", "aof_enabled": 1, "maxmemory_policy": "noeviction"}

    assert told(list(probes.redis_findings("events", fit | info)))[1:] == wanted


# RabbitMQ


async def test_rabbitmq_is_told_with_its_version(rabbitmq: Broker) -> None:
    (found,) = await probes.probe_broker("journeys", rabbitmq.url())

    assert found.level is Level.OK
    assert found.detail.startswith("RabbitMQ ")


async def test_rabbitmq_with_a_wrong_password_or_place_is_told_without_it(
    rabbitmq: Broker,
) -> None:
    here = f"127.0.0.1:{rabbitmq.port}"
    for url in (f"amqp://guest:gF4hJ8kL@{here}/t0", f"amqp://guest:guest@{here}/nowhere"):
        (found,) = await probes.probe_broker("journeys", url)

        assert found.level is Level.FAULT
        assert "gF4hJ8kL" not in found.detail


@pytest.mark.parametrize(
    ("version", "wanted"),
    [("3.9.27", ["fault: RabbitMQ 3.9.27 is older than 3.10"]), ("3.10.0", []), ("4.1.2", [])],
)
def test_facts_of_a_rabbitmq(version: str, wanted: list[str]) -> None:
    facts = {"product": "RabbitMQ", "version": version}

    assert told(list(probes.rabbitmq_findings("journeys", facts)))[1:] == wanted


# the store for files


async def test_bucket_is_written_read_listed_and_left_as_it_was(tmp_path: Path) -> None:
    with s3_server() as endpoint:
        make_bucket(endpoint, "city")
        there = bucket_settings(tmp_path, bucket_variables(endpoint, "city"))
        nowhere = bucket_settings(tmp_path, bucket_variables(endpoint, "nobody"))

        assert [f.level for f in await probes.probe_bucket("files", there)] == [Level.OK]
        (found,) = await probes.probe_bucket("files", nowhere)

    assert found.detail == "the store for files refuses the city: NoSuchBucket"
    assert "make the bucket" in found.remedy


# nobody there


async def test_servers_that_are_away_are_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "PATIENCE", 1)
    away = bucket_settings(tmp_path, bucket_variables(f"http://{NOWHERE}", "city"))

    answers = [
        await probes.probe_postgresql("store", f"postgresql://u:gF4hJ8kL@{NOWHERE}/d"),
        await probes.probe_broker("journeys", f"amqp://u:gF4hJ8kL@{NOWHERE}//"),
        await probes.probe_broker("journeys", f"redis://:gF4hJ8kL@{NOWHERE}"),
        await probes.probe_redis("events", f"redis://:gF4hJ8kL@{NOWHERE}"),
        await probes.probe_bucket("files", away),
    ]

    for (found,) in answers:
        assert found.level is Level.FAULT
        assert found.remedy
        assert "gF4hJ8kL" not in str(found)
        assert "a-key-for-tests" not in str(found)
    assert probes.probe_collector(f"http://{NOWHERE}")[0].level is Level.WARNING


async def test_library_that_is_missing_is_told_with_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("psycopg", "kombu", "amqp", "redis", "opentelemetry.exporter.otlp.proto.http"):
        monkeypatch.setitem(sys.modules, name, None)

    answers = [
        await probes.probe_postgresql("store", "postgresql://x/d"),
        await probes.probe_broker("journeys", "amqp://x"),
        await probes.probe_redis("events", "redis://x"),
        probes.probe_collector("http://127.0.0.1:9"),
    ]

    assert [found.remedy for (found,) in answers] == ["pip install 'civitas[cloud]'"] * 4
