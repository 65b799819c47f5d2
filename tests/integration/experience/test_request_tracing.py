"""Trace ids come in and go out, with every answer, log line and span."""

import re

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from starlette.types import Message, Receive, Scope, Send

from foundations.experience.request_tracing import RequestTracing
from tests.support.small_city import SmallCity
from utilities.observability.distributed_tracing import DistributedTracing

HEX = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{HEX}-00f067aa0ba902b7-01"
SHARE = "/api/painting/painting_service/get_share"


@pytest.mark.parametrize(
    ("headers", "trace_id"),
    [
        ({"X-Trace-ID": "abc"}, "abc"),
        ({"traceparent": PARENT}, HEX),
        ({"X-Trace-ID": "abc", "traceparent": PARENT}, "abc"),
        ({}, None),
        ({"X-Trace-ID": "with space"}, None),
        ({"traceparent": "00-zz"}, None),
    ],
)
def test_clients_trace_id_is_kept_and_a_missing_one_made(
    city: SmallCity, headers: dict[str, str], trace_id: str | None
) -> None:
    answer = city.client.post(SHARE, headers=headers)

    told = answer.headers["X-Trace-ID"]
    assert told == answer.json()["trace_id"]
    assert told == trace_id if trace_id else re.fullmatch("[0-9a-f]{32}", told)


@pytest.mark.parametrize("path", [SHARE, "/nowhere", "/api/painting/painting_service/check_fault"])
def test_every_answer_carries_a_valid_traceparent_of_the_server_span(
    city: SmallCity, path: str
) -> None:
    answer = city.client.post(path, headers={"traceparent": PARENT})

    [server] = [span for span in city.spans.get_finished_spans() if span.kind is SpanKind.SERVER]
    assert answer.headers["traceparent"] == f"00-{HEX}-{server.context.span_id:016x}-01"
    assert server.parent is not None
    assert server.parent.span_id == 0x00F067AA0BA902B7


def test_span_names_the_route_and_not_the_path(city: SmallCity) -> None:
    city.client.get("/livez?q=secret", headers={"X-Trace-ID": "abc"})

    [span] = city.spans.get_finished_spans()
    assert span.name == "HTTP GET /livez"
    assert span.attributes == {
        "civitas.trace_id": "abc",
        "http.request.method": "GET",
        "url.path": "/livez",
        "http.response.status_code": 200,
        "http.route": "/livez",
    }


def test_failed_request_marks_its_span(city: SmallCity) -> None:
    city.client.post("/api/painting/painting_service/check_fault")

    [span] = city.spans.get_finished_spans()
    assert not span.status.is_ok


def test_one_line_is_logged_for_a_request_without_its_query(city: SmallCity) -> None:
    city.client.get("/livez?token=secret")

    [line] = city.log
    assert re.fullmatch(r"INFO GET /livez 200 in \d+\.\d ms\n", line)


def test_what_a_user_writes_into_a_path_starts_no_new_line(city: SmallCity) -> None:
    city.client.get("/a%0d%0a%1b[31m{level}")

    [line] = city.log
    assert line.startswith("INFO GET /a%0d%0a%1b[31m%7Blevel%7D 404 no_such_path")


def test_answers_are_neither_sniffed_nor_stored(city: SmallCity) -> None:
    answer = city.client.get("/livez")

    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.anyio
async def test_span_of_an_earlier_request_on_the_connection_is_no_parent() -> None:
    tracing, spans = DistributedTracing(), InMemorySpanExporter()
    tracing.add_processor(SimpleSpanProcessor(spans))

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> Message:
        raise AssertionError("nothing is read")

    async def send(message: Message) -> None:
        assert message["status"] == 200

    headers = [(b"x-trace-id", b"abc")]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": headers}
    with tracing.span("earlier", "abc") as earlier:
        await RequestTracing(application, tracing=tracing)(scope, receive, send)

    [server] = [span for span in spans.get_finished_spans() if span.kind is SpanKind.SERVER]
    assert server.parent is not None
    assert server.parent.span_id != earlier.get_span_context().span_id
    tracing.close()
