# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""What ipsec_info tells of the certificates of a phase 1. Pure."""

from __future__ import annotations

from .._host.vici.facts import Facts
from .._model.connection import IkeConnection
from .._render.artefacts import (
    CREDENTIAL_DIRS,
    Artefacts,
    File,
    connection_path,
    credential_paths,
)
from .._render.pem import Certificate, certificate
from .._render.validity import validity


def certificate_facts(wanted: Artefacts, now: float, connection: IkeConnection) -> list[Facts]:
    """Return what the copies that the daemon reads say; ``now`` in seconds since 1970.

    A certificate that cannot be read has no dates.
    """
    parts = wanted.swanctl.get(connection_path(connection.name))
    if connection.authentication != "pubkey" or parts is None:
        return []
    first = credential_paths(connection)
    found = []
    for option in ("certificate", "ca"):
        directory = f"{CREDENTIAL_DIRS[option]}/"
        copies = [item for item in parts.extra_files if item.path.startswith(directory)]
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
