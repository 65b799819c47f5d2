"""Where trace ids come from: a request's headers, or a new one."""

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

_HEX_32 = re.compile(r"[0-9a-f]{32}")
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_CLEAN = re.compile(r"[\x21-\x7e]{1,128}")


@dataclass(frozen=True, slots=True)
class IncomingTrace:
    """A trace id and, when the caller sent a valid `traceparent`, the caller's span."""

    trace_id: str
    parent_span_id: int = 0


class TraceIDGenerator:
    """Makes trace ids, and reads them from a request."""

    @staticmethod
    def generate() -> str:
        """A new trace id: 32 lower-case hex digits, as OpenTelemetry uses them."""
        return secrets.token_hex(16)

    @classmethod
    def from_request(cls, headers: Mapping[str, str]) -> IncomingTrace:
        """The caller's trace id: `X-Trace-ID` wins over `traceparent`; neither gives a new one.

        An `X-Trace-ID` may be any 1 to 128 visible ASCII characters; anything else is ignored. A
        `traceparent` beside it tells the parent where it is of the same trace.
        Header names are matched in lower case, as ASGI delivers them. W3C Trace Context, level 1.
        """
        parent = _TRACEPARENT.fullmatch(headers.get("traceparent", "").strip())
        named = headers.get("x-trace-id", "").strip()
        if _CLEAN.fullmatch(named):
            same = parent is not None and int(parent[2], 16) == opentelemetry_trace_id(named)
            return IncomingTrace(named, int(parent[3], 16) if parent and same else 0)
        if parent and parent[1] != "ff" and int(parent[2], 16) and int(parent[3], 16):
            return IncomingTrace(parent[2], int(parent[3], 16))
        return IncomingTrace(cls.generate())


def opentelemetry_trace_id(trace_id: str) -> int:
    """The 128-bit id OpenTelemetry sees: the text when it is 32 hex digits, else its digest."""
    if _HEX_32.fullmatch(trace_id) and int(trace_id, 16):
        return int(trace_id, 16)
    return int.from_bytes(hashlib.sha256(trace_id.encode()).digest()[:16], "big")
