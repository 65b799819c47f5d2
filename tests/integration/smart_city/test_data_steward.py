"""Policy, quality and lineage, on two tracks and for each tenant apart."""

from datetime import timedelta
from pathlib import Path

import pytest

from foundations.public_works.parsing.models import Passage
from foundations.public_works.parsing.places import Place
from smart_city.data_steward.api import (
    Classification,
    ClassRefused,
    ContentSeen,
    ContentUnseen,
    DataHidden,
    DataSteward,
    DataTrack,
    KindOfDataRefused,
    PolicyRefused,
    PolicySubject,
    QualityReport,
    QualityUnknown,
    TooMuchData,
)
from smart_city.data_steward.records import DataRecords
from tests.support.role_city import NORTH, SOUTH, RoleCity, as_user, role_city
from utilities.context import UserContext

pytestmark = pytest.mark.anyio

CLIENT_BYTES, PLATFORM_BYTES = 1_000_000_000, 50_000_000
REPORT = QualityReport(completeness=0.5, measures={"rows": 2}, issues=("half is missing",))


def subject(name: str = "rain.csv", media_type: str = "text/csv", size: int = 9) -> PolicySubject:
    return PolicySubject(file_id="file-1", name=name, media_type=media_type, size=size)


@pytest.fixture
def steward(city: RoleCity) -> DataSteward:
    return city.get(DataSteward)


async def test_decision_says_what_was_looked_at_and_is_recorded(
    city: RoleCity, steward: DataSteward
) -> None:
    decision = await steward.enforce_client_data_policy(subject())

    assert decision.allowed
    assert decision.rules == ("supported_kind", "size_limit", "no_key_material")
    assert (decision.classification, decision.refused_by) == (Classification.CONFIDENTIAL, "")
    assert (decision.decided_at, decision.trace_id) == (city.clock.now(), "trace-1")
    assert (await steward.get_decisions("file-1")).decisions == (decision,)


async def test_refusal_is_recorded_with_its_rule(city: RoleCity, steward: DataSteward) -> None:
    with pytest.raises(TooMuchData) as refused:
        await steward.enforce_client_data_policy(subject(size=CLIENT_BYTES + 1))

    (decision,) = (await steward.get_decisions("file-1")).decisions
    assert not decision.allowed
    assert (decision.refused_by, decision.reason) == ("size_limit", refused.value.detail)
    assert decision.rules == ("supported_kind", "size_limit")
    assert any(line.startswith("WARNING") and "size_limit" in line for line in city.log)


async def test_same_question_again_leaves_one_decision(steward: DataSteward) -> None:
    for _ in range(2):
        await steward.enforce_client_data_policy(subject())

    assert len((await steward.get_decisions("file-1")).decisions) == 1


@pytest.mark.parametrize(
    ("client", "platform", "asked"),
    [
        (None, None, subject()),
        (None, KindOfDataRefused, subject(media_type="application/pdf")),
        (KindOfDataRefused, KindOfDataRefused, subject(media_type="image/png")),
        (None, TooMuchData, subject(size=PLATFORM_BYTES + 1)),
        (PolicyRefused, None, subject(name="server.PEM", media_type="text/plain")),
    ],
)
async def test_each_track_has_its_own_rules(
    steward: DataSteward,
    client: type[PolicyRefused] | None,
    platform: type[PolicyRefused] | None,
    asked: PolicySubject,
) -> None:
    for enforce, refusal in (
        (steward.enforce_client_data_policy, client),
        (steward.enforce_platform_data_policy, platform),
    ):
        if refusal is None:
            assert (await enforce(asked)).allowed
        else:
            with pytest.raises(refusal):
                await enforce(asked)


async def test_decisions_of_the_platform_track_stay_on_it(
    city: RoleCity, steward: DataSteward
) -> None:
    decision = await steward.enforce_platform_data_policy(subject())

    assert decision.classification is Classification.INTERNAL
    assert (await steward.get_decisions("file-1")).decisions == ()
    kept = await city.get(DataRecords).decisions("north", DataTrack.PLATFORM, "file-1")
    assert kept == (decision,)


