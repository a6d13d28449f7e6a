# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Only a container that needs other control groups gets its own folder, on any machine."""

from __future__ import annotations

from pathlib import Path

import control_groups
import pytest
from machine import Failure

HYBRID = """\
tmpfs /sys/fs/cgroup tmpfs rw,relatime,mode=755 0 0
cgroup /sys/fs/cgroup/cpu cgroup rw,relatime,cpu 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0
"""
UNIFIED = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nsdelegate 0 0\n"
# A tool has mounted version 2 a second time.
UNIFIED_TWICE = "none /mnt/groups cgroup2 rw 0 0\n" + UNIFIED
LEGACY = "cgroup /sys/fs/cgroup/cpu cgroup rw,relatime,cpu 0 0\n"


@pytest.mark.parametrize(
    ("mounts", "systemd", "parent"),
    [
        (HYBRID, 252, None),
        (HYBRID, 257, None),
        (HYBRID, 258, Path("/sys/fs/cgroup/unified")),
        (HYBRID, 262, Path("/sys/fs/cgroup/unified")),
        (UNIFIED, 262, None),
        (UNIFIED_TWICE, 262, None),
        (LEGACY, 257, None),
    ],
)
def test_a_folder_only_where_it_is_needed(tmp_path, monkeypatch, mounts, systemd, parent):
    monkeypatch.setattr(control_groups, "MOUNTS", tmp_path / "mounts")
    (tmp_path / "mounts").write_text(mounts)
    assert control_groups.parent_for(systemd) == parent


def test_a_machine_without_version_2_gets_the_command(tmp_path, monkeypatch):
    monkeypatch.setattr(control_groups, "MOUNTS", tmp_path / "mounts")
    (tmp_path / "mounts").write_text(LEGACY)
    with pytest.raises(Failure, match="mount -t cgroup2"):
        control_groups.parent_for(262)


def test_folders_of_containers_are_removed_with_all_groups_in_them(tmp_path, monkeypatch):
    unified = tmp_path / "unified"
    (unified / "tw-live-c/system.slice/strongswan.service").mkdir(parents=True)
    (unified / "tw-live-c/init.scope").mkdir()
    (unified / "tw-other").mkdir()
    monkeypatch.setattr(control_groups, "MOUNTS", tmp_path / "mounts")
    (tmp_path / "mounts").write_text(f"cgroup2 {unified} cgroup2 rw 0 0\n")
    control_groups.remove_all(["tw-live-a", "tw-live-c"])
    assert [path.name for path in unified.iterdir()] == ["tw-other"]


def test_a_folder_with_processes_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(control_groups, "REMOVAL_SECONDS", 0)
    # A file stands for the processes, because both keep a folder from its removal.
    (tmp_path / "busy").mkdir()
    (tmp_path / "busy/process").touch()
    with pytest.raises(Failure, match=f"{tmp_path}/busy: control groups still have processes"):
        control_groups.remove(tmp_path / "busy")
