"""What public works is made of. The one place that chooses between infrastructures."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from foundations.public_works.adapters.child_process import ChildProcessParsers
from foundations.public_works.adapters.span_export import SpanExport
from foundations.public_works.adapters.yara_scanner import YaraScanner
from foundations.public_works.cloud_ready import Choice, Taken
from foundations.public_works.content_graph import ContentGraphAbstraction
from foundations.public_works.content_metadata import ContentMetadataAbstraction
from foundations.public_works.content_reindexing import ContentIndexAbstraction
from foundations.public_works.data_folder import DataFolder
from foundations.public_works.graph.records import GraphRecords
from foundations.public_works.public_works import PublicWorksFoundationService
from foundations.public_works.records import ContentRecords
from foundations.public_works.secrets import EnvironmentSecrets
from foundations.public_works.settings import Settings
from foundations.public_works.vectors.records import VectorRecords
from foundations.wiring import Container, wire

ADAPTERS: Mapping[Taken, tuple[str, str]] = {
    Taken.SQLITE: ("sqlite", "SqliteDatabase"),
    Taken.POSTGRESQL: ("postgres", "PostgresDatabase"),
    Taken.LOCAL_FOLDER: ("local_objects", "LocalObjectStore"),
    Taken.OBJECT_STORE: ("s3", "S3ObjectStore"),
    Taken.LOCAL_EVENTS: ("in_process_events", "InProcessEvents"),
    Taken.POSTGRESQL_EVENTS: ("postgres_events", "PostgresEvents"),
    Taken.REDIS_EVENTS: ("redis_events", "RedisEvents"),
    Taken.IN_PROCESS: ("in_process_dispatch", "InProcessDispatch"),
    Taken.CELERY: ("celery_dispatch", "CeleryDispatch"),
}
"""The module below `adapters` and the class for everything that can be chosen."""


def container(choice: Choice, settings: Settings) -> Container:
    """Public works on what was chosen; only the modules of that are imported."""
    return wire(
        DataFolder,
        EnvironmentSecrets,
        SpanExport,
        *(_adapter(taking.taken) for taking in choice.components),
        YaraScanner,
        ChildProcessParsers,
        _embedder(settings),
        VectorRecords,
        GraphRecords,
        ContentRecords,
        ContentGraphAbstraction,
        ContentMetadataAbstraction,
        ContentIndexAbstraction,
        PublicWorksFoundationService,
    )()


def _embedder(settings: Settings) -> Any:
    if settings.embedding_url:
        return _imported("endpoint_embedder", "EndpointEmbedder")
    return _imported("wordllama_embedder", "WordLlamaEmbedder")


def _adapter(taken: Taken) -> Any:
    return _imported(*ADAPTERS[taken])


def _imported(module: str, name: str) -> Any:
    return getattr(import_module(f"foundations.public_works.adapters.{module}"), name)
