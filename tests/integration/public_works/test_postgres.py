"""The relational store on a real PostgreSQL: what it keeps, and what it says when it cannot."""

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from shutil import rmtree
from typing import Any

import pytest
from loguru import logger
from pydantic import SecretStr
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from foundations.public_works.adapters import postgres, postgres_driver
from foundations.public_works.adapters.postgres import PostgresDatabase
from foundations.public_works.database import (
    ConstraintBroken,
    DatabaseBusy,
    DatabaseUnusable,
    DriverConnection,
    OutcomeUnknown,
    SchemaTooNew,
    StorageFull,
    TextRefused,
    Writes,
    collecting,
)
from foundations.public_works.settings import Settings
from realms.journey.records import DatabaseJournal
from tests.contract.test_journals import first
from tests.support.journals import MIGRATIONS
from tests.support.journeys import BEGAN
from tests.support.postgres import PostgresServer, started_server
from utilities.context import CallContext, UserContext, bound
from utilities.errors import ErrorKind, PlatformError

pytestmark = pytest.mark.anyio

ADD_ONE = "UPDATE fact SET data = data + 1 WHERE id = ?"
PUT = "INSERT INTO fact (id, data) VALUES (?, ?)"


@asynccontextmanager
async def opened(url: str, connections: int = 7) -> AsyncIterator[PostgresDatabase]:
    settings = Settings(database_url=SecretStr(url), database_connections=connections)
    async with PostgresDatabase(settings=settings) as database:
        yield database


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[PostgresDatabase]:
    async with opened(postgres_url) as store:
        await store.commit(lambda c: c.execute("CREATE TABLE fact (id int PRIMARY KEY, data int)"))
        await store.commit_statement(PUT, (0, 0))
        yield store


async def facts(database: PostgresDatabase) -> dict[int, int]:
    rows = await database.read(lambda c: c.exec_driver_sql("SELECT id, data FROM fact").all())
    return {row.id: row.data for row in rows}


def putting(number: int) -> Writes:
    def work(connection: Connection) -> None:
        connection.exec_driver_sql(PUT, (number, 0))

    return work


def put(number: int) -> Any:
    return lambda connection: connection.execute(PUT, (number, 0))


# writing


async def test_no_increment_is_lost_when_many_read_and_write_at_once(
    database: PostgresDatabase,
) -> None:
    def add(connection: Connection) -> None:
        now = connection.exec_driver_sql("SELECT data FROM fact WHERE id = ?", (0,)).scalar_one()
        connection.exec_driver_sql("UPDATE fact SET data = ? WHERE id = 0", (now + 1,))

    await asyncio.gather(*(database.write(add) for _ in range(40)))

    assert await facts(database) == {0: 40}


async def test_two_that_look_before_they_write_are_as_one_after_the_other(
    database: PostgresDatabase,
) -> None:
    """Each would write only if nobody had: with snapshots alone both would."""
    both = threading.Barrier(2)
    looks: list[int] = []

    def claim(number: int) -> Any:
        def work(connection: Connection) -> bool:
            held = connection.exec_driver_sql("SELECT count(*) FROM fact WHERE id > 0").scalar_one()
            looks.append(held)
            if len(looks) <= 2:
                both.wait(10)
            if held == 0:
                connection.exec_driver_sql(PUT, (number, 0))
            return bool(held == 0)

        return work

    won = await asyncio.gather(*(database.write(claim(number)) for number in (1, 2)))

    assert sorted(won) == [False, True]
    assert len(await facts(database)) == 2


async def test_two_that_replace_the_same_row_at_once_both_do(database: PostgresDatabase) -> None:
    """The server may say of one that the row is there, and not that the other was in the way."""
    both = threading.Barrier(2)
    tries: list[int] = []

    def replace(number: int) -> Any:
        def work(connection: Connection) -> None:
            connection.exec_driver_sql("DELETE FROM fact WHERE id = 7")
            tries.append(number)
            if len(tries) <= 2:
                both.wait(10)
            connection.exec_driver_sql(PUT, (7, number))

        return work

    for _ in range(5):
        await asyncio.gather(*(database.write(replace(number)) for number in (1, 2)))
        assert (await facts(database))[7] in {1, 2}
        await database.write(lambda c: c.exec_driver_sql("DELETE FROM fact WHERE id = 7"))
        tries.clear()


