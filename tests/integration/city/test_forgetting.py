"""A file that is deleted leaves nothing behind: no row, no word, no object."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from foundations.public_works.content_metadata import ContentMetadataAbstraction
from foundations.public_works.data_folder import DataFolder
from foundations.public_works.database import Database, Dialect
from foundations.public_works.scanner import Malware
from foundations.public_works.settings import Settings
from main import Platform
from realms.business_enablement.api import ContentAnalysis
from realms.solution.api import DataMashSolutions
from smart_city.content_steward.api import (
    ContentSteward,
    FileRefused,
    FileUnknown,
    Track,
)
from smart_city.content_steward.records.files import FileRecords
from smart_city.data_steward.api import PolicyRefused
from smart_city.librarian.api import Librarian
from tests.support.hostile_files import EICAR
from tests.support.postgres import own_database
from tests.support.role_city import NORTH, as_user

pytestmark = pytest.mark.anyio

LETTER = b"The zeppelin lands at noon.\n\nWrite to zeppelin@example.org by 3 May 2026.\n"
KEPT_BY_RETENTION = {"journey_runs", "journey_facts", "post_events"}
"""Journals of runs, and events that are on their way: they go with their own retention."""


@pytest.fixture(params=["sqlite", "postgres"])
async def city(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Platform]:
    with own_database(request, "forgetting", _prepare) as url:
        async with opened(tmp_path / "city", url) as platform:
            yield platform


async def _prepare(url: str) -> None:
    """Nothing: the city makes its own tables."""


@asynccontextmanager
async def opened(folder: Path, url: str = "") -> AsyncIterator[Platform]:
    settings = Settings(
        data_dir=folder,
        database_url=url,  # type: ignore[arg-type]  # read as a secret
        cloud_ready_mode="hybrid" if url else "disabled",  # type: ignore[arg-type]  # read as a mode
    )
    async with Platform(settings) as platform:
        with as_user(NORTH):
            yield platform


async def mashed(city: Platform, data: bytes = LETTER) -> str:
    """A letter that was uploaded and mashed."""
    file_id = await uploaded(city, data)
    outcome = await city.registry.get(DataMashSolutions).execute_data_mash_flow(file_id)
    assert outcome.success, outcome.error
    return file_id


async def uploaded(city: Platform, data: bytes = LETTER) -> str:
    spool = city.registry.get(DataFolder).spool()
    spool.write_bytes(data)
    steward = city.registry.get(ContentSteward)
    return (await steward.register_upload(spool.name, "letter.txt")).file_id


async def rows_about(city: Platform, *words: str) -> dict[str, int]:
    """In which tables any of the words stands, in any column, and in how many rows."""
    database = city.registry.get(Database)

    def work(connection: sa.Connection) -> dict[str, int]:
        found: dict[str, int] = {}
        inspector = sa.inspect(connection)
        for name in inspector.get_table_names():
            rows = connection.execute(sa.text(f'SELECT * FROM "{name}"')).all()
            count = sum(any(word in _told(cell) for word in words for cell in r) for r in rows)
            if count:
                found[name] = count
        return found

    return await database.across_tenants().read(work)


def _told(cell: Any) -> str:
    return bytes(cell).decode("latin-1") if isinstance(cell, bytes | memoryview) else str(cell)


def objects(city: Platform) -> list[str]:
    root = city.registry.get(DataFolder).objects
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


async def test_deleted_file_leaves_nothing_but_journals(city: Platform) -> None:
    deletion = city.registry.get(ContentSteward)
    kept = await mashed(city, LETTER.replace(b"zeppelin", b"balloon"))
    before = set(objects(city))
    file_id = await mashed(city)
    vector_rows = await rows_about(city, file_id)

    deleted = await deletion.delete_file(file_id)

    assert deleted.existed
    assert {"content_vector", "content_node", "library_passages", "files"} <= set(vector_rows)
    assert set(await rows_about(city, file_id, "zeppelin")) <= KEPT_BY_RETENTION
    assert set(objects(city)) == before
    found = await city.registry.get(Librarian).search("zeppelin")
    assert {hit.file_id for hit in found.hits} <= {kept}
    assert await words_in_the_index(city, "zeppelin") == 0
    assert await words_in_the_index(city, "balloon") > 0
    assert (await deletion.delete_file(file_id)).existed is False
    with pytest.raises(FileUnknown):
        await city.registry.get(ContentSteward).get_file(file_id)


async def test_bytes_that_files_share_stay_as_long_as_one_of_them(city: Platform) -> None:
    steward = city.registry.get(ContentSteward)
    before = set(objects(city))
    first, second = await uploaded(city), await uploaded(city)
    shared = set(objects(city)) - before

    await steward.delete_file(first)
    async with steward.local_copy(second) as copy:
        assert copy.path.read_bytes() == LETTER
    assert set(objects(city)) - before == shared
    await steward.delete_file(second)

    assert not [path for path in set(objects(city)) - before if second in path or first in path]


async def test_file_in_quarantine_is_for_others_to_decide(city: Platform) -> None:
    steward = city.registry.get(ContentSteward)
    with pytest.raises(Malware):
        await uploaded(city, EICAR)
    (held,) = (await steward.list_quarantine()).files

    with pytest.raises(FileRefused, match="quarantine"):
        await steward.delete_file(held.file_id)


async def words_in_the_index(city: Platform, word: str) -> int:
    database = city.registry.get(Database)
    query = (
        sa.text("SELECT count(*) FROM library_vocabulary WHERE term = :word")
        if database.dialect is Dialect.SQLITE
        else sa.text(
            "SELECT count(*) FROM library_passages WHERE words::text LIKE '%' || :word || '%'"
        )
    )
    return int(await database.read(lambda c: c.execute(query, {"word": word}).scalar_one()))


async def test_deletion_that_was_cut_short_is_done_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as city:
        before = objects(city)
        file_id = await mashed(city)

        async def dies(*_: object) -> None:
            raise KeyError

        layer = city.registry.get(ContentMetadataAbstraction)
        monkeypatch.setattr(layer, "forget_content", dies)
        with pytest.raises(KeyError):
            await city.registry.get(ContentSteward).delete_file(file_id)
        with pytest.raises(FileUnknown):
            await city.registry.get(ContentSteward).get_file(file_id)
        assert (await city.registry.get(ContentSteward).list_files()).files == ()
        assert "content" in await rows_about(city, file_id)

    async with opened(tmp_path) as city:
        assert set(await rows_about(city, file_id, "zeppelin")) <= KEPT_BY_RETENTION
        assert [one for one in objects(city) if file_id in one] == []
        assert before == []


async def test_file_that_is_deleted_while_it_is_read_leaves_no_artifacts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as city:
        file_id = await uploaded(city)
        analysis = city.registry.get(ContentAnalysis)
        stored = analysis._stored  # type: ignore[attr-defined]  # between reading and storing

        async def meanwhile(*given: Any) -> None:
            await city.registry.get(ContentSteward).delete_file(file_id)
            await stored(*given)

        monkeypatch.setattr(analysis, "_stored", meanwhile)
        with pytest.raises(FileUnknown):
            await analysis.parse_file(file_id)

        assert await rows_about(city, file_id) == {"post_events": 1}
        assert [one for one in objects(city) if file_id in one] == []


async def test_content_that_is_stored_while_its_file_is_deleted_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as city:
        file_id = await uploaded(city)
        parsed = await city.registry.get(ContentAnalysis).parse_file(file_id)
        layer = city.registry.get(ContentMetadataAbstraction)
        replace = layer._records.replace

        async def meanwhile(*given: Any, **named: Any) -> None:
            await city.registry.get(ContentSteward).delete_file(file_id)
            await replace(*given, **named)

        monkeypatch.setattr(layer._records, "replace", meanwhile)
        with pytest.raises(PolicyRefused):
            await layer.store_semantic_embeddings(file_id, parsed.semantic_result)

        assert await rows_about(city, file_id, "zeppelin") == {"post_events": 1}
        records = city.registry.get(FileRecords)
        assert await records.find(NORTH.tenant, Track.CLIENT, file_id) is None
        assert await records.leaving() == []
