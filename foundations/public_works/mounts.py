"""Which file system a path is on; on one of a network no lock or mapping can be relied on."""

import re
from pathlib import Path

_NETWORK = re.compile(
    r"9p|afs|beegfs|ceph|cifs|coda|davfs|gfs2|glusterfs|gpfs|lustre|ncpfs|nfs4?|ocfs2|smb\w+"
    r"|fuse\.(ceph|davfs2|glusterfs|rclone|s3fs|sshfs)"
)
_MOUNTS = Path("/proc/self/mountinfo")


def network_file_system(path: Path) -> str:
    """The type of the network file system that `path` is on; empty for a local disk."""
    if not _MOUNTS.exists():
        return ""
    mounts = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    found = file_system_of(mounts, path.resolve())
    return found if _NETWORK.fullmatch(found) else ""


def file_system_of(mountinfo: str, path: Path) -> str:
    """The type of the file system at an absolute path, by the text of /proc/self/mountinfo.

    The longest mount point above the path decides, and of two on one point the later (proc(5)).
    """
    found, longest = "", -1
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(" "), after.split(" ")[0]
        if len(fields) < 5 or not kind:
            continue
        point = Path(_unescaped(fields[4]))
        if path.is_relative_to(point) and len(point.parts) >= longest:
            found, longest = kind, len(point.parts)
    return found


def _unescaped(text: str) -> str:
    """Space, tab, newline and backslash are written as octal numbers."""
    for octal, plain in (("040", " "), ("011", "\t"), ("012", "\n"), ("134", "\\")):
        text = text.replace(f"\\{octal}", plain)
    return text
