# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands, packages and locks on the machine that runs the hosts, for both testbeds.

Needs Debian and Python 3.11; works before the virtual environment exists.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


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
    run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing)


@contextlib.contextmanager
def locked(cache: Path) -> Iterator[None]:
    """Hold a lock on ``cache``, because two terminals may build the same image."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
