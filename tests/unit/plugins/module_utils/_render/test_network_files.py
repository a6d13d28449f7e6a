# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of script and unit. tests/netns tests the effects of the script."""

from __future__ import annotations

import configparser
import shlex
import subprocess
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.network import (
    ForeignChain,
    VpnNetwork,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import (
    DEBIAN,
    Platform,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.settings import (
    IpsecSettings,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render import (
    network_files,
    network_units,
    nft,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.cleartext_blocks import (
    cleartext_blocks,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.file import File
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.network_interface import (
    NetworkInterface,
    interface_of,
    recorded_interfaces,
    with_interfaces,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.records import (
    network_record,
)
from hypothesis import given, settings
from hypothesis import strategies as st

INTERFACES = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}", fullmatch=True)
NAMES = st.from_regex(r"[a-z0-9][a-z0-9-]{0,31}", fullmatch=True)


def network(**options: t.Any) -> VpnNetwork:
    values = {"name": "lan", "ip_address": "10.1.0.1", "network_address": "10.1.0.0/24"}
    return VpnNetwork.from_options({**values, **options})


def script(of: VpnNetwork, *chains: ForeignChain, **options: t.Any) -> str:
    return script_of(of, nft.RulesetInput(of.name, chains=chains, **options))


def script_of(of: VpnNetwork, rules: nft.RulesetInput, platform: Platform = DEBIAN) -> str:
    return network_files.script(of, rules, cleartext_blocks(rules, of.on_link), platform)


def commands(text: str) -> list[list[str]]:
    """Return the words of each line of the script that runs ip."""
    lines = (line.strip() for line in text.splitlines())
    return [shlex.split(line) for line in lines if line.startswith("ip ")]


@given(NAMES, INTERFACES, INTERFACES, st.sampled_from(("none", "vlan")), st.booleans())
@settings(max_examples=30, deadline=None)
def test_whatever_the_names_sh_can_read_it(
    name: str, device: str, parent: str, layer2: str, attached: bool
) -> None:
    options = {"name": name}
    if layer2 == "vlan":
        options.update(layer2_type="vlan", layer2_id=7, interface_network=parent, interface=device)
    elif attached:
        options.update(interface_network=parent)
    else:
        options.update(interface=device)
    text = script(network(**options), ForeignChain("inet", "fw", "input"))
    subprocess.run(["sh", "-n"], input=text, text=True, check=True)


@pytest.mark.parametrize(
    ("options", "makes"),
    [
        ({}, True),
        ({"interface": "it's"}, True),
        ({"ip_address_type": "none", "ip_address": None}, True),
        ({"interface_network": "eth1"}, False),
        ({"layer2_type": "vlan", "layer2_id": 7, "interface_network": "eth1"}, True),
        ({"ip_address": "fd00::1", "network_address": "fd00::/64"}, True),
    ],
)
def test_the_record_names_the_interface_that_the_script_brings_up(
    options: t.Any, makes: bool
) -> None:
    if options.get("interface") == "it's":
        made = replace(network(), interface="it's")
    else:
        made = network(**options)
    text = script(made)
    interface = interface_of(made)
    assert interface == NetworkInterface(made.device, makes, made.router)
    assert f"device={shlex.quote(interface.device)}\n" in text
    verbs = [words[:3] for words in commands(text)]
    assert (["ip", "link", "add"] in verbs) is interface.made
    routers = [words[3] for words in commands(text) if words[:3] == ["ip", "address", "replace"]]
    assert routers == ([interface.router] if interface.router else [])
    record = File("/etc/tunnelwright/lan.json", network_record(made, IpsecSettings("lan")).encode())
    assert recorded_interfaces(record) == (interface,)
    assert recorded_interfaces(with_interfaces(record, [interface, interface])) == (interface,) * 2


def test_bridge() -> None:
    assert commands(script(network(mtu=1400))) == [
        shlex.split(line)
        for line in (
            'ip link show dev "$1" >/dev/null 2>&1',
            'ip link add name "$device" type bridge',
            'ip link set dev "$device" alias "$alias"',
            'ip link set dev "$device" mtu 1400',
            'ip link set dev "$device" up',
            'ip address replace 10.1.0.1/24 dev "$device"',
            "ip -batch - <<'BLOCKS'",
        )
    ]


def test_vlan() -> None:
    text = script(network(layer2_type="vlan", layer2_id=7, interface_network="eth0"))
    assert 'ip link add name "$device" link "$parent" type vlan id 7' in text
    assert "    parent=eth0\n" in text
    assert '*" $device@$parent: "*" vlan protocol 802.1Q id 7 "*) ;;' in text


def test_attached_interface_is_neither_made_nor_deleted() -> None:
    text = script(network(interface_network="br0"))
    assert "device=br0\n" in text
    assert "ip link add" not in text
    assert "ip link delete" not in text
    assert 'wait_for "$device"' in text


def test_ipv6_address_waits_for_no_duplicate_address_detection() -> None:
    text = script(network(ip_address="fd00::1", network_address="fd00::/64"))
    assert 'ip address replace fd00::1/64 dev "$device" nodad' in text


def test_network_without_address() -> None:
    text = script(network(ip_address_type="none", ip_address=None, network_address=None))
    assert "ip address" not in text
    assert "/proc/sys" not in text


def test_only_listed_chains_are_hooked() -> None:
    chains = (ForeignChain("inet", "fw", "input"), ForeignChain("ip", "filter", "FORWARD"))
    lines = [line.strip() for line in script(network(), *chains).splitlines()]
    assert [line for line in lines if line.startswith("hook ") and "{" not in line] == [
        "hook inet fw input",
        "hook ip filter FORWARD",
    ]
    assert "'input ip6')" not in lines


def test_rules_of_a_hook_stand_last_one_first() -> None:
    text = script(network(), ForeignChain("inet", "fw", "input"))
    body = text.split("'input inet')\n        cat <<'RULES'\n")[1].split("RULES\n")[0]
    rules = nft.hook_rules(nft.RulesetInput("lan"), "input")
    assert body.splitlines() == [str(rule) for rule in reversed(rules)]


def test_description_reaches_neither_script_nor_unit() -> None:
    of = network(description="$(reboot) %n `id`")
    assert "reboot" not in script(of) + network_units.unit(of, DEBIAN)


def test_directory_is_quoted() -> None:
    text = script_of(network(), nft.RulesetInput("lan"), replace(DEBIAN, record_dir="/tmp/a b"))
    assert "rules_file='/tmp/a b/lan.nft'\n" in text


HARDENING = {
    "CapabilityBoundingSet": "CAP_NET_ADMIN",
    "LockPersonality": "yes",
    "MemoryDenyWriteExecute": "yes",
    "NoNewPrivileges": "yes",
    "ProtectHome": "yes",
    "ProtectSystem": "full",
    "RestrictAddressFamilies": "AF_INET AF_INET6 AF_NETLINK AF_UNIX",
    "RestrictRealtime": "yes",
    "RestrictSUIDSGID": "yes",
    "SystemCallArchitectures": "native",
}


def parsed(text: str) -> configparser.ConfigParser:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str
    unit.read_string(text)
    return unit


@pytest.mark.parametrize("name", ["lan", "a-1"])
def test_unit_of_the_interface(name: str) -> None:
    """The unit has no ExecStop, so that a shutdown withdraws nothing."""
    unit = parsed(network_units.unit(network(name=name), DEBIAN))
    guard = f"tunnelwright-{name}.guard.service"
    assert dict(unit["Unit"]) == {
        "Description": f"VPN network {name}: interface, address, forwarding and routes",
        "Wants": guard,
        "After": f"network.target nftables.service {guard}",
        "Before": "strongswan.service",
    }
    assert dict(unit["Service"]) == {
        "Type": "oneshot",
        "RemainAfterExit": "yes",
        "ExecStart": f"/bin/sh /etc/tunnelwright/{name}.sh start",
        **HARDENING,
    }
    assert unit["Install"]["WantedBy"] == "multi-user.target"


@pytest.mark.parametrize("name", ["lan", "a-1"])
def test_unit_of_the_rules(name: str) -> None:
    """The unit precedes the host's network, follows nftables, and no shutdown stops the unit."""
    unit = parsed(network_units.guard_unit(network(name=name), DEBIAN))
    assert dict(unit["Unit"]) == {
        "Description": f"VPN network {name}: nftables rules and guard against cleartext",
        "DefaultDependencies": "no",
        "Wants": "network-pre.target",
        "Before": "network-pre.target",
        "After": "local-fs.target nftables.service",
        "PartOf": "nftables.service",
        "ReloadPropagatedFrom": "nftables.service",
        "StartLimitIntervalSec": "0",
    }
    assert dict(unit["Service"]) == {
        "Type": "oneshot",
        "RemainAfterExit": "yes",
        "ExecStart": f"/bin/sh /etc/tunnelwright/{name}.sh rules",
        "ExecReload": f"/bin/sh /etc/tunnelwright/{name}.sh rules",
        **HARDENING,
    }
    assert unit["Install"]["WantedBy"] == "sysinit.target nftables.service"


def test_rules_come_before_the_interface() -> None:
    start = script_of(network(), nft.RulesetInput("lan")).split("start)\n")[1]
    verbs = [line.strip() for line in start.split(";;")[0].splitlines()]
    assert [verb for verb in verbs if not verb.startswith("#")] == [
        "protect",
        "link",
        "forwarding",
        "add_routes",
        "",
    ]


def test_one_that_fails_does_not_keep_the_other() -> None:
    text = script_of(network(), nft.RulesetInput("lan"))
    body = text.split("protect() {\n")[1].split("}\n")[0]
    assert body.index("block ||") < body.index('nft -f "$rules_file" ||') < body.index("] || fail")
