# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks of a host before the first change: errors of missing features, and warnings."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import HostError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.kernel.link import LinkState
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.kernel.nft import BaseChain
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.gateway import Gateway
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import DEBIAN
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._module.edit import Asked, View
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.observed import (
    DaemonState,
    Observed,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.documents import (
    RESOURCES,
    validated,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    NETWORK,
    PHASE1,
    PHASE2,
    PUBKEY,
    RULE,
    child,
    connection,
    gateway,
    network,
    refused,
    rule,
    settings,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.memory_host import (
    MemoryHost,
)

GCM = [{"algorithm": "aes-gcm", "dh_group": 31}]
INPUT = BaseChain("inet", "filter", "input", "input", "drop", drops=True)


@pytest.fixture(name="host")
def _host(tmp_path: Path) -> t.Any:
    return MemoryHost(tmp_path)


def asked(
    host: t.Any,
    module: str,
    current: Gateway,
    *,
    userspace: bool = False,
    loaded: t.Any = None,
    secrets: t.Iterable[str] = (),
    version: str = "5.9.8",
    **options: t.Any,
) -> list[str]:
    params = validated(module, options)
    made = RESOURCES[module].edit(current, params, DEBIAN)
    daemon = DaemonState(version, connections=loaded or {}, secrets=frozenset(secrets))
    observed = Observed(daemon=daemon)
    view = View(current, made, params, observed, userspace, Asked(host))
    return RESOURCES[module].check_host(host, view)


def test_the_daemon_is_asked_once_for_its_algorithms(
    host: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    children = [child(name=f"net-{n}", remote_network=[f"10.{n}.0.0/24"]) for n in range(60, 63)]
    calls = []
    answer = host.vici.algorithms()
    monkeypatch.setattr(host.vici, "algorithms", lambda: calls.append(1) or answer)
    stopped = network(state="stopped")
    asked(host, "vpn_network", gateway(stopped, connection(*children)), **NETWORK)
    assert len(calls) == 1
    asked(host, "ipsec_phase1", gateway(connection(*children)), **PHASE1)
    assert len(calls) == 2
    asked(host, "vpn_network", gateway(connection(*children)), **NETWORK)
    assert len(calls) == 2, "the daemon is asked without need"


class TestStart:
    """The start of a network is refused for what its objects can't be, as a real run would be."""

    LOST: t.ClassVar = {"action": "route", "direction": None, "destination": ["10.55.0.0/16"]}

    def started(self, host: t.Any, *items: t.Any, **options: t.Any) -> list[str]:
        current = gateway(network(state="stopped"), *items)
        return asked(host, "vpn_network", current, **NETWORK, **options)

    def test_route_out_of_nowhere(self, host: t.Any) -> None:
        lost = rule(**self.LOST, interface="eth7")
        with refused("interface", "rule web of network lan", "eth7", "eth0"):
            self.started(host, lost)
        assert self.started(host, replace(lost, state="disabled")) == []

    def test_route_by_a_router_that_a_new_address_leaves_behind(self, host: t.Any) -> None:
        near = gateway(network(), rule(**self.LOST, target="10.1.0.254"))
        moved = {**NETWORK, "ip_address": "10.8.0.1", "network_address": "10.8.0.0/24"}
        with refused("target", "rule web of network lan", "cannot be reached"):
            asked(host, "vpn_network", near, **moved)

    def test_algorithm_that_the_daemon_lacks(self, host: t.Any) -> None:
        weird = connection(encryption=[{"algorithm": "aes", "hash": "md5", "dh_group": 14}])
        host.vici.algorithms = lambda: {"integrity": frozenset({"HMAC_SHA2_256_128"})}
        with pytest.raises(HostError, match="phase 1 site-b"):
            self.started(host, weird)

    def test_connection_of_another_administrator(self, host: t.Any) -> None:
        theirs = {"site-b": {"version": "2"}}
        current = gateway(network(state="stopped"), connection())
        assert asked(host, "vpn_network", current, loaded={}, **NETWORK) == []
        with refused("name", "phase 1 site-b", "site-b"):
            asked(host, "vpn_network", current, loaded=theirs, **NETWORK)

    def test_warnings_of_its_objects(self, host: t.Any) -> None:
        on_demand = connection(connection_behavior="on_demand")
        current = gateway(network(state="stopped"), on_demand)
        told = asked(host, "vpn_network", current, userspace=True, **NETWORK)
        assert any("on_demand" in text for text in told)

    def test_data_plane_that_other_networks_cannot_use(self, host: t.Any) -> None:
        other = network(name="dmz", ip_address="10.9.0.1", network_address="10.9.0.0/24")
        ah = child(protocol="ah", encryption=[{"hash": "sha256"}])
        current = gateway(network(), other, connection(ah))
        options = {**NETWORK, "name": "dmz", "ip_address": "10.9.0.1"}
        options |= {"network_address": "10.9.0.0/24", "dataplane": "userspace"}
        with refused("protocol", "phase 2 net of phase 1 site-b", "ah"):
            asked(host, "vpn_network", current, userspace=True, **options)


class TestRule:
    HIDE: t.ClassVar = {
        "action": "translate",
        "direction": "outgoing",
        "source": ["192.168.7.0/24"],
        "target": "10.1.0.7",
    }
    ROUTE: t.ClassVar = {"action": "route", "destination": ["10.55.0.0/16"]}

    def asked(self, host: t.Any, current: Gateway, **options: t.Any) -> list[str]:
        given = {**RULE, **options}
        if given["action"] == "route":
            del given["direction"]
        return asked(host, "vpn_rule", current, **given)

    def test_nothing_to_say(self, host: t.Any) -> None:
        assert self.asked(host, gateway()) == []
        assert self.asked(host, gateway(rule()), state="absent") == []

    def test_translation_for_no_tunnel(self, host: t.Any) -> None:
        tunnel = gateway(connection(child()))
        (warning,) = self.asked(host, gateway(connection()), **self.HIDE)
        assert "rule web of network lan" in warning
        assert "no effect yet" in warning
        assert self.asked(host, tunnel, **{**self.HIDE, "target": "10.7.0.7"}) == [warning]
        assert self.asked(host, tunnel, **self.HIDE) == []
        assert self.asked(host, gateway(), **self.HIDE, state="disabled") == []

    @pytest.mark.parametrize("interface", ["eth0", "vpn-lan"])
    def test_route(self, host: t.Any, interface: str) -> None:
        assert self.asked(host, gateway(), **self.ROUTE, interface=interface) == []

    def test_route_out_of_nowhere(self, host: t.Any) -> None:
        with refused("interface", "rule web of network lan", "eth7", "eth0"):
            self.asked(host, gateway(), **self.ROUTE, interface="eth7")
        off = gateway(network(state="stopped"))
        assert self.asked(host, off, **self.ROUTE, interface="eth7") == []

    @pytest.mark.parametrize("target", ["198.51.100.254", "10.1.0.254", "10.9.0.254"])
    def test_route_by_a_router_that_is_near(self, host: t.Any, target: str) -> None:
        """A router may be on an interface, or in a network that has no address yet."""
        dmz = network(name="dmz", ip_address="10.9.0.1", network_address="10.9.0.0/24")
        both = gateway(network(), dmz)
        assert self.asked(host, both, **self.ROUTE, target=target) == []

    @pytest.mark.parametrize(
        ("target", "interface", "why"),
        [
            ("203.0.113.254", None, "cannot be reached without another router"),
            ("198.51.100.254", "vpn-lan", "cannot be reached without another router"),
            ("10.1.0.254", "eth0", "cannot be reached without another router"),
            ("198.51.100.1", None, "is an address of this host"),
            ("198.51.100.1", "eth0", "is an address of this host"),
        ],
    )
    def test_route_by_what_is_no_router(
        self, host: t.Any, target: str, interface: str | None, why: str
    ) -> None:
        """A next hop is refused if the kernel would report an invalid gateway for this hop."""
        with refused("target", "rule web of network lan", repr(target), why):
            self.asked(host, gateway(), **self.ROUTE, target=target, interface=interface)
        off = gateway(network(state="stopped"))
        assert self.asked(host, off, **self.ROUTE, target=target, interface=interface) == []


class TestNetwork:
    def asked(self, host: t.Any, *, userspace: bool = False, **options: t.Any) -> list[str]:
        return asked(host, "vpn_network", Gateway(), userspace=userspace, **{**NETWORK, **options})

    def test_nothing_to_say(self, host: t.Any) -> None:
        assert self.asked(host) == []

    @pytest.mark.parametrize(
        ("options", "option"),
        [
            ({"interface_network": "eth7"}, "interface_network"),
            ({"ike_interfaces": ["eth0", "eth7"]}, "ike_interfaces[1]"),
            (
                {"layer2_type": "vlan", "layer2_id": 7, "interface_network": "eth7"},
                "interface_network",
            ),
        ],
    )
    def test_interfaces_must_exist(self, host: t.Any, options: t.Any, option: str) -> None:
        with refused(option, "network lan", "'eth7': does not exist", "eth0"):
            self.asked(host, **options)
        # A stopped network may name interfaces that do not exist yet.
        assert self.asked(host, **options, state="stopped") == []

    VLAN: t.ClassVar = {"layer2_type": "vlan", "layer2_id": 7, "interface_network": "eth0"}

    def test_a_vlan_has_no_more_room_than_its_parent(self, host: t.Any) -> None:
        assert self.asked(host, **self.VLAN, mtu=1500) == []
        assert self.asked(host, mtu=9000) == []
        with refused("mtu", "network lan", "9000: is more than the MTU of eth0, which is 1500"):
            self.asked(host, **self.VLAN, mtu=9000)

    def test_an_interface_of_others_is_not_taken(self, host: t.Any) -> None:
        with refused("interface", "network lan", "'eth0'", "interface_network"):
            self.asked(host, interface="eth0")
        alias = "VPN network lan (tunnelwright)"
        host.link.devices["vpn-lan"] = LinkState("bridge", 1500, True, (), alias)
        assert self.asked(host) == []
        host.link.devices["vpn-lan"] = LinkState(
            "bridge", 1500, True, (), alias.replace("lan", "x")
        )
        with refused("interface", "network lan", "'vpn-lan'"):
            self.asked(host)

    def test_listed_chains_must_exist(self, host: t.Any) -> None:
        with refused(
            "firewall_chains[0]", "network lan", "'inet filter input'", "no unmanaged base chain"
        ):
            self.asked(host, firewall_chains=["inet filter input"])
        host.nft.chains = (INPUT,)
        with refused("firewall_chains[1]", "network lan", "'ip filter input'", "inet filter input"):
            self.asked(host, firewall_chains=["inet filter input", "ip filter input"])

    def test_listed_chains_must_have_a_use(self, host: t.Any) -> None:
        host.nft.chains = (replace(INPUT, hook="prerouting"),)
        with refused("firewall_chains[0]", "network lan", "hook prerouting", "input, forward"):
            self.asked(host, firewall_chains=["inet filter input"])

    @pytest.mark.parametrize(
        ("chain", "options", "warned"),
        [
            (INPUT, {}, True),
            (INPUT, {"firewall_chains": ["inet filter input"]}, False),
            (replace(INPUT, hook="forward"), {}, True),
            (replace(INPUT, hook="prerouting"), {}, False),
            (replace(INPUT, drops=False), {}, False),
            (INPUT, {"state": "stopped"}, False),
        ],
    )
    def test_a_chain_that_drops_is_warned_about(
        self, host: t.Any, chain: BaseChain, options: t.Any, warned: bool
    ) -> None:
        host.nft.chains = (chain,)
        warnings = self.asked(host, **options)
        assert len(warnings) == warned
        assert all("'inet filter input' drops" in warning for warning in warnings)

    def test_a_chain_of_iptables_is_warned_about(self, host: t.Any) -> None:
        host.nft.chains = (BaseChain("ip", "filter", "INPUT", "input", "drop", drops=True),)
        (warning,) = self.asked(host, firewall_chains=["ip filter INPUT"])
        assert "iptables" in warning

    @pytest.mark.parametrize(
        ("mine", "theirs", "esp", "why"),
        [
            ("auto", "auto", False, "the kernel of this host refuses ESP"),
            ("userspace", "auto", True, "network lan asks for it"),
            ("auto", "userspace", True, "network dmz asks for it"),
            ("userspace", "userspace", True, "network dmz, lan asks for it"),
            ("auto", "auto", True, "the IKE daemon was set up so before"),
        ],
    )
    def test_userspace_is_warned_about(
        self, host: t.Any, mine: str, theirs: str, esp: bool, why: str
    ) -> None:
        host.link.esp = esp
        other = network(
            name="dmz", ip_address="10.9.0.1", network_address="10.9.0.0/24", dataplane=theirs
        )
        options = {**NETWORK, "dataplane": mine}
        (warning,) = asked(host, "vpn_network", gateway(other), userspace=True, **options)
        assert warning.startswith("network lan: the data plane is kernel-libipsec")
        assert why in warning

    @pytest.mark.parametrize(
        ("options", "warned"),
        [({}, False), ({"ip_address": "fd00::1", "network_address": "fd00::/64"}, True)],
    )
    def test_a_default_route_that_will_be_lost(
        self, host: t.Any, options: t.Any, warned: bool
    ) -> None:
        host.link.learned = ("eth0",)
        warnings = self.asked(host, **options)
        assert len(warnings) == warned
        assert all("eth0 will lose" in warning for warning in warnings)

    def test_one_that_goes_is_asked_nothing(self, host: t.Any) -> None:
        host.nft.chains = (INPUT,)
        current = gateway(network(interface_network="eth7"))
        assert asked(host, "vpn_network", current, name="lan", state="absent") == []


class TestSettings:
    @pytest.mark.parametrize(
        ("userspace", "ipcomp", "warnings"), [(True, True, 1), (True, False, 0), (False, True, 0)]
    )
    def test_ipcomp(self, host: t.Any, userspace: bool, ipcomp: bool, warnings: int) -> None:
        options = {"network": "lan", "ipcomp": ipcomp}
        found = asked(host, "ipsec_settings", gateway(), userspace=userspace, **options)
        assert len(found) == warnings

    OLD = "connections { old { version = 1 } new { version = 2 } any { remote_addrs = 192.0.2.9 } }"

    @pytest.mark.parametrize(
        ("options", "option", "word"),
        [
            ({"cisco_extensions": True}, "cisco_extensions", "has no effect"),
            ({"unencrypted_main_mode": True}, "unencrypted_main_mode", "has no effect"),
            (
                {"configuration_mode": "advanced", "swanctl_conf": OLD},
                "swanctl_conf",
                "in connection old, which",
            ),
        ],
    )
    def test_options_of_ikev1(
        self, host: t.Any, options: dict[str, t.Any], option: str, word: str
    ) -> None:
        options = {"network": "lan", **options}
        assert asked(host, "ipsec_settings", gateway(), **options) == []
        host.vici.ikev1, host.vici.release = False, "6.1.0"
        with refused(option, "IPsec settings of network lan", word, "strongSwan 6.1.0", "the peer"):
            asked(host, "ipsec_settings", gateway(), **options)
        stopped = gateway(network(state="stopped"))
        assert asked(host, "ipsec_settings", stopped, **options) == []

    def test_settings_of_before_an_upgrade(self, host: t.Any) -> None:
        host.vici.ikev1 = False
        old = gateway(network(state="stopped"), settings(cisco_extensions=True))
        assert asked(host, "vpn_network", old, **NETWORK) == []


class TestForeignNamesInAConfText:
    """Unmanaged connections, which neither a conf text nor a phase 1 replaces."""

    TEXT = "connections { lab { remote_addrs = 192.0.2.9 } } secrets { ike-lab { secret = x } }"
    OURS: t.ClassVar = {
        "version": "IKEv1/2",
        "remote_addrs": ("192.0.2.9",),
        "local_addrs": ("%any",),
        "children": {},
    }

    def asked(
        self, host: t.Any, current: Gateway | None = None, loaded: t.Any = None, **options: t.Any
    ) -> list[str]:
        text = {"network": "lan", "configuration_mode": "advanced", "swanctl_conf": self.TEXT}
        return asked(
            host, "ipsec_settings", current or gateway(), loaded=loaded, **{**text, **options}
        )

    def test_nothing_to_say(self, host: t.Any) -> None:
        assert self.asked(host, loaded={"theirs": {}}, secrets=["ike-theirs"]) == []

    def test_connection(self, host: t.Any) -> None:
        subject = "IPsec settings of network lan"
        with refused("swanctl_conf", subject, "'lab'", "does not manage"):
            self.asked(host, loaded={"lab": {**self.OURS, "remote_addrs": ("192.0.2.8",)}})

    def test_secret(self, host: t.Any) -> None:
        with refused(
            "swanctl_conf", "IPsec settings of network lan", "'ike-lab'", "does not manage"
        ):
            self.asked(host, secrets=["ike-lab"])

    def test_what_a_run_that_died_left_behind_is_ours(self, host: t.Any) -> None:
        assert self.asked(host, loaded={"lab": self.OURS}, secrets=["ike-lab"]) == []

    def test_what_the_text_had_before_is_ours(self, host: t.Any) -> None:
        known = settings(configuration_mode="advanced", swanctl_conf=self.TEXT)
        current = gateway(known)
        drifted = {"lab": {"children": {}}}
        assert self.asked(host, current, drifted, secrets=["ike-lab"]) == []

    def test_not_while_the_network_is_off(self, host: t.Any) -> None:
        current = gateway(network(state="stopped"))
        assert self.asked(host, current, secrets=["ike-lab"]) == []


class TestPhase1:
    def asked(self, host: t.Any, current: Gateway | None = None, **options: t.Any) -> list[str]:
        return asked(host, "ipsec_phase1", current or gateway(), **{**PHASE1, **options})

    def test_nothing_to_say(self, host: t.Any) -> None:
        assert self.asked(host) == []

    @pytest.mark.parametrize(
        ("peer", "why"),
        [
            ("198.51.100.1", "is an address of this host. Write the address of the peer"),
            ("2001:db8::1", "is an address of this host"),
            ("198.51.100.255", "is the broadcast address of 198.51.100.0/24, a network of this"),
        ],
    )
    def test_the_peer_is_another_host(self, host: t.Any, peer: str, why: str) -> None:
        found = ("198.51.100.1/24", "2001:db8::1/64", "192.0.2.0/31")
        host.link.devices["eth0"] = replace(host.link.devices["eth0"], addresses=found)
        with refused("remote_gateway", "phase 1 site-b", repr(peer), why):
            self.asked(host, remote_gateway=peer)
        assert self.asked(host, remote_gateway=peer, state="disabled") == []
        for other in ("198.51.100.2", "2001:db8::", "192.0.2.1", "gw.example.org"):
            assert self.asked(host, remote_gateway=other) == []

    def test_algorithms_must_be_there(self, host: t.Any) -> None:
        with pytest.raises(HostError) as raised:
            self.asked(host, encryption=[*GCM, {}])
        assert raised.value.operation == "use encryption of phase 1 site-b"
        assert "dh_group 31 (CURVE_25519): package " in raised.value.detail

    @pytest.mark.parametrize(("power", "state"), [("stopped", "present"), ("started", "disabled")])
    def test_not_while_it_is_off(self, host: t.Any, power: str, state: str) -> None:
        host.vici.ikev1 = False
        current = gateway(network(state=power))
        options = {"key_exchange": "ikev1", "state": state, "encryption": [{"dh_group": 31}]}
        assert self.asked(host, current, **options) == []

    def test_ikev1_must_be_built_in(self, host: t.Any) -> None:
        for version in ("ikev1", "auto"):
            assert self.asked(host, key_exchange=version) == []
        host.vici.ikev1, host.vici.release = False, "6.1.0"
        with refused("key_exchange", "phase 1 site-b", "'ikev1'", "strongSwan 6.1.0", "ikev2"):
            self.asked(host, key_exchange="ikev1")
        aggressive = {"negotiation_mode": "aggressive", "identifier": "us.example"}
        with refused("key_exchange", "phase 1 site-b", "negotiation_mode to main", "the peer"):
            self.asked(host, key_exchange="ikev1", **aggressive)
        assert self.asked(host, key_exchange="ikev2") == []

    def test_ikev2_asks_for_algorithms_alone(
        self, host: t.Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The other answers take a millisecond."""
        monkeypatch.setattr(host, "capabilities", None)
        assert self.asked(host, key_exchange="ikev2") == []
        assert asked(host, "ipsec_phase2", gateway(connection(child())), **PHASE2) == []

    def test_auto_means_ikev2_without_ikev1(self, host: t.Any) -> None:
        host.vici.ikev1, host.vici.release = False, "6.1.0"
        (told,) = self.asked(host, key_exchange="auto")
        assert told.startswith("phase 1 site-b: key_exchange auto means IKEv2 on this host")
        assert "strongSwan 6.1.0" in told

    def test_auto_counts_no_dpd_messages_without_ikev1(self, host: t.Any) -> None:
        assert self.asked(host, key_exchange="auto", dpd_failures=3) == []
        host.vici.ikev1, host.vici.release = False, "6.1.0"
        with refused("dpd_failures", "phase 1 site-b", "3", "strongSwan 6.1.0", "retransmissions"):
            self.asked(host, key_exchange="auto", dpd_failures=3)
        # The default, which ipsec_info and gathered variables contain.
        assert len(self.asked(host, key_exchange="auto", dpd_failures=5)) == 1
        assert self.asked(host, key_exchange="ikev2", dpd_failures=3) == []
        old = gateway(network(state="stopped"), connection(key_exchange="auto", dpd_failures=3))
        (told,) = asked(host, "vpn_network", old, **NETWORK)
        assert "key_exchange auto means IKEv2" in told

    def test_phase1_of_before_an_upgrade(self, host: t.Any) -> None:
        """Neither a task on its network nor one on its phase 2 fails, and both name it."""
        host.vici.ikev1, host.vici.release = False, "6.1.0"
        old = connection(child(), key_exchange="ikev1")
        assert asked(host, "vpn_network", gateway(old), **NETWORK) == []
        stopped = gateway(network(state="stopped"), old)
        started = asked(host, "vpn_network", stopped, **NETWORK)
        children = asked(host, "ipsec_phase2", gateway(old), **PHASE2)
        for (told,) in (started, children):
            assert told.startswith("phase 1 site-b: key_exchange ikev1 cannot come up")
            assert "strongSwan 6.1.0" in told
        auto = gateway(connection(child(), key_exchange="auto"))
        assert asked(host, "ipsec_phase2", auto, **PHASE2) == []

    @pytest.mark.parametrize("behavior", ["on_demand", "start", "responder_only"])
    @pytest.mark.parametrize("userspace", [True, False])
    @pytest.mark.parametrize("version", ["5.9.8", "6.0.1"])
    def test_no_demand_in_userspace(
        self, host: t.Any, behavior: str, userspace: bool, version: str
    ) -> None:
        options = {"userspace": userspace, "version": version}
        warnings = self.asked(host, connection_behavior=behavior, **options)
        asleep = userspace and behavior == "on_demand" and version == "5.9.8"
        assert len(warnings) == asleep

    def test_one_that_goes_is_asked_nothing(self, host: t.Any) -> None:
        host.vici.algorithms = None
        assert self.asked(host, gateway(connection()), state="absent") == []


class TestForeign:
    """Connections of another administrator, which are not replaced. Their names are not used."""

    THEIRS: t.ClassVar = {
        "version": "IKEv2",
        "local_addrs": ("%any",),
        "remote_addrs": ("192.0.2.2",),
        "rekey_time": "10260",
        "dpd_delay": "30",
        "local-1": {},
        "remote-1": {"id": "192.0.2.2"},
        "children": {},
    }

    def asked(
        self, host: t.Any, loaded: t.Any, current: Gateway | None = None, **options: t.Any
    ) -> list[str]:
        current = current or gateway()
        return asked(host, "ipsec_phase1", current, loaded=loaded, **{**PHASE1, **options})

    @pytest.mark.parametrize(
        "current",
        [
            gateway(),
            gateway(connection(state="disabled")),
            gateway(network(state="started"), connection(state="disabled")),
        ],
    )
    def test_name(self, host: t.Any, current: Gateway) -> None:
        theirs = {"site-b": {**self.THEIRS, "remote_addrs": ("203.0.113.9",)}}
        with refused("name", "phase 1 site-b", "does not manage"):
            self.asked(host, theirs, current)

    def test_secret(self, host: t.Any) -> None:
        with refused("name", "phase 1 site-b", "'ike-site-b'", "does not manage"):
            self.asked(host, {}, secrets=["ike-site-b"])
        assert self.asked(host, {}, secrets=["ike-site-c"]) == []
        assert self.asked(host, {}, gateway(connection()), secrets=["ike-site-b"]) == []

    def test_no_secret_with_certificates(self, host: t.Any) -> None:
        options = {**PUBKEY, "psk": None}
        assert self.asked(host, {}, secrets=["ike-site-b"], **options) == []

    @pytest.mark.parametrize("secrets", [(), ("ike-site-b",)])
    def test_what_a_run_that_died_left_behind_is_ours(
        self, host: t.Any, secrets: tuple[str, ...]
    ) -> None:
        assert self.asked(host, {"site-b": self.THEIRS}, secrets=secrets) == []

    def test_what_drifted_is_ours(self, host: t.Any) -> None:
        theirs = {"site-b": {**self.THEIRS, "remote_addrs": ("203.0.113.9",)}}
        assert self.asked(host, theirs, gateway(connection())) == []

    def test_peer(self, host: t.Any) -> None:
        with refused("remote_gateway", "phase 1 site-b", "connection theirs"):
            self.asked(host, {"theirs": self.THEIRS})

    @pytest.mark.parametrize(
        "conn",
        [
            {**THEIRS, "remote_addrs": ("192.0.2.3",)},
            {**THEIRS, "local_addrs": ("198.51.100.1",)},
            {**THEIRS, "remote-1": {"id": "b"}},
            {**THEIRS, "local-1": {"id": "a"}},
        ],
    )
    def test_another_peer(self, host: t.Any, conn: t.Any) -> None:
        assert self.asked(host, {"theirs": conn}) == []

    def test_any_peer(self, host: t.Any) -> None:
        options = {"remote_gateway": "%any", "connection_behavior": "responder_only"}
        theirs = {**self.THEIRS, "remote_addrs": ("%any",), "remote-1": {}}
        with refused("remote_gateway", "phase 1 site-b", "connection theirs"):
            self.asked(host, {"theirs": theirs}, **options)

    @pytest.mark.parametrize("name", ["site-c", "tunnelwright-trial"])
    def test_what_is_ours_is_not_theirs(self, host: t.Any, name: str) -> None:
        current = gateway(connection(name="site-c", remote_gateway="192.0.2.3"))
        assert self.asked(host, {name: self.THEIRS}, current) == []


class TestPhase2:
    SUBJECT: t.ClassVar = "phase 2 net of phase 1 site-b"

    def asked(self, host: t.Any, current: Gateway | None = None, **options: t.Any) -> list[str]:
        current = current or gateway(connection())
        return asked(host, "ipsec_phase2", current, **{**PHASE2, **options})

    def test_nothing_to_say(self, host: t.Any) -> None:
        assert self.asked(host) == []

    def test_pfs_must_be_there(self, host: t.Any) -> None:
        with pytest.raises(HostError, match=r"CURVE_25519") as raised:
            self.asked(host, encryption=[{"dh_group": 31}])
        assert raised.value.operation == f"use encryption of {self.SUBJECT}"

    def test_encryption_is_the_kernels(self, host: t.Any) -> None:
        camellia = [{"algorithm": "camellia"}]
        assert self.asked(host, encryption=camellia) == []
        with pytest.raises(HostError, match=r"CAMELLIA_CBC"):
            self.asked(host, encryption=camellia, userspace=True)

    @pytest.mark.parametrize(
        ("options", "option"),
        [
            ({"protocol": "ah"}, "protocol"),
            ({"mode": "transport", "local_network": None, "remote_network": None}, "mode"),
        ],
    )
    def test_userspace_can_only_do_esp_in_tunnel_mode(
        self, host: t.Any, options: t.Any, option: str
    ) -> None:
        assert self.asked(host, **options) == []
        with refused(option, self.SUBJECT, "userspace"):
            self.asked(host, **options, userspace=True)

    @pytest.mark.parametrize(
        ("module", "options", "off"),
        [
            ("ipsec_phase1", PHASE1, gateway(connection(child(protocol="ah"), state="disabled"))),
            (
                "vpn_network",
                NETWORK,
                gateway(network(state="stopped"), connection(child(protocol="ah"))),
            ),
        ],
    )
    def test_what_switches_it_on_asks_too(
        self, host: t.Any, module: str, options: t.Any, off: Gateway
    ) -> None:
        assert asked(host, module, off, **options) == []
        with refused("protocol", self.SUBJECT, "userspace"):
            asked(host, module, off, **options, userspace=True)

    @pytest.mark.parametrize(
        ("current", "options"),
        [
            (gateway(connection(state="disabled")), {}),
            (gateway(network(state="stopped"), connection()), {}),
            (gateway(connection()), {"state": "disabled"}),
            (gateway(connection(child())), {"state": "absent"}),
            (gateway(), {"state": "absent"}),
        ],
    )
    def test_not_while_it_is_off(self, host: t.Any, current: Gateway, options: t.Any) -> None:
        host.vici.algorithms = None
        assert self.asked(host, current, protocol="ah", **options, userspace=True) == []


class TestLocalAddresses:
    """The address in each local network that the userspace data plane of strongSwan 5 needs."""

    NET: t.ClassVar = {**PHASE2, "local_network": ["10.1.0.0/24", "10.9.0.0/24"]}
    TOLD = (
        "phase 2 net of phase 1 site-b: The gateway has no address in 10.9.0.0/24, and the "
        "userspace data plane of strongSwan 5 needs one in each local network"
    )

    @pytest.fixture(autouse=True)
    def _own(self, host: t.Any) -> None:
        host.link.devices["vpn-lan"] = LinkState("bridge", 1500, True, ("10.1.0.1/24",))

    @pytest.mark.parametrize(
        ("userspace", "version", "told"),
        [(True, "5.9.8", [TOLD]), (True, "6.0.1", []), (False, "5.9.8", [])],
    )
    def test_which_network_lacks_one(
        self, host: t.Any, userspace: bool, version: str, told: list[str]
    ) -> None:
        current = gateway(connection(connection_behavior="start"))
        how = {"userspace": userspace, "version": version}
        assert asked(host, "ipsec_phase2", current, **how, **self.NET) == told
        made = child(local_network=self.NET["local_network"])
        before = gateway(connection(made, connection_behavior="start"))
        start = {**PHASE1, "connection_behavior": "start"}
        assert asked(host, "ipsec_phase1", before, **how, **start) == told

    def test_none_where_each_has_one(self, host: t.Any) -> None:
        host.link.devices["lo"] = LinkState("", 65536, True, ("10.9.0.7/32",))
        current = gateway(connection(connection_behavior="start"))
        assert asked(host, "ipsec_phase2", current, userspace=True, **self.NET) == []
        host.link.devices.clear()
        off = {**self.NET, "state": "disabled"}
        assert asked(host, "ipsec_phase2", current, userspace=True, **off) == []
