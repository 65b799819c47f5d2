"""Which file system a path is on, read from the kernel's own list."""

from pathlib import Path

import pytest

from foundations.public_works import mounts
from foundations.public_works.mounts import file_system_of, network_file_system

MOUNTS = r"""
22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
30 22 0:40 / /home rw,relatime - nfs4 server:/home rw,vers=4.2
31 30 254:2 / /home/local rw,relatime master:1 propagate_from:2 - xfs /dev/vdb rw
32 22 0:41 / /mnt/with\040space rw - fuse.sshfs me@server: rw
33 22 0:42 / /mnt/back\134slash rw - cifs //server/share rw
34 22 0:43 / /twice rw - nfs server:/a rw
35 34 0:44 / /twice rw - tmpfs tmpfs rw
36 22 0:45 / /ceph rw - fuse.ceph-no rw
a line of another shape
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/var/city", "ext4"),
        ("/home/anna/city", "nfs4"),
        ("/homes/city", "ext4"),
        ("/home/local/city", "xfs"),
        ("/mnt/with space/city", "fuse.sshfs"),
        ("/mnt/back\\slash", "cifs"),
        ("/twice/city", "tmpfs"),
    ],
)
def test_longest_mount_point_and_of_two_the_later_decides(path: str, kind: str) -> None:
    assert file_system_of(MOUNTS, Path(path)) == kind


def test_no_list_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert file_system_of("", Path("/city")) == ""

    monkeypatch.setattr(mounts, "_MOUNTS", tmp_path / "missing")
    assert network_file_system(tmp_path) == ""


@pytest.mark.parametrize(
    ("kind", "network"),
    [
        *((kind, True) for kind in ("nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "ceph")),
        *((kind, False) for kind in ("ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "fuseblk")),
    ],
)
def test_file_systems_of_a_network_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, *, network: bool
) -> None:
    (tmp_path / "mounts").write_text(f"22 1 0:1 / / rw shared:1 - {kind} source rw\n")
    monkeypatch.setattr(mounts, "_MOUNTS", tmp_path / "mounts")

    assert network_file_system(tmp_path / "not" / "there" / "yet") == (kind if network else "")
