# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of the rules. tests/netns shows that nft accepts it, and its effect on packets."""

from __future__ import annotations

import ipaddress
import itertools
import re
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import SyntaxFault
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.network import ForeignChain
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.selector import (
    Service,
    overlap,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render import nft
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.nft_match import Services
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.nft_parser import parse
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.strategies import (
    rules as vpn_rules,
)
from hypothesis import given
from hypothesis import strategies as st

LAN, FAR = ipaddress.ip_network("10.1.0.0/24"), ipaddress.ip_network("10.2.0.0/24")
LAN6, FAR6 = ipaddress.ip_network("fd00:1::/64"), ipaddress.ip_network("fd00:2::/64")
FAR7 = ipaddress.ip_network("10.7.0.0/24")
ALL = ipaddress.ip_network("0.0.0.0/0")
PEERS = tuple(map(ipaddress.ip_address, ("192.0.2.1", "192.0.2.2", "2001:db8::1")))

NETWORK_NAMES = st.from_regex(r"[a-z0-9][a-z0-9-]{0,31}", fullmatch=True)
PHASE_NAMES = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
INTERFACES = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}", fullmatch=True)


def networks(version: int) -> st.SearchStrategy[nft.IPNetwork]:
    return st.builds(
        lambda address, length: ipaddress.ip_network((address, length), strict=False),
        st.ip_addresses(v=version),
        st.integers(0, 32 if version == 4 else 128),
    )


LABELS = st.builds("{}/{}".format, PHASE_NAMES, PHASE_NAMES)
TUNNELS = st.sampled_from((4, 6)).flatmap(
    lambda version: st.builds(nft.TunnelMatch, LABELS, networks(version), networks(version))
)
HOST_PAIRS = st.sampled_from((4, 6)).flatmap(
    lambda version: st.builds(
        nft.HostPair, LABELS, st.none() | networks(version), networks(version)
    )
)
CHAINS = st.builds(ForeignChain, st.sampled_from(("inet", "ip", "ip6")), PHASE_NAMES, PHASE_NAMES)
RULES = st.builds(
    nft.RulesetInput,
    NETWORK_NAMES,
    st.lists(INTERFACES, max_size=2).map(tuple),
    st.none() | st.lists(st.ip_addresses(), max_size=3, unique=True).map(tuple),
    st.none() | networks(4) | networks(6),
    st.lists(TUNNELS, max_size=3).map(tuple),
    st.lists(TUNNELS, max_size=2).map(tuple),
    st.lists(HOST_PAIRS, max_size=2).map(tuple),
    st.integers(0, 65495),
    st.booleans(),
    st.booleans(),
    st.lists(CHAINS, max_size=2).map(tuple),
    st.lists(vpn_rules("a-rule", "n", 1), max_size=3).map(tuple),
)


def expressions(rules: nft.RulesetInput, chain: str) -> list[str]:
    found = [item.rules for item in nft.table(rules).chains if item.name == chain]
    return [str(rule) for rule in found[0]] if found else []


def elements(rules: nft.RulesetInput, name: str) -> list[str]:
    (found,) = (item for item in nft.table(rules).sets if item.name == name)
    return [element.text(counted=found.counted) for element in found.elements]


@given(RULES)
def test_what_is_rendered_is_parsed(rules: nft.RulesetInput) -> None:
    table = nft.table(rules)
    assert parse(nft.render(table)) == table


@given(RULES)
def test_comments_fit_and_hold_nothing_that_nft_would_read(rules: nft.RulesetInput) -> None:
    made = [rule for chain in nft.table(rules).chains for rule in chain.rules]
    made += [rule for hook in nft.HOOKS for rule in nft.hook_rules(rules, hook)]
    for rule in made:
        assert len(rule.comment) <= nft.LONGEST_COMMENT
        assert re.fullmatch(r"[A-Za-z0-9_ /:~-]+", rule.comment)
    for element in (item for found in nft.table(rules).sets for item in found.elements):
        assert len(element.comment) <= nft.LONGEST_COMMENT
        assert re.fullmatch(r"[A-Za-z0-9_ /:~-]*", element.comment)


@given(RULES)
def test_no_elements_of_a_set_overlap(rules: nft.RulesetInput) -> None:
    """The kernel refuses elements that overlap. No set is empty, because nft lists it otherwise."""
    for found in nft.table(rules).sets:
        boxes = [
            [ipaddress.ip_network(end) for end in element.key.split(" . ")]
            for element in found.elements
        ]
        assert boxes
        for one, other in itertools.combinations(boxes, 2):
            assert not all(map(overlap, one, other)), (found.name, one, other)