async def test_write_that_raises_leaves_nothing(database: PostgresDatabase) -> None:
    def work(connection: Connection) -> None:
        connection.exec_driver_sql(PUT, (1, 0))
        raise LookupError

    with pytest.raises(LookupError):
        await database.write(work)
    with pytest.raises(IntegrityError):
        await database.write(lambda c: c.exec_driver_sql(PUT, (0, 0)))
    assert await facts(database) == {0: 0}


async def test_commit_takes_what_goes_along_with_it_or_nothing(database: PostgresDatabase) -> None:
    along = [putting(2)]
    await database.commit(put(1), along=along)

    with pytest.raises(ConstraintBroken):
        await database.commit(put(3), along=along)
    with pytest.raises(ConstraintBroken):
        await database.commit(put(1))

    assert sorted(await facts(database)) == [0, 1, 2]


async def test_commits_are_made_in_the_order_of_the_calls(database: PostgresDatabase) -> None:
    go = threading.Event()
    first = database.commit(lambda c: (go.wait(10), c.execute(ADD_ONE, (0,)))[1].rowcount)
    second = database.commit(lambda c: c.execute("UPDATE fact SET data = data * 10").rowcount)
    go.set()

    assert (await first, await second) == (1, 1)
    assert await facts(database) == {0: 10}


async def test_statement_is_a_transaction_of_its_own(database: PostgresDatabase) -> None:
    rows = await database.commit_statement(f"{ADD_ONE} RETURNING data", (0,))

    assert [tuple(row) for row in rows] == [(1,)]
    with pytest.raises(ConstraintBroken):
        await database.commit_statement(PUT, (0, 0))
    assert await facts(database) == {0: 1}


async def test_light_statement_waits_for_no_commit_and_no_disk(database: PostgresDatabase) -> None:
    asleep = database.commit_statement("SELECT pg_sleep(0.3)", ())

    rows = await database.light_statement(f"{ADD_ONE} RETURNING data", (0,))
    ((waits,),) = await database.light_statement("SHOW synchronous_commit", ())

    assert not asleep.done()
    assert [tuple(row) for row in rows] == [(1,)]
    assert waits == "off"
    assert await database.commit_statement("SHOW synchronous_commit", ()) == [("on",)]
    assert await facts(database) == {0: 1}


async def test_statement_whose_caller_has_gone_is_made(database: PostgresDatabase) -> None:
    database.commit_statement(ADD_ONE, (0,)).cancel()
    database.commit(lambda c: c.execute(ADD_ONE, (0,))).cancel()
    await database.commit(lambda c: c.execute("SELECT 1"))

    assert await database.commit_statement("SELECT 1", ()) == [(1,)]
    assert await facts(database) == {0: 2}


async def test_writes_of_an_attempt_travel_with_its_checkpoint(database: PostgresDatabase) -> None:
    with collecting() as writes:
        await database.write_with_checkpoint(putting(1))
        before = await facts(database)
    await database.commit(put(2), along=writes)
    await database.write_with_checkpoint(putting(3))

    assert sorted(before) == [0]
    assert sorted(await facts(database)) == [0, 1, 2, 3]


async def test_reading_changes_nothing(database: PostgresDatabase) -> None:
    with pytest.raises(DatabaseBusy):
        await database.read(lambda c: c.exec_driver_sql(PUT, (1, 0)))
    assert await facts(database) == {0: 0}


