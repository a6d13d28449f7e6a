# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Print the unmanaged objects that need packages of strongSwan, as a JSON list of texts.

The arguments are the packages. The list holds files, other packages, and connections, SAs and
secrets of the IKE daemon. With CHECK=files in the environment, the daemon is not read.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

CONFIGURATION = (
    "/etc/swanctl",
    "/etc/strongswan.d",
    "/etc/strongswan.conf",
    "/etc/ipsec.d",
    "/etc/ipsec.conf",
    "/etc/ipsec.secrets",
)
# The files of the collection begin with this name, and with a dot before it while they are written.
OURS = ("tunnelwright.", ".tunnelwright.")


def output(*command: str) -> list[str]:
    environment = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(
        command,
        check=False,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    return done.stdout.splitlines()


def conffiles() -> dict[str, set[str]]:
    """Return the MD5 digests of the configuration files of all packages, by path."""
    known: dict[str, set[str]] = {}
    for line in output("dpkg-query", "--show", "--showformat=${Conffiles}\n"):
        words = line.split()
        if len(words) > 1:
            known.setdefault(words[0], set()).add(words[1])
    return known


def files(root: str = "") -> Iterator[str]:
    known = conffiles()
    for place in CONFIGURATION:
        top = Path(root + place)
        found = sorted(top.rglob("*")) if top.is_dir() else [top]
        for path in found:
            there = path.is_symlink() or path.is_file()
            if not there or path.name.startswith(OURS):
                continue
            digests = known.get(str(path)[len(root) :], set())
            if path.is_symlink() or not digests:
                yield f"file {path}"
            elif hashlib.md5(path.read_bytes()).hexdigest() not in digests:
                yield f"file {path}, which was changed"


def packages(names: list[str]) -> Iterator[str]:
    """Yield the other packages that would be removed with these."""
    for line in output("apt-get", "--simulate", "remove", *names):
        words = line.split()
        if words[:1] == ["Remv"] and words[1] not in names:
            yield f"package {words[1]}"


def daemon() -> Iterator[str]:
    """Yield the connections, SAs and secrets of the IKE daemon, or nothing when it does not run."""
    try:
        import vici

        session = vici.Session()
        for section in session.list_conns():
            yield from (f"connection {name} in the IKE daemon" for name in section)
        for section in session.list_sas():
            yield from (f"SA {name} that is up" for name in section)
        for name in session.get_shared().get("keys", ()):
            yield f"secret {name.decode()} in the IKE daemon"
    except (ImportError, OSError):
        return


def main(names: list[str]) -> None:
    found = [*files(), *packages(names)]
    if os.environ.get("CHECK") != "files":
        found += daemon()
    print(json.dumps(list(dict.fromkeys(found))))


if __name__ == "__main__":
    main(sys.argv[1:])
