"""Whether this machine is what a city needs: its disk, limits and files. It looks only."""

import os
import resource
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from foundations.public_works.addresses import is_loopback
from foundations.public_works.data_folder import OBJECTS, holder_of
from foundations.public_works.findings import Finding, fault, ok, warning
from foundations.public_works.mounts import network_file_system
from foundations.public_works.settings import GIB, Settings, secrets_in_env_file
from foundations.public_works.weak_secrets import MAKE_A_TOKEN

ENOUGH_OPEN_FILES = 1024
FEWEST_OPEN_FILES = 64
"""With so few a city opens its database, its logs and a few connections."""
ENOUGH_DISK = 1 * GIB
_ANOTHER_FOLDER = "choose a folder you may write to, on a disk of this machine, with --data-dir"


def folder_findings(settings: Settings) -> Iterator[Finding]:
    """The data folder: that it can be written, and is on a disk of this machine that has room."""
    path = settings.data_dir.expanduser().absolute()
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        yield fault("data folder", f"{path} cannot be written", _ANOTHER_FOLDER)
        return
    if kind := network_file_system(there):
        yield fault("data folder", f"{path} is on a network file system ({kind})", _ANOTHER_FOLDER)
    holder = holder_of(path)
    held = f", held by process {holder.pid} {holder.url}".rstrip() if holder else ""
    yield ok("data folder", f"{path} can be written{held}")
    yield disk_finding(shutil.disk_usage(there).free)


def disk_finding(free: int) -> Finding:
    """What so many free bytes mean; on a full disk a city boots and refuses what it cannot keep."""
    told = f"{free / GIB:.1f} GiB free"
    if free < ENOUGH_DISK:
        return warning("disk", told, f"free some space: {ENOUGH_DISK // GIB} GiB is the least")
    return ok("disk", told)


def open_files_finding(soft: int, hard: int) -> Finding:
    """What the limit of open files means; a server takes its hard limit."""
    told = f"{soft} files may be open at once, {hard} at most"
    if hard < FEWEST_OPEN_FILES:
        return fault("open files", told, f"ulimit -n {ENOUGH_OPEN_FILES}")
    if hard < ENOUGH_OPEN_FILES:
        few = f"{told}: further connections wait or are closed"
        return warning("open files", few, f"ulimit -n {ENOUGH_OPEN_FILES}")
    return ok("open files", told)


def take_open_files() -> Finding:
    """Raise this process's limit of open files to its hard limit; what that means."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, _MOST_OPEN_FILES)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return open_files_finding(max(soft, wanted), hard)


_MOST_OPEN_FILES = 65_536
"""More are never needed, and some systems have a hard limit of a thousand million."""


def machine_findings() -> Iterator[Finding]:
    """The limits of this process, and its temporary folder."""
    yield open_files_finding(*resource.getrlimit(resource.RLIMIT_NOFILE))
    try:
        yield ok("temporary folder", f"{tempfile.gettempdir()} can be written")
    except FileNotFoundError:
        remedy = "set TMPDIR to a folder with room that you may write to"
        yield fault("temporary folder", "none can be written", remedy)


def env_file_findings(path: Path = Path(".env")) -> Iterator[Finding]:
    """Whether others on this machine may read the secrets in `.env`."""
    if not path.is_file() or not (names := secrets_in_env_file(path)):
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        told = f".env has mode {mode:04o}: others may read {', '.join(names)}"
        yield warning("settings", told, "chmod 600 .env")


def left_behind_findings(settings: Settings) -> Iterator[Finding]:
    """Files of the local folder that a city on an object store does not find."""
    objects = settings.data_dir.expanduser().absolute() / OBJECTS
    if any(path.is_file() for path in objects.rglob("*")):
        yield warning(
            "files",
            f"files are in {objects}, where they are not looked for any more",
            f"copy what the bucket lacks under the same keys: "
            f"aws s3 sync {objects} {settings.files_url}",
        )


def host_finding(settings: Settings) -> Finding:
    """Whether the address that is served is open to those who should reach it, and no others."""
    if is_loopback(settings.host):
        return ok("access", f"{settings.host} is reached from this machine only")
    if settings.access_token is None:
        return fault(
            "access",
            f"{settings.host} is not a loopback address, and there is no access token: "
            "all could read everything",
            f"set CIVITAS_ACCESS_TOKEN; make one: {MAKE_A_TOKEN}",
        )
    return ok("access", f"{settings.host}: each request must bear the token")