async def test_many_rows_and_marks_reach_the_driver(database: PostgresDatabase) -> None:
    rows = [(number, number) for number in range(1, 4)]
    counted = await database.commit(lambda c: c.executemany(PUT, rows).rowcount)
    like = "SELECT count(*) FROM fact WHERE data::text LIKE '%3' AND id > ?"

    assert counted == 3
    assert await database.read(lambda c: c.exec_driver_sql(like, (0,)).scalar_one()) == 1


# faults


async def test_b8_deadlock_ends_with_both_written(database: PostgresDatabase) -> None:
    await database.commit_statement(PUT, (1, 0))
    both = threading.Barrier(2)
    entered: list[int] = []

    def work(first: int, second: int) -> Any:
        def add(connection: DriverConnection) -> None:
            connection.execute(ADD_ONE, (first,))
            entered.append(first)
            if len(entered) <= 2:
                both.wait(10)
            connection.execute(ADD_ONE, (second,))

        return add

    async with opened(database._url.render_as_string(hide_password=False)) as other:
        await asyncio.gather(database.commit(work(0, 1)), other.commit(work(1, 0)))

    assert await facts(database) == {0: 2, 1: 2}


async def test_b8_statement_that_takes_too_long_is_ended(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(postgres_driver.SESSION, "statement_timeout", "100ms")

    async with opened(postgres_url) as store:
        for slow in (
            store.commit_statement("SELECT pg_sleep(5)", ()),
            store.read(lambda c: c.execute(text("SELECT pg_sleep(5)"))),
        ):
            with pytest.raises(DatabaseBusy, match="longer"):
                await slow


async def test_no_more_connections_are_opened_than_are_allowed(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_FREE_SECONDS", 0.1)
    mine = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"

    async with opened(postgres_url, connections=5) as store:
        await store.commit_statement("SELECT 1", ())
        await store.light_statement("SELECT 1", ())
        await store.commit(lambda c: c.execute("SELECT 1"))
        await store.write(lambda c: c.execute(text("SELECT 1")))
        held, go = threading.Event(), threading.Event()

        def hold(_: Connection) -> bool:
            held.set()
            return go.wait(10)

        holder = asyncio.create_task(store.write(hold))
        await asyncio.to_thread(held.wait, 10)
        with pytest.raises(DatabaseBusy, match="in use"):
            await store.write(lambda c: c.execute(text("SELECT 1")))
        assert await store.read(lambda c: c.execute(text(mine)).scalar_one()) == 5
        go.set()
        await holder


async def test_connection_that_breaks_in_a_commit_leaves_its_outcome_open(
    database: PostgresDatabase,
) -> None:
    end_me = "SELECT pg_terminate_backend(pg_backend_pid())"

    with pytest.raises(OutcomeUnknown):
        await database.commit_statement(end_me, ())
    assert await database.commit_statement(ADD_ONE, (0,)) == []
    with pytest.raises(DatabaseBusy):
        await database.commit(lambda c: c.execute(end_me))
    await database.commit(lambda c: c.execute(ADD_ONE, (0,)))
    assert await facts(database) == {0: 2}


async def test_what_a_broken_connection_had_begun_has_ended_before_the_next(
    database: PostgresDatabase,
) -> None:
    """The connection is cut; the server goes on with what it was told to do, and would commit."""
    slow = "WITH slept AS (SELECT pg_sleep(20)) UPDATE fact SET data = 1000 FROM slept"
    cut = database.commit_statement(slow, ())
    while not await _working(database):  # noqa: ASYNC110 - the server tells, not the loop
        await asyncio.sleep(0.01)
    database._statements._connection._transport.abort()
    with pytest.raises(OutcomeUnknown):
        await cut

    await database.commit_statement(ADD_ONE, (0,))

    assert not await _working(database)
    assert await facts(database) == {0: 1}


async def _working(database: PostgresDatabase) -> bool:
    asked = text("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'WITH slept%'")
    return bool(await database.read(lambda c: c.execute(asked).scalar_one()))


async def test_error_of_the_statement_itself_is_told_as_it_is(database: PostgresDatabase) -> None:
    with pytest.raises(ProgrammingError):
        await database.read(lambda c: c.exec_driver_sql("SELECT * FROM nowhere"))
    with pytest.raises(Exception, match="nowhere"):
        await database.commit_statement("SELECT * FROM nowhere", ())
    with pytest.raises(Exception, match="argument"):
        await database.commit_statement("SELECT 1", (1, 2))
    with pytest.raises(TextRefused):
        await database.read(lambda c: c.exec_driver_sql("SELECT ?::text", ("a\0b",)))


# the server


@pytest.fixture
def own_server(postgres_server: PostgresServer) -> Iterator[PostgresServer]:
    """A server that a test may stop."""
    server = started_server(postgres_server.binaries)
    yield server
    server.stop("immediate")
    rmtree(server.folder)


async def test_city_goes_on_when_the_server_was_started_anew(own_server: PostgresServer) -> None:
    url = own_server.url("postgres")
    async with opened(url) as store:
        await store.commit(lambda c: c.execute("CREATE TABLE fact (id int PRIMARY KEY, data int)"))
        await store.commit_statement(PUT, (0, 0))
        await store.write(lambda c: c.exec_driver_sql(ADD_ONE, (0,)))
        own_server.stop("immediate")

        for gone in (
            lambda: store.read(lambda c: c.execute(text("SELECT 1"))),
            lambda: store.commit_statement(ADD_ONE, (0,)),
            lambda: store.commit(lambda c: c.execute(ADD_ONE, (0,))),
        ):
            with pytest.raises(DatabaseBusy):
                await gone()
        own_server.start()

        assert await facts(store) == {0: 1}
        await store.write(lambda c: c.exec_driver_sql(ADD_ONE, (0,)))
        await store.commit_statement(ADD_ONE, (0,))
        await store.commit(lambda c: c.execute(ADD_ONE, (0,)))
        assert await facts(store) == {0: 4}


@pytest.mark.parametrize(
    ("change", "said", "hint"),
    [
        (lambda url: url.replace("city_tests:", "city_tests:x"), "password", "the password"),
        (lambda url: f"{url.rpartition('/')[0]}/nothing", "does not exist", "create"),
        (lambda _: "postgresql://u:p@127.0.0.1:1/city", "refused", "whether the server runs"),
        (lambda _: "mysql://u:p@127.0.0.1/city", "not PostgreSQL's", "postgresql://"),
        (lambda _: "postgresql://u:p@127.0.0.1/", "not PostgreSQL's", "postgresql://"),
        (lambda _: "nonsense", "cannot be read", "postgresql://"),
    ],
)
async def test_unusable_database_is_found_at_boot(
    postgres_url: str, change: Any, said: str, hint: str
) -> None:
    with pytest.raises(DatabaseUnusable, match=said) as refused:
        async with opened(change(postgres_url)):
            pass

    assert hint in refused.value.hint
    assert postgres_url.split(":")[2].split("@", maxsplit=1)[0] not in str(refused.value)


async def test_database_that_keeps_no_unicode_is_refused(postgres_server: PostgresServer) -> None:
    postgres_server.run("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    try:
        with pytest.raises(DatabaseUnusable, match="LATIN1"):
            async with opened(postgres_server.url("latin")):
                pass
    finally:
        postgres_server.run("DROP DATABASE latin WITH (FORCE)")


async def test_commits_wait_for_the_disk_where_the_server_would_not(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    name = postgres_url.rpartition("/")[2]
    postgres_server.run(f"ALTER DATABASE {name} SET synchronous_commit = off")
    asked = "SELECT current_setting('synchronous_commit')"

    async with opened(postgres_url) as store:
        said = [
            (await store.commit_statement(asked, ()))[0][0],
            await store.commit(lambda c: c.execute(asked).fetchone()[0]),
            await store.write(lambda c: c.execute(text(asked)).scalar_one()),
        ]

    assert said == ["on", "on", "on"]


# migrations


REVISION = """
import sqlalchemy as sa
from alembic import op
revision = "0001"
down_revision = None


def upgrade():
    op.create_table("things", sa.Column("id", sa.Text, primary_key=True))
"""


async def test_processes_that_start_together_migrate_once(
    postgres_url: str, tmp_path: Path
) -> None:
    (tmp_path / "0001_things.py").write_text(REVISION)

    async with opened(postgres_url) as one, opened(postgres_url) as other:
        await asyncio.gather(*(store.migrate("things", tmp_path) for store in (one, other)))
        for name in ("Zebra", "apple", "Äpfel", "éclair"):
            await one.commit_statement("INSERT INTO things VALUES (?)", (name,))
        order = text("SELECT id FROM things ORDER BY id")
        sorted_there = await one.read(lambda c: list(c.execute(order).scalars()))
        await one.commit_statement("UPDATE schema_version_things SET version_num = '0007'", ())
        with pytest.raises(SchemaTooNew):
            await other.migrate("things", tmp_path)

    assert sorted_there == sorted(sorted_there) == ["Zebra", "apple", "Äpfel", "éclair"]


async def test_c10_a_migration_that_broke_off_leaves_nothing_and_is_made_again(
    postgres_url: str, tmp_path: Path
) -> None:
    (tmp_path / "0001_things.py").write_text(f"{REVISION}    op.execute('SELECT 1 / 0')\n")
    async with opened(postgres_url) as database:
        with pytest.raises(Exception, match="zero"):
            await database.migrate("things", tmp_path)
        with pytest.raises(Exception, match="does not exist"):
            await database.commit_statement("SELECT * FROM things", ())
        (tmp_path / "0001_things.py").write_text(REVISION)

        await database.migrate("things", tmp_path)

        rows = await database.commit_statement("SELECT count(*) FROM things", ())
    assert [tuple(row) for row in rows] == [(0,)]


async def test_b8_where_no_connection_is_left_it_is_told_to_try_again(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    def one(connection: Connection) -> Any:
        return connection.exec_driver_sql("SELECT 1").scalar()

    role = f"few_{secrets.token_hex(4)}"
    postgres_server.run(f"CREATE ROLE {role} LOGIN PASSWORD 'r7T2v9X4' CONNECTION LIMIT 8")
    name = postgres_url.rpartition("/")[2]
    postgres_server.run(f"GRANT ALL ON DATABASE {name} TO {role}")
    url = f"postgresql://{role}:r7T2v9X4@127.0.0.1:{postgres_server.port}/{name}"
    try:
        async with opened(url) as database:
            postgres_server.run(f"ALTER ROLE {role} CONNECTION LIMIT 0")
            postgres_server.run(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'"
            )
            with suppress(PlatformError):  # this one may hear that its connection broke
                await database.read(one)
            with pytest.raises(PlatformError) as refused:
                await database.read(one)
            postgres_server.run(f"ALTER ROLE {role} CONNECTION LIMIT 8")
            found = await database.read(one)
    finally:
        postgres_server.run(f"REVOKE ALL ON DATABASE {name} FROM {role}")
        postgres_server.run(f"DROP ROLE {role}")

    assert refused.value.kind is ErrorKind.UNAVAILABLE
    assert found == 1


# tenants


TENANTS = """
import sqlalchemy as sa
from alembic import op
revision = "0001"
down_revision = None


def upgrade():
    op.create_table(
        "letters",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
    )
    letter = sa.Column("letter", sa.Integer, sa.ForeignKey("letters.id"), primary_key=True)
    op.create_table("pages", letter)
    op.create_table("stamps", sa.Column("price", sa.Integer, primary_key=True))
"""


def user(tenant: str) -> bound:
    return bound(CallContext("trace", UserContext(tenant=tenant, principal="someone")))


async def test_what_is_done_for_a_tenant_sees_and_changes_its_rows_alone(
    postgres_url: str, tmp_path: Path
) -> None:
    (tmp_path / "0001_letters.py").write_text(TENANTS)
    letters = "SELECT tenant FROM letters ORDER BY id"
    pages = "SELECT letter FROM pages ORDER BY letter"
    write = "INSERT INTO letters (tenant) VALUES (?)"

    def asked(sql: str) -> Any:
        return lambda c: list(c.exec_driver_sql(sql).scalars())

    def does(sql: str, *values: object) -> Any:
        return lambda c: c.exec_driver_sql(sql, values).rowcount

    async with opened(postgres_url) as store:
        await store.migrate("post", tmp_path)
        await store.migrate("journey", MIGRATIONS)
        for tenant, price in (("north", 5), ("south", 9)):
            with user(tenant):
                await store.write(does(write, tenant))
                await store.write(does("INSERT INTO pages SELECT id FROM letters"))
                await store.write(does("INSERT INTO stamps VALUES (?)", price))
        with user("south"):
            seen = [await store.read(asked(sql)) for sql in (letters, pages)]
            stamps = await store.read(asked("SELECT price FROM stamps ORDER BY price"))
            removed = await store.write(
                lambda c: c.exec_driver_sql("DELETE FROM letters WHERE id = 1").rowcount
            )
            everything = [await store.across_tenants().read(asked(sql)) for sql in (letters, pages)]
            journal = DatabaseJournal(database=store)
            holder = await journal.take_hold(at=BEGAN, until=None)
            await journal.write([first()], holder=holder)
            with pytest.raises(ProgrammingError, match="permission"):
                await store.read(asked("SELECT run_id FROM journey_runs"))
            with pytest.raises(ProgrammingError, match="row-level security"):
                await store.write(does(write, "north"))
            with pytest.raises(ProgrammingError, match="row-level security"):
                await store.write(does("INSERT INTO pages VALUES (1)"))
            with pytest.raises(ProgrammingError, match="permission"):
                await store.write(does("DELETE FROM schema_version_post"))
        outside = await store.read(asked(letters))

    assert seen == [["south"], [2]]
    assert stamps == [5, 9]
    assert removed == 0
    assert everything == [["north", "south"], [1, 2]]
    assert outside == ["north", "south"]


async def test_user_who_may_make_no_role_or_table_hears_what_to_do(
    postgres_server: PostgresServer, postgres_url: str, tmp_path: Path
) -> None:
    name, said = postgres_url.rpartition("/")[2], []
    (tmp_path / "0001_things.py").write_text(REVISION)
    postgres_server.run(f"CREATE ROLE {name} LOGIN PASSWORD 'plain'")
    postgres_server.run("REVOKE CREATE ON SCHEMA public FROM PUBLIC", database=name)
    plain = f"postgresql://{name}:plain@{postgres_url.partition('@')[2]}"
    sink = logger.add(lambda line: said.append(str(line)), format="{message}")

    try:
        async with opened(plain) as store:
            with user("north"):
                assert await store.read(lambda c: c.execute(text("SELECT 1")).scalar_one()) == 1
            with pytest.raises(DatabaseUnusable, match="things"):
                await store.migrate("things", tmp_path)
    finally:
        logger.remove(sink)
        postgres_server.run(f"DROP DATABASE {name} WITH (FORCE)")
        postgres_server.run(f"DROP ROLE {name}")

    assert any(f"GRANT civitas_request TO {name}" in line for line in said)


# what faults mean


class Fault(Exception):
    """A fault of a driver, as far as it is looked at."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__("the server's own words")
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("53100", StorageFull),
        ("53300", DatabaseBusy),
        ("57P03", DatabaseBusy),
        ("40001", DatabaseBusy),
        ("55P03", DatabaseBusy),
        ("58030", DatabaseBusy),
        ("25006", DatabaseBusy),
        ("28P01", DatabaseUnusable),
        ("22021", TextRefused),
        ("23505", type(None)),
        ("42P01", type(None)),
    ],
)
def test_faults_are_told_in_the_ports_own_words(code: str, kind: type) -> None:
    assert type(postgres_driver.explained(Fault(code))) is kind
