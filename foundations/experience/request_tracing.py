"""The HTTP edge's first layer: trace id in and out, call context, server span, access log."""

import time
from dataclasses import dataclass

from loguru import logger
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, StatusCode, use_span
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from utilities.context import LOCAL_USER, CallContext, bound
from utilities.observability.distributed_tracing import DistributedTracing, traceparent
from utilities.observability.trace_id_generator import IncomingTrace, TraceIDGenerator

_LONGEST_PATH_SHOWN = 300


@dataclass(frozen=True, slots=True)
class RequestTrace:
    """The trace of a request; `sent` says that the client chose it, by a header of its own."""

    trace_id: str
    sent: bool


class RequestTracing:
    """ASGI: binds the call context of a request, and tells its trace in every response."""

    def __init__(self, app: ASGIApp, *, tracing: DistributedTracing) -> None:
        self._app = app
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        incoming, sent = _incoming(scope)
        scope["civitas.trace"] = RequestTrace(incoming.trace_id, sent)
        method, path = _escaped(scope["method"]), _escaped_path(scope)
        with (
            bound(CallContext(incoming.trace_id, LOCAL_USER)),
            use_span(INVALID_SPAN),  # a kept connection may bring the context of its last request
            self._tracing.span(
                f"HTTP {method}",
                incoming.trace_id,
                parent_span_id=incoming.parent_span_id,
                kind=SpanKind.SERVER,
                **{"http.request.method": method, "url.path": path},
            ) as span,
        ):
            exchange = _Exchange(scope, send, span, incoming.trace_id)
            try:
                await self._app(scope, receive, exchange.send)
            finally:
                exchange.log(method, path)


class _Exchange:
    """One request and its response."""

    def __init__(self, scope: Scope, send: Send, span: Span, trace_id: str) -> None:
        self._scope = scope
        self._send = send
        self._span = span
        self._trace_id = trace_id
        self._begun = time.perf_counter()
        self._status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = MutableHeaders(scope=message)
            headers.setdefault("X-Trace-ID", self._trace_id)
            headers["traceparent"] = traceparent(self._span)
            headers["X-Content-Type-Options"] = "nosniff"
            headers.setdefault("Cache-Control", "no-store")
        await self._send(message)

    def log(self, method: str, path: str) -> None:
        """One line for the request; its query is left out, for it may hold what is secret."""
        seconds = time.perf_counter() - self._begun
        problem = self._scope.get("civitas.problem", "")
        text = "{} {} {}{} in {:.1f} ms"
        told = f" {problem}" if problem else ""
        logger.info(text, method, path, self._status or "unanswered", told, seconds * 1000)
        self._span.set_attribute("http.response.status_code", self._status)
        if route := getattr(self._scope.get("route"), "path", ""):
            self._span.update_name(f"HTTP {method} {route}")
            self._span.set_attribute("http.route", route)
        if self._status >= 500 or not self._status:
            self._span.set_status(StatusCode.ERROR)


def _incoming(scope: Scope) -> tuple[IncomingTrace, bool]:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    incoming = TraceIDGenerator.from_request(headers)
    named = headers.get("x-trace-id", "").strip()
    sent = incoming.trace_id == named or incoming.trace_id in headers.get("traceparent", "")
    return incoming, sent


def _escaped_path(scope: Scope) -> str:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return _escaped(raw.decode("latin-1")[:_LONGEST_PATH_SHOWN])


def _escaped(text: str) -> str:
    return "".join(c if "\x20" < c < "\x7f" else f"%{ord(c):02X}" for c in text)
