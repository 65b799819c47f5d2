"""Sends spans where the settings ask: to a file of the data folder, or to a collector by OTLP."""

from types import TracebackType
from typing import IO, TYPE_CHECKING, Self
from urllib.parse import urlsplit

from foundations.public_works.data_folder import DataFolder
from foundations.public_works.settings import Settings
from foundations.public_works.threads import in_thread
from utilities.errors import ErrorKind, PlatformError
from utilities.observability.distributed_tracing import DistributedTracing

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter

_SECONDS_FOR_A_BATCH = 5


class ExporterMissing(PlatformError):
    """The library that sends spans is not installed."""

    kind = ErrorKind.CONFIGURATION


class SpanExport:
    """`file`: a JSON object a line in `logs/spans.jsonl`. `otlp`: OTLP over HTTP, in batches.

    A collector that does not answer costs spans and lines in the log, never a request.
    """

    def __init__(
        self, *, settings: Settings, folder: DataFolder, tracing: DistributedTracing
    ) -> None:
        self._wanted = settings.trace_export
        self._endpoint = traces_address(settings.trace_endpoint)
        self._path = folder.logs / "spans.jsonl"
        self._tracing = tracing
        self._file: IO[str] | None = None

    async def __aenter__(self) -> Self:
        match self._wanted:
            case "file":
                from opentelemetry.sdk.trace.export import ConsoleSpanExporter

                self._file = self._path.open("a", encoding="utf-8")
                self._send_to(ConsoleSpanExporter(out=self._file, formatter=_line))
            case "otlp":
                self._send_to(_otlp_exporter(self._endpoint))
            case "none":
                pass
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await in_thread(self._tracing.close)  # it waits for a collector that is slow
        if self._file is not None:
            self._file.close()

    def _send_to(self, exporter: "SpanExporter") -> None:
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        self._tracing.add_processor(BatchSpanProcessor(exporter, schedule_delay_millis=200))


def traces_address(endpoint: str) -> str:
    """Where spans go below a collector's address; an address with a path is taken as it stands."""
    bare = urlsplit(endpoint).path in {"", "/"}
    return f"{endpoint.rstrip('/')}/v1/traces" if bare else endpoint


def _otlp_exporter(address: str) -> "SpanExporter":
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError as error:
        raise ExporterMissing(
            "CIVITAS_TRACE_EXPORT=otlp needs a library that is not installed",
            hint="pip install 'civitas[cloud]', or set CIVITAS_TRACE_EXPORT=file",
        ) from error
    return OTLPSpanExporter(endpoint=address, timeout=_SECONDS_FOR_A_BATCH)


def _line(span: "ReadableSpan") -> str:
    return f"{span.to_json(indent=None)}\n"
