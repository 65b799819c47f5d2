"""What it costs to have a thousand text documents found, beside parsing and embedding them bare."""

import asyncio
import multiprocessing
import os
import random
import shutil
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, AsyncExitStack, nullcontext
from pathlib import Path
from statistics import median
from typing import Any

from foundations.public_works.adapters.wordllama_embedder import WordLlamaEmbedder
from foundations.public_works.content_metadata import ContentMetadataAbstraction
from foundations.public_works.data_folder import DataFolder
from foundations.public_works.parsing.artifacts import PASSAGES, read_passages
from foundations.public_works.parsing.insights.texts.naming import name_entities
from foundations.public_works.parsing.models import ParseOptions
from foundations.public_works.parsing.reading import read
from foundations.public_works.settings import Settings
from main import Platform
from realms.business_enablement.api import ContentAnalysis
from smart_city.content_steward.api import ContentSteward
from tests.benchmarks.retrieval.bare_storing import Writing
from tests.benchmarks.retrieval.bench import Say
from tests.benchmarks.retrieval.speed import said
from tests.benchmarks.retrieval.spent import Spent
from tests.benchmarks.workers.cpu import of_tree
from tests.support.role_city import NORTH, as_user
from utilities.long_lived import calm_collector, loop_factory
from utilities.observability.logs import configure_logs

MOST = 1.25
"""Times what parsing and embedding cost when called directly."""
IN_FLIGHT = 8


def measure(documents: int, words: int, rounds: int, say: Say) -> dict[str, Any]:
    """Seconds of each way, by turns; the city's has every passage searchable at the end.

    Called directly means: one text after the other in one process, and in as many processes as
    there are cores. By the clock, and of processors, which other work disturbs less.
    Once more the city is watched, which slows it, and what it wrote is written bare.
    """
    configure_logs(level="ERROR")
    with tempfile.TemporaryDirectory(prefix="civitas-indexing-") as folder:
        paths = written(Path(folder) / "documents", documents, words)
        alone: list[Spent] = []
        bare: list[Spent] = []
        city: list[Spent] = []
        for turn in range(rounds):
            alone.append(_bare(paths, Path(folder) / "bare", processes=1))
            say(f"called directly, one after the other: {alone[-1].wall:.1f} s")
            bare.append(_bare(paths, Path(folder) / "bare", processes=os.cpu_count() or 1))
            say(f"called directly, on all cores: {bare[-1].wall:.1f} s")
            with asyncio.Runner(loop_factory=loop_factory()) as served:
                city.append(served.run(_city(paths, Path(folder) / f"city-{turn}")))
            say(f"by the city: {city[-1].wall:.1f} s")
        stored = _stored(paths, Path(folder))
        say(f"its rows and files, written bare: {stored.wall:.1f} s")
    walls, processors = _ratios(bare, city)
    in_turn, _ = _ratios(alone, city)
    direct = median(one.processor for one in bare)
    return {
        "documents": documents,
        "bytes": sum(map(len, _texts(documents, words))) // documents,
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "in_turn_s": [round(one.wall, 2) for one in alone],
        "direct_s": [round(one.wall, 2) for one in bare],
        "city_s": [round(one.wall, 2) for one in city],
        "direct_cpu_s": [round(one.processor, 2) for one in bare],
        "city_cpu_s": [round(one.processor, 2) for one in city],
        "stored_cpu_s": round(stored.processor, 2),
        "least_cpu_ratio": round((direct + stored.processor) / direct, 2),
        "in_turn_ratio": round(in_turn, 2),
        "ratio": round(walls, 2),
        "cpu_ratio": round(processors, 2),
        "passed": walls <= MOST,
    }


def shown(found: dict[str, Any]) -> list[tuple[list[str], list[list[str]]]]:
    """The figures as a table."""
    rows = [
        ["documents", "", f"{found['documents']:,} of {found['bytes']:,} bytes"],
        ["called one after the other, seconds", "", ", ".join(map(str, found["in_turn_s"]))],
        ["called on all cores, seconds", "", ", ".join(map(str, found["direct_s"]))],
        ["by the city, seconds", "", ", ".join(map(str, found["city_s"]))],
        ["processor seconds, directly", "", ", ".join(map(str, found["direct_cpu_s"]))],
        ["processor seconds, the city", "", ", ".join(map(str, found["city_cpu_s"]))],
        ["processor seconds, the same rows and files bare", "", str(found["stored_cpu_s"])],
        ["ratio of directly and those, the least there can be", "", str(found["least_cpu_ratio"])],
        ["ratio of processor seconds", "", str(found["cpu_ratio"])],
        ["ratio to one after the other", "", str(found["in_turn_ratio"])],
        ["ratio to all cores", f"at most {MOST}", str(found["ratio"])],
    ]
    return [(["figure", "promised", "measured"], rows)]


