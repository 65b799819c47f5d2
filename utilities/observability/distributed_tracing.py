"""Spans on OpenTelemetry that carry the city's trace id, whatever text that is."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags, Tracer

from utilities.observability.trace_id_generator import TraceIDGenerator, opentelemetry_trace_id

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

TRACE_ID_ATTRIBUTE = "civitas.trace_id"
SERVICE = "civitas"
_REMEMBERED = 10_000


class DistributedTracing:
    """Opens spans; they go wherever the processors that were added send them."""

    def __init__(self) -> None:
        self._taken_up: OrderedDict[str, tuple[str, int]] = OrderedDict()
        """For what came by messages, the trace and the span that it is done below."""
        self.recording = False
        """Whether spans go anywhere; where they do not, a hot path need not make any."""

    @cached_property
    def provider(self) -> "TracerProvider":
        """The OpenTelemetry provider, for libraries that emit spans of their own.

        It is made for the first span: to import what makes spans takes a start 20 ms.
        """
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider

        resource = Resource.create({"service.name": SERVICE})  # OTEL_RESOURCE_ATTRIBUTES adds
        return TracerProvider(resource=resource, shutdown_on_exit=False)

    @cached_property
    def _tracer(self) -> Tracer:
        return self.provider.get_tracer(SERVICE)

    def add_processor(self, processor: "SpanProcessor") -> None:
        """Send every span that ends from now on to `processor` too."""
        self.provider.add_span_processor(processor)
        self.recording = True

    @contextmanager
    def span(
        self,
        name: str,
        trace_id: str,
        *,
        parent_span_id: int = 0,
        kind: SpanKind = SpanKind.INTERNAL,
        **attributes: str | int | float | bool,
    ) -> Iterator[Span]:
        """A span of `trace_id`: below the open span of the same trace, else below the given parent.

        A trace id that is no 32 hex digits is digested for OpenTelemetry and kept whole in the
        attribute `civitas.trace_id`, which every span carries.
        """
        with self._tracer.start_as_current_span(
            name,
            context=self._parent(trace_id, parent_span_id),
            kind=kind,
            attributes={TRACE_ID_ATTRIBUTE: trace_id, **attributes},
        ) as span:
            yield span

    @contextmanager
    def received(
        self,
        name: str,
        headers: Mapping[str, str],
        *,
        remembered_as: str = "",
        **attributes: str | int | float | bool,
    ) -> Iterator[str]:
        """A span that takes up the trace of a message with the headers of `carried`; its trace id.

        Headers that carry none, or none that can be read, begin a new trace. What is remembered
        under a key is found by `below`, when the work itself is done.
        """
        incoming = TraceIDGenerator.from_request(headers)
        with self.span(
            name,
            incoming.trace_id,
            parent_span_id=incoming.parent_span_id,
            kind=SpanKind.CONSUMER,
            **attributes,
        ) as span:
            if remembered_as:
                self._taken_up[remembered_as] = (
                    incoming.trace_id,
                    span.get_span_context().span_id,
                )
                while len(self._taken_up) > _REMEMBERED:
                    self._taken_up.popitem(last=False)
            yield incoming.trace_id

    def below(self, key: str, trace_id: str) -> int:
        """The span below which something of this trace is done that a message asked for, or 0."""
        known_trace, span_id = self._taken_up.get(key, ("", 0))
        return span_id if known_trace == trace_id else 0

    def close(self) -> None:
        """Hand what is still buffered to the processors and stop them."""
        if "provider" in vars(self):
            self.provider.shutdown()

    def _parent(self, trace_id: str, parent_span_id: int) -> Context | None:
        wanted = opentelemetry_trace_id(trace_id)
        if trace.get_current_span().get_span_context().trace_id == wanted:
            return None
        parent = SpanContext(
            trace_id=wanted,
            span_id=parent_span_id or self.provider.id_generator.generate_span_id(),
            is_remote=True,
            trace_flags=TraceFlags(TraceFlags.SAMPLED),
        )
        return trace.set_span_in_context(NonRecordingSpan(parent))


def carried(trace_id: str) -> dict[str, str]:
    """The headers by which a message takes a trace along, to be read by `received`.

    The span that is open becomes the parent there, if it is of this trace.
    """
    span = trace.get_current_span()
    if span.get_span_context().trace_id != opentelemetry_trace_id(trace_id):
        return {"x-trace-id": trace_id}
    return {"x-trace-id": trace_id, "traceparent": traceparent(span)}


def traceparent(span: Span) -> str:
    """The header of W3C Trace Context, level 1."""
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"
