# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The script that brings a network up, which systemd runs at boot.

The module runs the same script, so that a task and a reboot end in the same state. Each value of an
option reaches the shell quoted, or inside of a here-document that expands nothing.
"""

from __future__ import annotations

import shlex
import typing as t

from .._model.network import ForeignChain, VpnNetwork
from .._model.platform import Platform
from . import nft
from .blocks import Block
from .records import MANAGED
from .routes import lines, routes

# How many seconds `start` waits at boot for an interface that the collection does not make.
WAIT_SECONDS = 30


def alias(network: VpnNetwork) -> str:
    """Return the ifalias that marks an interface as made for this network."""
    return f"VPN network {network.name} (tunnelwright)"


def script(
    network: VpnNetwork,
    rules: nft.RulesetInput,
    blocks: t.Sequence[Block],
    platform: Platform,
) -> str:
    """Return POSIX sh with the verbs ``start``, ``rules`` and ``stop``.

    Each verb may be repeated.
    """
    parts = (
        _head(network, platform.rules_path(network.name)),
        _link(network),
        _forwarding(network, rules),
        _function("add_routes", lines(routes(network, rules.vpn_rules)) or [":"]),
        _rules(rules),
        _blocks(blocks),
        _VERBS,
    )
    return "\n".join(parts)


def _head(network: VpnNetwork, rules_path: str) -> str:
    return f"""#!/bin/sh
{MANAGED}
# start: rules, interface, address, forwarding and routes. rules: the nftables rules, and what
# blocks cleartext where these are gone. stop: withdraws the nftables rules; the rest stays.
set -eu

table={shlex.quote(nft.table_name(network.name))}
rules_file={shlex.quote(rules_path)}
device={shlex.quote(network.device)}
alias={shlex.quote(alias(network))}

fail() {{
    echo "$table: $1" >&2
    exit 1
}}

exists() {{
    ip link show dev "$1" >/dev/null 2>&1
}}

wait_for() {{
    seconds=0
    until exists "$1"; do
        [ "$seconds" -lt {WAIT_SECONDS} ] || fail "interface $1 does not exist"
        seconds=$((seconds + 1))
        sleep 1
    done
}}
"""


def _link(network: VpnNetwork) -> str:
    """Render the function ``link``: the interface, up, with the router address."""
    if network.attached:
        lines = ['wait_for "$device"']
    elif network.layer2_type == "vlan":
        lines = _vlan(network)
    else:
        lines = _made("type bridge", "*' bridge forward_delay '*")
    if network.mtu is not None:
        lines.append(f'ip link set dev "$device" mtu {network.mtu}')
    lines.append('ip link set dev "$device" up')
    if network.router:
        # Duplicate address detection would hold the address back until there is a carrier.
        nodad = " nodad" if ":" in network.router else ""
        address = shlex.quote(network.router)
        lines.append(f'ip address replace {address} dev "$device"{nodad}')
    return _function("link", lines)


def _vlan(network: VpnNetwork) -> list[str]:
    tag = network.layer2_id
    return [
        f"parent={shlex.quote(network.interface_network or '')}",
        'wait_for "$parent"',
        "# A VLAN can't be up while its parent is down.",
        'ip link set dev "$parent" up',
        *_made(
            f'link "$parent" type vlan id {tag}',
            f'*" $device@$parent: "*" vlan protocol 802.1Q id {tag} "*',
        ),
    ]


def _made(kind: str, pattern: str) -> list[str]:
    """Return the lines that make an interface, unless one that matches ``pattern`` exists."""
    return [
        'now=$(ip -d -o link show dev "$device" 2>/dev/null) || now=',
        "# An interface is ours by its alias.",
        "case $now in",
        "'' | *\"alias $alias\"*) ;;",
        '*) fail "interface $device exists, and was not made for this network" ;;',
        "esac",
        "case $now in",
        f"{pattern}) ;;",
        "*)",
        "    # Of another kind: this is how the network was before it was changed.",
        '    [ -z "$now" ] || ip link delete dev "$device"',
        f'    ip link add name "$device" {kind}',
        '    ip link set dev "$device" alias "$alias"',
        "    ;;",
        "esac",
    ]


def ip_versions(network: VpnNetwork, rules: nft.RulesetInput) -> tuple[int, ...]:
    """Return the IP versions that the kernel must forward for a network, sorted."""
    versions = {tunnel.local.version for tunnel in rules.tunnels}
    if network.network_address is not None:
        versions.add(network.network_address.version)
    return tuple(sorted(versions))


# The switch of the kernel for each IP version; it reads 1 where packets are forwarded.
FORWARDING_SWITCHES = {
    4: "/proc/sys/net/ipv4/ip_forward",
    6: "/proc/sys/net/ipv6/conf/all/forwarding",
}


def _forwarding(network: VpnNetwork, rules: nft.RulesetInput) -> str:
    """Render the function ``forwarding``.

    A container may have forwarding on, and /proc/sys read-only.
    """
    switches = [FORWARDING_SWITCHES[version] for version in ip_versions(network, rules)]
    lines = [f'[ "$(cat {switch})" = 1 ] || echo 1 >{switch}' for switch in switches]
    return _function("forwarding", lines or [":"])


def _rules(rules: nft.RulesetInput) -> str:
    """Render the functions ``accepts`` and ``hooks``."""
    return "\n".join((_accepts(rules), _HOOKED, _function("hooks", _hooks(rules.chains))))


def _accepts(rules: nft.RulesetInput) -> str:
    """Render the shell function that prints the rules for a hook and family, last rule first.

    Each rule is inserted at the top of the chain, above the rule before.
    """
    lines = []
    for family in sorted({chain.family for chain in rules.chains}):
        for hook in nft.HOOKS:
            accepts = nft.hook_rules(rules, hook, family)
            lines += [f"    '{hook} {family}')", "        cat <<'RULES'"]
            lines += [str(rule) for rule in reversed(accepts)]
            lines += ["RULES", "        ;;"]
    body = "".join(f"{line}\n" for line in lines)
    return f"""# accepts HOOK FAMILY: our rules for such a chain, last one first.
