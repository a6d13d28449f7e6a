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
import typing as t

from .._errors import HostError

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
    """At most ten lines, for the message."""
    lines = errors.strip().splitlines()[-10:]
    return "\n".join(lines) if lines else f"exit status {status} without a word"
