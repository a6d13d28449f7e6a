# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.daemon import (
    runs_replaced_files,
    speaks_ikev1,
)

LIBRARY = "/usr/lib/ipsec/libcharon.so.0.0.0"
LIBC = "7f2c-7f2d r-xp 00028000 08:01 3153962            /usr/lib/libc.so.6\n"
MAPPED = f"0007f3c-0007f3d r-xp 00028000 08:01 3153973            {LIBRARY}"
BOTH = b"\x7fELF\0ike_init_create\0main_mode_create\0"
IKEV2_ONLY = b"\x7fELF\0ike_init_create\0sa_main_mode_create_x\0"
STRIPPED = b"\x7fELF\0"


def process(proc: Path, maps: str, library: bytes | None) -> None:
    """Create the entry of process 7, which has its own mount namespace, in ``proc``."""
    root = proc / "7" / "root"
    (root / "usr/lib/ipsec").mkdir(parents=True)
    (proc / "7" / "maps").write_text(maps)
    if library is not None:
        (root / LIBRARY[1:]).write_bytes(library)


@pytest.mark.parametrize("maps", [LIBC + MAPPED + "\n" + LIBC, f"{MAPPED} (deleted)\n"])
@pytest.mark.parametrize(
    ("library", "answer"), [(BOTH, True), (IKEV2_ONLY, False), (STRIPPED, True), (None, True)]
)
def test_library(tmp_path: Path, maps: str, library: bytes | None, answer: bool) -> None:
    process(tmp_path, maps, library)
    assert speaks_ikev1(7, tmp_path) is answer


@pytest.mark.parametrize(("library", "answer"), [(BOTH, True), (IKEV2_ONLY, False)])
def test_upgraded_under_a_running_daemon(tmp_path: Path, library: bytes, answer: bool) -> None:
    """The daemon still has the old library, which the name no longer stands for."""
    process(tmp_path, f"{MAPPED} (deleted)\n", BOTH if library == IKEV2_ONLY else IKEV2_ONLY)
    (tmp_path / "7" / "map_files").mkdir()
    (tmp_path / "7" / "map_files" / "7f3c-7f3d").write_bytes(library)
    assert speaks_ikev1(7, tmp_path) is answer


def test_other_process(tmp_path: Path) -> None:
    process(tmp_path, LIBC, IKEV2_ONLY)
    assert speaks_ikev1(7, tmp_path) is True


@pytest.mark.parametrize("pid", [0, 8])
def test_no_such_process(tmp_path: Path, pid: int) -> None:
    assert speaks_ikev1(pid, tmp_path) is True


PLUGIN = "7f4c-7f4d r-xp 00028000 08:01 3153974    /usr/lib/ipsec/plugins/libstrongswan-aes.so"


@pytest.mark.parametrize(
    ("maps", "answer"),
    [
        (f"{LIBC}{MAPPED}\n{PLUGIN}\n", False),
        (f"{LIBC}{MAPPED} (deleted)\n", True),
        (f"{LIBC}{MAPPED}\n{PLUGIN} (deleted)\n", True),
        # Another package was upgraded.
        (f"{LIBC[:-1]} (deleted)\n{MAPPED}\n", False),
        (LIBC, None),
    ],
)
def test_replaced_files(tmp_path: Path, maps: str, answer: bool | None) -> None:
    process(tmp_path, maps, BOTH)
    assert runs_replaced_files(7, tmp_path) is answer


def test_no_process_with_replaced_files(tmp_path: Path) -> None:
    assert runs_replaced_files(8, tmp_path) is None