accepts() {{
    case "$1 $2" in
{body}    *) echo "$table: warning: no rules for a chain at hook $1" >&2 ;;
    esac
}}
"""


def _hooks(chains: t.Sequence[ForeignChain]) -> list[str]:
    lines = ["ruleset=$(nft -a -t list ruleset)", "changes=$("]
    # From every chain, so that a chain that the options no longer name is left clean.
    lines.append("    unhook")
    lines += [f"    hook {shlex.join(str(chain).split())}" for chain in chains]
    lines += [")", "printf '%s\\n' \"$changes\" | nft -f -"]
    return lines


_HOOKED = r"""# unhook: the commands that delete our rules from the chains of others.
unhook() {
    printf '%s\n' "$ruleset" | awk -v ours="comment \"$table: " '
        $1 == "table" { table = $2 " " $3 }
        $1 == "chain" { chain = table " " $2 }
        index($0, ours) && $(NF - 1) == "handle" { print "delete rule", chain, "handle", $NF }
    '
}

# hook FAMILY TABLE CHAIN: the commands that put our rules at the top of the chain.
hook() {
    hook=$(printf '%s\n' "$ruleset" | awk -v table="$1 $2" -v chain="$3" '
        $1 == "table" { wanted = 0; in_table = ($2 " " $3 == table) }
        $1 == "chain" { wanted = in_table && $2 == chain }
        wanted && $1 == "type" && $3 == "hook" { print $4 }
    ')
    if [ -z "$hook" ]; then
        echo "$table: warning: there is no base chain $*, so no rules were put into it" >&2
    else
        accepts "$hook" "$1" | sed "s/^/insert rule $1 $2 $3 /"
    fi
}
"""


def _function(name: str, lines: t.Sequence[str]) -> str:
    body = "".join(f"    {line}\n" for line in lines)
    return f"{name}() {{\n{body}}}\n"


def _blocks(found: t.Sequence[Block]) -> str:
    """Render the function ``block``. The kernel refuses a routing rule that exists already."""
    commands = []
    for item in found:
        if item.kind == "rule":
            known = f"ip -{item.version} rule list priority {item.rule_priority}"
            add = shlex.join(["ip", f"-{item.version}", *item.words])
            commands.append(f"{known} | grep -qF {shlex.quote(item.listed)} || {add} || return")
    batch = [" ".join(item.words) for item in found if item.kind != "rule"]
    if batch:
        commands += ["ip -batch - <<'BLOCKS'", *batch, "BLOCKS"]
    body = "".join(f"{line}\n" for line in commands or [":"])
    return f"# block: what no flush of nftables removes.\nblock() {{\n{body}}}\n"


_VERBS = """# protect: the rules, and what holds without them. Each is tried, should the other fail.
protect() {
    failed=
    block || failed="the blocks"
    nft -f "$rules_file" || failed="the nftables rules"
    [ -z "$failed" ] || fail "could not load $failed"
    hooks
}

case "${1-}" in
start)
    # Before the interface, so that nothing passes in cleartext in between.
    protect
    link
    forwarding
    add_routes
    ;;
rules)
    protect
    ;;
stop)
    ruleset=$(nft -a -t list ruleset)
    {
        # Named first, it is there to be deleted: nft 1.0.6 has no "destroy".
        echo "table inet $table"
        echo "delete table inet $table"
        unhook
    } | nft -f -
    ;;
*)
    echo "usage: $0 start | rules | stop" >&2
    exit 2
    ;;
esac
"""
