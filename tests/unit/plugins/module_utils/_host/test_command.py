# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real programs, some of which hang."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import HostError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host import command
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.command import (
    execute,
    patience,
)

# By which what this test has started is known.
SECONDS = f"60.{os.getpid()}"


def test_what_is_handed_over_and_back() -> None:
    script = 'printf "%s|" "$0" "$@"; cat; echo "$LANG $LC_ALL" >&2; exit 3'
    argv = ["sh", "-c", script, "a b", "$(id)"]
    assert execute(argv, "table inet \u00e9") == (3, "a b|$(id)|table inet \u00e9", "C C\n")


def test_what_is_no_text() -> None:
    assert execute(["printf", "\\377"], "") == (0, "\ufffd", "")


def test_a_program_that_reads_nothing() -> None:
    assert execute(["true"], "x" * 2**20) == (0, "", "")


def test_a_program_that_there_is_not() -> None:
    with pytest.raises(HostError, match=r"^run no-such-program: No such file or directory$"):
        execute(["no-such-program", "--hush"], "")


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["sleep", SECONDS, "60", "60", "60"], f"sleep {SECONDS} 60 60"),
        (["env", "sh", "-c", f"sleep {SECONDS} && true", "sh"], "sleep"),
        (["sh", "-c", f"trap '' TERM HUP; sleep {SECONDS}; true"], "trap"),
    ],
)
def test_a_program_that_hangs_is_ended_and_named(
    argv: list[str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "PATIENCE", 0.3)
    begun = time.monotonic()
    with pytest.raises(HostError) as raised:
        execute(argv, "")
    assert time.monotonic() - begun < 3
    assert str(raised.value) == f"run {told}: it did not end within 0 s, and was stopped"
    assert not _sleeping()


def _sleeping() -> list[str]:
    """What such a program has started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if SECONDS.encode() in path.read_bytes() and os.path.exists(path.parent / "exe"):
                found.append(path.parent.name)
        except OSError:
            continue
    return found


def test_how_long_a_program_is_waited_for() -> None:
    assert patience(["nft", "-f", "-"]) == 60
    assert patience(["systemctl", "restart", "strongswan.service"]) == 120
    assert patience(["timeout", "305", "tcpdump"]) is None