async def test_only_client_content_that_was_let_in_enters_the_semantic_layer(
    steward: DataSteward,
) -> None:
    await steward.enforce_platform_data_policy(subject())
    with pytest.raises(PolicyRefused):
        await steward.enforce_semantic_policy("file-1")
    with pytest.raises(TooMuchData):
        await steward.enforce_client_data_policy(subject(size=CLIENT_BYTES + 1))
    with pytest.raises(PolicyRefused):
        await steward.enforce_semantic_policy("file-1")

    allowed = await steward.enforce_client_data_policy(subject())

    assert await steward.enforce_semantic_policy("file-1") == allowed
    with as_user(SOUTH), pytest.raises(PolicyRefused):
        await steward.enforce_semantic_policy("file-1")


async def test_every_rule_is_told(steward: DataSteward) -> None:
    policies = await steward.get_policies()

    told = {(rule.track, rule.name) for rule in policies.rules}
    assert (DataTrack.CLIENT, "no_key_material") in told
    assert (DataTrack.PLATFORM, "supported_kind") in told
    assert (DataTrack.CLIENT, "semantic_layer_is_for_clients") in told
    assert len(told) == len(policies.rules)


async def test_newest_quality_is_kept(city: RoleCity, steward: DataSteward) -> None:
    await steward.record_quality("file-1", QualityReport())
    newest = await steward.record_quality("file-1", REPORT)

    assert await steward.get_quality("file-1") == newest
    assert newest.report == REPORT
    assert newest.recorded_at == city.clock.now()


async def test_quality_is_its_tenants_and_its_tracks(steward: DataSteward) -> None:
    client = await steward.record_quality("file-1", REPORT)
    platform = await steward.record_quality("file-2", REPORT, track=DataTrack.PLATFORM)

    assert await steward.get_quality("file-1") == client
    assert await steward.get_platform_quality("file-2") == platform
    for unknown in (steward.get_quality("file-2"), steward.get_platform_quality("file-1")):
        with pytest.raises(QualityUnknown):
            await unknown
    with as_user(SOUTH), pytest.raises(QualityUnknown):
        await steward.get_quality("file-1")


async def test_lineage_follows_what_was_made_from_a_file(steward: DataSteward) -> None:
    for subject_, predicate, object_ in (
        ("content", "was_derived_from", "file-1"),
        ("insights", "was_derived_from", "content"),
        ("insights", "was_made_by", "insights realm"),
        ("other insights", "was_made_by", "insights realm"),
    ):
        await steward.record_lineage(subject_, predicate, object_)

    links = (await steward.get_lineage("file-1")).links

    assert [(link.subject, link.object) for link in links] == [
        ("content", "file-1"),
        ("insights", "content"),
        ("insights", "insights realm"),
    ]


async def test_lineage_that_runs_in_a_circle_ends(steward: DataSteward) -> None:
    await steward.record_lineage("a", "was_derived_from", "b")
    await steward.record_lineage("b", "was_derived_from", "a")

    assert len((await steward.get_lineage("a")).links) == 2


async def test_link_is_recorded_once(city: RoleCity, steward: DataSteward) -> None:
    first = await steward.record_lineage("content", "was_derived_from", "file-1")
    with as_user(SOUTH):
        await steward.record_lineage("foreign", "was_derived_from", "file-1")

    again = await steward.record_lineage(
        "content", "was_derived_from", "file-1", trace_id="trace-2"
    )  # type: ignore[call-arg]  # @soa_api takes trace_id from code inside

    assert again == first
    assert (await steward.get_lineage("file-1")).links == (first,)


READER = UserContext(tenant="north", principal="other", roles=("reader",))
TEXT = "Pay to DE89 3704 0044 0532 0130 00, and write to miller@mail.example."


