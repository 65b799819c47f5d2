"""Tables of the data steward: decisions by track, the newest quality, links of lineage."""

from collections.abc import Callable
from datetime import datetime

import sqlalchemy as sa

from foundations.public_works.database import Database, Writes
from foundations.public_works.rows import Rows
from smart_city.data_steward.api import (
    DataClasses,
    DataTrack,
    EndedRetention,
    LineageLink,
    PolicyDecision,
    Quality,
    QualityReport,
    Removal,
)
from smart_city.stamps import stamp

_metadata = sa.MetaData()
_decisions = sa.Table(
    "data_decisions",
    _metadata,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("track", sa.Text, primary_key=True),
    sa.Column("file_id", sa.Text, primary_key=True),
    sa.Column("policy_version", sa.Text, primary_key=True),
    sa.Column("allowed", sa.Boolean),
    sa.Column("classification", sa.Text),
    sa.Column("rules", sa.JSON),
    sa.Column("refused_by", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("decided_at", sa.Text),
    sa.Column("trace_id", sa.Text),
    sa.Column("data_classes", sa.JSON),
)
_classes = sa.Table(
    "data_classes",
    _metadata,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("track", sa.Text, primary_key=True),
    sa.Column("file_id", sa.Text, primary_key=True),
    sa.Column("keep_until", sa.Text),
    sa.Column("seen", sa.Text),
)
_removals = sa.Table(
    "data_removals",
    _metadata,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("file_id", sa.Text, primary_key=True),
    sa.Column("removed_at", sa.Text),
    sa.Column("removal", sa.Text),
)
_quality = sa.Table(
    "data_quality",
    _metadata,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("track", sa.Text, primary_key=True),
    sa.Column("file_id", sa.Text, primary_key=True),
    sa.Column("report", sa.Text),
    sa.Column("recorded_at", sa.Text),
    sa.Column("trace_id", sa.Text),
)
_lineage = sa.Table(
    "data_lineage",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("tenant", sa.Text),
    sa.Column("track", sa.Text),
    sa.Column("subject", sa.Text),
    sa.Column("predicate", sa.Text),
    sa.Column("object", sa.Text),
    sa.Column("recorded_at", sa.Text),
    sa.Column("trace_id", sa.Text),
)
_LINK = (
    _lineage.c.subject,
    _lineage.c.predicate,
    _lineage.c.object,
    _lineage.c.recorded_at,
    _lineage.c.trace_id,
)


_FILE = ("tenant", "track", "file_id")
_DECISION = Rows(_decisions, *_FILE, "policy_version")
_DECISIONS = Rows(_decisions, *_FILE, order="decided_at")
_CLASSES = Rows(_classes, *_FILE)
_QUALITY = Rows(_quality, *_FILE)
_SAME_LINK = Rows(_lineage, "tenant", "track", "subject", "predicate", "object")


class DataRecords:
    """What the data steward has written down. Every query is one tenant's."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def keep_decision(self, tenant: str, decision: PolicyDecision) -> None:
        """Keep a decision in the place of the one by the same policy."""
        row = {
            **decision.model_dump(),
            "tenant": tenant,
            "decided_at": stamp(decision.decided_at),
        }
        await self._database.write(lambda connection: _DECISION.replace(connection, row))

    async def decisions(
        self, tenant: str, track: DataTrack, file_id: str
    ) -> tuple[PolicyDecision, ...]:
        """The decisions of one track about a file, oldest first."""
        rows = await self._database.read(lambda c: _DECISIONS.find(c, tenant, track, file_id))
        return tuple(PolicyDecision.model_validate(dict(row)) for row in rows)

    async def keep_classes(self, tenant: str, track: DataTrack, seen: DataClasses) -> None:
        """Keep what classes of data a file holds in the place of what was known before."""
        row = {
            "tenant": tenant,
            "track": track,
            "file_id": seen.file_id,
            "keep_until": stamp(seen.keep_until),
            "seen": seen.model_dump_json(),
        }
        await self._database.write(lambda connection: _CLASSES.replace(connection, row))

    async def classes(self, tenant: str, track: DataTrack, file_id: str) -> DataClasses | None:
        row = await self._database.read(lambda c: _CLASSES.first(c, tenant, track, file_id))
        return None if row is None else DataClasses.model_validate_json(row["seen"])

    async def by_retention(
        self, tenant: str, track: DataTrack, *, limit: int, before: datetime | None
    ) -> tuple[DataClasses, ...]:
        """By the end of their retention, the first to end first; of `before`, if that is named."""
        chosen = sa.select(_classes.c.seen).where(
            _classes.c.tenant == tenant, _classes.c.track == track
        )
        if before is not None:
            chosen = chosen.where(_classes.c.keep_until <= stamp(before))
        chosen = chosen.order_by(_classes.c.keep_until, _classes.c.file_id).limit(limit)
        rows = await self._database.read(lambda c: c.execute(chosen).scalars().all())
        return tuple(DataClasses.model_validate_json(row) for row in rows)

    async def ended_everywhere(
        self, at: datetime, *, limit: int, after: EndedRetention | None
    ) -> tuple[EndedRetention, ...]:
        """The client files of every tenant whose retention has ended, by tenant and file."""
        place = sa.tuple_(_classes.c.tenant, _classes.c.file_id)
        chosen = sa.select(_classes.c.tenant, _classes.c.seen).where(
            _classes.c.track == DataTrack.CLIENT, _classes.c.keep_until <= stamp(at)
        )
        if after is not None:
            chosen = chosen.where(place > sa.tuple_(after.tenant, after.seen.file_id))
        chosen = chosen.order_by(_classes.c.tenant, _classes.c.file_id).limit(limit)
        rows = await self._database.across_tenants().read(lambda c: c.execute(chosen).all())
        return tuple(
            EndedRetention(tenant=tenant, seen=DataClasses.model_validate_json(seen))
            for tenant, seen in rows
        )

    async def keep_removal(self, tenant: str, removal: Removal) -> None:
        """Keep that a file was removed, in the place of what was kept of it before."""
        old = sa.delete(_removals).where(
            _removals.c.tenant == tenant, _removals.c.file_id == removal.file_id
        )
        new = sa.insert(_removals).values(
            tenant=tenant,
            file_id=removal.file_id,
            removed_at=stamp(removal.removed_at),
            removal=removal.model_dump_json(),
        )

        def work(connection: sa.Connection) -> None:
            connection.execute(old)
            connection.execute(new)

        await self._database.write(work)

    async def removals(self, tenant: str, *, limit: int) -> tuple[Removal, ...]:
        chosen = (
            sa.select(_removals.c.removal)
            .where(_removals.c.tenant == tenant)
            .order_by(_removals.c.removed_at.desc(), _removals.c.file_id.desc())
            .limit(limit)
        )
        rows = await self._database.read(lambda c: c.execute(chosen).scalars().all())
        return tuple(Removal.model_validate_json(row) for row in rows)

    async def keep_quality(self, tenant: str, track: DataTrack, quality: Quality) -> None:
        """Keep a quality report in the place of the file's last one."""
        row = {
            "tenant": tenant,
            "track": track,
            "file_id": quality.file_id,
            "report": quality.report.model_dump_json(),
            "recorded_at": stamp(quality.recorded_at),
            "trace_id": quality.trace_id,
        }
        await self._database.write(lambda connection: _QUALITY.replace(connection, row))

    async def quality(self, tenant: str, track: DataTrack, file_id: str) -> Quality | None:
        row = await self._database.read(lambda c: _QUALITY.first(c, tenant, track, file_id))
        if row is None:
            return None
        report = QualityReport.model_validate_json(row["report"])
        return Quality.model_validate({**row, "report": report})

    async def forget(self, tenant: str, track: DataTrack, file_id: str) -> int:
        """Remove all that is written down of a file; how many rows there were."""
        links = (_lineage.c.tenant == tenant) & (_lineage.c.track == track)

        def work(connection: sa.Connection) -> int:
            known = (_DECISIONS, _CLASSES, _QUALITY)
            rows = sum(one.forget(connection, tenant, track, file_id) for one in known)
            about = (_lineage.c.object == file_id) | (_lineage.c.subject == file_id)
            return rows + connection.execute(sa.delete(_lineage).where(links, about)).rowcount

        return await self._database.write(work)

    async def keep_link(self, tenant: str, track: DataTrack, link: LineageLink) -> LineageLink:
        """Keep a link; when there is one that says the same, that one stays and is answered."""
        return await self._database.write(self._keeping(tenant, track, link))

    def _keeping(
        self, tenant: str, track: DataTrack, link: LineageLink
    ) -> Callable[[sa.Connection], LineageLink]:
        key = (tenant, track, link.subject, link.predicate, link.object)
        row = {
            **link.model_dump(),
            "tenant": tenant,
            "track": track,
            "recorded_at": stamp(link.recorded_at),
        }

        def work(connection: sa.Connection) -> LineageLink:
            there = _SAME_LINK.first(connection, *key)
            if there is not None:
                return LineageLink.model_validate({name.name: there[name.name] for name in _LINK})
            _SAME_LINK.add(connection, row)
            return link

        return work

    def admitting(
        self, tenant: str, track: DataTrack, link: LineageLink, refused: Callable[[], Exception]
    ) -> Writes:
        """What keeps, in somebody's transaction, that something was made from a file.

        It raises `refused` there, unless the last decision about the file lets it in.
        """
        keep = self._keeping(tenant, track, link)

        def work(connection: sa.Connection) -> None:
            found = _DECISIONS.find(connection, tenant, track, link.object)
            if not found or not found[-1]["allowed"]:
                raise refused()
            keep(connection)

        return work

    async def links(
        self, tenant: str, track: DataTrack, node: str, *, limit: int
    ) -> tuple[LineageLink, ...]:
        """The links of `node` and of everything made from it, oldest first."""
        own = (_lineage.c.tenant == tenant, _lineage.c.track == track)
        first = sa.select(_lineage.c.subject.label("node")).where(*own, _lineage.c.object == node)
        made = first.cte("made", recursive=True)
        further = sa.select(_lineage.c.subject).where(*own, _lineage.c.object == made.c.node)
        made = made.union(further)
        nodes = sa.select(made.c.node)
        chosen = (
            sa.select(*_LINK)
            .where(
                *own,
                (_lineage.c.subject == node)
                | (_lineage.c.object == node)
                | _lineage.c.subject.in_(nodes)
                | _lineage.c.object.in_(nodes),
            )
            .order_by(_lineage.c.id)
            .limit(limit)
        )
        rows = await self._database.read(lambda c: c.execute(chosen).mappings().all())
        return tuple(LineageLink.model_validate(dict(row)) for row in rows)
