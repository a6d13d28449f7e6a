# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An interface that another network uses is not taken away."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.gateway import Gateway
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.interface_users import (
    check_interfaces_kept,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    gateway,
    network,
    refused,
    rule,
)

DMZ = {"name": "dmz", "ip_address": "10.9.0.1", "network_address": "10.9.0.0/24"}
ROUTE = {"action": "route", "direction": None, "destination": ["10.55.0.0/16"]}
GUEST = network(**DMZ, interface_network="vpn-lan")
ASKING = network(**DMZ, ike_interfaces=["vpn-lan"])
ROUTING = rule(**ROUTE, network="dmz", interface="vpn-lan")

USERS = [
    pytest.param((GUEST,), "network dmz", id="attached"),
    pytest.param((ASKING,), "network dmz", id="ike_interfaces"),
    pytest.param((network(**DMZ), ROUTING), "rule web of network dmz", id="rule"),
]


@pytest.mark.parametrize(("users", "named"), USERS)
@pytest.mark.parametrize(
    "options", [{"state": "stopped"}, {"interface": "lan0"}, {"interface_network": "eth1"}]
)
def test_it_is_not_taken_away_from_them(
    users: tuple[t.Any, ...], named: str, options: dict[str, str]
) -> None:
    made = gateway(network(), *users)
    for after in (made.with_network(network(**options)), made.without_network("lan", force=True)):
        with refused("interface", "network lan", "'vpn-lan'", f"is used by {named},"):
            check_interfaces_kept(made, after)


@pytest.mark.parametrize(
    "users",
    [
        (network(**DMZ, interface_network="vpn-lan", state="stopped"),),
        (network(**DMZ, interface_network="vpn-other"),),
        (network(**DMZ), rule(**ROUTE, network="dmz", interface="vpn-lan", state="disabled")),
        (network(**DMZ, state="stopped"), ROUTING),
        (rule(**ROUTE, interface="vpn-lan"),),
    ],
)
def test_it_goes_if_nothing_in_force_uses_it(users: tuple[t.Any, ...]) -> None:
    made = gateway(network(), *users)
    check_interfaces_kept(made, made.without_network("lan", force=True))
    check_interfaces_kept(made, made.with_network(network(state="stopped")))


def test_a_stopped_network_has_no_interface_to_lose() -> None:
    made = gateway(network(state="stopped"), GUEST)
    check_interfaces_kept(made, made.without_network("lan", force=True))
    check_interfaces_kept(made, made.with_network(network(state="stopped", interface="lan0")))


def test_only_the_end_counts() -> None:
    """One task may move the user and stop the network, in any order."""
    made = gateway(network(), GUEST)
    stopped = made.with_network(network(state="stopped"))
    check_interfaces_kept(made, stopped.with_network(network(**DMZ)))
    check_interfaces_kept(made, Gateway())


def test_an_edit_that_leaves_it_is_fine() -> None:
    made = gateway(network(), GUEST)
    check_interfaces_kept(made, made.with_network(network(description="x", ip_address="10.1.0.2")))
    check_interfaces_kept(made, made.without_network("dmz", force=False))


def test_an_interface_of_others_stays_anyway() -> None:
    attached = network(interface_network="eth1")
    made = gateway(attached, network(**DMZ, interface_network="eth1"))
    check_interfaces_kept(made, made.without_network("lan", force=False))