def parsed(text: str = TEXT) -> PolicySubject:
    passage = Passage(number=1, place=Place.read("line 1"), text=text)
    return subject("letter.txt", "text/plain").model_copy(
        update={"content": ContentSeen(passages=(passage,))}
    )


async def test_content_is_judged_at_the_handoff(city: RoleCity, steward: DataSteward) -> None:
    before = await steward.enforce_client_data_policy(subject("letter.txt", "text/plain"))
    decision = await steward.enforce_client_data_policy(parsed())

    seen = await steward.get_data_classes("file-1")
    assert before.data_classes == ()
    assert decision.data_classes == seen.classes == ("contact", "financial")
    assert decision.classification is seen.classification is Classification.RESTRICTED
    assert {(one.detector, one.passages, one.count) for one in seen.findings} == {
        ("iban", (1,), 1),
        ("mail_address", (1,), 1),
    }
    assert seen.keep_until == city.clock.now() + timedelta(days=1825)
    assert (await steward.get_decisions("file-1")).decisions == (decision,)


async def test_retention_that_has_ended_is_due(city: RoleCity, steward: DataSteward) -> None:
    await steward.enforce_client_data_policy(parsed())
    seen = await steward.get_data_classes("file-1")

    assert (await steward.list_retention()).files == (seen,)
    assert (await steward.list_retention(due=True)).files == ()
    city.clock.move(timedelta(days=1825))
    assert (await steward.list_retention(due=True)).files == (seen,)
    with as_user(SOUTH):
        assert (await steward.list_retention()).files == ()


async def test_sight_is_for_who_may_see_all_that_is_in_a_file(steward: DataSteward) -> None:
    with as_user(READER), pytest.raises(DataHidden, match="nobody has looked"):
        await steward.require_sight("file-1")
    with pytest.raises(ContentUnseen):
        await steward.get_data_classes("file-1")

    await steward.enforce_client_data_policy(parsed())

    await steward.require_sight("file-1")
    with as_user(READER), pytest.raises(DataHidden, match="contact, financial"):
        await steward.require_sight("file-1")
    await steward.enforce_client_data_policy(parsed("The wheel turns."))
    with as_user(READER):
        await steward.require_sight("file-1")


async def test_masking_is_the_callers(steward: DataSteward) -> None:
    assert steward.masking().hides == frozenset()
    with as_user(READER):
        assert "[iban]" in steward.masking().text(TEXT)


async def test_newest_decision_counts_when_the_policy_has_changed(
    city: RoleCity, steward: DataSteward
) -> None:
    allowed = await steward.enforce_client_data_policy(parsed())
    city.clock.move(timedelta(seconds=1))
    refused = allowed.model_copy(
        update={"policy_version": "3", "allowed": False, "decided_at": city.clock.now()}
    )
    await city.get(DataRecords).keep_decision("north", refused)

    with pytest.raises(PolicyRefused):
        await steward.enforce_semantic_policy("file-1")


async def test_class_that_a_policy_refuses_gets_no_further(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        "data_policy: strict\nversion: '1'\n"
        "tracks:\n"
        "  client: {kinds: supported, most_bytes: 9, classification: internal, retention_days: 9}\n"
        "  platform: {kinds: [], most_bytes: 99, classification: internal, retention_days: 9}\n"
        "classes:\n"
        "  money: {classification: restricted, may_see: [owner], retention_days: 9, refuse: true}\n"
        "detect:\n  - {name: iban, class: money, finds: iban}\n"
    )
    async with role_city(tmp_path / "data", data_policy=policy) as city:
        steward = city.get(DataSteward)
        with as_user(NORTH):
            await steward.enforce_client_data_policy(subject("letter.txt", "text/plain"))
            with pytest.raises(ClassRefused, match=r"money data: passage 1 \(iban\)"):
                await steward.enforce_client_data_policy(parsed())
            with pytest.raises(PolicyRefused):
                await steward.enforce_semantic_policy("file-1")
            (decision,) = (await steward.get_decisions("file-1")).decisions

    assert decision.refused_by == "refused_class"
