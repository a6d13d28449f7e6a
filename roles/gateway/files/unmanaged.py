# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Print, as a JSON list of texts, what of others would suffer if packages of strongSwan went.

The arguments are the packages. Connections, SAs and secrets of the daemon are looked at unless the
environment has CHECK=files.
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
# What the collection has made bears this name, or with a point before it while it is written.
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
    """By path, the digests of the files as packages have brought them."""
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
    """Others that depend on these."""
    for line in output("apt-get", "--simulate", "remove", *names):
        words = line.split()
        if words[:1] == ["Remv"] and words[1] not in names:
            yield f"package {words[1]}"


def daemon() -> Iterator[str]:
    """Nothing where there is no daemon."""
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
