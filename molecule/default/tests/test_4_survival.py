# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files alone restore everything after the restart of any service."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from gateway import PINGS, Gateway, Run, up, wait_for

pytestmark = pytest.mark.usefixtures("tunnel")

# The file of Debian's package.
DEBIAN_FIREWALL = """#!/usr/sbin/nft -f

flush ruleset

table inet filter {
	chain input {
		type filter hook input priority filter;
	}
	chain forward {
		type filter hook forward priority filter;
	}
	chain output {
		type filter hook output priority filter;
	}
}
"""


def test_restart_of_the_ike_daemon(
    near: Gateway, far: Gateway, gateways: dict[str, Gateway]
) -> None:
    before = near.connections(), near.secrets()
    near.sh("systemctl restart strongswan")
    wait_for("the tunnel is back", lambda: up(gateways))
    assert (near.connections(), near.secrets()) == before
    assert near.ping(far.lan4.ip) == PINGS
    assert near.ping(far.lan6.ip) == PINGS


def test_load_all_by_an_administrator(near: Gateway) -> None:
    before = near.connections(), near.secrets(), identities(near)
    for command in ("swanctl --load-all --noprompt", "systemctl reload strongswan"):
        near.sh(command)
        assert (near.connections(), near.secrets(), identities(near)) == before


def identities(gateway: Gateway) -> list[tuple[str, ...]]:
    """Return the numbers that distinguish an SA that stayed from a re-established SA."""
    ike = [(sa["name"], sa["uniqueid"], sa["initiator-spi"]) for sa in gateway.ike_sas()]
    children = gateway.child_sas().items()
    return sorted([*ike, *((name, child["uniqueid"], child["spi-in"]) for name, child in children)])


@pytest.mark.parametrize("verbs", [("restart",), ("reload",), ("stop", "start")], ids="-".join)
def test_nftables_service(near: Gateway, far: Gateway, verbs: tuple[str, ...]) -> None:
    before = rules(near)
    for verb in verbs:
        near.sh(f"systemctl {verb} nftables")
    wait_for("the rules are as they were", lambda: rules(near) == before, 10)
    assert near.ping(far.lan4.ip) == PINGS


def rules(gateway: Gateway) -> list[str]:
    """Return all rules and elements of the host, sorted.

    The order of two networks is not fixed, and the order of the elements of a set has no meaning.
    """
    lines = gateway.sh("nft --stateless list ruleset").splitlines()
    return sorted(re.sub(r"elements = \{| \}$|,$", "", line).strip() for line in lines)


def test_firewall_of_debian_instead(near: Gateway) -> None:
    before = rules(near)
    ours = [line for line in before if "tunnelwright" in line]
    near.sh(f"cat >/tmp/debian.conf <<'EOF'\n{DEBIAN_FIREWALL}EOF")
    near.sh("mount --bind /tmp/debian.conf /etc/nftables.conf && systemctl restart nftables")
    try:
        wait_for("our rules are hooked into it", lambda: set(ours) <= set(rules(near)), 10)
        assert not [line for line in rules(near) if "policy drop" in line]
    finally:
        near.sh("umount /etc/nftables.conf && systemctl restart nftables")
    wait_for("the rules are as they were", lambda: rules(near) == before, 10)


def test_reboot(gateways: dict[str, Gateway], play: Callable[..., Run]) -> None:
    near, far = gateways.values()
    before = {gateway: rules(gateway) for gateway in gateways.values()}
    for gateway in gateways.values():
        gateway.restart()
    wait_for("the tunnel is back", lambda: up(gateways))
    for gateway in gateways.values():
        assert rules(gateway) == before[gateway]
        for unit in ("strongswan", "tunnelwright-lan", "tunnelwright-lan6"):
            assert gateway.host.service(unit).is_running
    assert near.ping(far.lan4.ip) == PINGS
    assert near.ping(far.lan6.ip) == PINGS
    assert play("site").changed == {"gw-a": 0, "gw-b": 0}