@given(RULES)
def test_one_transaction_touches_the_own_table_only(rules: nft.RulesetInput) -> None:
    name = f"tunnelwright-{rules.network}"
    lines = [line for line in nft.render(nft.table(rules)).splitlines() if not line.startswith("#")]
    assert lines[:3] == [f"table inet {name}", f"delete table inet {name}", f"table inet {name} {{"]
    assert lines[-1] == "}"
    assert all(line.startswith("\t") for line in lines[3:-1])


@given(RULES, st.sampled_from(("ip", "ip6")), st.sampled_from(nft.HOOKS))
def test_a_chain_of_one_ip_version_gets_its_rules_only(
    rules: nft.RulesetInput, family: str, hook: str
) -> None:
    other = r"\bip6 |icmpv6" if family == "ip" else r"\bip |icmp "
    for rule in nft.hook_rules(rules, hook, family):
        assert not re.search(other, rule.expression)


def test_long_labels_stay_distinct() -> None:
    labels = [f"{'a' * 64}/{'b' * 63}{last}" for last in "cd"]
    rules = nft.RulesetInput(
        "n",
        tunnels=tuple(nft.TunnelMatch(label, LAN, far) for label, far in zip(labels, (FAR, FAR7))),
    )
    found = {item.name: item.elements for item in nft.table(rules).sets}
    first, second = (element.comment for element in found["guard_out4"])
    assert first != second


def test_auto_rules_are_named() -> None:
    comments = [rule.comment for rule in nft.table(nft.RulesetInput("n")).chains[0].rules]
    assert comments == ["IKE", "NAT traversal", "ESP", "AH", "path MTU", "path MTU"]


def test_auto_rules_are_narrowed_to_interfaces_and_peers() -> None:
    rules = nft.RulesetInput("n", ike_interfaces=("eth0", "eth1"), peers=PEERS)
    assert expressions(rules, "allow_input")[:2] == [
        'iifname { "eth0", "eth1" } ip saddr @peers4 fib daddr type local'
        ' udp dport 500 counter accept comment "IKE"',
        'iifname { "eth0", "eth1" } ip6 saddr @peers6 fib daddr type local'
        ' udp dport 500 counter accept comment "IKE"',
    ]
    assert elements(rules, "peers4") == ["192.0.2.1", "192.0.2.2"]
    assert elements(rules, "peers6") == ["2001:db8::1"]


def test_routers_may_report_that_packets_are_too_big() -> None:
    """The message has another type in each IP version. Without it, large packets get lost."""
    found = [line for line in expressions(nft.RulesetInput("n"), "allow_input") if "MTU" in line]
    assert [line.split("fib daddr type local ")[1] for line in found] == [
        'icmp type destination-unreachable icmp code frag-needed counter accept comment "path MTU"',
        'icmpv6 type packet-too-big counter accept comment "path MTU"',
    ]


def test_no_peers_let_nobody_in() -> None:
    assert nft.table(nft.RulesetInput("n", peers=())).chains == ()
    assert nft.hook_rules(nft.RulesetInput("n", peers=()), "input") == ()


def test_peers_of_one_ip_version_open_nothing_for_the_other() -> None:
    rules = nft.RulesetInput("n", peers=PEERS[:1])
    text = "\n".join(expressions(rules, "allow_input"))
    assert "ip saddr @peers4" in text
    assert [item.name for item in nft.table(rules).sets] == ["peers4"]
    assert "ip6" not in text
    assert "icmpv6" not in text


@pytest.mark.parametrize(
    ("ipcomp", "userspace", "wanted"), [(True, False, 1), (False, False, 0), (True, True, 0)]
)
def test_ipcomp_has_its_rule_where_the_kernel_does_it(
    ipcomp: bool, userspace: bool, wanted: t.Any
) -> None:
    rules = nft.RulesetInput("n", ipcomp=ipcomp, userspace=userspace)
    found = [line for line in expressions(rules, "allow_input") if '"IPComp"' in line]
    assert len(found) == wanted
    assert all("meta ipsec exists meta l4proto { 4, 41 }" in line for line in found)


