# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The selectors of a phase 2 as one text, for messages."""

from __future__ import annotations

from .child import ChildSa


def selectors_text(child: ChildSa) -> str:
    """Return ``10.1.0.0/24 to 10.2.0.0/24``, with ``dynamic`` for a side without networks."""
    if not child.local_network and not child.remote_network:
        return "the two gateways"
    local, remote = (
        ", ".join(str(item) for item in networks) or "dynamic"
        for networks in (child.local_network, child.remote_network)
    )
    return f"{local} to {remote}"
