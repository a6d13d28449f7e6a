# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The virtual machines have the properties that the other tests need."""

from __future__ import annotations

import pytest
from ansible_collections.tunnelwright.ipsec.tests.kernel.machine import Machine

GATEWAYS = ("a", "b")


@pytest.mark.parametrize("name", GATEWAYS)
def test_the_kernel_has_all_of_ipsec(machines: dict[str, Machine], name: str) -> None:
    """ESP, AH and IPComp can be installed, and nftables can match them."""
    told = machines[name].sh(
        """
        add() { ip xfrm state add src 192.0.2.1 dst 192.0.2.2 "$@"; }
        add proto esp spi 0x1000 enc 'cbc(aes)' 0x00112233445566778899aabbccddeeff
        add proto ah spi 0x1001 auth 'hmac(sha1)' 0x00112233445566778899aabbccddeeff00112233
        add proto comp spi 0x1002 comp deflate
        ip xfrm state list src 192.0.2.1 | grep -c proto
        ip xfrm state deleteall src 192.0.2.1
        nft 'add table inet probe'
        nft 'add chain inet probe c { type filter hook input priority 0; }'
        nft 'add rule inet probe c meta ipsec exists rt ipsec missing ipsec in reqid 1 counter'
        nft delete table inet probe
        """
    )
    assert told.split() == ["3"]


@pytest.mark.parametrize("name", GATEWAYS)
def test_apparmor_confines_swanctl(machines: dict[str, Machine], name: str) -> None:
    machines[name].sh("cp /etc/swanctl/swanctl.conf /tmp/elsewhere.conf")
    said = machines[name].sh("swanctl --load-conns --file /tmp/elsewhere.conf 2>&1 || true")
    assert "elsewhere.conf" in said
    assert "failed" in said
