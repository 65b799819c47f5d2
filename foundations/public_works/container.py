"""What public works is made of. The one place that chooses between infrastructures."""

from foundations.public_works.adapters.child_process import ChildProcessParsers
from foundations.public_works.adapters.in_process_dispatch import InProcessDispatch
from foundations.public_works.adapters.in_process_events import InProcessEvents
from foundations.public_works.adapters.local_objects import LocalObjectStore
from foundations.public_works.adapters.span_file import SpanFile
from foundations.public_works.adapters.sqlite import SqliteDatabase
from foundations.public_works.adapters.wordllama_embedder import WordLlamaEmbedder
from foundations.public_works.adapters.yara_scanner import YaraScanner
from foundations.public_works.content_metadata import ContentMetadataAbstraction
from foundations.public_works.data_folder import DataFolder
from foundations.public_works.dispatch import Dispatch
from foundations.public_works.public_works import PublicWorksFoundationService
from foundations.public_works.records import ContentRecords
from foundations.public_works.secrets import EnvironmentSecrets
from foundations.public_works.settings import Settings
from foundations.wiring import Container, wire



def container(settings: Settings) -> Container:
    """Public works as the settings choose them, each thing built from the others."""
    return wire(
        DataFolder,
        EnvironmentSecrets,
        SpanFile,
        SqliteDatabase,
        LocalObjectStore,
        InProcessEvents,
        _dispatch(settings),
        YaraScanner,
        ChildProcessParsers,
        WordLlamaEmbedder,
        ContentRecords,
        ContentMetadataAbstraction,
        PublicWorksFoundationService,
    )()


def _dispatch(settings: Settings) -> type[Dispatch]:
    if settings.broker_url is None:
        return InProcessDispatch
    from foundations.public_works.adapters.celery_dispatch import CeleryDispatch

    return CeleryDispatch
