# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our gateway, and beside it one peer at a time."""

from __future__ import annotations

import ipaddress

from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.configuration import Places
from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.peers import DAEMONS
from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.rig import IMPATIENT, Rig, router
from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.table import Column
from ansible_collections.tunnelwright.ipsec.tests.kernel.machine import Machine

OURS = "a"
# The LANs behind each host of the test bed.
LANS = {
    "a": {4: "10.1.0.0/24", 6: "fd00:1::/64"},
    "b": {4: "10.2.0.0/24", 6: "fd00:2::/64"},
    "other": {4: "10.3.0.0/24", 6: "fd00:3::/64"},
}


class Bench:
    """A bench with our gateway and one peer at a time."""

    def __init__(self, machines: dict[str, Machine], ours: Machine, pki: str) -> None:
        self._machines, self._ours, self._pki = machines, ours, pki
        self._daemon = ""
        self._rig: Rig | None = None

    @property
    def ours(self) -> Machine:
        return self._ours

    def prepare(self) -> None:
        """Set up the objects that every tunnel needs on our side."""
        ours, lan = self._ours, LANS[OURS]
        networks = {"lan": (4, {}), "lan6": (6, {"interface_network": "vpn-lan"})}
        for name, (version, more) in networks.items():
            given = {"ip_address": router(lan[version]), "network_address": lan[version], **more}
            ours.apply("vpn_network", {"name": name, **given})
        advanced = {"configuration_mode": "advanced", "strongswan_conf": IMPATIENT}
        ours.apply("ipsec_settings", {"network": "lan", **advanced})

    def rig(self, column: Column) -> Rig:
        """Return the rig of ``column``. Columns with the same daemon share one rig."""
        if self._rig is None or self._daemon != column.daemon:
            self.clear()
            theirs = self._machines[column.host]
            self._rig = Rig(self._ours, DAEMONS[column.daemon](theirs), self._places(column.host))
            self._rig.prepare(self._pki)
            assert self._rig.peer.version() == column.version
            self._daemon = column.daemon
        return self._rig

    def clear(self) -> None:
        """Remove the configuration of the current peer."""
        if self._rig is not None:
            self._rig.clear()
            self._rig = None

    def _places(self, host: str) -> Places:
        ours, theirs = self._ours, self._machines[host]
        return Places(
            ours={4: ours.ipv4, 6: ours.ipv6},
            theirs={4: theirs.ipv4, 6: theirs.ipv6},
            our_lan=LANS[OURS],
            their_lan=LANS[host],
            nat=str(ipaddress.ip_interface(f"{theirs.ipv4}/24").network[200]),
            behind_nat="192.168.77.2",
            psk="a pre-shared key that is long enough",
        )
