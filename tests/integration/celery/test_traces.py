"""The trace of a request goes through the broker: the worker's spans are its children."""

import asyncio
from pathlib import Path

import pytest

from foundations.public_works.adapters.celery_messages import traces_of
from realms.journey.api import Journeys
from realms.journey.engine.driver import QUEUE
from tests.chaos.clients import values
from tests.support.brokers import Broker, place_at
from tests.support.cluster import Cluster
from tests.support.collector import collecting
from tests.support.postgres import PostgresServer
from utilities.context import CallContext, UserContext, bound
from utilities.observability.distributed_tracing import DistributedTracing

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

USER = UserContext(tenant="trial", principal="ada", roles=("owner",))


TRACES = {"rabbitmq": "0af7651916cd43dd8448eb211c80319c", "redis": "an-id-of-our-own"}


async def test_spans_of_a_worker_are_below_the_request(
    postgres_server: PostgresServer, broker: Broker, tmp_path: Path
) -> None:
    trace_id = TRACES[broker.kind]
    with (
        postgres_server.database() as database,
        place_at(broker) as url,
        collecting() as collector,
    ):
        settings = {"trace_export": "otlp", "trace_endpoint": collector.url}
        cluster = Cluster(tmp_path, database, url, settings=settings)
        try:
            await asyncio.to_thread(cluster.up, workers=1)
            async with cluster.accepting() as city:
                journeys = city.registry.get(Journeys)
                tracing = city.registry.get(DistributedTracing)
                with (
                    bound(CallContext(trace_id, USER)),
                    tracing.span("the request", trace_id),
                ):
                    run = await journeys.start("trial_graph", values("trial_graph", "traced"))
                    await journeys.wait(run.run_id, seconds=30)
            request, received, top, bottom = [
                await asyncio.to_thread(collector.named, name)
                for name in (
                    "the request",
                    f"{QUEUE} received",
                    "milestone top",
                    "milestone bottom",
                )
            ]
        finally:
            cluster.down()

    assert {s.trace_id for s in (received, top, bottom)} == {request.trace_id}
    assert received.parent_span_id == request.span_id
    assert top.parent_span_id == bottom.parent_span_id == received.span_id


@pytest.mark.parametrize(
    "header",
    [None, "text", [1], {"a": "text"}, {"a": {"traceparent": 7}}, {"b": {"traceparent": "x"}}],
)
def test_a_header_that_cannot_be_read_is_worth_no_message(header: object) -> None:
    assert traces_of(header, ["a"]) == {}


def test_only_the_traces_of_its_own_keys_are_read() -> None:
    trace = {"x-trace-id": "t"}

    assert traces_of({"a": trace, "b": trace, "c": 1}, ["a", "c"]) == {"a": trace}
