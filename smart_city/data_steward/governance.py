"""The data steward's work: judge by the policy of a track, keep decisions, quality and lineage."""

from loguru import logger

from foundations.declarations import Effect, service, soa_api
from smart_city.data_steward.api import (
    DataSteward,
    DataTrack,
    Forgotten,
    Lineage,
    LineageLink,
    Policies,
    PolicyDecision,
    PolicyDecisions,
    PolicyRefused,
    PolicySubject,
    Quality,
    QualityReport,
    QualityUnknown,
)
from smart_city.data_steward.policy import RULES, SEMANTIC_RULE, VERSION, Rule, classify
from smart_city.data_steward.records import DataRecords
from utilities.clock import Clock
from utilities.context import current

_LINKS = 1000
"""Most links that `get_lineage` answers with."""


@service
class DataStewardService(DataSteward):
    """Decides what data may come in and how it is treated; keeps its quality and lineage."""

    def __init__(self, *, records: DataRecords, clock: Clock) -> None:
        self._records = records
        self._clock = clock

    @soa_api(effect=Effect.KEYED)
    async def enforce_client_data_policy(self, subject: PolicySubject) -> PolicyDecision:
        """Judge a client's file; the decision is recorded either way.

        Raises:
            KindOfDataRefused, TooMuchData, PolicyRefused: a rule does not let it in.
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
        for decision in await self._records.decisions(current().tenant, DataTrack.CLIENT, file_id):
            if decision.allowed:
                return decision
        logger.bind(rule=SEMANTIC_RULE.name).warning("content of {} stays out", file_id)
        raise PolicyRefused(
            f"no client policy has let the file {file_id} in, so its content is not indexed",
            hint="upload the file; content of the platform's own is never indexed",
        )

    @soa_api(public=True)
    async def get_policies(self) -> Policies:
        """Every rule of both tracks and of the semantic layer."""
        rules = (*(rule.told for rule in RULES), SEMANTIC_RULE)
        return Policies(version=VERSION, rules=rules)

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
        link = LineageLink(
            subject=subject,
            predicate=predicate,
            object=object,
            recorded_at=self._clock.now(),
            trace_id=current().trace_id,
        )
        return await self._records.keep_link(current().tenant, track, link)

    @soa_api(public=True)
    async def get_lineage(self, file_id: str) -> Lineage:
        """The first thousand links of a client's file and of what was made from it."""
        return await self._lineage(DataTrack.CLIENT, file_id)

    @soa_api()
    async def get_platform_lineage(self, file_id: str) -> Lineage:
        """The same for a file of the platform's own."""
        return await self._lineage(DataTrack.PLATFORM, file_id)

    async def _lineage(self, track: DataTrack, file_id: str) -> Lineage:
        links = await self._records.links(current().tenant, track, file_id, limit=_LINKS)
        return Lineage(file_id=file_id, links=links)

    async def _enforce(self, track: DataTrack, subject: PolicySubject) -> PolicyDecision:
        looked_at: list[Rule] = []
        for rule in (rule for rule in RULES if rule.track is track):
            looked_at.append(rule)
            if (refusal := rule.refuses(subject)) is not None:
                await self._decided(track, subject, looked_at, refusal)
                raise refusal
        return await self._decided(track, subject, looked_at, None)

    async def _decided(
        self,
        track: DataTrack,
        subject: PolicySubject,
        looked_at: list[Rule],
        refusal: PolicyRefused | None,
    ) -> PolicyDecision:
        decision = PolicyDecision(
            file_id=subject.file_id,
            track=track,
            allowed=refusal is None,
            classification=classify(track, subject),
            rules=tuple(rule.name for rule in looked_at),
            refused_by=looked_at[-1].name if refusal else "",
            reason=refusal.detail if refusal else "",
            policy_version=VERSION,
            decided_at=self._clock.now(),
            trace_id=current().trace_id,
        )
        await self._records.keep_decision(current().tenant, decision)
        level = "WARNING" if refusal else "DEBUG"
        logger.bind(track=track.value, rule=decision.refused_by).log(
            level, "the policy {} {}", "refused" if refusal else "let in", subject.file_id
        )
        return decision
