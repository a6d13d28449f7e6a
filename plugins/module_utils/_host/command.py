# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Execution of programs on the host.

A ``Run`` takes the arguments and the standard input, and returns exit status, output and errors. It
starts the program directly, never through a shell, and in the C locale. Every wait for a program is
limited.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import typing as t

from .._errors import HostError, cut, one_line
from .file_error import file_error
from .platform import detected

# How Python, the shell, timeout and unshare say that there is no such program.
_MISSING = re.compile(
    r"(?:^|[ '])([\w./-]+)'?: (?:command )?(?:not found|No such file or directory)$", re.MULTILINE
)
# Lines of a program in a message.
_MOST = 3

Run = t.Callable[[list[str], str], tuple[int, str, str]]

# How long programs are waited for, in seconds. systemd gives a unit 90 to start.
PATIENCE = 60.0
_PATIENCE_OF = {"systemctl": 120.0}
# Bounded by its own argument.
_BOUNDED = "timeout"
# Seconds in which the kernel ends a killed process.
_LAST = 2.0


def patience(argv: t.Sequence[str]) -> float | None:
    """Return the time limit of a program in seconds, or None for a program that ends alone."""
    return None if argv[0] == _BOUNDED else _PATIENCE_OF.get(argv[0], PATIENCE)


def execute(argv: list[str], stdin: str) -> tuple[int, str, str]:
    """Run a program on the managed host. Raises HostError for a missing or hanging program."""
    try:
        # The program has its own group, so that its child processes can be ended with it.
        # run_command of Ansible has no time limit, and the rollback runs without Ansible.
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, "LC_ALL": "C", "LANG": "C"},
            start_new_session=True,
        )
    except OSError as error:
        raise not_started(argv[0], error) from None
    seconds = patience(argv)
    try:
        printed, errors = process.communicate(stdin, seconds)
    except subprocess.TimeoutExpired:
        _end(process)
        why = f"it did not end within {seconds:.0f} s and was stopped"
        raise HostError(f"run {_told(argv)}", why) from None
    return process.returncode, printed, errors


def _end(process: subprocess.Popen[str]) -> None:
    """End a program and everything that it started, except processes that the kernel keeps."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=_LAST)


def _told(argv: t.Sequence[str]) -> str:
    """Return the program and its task. For a script among the arguments, its first program."""
    for shell, option, script in zip(argv, argv[1:], argv[2:]):
        if (shell, option) == ("sh", "-c"):
            return script.split()[0]
    return " ".join(argv[:4])


def output(run: Run, operation: str, argv: list[str], stdin: str = "") -> str:
    """Return the output of the program. Raises HostError with its last lines after a failure."""
    status, printed, errors = run(argv, stdin)
    if status != 0:
        raise HostError(operation, last_words(errors or printed, status))
    return printed


def json_output(run: Run, operation: str, argv: list[str], stdin: str = "") -> t.Any:
    """Return the JSON output of a program. iproute2 prints nothing for an empty result."""
    printed = output(run, operation, argv, stdin)
    try:
        return json.loads(printed or "[]")
    except ValueError:
        raise HostError(operation, f"{argv[0]} printed no JSON: {printed[:200]}") from None


def last_words(errors: str, status: int) -> str:
    """Return what a program says went wrong, on one line: three of its own lines at most."""
    lines = [line.strip() for line in errors.splitlines()]
    # nft shows the place of an error by an arrow, below the line that it is in.
    said = [line for line in dict.fromkeys(lines) if line.strip("^~ ")]
    faults = [line for line in said if "error:" in line.lower()]
    told = [cut(line) for line in faults[:_MOST] or said[-_MOST:]]
    return one_line("; ".join(told)) or f"exit status {status} without a message"


def not_started(program: str, error: OSError) -> HostError:
    """Return the error of a program that could not be started."""
    platform = detected()
    if isinstance(error, FileNotFoundError) and program in platform.packages:
        advice = f"Install the {platform.name} package {platform.packages[program]}."
        return HostError(f"run {program}", "it is not installed", advice)
    return file_error(f"run {program}", error)


def with_packages(run: Run) -> Run:
    """Return the same Run, which names the Debian package of a program that is not installed.

    It raises HostError for it, also where the program was to be started by another one.
    """

    def execute(argv: list[str], stdin: str) -> tuple[int, str, str]:
        status, printed, errors = run(argv, stdin)
        for found in _MISSING.findall(errors) if status != 0 else ():
            program = found.rpartition("/")[2]
            if program in detected().packages:
                raise not_started(program, FileNotFoundError())
        return status, printed, errors

    return execute
