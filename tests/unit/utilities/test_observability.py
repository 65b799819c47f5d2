"""Trace ids, spans and log lines."""

import hashlib
import json
import logging
from pathlib import Path

import pytest
from loguru import logger
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from utilities.context import CallContext, bound
from utilities.observability.distributed_tracing import DistributedTracing, carried
from utilities.observability.logs import add_log_file, configure_logs, redacted_log
from utilities.observability.trace_id_generator import TraceIDGenerator, opentelemetry_trace_id

HEX = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{HEX}-b7ad6b7169203331-01"


def test_generated_trace_ids_are_32_hex_digits_and_differ() -> None:
    one, other = TraceIDGenerator.generate(), TraceIDGenerator.generate()

    assert len(one) == 32
    assert int(one, 16) != int(other, 16)


@pytest.mark.parametrize(
    ("headers", "trace_id", "parent"),
    [
        ({"x-trace-id": "abc"}, "abc", 0),
        ({"traceparent": PARENT}, HEX, 0xB7AD6B7169203331),
        ({"x-trace-id": "abc", "traceparent": PARENT}, "abc", 0),
        ({"x-trace-id": HEX, "traceparent": PARENT}, HEX, 0xB7AD6B7169203331),
    ],
)
def test_trace_id_comes_from_the_request(
    headers: dict[str, str], trace_id: str, parent: int
) -> None:
    incoming = TraceIDGenerator.from_request(headers)

    assert (incoming.trace_id, incoming.parent_span_id) == (trace_id, parent)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-trace-id": ""},
        {"x-trace-id": "with\nnewline"},
        {"x-trace-id": "x" * 129},
        {"traceparent": "00-00000000000000000000000000000000-b7ad6b7169203331-01"},
        {"traceparent": f"00-{HEX}-0000000000000000-01"},
        {"traceparent": f"ff-{HEX}-b7ad6b7169203331-01"},
        {"traceparent": "nonsense"},
    ],
)
def test_unusable_trace_headers_give_a_new_trace(headers: dict[str, str]) -> None:
    incoming = TraceIDGenerator.from_request(headers)

    assert incoming.trace_id not in headers.values()
    assert len(incoming.trace_id) == 32
    assert incoming.parent_span_id == 0


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracing(exporter: InMemorySpanExporter) -> DistributedTracing:
    tracing = DistributedTracing()
    tracing.add_processor(SimpleSpanProcessor(exporter))
    return tracing


@pytest.mark.parametrize(
    ("trace_id", "seen"),
    [
        (HEX, int(HEX, 16)),
        ("abc", int.from_bytes(hashlib.sha256(b"abc").digest()[:16], "big")),
        ("0" * 32, int.from_bytes(hashlib.sha256(b"0" * 32).digest()[:16], "big")),
    ],
)
def test_span_carries_the_trace_id_as_opentelemetry_can(
    tracing: DistributedTracing, exporter: InMemorySpanExporter, trace_id: str, seen: int
) -> None:
    with tracing.span("work", trace_id, rows=3):
        pass

    (span,) = exporter.get_finished_spans()
    assert span.context is not None
    assert span.context.trace_id == seen == opentelemetry_trace_id(trace_id)
    assert dict(span.attributes or {}) == {"civitas.trace_id": trace_id, "rows": 3}


def test_inner_span_of_the_same_trace_is_a_child_and_of_another_is_not(
    tracing: DistributedTracing, exporter: InMemorySpanExporter
) -> None:
    with tracing.span("outer", "abc", parent_span_id=7):
        with tracing.span("inner", "abc"):
            pass
        with tracing.span("foreign", "xyz"):
            pass

    inner, foreign, outer = exporter.get_finished_spans()
    assert inner.parent is not None
    assert outer.context is not None
    assert inner.parent.span_id == outer.context.span_id
    assert outer.parent is not None
    assert outer.parent.span_id == 7
    assert foreign.parent is not None
    assert foreign.parent.span_id != outer.context.span_id


