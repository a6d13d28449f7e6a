# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands, packages and locks on the machine that runs the hosts, for both testbeds.

The module needs Debian and Python 3.11, but no virtual environment.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[1]


# One lock for each name of a test bed on this machine, because two checkouts may use one name.
LOCKS = Path("/run/lock/tunnelwright")
# The beds that this process or a parent process holds, separated by blanks.
HELD = "TESTBEDS_HELD"


class Failure(Exception):
    """An error that the developer has to solve."""


def say(text: str) -> None:
    print(f"testbed: {text}", flush=True)


def run(*command: str, feed: str | None = None, check: bool = True) -> str:
    """Return the standard output of ``command``. Raise Failure with all output when it fails."""
    done = subprocess.run(command, input=feed, text=True, capture_output=True)
    if check and done.returncode != 0:
        raise Failure(f"{' '.join(command)}\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout.strip()


def require_root(what_for: str) -> None:
    if os.geteuid() != 0:
        raise Failure(f"needs root, for {what_for}")


def install_packages(packages: Iterable[str]) -> None:
    installed = run(
        "dpkg-query", "-W", "-f=${Package} ${db:Status-Status}\n", *packages, check=False
    )
    missing = [name for name in packages if f"{name} installed" not in installed.splitlines()]
    if not missing:
        return
    say(f"installing Debian packages: {' '.join(missing)}")
    # Another package source may be unreachable. The installation does not need it.
    run("apt-get", "update", "-qq", check=False)
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    # Another stage may be installing something at the same time.
    wait = ("-o", "DPkg::Lock::Timeout=600")
    run("apt-get", *wait, "install", "-y", "-qq", "--no-install-recommends", *missing)


@contextlib.contextmanager
def hold(*beds: str) -> Iterator[set[str]]:
    """Lock the test beds against other runs. Wait while another run holds a bed.

    The kernel releases the locks when this process ends, even if it is killed. Yields the beds
    whose last run was killed. The state of the hosts of these beds is unknown.
    """
    outer = os.environ.get(HELD, "")
    wanted = sorted(set(beds) - set(outer.split()))
    killed = set()
    with contextlib.ExitStack() as stack:
        # Every run locks in the same order, so that two runs never wait for each other.
        for bed in wanted:
            if stack.enter_context(_held(bed)):
                killed.add(bed)
        os.environ[HELD] = " ".join([*outer.split(), *wanted])
        stack.callback(os.environ.__setitem__, HELD, outer)
        yield killed


@contextlib.contextmanager
def _held(bed: str) -> Iterator[bool]:
    """Hold one bed. Yields whether its last run was killed, and so left a line in the file."""
    try:
        LOCKS.mkdir(parents=True, exist_ok=True)
        file = (LOCKS / bed).open("a+")
    except PermissionError:
        raise Failure("needs root, for test beds") from None
    with file as lock:
        # A child process that gets this file by `pass_fds` holds the bed too.
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for the test bed {bed}, in use by process {_line(lock)}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        was_killed = bool(_line(lock))
        _write(lock, f"{os.getpid()} ({' '.join(sys.argv)})")
        try:
            yield was_killed
        finally:
            _write(lock, "")


def _line(lock: IO[str]) -> str:
    lock.seek(0)
    return lock.read()


def _write(lock: IO[str], text: str) -> None:
    lock.truncate(0)
    lock.write(text)
    lock.flush()


def run_holding(beds: Iterable[str], command: Sequence[str]) -> int:
    """Run a command while this process holds the beds. Return the status of the command.

    The command holds the beds too, so that they stay locked if only this process is killed.
    """
    with hold(*beds):
        locks = [
            int(link.name)
            for link in Path("/proc/self/fd").iterdir()
            if link.is_symlink() and os.path.realpath(link).startswith(f"{LOCKS}/")
        ]
        return subprocess.run(command, check=False, pass_fds=locks).returncode


@contextlib.contextmanager
def locked(cache: Path) -> Iterator[None]:
    """Hold a lock on ``cache``, because two terminals may build the same image."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
