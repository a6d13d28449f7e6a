# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of a network: nft accepts it, the kernel holds its rules, and other tables stay."""

from __future__ import annotations

import ipaddress
import itertools
import random
import typing as t

import draw
import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import HostError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.kernel.nft import Nft
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render import nft
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.nft_listing import (
    element_changes,
    read_listing,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.nft_text import body

from .conftest import LAN4, TUNNELS, Installed, Namespace, chain, network, rules, table_in

PEERS = tuple(map(ipaddress.ip_address, ("192.0.2.2", "192.0.2.3", "2001:db8::2")))
EVERYTHING = (
    nft.TunnelMatch("all/4", LAN4, ipaddress.ip_network("0.0.0.0/0")),
    nft.TunnelMatch("all/6", ipaddress.ip_network("::/0"), ipaddress.ip_network("::/0")),
    nft.TunnelMatch("P" * 64 + "/" + "C" * 64, LAN4, ipaddress.ip_network("10.0.0.0/8")),
)
VARIANTS = tuple(
    itertools.product(
        (False, True), (None, (), PEERS), ((), TUNNELS, EVERYTHING), ((), ("wan0", "wan.1"))
    )
)

Make = t.Callable[[], Namespace]


@pytest.mark.parametrize(("userspace", "peers", "tunnels", "interfaces"), VARIANTS)
def test_nft_takes_every_variant(
    namespace: Make,
    userspace: bool,
    peers: t.Any,
    tunnels: t.Any,
    interfaces: tuple[str, ...],
) -> None:
    wanted = rules(
        userspace=userspace,
        peers=peers,
        tunnels=tunnels,
        ike_interfaces=interfaces,
        mss_clamp=1300,
        ipcomp=True,
    )
    text = nft.render(nft.table(wanted)) + "".join(
        nft.mirror_chain(wanted, chain(f"{family} {hook}_table {hook}_chain"), hook)
        for family in ("inet", "ip", "ip6")
        for hook in nft.HOOKS
    )
    listed = Nft(namespace().run).expected(text)
    found = {
        entry["chain"]["name"]
        for entry in table_in(listed, "tunnelwright-lan")[1:]
        if "chain" in entry
    }
    assert found == {item.name for item in nft.table(wanted).chains}


def test_the_rules_of_many_peers_are_listed_as_they_were_written(namespace: Make) -> None:
    """nft lists the rules of many peers exactly as they were written.

    So a run on a gateway with a thousand tunnels compares texts, and does not try its rules.
    """
    peers = tuple(map(ipaddress.ip_address, [f"192.0.2.{last}" for last in range(1, 250)]))
    tunnels = [
        nft.TunnelMatch(f"site-{index}/net", LAN4, ipaddress.ip_network(f"10.100.{index}.0/24"))
        for index in range(250)
    ]
    text = nft.render(nft.table(rules(peers=peers, tunnels=tunnels)))
    listed = Nft(namespace().run).expected_table(text, "tunnelwright-lan")
    assert read_listing(listed) == read_listing(body(text))
    assert read_listing(listed) != read_listing(body(text.replace("192.0.2.7,", "192.0.2.77,")))


def random_tunnel(chance: random.Random) -> nft.TunnelMatch:
    """Return a tunnel whose selectors often contain the selectors of other ones."""
    near, far, lengths = ("10.", "172.", (8, 15, 16, 24, 32))
    tail = ".0.0"
    if chance.random() < 0.3:
        near, far, lengths, tail = "fd0", "fc0", (15, 16, 64, 128), "::"
    ends = (
        ipaddress.ip_network(
            (f"{beginning}{chance.randrange(4)}{tail}", chance.choice(lengths)), strict=False
        )
        for beginning in (near, far)
    )
    return nft.TunnelMatch(f"site/{chance.randrange(9)}", *ends)


@pytest.mark.parametrize("seed", range(8))
def test_changed_elements_make_the_wanted_table(namespace: Make, seed: int) -> None:
    """One transaction of elements does what a load of the whole table does."""
    chance = random.Random(draw.first_seed() + seed)
    adapter = Nft(namespace().run)
    tunnels = [random_tunnel(chance) for _each in range(20)]
    changed = 0
    for _step in range(40):
        text = nft.render(nft.table(rules(tunnels=tuple(tunnels))))
        live = read_listing(adapter.table("tunnelwright-lan"))
        wanted = read_listing(adapter.expected_table(text, "tunnelwright-lan"))
        changes = element_changes(live, wanted)
        if changes is None:
            # Another number of sets, because more or fewer selectors contain each other.
            adapter.load("load the table", text)
        else:
            adapter.load("change the elements", changes.transaction("tunnelwright-lan"))
            changed += 1
        assert read_listing(adapter.table("tunnelwright-lan")) == wanted
        for _each in range(chance.randrange(1, 4)):
            tunnels[chance.randrange(len(tunnels))] = random_tunnel(chance)
    assert changed > 3


@pytest.mark.parametrize("others", ["", "table ip nat {\n}\ntable inet filter {\n}\n"])
def test_a_table_is_listed_beside_others(namespace: Make, others: str) -> None:
    place = namespace()
    place.nft(others + nft.render(nft.table(rules())))
    adapter = Nft(place.run)
    assert adapter.table("tunnelwright-lan").startswith("table inet tunnelwright-lan {\n\tset ")
    foreign = {("ip", "nat"), ("inet", "filter")} if others else set()
    assert {*adapter.tables()} == {("inet", "tunnelwright-lan"), *foreign}
    assert adapter.table("tunnelwright-dmz") == ""


def test_text_that_nft_refuses_is_an_error(namespace: Make) -> None:
    with pytest.raises(HostError, match="syntax error"):
        Nft(namespace().run).expected("table inet x { chain }")


def test_trying_a_text_leaves_the_host_alone(namespace: Make) -> None:
    place = namespace()
    before = place.ruleset()
    assert Nft(place.run).expected(nft.render(nft.table(rules())))
    assert place.ruleset() == before


@pytest.fixture
def loaded(namespace: Make, install: t.Callable[..., Installed]) -> Installed:
    made = install(namespace(), network(), rules(mss_clamp=1300))
    made("rules")
    return made


def expected(wanted: nft.RulesetInput, place: Namespace) -> str:
    return Nft(place.run).expected_table(nft.render(nft.table(wanted)), "tunnelwright-lan")


def test_live_table_equals_the_one_expected(loaded: Installed) -> None:
    assert loaded.live() == expected(rules(mss_clamp=1300), loaded.where)


def test_loading_again_changes_nothing(loaded: Installed) -> None:
    before = loaded.live()
    loaded("rules")
    assert loaded.live() == before


def test_counts_are_no_difference(loaded: Installed) -> None:
    before = loaded.live()
    loaded.where.nft(
        'add rule inet tunnelwright-lan allow_input counter packets 5 bytes 9 comment "x"'
    )
    once = loaded.live()
    assert once != before
    loaded("rules")
    loaded.where.nft(
        'add rule inet tunnelwright-lan allow_input counter packets 6 bytes 9 comment "x"'
    )
    assert loaded.live() == once


@pytest.mark.parametrize(
    "meddling",
    [
        "add rule inet tunnelwright-lan no_leak_postrouting accept",
        "insert rule inet tunnelwright-lan no_leak_forward accept",
        "flush chain inet tunnelwright-lan no_leak_forward",
        "delete chain inet tunnelwright-lan allow_input",
        "add chain inet tunnelwright-lan extra",
        "add chain inet tunnelwright-lan no_leak_forward { policy drop; }",
    ],
)
def test_meddling_is_found_and_repaired(loaded: Installed, meddling: str) -> None:
    before = loaded.live()
    if meddling.startswith("delete chain"):
        loaded.where.nft("flush chain inet tunnelwright-lan allow_input")
    loaded.where.nft(meddling)
    assert loaded.live() != before
    loaded("rules")
    assert loaded.live() == before


def test_a_smaller_set_of_rules_replaces_the_greater(loaded: Installed) -> None:
    loaded.write(rules(tunnels=TUNNELS[:1]))
    loaded("rules")
    assert loaded.live() == expected(rules(tunnels=TUNNELS[:1]), loaded.where)


def test_a_text_that_fails_leaves_the_rules_that_are_there(loaded: Installed) -> None:
    before = loaded.live()
    (loaded.directory / "lan.nft").write_text(
        "table inet tunnelwright-lan\ndelete table inet tunnelwright-lan\nnonsense\n"
    )
    status, _output, errors = loaded.run("rules")
    assert status != 0
    assert "nonsense" in errors
    assert loaded.live() == before


def test_other_tables_stay(loaded: Installed) -> None:
    loaded.where.nft(
        """
        table inet mine {
            chain input { type filter hook input priority 0; tcp dport 22 accept comment "IKE"; }
        }
        table inet tunnelwright-lan-2 {
            chain input { type filter hook input priority 0; udp dport 500 accept comment "IKE"; }
        }
        """
    )
    before = [table_in(loaded.where.ruleset(), name) for name in ("mine", "tunnelwright-lan-2")]
    assert all(before)
    for verb in ("rules", "start", "stop", "stop", "rules"):
        loaded(verb)
        now = [table_in(loaded.where.ruleset(), name) for name in ("mine", "tunnelwright-lan-2")]
        assert now == before


def test_stop_takes_the_table_away_and_may_be_repeated(loaded: Installed) -> None:
    loaded("stop")
    assert not loaded.live()
    loaded("stop")
    assert loaded.where.ruleset() == ()


def test_foreign_chains(loaded: Installed) -> None:
    loaded.where.nft(
        """
        table inet firewall {
            chain by_policy { type filter hook input priority 0; policy drop; }
            chain open { type filter hook input priority 5; policy accept; tcp dport 22 drop; }
            chain by_rule {
                type filter hook forward priority 0
                ct state established accept
                counter log reject
            }
            chain last { accept; drop; }
            chain end { counter drop; }
            chain by_jump { type filter hook output priority 0; jump end; }
            chain no_jump { type filter hook output priority 1; tcp dport 22 jump end; }
            chain limited { type filter hook output priority 2; limit rate 5/second drop; }
            chain empty { type filter hook output priority 3; }
        }
        table ip filter { chain INPUT { type filter hook input priority 0; policy drop; }; }
        """
    )
    found = {item.chain: item for item in Nft(loaded.where.run).foreign_chains()}
    dropping = {"by_policy", "by_rule", "by_jump", "INPUT"}
    assert {name for name, item in found.items() if item.drops} == dropping
    assert found.keys() == dropping | {"open", "no_jump", "limited", "empty"}
    assert {name for name, item in found.items() if item.iptables} == {"INPUT"}
    assert str(found["by_rule"]) == "inet firewall by_rule"
    assert (found["by_rule"].hook, found["by_policy"].policy) == ("forward", "drop")
