"""What public works is made of. The one place that chooses between infrastructures."""

from importlib.util import find_spec

from foundations.public_works.adapters.child_process import ChildProcessParsers
from foundations.public_works.adapters.in_process_dispatch import InProcessDispatch
from foundations.public_works.adapters.in_process_events import InProcessEvents
from foundations.public_works.adapters.local_objects import LocalObjectStore
from foundations.public_works.adapters.span_file import SpanFile
from foundations.public_works.adapters.wordllama_embedder import WordLlamaEmbedder
from foundations.public_works.adapters.yara_scanner import YaraScanner
from foundations.public_works.content_metadata import ContentMetadataAbstraction
from foundations.public_works.data_folder import DataFolder
from foundations.public_works.database import Database, DatabaseUnusable
from foundations.public_works.dispatch import BrokerUnusable, Dispatch
from foundations.public_works.events import Events
from foundations.public_works.public_works import PublicWorksFoundationService
from foundations.public_works.records import ContentRecords
from foundations.public_works.secrets import EnvironmentSecrets
from foundations.public_works.settings import Settings
from foundations.wiring import Container, wire


def container(settings: Settings) -> Container:
    """The infrastructure that the settings choose."""
    wired = wire(
        DataFolder,
        EnvironmentSecrets,
        SpanFile,
        _database(settings),
        LocalObjectStore,
        _events(settings),
        _dispatch(settings),
        YaraScanner,
        ChildProcessParsers,
        WordLlamaEmbedder,
        ContentRecords,
        ContentMetadataAbstraction,
        PublicWorksFoundationService,
    )
    return wired()


def _database(settings: Settings) -> type[Database]:
    """SQLite in the data folder, or the server that is named."""
    if not settings.database_url.get_secret_value():
        from foundations.public_works.adapters.sqlite import SqliteDatabase

        return SqliteDatabase
    try:
        from foundations.public_works.adapters.postgres import PostgresDatabase
    except ImportError as error:
        raise DatabaseUnusable(
            f"PostgreSQL needs what is not installed: {error.name}",
            hint="pip install 'civitas[postgresql]', or unset CIVITAS_DATABASE_URL",
        ) from error
    return PostgresDatabase


def _events(settings: Settings) -> type[Events]:
    """Events within this process, or also those of others on the same database."""
    if not settings.database_url.get_secret_value():
        return InProcessEvents
    from foundations.public_works.adapters.postgres_events import PostgresEvents

    return PostgresEvents


def _dispatch(settings: Settings) -> type[Dispatch]:
    """Wakes within this process, or by the broker that is named."""
    if settings.broker_url is None:
        return InProcessDispatch
    if not settings.database_url.get_secret_value():
        raise BrokerUnusable(
            "with a broker journeys are done by several processes, which SQLite does not serve",
            hint="set CIVITAS_DATABASE_URL to postgresql://..., or unset CIVITAS_BROKER_URL",
        )
    if find_spec("celery") is None:
        raise BrokerUnusable(
            "a broker needs what is not installed: celery",
            hint="pip install 'civitas[celery]', or unset CIVITAS_BROKER_URL",
        )
    from foundations.public_works.adapters.celery_dispatch import CeleryDispatch

    return CeleryDispatch
