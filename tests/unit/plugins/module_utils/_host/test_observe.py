# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Observation of the host, which changes nothing."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.kernel.link import LinkState
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.kernel.nft import BaseChain
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.observe import (
    daemon_state,
    observe,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.vici.message import (
    ChildState,
    IkeState,
    PolicyState,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.gateway import Gateway
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import DEBIAN
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan import steps
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.observed import (
    DaemonState,
    NetworkState,
    Observed,
    Unfinished,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.plan import Plan
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.scope import Scope
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.artefacts import (
    Artefacts,
    artefacts,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.file import File
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    connection,
    gateway,
    network,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.memory_host import (
    MemoryHost,
)

LAN = Scope(frozenset({"lan"}))
UNIT = "tunnelwright-lan.service"
PHASE1 = "/etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf"
INPUT = BaseChain("inet", "filter", "input", "input", "drop", drops=True)
NOTHING = artefacts(Gateway(), DEBIAN, userspace=False, credentials={})


@pytest.fixture(name="host")
def _host(tmp_path: Path) -> t.Any:
    return MemoryHost(tmp_path)


def made(*parts: t.Any) -> Artefacts:
    return artefacts(gateway(*parts), DEBIAN, userspace=False, credentials={})


def install(host: t.Any, whole: Artefacts) -> None:
    for parts in whole.networks.values():
        for file in parts.files:
            host.files.write(file)
    host.systemd.start(UNIT)
    host.log.clear()


def state(host: t.Any, whole: Artefacts, before: Artefacts = NOTHING) -> NetworkState:
    return observe(host, before, whole, LAN).networks["lan"]


class TestNetwork:
    def test_live(self, host: t.Any) -> None:
        whole = made()
        install(host, whole)
        assert state(host, whole) == NetworkState(
            device_exists=True,
            device_up=True,
            mtu=1500,
            addresses=("10.1.0.1/24",),
            forwarding=frozenset({4}),
            rules_present=True,
            rules_match=True,
            enabled=False,
            active=True,
        )
        assert host.log == []

    def test_nothing_there(self, host: t.Any) -> None:
        assert state(host, made()) == NetworkState()

    def test_one_that_goes_is_looked_at_as_it_was(self, host: t.Any) -> None:
        whole = made()
        install(host, whole)
        assert state(host, NOTHING, whole).device_exists

    def test_one_that_moves_is_looked_at_where_it_is_going_to_be(self, host: t.Any) -> None:
        whole = made()
        install(host, whole)
        assert not state(host, made(network(interface="lan0")), whole).device_exists

    def test_none_that_was_never_there(self, host: t.Any) -> None:
        assert observe(host, NOTHING, NOTHING, LAN).networks == {}

    @pytest.mark.parametrize(
        ("options", "link", "fits"),
        [
            ({}, LinkState("bridge", 1500, True, ()), True),
            ({}, LinkState("dummy", 1500, True, ()), False),
            ({}, LinkState("vlan", 1500, True, (), parent="eth1", vlan_id=7), False),
            ({"interface_network": "eth1"}, LinkState("", 1500, True, ()), True),
            (
                {"layer2_type": "vlan", "layer2_id": 7, "interface_network": "eth1"},
                LinkState("vlan", 1500, True, (), parent="eth1", vlan_id=7),
                True,
            ),
            (
                {"layer2_type": "vlan", "layer2_id": 7, "interface_network": "eth1"},
                LinkState("vlan", 1500, True, (), parent="eth1", vlan_id=8),
                False,
            ),
            (
                {"layer2_type": "vlan", "layer2_id": 7, "interface_network": "eth1"},
                LinkState("vlan", 1500, True, (), parent="eth2", vlan_id=7),
                False,
            ),
        ],
    )
    def test_an_interface_must_be_of_the_kind_that_is_made(
        self, host: t.Any, options: t.Any, link: LinkState, fits: bool
    ) -> None:
        whole = made(network(**options))
        host.link.devices[whole.networks["lan"].network.device] = link
        assert state(host, whole).device_exists is fits

    def test_down(self, host: t.Any) -> None:
        host.link.devices["vpn-lan"] = LinkState("bridge", 1400, False, ("10.1.0.9/24",))
        found = state(host, made())
        assert (found.device_exists, found.device_up, found.mtu) == (True, False, 1400)
        assert found.addresses == ("10.1.0.9/24",)

    def test_unit(self, host: t.Any) -> None:
        host.systemd.enabled = {UNIT}
        host.systemd.active = {"tunnelwright-dmz.service"}
        found = state(host, made())
        assert (found.enabled, found.active) == (True, False)


class TestRules:
    def hook(self, host: t.Any, wanted: t.Any, live: t.Any) -> None:
        """Set the rules that nft makes for an unmanaged chain, and the live rules of this chain."""
        own = host.nft.table("tunnelwright-lan")
        host.nft.chains = (INPUT,)
        host.nft.expected = lambda text: wanted if "table inet filter" in text else ()
        host.nft.expected_table = lambda _text, _name: own
        host.nft.own_rules_by_chain = lambda prefix: live if prefix == "tunnelwright-lan: " else {}

    RULE: t.ClassVar = {
        "rule": {"family": "inet", "table": "filter", "chain": "input", "comment": "x"}
    }
    CHAINS: t.ClassVar = {"firewall_chains": ["inet filter input"]}

    def test_edited_by_somebody_else(self, host: t.Any) -> None:
        whole = made()
        install(host, whole)
        host.nft.tables["tunnelwright-lan"] += "# more"
        found = state(host, whole)
        assert (found.rules_present, found.rules_match) == (True, False)

    def test_listed_as_they_were_written(self, host: t.Any) -> None:
        """Rules that nft lists as they were written are compared without a trial."""
        whole = made()
        install(host, whole)
        text = host.nft.tables["tunnelwright-lan"]
        host.nft.tables["tunnelwright-lan"] = text[text.index("table inet tunnelwright-lan {") :]
        host.nft.expected_table = None
        assert state(host, whole).rules_match

    def test_flushed(self, host: t.Any) -> None:
        whole = made()
        install(host, whole)
        host.nft.tables.clear()
        found = state(host, whole)
        assert (found.rules_present, found.rules_match) == (False, False)

    @pytest.mark.parametrize(
        ("live", "match"),
        [
            ({"inet filter input": (RULE,)}, True),
            ({}, False),
            ({"inet filter input": (RULE, RULE)}, False),
            ({"inet filter input": (RULE,), "ip x y": (RULE,)}, False),
        ],
    )
    def test_hooked_into_a_chain_of_others(self, host: t.Any, live: t.Any, match: bool) -> None:
        whole = made(network(**self.CHAINS))
        install(host, whole)
        self.hook(host, (self.RULE,), live)
        assert state(host, whole).rules_match is match

    def test_left_in_a_chain_of_others(self, host: t.Any) -> None:
        whole = made()
        self.hook(host, (), {"inet filter input": (self.RULE,)})
        found = state(host, whole)
        assert (found.rules_present, found.rules_match) == (True, False)

    def test_a_listed_chain_that_is_not_there_holds_nothing(self, host: t.Any) -> None:
        whole = made(network(**self.CHAINS))
        install(host, whole)
        assert state(host, whole).rules_match


class TestDaemon:
    def test_state(self, host: t.Any) -> None:
        host.vici.load_conn("x", {"version": "2", "remote_addrs": ("192.0.2.2",)})
        host.vici.load_shared("ike-x", (), b"hush")
        host.vici.traps = {("x", "net")}
        host.vici.up = {"x": {"net"}}
        assert daemon_state(host) == DaemonState(
            version="6.0.1",
            plugins=frozenset({"aes", "kernel-netlink"}),
            connections=host.vici.connections(),
            secrets=frozenset({"ike-x"}),
            established={"x": frozenset({"net"})},
            traps=frozenset({("x", "net")}),
            ike_ids={"x": frozenset({"1"})},
            child_ids={"x": frozenset({"1"})},
            child_names={"x": {"1": "net"}},
            policies=frozenset(),
        )

    def test_a_data_plane_that_keeps_its_policies_to_itself(self, host: t.Any) -> None:
        host.vici.loaded_plugins.add("kernel-libipsec")
        assert daemon_state(host).policies is None

    def test_what_a_run_that_died_had_in_hand(self, host: t.Any) -> None:
        section = {"children": {}}
        plan = Plan((steps.SwapIn("x", section, section), steps.ReloadSettings()))
        host.unfinished_run.begin(host.vici.pid, plan)
        assert daemon_state(host).unfinished == Unfinished({"x": frozenset()}, settings=True)
        host.vici.start()
        assert daemon_state(host).unfinished == Unfinished()

    def test_sas(self, host: t.Any) -> None:
        installed, going = (
            ChildState(name, "1", state, "TUNNEL")
            for name, state in (("net", "INSTALLED"), ("dmz", "DELETING"))
        )
        host.vici.sas = lambda: (
            IkeState("x", "1", "ESTABLISHED", "2", (installed, going)),
            # A second SA, while the first SA is being replaced.
            IkeState("x", "2", "ESTABLISHED", "2", (replace(installed, name="more"),)),
            IkeState("y", "3", "CONNECTING", "2", (installed,)),
            IkeState("z", "4", "ESTABLISHED", "2"),
        )
        state = daemon_state(host)
        assert state.established == {"x": frozenset({"net", "more"}), "z": frozenset()}
        # SAs in any state count, because an SA is new only if the SA did not exist before.
        assert state.child_ids["x"] == {"1"}
        assert state.child_ids["z"] == set()
        assert state.ike_ids == {"x": {"1", "2"}, "y": {"3"}, "z": {"4"}}

    def test_shunts_are_no_traps(self, host: t.Any) -> None:
        host.vici.policies = lambda: (
            PolicyState("x", "net", "TUNNEL"),
            PolicyState("x", "host", "TRANSPORT"),
            PolicyState("tunnelwright-bypass-lan", "lan", "PASS"),
            PolicyState("y", "z", "DROP"),
        )
        state = daemon_state(host)
        assert state.traps == {("x", "net"), ("x", "host")}
        assert state.shunts == {("tunnelwright-bypass-lan", "lan"), ("y", "z")}


def test_files_are_those_of_the_scope(host: t.Any) -> None:
    whole = made(connection())
    host.files.write(whole.swanctl[PHASE1].file)
    host.files.write(File("/etc/swanctl/conf.d/admin.conf", b"x"))
    host.files.write(whole.networks["lan"].unit)
    found = observe(host, whole, whole, Scope(swanctl=frozenset({PHASE1})))
    files = {PHASE1: whole.swanctl[PHASE1].file}
    assert found == Observed(files, {}, daemon_state(host), platform=host.platform)
