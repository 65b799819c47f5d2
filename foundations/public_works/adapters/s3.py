"""The object store on any S3-compatible service, through obstore."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from foundations.public_works.adapters.obstore_objects import ObstoreObjects
from foundations.public_works.data_folder import DataFolder
from foundations.public_works.database import StorageFull
from foundations.public_works.object_store import (
    ObjectNotFound,
    ObjectStoreRefused,
    ObjectStoreUnreachable,
)
from foundations.public_works.settings import Settings
from foundations.public_works.threads import in_thread
from utilities.errors import PlatformError

_CODE = re.compile(r"<Code>(\w{1,64})</Code>")
_FULL = {"XMinioStorageFull", "QuotaExceeded", "InsufficientCapacity"}
_REMEDIES = {
    "AccessDenied": "give the key the right to get, put, list and delete in this bucket",
    "InvalidAccessKeyId": "correct CIVITAS_FILES_ACCESS_KEY",
    "SignatureDoesNotMatch": "correct CIVITAS_FILES_SECRET_KEY, and CIVITAS_FILES_REGION",
    "AuthorizationHeaderMalformed": "correct CIVITAS_FILES_REGION",
    "NoSuchBucket": "make the bucket that CIVITAS_FILES_URL names; the city makes none",
    "RequestTimeTooSkewed": "set the clock of this machine, by NTP for example",
}
_ELSE = "see `civitas city doctor` for what the store answers"


class S3ObjectStore(ObstoreObjects):
    """One object per key below the prefix of `CIVITAS_FILES_URL`.

    A put is durable when the service says so. Each request carries the SHA-256 of what it sends,
    signed with it, so that the service refuses bytes that were changed on the way.
    """

    def __init__(self, *, settings: Settings, folder: DataFolder) -> None:
        self._settings = settings
        self._folder = folder
        self._opened: S3Store | None = None

    @asynccontextmanager
    async def local_copy(self, key: str) -> AsyncIterator[Path]:
        copy = self._folder.spool()
        try:
            with copy.open("wb") as file:
                async for chunk in self.stream(key):
                    await in_thread(file.write, chunk)
            yield copy
        finally:
            copy.unlink(missing_ok=True)

    @property
    def _store(self) -> S3Store:
        if self._opened is None:
            self._opened = s3_store(self._settings)
        return self._opened

    async def _put(self, key: str, content: bytes | Path) -> None:
        async with self._translated(key):
            await obstore.put_async(self._store, key, content)

    @asynccontextmanager
    async def _translated(self, key: str) -> AsyncIterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise await self._missing(key, error) from error
        except BaseError as error:
            raise explained(error) from error

    async def _missing(self, key: str, error: FileNotFoundError) -> PlatformError:
        """What a 404 means: a HEAD is answered without a body, so the bucket is asked for."""
        if s3_code(error) in {"", "NoSuchKey"}:
            try:
                await obstore.list(self._store, chunk_size=1).collect_async()
            except (FileNotFoundError, BaseError) as of_bucket:
                return explained(of_bucket)
            return ObjectNotFound(f"no object under {key}")
        return explained(error)


def s3_store(settings: Settings, *, patience: float = 30, retries: int = 5) -> S3Store:
    """The library's store of these settings; it connects with the first request.

    `patience` is for how many seconds a request may take, and is tried again.
    """
    address = urlsplit(settings.files_url)
    options: dict[str, Any] = {}
    if settings.files_endpoint:
        options["endpoint"] = settings.files_endpoint
    if settings.files_access_key is not None and settings.files_secret_key is not None:
        options["access_key_id"] = settings.files_access_key.get_secret_value()
        options["secret_access_key"] = settings.files_secret_key.get_secret_value()
    return S3Store(
        address.netloc,
        prefix=address.path.strip("/") or None,
        region=settings.files_region,
        client_options={
            "allow_http": settings.files_endpoint.startswith("http://"),
            "connect_timeout": timedelta(seconds=min(5, patience)),
            "timeout": timedelta(seconds=patience),
        },
        retry_config={"max_retries": retries, "retry_timeout": timedelta(seconds=patience)},
        **options,
    )


def s3_code(error: BaseException) -> str:
    """The service's own name for a fault; empty where it gave none."""
    found = _CODE.search(str(error))
    return found[1] if found else ""


def reason_of(error: BaseException) -> str:
    """Why a request failed, in a word or two: the service's own, its status, or no connection."""
    if code := s3_code(error):
        return code
    status = re.search(r"status code: (\d{3}[\w ]{0,40})", str(error))
    if status is not None:
        return status[1].strip()
    return "no connection" if "kind: Connect" in str(error) else "no answer that is one"


def explained(error: BaseException) -> PlatformError:
    """A fault of the library in the port's words; what it says itself may name keys and paths."""
    code = s3_code(error)
    if code in _FULL or "507 Insufficient Storage" in str(error):
        return StorageFull("the store for files is full", hint="give it more room and retry")
    denied = isinstance(error, PermissionDeniedError | UnauthenticatedError | FileNotFoundError)
    if denied or code in _REMEDIES:
        return ObjectStoreRefused(
            "the store for files refuses the city", hint=_REMEDIES.get(code, _ELSE)
        )
    if "incorrectly configured region" in str(error):
        return ObjectStoreRefused(
            "the store for files is in another region", hint="correct CIVITAS_FILES_REGION"
        )
    return ObjectStoreUnreachable(
        "the store for files does not answer as it should at the moment",
        hint=f"retry in a moment; {_ELSE}",
    )
