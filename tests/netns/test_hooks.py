# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Unmanaged base chains: the collection adds rules at the top and removes them without a trace."""

from __future__ import annotations

import ipaddress
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.kernel.nft import (
    Nft,
    rules_in,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render import nft

from .conftest import LAN4, Installed, Namespace, Site, ask, blocked, chain, network, rules

Start = t.Callable[..., Installed]

PEER, STRANGER, ROUTER = "192.0.2.2", "192.0.2.77", "192.0.2.1"
PREFIX = nft.comment_prefix("lan")
CHAINS = ("inet firewall input", "inet firewall forward", "inet firewall output")

# The last rule of `input` drops UDP, so a rule for IKE has no effect below it.
FIREWALL = """
    table inet firewall {
        set friends { type ipv4_addr; elements = { 203.0.113.7 }; }
        chain input {
            type filter hook input priority 0; policy drop;
            icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
            ip saddr @friends tcp dport 22 accept comment "tunnelwright-lan-2: not ours"
            udp dport 1-65535 drop
        }
        chain forward { type filter hook forward priority 0; policy drop; }
        chain output {
            type filter hook output priority 0; policy drop;
            icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
        }
    }
"""


def hooked(installed: Installed) -> dict[str, t.Any]:
    return Nft(installed.where.run).own_rules_by_chain(PREFIX)


def expected(wanted: nft.RulesetInput, name: str, hook: str, where: Namespace) -> t.Any:
    listed = Nft(where.run).expected(nft.mirror_chain(wanted, chain(name), hook))
    return rules_in(listed, *name.split())


@pytest.fixture
def firewalled(site: Site, gateway: Start) -> t.Callable[..., Installed]:
    """Return a function that starts a gateway with a firewall that drops by default."""

    def start(**options: t.Any) -> Installed:
        site.far.sh(f"ip address add {STRANGER}/24 dev wan0")
        site.gateway.nft(FIREWALL)
        options.setdefault("chains", tuple(map(chain, CHAINS)))
        return gateway(**options)

    return start


@pytest.mark.parametrize("port", [500, 4500])
def test_ike_passes_once_hooked(site: Site, firewalled: Start, port: int) -> None:
    installed = firewalled(peers=(ipaddress.ip_address(PEER),))
    way = (site.gateway, ROUTER, port)
    assert ask(site.far, PEER, *way) == PEER
    assert blocked(site.far, STRANGER, *way)
    assert blocked(site.far, PEER, site.gateway, ROUTER, 501)
    installed("stop")
    assert blocked(site.far, PEER, *way)


def test_ike_passes_on_the_listed_interfaces_only(site: Site, firewalled: Start) -> None:
    installed = firewalled(ike_interfaces=("wan0",))
    assert ask(site.far, PEER, site.gateway, ROUTER, 500) == PEER
    assert blocked(site.far, "198.51.100.2", site.gateway, "198.51.100.1", 500)
    installed.write(rules(chains=tuple(map(chain, CHAINS))))
    installed("rules")
    assert ask(site.far, "198.51.100.2", site.gateway, "198.51.100.1", 500) == "198.51.100.2"


def test_ike_over_ipv6_passes_once_hooked(site: Site, firewalled: Start) -> None:
    installed = firewalled(peers=(ipaddress.ip_address("2001:db8::2"),))
    way = (site.far, "2001:db8::2", site.gateway, "2001:db8::1", 500)
    assert ask(*way) == "2001:db8::2"
    assert blocked(site.far, PEER, site.gateway, ROUTER, 500)
    installed("stop")
    assert blocked(*way)


@pytest.mark.parametrize("port", [500, 4500])
def test_ike_goes_out_once_hooked(site: Site, firewalled: Start, port: int) -> None:
    installed = firewalled()
    # The answer goes from port 9 to the IKE port of the gateway, so the IKE rules accept it.
    way = (site.gateway, ROUTER, site.far, PEER, 9, port)
    assert ask(*way) == ROUTER
    installed("stop")
    assert ask(*way) == "PermissionError"


@pytest.mark.parametrize(
    ("host", "far"), [("10.1.0.10", "10.2.0.10"), ("fd00:1::10", "fd00:2::10")]
)
def test_tunnelled_traffic_is_forwarded_once_hooked(
    site: Site, firewalled: Start, host: str, far: str
) -> None:
    installed = firewalled()
    assert ask(site.host, host, site.far, far) == host
    assert ask(site.far, far, site.host, host) == far
    assert blocked(site.host, "10.1.0.10", site.far, PEER)
    installed("stop")
    assert blocked(site.host, host, site.far, far)


def test_what_claims_to_come_from_the_far_site_in_clear_is_not_forwarded(
    site: Site, firewalled: Start
) -> None:
    firewalled()
    site.far.sh("ip route replace 10.1.0.0/24 via 192.0.2.1 dev wan0")
    assert blocked(site.far, "10.2.0.10", site.host, "10.1.0.10")


@pytest.mark.parametrize("hook", nft.HOOKS)
def test_rules_are_those_expected_and_stay_so(firewalled: Start, hook: str) -> None:
    options = {"chains": tuple(map(chain, CHAINS)), "peers": (ipaddress.ip_address(PEER),)}
    installed = firewalled(**options)
    wanted = expected(rules(**options), f"inet firewall {hook}", hook, installed.where)
    assert wanted
    assert hooked(installed)[f"inet firewall {hook}"] == wanted
    before = installed.where.ruleset()
    for verb in ("rules", "start", "rules"):
        installed(verb)
        assert installed.where.ruleset() == before


def test_a_thousand_tunnels_are_one_rule_for_each_direction(firewalled: Start) -> None:
    """nft lists the elements of such a rule in many lines. The rule is found again and replaced."""
    tunnels = tuple(
        nft.TunnelMatch(
            f"s{at}/net", LAN4, ipaddress.ip_network(f"10.{100 + at // 250}.{at % 250}.0/24")
        )
        for at in range(1000)
    )
    installed = firewalled(tunnels=tunnels)
    for _again in range(2):
        found = hooked(installed)["inet firewall forward"]
        assert len(found) == 2
        assert found == expected(
            rules(tunnels=tunnels), "inet firewall forward", "forward", installed.where
        )
        installed("rules")
    installed("stop")
    assert hooked(installed) == {}


def test_the_rules_of_others_stay_as_they_were(site: Site, firewalled: Start) -> None:
    installed = firewalled()
    site.gateway.nft('insert rule inet firewall input drop comment "new at the top"')
    assert blocked(site.far, PEER, site.gateway, ROUTER, 500)
    installed("rules")
    assert ask(site.far, PEER, site.gateway, ROUTER, 500) == PEER
    installed("stop")
    after = site.gateway.sh("nft list table inet firewall")
    site.gateway.nft("flush ruleset")
    site.gateway.nft(FIREWALL)
    site.gateway.nft('insert rule inet firewall input drop comment "new at the top"')
    assert after == site.gateway.sh("nft list table inet firewall")


def test_a_chain_that_is_listed_no_longer_is_left_clean(firewalled: Start) -> None:
    installed = firewalled()
    assert set(hooked(installed)) == set(CHAINS)
    installed.write(rules(chains=(chain(CHAINS[1]),)))
    installed("rules")
    assert set(hooked(installed)) == {CHAINS[1]}


def test_rules_come_into_chains_of_one_ip_version(site: Site, gateway: Start) -> None:
    site.gateway.nft(
        "".join(
            f"table {family} fw {{ chain {hook} {{ type filter hook {hook} priority 0; }}; }}\n"
            for family in ("ip", "ip6")
            for hook in nft.HOOKS
        )
    )
    names = [f"{family} fw {hook}" for family in ("ip", "ip6") for hook in nft.HOOKS]
    wanted = {"chains": tuple(map(chain, names)), "peers": (ipaddress.ip_address(PEER),)}
    installed = gateway(**wanted)
    found = hooked(installed)
    # The only peer has an IPv4 address.
    assert set(found) == set(names) - {"ip6 fw input", "ip6 fw output"}
    for name, listed in found.items():
        assert listed == expected(rules(**wanted), name, name.split()[-1], site.gateway)


def test_two_networks_keep_their_rules_apart(firewalled: Start, install: t.Any) -> None:
    installed = firewalled()
    other = nft.RulesetInput("lan-2", chains=(chain(CHAINS[0]),))
    second = install(installed.where, network(name="lan-2"), other)
    second("rules")
    before = hooked(installed)
    second("stop")
    assert hooked(installed) == before
    assert set(before) == set(CHAINS)


@pytest.mark.parametrize("missing", ["inet firewall nowhere", "ip firewall input", "ip6 no input"])
def test_a_missing_chain_is_a_warning(firewalled: Start, missing: str) -> None:
    installed = firewalled()
    installed.write(rules(chains=(chain(missing), chain(CHAINS[0]))))
    said = installed("rules")
    assert "warning" in said
    assert missing in said
    assert set(hooked(installed)) == {CHAINS[0]}
    assert installed.live()


def test_a_chain_at_another_hook_is_a_warning(site: Site, firewalled: Start) -> None:
    installed = firewalled()
    site.gateway.nft("add chain inet firewall pre { type filter hook prerouting priority 0; }")
    installed.write(rules(chains=(chain("inet firewall pre"),)))
    assert "prerouting" in installed("rules")
    assert hooked(installed) == {}


def test_hooks_that_nft_refuses_leave_the_chain_and_the_own_table(firewalled: Start) -> None:
    installed = firewalled()
    before = installed.where.ruleset()
    script = installed.directory / "lan.sh"
    script.write_text(script.read_text().replace("udp sport 500", "nonsense"))
    status, _output, errors = installed.run("rules")
    assert status != 0
    assert "nonsense" in errors
    assert installed.where.ruleset() == before