def test_nat_exemption_goes_both_ways() -> None:
    rules = nft.RulesetInput("n", tunnels=(nft.TunnelMatch("a/b", LAN6, FAR6),))
    assert expressions(rules, "nat_exemption") == [
        'ip6 saddr . ip6 daddr @out6 snat ip6 to ip6 saddr comment "tunnels"',
        'ip6 saddr . ip6 daddr @in6 snat ip6 to ip6 saddr comment "tunnels"',
    ]
    assert elements(rules, "out6") == ['fd00:1::/64 . fd00:2::/64 comment "a/b"']
    assert elements(rules, "in6") == ['fd00:2::/64 . fd00:1::/64 comment "a/b"']


@pytest.mark.parametrize(
    ("userspace", "clear"), [(False, "rt ipsec missing"), (True, 'oifname != "ipsec0"')]
)
def test_leaks_are_dropped_and_counted(userspace: bool, clear: str) -> None:
    """An element counts only drops, because the match of cleartext is before the lookup."""
    tunnel = nft.TunnelMatch("a/b", LAN, FAR)
    rules = nft.RulesetInput("n", tunnels=(tunnel,), userspace=userspace)
    drop = f'{clear} ip saddr . ip daddr @guard_out4 counter drop comment "tunnels"'
    assert expressions(rules, "no_leak_forward") == [drop]
    assert elements(rules, "guard_out4") == ['10.1.0.0/24 . 10.2.0.0/24 counter comment "a/b"']
    leaving = expressions(rules, "no_leak_postrouting")
    other = (
        f"{clear} ip saddr . ip daddr != @within_remote4 ip daddr @guard_remote4"
        ' counter drop comment "tunnels: other"'
    )
    assert elements(rules, "within_remote4") == ['10.2.0.0/24 . 10.2.0.0/24 comment "a/b: other"']
    assert elements(rules, "guard_remote4") == ['10.2.0.0/24 counter comment "a/b: other"']
    answers = 'ct state established ct direction reply accept comment "answers"'
    assert leaving[4:] == [drop, answers, other]
    assert [line.split(" accept")[0] for line in leaving[:4]] == [
        'oifname "lo"',
        "udp sport { 500, 4500 } fib saddr type local",
        "meta l4proto { 50, 51 } fib saddr type local",
        "ip6 hoplimit 255 icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert }",
    ]


@pytest.mark.parametrize(
    ("userspace", "clear"), [(False, "meta ipsec missing"), (True, 'iifname != "ipsec0"')]
)
def test_what_arrives_in_cleartext_is_dropped_and_counted(userspace: bool, clear: str) -> None:
    tunnel = nft.TunnelMatch("a/b", LAN, FAR)
    rules = nft.RulesetInput("n", tunnels=(tunnel,), userspace=userspace)
    drop = f'{clear} ip saddr . ip daddr @guard_in4 counter drop comment "tunnels"'
    arriving = expressions(rules, "no_cleartext_in")
    assert arriving[-1] == drop
    assert elements(rules, "guard_in4") == ['10.2.0.0/24 . 10.1.0.0/24 counter comment "a/b"']
    assert [line.split(" accept")[0] for line in arriving[:-1]] == [
        'iifname "lo"',
        "udp dport { 500, 4500 } fib daddr type local",
        "meta l4proto { 50, 51 } fib daddr type local",
        "ip6 hoplimit 255 icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert }",
    ]


def test_tunnels_that_are_off_are_guarded_only() -> None:
    off = nft.TunnelMatch("a/off", LAN, FAR)
    rules = nft.RulesetInput("n", dormant=(off,))
    names = {item.name for item in nft.table(rules).sets}
    assert names == {"guard_in4", "guard_out4", "guard_remote4", "within_remote4"}


def test_selectors_that_contain_each_other_are_in_two_sets() -> None:
    """The larger selectors are in the second set, and each set has its rule in each chain."""
    wide = ipaddress.ip_network("10.0.0.0/8")
    tunnels = (nft.TunnelMatch("hub/all", FAR7, wide), nft.TunnelMatch("site/b", FAR7, FAR))
    rules = nft.RulesetInput("n", tunnels=(nft.TunnelMatch("x/y", LAN, FAR), *tunnels[1:]))
    assert [item.name for item in nft.table(rules).sets if item.name.startswith("out")] == ["out4"]
    hub = nft.TunnelMatch("hub/all", FAR7, ipaddress.ip_network("10.2.0.0/16"))
    rules = nft.RulesetInput("n", tunnels=(hub, tunnels[1]))
    assert elements(rules, "out4") == ['10.7.0.0/24 . 10.2.0.0/24 comment "site/b"']
    assert elements(rules, "out4_2") == ['10.7.0.0/24 . 10.2.0.0/16 comment "hub/all"']
    other = [line for line in expressions(rules, "no_leak_postrouting") if "other" in line]
    assert [re.findall(r"@(\S+)", line) for line in other] == [
        ["within_remote4", "guard_remote4"],
        ["within_remote4_2", "guard_remote4_2"],
    ]
    for chain in ("nat_exemption", "no_cleartext_in", "no_leak_forward"):
        text = "\n".join(expressions(rules, chain))
        assert len(re.findall(r"@\S+4 ", text)) == len(re.findall(r"@\S+4_2 ", text)) > 0


