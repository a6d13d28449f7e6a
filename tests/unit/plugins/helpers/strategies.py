# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hypothesis strategies for whole gateways with objects that fit each other."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import ModelError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.child import ChildSa
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.connection import (
    KEY_EXCHANGES,
    IkeConnection,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.gateway import Gateway
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.network import VpnNetwork
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.rule import VpnRule
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.settings import (
    IpsecSettings,
)
from hypothesis import strategies as st

PHASE_NAMES = ("site-b", "site_c", "D", "0")
CHILD_NAMES = ("lan", "lan6", "dmz")

texts = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp")), max_size=20).filter(
    str.isprintable
)
psks = st.text(min_size=1, max_size=40).filter(lambda text: text.encode("utf-8", "ignore") != b"")
switches = st.booleans()


@st.composite
def networks(draw: st.DrawFn, index: int) -> VpnNetwork:
    attached = draw(switches)
    version = draw(st.sampled_from((4, 6)))
    prefix = f"10.{index}.0" if version == 4 else f"fd00:{index}::"
    own = {"mtu": draw(st.none() | st.integers(1280, 9000))}
    return VpnNetwork.from_options(
        {
            "name": f"net{index}",
            "description": draw(texts),
            "ip_address": f"{prefix}.1" if version == 4 else f"{prefix}1",
            "network_address": f"{prefix}.0/24" if version == 4 else f"{prefix}/64",
            "firewall_chains": draw(st.sampled_from(([], ["inet filter input"]))),
            "ike_interfaces": draw(st.sampled_from(([], ["eth0"], ["eth0", "eth1"]))),
            "state": draw(st.sampled_from(("started", "started", "stopped"))),
            **({"interface_network": f"eth{index}"} if attached else own),
        }
    )


@st.composite
def settings(draw: st.DrawFn, network: str) -> IpsecSettings:
    options = {
        "network": network,
        "unique_ids": draw(st.sampled_from(("yes", "no", "never"))),
        "mss_clamp": draw(st.sampled_from((0, 1300))),
        "strict_crl": draw(st.sampled_from(("yes", "ifuri", "no"))),
    }
    for switch in ("ipcomp", "exclude_my_network", "cisco_extensions", "make_before_break"):
        options[switch] = draw(switches)
    return IpsecSettings.from_options(options)


ANSWERS = ({"action": "accept"}, {"action": "drop", "log": True}, {"action": "reject"})
SERVICES = (
    {},
    {"protocol": "icmp"},
    {"protocol": "tcp", "destination_ports": ["80", "8000-8100"]},
    {"protocol": "udp", "source_ports": ["53"], "source": ["10.0.0.0/8", "fd00::/16"]},
)
TRANSLATIONS = (
    {"direction": "outgoing", "source": ["192.168.0.0/16"], "target": "10.{}.0.9"},
    {"direction": "outgoing", "source": ["192.168.1.0/24"], "target": "10.{}.0.0/24"},
    {"direction": "incoming", "destination": ["10.{}.0.7"], "target": "192.168.0.7"},
)


@st.composite
def rules(draw: st.DrawFn, name: str, network: str, index: int) -> VpnRule:
    """Draw a rule; ``index`` is an index of the children."""
    kind = draw(st.sampled_from(("filter", "translate", "route")))
    options: dict[str, t.Any] = {"action": kind}
    if kind == "route":
        target = draw(st.sampled_from((f"10.99.{index}.0/24", f"fd00:99:{index}::/64")))
        options.update(destination=[target], interface="eth0")
    elif kind == "translate":
        chosen = draw(st.sampled_from(TRANSLATIONS))
        text = json.dumps(chosen).replace("{}", str(index))
        options.update(json.loads(text))
    else:
        options.update(draw(st.sampled_from(ANSWERS)), **draw(st.sampled_from(SERVICES)))
        options["direction"] = draw(st.sampled_from(("incoming", "outgoing")))
    options["order"] = draw(st.integers(1, 3))
    options["state"] = draw(st.sampled_from(("present", "present", "disabled")))
    return VpnRule.from_options({"name": name, "network": network, **options})


