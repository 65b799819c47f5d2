"""The data steward's work: judge by the policy of a track, keep decisions, quality and lineage."""

import asyncio
from datetime import timedelta
from functools import partial
from typing import Annotated

from loguru import logger
from pydantic import Field

from foundations.declarations import Effect, service, soa_api
from foundations.public_works.database import Writes
from foundations.public_works.threads import in_thread
from smart_city.data_steward.api import (
    ClassOfData,
    ClassRefused,
    ContentFinding,
    ContentUnseen,
    DataClasses,
    DataHidden,
    DataSteward,
    DataTrack,
    EndedRetention,
    Forgotten,
    Lineage,
    LineageLink,
    Masking,
    Policies,
    PolicyDecision,
    PolicyDecisions,
    PolicyRefused,
    PolicySubject,
    Quality,
    QualityReport,
    QualityUnknown,
    Removal,
    RemovalPage,
    RetentionPage,
)
from smart_city.data_steward.content import found_in
from smart_city.data_steward.policy import SEMANTIC_RULE, Rule
from smart_city.data_steward.policy_reading import PolicyInForce
from smart_city.data_steward.records import DataRecords
from utilities.clock import Clock
from utilities.context import current

_LINKS = 1000
"""Most links that `get_lineage` answers with."""
_MOST_LISTED = 200


