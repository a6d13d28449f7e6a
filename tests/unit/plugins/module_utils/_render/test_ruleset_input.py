# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The input of the nftables rules of a network."""

from __future__ import annotations

import typing as t
from ipaddress import ip_address, ip_network

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import DEBIAN
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.rule import VpnRule
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render import nft
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.artefacts import artefacts
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.cleartext_blocks import (
    cleartext_blocks,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.network_view import (
    network_views,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.nft_guard import guarded
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.nft_match import (
    on_this_side,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.ruleset_input import (
    ruleset_input,
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
    rules = ruleset_input(network_views(gateway(*connections))["lan"], userspace=False)
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


@pytest.mark.parametrize(
    "objects",
    [
        (),
        (connection(state="disabled"),),
        (connection(state="disabled", mobike=True), connection(name="b", state="disabled")),
        (network(state="stopped"), connection()),
        (network(state="stopped"), connection(mobike=True)),
    ],
)
def test_without_a_peer_nothing_is_accepted(objects: t.Any) -> None:
    assert peers_of(*objects) == []
    rules = ruleset_input(network_views(gateway(*objects))["lan"], userspace=False)
    assert "allow_input" not in nft.render(nft.table(rules))
    for hook in nft.HOOKS:
        assert nft.hook_rules(rules, hook) == ()


def test_peers_of_a_conf_text_are_not_known() -> None:
    advanced = settings(configuration_mode="advanced", swanctl_conf="connections {\n}\n")
    assert peers_of(advanced, connection()) is None


def test_peers_of_other_networks_do_not_count() -> None:
    other = network(name="dmz", ip_address="10.9.0.1", network_address="10.9.0.0/24")
    mobile = connection(name="x", network="dmz", mobike=True, remote_gateway="192.0.2.9")
    assert peers_of(network(), other, mobile, connection()) == ["192.0.2.2"]


@pytest.mark.parametrize(
    ("power", "phase1", "phase2", "there"),
    [
        ({}, {}, {}, True),
        ({}, {"state": "disabled"}, {}, False),
        ({}, {}, {"state": "disabled"}, False),
        ({"state": "stopped"}, {}, {}, False),
    ],
)
def test_tunnels(power: t.Any, phase1: t.Any, phase2: t.Any, there: bool) -> None:
    """A tunnel that is switched off carries no traffic, but the guard covers the tunnel."""
    made = gateway(network(**power), connection(child(**phase2), **phase1))
    rules = ruleset_input(network_views(made)["lan"], userspace=False)
    near, far = ip_network("10.1.0.0/24"), ip_network("10.2.0.0/24")
    pair = nft.TunnelMatch("site-b/net", near, far, peer=ip_address("192.0.2.2"))
    assert rules.tunnels == ((pair,) if there else ())
    assert guarded(rules) == (pair,)
    assert not rules.hosts


@pytest.mark.parametrize(
    ("phase1", "phase2", "pairs"),
    [
        ({}, HOSTS, [("192.0.2.1/32", "192.0.2.2/32")]),
        ({"state": "disabled"}, HOSTS, [("192.0.2.1/32", "192.0.2.2/32")]),
        ({}, {}, [(None, "192.0.2.2/32")]),
        ({"local_address": "192.0.2.7"}, {}, [("192.0.2.7/32", "192.0.2.2/32")]),
        ({"remote_gateway": "2001:db8::2"}, {}, [(None, "2001:db8::2/128")]),
        ({"remote_gateway": "gw.example.org"}, {}, []),
    ],
)
def test_transport_mode(phase1: t.Any, phase2: t.Any, pairs: t.Any) -> None:
    made = gateway(
        connection(
            child(**{"mode": "transport", "local_network": [], "remote_network": [], **phase2}),
            **phase1,
        )
    )
    rules = ruleset_input(network_views(made)["lan"], userspace=False)
    assert not guarded(rules)
    found = [(item.local and str(item.local), str(item.remote)) for item in rules.hosts]
    assert found == pairs


def test_a_network_that_is_off_keeps_what_the_guard_depends_on() -> None:
    made = gateway(
        network(state="stopped", firewall_chains=["inet filter input"], ike_interfaces=["eth0"]),
        settings(mss_clamp=1300, ipcomp=True),
        connection(child()),
    )
    for name, options in {
        "admit": {"action": "accept", "cleartext": True, "source": ["10.2.0.9"]},
        "filter": {"action": "drop"},
        "hide": {"action": "translate", "source": ["192.168.7.0/24"], "target": "10.1.0.9"},
    }.items():
        rule = {"name": name, "network": "lan", "direction": "outgoing", **options}
        made = made.with_rule(VpnRule.from_options(rule))
    rules = ruleset_input(network_views(made)["lan"], userspace=False)
    assert [rule.name for rule in rules.vpn_rules] == ["admit", "hide"]
    assert (rules.chains, rules.ike_interfaces, rules.mss_clamp, rules.ipcomp) == ((), (), 0, False)
    names = [chain.name for chain in nft.table(rules).chains]
    assert names == ["no_cleartext_in", "no_leak_forward", "no_leak_postrouting"]
    # The guard also covers the source addresses of the translation.
    assert [str(item.local) for item in guarded(rules)] == ["10.1.0.0/24", "192.168.7.0/24"]


def test_settings() -> None:
    made = gateway(
        network(ike_interfaces=["eth0"], firewall_chains=["inet filter input"]),
        settings(mss_clamp=1300, ipcomp=True),
    )
    rules = ruleset_input(network_views(made)["lan"], userspace=True)
    assert (rules.mss_clamp, rules.ipcomp, rules.userspace) == (1300, True, True)
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
    whole = artefacts(made, DEBIAN, userspace=False, credentials={})
    assert whole.networks["lan"].forwarding == versions


@pytest.mark.parametrize("userspace", [False, True])
@pytest.mark.parametrize("state", ["started", "stopped"])
@pytest.mark.parametrize("exclude", [False, True])
def test_a_remote_network_within_the_own_one(userspace: bool, state: str, exclude: bool) -> None:
    """The tunnel carries such a network, unless exclude_my_network is on."""
    made = gateway(
        network(state=state),
        settings(exclude_my_network=exclude),
        connection(child(local_network=["10.5.0.0/24"], remote_network=["10.1.0.128/25"])),
    )
    rules = ruleset_input(network_views(made)["lan"], userspace=userspace)
    (tunnel,) = guarded(rules)
    own = (ip_network("10.1.0.0/24"),)
    assert on_this_side(rules, tunnel) == (own if exclude else ())
    blocks = cleartext_blocks(rules)
    kept = {block.destination for block in blocks if block.kind in ("throw", "pass")}
    assert ("10.1.0.0/24" in kept) is exclude
