"""Writes spans to `logs/spans.jsonl` of the data folder, where the settings ask for it."""

from types import TracebackType
from typing import IO, Self

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

from foundations.public_works.data_folder import DataFolder
from foundations.public_works.settings import Settings
from utilities.observability.distributed_tracing import DistributedTracing


class SpanFile:
    """One JSON object a line for each span that ends, in OpenTelemetry's own JSON form."""

    def __init__(
        self, *, settings: Settings, folder: DataFolder, tracing: DistributedTracing
    ) -> None:
        self._wanted = settings.trace_export == "file"
        self._path = folder.logs / "spans.jsonl"
        self._tracing = tracing
        self._file: IO[str] | None = None

    async def __aenter__(self) -> Self:
        if self._wanted:
            self._file = self._path.open("a", encoding="utf-8")
            exporter = ConsoleSpanExporter(out=self._file, formatter=_line)
            self._tracing.add_processor(BatchSpanProcessor(exporter, schedule_delay_millis=200))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._tracing.close()
        if self._file is not None:
            self._file.close()


def _line(span: ReadableSpan) -> str:
    return f"{span.to_json(indent=None)}\n"