@service
class DataStewardService(DataSteward):
    """Decides what data may come in and how it is treated; keeps its quality and lineage."""

    def __init__(self, *, records: DataRecords, clock: Clock, force: PolicyInForce) -> None:
        self._records = records
        self._clock = clock
        self._force = force

    @soa_api(effect=Effect.KEYED)
    async def enforce_client_data_policy(self, subject: PolicySubject) -> PolicyDecision:
        """Judge a client's file; the decision is recorded either way.

        With its content, at the handoff to the semantic layer, the classes of data in it are told
        and kept, and how long it may stay.

        Raises:
            KindOfDataRefused, TooMuchData, PolicyRefused: a rule does not let it in.
            ClassRefused: it holds data of a class that the policy lets no further.
        """
        return await self._enforce(DataTrack.CLIENT, subject)

    @soa_api(effect=Effect.KEYED)
    async def enforce_platform_data_policy(self, subject: PolicySubject) -> PolicyDecision:
        """Judge a file of the platform's own; the decision is recorded either way.

        Raises:
            KindOfDataRefused, TooMuchData: a rule does not let it in.
        """
        return await self._enforce(DataTrack.PLATFORM, subject)

    @soa_api(effect=Effect.PURE)
    async def enforce_semantic_policy(self, file_id: str) -> PolicyDecision:
        """The decision that lets a file's content into the semantic layer.

        Raises:
            PolicyRefused: the client policy has not let this file in.
        """
        found = await self._records.decisions(current().tenant, DataTrack.CLIENT, file_id)
        if found and found[-1].allowed:  # a policy of before may have let in what this one does not
            return found[-1]
        raise _stays_out(file_id)

    def admitting(self, content_id: str, file_id: str) -> Writes:
        """What asks the same in the transaction that stores content, and links it to its file."""
        link = self._link(content_id, "was_derived_from", file_id)
        refused = partial(_stays_out, file_id)
        return self._records.admitting(current().tenant, DataTrack.CLIENT, link, refused)

    @soa_api(public=True)
    async def get_policies(self) -> Policies:
        """Every rule of both tracks and of the semantic layer, and every class of data."""
        policy, told = self._force.policy, self._force.senses.classes
        return Policies(
            name=policy.data_policy,
            version=self._force.version,
            rules=(*(rule.told for rule in policy.rules), SEMANTIC_RULE),
            classes=tuple(
                ClassOfData(
                    name=name,
                    description=one.description,
                    classification=one.classification,
                    may_see=one.may_see,
                    retention_days=one.retention_days,
                    refused=one.refuse,
                    detectors=tuple(by for by, of in told.items() if of == name),
                )
                for name, one in policy.classes.items()
            ),
        )

    def masking(self) -> Masking:
        """The mask for what the caller in progress is shown."""
        return self._force.mask_for(current().user.roles)

    async def require_sight(self, file_id: str) -> None:
        """Pass a caller who may see all that a client's file holds.

        Raises:
            DataHidden: something in it is hidden from the caller, or nobody has looked.
        """
        hidden = self._force.policy.hidden_from(current().user.roles)
        if not hidden:
            return
        seen = await self._records.classes(current().tenant, DataTrack.CLIENT, file_id)
        if seen is None:
            raise DataHidden(
                f"nobody has looked yet what data the file {file_id} holds",
                hint="run the data mash on it, or ask someone who may see every class of data",
            )
        if found := sorted(hidden & set(seen.classes)):
            raise DataHidden(
                f"the file {file_id} holds {', '.join(found)} data, which your roles may not see",
                hint="its insights and a search show the rest; "
                f"roles that see all: {', '.join(self._seeing(found))}",
            )

    @soa_api(public=True)
    async def get_data_classes(self, file_id: str) -> DataClasses:
        """What classes of data a client's file holds, and where.

        Raises:
            ContentUnseen: nobody has looked: it has not been parsed.
        """
        seen = await self._records.classes(current().tenant, DataTrack.CLIENT, file_id)
        if seen is None:
            raise ContentUnseen(
                f"nobody has looked what data the file {file_id} holds",
                hint="run the data mash on it",
            )
        return seen

    @soa_api(public=True)
    async def list_retention(
        self, limit: Annotated[int, Field(ge=1, le=_MOST_LISTED)] = 50, due: bool = False
    ) -> RetentionPage:
        """The client files by the end of their retention; with `due` those it has ended for."""
        files = await self._records.by_retention(
            current().tenant,
            DataTrack.CLIENT,
            limit=limit,
            before=self._clock.now() if due else None,
        )
        return RetentionPage(files=files)

    async def ended_retentions(
        self, *, limit: int, after: EndedRetention | None = None
    ) -> tuple[EndedRetention, ...]:
        """The client files of every tenant whose retention has ended, by tenant and file."""
        return await self._records.ended_everywhere(self._clock.now(), limit=limit, after=after)

    @soa_api(effect=Effect.KEYED)
    async def record_removal(self, seen: DataClasses) -> Removal:
        """Keep that a file was removed because its retention had ended; once for each file."""
        removal = Removal(
            file_id=seen.file_id,
            keep_until=seen.keep_until,
            classes=seen.classes,
            policy_version=seen.policy_version,
            removed_at=self._clock.now(),
            trace_id=current().trace_id,
        )
        await self._records.keep_removal(current().tenant, removal)
        return removal

    @soa_api(public=True)
    async def list_removals(
        self, limit: Annotated[int, Field(ge=1, le=_MOST_LISTED)] = 50
    ) -> RemovalPage:
        """The files that were removed because their retention had ended, the last one first."""
        return RemovalPage(removals=await self._records.removals(current().tenant, limit=limit))

    @soa_api(public=True)
    async def get_decisions(self, file_id: str) -> PolicyDecisions:
        """The client track's decisions about a file; none is no error."""
        found = await self._records.decisions(current().tenant, DataTrack.CLIENT, file_id)
        return PolicyDecisions(decisions=found)

    @soa_api(effect=Effect.KEYED)
    async def record_quality(
        self, file_id: str, report: QualityReport, track: DataTrack = DataTrack.CLIENT
    ) -> Quality:
        """Keep the newest quality report of a file."""
        quality = Quality(
            file_id=file_id,
            report=report,
            recorded_at=self._clock.now(),
            trace_id=current().trace_id,
        )
        await self._records.keep_quality(current().tenant, track, quality)
        return quality

    @soa_api(public=True)
    async def get_quality(self, file_id: str) -> Quality:
        """The newest quality report of a client's file.

        Raises:
            QualityUnknown: none has been recorded.
        """
        return await self._quality(DataTrack.CLIENT, file_id)

    @soa_api()
    async def get_platform_quality(self, file_id: str) -> Quality:
        """The newest quality report of a file of the platform's own.

        Raises:
            QualityUnknown: none has been recorded.
        """
        return await self._quality(DataTrack.PLATFORM, file_id)

    @soa_api(effect=Effect.KEYED)
    async def forget_file(self, file_id: str) -> Forgotten:
        """Remove decisions, quality and lineage of a client's file, which is being deleted.

        Without its decision nothing of the file gets into the semantic layer any more.
        """
        rows = await self._records.forget(current().tenant, DataTrack.CLIENT, file_id)
        return Forgotten(file_id=file_id, rows=rows)

    async def _quality(self, track: DataTrack, file_id: str) -> Quality:
        quality = await self._records.quality(current().tenant, track, file_id)
        if quality is None:
            raise QualityUnknown(
                f"no quality is known of the file {file_id}", hint="run the data mash on it"
            )
        return quality

    @soa_api(effect=Effect.KEYED)
    async def record_lineage(
        self,
        subject: str,
        predicate: str,
        object: str,  # noqa: A002 - the third part of a triple is its object
        track: DataTrack = DataTrack.CLIENT,
    ) -> LineageLink:
        """Keep where `subject` comes from; the same link again changes nothing."""
        link = self._link(subject, predicate, object)
        return await self._records.keep_link(current().tenant, track, link)

    @soa_api(public=True)
    async def get_lineage(self, file_id: str) -> Lineage:
        """The first thousand links of a client's file and of what was made from it."""
        return await self._lineage(DataTrack.CLIENT, file_id)

    @soa_api()
    async def get_platform_lineage(self, file_id: str) -> Lineage:
        """The same for a file of the platform's own."""
        return await self._lineage(DataTrack.PLATFORM, file_id)

    def _link(self, subject: str, predicate: str, of: str) -> LineageLink:
        return LineageLink(
            subject=subject,
            predicate=predicate,
            object=of,
            recorded_at=self._clock.now(),
            trace_id=current().trace_id,
        )

    async def _lineage(self, track: DataTrack, file_id: str) -> Lineage:
        links = await self._records.links(current().tenant, track, file_id, limit=_LINKS)
        return Lineage(file_id=file_id, links=links)

    async def _enforce(self, track: DataTrack, subject: PolicySubject) -> PolicyDecision:
        looked_at: list[Rule] = []
        for rule in (rule for rule in self._force.policy.rules if rule.track is track):
            looked_at.append(rule)
            if (refusal := rule.refusal(subject)) is not None:
                await self._decided(track, subject, looked_at, refusal)
                raise refusal
        if subject.content is None:
            return await self._decided(track, subject, looked_at, None)
        found = await in_thread(found_in, subject.content, self._force.senses)
        refused = self._refused(found)
        decision = await self._decided(track, subject, looked_at, refused, found)
        if refused is not None:
            raise refused
        return decision

    def _refused(self, found: tuple[ContentFinding, ...]) -> ClassRefused | None:
        refused = [one for one in found if self._force.policy.classes[one.data_class].refuse]
        if not refused:
            return None
        places = dict.fromkeys(_place(one) for one in refused)
        classes = sorted({one.data_class for one in refused})
        return ClassRefused(
            f"the file holds {', '.join(classes)} data: {'; '.join(list(places)[:5])}",
            hint="take it out and upload the file again; `civitas policy show` tells the policy",
        )

    def _seeing(self, classes: list[str]) -> list[str]:
        """The roles that may see all of these classes."""
        allowed = [set(self._force.policy.classes[name].may_see) for name in classes]
        return sorted(set.intersection(*allowed)) or ["none"]

    async def _decided(
        self,
        track: DataTrack,
        subject: PolicySubject,
        looked_at: list[Rule],
        refusal: PolicyRefused | None,
        found: tuple[ContentFinding, ...] = (),
    ) -> PolicyDecision:
        context, now = current(), self._clock.now()
        classes = tuple(sorted({one.data_class for one in found}))
        by_class = isinstance(refusal, ClassRefused)
        decision = PolicyDecision(
            file_id=subject.file_id,
            track=track,
            allowed=refusal is None,
            classification=self._force.policy.classify(track, subject.name, frozenset(classes)),
            rules=tuple(rule.name for rule in looked_at),
            refused_by=("refused_class" if by_class else looked_at[-1].name) if refusal else "",
            reason=refusal.detail if refusal else "",
            data_classes=classes,
            policy_version=self._force.version,
            decided_at=now,
            trace_id=context.trace_id,
        )
        kept = [self._records.keep_decision(context.tenant, decision)]
        if subject.content is not None:
            days = self._force.policy.retention_days(track, frozenset(classes))
            seen = DataClasses(
                file_id=subject.file_id,
                policy_version=self._force.version,
                classification=decision.classification,
                classes=classes,
                findings=found,
                keep_until=now + timedelta(days=days),
                recorded_at=now,
                trace_id=context.trace_id,
            )
            kept.append(self._records.keep_classes(context.tenant, track, seen))
        await asyncio.gather(*kept)  # one commit may keep both
        level = "WARNING" if refusal else "DEBUG"
        logger.bind(track=track.value, rule=decision.refused_by).log(
            level, "the policy {} {}", "refused" if refusal else "let in", subject.file_id
        )
        return decision


def _stays_out(file_id: str) -> PolicyRefused:
    logger.bind(rule=SEMANTIC_RULE.name).warning("content of {} stays out", file_id)
    return PolicyRefused(
        f"no client policy has let the file {file_id} in, so its content is not indexed",
        hint="upload the file; content of the platform's own is never indexed",
    )


def _place(one: ContentFinding) -> str:
    detector = one.detector.replace("_", " ")
    if one.table:
        return f"column {one.column} of {one.table} ({detector})"
    return f"passage {one.passages[0]} ({detector})"
