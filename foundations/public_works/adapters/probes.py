"""Asks servers whether they are what the city needs, before it stands on them.

A probe raises nothing: whatever a server says or does not say is a finding with its remedy.
"""

import os
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from secrets import token_hex
from typing import Any
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError

from foundations.public_works.adapters.s3 import explained, reason_of, s3_store
from foundations.public_works.findings import Finding, fault, ok, warning
from foundations.public_works.settings import Settings
from foundations.public_works.threads import in_thread

PATIENCE = 5
"""Seconds that a server has to answer."""
OLDEST_POSTGRESQL = 14
OLDEST_RABBITMQ = (3, 10)
OLDEST_REDIS = 7
LARGEST_CLOCK_DIFFERENCE = 5.0
_INSTALL = "pip install 'civitas[cloud]'"


async def probe_postgresql(about: str, url: str) -> list[Finding]:
    """Whether a PostgreSQL answers, is new enough, durable, writable, and of our time."""
    return await in_thread(_told, about, url, _ask_postgresql)


async def probe_broker(about: str, url: str) -> list[Finding]:
    """Whether RabbitMQ or Redis answers, and keeps what it is given."""
    ask = _ask_redis if urlsplit(url).scheme in {"redis", "rediss"} else _ask_rabbitmq
    return await in_thread(_told, about, url.partition(";")[0], ask)


async def probe_redis(about: str, url: str) -> list[Finding]:
    """Whether Redis answers, and keeps what it is given."""
    return await in_thread(_told, about, url, _ask_redis)


async def probe_bucket(about: str, settings: Settings) -> list[Finding]:
    """Whether the city can write, read, list and delete in the store for files."""
    key, written = f"probe/{token_hex(8)}", os.urandom(1024)
    try:
        store = s3_store(settings, patience=PATIENCE, retries=1)
        await obstore.put_async(store, key, written)
        read = bytes(await (await obstore.get_async(store, key)).bytes_async())
        await obstore.list(store, chunk_size=1).collect_async()
        await obstore.delete_async(store, key)
    except (BaseError, OSError, ValueError) as error:
        told = explained(error)
        return [fault(about, f"{told.detail}: {reason_of(error)}", told.hint)]
    if read != written:
        detail = "the store for files gives back other bytes than it was given"
        return [fault(about, detail, "use a store that keeps what it is given")]
    return [ok(about, "an object was written, read, listed and deleted")]


def probe_collector(endpoint: str) -> list[Finding]:
    """Whether spans can be sent: a collector that is away costs spans, and keeps nothing up."""
    about, address = "tracing", urlsplit(endpoint)
    try:
        import_module("opentelemetry.exporter.otlp.proto.http")
    except ImportError:
        return [fault(about, "the library that sends spans is not installed", _INSTALL)]
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        with socket.create_connection((address.hostname or "", port), timeout=PATIENCE):
            return [ok(about, f"{endpoint} takes connections")]
    except OSError as error:
        told = f"{endpoint} does not answer: {_shown(error, endpoint)}"
        return [warning(about, told, "start a collector, or correct CIVITAS_TRACE_ENDPOINT")]


def _told(about: str, url: str, ask: Callable[[str, str], Iterator[Finding]]) -> list[Finding]:
    """What a server says; a library that is missing and a server that is mute are findings too."""
    try:
        return list(ask(about, url))
    except ImportError:
        return [fault(about, "the library that talks to it is not installed", _INSTALL)]
    except _Mute as mute:
        remedy = "start it, or correct address, user and password in the URL"
        return [fault(about, f"does not answer: {_shown(mute.cause, url)}", remedy)]


class _Mute(Exception):
    def __init__(self, cause: Exception) -> None:
        super().__init__()
        self.cause = cause


@dataclass(frozen=True, slots=True)
class PostgresqlFacts:
    """What a PostgreSQL says of itself; `ahead` is its clock less this machine's, in seconds."""

    version: int
    replica: bool
    read_only: bool
    encoding: str
    fsync: bool
    may_create: bool
    ahead: float


def _ask_postgresql(about: str, url: str) -> Iterator[Finding]:
    import psycopg

    plain = re.sub(r"^(\w+)\+\w+:", r"\1:", url)
    try:
        with psycopg.connect(
            plain, connect_timeout=PATIENCE, autocommit=True, client_encoding="UTF8"
        ) as connection:
            before = time.time()
            row = connection.execute(_POSTGRESQL).fetchone()
            between = (before + time.time()) / 2
            version = connection.info.server_version // 10_000
    except psycopg.Error as error:
        raise _Mute(error) from error
    assert row is not None
    clock, replica, read_only, encoding, fsync, may_create = row
    yield from postgresql_findings(
        about,
        PostgresqlFacts(
            version=version,
            replica=replica,
            read_only=read_only == "on",
            encoding=encoding,
            fsync=fsync == "on",
            may_create=may_create,
            ahead=float(clock) - between,
        ),
    )


