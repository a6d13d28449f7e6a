# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Control groups for containers whose systemd refuses version 1 of control groups.

systemd 258 and later needs version 2. On a machine that has both versions, such a container gets a
folder of version 2 in the place of /sys/fs/cgroup.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from pathlib import Path

from machine import Failure

NEEDS_VERSION_2 = 258
MOUNTS = Path("/proc/self/mounts")
PLACE = "/sys/fs/cgroup"
# The kernel removes the processes of a dead container from their groups within this time.
REMOVAL_SECONDS = 5


def mounted_version_2(mounts: str) -> str:
    """Return the folder where version 2 is mounted, ``PLACE`` if possible, or an empty text."""
    found = [fields[1] for line in mounts.splitlines() if (fields := line.split())[2] == "cgroup2"]
    return PLACE if PLACE in found else next(iter(found), "")


def parent_for(systemd: int) -> Path | None:
    """Return the folder for the groups of containers, or None if podman's defaults are enough.

    ``systemd`` is the version of systemd in the image. Raises Failure if the machine has no groups
    of version 2, and this systemd needs them.
    """
    if systemd < NEEDS_VERSION_2:
        return None
    folder = mounted_version_2(MOUNTS.read_text())
    if not folder:
        raise Failure(
            f"systemd {systemd} needs control groups of version 2, and this machine has none. "
            "Mount them: mount -t cgroup2 none /sys/fs/cgroup/unified"
        )
    return None if folder == PLACE else Path(folder)


def options(folder: Path) -> tuple[str, ...]:
    """Return the options of podman for a container with its groups in ``folder``.

    They replace ``--systemd=always``, which mounts the groups of the machine.
    """
    return (
        *("--systemd=false", "--stop-signal=SIGRTMIN+3", "--env=container=podman"),
        *("--tmpfs=/run:rw,exec,nosuid,nodev,mode=755", "--tmpfs=/tmp:rw,exec,nosuid,nodev"),
        *("--tmpfs=/var/log/journal:rw,nosuid,nodev",),
        f"--mount=type=bind,src={folder},dst={PLACE}",
    )


def remove_all(containers: Iterable[str]) -> None:
    """Remove the folders of containers that are gone."""
    parent = mounted_version_2(MOUNTS.read_text())
    for name in containers if parent not in ("", PLACE) else ():
        remove(Path(parent) / name)


def remove(folder: Path) -> None:
    """Remove a folder with all groups in it, whose processes have ended."""
    deadline = time.monotonic() + REMOVAL_SECONDS
    while folder.exists():
        groups = sorted(path for path in folder.rglob("*") if path.is_dir())
        for group in (*reversed(groups), folder):
            with contextlib.suppress(OSError):
                group.rmdir()
        if time.monotonic() > deadline:
            raise Failure(f"{folder}: control groups still have processes")
        time.sleep(0.05)
