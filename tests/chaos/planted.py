"""Bugs that are planted into a process under trial: a harness that misses one is not trusted."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from foundations.public_works.adapters.sqlite import SqliteDatabase
from realms.journey import records
from realms.journey.engine import core, folding, quiet
from realms.journey.engine.driver import Driver
from realms.journey.engine.facts import MilestoneBegan, RunCompensating
from realms.journey.engine.group_commit import GroupCommit
from realms.journey.engine.journal import Entry
from realms.journey.engine.state import NodeState, RunState
from realms.journey.records import DatabaseJournal

Put = Callable[[Any, str, Any], None]
"""Puts something else in the place of an attribute."""


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Let the engine have the bug called `name` inside the block."""
    before: list[tuple[Any, str, Any]] = []

    def put(owner: Any, attribute: str, value: Any) -> None:
        before.append((owner, attribute, owner.__dict__[attribute]))
        setattr(owner, attribute, value)

    BUGS[name](put)
    try:
        yield
    finally:
        for owner, attribute, value in reversed(before):
            setattr(owner, attribute, value)


def _no_fence(put: Put) -> None:
    """A holder that was dismissed goes on writing."""
    put(records, "_LIVING", "SELECT 1 WHERE ? IS NOT NULL")


def _written_over(put: Put) -> None:
    """Writes expect no state: an entry takes the place of another."""
    put(records, "_ADD", _instead(records._ADD, "INSERT", "INSERT OR REPLACE"))
    many = [(n, _instead(sql, "INSERT", "INSERT OR REPLACE")) for n, sql in records._ADD_MANY]
    put(records, "_ADD_MANY", many)
    anybody = _instead(records._CHANGE, "(holder = 0 OR holder = ?)", "? IS NOT NULL")
    put(records, "_CHANGE", anybody)


def _instead(statement: str, words: str, others: str) -> str:
    """A statement with other words; that it had these is part of the bug."""
    assert words in statement, statement
    return statement.replace(words, others)


def _takes_from_the_living(put: Put) -> None:
    """The sweeper frees runs without looking who holds them."""

    async def dismiss(self: DatabaseJournal, *, at: Any, survivor: int) -> int:
        def work(connection: Any) -> int:
            free = "UPDATE journey_runs SET holder = 0 WHERE holder <> 0 AND holder <> ?"
            return int(connection.exec_driver_sql(free, (survivor,)).rowcount)

        return await self._database.write(work)

    put(DatabaseJournal, "dismiss", dismiss)


def _acts_before_the_commit(put: Put) -> None:
    """What follows is done while the facts it follows from are still on their way to the disk."""
    durable = Driver.make_durable

    async def at_once(self: Driver, hand: Any, *arguments: Any, **options: Any) -> None:
        if not hand.run.entries:
            await durable(self, hand, *arguments, **options)
        else:
            self._tasks.own(durable(self, hand, *arguments, **options))
            await asyncio.sleep(0)

    put(Driver, "make_durable", at_once)


def _writes_outside(put: Put) -> None:
    """The writes of a service are not in the transaction of its checkpoint."""

    async def write_now(self: SqliteDatabase, work: Any) -> None:
        await self.write(work)

    put(SqliteDatabase, "write_with_checkpoint", write_now)


def _journals_after_the_call(put: Put) -> None:
    """An attempt is written down together with its result."""
    durable = Driver.make_durable
    held: dict[tuple[int, str], tuple[Any, ...]] = {}

    async def later(self: Driver, hand: Any, step: Any, **options: Any) -> None:
        facts = held.pop((id(self), hand.run.run_id), ()) + tuple(step.facts)
        begun = tuple(fact for fact in facts if isinstance(fact, MilestoneBegan))
        if begun and len(begun) < len(facts) and facts[-len(begun) :] == begun:
            held[id(self), hand.run.run_id] = begun
            facts = facts[: -len(begun)]
        await durable(self, hand, core.Step(facts, step.moves), **options)

    put(Driver, "make_durable", later)


def _rings_nobody(put: Put) -> None:
    """That a run waits for another is not written where that one ends."""
    write = DatabaseJournal.write

    def silent(self: DatabaseJournal, entries: Any, *, holder: int) -> Any:
        return write(self, [_without_rings(entry) for entry in entries], holder=holder)

    put(DatabaseJournal, "write", silent)


def _a_key_for_each_attempt(put: Put) -> None:
    """A second attempt has another idempotency key."""

    def key(run: RunState, node: NodeState) -> str:
        generation = node.generation + node.attempts - 1
        return f"{run.run_id}:{node.path}:{node.iteration}:{generation}"

    put(core, "idempotency_key", key)


def _forgets_crashes(put: Put) -> None:
    """Attempts that died with their process are made again without a word."""
    put(core, "recovered", lambda run, now: ())


def _loses_an_item(put: Put) -> None:
    """After a crash the results of a `for_each` lack one."""
    gathered = folding.gathered

    def short(run: RunState, parent: NodeState) -> list[Any]:
        crashed = any(node.crashes for node in run.nodes.values() if node.node == parent.path)
        results = gathered(run, parent)
        return results[:-1] if crashed else results

    put(core, "gathered", short)
    put(folding, "gathered", short)


def _undoes_the_first_first(put: Put) -> None:
    """What was done is undone in the order in which it was done."""

    def turned(**said: Any) -> RunCompensating:
        return RunCompensating(**{**said, "paths": tuple(reversed(said["paths"]))})

    put(quiet, "RunCompensating", turned)


def _answers_too_early(put: Put) -> None:
    """That a run is accepted is said before it is durable."""
    add = GroupCommit.add

    def early(self: GroupCommit, entry: Any) -> Any:
        durable = add(self, entry)
        if entry.seq:
            return durable
        durable.add_done_callback(lambda done: done.cancelled() or done.exception())
        said: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        said.set_result(None)
        return said

    put(GroupCommit, "add", early)


def _drops_what_was_refused(put: Put) -> None:
    """What the store did not take is taken for written."""
    refused = GroupCommit._refused

    def drop(self: GroupCommit, error: Any) -> None:
        for pending in (*self._writing, *self._pending):
            if pending.entry.seq and not pending.durable.done():
                pending.durable.set_result(None)
        self._writing = [pending for pending in self._writing if not pending.entry.seq]
        self._pending = [pending for pending in self._pending if not pending.entry.seq]
        refused(self, error)

    put(GroupCommit, "_refused", drop)


def _without_rings(entry: Entry) -> Entry:
    seq, data, row = entry.seq, entry.data, entry.row
    return Entry(entry.run_id, seq, data, row, memos=entry.memos, along=entry.along)


BUGS: Mapping[str, Callable[[Put], None]] = {
    "no_fence": _no_fence,
    "written_over": _written_over,
    "takes_from_the_living": _takes_from_the_living,
    "acts_before_the_commit": _acts_before_the_commit,
    "writes_outside": _writes_outside,
    "journals_after_the_call": _journals_after_the_call,
    "rings_nobody": _rings_nobody,
    "a_key_for_each_attempt": _a_key_for_each_attempt,
    "forgets_crashes": _forgets_crashes,
    "loses_an_item": _loses_an_item,
    "undoes_the_first_first": _undoes_the_first_first,
    "answers_too_early": _answers_too_early,
    "drops_what_was_refused": _drops_what_was_refused,
}
"""Every planted bug; its docstring says what it does."""
