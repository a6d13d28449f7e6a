# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real programs, some of which hang, and the errors of a failed or a missing program."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import HostError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host import command
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.command import (
    execute,
    last_words,
    not_started,
    patience,
    with_packages,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.host import Host
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import DEBIAN
from hypothesis import given
from hypothesis import strategies as st

# This argument marks the processes of this test.
SECONDS = f"60.{os.getpid()}"


def test_what_is_handed_over_and_back() -> None:
    script = 'printf "%s|" "$0" "$@"; cat; echo "$LANG $LC_ALL" >&2; exit 3'
    argv = ["sh", "-c", script, "a b", "$(id)"]
    assert execute(argv, "table inet \u00e9") == (3, "a b|$(id)|table inet \u00e9", "C C\n")


def test_what_is_no_text() -> None:
    assert execute(["printf", "\\377"], "") == (0, "\ufffd", "")


def test_a_program_that_reads_nothing() -> None:
    assert execute(["true"], "x" * 2**20) == (0, "", "")


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["sleep", SECONDS, "60", "60", "60"], f"sleep {SECONDS} 60 60"),
        (["env", "sh", "-c", f"sleep {SECONDS} && true", "sh"], "sleep"),
        (["sh", "-c", f"trap '' TERM HUP; sleep {SECONDS}; true"], "trap"),
    ],
    ids=["itself", "its child", "deaf to signals"],
)
def test_a_program_that_hangs_is_ended_and_named(
    argv: list[str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "PATIENCE", 0.3)
    begun = time.monotonic()
    with pytest.raises(HostError) as raised:
        execute(argv, "")
    assert time.monotonic() - begun < 3
    assert str(raised.value) == f"could not run {told}: it did not end within 0 s and was stopped."
    assert not _sleeping()


def _sleeping() -> list[str]:
    """Return the ids of the processes that the programs of this test have started."""
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


NFT = """/etc/tunnelwright/lan.nft:4:19-19: Error: syntax error, unexpected junk
 ip6 saddr fe80::1%eth0 accept
                  ^
/etc/tunnelwright/lan.nft:9:1-3: Error: syntax error, unexpected string
foo
^^^
tunnelwright-lan: could not load the nftables rules
"""


@pytest.mark.parametrize(
    ("errors", "told"),
    [
        (
            NFT,
            "/etc/tunnelwright/lan.nft:4:19-19: Error: syntax error, unexpected junk; "
            "/etc/tunnelwright/lan.nft:9:1-3: Error: syntax error, unexpected string",
        ),
        ("Error: mtu greater than device maximum.\n", "Error: mtu greater than device maximum."),
        (
            "RTNETLINK answers: File exists\nCommand failed -:3\n",
            "RTNETLINK answers: File exists; Command failed -:3",
        ),
        ("\n \n^~~~\n", "exit status 7 without a message"),
        # A repeated line is shown once, so the text needs a repeated line. prose: allow
        ("a\nb\nb\nc\n\x1b[1md\n", "b; c; \\x1b[1md"),
        ("x" * 999, f"{'x' * 200}..."),
    ],
)
def test_last_words(errors: str, told: str) -> None:
    assert last_words(errors, 7) == told


@given(st.text())
def test_last_words_are_a_short_line(errors: str) -> None:
    told = last_words(errors * 50, 1)
    assert told.isprintable()
    assert told
    assert len(told) < 3 * 10 * 203 + 4


MISSING = {
    "sh: 1: nft: not found\n": "nft",
    "/etc/tunnelwright/lan.sh: 42: nft: not found\ntunnelwright-lan: could not load it": "nft",
    "sh: line 1: ip: command not found": "ip",
    "timeout: failed to run command 'journalctl': No such file or directory\n": "journalctl",
    "unshare: failed to execute ip: No such file or directory\n": "ip",
    "something else: No such file or directory\nsh: 1: nft: not found\n": "nft",
    "systemctl: No such file or directory": "systemctl",
    "sh: 1: /usr/sbin/nft: not found\n": "nft",
}


@pytest.mark.parametrize("errors", MISSING)
def test_a_program_that_is_missing_is_named_with_its_package(errors: str) -> None:
    program = MISSING[errors]
    run = with_packages(lambda _argv, _stdin: (127, "", errors))
    with pytest.raises(HostError) as raised:
        run(["x"], "")
    assert str(raised.value) == (
        f"could not run {program}: it is not installed. Install the Debian package "
        f"{DEBIAN.packages[program]}."
    )


@pytest.mark.parametrize(
    ("status", "errors"),
    [
        (1, "cat: /proc/sys/net/ipv6/conf/all/forwarding: No such file or directory"),
        (1, "x.nft:1:2-3: Error: No such file or directory; did you mean table 'x'?"),
        (1, "RTNETLINK answers: No such file or directory"),
        (5, "Unit tunnelwright-lan.service not found."),
        (127, "sh: 1: frobnicate: not found"),
        (0, "sh: 1: nft: not found"),
    ],
)
def test_nothing_else_is_taken_for_one(status: int, errors: str) -> None:
    run = with_packages(lambda _argv, _stdin: (status, "out", errors))
    assert run(["x"], "") == (status, "out", errors)


def test_what_can_not_be_started() -> None:
    assert "Debian package nftables" in str(not_started("nft", FileNotFoundError(2, "x")))
    assert str(not_started("nft", PermissionError(13, "Permission denied"))) == (
        "could not run nft: Permission denied. Run the task as root, with become."
    )


@pytest.mark.parametrize("program", ["tcpdump", "nft", "ping", "swanctl"])
@pytest.mark.parametrize(
    "argv",
    [
        ["{}", "-x"],
        ["timeout", "5", "{}"],
        ["sh", "-c", "{} -x"],
        ["sh", "-c", "echo $({} -x) && exit 3"],
    ],
)
def test_as_the_real_programs_tell_it(
    monkeypatch: pytest.MonkeyPatch, argv: list[str], program: str
) -> None:
    """The rollback reports the same errors without AnsibleModule."""
    full = [(shutil.which(word) or word) if word in ("sh", "timeout") else word for word in argv]
    monkeypatch.setenv("PATH", "/nonexistent")
    with Host(execute) as host, pytest.raises(HostError, match=DEBIAN.packages[program]):
        host.run([word.format(program) for word in full], "")
