#!/usr/bin/env python3
# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""debian.py SUITE: print the package sources of an image, in the format of sources.list(5).

The mirror is the mirror of this machine: the first Debian archive in the files of apt, and the
first archive with security updates. ``DEBIAN_MIRROR`` and ``DEBIAN_SECURITY_MIRROR`` name others.
The script needs Python 3.11, but no virtual environment.
"""

from __future__ import annotations

import os
import re
import sys
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from machine import Failure

# The releases of the test hosts, by the name in the names of images.
SUITES = {"debian12": "bookworm", "debian13": "trixie", "debian14": "forky"}
# The releases that Debian still changes. On some days, no image can be built from such a suite.
# A mirror may keep a state of the suite beyond the date in its Release file.
MOVING = frozenset({"debian14"})

APT = Path("/etc/apt")
TIMEOUT = 20  # seconds


class Source(NamedTuple):
    """One URI with one suite in the files of apt."""

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str = ""

    @property
    def is_debian(self) -> bool:
        """Return whether the archive is Debian's own. Other archives use the same suite names."""
        if "main" not in self.components or not self.uri.startswith(("http://", "https://")):
            return False
        own_key = "debian-archive" in self.signed_by
        own_path = re.search(r"/debian(-security)?/?$", self.uri) is not None
        return own_key or (own_path and not self.signed_by)

    @property
    def is_security(self) -> bool:
        return self.suite.endswith(("-security", "/updates"))


def sources_of_machine(apt: Path = APT) -> list[Source]:
    """Return the enabled sources of binary packages, in the order in which apt reads the files."""
    folder = apt / "sources.list.d"
    files = [apt / "sources.list", *sorted((*folder.glob("*.list"), *folder.glob("*.sources")))]
    found: list[Source] = []
    for path in files:
        if path.is_file():
            read = _deb822 if path.suffix == ".sources" else _one_line
            found += read(path.read_text())
    return found


def _one_line(text: str) -> Iterator[Source]:
    for line in text.splitlines():
        entry = re.match(r"deb\s+(?:\[([^]]*)\]\s*)?(\S+)\s+(\S+)([^#]*)", line.strip())
        if entry is None:
            continue
        options, uri, suite, components = entry.groups()
        key = re.search(r"signed-by=(\S+)", options or "")
        yield Source(_resolved(uri), suite, tuple(components.split()), key[1] if key else "")


def _deb822(text: str) -> Iterator[Source]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for stanza in re.split(r"\n\s*\n", "\n".join(lines)):
        # A line that begins with a blank continues the value of the line before it.
        unfolded = re.sub(r"\n[ \t]+", " ", stanza)
        fields = {
            name.strip().lower(): value.split()
            for name, colon, value in (line.partition(":") for line in unfolded.splitlines())
            if colon
        }
        enabled = fields.get("enabled", ["yes"])[:1] != ["no"]
        if not enabled or "deb" not in fields.get("types", ()):
            continue
        for uri in fields.get("uris", ()):
            for suite in fields.get("suites", ()):
                key = " ".join(fields.get("signed-by", ()))
                yield Source(_resolved(uri), suite, tuple(fields.get("components", ())), key)


def mirror_in(sources: Iterable[Source], *, security: bool) -> str:
    """Return the URI of the first archive of Debian, or an empty text."""
    for source in sources:
        if source.is_debian and source.is_security == security:
            return source.uri.rstrip("/")
    return ""


def _resolved(uri: str) -> str:
    """Return the first URI in a local list of mirrors, or the URI itself if it is no list."""
    if not uri.startswith("mirror+file:"):
        return uri
    path = Path("/" + uri.removeprefix("mirror+file:").lstrip("/"))
    lines = path.read_text().splitlines() if path.is_file() else []
    uris = [line.split()[0] for line in lines if line.strip() and not line.startswith("#")]
    return next(iter(uris), uri)


def is_moving(suite: str) -> bool:
    return suite in {SUITES[release] for release in MOVING}


def lines(suite: str, mirror: str, security: str) -> list[str]:
    """Return the lines of sources.list. ``security`` may be empty."""
    if is_moving(suite):
        return [f"deb [check-valid-until=no] {mirror} {suite} main"]
    updates = [f"deb {security} {suite}-security main"] if security else []
    return [f"deb {mirror} {suite} main", f"deb {mirror} {suite}-updates main", *updates]


def is_reachable(uri: str, suite: str) -> bool:
    try:
        with urllib.request.urlopen(f"{uri}/dists/{suite}/InRelease", timeout=TIMEOUT):
            return True
    except OSError:
        return False


def sources(suite: str, environment: Mapping[str, str]) -> list[str]:
    machine = sources_of_machine()
    mirror = environment.get("DEBIAN_MIRROR") or mirror_in(machine, security=False)
    security = environment.get("DEBIAN_SECURITY_MIRROR") or mirror_in(machine, security=True)
    if not mirror:
        raise Failure(
            f"{APT}: has no archive of Debian that http or https reaches. "
            "Set DEBIAN_MIRROR to the URI of a mirror."
        )
    if is_moving(suite):
        security = ""
    elif not security or not is_reachable(security, f"{suite}-security"):
        security = ""
        print(f"no security updates of {suite} are within reach", file=sys.stderr)
    return lines(suite, mirror, security)


if __name__ == "__main__":
    try:
        print("\n".join(sources(sys.argv[1], os.environ)))
    except Failure as failure:
        sys.exit(f"debian.py: {failure}")
