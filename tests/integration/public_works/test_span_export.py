"""Spans leave the city: into a file, or to a collector that takes OTLP over HTTP."""

import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from foundations.public_works.adapters.span_export import (
    ExporterMissing,
    SpanExport,
    traces_address,
)
from foundations.public_works.data_folder import DataFolder
from foundations.public_works.settings import Settings
from tests.support.collector import collecting
from tests.support.processes import serving
from utilities.ids import TimeSortableIds
from utilities.observability.distributed_tracing import DistributedTracing, carried

pytestmark = pytest.mark.anyio

HEX = "0af7651916cd43dd8448eb211c80319c"


@asynccontextmanager
async def exporting(path: Path, **settings: Any) -> Any:
    """A tracing whose spans go where the settings say."""
    given, tracing = Settings(data_dir=path / "city", **settings), DistributedTracing()
    async with (
        DataFolder(settings=given, ids=TimeSortableIds()) as folder,
        SpanExport(settings=given, folder=folder, tracing=tracing),
    ):
        yield tracing


async def test_spans_reach_a_collector_with_their_trace(tmp_path: Path) -> None:
    with collecting() as collector:
        async with exporting(
            tmp_path, trace_export="otlp", trace_endpoint=collector.url
        ) as tracing:
            with tracing.span("accepts", HEX):
                headers = carried(HEX)
            with tracing.received("moves", headers, template="data_mash_flow"):
                pass

        accepts, moves = collector.named("accepts"), collector.named("moves")
    assert collector.paths == {"/v1/traces"}
    assert collector.services == {"civitas"}
    assert accepts.trace_id.hex() == moves.trace_id.hex() == HEX
    assert moves.parent_span_id == accepts.span_id
    facts = {a.key: a.value.string_value for a in moves.attributes}
    assert facts == {"civitas.trace_id": HEX, "template": "data_mash_flow"}


async def test_collector_that_is_away_holds_nothing_up(tmp_path: Path) -> None:
    begun = time.monotonic()
    async with exporting(
        tmp_path, trace_export="otlp", trace_endpoint="http://127.0.0.1:9"
    ) as tracing:
        for _ in range(100):
            with tracing.span("work", "abc"):
                pass
        assert time.monotonic() - begun < 2

    assert time.monotonic() - begun < 15


async def test_library_that_is_missing_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)

    with pytest.raises(ExporterMissing) as missing:
        async with exporting(tmp_path, trace_export="otlp"):
            pytest.fail("nobody may enter")

    assert "civitas[cloud]" in missing.value.hint


async def test_no_spans_are_made_where_nobody_wants_them(tmp_path: Path) -> None:
    async with exporting(tmp_path) as tracing:
        assert not tracing.recording


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [
        ("http://c:4318", "http://c:4318/v1/traces"),
        ("http://c:4318/", "http://c:4318/v1/traces"),
        ("https://c/otlp/v1/traces", "https://c/otlp/v1/traces"),
    ],
)
def test_spans_go_below_the_address_of_the_collector(endpoint: str, address: str) -> None:
    assert traces_address(endpoint) == address


@pytest.mark.slow
def test_request_of_a_server_reaches_the_collector(tmp_path: Path) -> None:
    with (
        collecting() as collector,
        serving(tmp_path, trace_export="otlp", trace_endpoint=collector.url) as server,
        server.client() as client,
    ):
        client.get("/api/city/boot", headers={"X-Trace-ID": HEX})

        span = collector.named("HTTP GET /api/city/boot")

    assert span.trace_id.hex() == HEX
