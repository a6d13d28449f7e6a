# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the nftables rules of a network are made from."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render import (
    artefacts as rendered,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    child,
    connection,
    gateway,
    network,
    settings,
)

HOSTS = {"mode": "transport", "local_network": ["192.0.2.1/32"], "remote_network": ["192.0.2.2/32"]}


def peers_of(*connections: t.Any) -> list[str] | None:
    rules = rendered.network_rules(gateway(*connections), "lan", userspace=False)
    return None if rules.peers is None else [str(peer) for peer in rules.peers]


@pytest.mark.parametrize(
    ("options", "peers"),
    [
        ({}, ["192.0.2.2", "192.0.2.9", "2001:db8::9"]),
        ({"remote_gateway": "192.0.2.10"}, ["192.0.2.9", "192.0.2.10", "2001:db8::9"]),
        ({"state": "disabled"}, ["192.0.2.9", "2001:db8::9"]),
        ({"remote_gateway": "192.0.2.9"}, ["192.0.2.9", "2001:db8::9"]),
        ({"mobike": True}, None),
        ({"mobike": True, "state": "disabled"}, ["192.0.2.9", "2001:db8::9"]),
        ({"remote_gateway": "gw.example.org"}, None),
        ({"remote_gateway": "%any", "connection_behavior": "responder_only"}, None),
    ],
)
def test_narrowed_where_every_peer_is_known(
    options: dict[str, t.Any], peers: list[str] | None
) -> None:
    others = (
        connection(name="v6", remote_gateway="2001:db8::9"),
        connection(name="v4", remote_gateway="192.0.2.9", identifier="a"),
    )
    assert peers_of(*others, connection(**options)) == peers


def test_open_to_all_without_a_peer() -> None:
    assert peers_of() is None
    assert peers_of(connection(state="disabled")) is None


def test_peers_of_a_conf_text_are_not_known() -> None:
    advanced = settings(configuration_mode="advanced", swanctl_conf="connections {\n}\n")
    assert peers_of(advanced, connection()) is None


def test_peers_of_other_networks_do_not_count() -> None:
    other = network(name="dmz", ip_address="10.9.0.1", network_address="10.9.0.0/24")
    mobile = connection(name="x", network="dmz", mobike=True, remote_gateway="192.0.2.9")
    assert peers_of(network(), other, mobile, connection()) == ["192.0.2.2"]


@pytest.mark.parametrize(
    ("phase1", "phase2", "there"),
    [
        ({}, {}, True),
        ({"state": "disabled"}, {}, False),
        ({}, {"state": "disabled"}, False),
        ({}, HOSTS, False),
    ],
)
def test_tunnels(phase1: t.Any, phase2: t.Any, there: bool) -> None:
    made = gateway(connection(child(**phase2), **phase1))
    rules = rendered.network_rules(made, "lan", userspace=False)
    tunnels = [(item.label, str(item.local), str(item.remote)) for item in rules.tunnels]
    assert tunnels == ([("site-b/net", "10.1.0.0/24", "10.2.0.0/24")] if there else [])


def test_settings() -> None:
    made = gateway(
        network(ike_interfaces=["eth0"], firewall_chains=["inet filter input"]),
        settings(mss_clamp=1300, ipcomp=True),
    )
    rules = rendered.network_rules(made, "lan", userspace=True)
    assert (rules.mss, rules.ipcomp, rules.userspace) == (1300, True, True)
    assert rules.ike_interfaces == ("eth0",)
    assert [str(chain) for chain in rules.chains] == ["inet filter input"]
    assert str(rules.own) == "10.1.0.0/24"


@pytest.mark.parametrize(
    ("options", "networks", "versions"),
    [
        ({}, {}, (4,)),
        ({"ip_address": "fd00::1", "network_address": "fd00::/64"}, {}, (4, 6)),
        (
            {"ip_address_type": "none", "ip_address": None, "network_address": None},
            {"local_network": ["fd00::/64"], "remote_network": ["fd01::/64"]},
            (6,),
        ),
    ],
)
def test_forwarding(options: t.Any, networks: t.Any, versions: tuple[int, ...]) -> None:
    made = gateway(network(**options), connection(child(**networks)))
    whole = rendered.artefacts(made, userspace=False, credentials={})
    assert whole.networks["lan"].forwarding == versions