def test_ports_have_a_rule_of_their_own() -> None:
    services = Services(Service(6, (443, 443)), Service(6))
    rules = nft.RulesetInput("n", tunnels=(nft.TunnelMatch("a/b", LAN, FAR, services=services),))
    assert nft.table(rules).sets == ()
    (leak,) = expressions(rules, "no_leak_forward")
    assert leak == (
        "ip saddr 10.1.0.0/24 ip daddr 10.2.0.0/24 meta l4proto 6 tcp sport 443"
        ' rt ipsec missing counter drop comment "a/b"'
    )


def test_transport_mode_is_guarded_by_its_peers() -> None:
    ours, peer = (ipaddress.ip_network(f"192.0.2.{last}") for last in (1, 2))
    pairs = (nft.HostPair("a/known", ours, peer), nft.HostPair("b/any", None, peer))
    rules = nft.RulesetInput("n", hosts=pairs)
    arrived, leaves = "meta ipsec missing", "rt ipsec missing"
    assert expressions(rules, "no_cleartext_in")[4:] == [
        f'{arrived} ip saddr . ip daddr @guard_host_in4 counter drop comment "tunnels"',
        f'{arrived} fib daddr type local ip saddr @guard_peer_in4 counter drop comment "tunnels"',
    ]
    assert expressions(rules, "no_leak_postrouting")[4:] == [
        f'{leaves} ip saddr . ip daddr @guard_host_out4 counter drop comment "tunnels"',
        f'{leaves} fib saddr type local ip daddr @guard_peer_out4 counter drop comment "tunnels"',
    ]
    assert elements(rules, "guard_host_out4") == ['192.0.2.1 . 192.0.2.2 counter comment "a/known"']
    assert elements(rules, "guard_peer_out4") == ['192.0.2.2 counter comment "b/any"']
    assert expressions(rules, "no_leak_forward") == []


@pytest.mark.parametrize(
    ("own", "local", "remote", "aside"),
    [
        (None, LAN, FAR, ""),
        (LAN, LAN, FAR, ""),
        (LAN6, LAN, FAR, ""),
        (LAN, LAN, "10.0.0.0/8", "{ 10.1.0.0/24 }"),
        (None, LAN, "10.0.0.0/8", "{ 10.1.0.0/24 }"),
        ("10.1.0.0/16", LAN, "10.0.0.0/8", "{ 10.1.0.0/16 }"),
        ("10.7.0.0/24", LAN, "10.0.0.0/8", "{ 10.1.0.0/24, 10.7.0.0/24 }"),
        (None, ALL, ALL, "{ 169.254.0.0/16, 224.0.0.0/4, 255.255.255.255/32 }"),
        (
            LAN,
            LAN,
            ALL,
            "{ 10.1.0.0/24, 169.254.0.0/16, 224.0.0.0/4, 255.255.255.255/32 }",
        ),
        # A user who configures a link-scope network as remote network wants that network.
        (None, LAN, "169.254.10.0/30", ""),
        (None, LAN, "224.0.0.0/4", ""),
        (LAN6, LAN6, "::/0", "{ fd00:1::/64, fe80::/10, ff00::/8 }"),
        ("fe80::/64", LAN6, "::/0", "{ fd00:1::/64, fe80::/10, ff00::/8 }"),
    ],
)
def test_what_is_local_is_left_out_of_the_remote_network(
    own: t.Any, local: t.Any, remote: t.Any, aside: str
) -> None:
    own, local, remote = (item and ipaddress.ip_network(item) for item in (own, local, remote))
    rules = nft.RulesetInput("n", own=own, tunnels=(nft.TunnelMatch("a/b", local, remote),))
    ip = "ip" if local.version == 4 else "ip6"
    leak, exemption = expressions(rules, "no_leak_forward")[0], expressions(rules, "nat_exemption")
    if not aside:
        assert leak.startswith(f"rt ipsec missing {ip} saddr . {ip} daddr @guard_out")
        assert exemption[0].startswith(f"{ip} saddr . {ip} daddr @out")
        return
    match = f"{ip} saddr {local} {ip} daddr {remote} {ip} daddr != {aside}"
    assert leak.startswith(f"{match} rt ipsec missing")
    assert exemption[0].startswith(f"{match} snat")