# The service of a selector: all traffic in half of the cases.
services = st.sampled_from(("", "", "", "[gre]", "[tcp/443]", "[udp/5000-5010]"))


def encryptions(key_exchange: str) -> st.SearchStrategy[t.Any]:
    """Draw a list of proposals. IKEv1 has no additional key exchange."""
    drawn = [None, [{"algorithm": "aes", "key_length": 128}]]
    if key_exchange == "ikev2":
        drawn += [[{"dh_group": 31, "additional_key_exchange": rounds}] for rounds in ROUNDS]
    return st.sampled_from(drawn)


ROUNDS: tuple[list[t.Any], ...] = (
    ["mlkem768"],
    [["mlkem1024", "mlkem768", "none"]],
    [["mlkem768", "none"], "mlkem1024"],
)


@st.composite
def children(draw: st.DrawFn, name: str, index: int, connection: IkeConnection) -> ChildSa:
    unit = draw(st.sampled_from(("hours", "days", "forever")))
    return ChildSa.from_options(
        {
            "name": name,
            "phase1": connection.name,
            "network": connection.network,
            "description": draw(texts),
            "local_network": [f"10.{index}.0.0/24{draw(services)}"],
            "remote_network": [f"172.16.{index}.0/24"],
            "lifetime": draw(st.integers(1, 24)),
            "lifetime_unit": unit,
            "encryption": draw(encryptions(connection.key_exchange)),
            "state": draw(st.sampled_from(("present", "present", "disabled"))),
        },
        connection.versions,
    )


@st.composite
def connections(draw: st.DrawFn, name: str, network: str, index: int) -> IkeConnection:
    key_exchange, psk = draw(st.sampled_from(tuple(KEY_EXCHANGES))), draw(psks)
    ppk = {}
    if key_exchange != "ikev1" and draw(switches):
        ppk = {
            "ppk": draw(psks.filter(lambda text: text != psk)),
            "ppk_id": f"ppk-{name}",
            "ppk_required": key_exchange == "ikev2" and draw(switches),
        }
    return IkeConnection.from_options(
        {
            "name": name,
            "network": network,
            "description": draw(texts),
            "remote_gateway": draw(st.sampled_from((f"192.0.2.{index}", f"2001:db8::{index}"))),
            "key_exchange": key_exchange,
            "encryption": draw(encryptions(key_exchange)),
            "psk": psk,
            **ppk,
            "identifier": draw(st.sampled_from((None, "gw@example.org", 'quo"te{}#$(x)'))),
            "connection_behavior": draw(st.sampled_from(("responder_only", "on_demand", "start"))),
            "dpd_action": draw(st.sampled_from(("clear", "hold", "restart", "none"))),
            "dpd_failures": draw(st.integers(1, 9)),
            "rekey": draw(switches),
            "mobike": draw(switches),
            "state": draw(st.sampled_from(("present", "present", "disabled"))),
        }
    )


@st.composite
def gateways(draw: st.DrawFn) -> Gateway:
    """Draw a Gateway with up to two networks, settings, rules, connections and children."""
    gateway = Gateway()
    for index in range(1, 1 + draw(st.integers(0, 2))):
        gateway = gateway.with_network(draw(networks(index)))
        if draw(switches):
            gateway = gateway.with_settings(draw(settings(f"net{index}")))
    for network in gateway.networks:
        index = int(network[-1])
        for number in range(draw(st.integers(0, 2))):
            rule = draw(rules(f"rule-{number}", network, index * 10 + number))
            gateway = gateway.with_rule(rule)
    names = draw(st.lists(st.sampled_from(PHASE_NAMES), unique=True)) if gateway.networks else []
    for index, name in enumerate(names, 1):
        network = draw(st.sampled_from(sorted(gateway.networks)))
        connection = draw(connections(name, network, index))
        gateway = gateway.with_connection(connection)
        names_of_children = draw(st.lists(st.sampled_from(CHILD_NAMES), unique=True))
        for child_index, child in enumerate(names_of_children):
            # The child is left out if its lifetime is too short for the margin.
            try:
                number = index * 10 + child_index
                gateway = gateway.with_child(draw(children(child, number, connection)))
            except ModelError:
                continue
    return gateway
