"""Spans on OpenTelemetry that carry the city's trace id, whatever text that is."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags

from utilities.observability.trace_id_generator import opentelemetry_trace_id

TRACE_ID_ATTRIBUTE = "civitas.trace_id"


class DistributedTracing:
    """Opens spans; they go wherever the processors that were added send them."""

    def __init__(self) -> None:
        self._provider = TracerProvider(shutdown_on_exit=False)
        self._tracer = self._provider.get_tracer("civitas")
        self._ids = RandomIdGenerator()
        self.recording = False
        """Whether spans go anywhere; where they do not, a hot path need not make any."""

    @property
    def provider(self) -> TracerProvider:
        """The OpenTelemetry provider, for libraries that emit spans of their own."""
        return self._provider

    def add_processor(self, processor: SpanProcessor) -> None:
        """Send every span that ends from now on to `processor` too."""
        self._provider.add_span_processor(processor)
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

    def close(self) -> None:
        """Hand what is still buffered to the processors and stop them."""
        self._provider.shutdown()

    def _parent(self, trace_id: str, parent_span_id: int) -> Context | None:
        wanted = opentelemetry_trace_id(trace_id)
        if trace.get_current_span().get_span_context().trace_id == wanted:
            return None
        parent = SpanContext(
            trace_id=wanted,
            span_id=parent_span_id or self._ids.generate_span_id(),
            is_remote=True,
            trace_flags=TraceFlags(TraceFlags.SAMPLED),
        )
        return trace.set_span_in_context(NonRecordingSpan(parent))
