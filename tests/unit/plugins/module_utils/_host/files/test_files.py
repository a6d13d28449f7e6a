# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import re
import typing as t
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import HostError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.files.files import Files
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import DEBIAN
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.file import PRIVATE, File

RECORD = "/etc/tunnelwright/lan.json"
SECRET = "/etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf"


@pytest.fixture(name="files")
def _files(tmp_path: Path) -> Files:
    return Files(DEBIAN, str(tmp_path))


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o644, 0o755])
def test_what_is_written_is_read_back(files: Files, mode: int) -> None:
    file = File(RECORD, b"\0\xff text", mode)
    files.write(file)
    assert files.read(RECORD) == file
    files.write(File(RECORD, b"new", mode))
    assert files.read(RECORD) == File(RECORD, b"new", mode)


def test_a_secret_is_private_before_it_is_there(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def replace(source: str, _target: str) -> None:
        seen.append((Path(source).stat().st_mode & 0o777, Path(source).name[0]))

    monkeypatch.setattr("os.replace", replace)
    files.write(File(SECRET, b"secret", PRIVATE))
    assert seen == [(0o600, ".")]


def test_a_new_file_is_private_before_it_has_content(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only root can read the file until it has its mode and its owner, with any umask."""
    seen, opened = [], os.fdopen

    def fdopen(descriptor: int, mode: str) -> t.Any:
        seen.append((os.fstat(descriptor).st_mode & 0o777, os.fstat(descriptor).st_size))
        return opened(descriptor, mode)

    monkeypatch.setattr("os.fdopen", fdopen)
    before = os.umask(0)
    try:
        files.write(File(SECRET, b"secret", PRIVATE))
    finally:
        os.umask(before)
    assert seen == [(0o600, 0)]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write(File(SECRET, b"old", PRIVATE))

    def replace(_source: str, _target: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", replace)
    with pytest.raises(HostError, match="No space left"):
        files.write(File(SECRET, b"new", PRIVATE))
    assert files.read(SECRET) == File(SECRET, b"old", PRIVATE)
    assert [path.name for path in (tmp_path / SECRET[1:]).parent.iterdir()] == [
        "tunnelwright.phase1.site-b.conf"
    ]


def test_what_is_not_there_can_be_read_and_removed(files: Files) -> None:
    assert files.read(RECORD) is None
    files.remove(RECORD)


def test_our_directory_goes_with_the_last_file(files: Files, tmp_path: Path) -> None:
    other = "/etc/tunnelwright/lan6.json"
    for path in (RECORD, other, SECRET):
        files.write(File(path, b"", PRIVATE))
    files.remove(RECORD)
    assert files.read(other) is not None
    files.remove(other)
    files.remove(SECRET)
    files.clean()
    assert not (tmp_path / "etc/tunnelwright").exists()
    # An empty directory that does not belong to this collection stays.
    assert (tmp_path / "etc/swanctl/conf.d").exists()


@pytest.mark.parametrize("beside", [".lan.json.new", ".lan.json.old"])
def test_a_pipe_beside_a_file_is_not_waited_for(files: Files, tmp_path: Path, beside: str) -> None:
    files.write(File(RECORD, b"old"))
    os.mkfifo((tmp_path / RECORD[1:]).with_name(beside))
    files.stage([File(RECORD, b"new")])
    files.write(File(RECORD, b"new"), keep=True)
    files.clean()
    assert files.read(RECORD) == File(RECORD, b"new")
    assert os.listdir(tmp_path / "etc/tunnelwright") == ["lan.json"]


def test_a_pipe_is_neither_read_nor_waited_for(files: Files, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a")
    with pytest.raises(HostError) as raised:
        files.read("/a")
    assert str(raised.value) == "could not read /a: it is a pipe, not a regular file."
    assert files.look("/a") == File("/a", b"", 0)
    files.write(File("/a", b"ours"))
    assert files.read("/a") == File("/a", b"ours")


def test_no_more_is_read_than_there_may_be(files: Files, tmp_path: Path) -> None:
    files.write(File("/a", b"x" * 2**20))
    assert files.read("/a", 2**20) == File("/a", b"x" * 2**20)
    files.write(File("/a", b"x" * (2**20 + 1)))
    with pytest.raises(HostError, match=r"^could not read /a: it is larger than 1 MiB\.$"):
        files.read("/a", 2**20)
    with (tmp_path / "b").open("wb") as stream:
        stream.truncate(10**12)
    with pytest.raises(HostError, match=r"^could not read /b: it is larger than 64 MiB\.$"):
        files.read("/b")


def test_find_is_sorted_and_leaves_dotfiles_out(files: Files) -> None:
    for path in ("/a/b.conf", "/a/a.conf", "/a/.c.conf", "/a/d.txt"):
        files.write(File(path, b""))
    assert files.find("/a/*.conf") == ("/a/a.conf", "/a/b.conf")


def test_a_link_is_replaced_and_its_target_left_alone(files: Files, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.write_bytes(b"theirs")
    link = tmp_path / RECORD[1:]
    link.parent.mkdir(parents=True)
    link.symlink_to(target)
    mode = target.stat().st_mode & 0o7777
    assert files.read(RECORD) == File(RECORD, b"theirs", mode, link=str(target))
    files.write(File(RECORD, b"ours", PRIVATE))
    assert not link.is_symlink()
    assert target.read_bytes() == b"theirs"


def test_a_link_is_removed_and_its_target_left_alone(files: Files, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.write_bytes(b"theirs")
    (tmp_path / "a").symlink_to(target)
    files.remove("/a")
    assert target.exists()
    assert not (tmp_path / "a").is_symlink()


def test_a_link_that_leads_nowhere_is_no_file(files: Files, tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "nowhere")
    assert files.read("/a") is None
    files.write(File("/a", b"ours"))
    assert files.read("/a") == File("/a", b"ours")


def test_a_directory_in_the_way_is_named(files: Files, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for what, act in (
        ("read", lambda: files.read("/a")),
        ("write", lambda: files.write(File("/a", b"x"))),
        ("remove", lambda: files.remove("/a")),
    ):
        with pytest.raises(HostError) as raised:
            act()
        assert raised.value.operation == f"{what} /a"
        assert str(tmp_path) not in raised.value.detail
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_file_in_the_way_of_a_directory_is_named(files: Files) -> None:
    files.write(File("/a", b""))
    with pytest.raises(HostError, match=r"^could not write /a/b: "):
        files.write(File("/a/b", b"x"))
    with pytest.raises(HostError, match=r"^could not read /a/b: "):
        files.read("/a/b")


@pytest.mark.parametrize("call", ["os.fsync", "os.fchmod", "os.replace", "os.makedirs"])
def test_whatever_fails_no_temporary_file_is_left(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    (tmp_path / "d").mkdir()

    def fail(*_arguments: object, **_more: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(call, fail)
    failure = "could not write /d/a: Input/output error. Check the disk with dmesg."
    with pytest.raises(HostError, match=f"^{re.escape(failure)}$"):
        files.write(File("/d/a", b"x", PRIVATE))
    assert list((tmp_path / "d").iterdir()) == []


def test_the_mode_is_not_left_to_the_umask(files: Files) -> None:
    before = os.umask(0o077)
    try:
        files.write(File(RECORD, b"", 0o755))
    finally:
        os.umask(before)
    found = files.read(RECORD)
    assert found is not None
    assert found.mode == 0o755


class TestStaged:
    """Files that are prepared before the first change, and kept until the last change."""

    OLD, NEW, MORE = (
        File(SECRET, b"old", PRIVATE),
        File(SECRET, b"new", PRIVATE),
        File(RECORD, b"x"),
    )

    def beside(self, tmp_path: Path) -> set[str]:
        return {path.name for path in tmp_path.rglob(".*")}

    def test_ready_it_is_hidden_and_private(self, files: Files, tmp_path: Path) -> None:
        files.write(self.OLD)
        files.stage((self.NEW, self.MORE))
        assert files.read(SECRET) == self.OLD
        assert files.read(RECORD) is None
        ready = tmp_path / SECRET[1:].replace("tunnelwright", ".tunnelwright")
        assert (ready.with_name(f"{ready.name}.new").stat().st_mode & 0o777) == 0o600
        assert files.find("/etc/swanctl/conf.d/*") == (SECRET,)

    def test_where_one_does_not_fit_all_are_taken_away(
        self, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        files.write(self.OLD)
        (tmp_path / "etc/tunnelwright").write_text("in the way")
        with pytest.raises(
            HostError, match=r"^could not write .*lan.json: .*\. Nothing was changed\.$"
        ):
            files.stage((self.NEW, self.MORE))
        assert files.read(SECRET) == self.OLD
        assert self.beside(tmp_path) == set()

    def test_all_are_written_before_the_first_goes_to_the_disk(
        self, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The first fsync takes all files to the disk, so that the others take no time."""
        synced = []

        def fsync(descriptor: int) -> None:
            synced.append((os.readlink(f"/proc/self/fd/{descriptor}"), self.beside(tmp_path)))

        monkeypatch.setattr("os.fsync", fsync)
        files.stage((self.NEW, self.MORE))
        assert len({path for path, _files in synced}) == 2
        assert all(len(found) == 2 for _path, found in synced)

    def test_a_directory_goes_to_the_disk_once(
        self, files: Files, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        more = File(SECRET.replace("tunnelwright", "tunnelwright.x"), b"y", PRIVATE)
        files.stage((self.NEW, self.MORE, more))
        synced: list[str] = []
        monkeypatch.setattr(
            "os.fsync", lambda file: synced.append(os.readlink(f"/proc/self/fd/{file}"))
        )
        for file in (self.NEW, self.MORE, more):
            files.write(file, keep=True)
        files.remove(SECRET, keep=True)
        assert synced == []
        files.clean()
        assert [path.rpartition("/")[2] for path in synced] == ["conf.d", "tunnelwright"]
        files.clean()
        assert len(synced) == 2
        files.write(self.NEW)
        assert len(synced) == 4

    def test_taken_back_without_room_for_a_byte(
        self, files: Files, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        files.write(self.OLD)
        files.stage((self.NEW,))

        def full(*_arguments: object, **_more: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.fsync", lambda _descriptor: None)
        monkeypatch.setattr("os.fdopen", full)
        files.write(self.NEW, keep=True)
        assert files.read(SECRET) == self.NEW
        files.write(self.OLD, keep=True)
        assert files.read(SECRET) == self.OLD
        files.remove(SECRET, keep=True)
        assert files.read(SECRET) is None
        files.write(self.OLD)
        assert files.read(SECRET) == self.OLD

    def test_cleaned_nothing_is_left_beside(self, files: Files, tmp_path: Path) -> None:
        files.write(self.OLD)
        files.stage((self.NEW, self.MORE))
        files.write(self.NEW, keep=True)
        files.remove(SECRET, keep=True)
        assert self.beside(tmp_path) != set()
        files.clean()
        assert self.beside(tmp_path) == set()
        assert not (tmp_path / "etc/tunnelwright").exists()

    @pytest.mark.parametrize("kind", ["x509", "private", "x509ca"])
    def test_nothing_is_hidden_where_swanctl_loads_hidden_files_too(
        self, files: Files, tmp_path: Path, kind: str
    ) -> None:
        path = f"/etc/swanctl/{kind}/tunnelwright.site-b.pem"
        files.write(File(path, b"old", PRIVATE))
        files.stage((File(path, b"new", PRIVATE),))
        files.write(File(path, b"new", PRIVATE), keep=True)
        files.remove(path, keep=True)
        assert list((tmp_path / "etc/swanctl" / kind).iterdir()) == []
        assert self.beside(tmp_path) == {f".{kind}.tunnelwright.site-b.pem.old"}
        files.clean()
        assert self.beside(tmp_path) == set()

    def test_not_told_to_it_keeps_nothing(self, files: Files, tmp_path: Path) -> None:
        files.write(self.OLD)
        files.write(self.NEW)
        files.remove(SECRET)
        assert self.beside(tmp_path) == set()

    def test_what_somebody_put_there_is_not_written_through(
        self, files: Files, tmp_path: Path
    ) -> None:
        files.write(self.OLD)
        trap = tmp_path / SECRET[1:].replace("tunnelwright", ".tunnelwright")
        theirs = tmp_path / "theirs"
        theirs.write_bytes(self.NEW.data)
        theirs.chmod(0o600)
        trap.with_name(f"{trap.name}.new").symlink_to(theirs)
        files.write(self.NEW)
        assert not (tmp_path / SECRET[1:]).is_symlink()
        assert theirs.read_bytes() == self.NEW.data
