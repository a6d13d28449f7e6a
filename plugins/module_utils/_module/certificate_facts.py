# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The certificates of a phase 1 in the result of ipsec_info. Pure."""

from __future__ import annotations

from .._host.vici.facts import Facts
from .._model.connection import IkeConnection
from .._render.artefacts import Artefacts
from .._render.credentials import credential_paths
from .._render.file import File
from .._render.pem import Certificate, certificate
from .._render.validity import validity


def certificate_facts(wanted: Artefacts, now: float, connection: IkeConnection) -> list[Facts]:
    """Return what the copies that the daemon reads say; ``now`` in seconds since 1970.

    A certificate that cannot be read has no dates.
    """
    parts = wanted.swanctl.get(wanted.platform.connection_path(connection.name))
    if not connection.uses_certificates or parts is None:
        return []
    platform = wanted.platform
    first = credential_paths(connection, platform)
    found = []
    for option in ("certificate", "ca"):
        directory = platform.credential_dirs[option]
        copies = [item for item in parts.extra_files if item.directory == directory]
        for file in copies or [File(first[option], b"")]:
            known = certificate(file.data)
            found.append({"option": option, "file": file.path, **_told(known, now)})
    return found


def _told(known: Certificate | None, now: float) -> Facts:
    if known is None:
        return dict.fromkeys(
            ("subject", "issuer", "identities", "not_before", "not_after", "validity")
        )
    return {
        "subject": str(known.subject),
        "issuer": str(known.issuer),
        "identities": list(dict.fromkeys(map(str, known.identities))),
        "not_before": known.not_before,
        "not_after": known.not_after,
        "validity": validity(known, now),
    }
