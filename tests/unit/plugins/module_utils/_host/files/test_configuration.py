# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import HostError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.files.configuration import (
    Configuration,
    read_configuration,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.files.files import Files
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import DEBIAN

ROOT = "/etc/swanctl/swanctl.conf"
A = "/etc/swanctl/conf.d/a.conf"
SECTION = "connections { a { } }"


@pytest.fixture(name="etc")
def _etc(tmp_path: Path) -> Path:
    etc = tmp_path / "etc/swanctl"
    (etc / "conf.d").mkdir(parents=True)
    (etc / "swanctl.conf").write_text("include conf.d/*.conf\n")
    return etc


def found(etc: Path) -> Configuration:
    return read_configuration(Files(DEBIAN, str(etc.parents[1])), ROOT)


def test_files_are_read_where_they_lie(etc: Path) -> None:
    (etc / "conf.d/a.conf").write_text(SECTION)
    (etc / "conf.d/b.conf").write_text("}")
    (etc / "conf.d/.c.conf").write_text("}")
    configuration = found(etc)
    assert [str(item.place) for item in configuration.reading.sections] == [f"{A}, line 1"]
    assert [fault.place.path for fault in configuration.reading.faults] == [
        "/etc/swanctl/conf.d/b.conf"
    ]
    assert configuration.oddities == {}


def test_any_bytes(etc: Path) -> None:
    (etc / "conf.d/a.conf").write_bytes(b"# \xff\xfe\n" + SECTION.encode() + b"\xe9 { }")
    assert [item.name for item in found(etc).reading.sections] == ["a"]


def test_what_is_passed_over(etc: Path) -> None:
    (etc / "conf.d/directory.conf").mkdir()
    (etc / "conf.d/a.conf").symlink_to("/nowhere")
    (etc / "conf.d/b.conf").write_text(SECTION)
    configuration = found(etc)
    assert [item.name for item in configuration.reading.sections] == ["a"]
    assert configuration.oddities.keys() == {A}
    assert "link to nothing: strongSwan loads nothing from it" in configuration.oddities[A]


def test_no_root(etc: Path) -> None:
    (etc / "swanctl.conf").unlink()
    assert "does not exist" in found(etc).oddities[ROOT]


@pytest.mark.parametrize("device", ["fifo", "/dev/zero"])
def test_what_never_ends_is_not_read(etc: Path, device: str) -> None:
    path = etc / "conf.d/a.conf"
    if device == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to(device)
    assert "waits for it without end" in found(etc).oddities[A]


def test_unreadable(etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read error is reported. The test raises the error, because root can read any mode."""
    (etc / "conf.d/a.conf").write_text(SECTION)
    read = Files.read

    def refuse(files: Files, path: str) -> object:
        if path == A:
            raise HostError(f"read {path}", "Input/output error")
        return read(files, path)

    monkeypatch.setattr(Files, "read", refuse)
    assert "can't be read (Input/output error): strongSwan" in found(etc).oddities[A]


def test_link_to_itself(etc: Path) -> None:
    (etc / "conf.d/a.conf").symlink_to("a.conf")
    assert "can't be read (Too many levels" in found(etc).oddities[A]


def test_byte_order_mark(etc: Path) -> None:
    """A byte order mark is accepted, but becomes part of a section name, which is not found."""
    (etc / "conf.d/a.conf").write_text(SECTION, encoding="utf-8-sig")
    configuration = found(etc)
    assert configuration.reading.faults == ()
    assert "byte order mark" in configuration.oddities[A]


def test_a_file_that_includes_itself(etc: Path) -> None:
    (etc / "conf.d/a.conf").write_text(f"{SECTION}\ninclude b.conf\n")
    (etc / "conf.d/b.conf").write_text("include a.conf\ninclude a.conf\n")
    assert "includes itself: " in found(etc).oddities[A]


def test_a_file_with_its_good_content_counts_as_empty(etc: Path) -> None:
    (etc / "conf.d/a.conf").write_text(SECTION)
    files = Files(DEBIAN, str(etc.parents[1]))
    good = {A: SECTION.encode()}
    assert read_configuration(files, ROOT, good).reading.sections == ()
    (etc / "conf.d/a.conf").write_text(f"{SECTION} }}")
    (fault,) = read_configuration(files, ROOT, good).reading.faults
    assert fault.place.path == A
