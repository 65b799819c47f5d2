"""The content pillar: a stored file in, its tables or text, vectors and graph out."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from foundations.declarations import Effect, service, soa_api
from foundations.public_works import media_types, semantics
from foundations.public_works.data_folder import DataFolder
from foundations.public_works.embedder import Embedder
from foundations.public_works.graph.drawing import drawn
from foundations.public_works.object_store import ObjectStore
from foundations.public_works.parsers import Parsers
from foundations.public_works.parsing.artifacts import ENTITIES, PASSAGES, read_passages
from foundations.public_works.parsing.models import (
    DEFAULT,
    ParseOptions,
    ParseResult,
    Passage,
    TableFormat,
    entities_in,
)
from foundations.public_works.semantics import Manifest, SemanticResult, folder_of
from foundations.public_works.threads import in_thread
from foundations.public_works.workspaces import workspace
from realms.business_enablement.api import (
    ContentAnalysis,
    ConvertedFile,
    NoTable,
    ParsedFile,
)
from realms.business_enablement.quality import quality_of
from smart_city.content_steward.api import ContentSteward, FileRecord, FileUnknown
from smart_city.data_steward.api import ContentSeen, DataSteward, PolicySubject
from utilities.context import UserContext, current

_FORMATS = {
    media_types.CSV: TableFormat.CSV,
    media_types.TSV: TableFormat.TSV,
    media_types.PARQUET: TableFormat.PARQUET,
    media_types.NDJSON: TableFormat.NDJSON,
}


@service
class ContentAnalysisOrchestrator(ContentAnalysis):
    """Turns stored files into tables, text and meaning."""

    def __init__(
        self,
        *,
        steward: ContentSteward,
        data: DataSteward,
        parsers: Parsers,
        embedder: Embedder,
        objects: ObjectStore,
        folder: DataFolder,
    ) -> None:
        self._steward = steward
        self._data = data
        self._parsers = parsers
        self._embedder = embedder
        self._objects = objects
        self._folder = folder

    @soa_api(public=True, effect=Effect.KEYED)
    async def parse_file(
        self,
        file_id: str,
        parse_options: ParseOptions = DEFAULT,
        user_context: UserContext | None = None,
        trace_id: str | None = None,
    ) -> ParsedFile:
        """Parse one stored file in a child process with limits, and embed what it says.

        The data steward judges what was found in it before anything of it is kept. Tables, passages
        and vectors go to the object store, under keys made from the file's id, so that doing it
        again overwrites them with the same. The data steward is told how good the data is.

        Raises:
            FileUnknown, FileNotStored: there is no such file to read.
            UnsupportedFile, UnreadableFile and their relatives: see `Parsers.parse`; the file stays
                where it is.
            ClassRefused: it holds data that the policy lets no further.
        """
        async with workspace(self._folder) as output:
            async with self._steward.local_copy(file_id) as (record, path):
                parsed, _ = await asyncio.gather(
                    self._parsers.parse(path, output, name=record.name, options=parse_options),
                    self._embedder.warm_up(),  # takes as long as the child does, beside it
                )
            said = await in_thread(_said, record.file_id, parsed, output)
            await self._data.enforce_client_data_policy(_subject(record, parsed, said.passages))
            vectors = await self._embedder.embed([one.in_context for one in said.passages])
            meant = self._meant(record, parsed, said)
            made = {semantics.VECTORS: vectors.astype("<f4").tobytes(), semantics.GRAPH: said.graph}
            await self._stored(record, parsed, meant, output, made)
        links = [(f"parsed:{meant.artifact}", "was_derived_from")]
        if run := current().run_id:
            links.append((f"run:{run}", "used"))
        await asyncio.gather(  # one commit may keep all of it
            self._data.record_quality(file_id, quality_of(parsed)),
            *(self._data.record_lineage(of, predicate, file_id) for of, predicate in links),
        )
        await self._require_still_there(record)
        return ParsedFile(parse_result=parsed, semantic_result=meant, trace_id=current().trace_id)

    @soa_api(public=True, effect=Effect.KEYED)
    async def convert_file(self, file_id: str, to: TableFormat) -> ConvertedFile:
        """Store a table, whole and exact, as a new file of another format.

        What was written is read back and compared; where something would be lost nothing is stored.
        Doing it again stores another version with the same bytes, which are kept once.

        Raises:
            FileUnknown, FileNotStored: there is no such file to read.
            NoTable: it is no CSV, TSV, Parquet or NDJSON file, or is of that format already.
            NotLossless: something would be lost; the reasons are named.
        """
        record = await self._steward.get_file(file_id)
        spool = self._folder.spool()
        try:
            async with self._steward.local_copy(file_id) as copy:
                await self._parsers.convert(copy.path, spool, of=_format(record, to), to=to)
            name = f"{Path(record.name).stem}.{to}"
            made = await self._steward.register_upload(spool.name, name)
        finally:
            spool.unlink(missing_ok=True)
        await self._data.record_lineage(made.file_id, "was_converted_from", file_id)
        return ConvertedFile(file=made, converted_from=file_id)

    def _meant(self, record: FileRecord, parsed: ParseResult, said: "_Said") -> SemanticResult:
        return SemanticResult(
            file_id=record.file_id,
            name=record.name,
            media_type=parsed.media_type,
            kind=parsed.kind,
            model=self._embedder.model,
            dimensions=self._embedder.dimensions,
            passage_count=len(said.passages),
            edge_count=said.edges,
            artifact=folder_of(record.tenant, record.file_id),
            key_phrases=tuple(phrase.phrase for phrase in parsed.key_phrases[:20]),
            summary=" ".join(sentence.sentence for sentence in parsed.summary),
        )

    async def _require_still_there(self, record: FileRecord) -> None:
        """Leave nothing of a file that was deleted while it was read."""
        try:
            await self._steward.get_file(record.file_id)
        except FileUnknown:
            await self._objects.delete_below(folder_of(record.tenant, record.file_id))
            await self._data.forget_file(record.file_id)
            raise

    async def _stored(
        self,
        record: FileRecord,
        parsed: ParseResult,
        meant: SemanticResult,
        output: Path,
        made: Mapping[str, bytes],
    ) -> None:
        """Put every artifact into the object store, the manifest last."""
        key = folder_of(record.tenant, record.file_id)
        artifacts = {name: output / name for name in parsed.artifacts}
        manifest = Manifest(parse_result=parsed, semantic_result=meant, sha256=record.sha256)
        last = {semantics.MANIFEST: manifest.model_dump_json().encode()}
        await self._objects.put_files(key, {**artifacts, **made}, last=last)


def _format(record: FileRecord, to: TableFormat) -> TableFormat:
    """The format of a table that is to become another."""
    of = _FORMATS.get(record.media_type)
    if of is None or of is to:
        raise NoTable(
            f"{record.name} is {record.media_type}, and is to be {to}",
            hint=f"formats are {', '.join(TableFormat)}, one into another",
        )
    return of


def _subject(record: FileRecord, parsed: ParseResult, passages: list[Passage]) -> PolicySubject:
    return PolicySubject(
        file_id=record.file_id,
        name=record.name,
        media_type=record.media_type,
        size=record.size,
        content=ContentSeen(tables=parsed.tables, passages=tuple(passages)),
    )


class _Said(NamedTuple):
    """What a file says: its passages, and its graph as JSON with the number of its edges."""

    passages: list[Passage]
    graph: bytes
    edges: int


def _said(file_id: str, parsed: ParseResult, output: Path) -> _Said:
    """Read what parsing left in `output`, and draw the graph of it."""
    passages = read_passages(output / PASSAGES)
    named = entities_in((output / ENTITIES).read_bytes())
    graph = drawn(file_id, parsed, passages, named)
    return _Said(passages, graph.model_dump_json().encode(), len(graph.edges))