def test_mss_is_clamped_for_both_directions_in_tunnels() -> None:
    tunnels = (nft.TunnelMatch("a/b", LAN, FAR),)
    syn = 'tcp flags & (syn | rst) == syn tcp option maxseg size set 1300 comment "tunnels"'
    out, back = "ip saddr . ip daddr @out4", "ip saddr . ip daddr @in4"
    rules = nft.RulesetInput("n", tunnels=tunnels, mss_clamp=1300)
    assert expressions(rules, "clamp_mss_out") == [f"{out} rt ipsec exists {syn}"]
    assert expressions(rules, "clamp_mss_in") == [f"{back} meta ipsec exists {syn}"]
    rules = replace(rules, userspace=True)
    assert expressions(rules, "clamp_mss_out") == [f'{out} oifname "ipsec0" {syn}']
    assert expressions(rules, "clamp_mss_in") == [f'{back} iifname "ipsec0" {syn}']
    for chain in ("clamp_mss_out", "clamp_mss_in"):
        assert expressions(replace(rules, mss_clamp=0), chain) == []


def test_forward_hook_accepts_protected_traffic_only() -> None:
    rules = nft.RulesetInput("n", tunnels=(nft.TunnelMatch("a/b", LAN, FAR),))
    assert [str(rule) for rule in nft.hook_rules(rules, "forward")] == [
        "ip saddr . ip daddr { 10.1.0.0/24 . 10.2.0.0/24 } rt ipsec exists counter accept"
        ' comment "tunnelwright-n: tunnels"',
        "ip saddr . ip daddr { 10.2.0.0/24 . 10.1.0.0/24 } meta ipsec exists counter accept"
        ' comment "tunnelwright-n: tunnels"',
    ]


def test_output_hook_names_the_peer_as_destination() -> None:
    rules = nft.RulesetInput("n", ike_interfaces=("eth0",), peers=PEERS[:1])
    found = [str(rule) for rule in nft.hook_rules(rules, "output", "ip")]
    assert found[0] == (
        'oifname { "eth0" }'
        + ' ip daddr { 192.0.2.1 } udp sport 500 counter accept comment "tunnelwright-n: IKE"'
    )
    assert len(found) == 4


@pytest.mark.parametrize("hook", ["prerouting", "postrouting", "ingress"])
def test_other_hooks_get_nothing(hook: str) -> None:
    rules = nft.RulesetInput("n", tunnels=(nft.TunnelMatch("a/b", LAN, FAR),))
    assert nft.hook_rules(rules, hook) == ()


def test_stand_in_holds_the_rules_of_the_hook() -> None:
    chain = ForeignChain("ip", "fw", "in_all")
    rules = nft.RulesetInput("n", peers=PEERS[:1])
    lines = nft.mirror_chain(rules, chain, "input").splitlines()
    assert lines[:3] == [
        "table ip fw {",
        "\tchain in_all {",
        "\t\ttype filter hook input priority filter; policy accept;",
    ]
    assert lines[3:-2] == [f"\t\t{rule}" for rule in nft.hook_rules(rules, "input", "ip")]


GOOD = nft.render(nft.table(nft.RulesetInput("n"))).splitlines()


@pytest.mark.parametrize(
    ("number", "replacement"),
    [
        (1, "# mine"),
        (2, "table inet other"),
        (3, "flush ruleset"),
        (4, "table ip tunnelwright-n {"),
        (5, "\tset s {"),
        (6, "\t\tcounter accept"),
        (7, "\t\tudp dport 500 accept"),
        (len(GOOD) - 1, '\t\tudp dport 22 accept comment "x"'),
        (len(GOOD), "} flush ruleset"),
    ],
)
def test_a_text_that_is_not_of_ours_is_refused(number: int, replacement: str) -> None:
    lines = [*GOOD[: number - 1], replacement, *GOOD[number:]]
    with pytest.raises(SyntaxFault):
        parse("\n".join(lines))


@pytest.mark.parametrize("text", ["", "\n" * 9, "table inet x {\n}\n"])
def test_a_text_without_the_frame_is_refused(text: str) -> None:
    with pytest.raises(SyntaxFault):
        parse(text)
