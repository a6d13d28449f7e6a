# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The sections ``connections.<name>`` of swanctl.conf, of which the vici message is made too.

The table in ``options`` says what each option becomes.
"""

from __future__ import annotations

from .._model.connection import IkeConnection
from .._model.settings import IpsecSettings
from .options.phase1 import PHASE1
from .options.phase2 import PHASE2
from .options.table import Phase1, Phase2, write
from .strongswan.section import Section


def connection_section(connection: IkeConnection, settings: IpsecSettings) -> Section:
    """Return ``connections.<name>``, with its enabled children."""
    section = write(PHASE1, Phase1(connection, settings))
    section["children"] = {
        child.name: write(PHASE2, Phase2(child, connection, settings))
        for child in connection.children
        if child.enabled
    }
    return section


def bypass_section(networks: tuple[str, ...]) -> Section:
    """Return the shunt of ``exclude_my_network``: traffic between hosts of the local network."""
    return {
        # An address that no peer can have keeps the shunt out of the search for a peer's config.
        "remote_addrs": ("127.0.0.1",),
        "children": {
            "lan": {
                "mode": "pass",
                "local_ts": networks,
                "remote_ts": networks,
                "start_action": "trap",
            }
        },
    }
