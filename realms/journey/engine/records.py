"""Tables beside the journal: stored templates, when schedules ring next, what is archived."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection

from foundations.public_works.database import Database
from realms.journey.engine.journal import VersionTaken
from realms.journey.stored_times import micros as _micros
from realms.journey.stored_times import moment as _moment

_TEMPLATE = "tenant, name, version, hash, text, number, put_at, put_by"
_NEWEST = (
    "number = (SELECT max(number) FROM journey_templates AS o "
    "WHERE o.tenant = t.tenant AND o.name = t.name) ORDER BY tenant, name"
)
OPEN = "('pending', 'queued', 'running', 'waiting', 'paused', 'compensating')"
_SCHEDULE = "tenant, template, times, next_at, waiting, last"


@dataclass(frozen=True, slots=True)
class StoredTemplate:
    """One version of a template as a tenant stored it."""

    tenant: str
    name: str
    version: str
    """As it is stated, else the hash."""
    text_hash: str
    text: str
    put_at: datetime
    put_by: str
    number: int = 0
    """The highest of a name is the current one."""

    @property
    def shown(self) -> str:
        """How faults name it."""
        return f"{self.name}@{self.version[:12]}"


@dataclass(frozen=True, slots=True)
class Ringing:
    """Where one schedule is: when it rings next, and the times whose runs have yet to begin."""

    tenant: str
    template: str
    times: str
    """What says when; another one begins anew."""
    next_at: datetime
    waiting: tuple[datetime, ...] = ()
    last: str = ""
    """The alias of the run that was begun last."""


class TemplateRecords:
    """Versions of templates; each tenant has its own."""

    def __init__(self, *, database: Database) -> None:
        self._database = database.across_tenants()

    async def put(self, template: StoredTemplate) -> tuple[StoredTemplate, bool]:
        """Store a version, which is the current one from now on; whether it is new.

        Raises:
            VersionTaken: this version was stored with another text.
        """
        find = f"SELECT {_TEMPLATE} FROM journey_templates WHERE tenant = ? AND name = ? AND version = ?"  # noqa: S608, E501 - constant column names
        highest = "SELECT max(number) FROM journey_templates WHERE tenant = ? AND name = ?"
        add = f"INSERT INTO journey_templates ({_TEMPLATE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constant column names
        again = (
            "UPDATE journey_templates SET number = ?, put_at = ?, put_by = ? "
            "WHERE tenant = ? AND name = ? AND version = ?"
        )
        of, key = (template.tenant, template.name), _key(template)

        def work(connection: Connection) -> tuple[StoredTemplate, bool]:
            found = connection.exec_driver_sql(find, key).first()
            known = None if found is None else _template(found)
            if known is not None and known.text_hash != template.text_hash:
                raise VersionTaken(
                    f"{template.name} {template.version} is stored with another text",
                    hint="raise its version",
                )
            last = connection.exec_driver_sql(highest, of).scalar() or 0
            if known is not None and known.number == last:
                return known, False
            number, at = last + 1, _micros(template.put_at)
            if known is None:
                values = (*key, template.text_hash, template.text, number, at, template.put_by)
                connection.exec_driver_sql(add, values)
            else:
                connection.exec_driver_sql(again, (number, at, template.put_by, *key))
            stored = connection.exec_driver_sql(find, key).one()
            return _template(stored), known is None

        return await self._database.write(work)

    async def current(self, tenant: str, name: str) -> StoredTemplate | None:
        """The version that was put last."""
        where = "WHERE tenant = ? AND name = ? ORDER BY number DESC LIMIT 1"
        return next(iter(await self._templates(where, (tenant, name))), None)

    async def version(self, tenant: str, name: str, version: str) -> StoredTemplate | None:
        where = "WHERE tenant = ? AND name = ? AND version = ?"
        return next(iter(await self._templates(where, (tenant, name, version))), None)

    async def versions(self, tenant: str, name: str) -> list[StoredTemplate]:
        """Every version of one template, the one put last first."""
        where = "WHERE tenant = ? AND name = ? ORDER BY number DESC"
        return await self._templates(where, (tenant, name))

    async def all_current(self, tenant: str) -> list[StoredTemplate]:
        """The current version of every template of a tenant."""
        return await self._templates(f"AS t WHERE tenant = ? AND {_NEWEST}", (tenant,))

    async def current_that_say(self, words: Sequence[str]) -> list[StoredTemplate]:
        """The current versions, of all tenants, in whose texts one of the words stands."""
        said = " OR ".join(["replace(text, ?, '') <> text"] * len(words))  # in every dialect
        return await self._templates(f"AS t WHERE ({said}) AND {_NEWEST}", tuple(words))

    async def _templates(self, where: str, values: tuple[Any, ...]) -> list[StoredTemplate]:
        select = f"SELECT {_TEMPLATE} FROM journey_templates {where}"  # noqa: S608 - a constant

        def work(connection: Connection) -> list[StoredTemplate]:
            return [_template(found) for found in connection.exec_driver_sql(select, values)]

        return await self._database.read(work)


class ScheduleRecords:
    """Where each schedule is; a process that comes later goes on from there."""

    def __init__(self, *, database: Database) -> None:
        self._database = database.across_tenants()

    async def all(self) -> list[Ringing]:
        select = f"SELECT {_SCHEDULE} FROM journey_schedules ORDER BY tenant, template"  # noqa: S608 - a constant

        def work(connection: Connection) -> list[Ringing]:
            return [_ringing(found) for found in connection.exec_driver_sql(select)]

        return await self._database.read(work)

    async def keep(self, ringing: Ringing) -> None:
        """Write where a schedule is, in the place of where it was."""
        marks = "VALUES (?, ?, ?, ?, ?, ?)"
        replace = (
            f"INSERT INTO journey_schedules ({_SCHEDULE}) {marks} "
            "ON CONFLICT (tenant, template) DO UPDATE SET times = excluded.times, "
            "next_at = excluded.next_at, waiting = excluded.waiting, last = excluded.last"
        )
        values = (
            ringing.tenant,
            ringing.template,
            ringing.times,
            _micros(ringing.next_at),
            orjson.dumps([_micros(time) for time in ringing.waiting]).decode(),
            ringing.last,
        )
        await self._database.write(lambda c: c.exec_driver_sql(replace, values))

    async def forget(self, gone: Sequence[tuple[str, str]]) -> None:
        """Remove schedules, each by tenant and template."""
        delete = "DELETE FROM journey_schedules WHERE tenant = ? AND template = ?"
        if gone:
            await self._database.write(lambda c: c.exec_driver_sql(delete, list(gone)))


class ArchiveRecords:
    """Takes runs out of the journal, and remembers which of their payloads are still to go."""

    def __init__(self, *, database: Database) -> None:
        self._database = database.across_tenants()

    async def remove(self, runs: Mapping[str, Sequence[str]], *, before: datetime) -> list[str]:
        """Forget runs, each with the keys of its payloads: those that are still as they were.

        One that was opened again since, or that ended after `before`, stays; answered are the ids
        of those that are gone.
        """
        gone = (
            f"DELETE FROM journey_runs WHERE run_id = ? AND status NOT IN {OPEN} AND updated_at < ?"  # noqa: S608 - constants
        )
        facts = "DELETE FROM journey_facts WHERE run_id = ?"
        keep = "INSERT INTO journey_leftovers (key) VALUES (?) ON CONFLICT DO NOTHING"

        def work(connection: Connection) -> list[str]:
            removed = []
            for run_id, keys in runs.items():
                if connection.exec_driver_sql(gone, (run_id, _micros(before))).rowcount:
                    connection.exec_driver_sql(facts, (run_id,))
                    if keys:
                        connection.exec_driver_sql(keep, [(key,) for key in keys])
                    removed.append(run_id)
            return removed

        return await self._database.write(work)

    async def leftovers(self, *, limit: int) -> list[str]:
        """Payloads whose runs are gone."""
        select = "SELECT key FROM journey_leftovers LIMIT ?"
        return await self._database.read(
            lambda c: list(c.exec_driver_sql(select, (limit,)).scalars())
        )

    async def cleared(self, keys: Sequence[str]) -> None:
        """These payloads are gone too."""
        delete = "DELETE FROM journey_leftovers WHERE key = ?"
        await self._database.write(lambda c: c.exec_driver_sql(delete, [(key,) for key in keys]))

    async def forget_memos(self, template: str, *, before: datetime) -> None:
        """Forget what milestones of a template remembered before a time."""
        delete = "DELETE FROM journey_memos WHERE substr(key, 1, ?) = ? AND at < ?"
        begin = f"{template}:"
        values = (len(begin), begin, _micros(before))
        await self._database.write(lambda c: c.exec_driver_sql(delete, values))


def _key(template: StoredTemplate) -> tuple[str, str, str]:
    return template.tenant, template.name, template.version


def _template(found: Any) -> StoredTemplate:
    tenant, name, version, text_hash, text, number, put_at, put_by = found
    return StoredTemplate(
        tenant=tenant,
        name=name,
        version=version,
        text_hash=text_hash,
        text=text,
        put_at=_moment(put_at),
        put_by=put_by,
        number=number,
    )


def _ringing(found: Any) -> Ringing:
    tenant, template, times, next_at, waiting, last = found
    return Ringing(
        tenant=tenant,
        template=template,
        times=times,
        next_at=_moment(next_at),
        waiting=tuple(map(_moment, orjson.loads(waiting))),
        last=last,
    )
