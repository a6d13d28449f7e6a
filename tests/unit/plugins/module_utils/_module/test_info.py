# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole runs of ipsec_info, with the real AnsibleModule, on a machine in memory."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import HostError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._module import info as info_module
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._releases.advisories import (
    TABLE_DATE,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.documents import returned
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    NETWORK,
    PHASE1,
    PHASE2,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.machine import Machine

Facts = dict[str, t.Any]

LAN = ("vpn_network", NETWORK)
PEER = ("ipsec_phase1", PHASE1)
TUNNEL = ("ipsec_phase2", PHASE2)
CONF = "/etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf"


def info(machine: Machine, **options: str | int) -> Facts:
    result = machine.run("ipsec_info", **options)
    assert not result.get("failed"), result
    assert result["changed"] is False
    assert machine.host.log == []
    found = result["ipsec_info"]
    assert isinstance(found, dict)
    return found


@pytest.fixture(name="gateway")
def _gateway(machine: Machine) -> Machine:
    machine.prepare(LAN, PEER, TUNNEL)
    return machine


def phase1(machine: Machine) -> Facts:
    (found,) = info(machine)["phase1"]
    assert isinstance(found, dict)
    return found


def log(*texts: str, sa: str = "1", pid: str = "1") -> list[dict[str, str]]:
    """Return log lines with the fields of journald, one second apart."""
    return [
        {
            "__REALTIME_TIMESTAMP": str((1769860800 + second) * 1000000),
            "MESSAGE": text,
            "GROUP": "IKE",
            "IKE_SA_NAME": "site-b",
            "IKE_SA_UNIQUE_ID": sa,
            "_PID": pid,
        }
        for second, text in enumerate(texts)
    ]


def test_an_empty_host(machine: Machine) -> None:
    found = info(machine)
    assert found["networks"] == found["phase1"] == found["drift"] == []


class TestState:
    def test_waiting_for_traffic(self, gateway: Machine) -> None:
        assert phase1(gateway)["state"] == phase1(gateway)["phase2"][0]["state"] == "idle"

    def test_up(self, gateway: Machine) -> None:
        gateway.host.vici.up["site-b"] = {"net"}
        found = phase1(gateway)
        assert (found["state"], found["log"]) == ("up", [])
        (sa,) = found["sas"]
        assert sa["algorithms"] == "AES_CBC-256 HMAC_SHA2_256_128 PRF_HMAC_SHA2_256 MODP_2048"
        (child,) = found["phase2"][0]["sas"]
        assert (child["bytes_in"], child["bytes_out"], child["idle"]) == (840, 1680, 3)
        assert child["rekey_in"] == 2700

    def test_what_has_been_replaced_is_left_out(
        self, gateway: Machine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gateway.host.vici.up["site-b"] = {"net"}
        ((name, section),) = gateway.host.vici.sa_sections()
        (new,) = section["child-sas"].values()
        section["child-sas"]["old"] = {**new, "uniqueid": "99", "state": "REKEYED"}
        monkeypatch.setattr(gateway.host.vici, "sa_sections", lambda: ((name, section),))
        (sa,) = phase1(gateway)["phase2"][0]["sas"]
        assert sa["id"] != 99

    def test_an_ike_sa_alone_is_not_up(self, gateway: Machine) -> None:
        gateway.prepare(("ipsec_phase1", {**PHASE1, "connection_behavior": "start"}))
        gateway.host.vici.up["site-b"] = set()
        assert phase1(gateway)["state"] == "down"

    def test_one_that_should_be_up_and_is_not(self, gateway: Machine) -> None:
        gateway.prepare(("ipsec_phase1", {**PHASE1, "connection_behavior": "start"}))
        gateway.host.journalctl = log("establishing IKE_SA failed, peer not responding")
        found = phase1(gateway)
        assert found["state"] == "down"
        assert found["since"] == found["phase2"][0]["since"] == "2026-01-31T12:00:00+00:00"
        assert found["log"] == [
            "2026-01-31T12:00:00+00:00 [IKE] <site-b> establishing IKE_SA failed, peer not "
            "responding"
        ]

    def test_one_whose_last_attempt_has_failed_does_not_wait(self, gateway: Machine) -> None:
        gateway.host.journalctl = log(
            "initiating IKE_SA site-b[1] to 192.0.2.2",
            "sending packet: from 198.51.100.1[500] to 192.0.2.2[500] (464 bytes)",
            "received packet: from 192.0.2.2[500] to 198.51.100.1[500] (36 bytes)",
            "received AUTHENTICATION_FAILED notify error",
        )
        found = phase1(gateway)
        assert found["state"] == found["phase2"][0]["state"] == "down"
        assert found["explanation"] == found["phase2"][0]["explanation"]
        assert found["explanation"]["cause"] == "peer_refused_authentication"
        assert found["explanation"]["candidates"]

    def test_one_that_was_up_may_come_up_again(self, gateway: Machine) -> None:
        gateway.host.journalctl = log(
            "sending packet: from 198.51.100.1[500] to 192.0.2.2[500] (464 bytes)",
            "received packet: from 192.0.2.2[500] to 198.51.100.1[500] (36 bytes)",
            "IKE_SA site-b[1] established between 198.51.100.1[a]...192.0.2.2[b]",
            "CHILD_SA net{1} established with SPIs c1_i c2_o and TS 10.1.0.0/24 === 10.2.0.0/24",
            "received DELETE for IKE_SA site-b[1]",
            "deleting IKE_SA site-b[1] between 198.51.100.1[a]...192.0.2.2[b]",
        )
        found = phase1(gateway)
        assert (found["state"], found["explanation"]) == ("idle", None)
        assert found["since"] == "2026-01-31T12:00:05+00:00"

    def test_only_the_last_attempt_counts(self, gateway: Machine) -> None:
        failed = log("received AUTHENTICATION_FAILED notify error", sa="1")
        up = log("CHILD_SA net{1} established with SPIs c1_i c2_o and TS a === b", sa="2")
        gateway.host.journalctl = [*failed, *up]
        assert phase1(gateway)["state"] == "idle"
        gateway.host.journalctl = [*up, *failed]
        assert phase1(gateway)["state"] == "down"

    def test_what_came_before_counts_no_longer(self, gateway: Machine) -> None:
        failed = log("received AUTHENTICATION_FAILED notify error")
        gateway.host.journalctl = log("received AUTHENTICATION_FAILED notify error", pid="7")
        assert phase1(gateway)["state"] == "idle"
        for word in ("added", "replaced", "updated"):
            loaded = {**failed[0], "MESSAGE": f"{word} vici connection: site-b"}
            del loaded["IKE_SA_NAME"], loaded["IKE_SA_UNIQUE_ID"]
            gateway.host.journalctl = [*failed, loaded]
            assert phase1(gateway)["state"] == "idle"
            other = {**loaded, "MESSAGE": f"{word} vici connection: site-bc"}
            gateway.host.journalctl = [*failed, other]
            assert phase1(gateway)["state"] == "down"

    def test_loaded_once_more_as_it_was(self, gateway: Machine) -> None:
        """A failure is still explained after a task that loads the tunnel without an initiation."""
        gateway.prepare(("ipsec_phase1", {**PHASE1, "connection_behavior": "start"}))
        failed = log("received AUTHENTICATION_FAILED notify error")
        loaded = {**failed[0], "MESSAGE": "updated vici connection: site-b"}
        del loaded["IKE_SA_NAME"], loaded["IKE_SA_UNIQUE_ID"]
        gateway.host.journalctl = [*failed, loaded]
        assert phase1(gateway)["explanation"]["cause"] == "peer_refused_authentication"

    def test_called_by_a_peer_with_another_key(self, gateway: Machine) -> None:
        gateway.prepare(("ipsec_phase1", {**PHASE1, "connection_behavior": "responder_only"}))
        gateway.host.journalctl = log(
            "received packet: from 192.0.2.2[500] to 198.51.100.1[500] (464 bytes)",
            "tried 1 shared key for '198.51.100.1' - '192.0.2.2', but MAC mismatched",
        )
        found = phase1(gateway)
        assert (found["state"], found["explanation"]["cause"]) == ("down", "psk_mismatch")

    def test_called_by_a_peer_with_another_identity(self, gateway: Machine) -> None:
        gateway.host.journalctl = log(
            "received packet: from 192.0.2.2[500] to 198.51.100.1[500] (464 bytes)",
            "looking for peer configs matching 198.51.100.1[a.example]...192.0.2.2[b.example]",
            "no matching peer config found",
        )
        why = phase1(gateway)["explanation"]
        assert "b.example" in (why["theirs"] or "")

    def test_a_peer_without_a_route(self, gateway: Machine) -> None:
        gateway.host.link.reaches = False
        gateway.host.journalctl = log(
            "sending packet: from 198.51.100.1[500] to 192.0.2.2[500] (464 bytes)",
            "giving up after 5 retransmits",
            "establishing IKE_SA failed, peer not responding",
        )
        assert phase1(gateway)["explanation"]["cause"] == "no_route"

    def test_a_local_network_without_an_address(self, gateway: Machine) -> None:
        gateway.prepare(("ipsec_phase2", {**PHASE2, "local_network": ["10.9.0.0/24"]}))
        gateway.host.vici.loaded_plugins.add("kernel-libipsec")
        gateway.host.journalctl = log("unable to install IPsec policies (SPD) in kernel")
        why = phase1(gateway)["explanation"]
        assert why["cause"] == "kernel_refuses_policy"
        assert why["explanation"].endswith(" The gateway has no address in 10.9.0.0/24.")

    def test_switched_off(self, gateway: Machine) -> None:
        gateway.prepare(("vpn_network", {"name": "lan", "state": "stopped"}))
        assert info(gateway)["networks"][0]["state"] == "stopped"
        assert phase1(gateway)["state"] == "disabled"

    def test_unloaded_by_hand(self, gateway: Machine) -> None:
        gateway.host.vici.unload_conn("site-b")
        found = phase1(gateway)
        assert (found["state"], found["loaded"]) == ("down", None)
        assert not found["phase2"][0]["loaded"]
        assert {
            "object": "connection site-b in the IKE daemon",
            "actual": "not loaded",
            "expected": "loaded",
        } in found["drift"]


class TestDrift:
    def test_none(self, gateway: Machine) -> None:
        gateway.host.vici.up["site-b"] = {"net"}
        assert phase1(gateway)["drift"] == info(gateway)["drift"] == []

    def test_of_a_file_shows_no_secret(self, gateway: Machine) -> None:
        path = gateway.host.root / CONF[1:]
        path.write_text(path.read_text().replace("dpd_delay = 30", "dpd_delay = 31"))
        (drift,) = phase1(gateway)["drift"]
        assert drift["object"] == CONF
        assert "dpd_delay = 31" in drift["actual"]
        assert "secret = ********" in drift["actual"].replace('"', "")

    def test_of_a_network(self, gateway: Machine) -> None:
        gateway.host.nft.tables.clear()
        found = info(gateway)
        assert found["networks"][0]["state"] == "down"
        assert found["drift"] == [
            {
                "object": "network lan: nftables rules",
                "actual": "not loaded",
                "expected": "loaded",
            }
        ]

    def test_connections_of_others(self, gateway: Machine) -> None:
        gateway.host.vici.conns["road"] = {"remote_addrs": ("%any",)}
        assert info(gateway)["unmanaged"] == ["road"]


class TestCapabilities:
    def test_daemon_kernel_and_nft(self, gateway: Machine) -> None:
        gateway.host.vici.ikev1 = False
        assert info(gateway)["capabilities"] == {
            "version": "6.0.1",
            "ike_versions": [2],
            "encryption": ["3DES_CBC", "AES_CBC"],
            "aead": ["AES_GCM_16"],
            "integrity": ["HMAC_SHA1_96", "HMAC_SHA2_256_128"],
            "prf": ["PRF_HMAC_SHA1", "PRF_HMAC_SHA2_256"],
            "key_exchange": ["MODP_1024", "MODP_2048"],
            "plugins": ["aes", "kernel-netlink"],
            "kernel": {"esp": True, "ah": True},
            "nftables": {"version": "1.1.7", "json": True},
        }

    def test_the_kernel_is_not_tried_for_nothing(
        self, machine: Machine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(machine.host.link, "kernel_has", None)
        untried = {"esp": None, "ah": None}
        assert info(machine)["capabilities"]["kernel"] == untried
        machine.prepare(LAN)
        machine.host.vici.loaded_plugins |= {"kernel-libipsec"}
        assert info(machine)["capabilities"]["kernel"] == untried

    def test_parts_that_do_not_answer(
        self, gateway: Machine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def silent(*_arguments: object) -> t.NoReturn:
            raise HostError("ask", "no answer")

        monkeypatch.setattr(gateway.host.link, "kernel_has", silent)
        monkeypatch.setattr(gateway.host.nft, "features", silent)
        found = info(gateway)["capabilities"]
        assert (found["kernel"], found["nftables"]) == ({"esp": None, "ah": None}, None)
        gateway.host.dead = True
        found = gateway.run("ipsec_info")["ipsec_info"]["capabilities"]
        assert found["version"] is None
        assert found["ike_versions"] == found["key_exchange"] == found["plugins"] == []


OUTDATED_PACKAGES = (
    "installed\tlibstrongswan\t6.0.1-6+deb13u6+b1\tstrongswan\t6.0.1-6+deb13u6\n"
    "installed\tstrongswan-libcharon\t6.0.1-6+deb13u6\tstrongswan\t6.0.1-6+deb13u6\n"
    "not-installed\tlibcharon-extauth-plugins\t\tlibcharon-extauth-plugins\t\n"
)


class TestAdvisories:
    def test_what_the_packages_lack(self, gateway: Machine) -> None:
        release(gateway, "ID=debian\nVERSION_CODENAME=trixie\n")
        gateway.host.dpkg = OUTDATED_PACKAGES
        found = info(gateway)
        assert found["packages"] == {
            "distribution": "debian",
            "codename": "trixie",
            "installed": {
                "libstrongswan": "6.0.1-6+deb13u6",
                "strongswan-libcharon": "6.0.1-6+deb13u6",
            },
        }
        assert found["advisories"][0] == {
            "id": "CVE-2026-78135",
            "component": "libcharon",
            "text": "A CREATE_CHILD_SA request can create a usable Child SA before the "
            "authentication is complete.",
            "package": "strongswan-libcharon",
            "installed": "6.0.1-6+deb13u6",
            "fixed_in": "6.0.1-6+deb13u7",
            "source": "Debian changelog of strongswan 6.0.1-6+deb13u7 (trixie-security, "
            "2026-09-01)",
            "table_date": TABLE_DATE,
        }
        _compare({"ipsec_info": found}, returned("ipsec_info"), "")

    @pytest.mark.parametrize(
        ("text", "packages"),
        [
            ("ID=ubuntu\n", OUTDATED_PACKAGES),
            ("ID=debian\n", OUTDATED_PACKAGES.replace("deb13u6", "deb13u6+local1")),
            ("ID=debian\n", ""),
        ],
    )
    def test_nothing_is_said_where_nothing_is_known(
        self, gateway: Machine, text: str, packages: str
    ) -> None:
        release(gateway, text)
        gateway.host.dpkg = packages
        assert info(gateway)["advisories"] is None

    @pytest.mark.parametrize("replaced", [True, False, None])
    def test_a_daemon_older_than_its_package(self, gateway: Machine, replaced: bool | None) -> None:
        gateway.host.replaced = replaced
        assert info(gateway)["daemon"]["restart_needed"] is replaced


def release(machine: Machine, text: str) -> None:
    path = Path(machine.host.platform.os_release)
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize("shows", [True, False])
def test_proposals_of_the_loaded_connection(gateway: Machine, shows: bool) -> None:
    gateway.host.vici.release = "6.1.0" if shows else "6.0.1"
    loaded = phase1(gateway)["loaded"]
    found = [loaded["proposals"], loaded["phase2"]["net"]["proposals"]]
    ike = ["AES_CBC_256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_2048"]
    esp = ["ESP:AES_CBC_256/HMAC_SHA2_256_128/MODP_2048/NO_EXT_SEQ"]
    assert found == ([ike, esp] if shows else [None, None])


class TestWithoutIkev1:
    """A phase 1 of IKEv1 on a host that was upgraded."""

    @pytest.mark.parametrize("behavior", ["start", "on_demand", "responder_only"])
    def test_it_is_down_with_the_reason(self, gateway: Machine, behavior: str) -> None:
        old = {**PHASE1, "key_exchange": "ikev1", "connection_behavior": behavior}
        gateway.prepare(("ipsec_phase1", old))
        gateway.host.vici.ikev1, gateway.host.vici.release = False, "6.1.0"
        found = phase1(gateway)
        assert [found["state"], found["phase2"][0]["state"]] == ["down", "down"]
        for told in (found["explanation"], found["phase2"][0]["explanation"]):
            assert told["cause"] == "ikev1_not_supported"
            assert "strongSwan 6.1.0" in told["explanation"]
            assert "ikev2 on both sides" in told["next_step"]
        assert found["drift"] == []

    @pytest.mark.parametrize("behavior", ["on_demand", "responder_only"])
    def test_a_peer_that_initiates_ikev1(self, gateway: Machine, behavior: str) -> None:
        """charon logs these lines without an IKE SA."""
        gateway.prepare(("ipsec_phase1", {**PHASE1, "connection_behavior": behavior}))
        gateway.host.vici.ikev1 = False
        peer = PHASE1["remote_gateway"]
        lines = log(
            "generating INFORMATIONAL response 0 [ N(INVAL_MAJOR) ]",
            f"sending packet: from 198.51.100.1[500] to {peer}[500] (36 bytes)",
            f"received unsupported IKE version 1.0 from {peer}, sending INVALID_MAJOR_VERSION",
        )
        gateway.host.journalctl = [
            {key: value for key, value in line.items() if not key.startswith("IKE_SA")}
            for line in lines
        ]
        found = phase1(gateway)
        assert found["state"] == "down"
        assert found["explanation"]["cause"] == "ikev1_not_supported"
        assert found["explanation"]["evidence"] == [f"ours: {lines[2]['MESSAGE']}"]

    def test_a_disabled_one_stays_disabled(self, gateway: Machine) -> None:
        gateway.prepare(("ipsec_phase2", {**TUNNEL[1], "state": "disabled"}))
        gateway.prepare(("ipsec_phase1", {**PHASE1, "key_exchange": "ikev1", "state": "disabled"}))
        gateway.host.vici.ikev1 = False
        found = phase1(gateway)
        assert (found["state"], found["explanation"]) == ("disabled", None)

    def test_ikev2_needs_no_reason(self, gateway: Machine) -> None:
        gateway.host.vici.ikev1 = False
        assert phase1(gateway)["explanation"] is None


class TestSilence:
    def test_a_daemon_that_does_not_run(self, gateway: Machine) -> None:
        gateway.prepare(("ipsec_phase1", {**PHASE1, "connection_behavior": "start"}))
        gateway.host.dead = True
        result = gateway.run("ipsec_info")
        found = result["ipsec_info"]
        assert found["daemon"] == {
            "running": False,
            "version": None,
            "dataplane": None,
            "plugins": [],
            "restart_needed": None,
        }
        assert found["phase1"][0]["state"] == "down"
        assert found["phase1"][0]["drift"] == found["drift"] == []
        assert "Connection refused" in str(result["warnings"])

    def test_a_journal_that_can_not_be_read(
        self, gateway: Machine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(gateway.host, "run", lambda _argv, _stdin: (1, "", "no journal"))
        result = gateway.run("ipsec_info")
        assert result["ipsec_info"]["phase1"][0]["state"] == "idle"
        assert "no journal" in str(result["warnings"])


class TestChoice:
    @pytest.fixture(autouse=True)
    def _more(self, gateway: Machine) -> None:
        gateway.prepare(
            ("vpn_network", {"name": "dmz", "ip_address_type": "none"}),
            ("ipsec_phase1", {**PHASE1, "name": "c", "network": "dmz", "remote_gateway": "::2"}),
        )

    def test_everything(self, gateway: Machine) -> None:
        found = info(gateway)
        assert [item["name"] for item in found["networks"]] == ["dmz", "lan"]
        assert [item["name"] for item in found["phase1"]] == ["c", "site-b"]

    def test_of_a_network(self, gateway: Machine) -> None:
        found = info(gateway, network="dmz")
        assert [item["name"] for item in found["networks"]] == ["dmz"]
        assert [item["name"] for item in found["phase1"]] == ["c"]
        # The owners of the files of the other network are still known.
        assert found["unmanaged"] == []

    def test_of_a_phase1(self, gateway: Machine) -> None:
        found = info(gateway, phase1="site-b")
        assert [item["name"] for item in found["networks"]] == ["lan"]
        assert [item["name"] for item in found["phase1"]] == ["site-b"]

    @pytest.mark.parametrize("option", ["network", "phase1"])
    def test_names_that_there_are_not(self, gateway: Machine, option: str) -> None:
        result = gateway.run("ipsec_info", **{option: "nobody"})
        assert result["failed"]
        assert f"{option} 'nobody': does not exist on this host" in result["msg"]
        assert "lan" in result["msg"] or "site-b" in result["msg"]


def test_result_is_as_documented(gateway: Machine) -> None:
    """The returned keys equal the documented keys at every documented depth."""
    gateway.host.vici.up["site-b"] = {"net"}
    gateway.host.nft.tables.clear()
    gateway.host.systemd.disable("tunnelwright-lan.service")
    _compare({"ipsec_info": info_of_drift(gateway)}, returned("ipsec_info"), "")


def info_of_drift(machine: Machine) -> Facts:
    return t.cast(Facts, machine.run("ipsec_info")["ipsec_info"])


def _compare(found: t.Any, document: Facts, where: str) -> None:
    assert set(found) == set(document), where
    kinds = {"str": str, "int": int, "bool": bool, "list": list, "dict": dict}
    for name, value in found.items():
        assert value is None or isinstance(value, kinds[document[name]["type"]]), name
        contained = document[name].get("contains")
        for item in value if isinstance(value, list) else [value]:
            if contained and item is not None:
                _compare(item, contained, f"{where}.{name}")


class TestWait:
    @pytest.fixture(autouse=True)
    def _waits(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], float]]:
        """Return the tunnels of each wait, with its seconds."""
        self.waits: list[tuple[list[str], float]] = []

        def waited(_host: object, tunnels: t.Sequence[object], seconds: float) -> None:
            self.waits.append(([str(item) for item in tunnels], seconds))

        monkeypatch.setattr(info_module, "wait_for", waited)
        return self.waits

    def test_it_waits_for_tunnels_that_this_side_begins(self, gateway: Machine) -> None:
        start = {"connection_behavior": "start"}
        peer = {**PHASE1, **start, "name": "c", "remote_gateway": "192.0.2.3"}
        more = {**PHASE2, "phase1": "c", "remote_network": ["10.3.0.0/24"]}
        gateway.prepare(
            ("ipsec_phase1", peer),
            ("ipsec_phase2", more),
            ("ipsec_phase2", {**more, "name": "off", "remote_network": ["10.4.0.0/24"]}),
            ("ipsec_phase2", {"name": "off", "phase1": "c", "network": "lan", "state": "disabled"}),
        )
        info(gateway, wait=7)
        info(gateway, wait=7, phase1="site-b")
        assert self.waits == [(["c/net"], 7), ([], 7)]
        # A tunnel of a stopped network does not come up.
        gateway.prepare(("vpn_network", {"name": "lan", "state": "stopped"}))
        info(gateway, wait=7)
        assert self.waits[2:] == [([], 7)]

    def test_it_does_not_unless_it_is_asked_to(self, gateway: Machine) -> None:
        info(gateway)
        info(gateway, wait=0)
        assert not gateway.run("ipsec_info", check=True, wait=7).get("failed")
        assert self.waits == []

    @pytest.mark.parametrize("wait", [-1, 601])
    def test_it_is_bounded(self, gateway: Machine, wait: int) -> None:
        result = gateway.run("ipsec_info", wait=wait)
        assert result["msg"].startswith(f"ipsec_info: wait {wait}: is ")


def test_a_daemon_that_does_not_run_is_not_waited_for(gateway: Machine) -> None:
    gateway.prepare(("ipsec_phase1", {**PHASE1, "connection_behavior": "start"}))
    gateway.host.dead = True
    result = gateway.run("ipsec_info", wait=20)
    assert result["ipsec_info"]["daemon"]["running"] is False


class TestQuantumSafe:
    def facts(
        self, gateway: Machine, monkeypatch: pytest.MonkeyPatch, ike: t.Any, child: t.Any
    ) -> tuple[bool | None, bool | None]:
        gateway.host.vici.up["site-b"] = {"net"}
        ((name, section),) = gateway.host.vici.sa_sections()
        ((key, old),) = section["child-sas"].items()
        changed = {**section, **ike, "child-sas": {key: {**old, **child}}}
        monkeypatch.setattr(gateway.host.vici, "sa_sections", lambda: ((name, changed),))
        found = phase1(gateway)
        return found["quantum_safe"], found["phase2"][0]["quantum_safe"]

    def test_without_an_sa(self, gateway: Machine) -> None:
        found = phase1(gateway)
        assert (found["quantum_safe"], found["phase2"][0]["quantum_safe"]) == (None, None)

    @pytest.mark.parametrize(
        ("ike", "child", "safe"),
        [
            ({}, {}, (False, False)),
            ({"ake1": "ML_KEM_768"}, {}, (True, True)),
            ({"ake2": "ML_KEM_1024"}, {"dh-group": "CURVE_25519"}, (True, True)),
            ({"ppk": "yes"}, {}, (True, True)),
            # A round of a Child SA protects its own keys alone.
            ({}, {"dh-group": "CURVE_25519", "ake1": "ML_KEM_512"}, (False, True)),
            ({"ake1": "KE_NONE"}, {}, (False, False)),
            # A classical method as an additional key exchange.
            ({"ake1": "CURVE_448"}, {}, (False, False)),
            ({"state": "CONNECTING", "ake1": "ML_KEM_768"}, {}, (None, True)),
            ({"ake1": "ML_KEM_768"}, {"state": "DELETING"}, (True, None)),
        ],
    )
    def test_by_the_live_sas(
        self,
        gateway: Machine,
        monkeypatch: pytest.MonkeyPatch,
        ike: t.Any,
        child: t.Any,
        safe: t.Any,
    ) -> None:
        assert self.facts(gateway, monkeypatch, ike, child) == safe

    def test_the_algorithms_name_the_rounds(
        self, gateway: Machine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.facts(gateway, monkeypatch, {"ake1": "ML_KEM_768", "ake2": "ML_KEM_1024"}, {})
        (sa,) = phase1(gateway)["sas"]
        assert sa["algorithms"].endswith("MODP_2048 ake1=ML_KEM_768 ake2=ML_KEM_1024")