_POSTGRESQL = """
SELECT extract(epoch FROM clock_timestamp()), pg_is_in_recovery(),
       current_setting('default_transaction_read_only'), current_setting('server_encoding'),
       current_setting('fsync'),
       coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)
"""


def postgresql_findings(about: str, facts: PostgresqlFacts) -> Iterator[Finding]:
    """What a PostgreSQL's facts mean for a city."""
    yield ok(about, f"PostgreSQL {facts.version} answers")
    if facts.version < OLDEST_POSTGRESQL:
        detail = f"PostgreSQL {facts.version} is older than {OLDEST_POSTGRESQL}"
        yield fault(about, detail, f"upgrade it to {OLDEST_POSTGRESQL} or later")
    if facts.replica or facts.read_only:
        remedy = "name the primary in CIVITAS_DATABASE_URL; decisions are made there only"
        yield fault(about, "this PostgreSQL takes no writes", remedy)
    elif not facts.may_create:
        remedy = "GRANT CREATE, USAGE ON SCHEMA public TO the user in CIVITAS_DATABASE_URL"
        yield fault(about, "the user may make no tables there", remedy)
    if facts.encoding != "UTF8":
        remedy = "create the database with ENCODING 'UTF8'"
        yield fault(about, f"the database keeps text as {facts.encoding}", remedy)
    if not facts.fsync:
        remedy = "set fsync = on, and restart PostgreSQL"
        yield fault(about, "fsync is off: a power cut loses what was accepted", remedy)
    yield from clock_difference(about, facts.ahead)


def clock_difference(about: str, seconds: float) -> Iterator[Finding]:
    """What follows from a server's clock that is so far ahead of this machine's."""
    if abs(seconds) > LARGEST_CLOCK_DIFFERENCE:
        way = "ahead of" if seconds > 0 else "behind"
        yield warning(
            about,
            f"its clock is {abs(seconds):.0f} s {way} this machine's; leases go by the database's",
            "set both clocks by NTP",
        )


def _ask_redis(about: str, url: str) -> Iterator[Finding]:
    import redis

    try:
        with redis.Redis.from_url(
            url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE
        ) as client:
            told: Any = client.info()
    except (redis.RedisError, OSError, ValueError) as error:
        raise _Mute(error) from error
    yield from redis_findings(about, told)


def redis_findings(about: str, told: Mapping[str, Any]) -> Iterator[Finding]:
    """What the answer to INFO means for a city."""
    version = str(told.get("redis_version", "0"))
    yield ok(about, f"Redis {version} answers")
    if int(version.partition(".")[0]) < OLDEST_REDIS:
        detail = f"Redis {version} is older than {OLDEST_REDIS}"
        yield fault(about, detail, f"upgrade it to {OLDEST_REDIS} or later")
    if not told.get("aof_enabled"):
        yield fault(
            about,
            "Redis keeps no append-only file: a restart loses what it was given",
            "set appendonly yes and appendfsync everysec in redis.conf",
        )
    if (policy := told.get("maxmemory_policy")) != "noeviction":
        yield fault(
            about,
            f"Redis throws away what it was given when memory is short ({policy})",
            "set maxmemory-policy noeviction in redis.conf",
        )


def _ask_rabbitmq(about: str, url: str) -> Iterator[Finding]:
    import amqp
    import kombu

    try:  # by its transport: a connection of kombu's tries again after 2 s
        line = kombu.Connection(url, connect_timeout=PATIENCE).transport.establish_connection()
        told = line.server_properties
        line.close()
    except (kombu.exceptions.KombuError, amqp.AMQPError, OSError, ValueError) as error:
        raise _Mute(error) from error
    yield from rabbitmq_findings(about, told)


def rabbitmq_findings(about: str, told: Mapping[str, Any]) -> Iterator[Finding]:
    """What a RabbitMQ's properties mean for a city."""
    version = str(told.get("version", "0"))
    yield ok(about, f"{told.get('product', 'RabbitMQ')} {version} answers")
    known = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if known < OLDEST_RABBITMQ:
        oldest = ".".join(map(str, OLDEST_RABBITMQ))
        yield fault(about, f"RabbitMQ {version} is older than {oldest}", f"upgrade it to {oldest}")


_SHORTEST_HIDDEN = 4
"""Shorter ones hide nothing, and would be found in ordinary words."""


def _shown(error: Exception, url: str) -> str:
    """The first line of an error, without the password that may stand in it."""
    line = next(iter(str(error).splitlines()), "") or type(error).__name__
    password = urlsplit(url).password or ""
    for secret in (password, unquote(password)):
        line = line.replace(secret, "***") if len(secret) >= _SHORTEST_HIDDEN else line
    return line[:200]
