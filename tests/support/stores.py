"""A real S3 server in this process, and settings that lead to a bucket of it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from moto.server import ThreadedMotoServer

from foundations.public_works.settings import Settings


@contextmanager
def s3_server() -> Iterator[str]:
    """A server on a free port of this machine; its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def make_bucket(endpoint: str, name: str) -> None:
    """Make a bucket, as its owner would beforehand."""
    assert httpx2.put(f"{endpoint}/{name}", trust_env=False).status_code == 200


def bucket_keys(endpoint: str, name: str) -> list[str]:
    """The keys in a bucket."""
    listed = httpx2.get(f"{endpoint}/{name}?list-type=2", trust_env=False).text
    return re.findall(r"<Key>([^<]+)</Key>", listed)


def bucket_variables(endpoint: str, name: str, *, prefix: str = "") -> dict[str, str]:
    """The environment of a city whose files are in a bucket."""
    return {
        "CLOUD_READY_MODE": "hybrid",
        "CIVITAS_FILES_URL": f"s3://{name}/{prefix}".rstrip("/"),
        "CIVITAS_FILES_ENDPOINT": endpoint,
        "CIVITAS_FILES_ACCESS_KEY": "city",
        "CIVITAS_FILES_SECRET_KEY": "a-key-for-tests",
    }


def bucket_settings(data_dir: Path, variables: dict[str, str], **others: Any) -> Settings:
    """The settings of such an environment."""
    given = {name.removeprefix("CIVITAS_").lower(): value for name, value in variables.items()}
    return Settings(data_dir=data_dir, **{**given, **others})
