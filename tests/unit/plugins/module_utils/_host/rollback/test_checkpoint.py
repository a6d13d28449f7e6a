# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import HostError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.files.files import Files
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.rollback import checkpoint
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.rollback.checkpoint import (
    Checkpoint,
    KeptFiles,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import DEBIAN
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.file import File
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.memory_host import (
    MemoryHost,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.pki import GATEWAY

OURS = [
    "/etc/strongswan.d/tunnelwright.advanced.lan.conf",
    "/etc/strongswan.d/tunnelwright.conf",
    "/etc/swanctl/conf.d/tunnelwright.bypass.lan.conf",
    "/etc/swanctl/conf.d/tunnelwright.phase1.b.conf",
    "/etc/swanctl/private/tunnelwright.b.pem",
    "/etc/swanctl/x509/tunnelwright.b.pem",
    "/etc/swanctl/x509ca/tunnelwright.b.pem",
    "/etc/systemd/system/tunnelwright-lan.service",
    "/etc/tunnelwright/lan.json",
    "/etc/tunnelwright/lan.nft",
    "/etc/tunnelwright/lan.sh",
]
OTHERS = [
    "/etc/strongswan.d/charon.conf",
    "/etc/swanctl/conf.d/by-hand.conf",
    "/etc/swanctl/conf.d/.tunnelwright.phase1.b.conf.xyz",
    "/etc/swanctl/private/by-hand.pem",
    "/etc/systemd/system/tunnelwright.rollback.service",
    "/etc/systemd/system/tunnelwright-lan.service.d/override.conf",
    "/etc/tunnelwright/notes.txt",
]


@pytest.fixture(name="files")
def _files(tmp_path: Path) -> Files:
    files = Files(DEBIAN, str(tmp_path))
    for path in (*OURS, *OTHERS):
        files.write(File(path, path.encode()))
    return files


def test_what_is_ours(files: Files) -> None:
    assert sorted(checkpoint.ours(files)) == OURS


def test_any_file_comes_back(files: Files) -> None:
    """A checkpoint keeps the bytes and the mode of any file."""
    kept = {
        item.path: item
        for item in (
            File("/a", bytes(range(256)), 0o600),
            File("/b", b"\xc3\xa4\xff\xed\xa0\x80\r\n", 0o4755),
            File("/c", b""),
        )
    }
    made = Checkpoint("2026-01-01T00:00:00+00:00", 60, kept, {"a.service": "enabled, active"}, {})
    checkpoint.save(files, made)
    assert checkpoint.load(files) == made


def test_a_private_key_does_not_come_back_among_certificates(files: Files) -> None:
    """Neither the present copies nor a checkpoint of version 0.1.0 bring the key back."""
    path = "/etc/swanctl/x509/tunnelwright.b.pem"
    both = File(path, GATEWAY.certificate + GATEWAY.key)
    files.write(both)
    cleaned = File(path, GATEWAY.certificate)
    assert checkpoint.ours(files)[path] == cleaned
    checkpoint.save(files, Checkpoint("", 60, {path: both}, {}, {}))
    kept = checkpoint.load(files)
    assert kept is not None
    assert kept.files == {path: cleaned}


def test_there_and_gone(files: Files, tmp_path: Path) -> None:
    assert (checkpoint.exists(files), checkpoint.load(files)) == (False, None)
    checkpoint.save(files, Checkpoint("", 60, {}, {}, {}))
    assert checkpoint.exists(files)
    for path, mode in (
        (DEBIAN.state_dir, 0o700),
        (DEBIAN.checkpoint_dir, 0o700),
        (DEBIAN.checkpoint_file, 0o600),
    ):
        assert (tmp_path / path[1:]).stat().st_mode & 0o7777 == mode
    checkpoint.remove(files)
    assert not (tmp_path / DEBIAN.state_dir[1:]).exists()
    checkpoint.remove(files)


def test_what_others_put_there_stays(files: Files, tmp_path: Path) -> None:
    checkpoint.save(files, Checkpoint("", 60, {}, {}, {}))
    files.write(File(f"{DEBIAN.state_dir}/notes", b""))
    checkpoint.remove(files)
    assert [path.name for path in (tmp_path / DEBIAN.state_dir[1:]).iterdir()] == ["notes"]


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b'{"files": [1]}', b"\xff"])
def test_spoilt(files: Files, data: bytes) -> None:
    files.write(File(DEBIAN.checkpoint_file, data))
    with pytest.raises(HostError, match=f"read the checkpoint {DEBIAN.checkpoint_file}"):
        checkpoint.load(files)


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("/etc/tunnelwright/*.json", ["/etc/tunnelwright/lan.json"]),
        ("/etc/tunnelwright/lan.nft", ["/etc/tunnelwright/lan.nft"]),
        ("/etc/*.json", []),
        ("/etc/tunnelwright/*", OURS[-3:]),
    ],
)
def test_kept_files_are_found_as_on_a_disk(pattern: str, found: list[str]) -> None:
    kept = KeptFiles({path: File(path, b"") for path in OURS}, DEBIAN)
    assert list(kept.find(pattern)) == found
    assert kept.read(OURS[0]) == File(OURS[0], b"")
    assert kept.read("/etc/passwd") is None


def test_a_failing_file_system_is_told(files: Files, tmp_path: Path) -> None:
    (tmp_path / "var").write_text("")
    with pytest.raises(HostError, match=f"make directory {DEBIAN.state_dir}: Not a directory"):
        checkpoint.save(files, Checkpoint("", 60, {}, {}, {}))


def test_units(tmp_path: Path) -> None:
    host: t.Any = MemoryHost(tmp_path)
    host.files.write(File(OURS[7], b""))
    host.systemd.enabled = {"tunnelwright-lan.service"}
    made = checkpoint.take(host, 60)
    assert made.units == {
        "strongswan.service": "disabled, active",
        "tunnelwright-lan.service": "enabled, inactive",
    }
    assert checkpoint.differs(host, made) == []
    host.systemd.active = {"tunnelwright-lan.service"}
    assert checkpoint.differs(host, made) == [
        "tunnelwright-lan.service: was enabled, inactive, is enabled, active"
    ]
