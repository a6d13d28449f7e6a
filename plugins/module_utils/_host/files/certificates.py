# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The certificates in strongSwan: from files, and CAs of former connections."""

from __future__ import annotations

import re
import typing as t

from ..._plan.observed import DaemonState
from ..._render.artefacts import Artefacts
from ..._render.file import File
from ..._render.pem import Certificate, certificate
from ..host import Host
from .files import Files

_COPY = re.compile(r"tunnelwright\.([A-Za-z0-9_-]+)(?:\.[0-9]+)?\.pem")


def loaded_at_start(files: Files) -> dict[str, Certificate]:
    """Return the first certificate of each file that swanctl loads, by path."""
    found = {}
    for directory in (files.platform.certificate_dir, files.platform.ca_dir):
        for path in (*files.find(f"{directory}/*"), *files.find(f"{directory}/.*")):
            file = files.look(path)
            known = (certificate(file.data) or Certificate.read(file.data)) if file else None
            if known is not None:
                found[path] = known
    return found


def remembered(
    host: Host, before: Artefacts, after: Artefacts, daemon: DaemonState
) -> tuple[Certificate, ...]:
    """Return the CAs in the daemon that neither a file nor an unmanaged connection has.

    strongSwan cannot unload the certificate of a CA, so the CA stays after its connection is
    removed. The certificates of peers are flushed here, because the daemon lists them like loaded
    certificates.
    """
    left = (daemon.cas or frozenset()) - _in_artefacts(after)
    if left:
        gone = _copies(before) - _copies(after)
        known = loaded_at_start(host.files)
        left -= {item.data for path, item in known.items() if path not in gone}
    if left:
        host.vici.flush_certificates()
        left &= host.vici.ca_certificates()
    ours = {name for parts in after.swanctl.values() for name in parts.connection_names}
    named = {*daemon.authorities.values(), *_named_by_others(daemon, ours)}
    found = (Certificate.read(data) for data in sorted(left))
    return tuple(item for item in found if item is not None and str(item.subject) not in named)


def _in_artefacts(wanted: Artefacts) -> frozenset[bytes]:
    found = (
        certificate(pem)
        for parts in wanted.swanctl.values()
        if parts.credentials
        for pem in (*parts.credentials.certificate, *parts.credentials.ca)
    )
    return frozenset(item.data for item in found if item is not None)


def _copies(side: Artefacts) -> set[str]:
    return {file.path for parts in side.swanctl.values() for file in parts.extra_files}


def _named_by_others(daemon: DaemonState, ours: t.Container[str]) -> t.Iterator[str]:
    """Yield the CAs of unmanaged connections, which another program may have loaded."""
    for name, conn in daemon.connections.items():
        if name not in ours:
            for end in conn.values():
                if isinstance(end, t.Mapping):
                    yield from end.get("cacerts", ())


def strays(
    files: Files, before: Artefacts, after: Artefacts, paths: t.Container[str]
) -> dict[str, tuple[File, ...]]:
    """Return the unused copies of certificates and keys, by the path of the file of their phase 1.

    An interrupted run may leave such copies, and strongSwan would load them. Only the phase 1
    files in ``paths`` are considered.
    """
    known = _copies(before) | _copies(after)
    found: dict[str, tuple[File, ...]] = {}
    for directory in files.platform.read_whole:
        for path in files.find(f"{directory}/tunnelwright.*.pem"):
            copy = _COPY.fullmatch(path.rpartition("/")[2])
            owner = files.platform.connection_path(copy[1]) if copy else ""
            if path not in known and owner in paths:
                file = files.look(path)
                found[owner] = (*found.get(owner, ()), *([file] if file else []))
    return found
