# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""How the adapters run programs of the host.

A ``Run`` takes the arguments and the standard input, and returns exit status, output and errors. It
starts the program directly, never through a shell, and in the C locale.
"""

from __future__ import annotations

import json
import re
import typing as t

from .._errors import HostError, cut, one_line

# The programs that adapters and scripts start, and the Debian package that brings each.
PACKAGES = {
    "awk": "mawk",
    "cat": "coreutils",
    "grep": "grep",
    "ip": "iproute2",
    "journalctl": "systemd",
    "nft": "nftables",
    "ping": "iputils-ping",
    "sed": "sed",
    "sh": "dash",
    "swanctl": "strongswan-swanctl",
    "systemctl": "systemd",
    "tcpdump": "tcpdump",
    "timeout": "coreutils",
    "unshare": "util-linux",
}
# How Python, the shell, timeout and unshare say that there is no such program.
_MISSING = re.compile(
    r"(?:^|[ '])([\w./-]+)'?: (?:command )?(?:not found|No such file or directory)$", re.MULTILINE
)
# Lines of a program in a message.
_MOST = 3

Run = t.Callable[[list[str], str], tuple[int, str, str]]


def output(run: Run, operation: str, argv: list[str], stdin: str = "") -> str:
    """What the program printed. Raises HostError with its last words where it failed."""
    status, printed, errors = run(argv, stdin)
    if status != 0:
        raise HostError(operation, last_words(errors or printed, status))
    return printed


def json_output(run: Run, operation: str, argv: list[str], stdin: str = "") -> t.Any:
    """The same for a program that prints JSON; iproute2 prints nothing where there is nothing."""
    printed = output(run, operation, argv, stdin)
    try:
        return json.loads(printed or "[]")
    except ValueError:
        raise HostError(operation, f"{argv[0]} did not print JSON: {printed[:200]}") from None


def last_words(errors: str, status: int) -> str:
    """Return what a program says went wrong, on one line: three of its own lines at most."""
    lines = [line.strip() for line in errors.splitlines()]
    # nft shows the place of an error by an arrow, below the line that it is in.
    said = [line for line in dict.fromkeys(lines) if line.strip("^~ ")]
    faults = [line for line in said if "error:" in line.lower()]
    told = [cut(line) for line in faults[:_MOST] or said[-_MOST:]]
    return one_line("; ".join(told)) or f"exit status {status} without a word"


def not_started(program: str, error: OSError) -> HostError:
    """Return the error of a program that could not be started."""
    if isinstance(error, FileNotFoundError) and program in PACKAGES:
        why = f"it is not installed: install the Debian package {PACKAGES[program]}"
    else:
        why = error.strerror or str(error)
    return HostError(f"run {program}", why)


def with_packages(run: Run) -> Run:
    """Return the same Run, which names the Debian package of a program that is not installed.

    It raises HostError for it, also where the program was to be started by another one.
    """

    def execute(argv: list[str], stdin: str) -> tuple[int, str, str]:
        status, printed, errors = run(argv, stdin)
        for found in _MISSING.findall(errors) if status != 0 else ():
            program = found.rpartition("/")[2]
            if program in PACKAGES:
                raise not_started(program, FileNotFoundError())
        return status, printed, errors

    return execute
