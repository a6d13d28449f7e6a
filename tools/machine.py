# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the testbeds share: commands, packages and locks on the machine that the hosts run on.

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
    """Something the person at the keyboard has to look at."""


def say(text: str) -> None:
    print(f"testbed: {text}", flush=True)


def run(*command: str, feed: str | None = None, check: bool = True) -> str:
    """Standard output of ``command``; a Failure with all it said when it fails."""
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
    # Some other source of packages that is out of reach need not stop this.
    run("apt-get", "update", "-qq", check=False)
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing)


@contextlib.contextmanager
def locked(cache: Path) -> Iterator[None]:
    """One at a time: two terminals may want the same image."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
