# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The distribution of a host and its installed packages, through dpkg-query."""

from __future__ import annotations

import shlex
import typing as t
from pathlib import Path

from .._errors import HostError
from .._model.platform import Platform
from .._releases.packages import Installed, Package
from .command import Run

_FORMAT = r"${db:Status-Status}\t${Package}\t${Version}\t${source:Package}\t${source:Version}\n"
# The states in which the files of a package are on the host.
_UNPACKED = ("installed", "unpacked", "half-configured", "triggers-awaited", "triggers-pending")


def installed(run: Run, platform: Platform) -> Installed:
    """Return the packages of strongSwan and nftables. A host without dpkg has no packages."""
    try:
        # The status is 1 if one of the patterns matches no package.
        _status, printed, _errors = run(
            ["dpkg-query", "-W", "-f", _FORMAT, *platform.watched_packages], ""
        )
    except HostError:
        printed = ""
    known = _os_release(platform.os_release)
    return Installed(
        known.get("ID", ""), known.get("VERSION_CODENAME", ""), tuple(_packages(printed))
    )


def _packages(printed: str) -> t.Iterator[Package]:
    for line in printed.splitlines():
        words = line.split("\t")
        if len(words) == 5 and words[0] in _UNPACKED:
            _state, name, version, source, source_version = words
            yield Package(name, source_version or version, source or name)


def _os_release(path: str) -> dict[str, str]:
    """Return the values of os-release, which has the quoting of a shell."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        pairs = (word.partition("=") for word in shlex.split(text, comments=True))
    except (OSError, ValueError):
        return {}
    return {name: value for name, _equals, value in pairs}