def _ratios(bare: Sequence[Spent], city: Sequence[Spent]) -> tuple[float, float]:
    """Of the medians: by the clock, and of processors."""
    walls = median(one.wall for one in city) / median(one.wall for one in bare)
    processors = median(one.processor for one in city) / median(one.processor for one in bare)
    return walls, processors


def written(folder: Path, documents: int, words: int) -> list[Path]:
    """Documents of sentences of the documentation, drawn at random."""
    folder.mkdir()
    paths = []
    for number, text in enumerate(_texts(documents, words)):
        paths.append(folder / f"document-{number}.txt")
        paths[-1].write_text(text, encoding="utf-8")
    return paths


def _texts(documents: int, words: int) -> list[str]:
    draw, sentences = random.Random(1), said()
    return [_text(draw, sentences, words) for _ in range(documents)]


def _text(draw: random.Random, sentences: Sequence[str], words: int) -> str:
    paragraphs: list[str] = []
    count = 0
    while count < words:
        paragraphs.append(" ".join(draw.choices(sentences, k=4)))
        count += len(paragraphs[-1].split())
    return "\n\n".join(paragraphs) + "\n"


def _bare(paths: Sequence[Path], output: Path, processes: int) -> Spent:
    """Parse and embed in so many processes, and nothing else."""
    output.mkdir()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, _loaded, (paths[0],)) as pool:
        list(pool.map(_nothing, range(8)))
        begun = time.perf_counter()
        seconds = list(pool.map(_parsed_and_embedded, paths, [output] * len(paths), chunksize=8))
        taken = time.perf_counter() - begun
    shutil.rmtree(output)
    return Spent(taken, sum(seconds))


_EMBEDDER = WordLlamaEmbedder()
_LOOP = asyncio.Runner()
"""One for all documents: a loop for each, and its new thread, are none of the work."""


def _loaded(path: Path) -> None:
    """Do one document, so that what the first would have to load is there: as in the city."""
    with tempfile.TemporaryDirectory() as output:
        _parsed_and_embedded(path, Path(output))


def _nothing(number: int) -> int:
    return number


def _parsed_and_embedded(path: Path, output: Path) -> float:
    """What a child is asked for, and what the city embeds of it, by the same functions."""
    begun = time.process_time()
    own = output / path.stem
    own.mkdir()
    name_entities(read(path, own, name=path.name, options=ParseOptions()), own)
    passages = read_passages(own / PASSAGES)
    _LOOP.run(_EMBEDDER.embed([passage.in_context for passage in passages]))
    return time.process_time() - begun


def _stored(paths: Sequence[Path], folder: Path) -> Spent:
    """What it takes to write nothing but what the city writes."""
    city = folder / "city-watched"
    writing = Writing(city, folder)
    with asyncio.Runner(loop_factory=loop_factory()) as served:
        served.run(_city(paths, city, writing))
    return writing.again(folder / "stored")


async def _city(paths: Sequence[Path], folder: Path, writing: Writing | None = None) -> Spent:
    """Parse, embed, store and index by the city's services, several at once, as it is served."""
    async with AsyncExitStack() as stack:
        stack.enter_context(as_user(NORTH))
        city = await stack.enter_async_context(Platform(Settings(data_dir=folder)))
        steward, spools = city.registry.get(ContentSteward), city.registry.get(DataFolder)
        ids = []
        for path in paths:
            spool = spools.spool()
            shutil.copyfile(path, spool)
            ids.append((await steward.register_upload(spool.name, path.name)).file_id)
        analysis = city.registry.get(ContentAnalysis)
        layer = city.registry.get(ContentMetadataAbstraction)
        await analysis.parse_file(ids[0])  # starts the process that children are forked from
        calm_collector()
        waiting = iter(ids)

        async def work() -> None:
            for file_id in waiting:
                parsed = await analysis.parse_file(file_id)
                await layer.store_semantic_embeddings(file_id, parsed.semantic_result)

        watching: AbstractContextManager[None] = writing.watched() if writing else nullcontext()
        with watching:
            begun, before = time.perf_counter(), of_tree(os.getpid())
            async with asyncio.TaskGroup() as group:
                for _ in range(IN_FLIGHT):
                    group.create_task(work())
            return Spent(time.perf_counter() - begun, of_tree(os.getpid()) - before)