@pytest.mark.parametrize("trace_id", [HEX, "abc", "order-7/ü".encode().hex()])
def test_message_takes_its_trace_along(
    tracing: DistributedTracing, exporter: InMemorySpanExporter, trace_id: str
) -> None:
    with tracing.span("sends", trace_id):
        headers = carried(trace_id)
    with tracing.received("takes", headers, queue="runs") as found:
        pass

    sends, takes = exporter.get_finished_spans()
    assert found == trace_id
    assert takes.parent is not None
    assert sends.context is not None
    assert (takes.parent.trace_id, takes.parent.span_id) == (
        sends.context.trace_id,
        sends.context.span_id,
    )
    assert takes.kind is SpanKind.CONSUMER
    assert dict(takes.attributes or {}) == {"civitas.trace_id": trace_id, "queue": "runs"}
    assert takes.resource.attributes["service.name"] == "civitas"


def test_message_of_another_trace_takes_no_foreign_parent_along(
    tracing: DistributedTracing,
) -> None:
    with tracing.span("other", "xyz"):
        assert carried("abc") == {"x-trace-id": "abc"}
    assert carried("abc") == {"x-trace-id": "abc"}


@pytest.mark.parametrize("headers", [{}, {"x-trace-id": "with space"}, {"traceparent": "00-zz"}])
def test_message_without_a_trace_begins_one(
    tracing: DistributedTracing, headers: dict[str, str]
) -> None:
    with tracing.received("takes", headers) as trace_id:
        assert len(trace_id) == 32


def test_log_line_is_one_json_object_with_the_trace_id(tmp_path: Path) -> None:
    file = tmp_path / "logs" / "civitas.jsonl"
    with add_log_file(file, level="INFO"), bound(CallContext("abc")):
        logger.info("file {} read", "a\nb\x1b[31m", rows=3)

    (line,) = map(json.loads, file.read_text().splitlines())
    assert (line["message"], line["trace_id"], line["rows"]) == ("file a\nb\x1b[31m read", "abc", 3)
    assert (line["level"], line["tenant"]) == ("INFO", "local")


def test_redacted_log_says_nothing_else_on_the_terminal_or_in_its_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs(level="INFO")
    with (
        add_log_file(tmp_path / "log.jsonl", level="INFO"),
        redacted_log(lambda text: text.replace("Quill", "[name]")),
    ):
        told = logger.bind(of="Quill", rows=3).opt(exception=ValueError("Quill\x1b[31m"))
        told.error("it failed for {}", "Quill")
    with redacted_log(str):
        logger.warning("later Quill is told again")
    logger.remove()

    shown = capsys.readouterr().err
    (line,) = map(json.loads, (tmp_path / "log.jsonl").read_text().splitlines())
    assert (line["message"], line["of"], line["rows"]) == ("it failed for [name]", "[name]", 3)
    assert line["exception"].startswith("ValueError('[name]")
    before, later = shown.split("later")
    assert "Quill" not in before
    assert "ValueError: [name]\\x1b[31m" in before
    assert "Quill is told again" in later


def test_exception_is_named_in_the_log_line(tmp_path: Path) -> None:
    file = tmp_path / "civitas.jsonl"
    with add_log_file(file, level="DEBUG"):
        logger.opt(exception=ValueError("no")).error("it failed")

    (line,) = file.read_text().splitlines()
    assert json.loads(line)["exception"] == "ValueError('no')"


def test_terminal_shows_control_characters_escaped_and_standard_loggers_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs(level="INFO")
    logger.info("one\ntwo\x1b[31m")
    logging.getLogger("uvicorn.error").warning("braces {} and %s", "text")
    logger.remove()

    shown = capsys.readouterr().err
    assert "one\\ntwo\\x1b[31m" in shown
    assert "braces {} and text" in shown
    assert len(shown.splitlines()) == 2


def test_what_a_message_asked_for_is_done_below_it(
    tracing: DistributedTracing, exporter: InMemorySpanExporter
) -> None:
    with tracing.received("takes", {"x-trace-id": "abc"}, remembered_as="run-1"):
        pass

    with tracing.span("does", "abc", parent_span_id=tracing.below("run-1", "abc")):
        pass

    takes, does = exporter.get_finished_spans()
    assert tracing.below("run-1", "another trace") == tracing.below("run-2", "abc") == 0
    assert takes.context is not None
    assert does.parent is not None
    assert does.parent.span_id == takes.context.span_id
