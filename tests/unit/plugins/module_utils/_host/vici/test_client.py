# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import HostError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.vici.client import Vici
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.vici.message import (
    ChildState,
    IkeState,
    PolicyState,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.scripted_vici import (
    OK,
    ScriptedVici,
    failed,
)

SECRET = b"correct\x00horse\xffbattery"


def sa(uniqueid: str = "1", state: str = "ESTABLISHED", **children: tuple[str, str]) -> t.Any:
    """Return one entry of list-sa. ``children`` has (uniqueid, state) by name."""
    return {
        "uniqueid": uniqueid,
        "version": "2",
        "state": state,
        "child-sas": {
            f"{name}-{child}": {
                "name": name,
                "uniqueid": child,
                "state": child_state,
                "mode": "TUNNEL",
                "local-ts": ["10.1.0.0/24"],
                "remote-ts": ["10.2.0.0/24", "10.3.0.0/24"],
            }
            for name, (child, child_state) in children.items()
        },
    }


def expect_sas(charon: ScriptedVici, name: str, *sas: t.Any) -> None:
    charon.expect("list-sas", {"ike": name}, events=("list-sa", [{name: item} for item in sas]))


class TestDaemon:
    def test_version(self, charon: ScriptedVici, vici: Vici) -> None:
        charon.expect("version", reply={"daemon": "charon-systemd", "version": "6.0.1"})
        assert vici.version() == {"daemon": "charon-systemd", "version": "6.0.1"}

    def test_plugins(self, charon: ScriptedVici, vici: Vici) -> None:
        charon.expect("stats", reply={"uptime": {"running": "1 s"}, "plugins": ["aes", "vici"]})
        assert vici.plugins() == {"aes", "vici"}

    @pytest.mark.parametrize("kind", ["dh", "ke"])
    def test_key_exchange_has_one_name(self, charon: ScriptedVici, vici: Vici, kind: str) -> None:
        charon.expect(
            "get-algorithms",
            reply={"encryption": {"AES_CBC": "openssl"}, kind: {"MODP_2048": "openssl"}},
        )
        assert vici.algorithms() == {"encryption": {"AES_CBC"}, "ke": {"MODP_2048"}}

    def test_a_running_daemon_keeps_its_properties(self, charon: ScriptedVici, vici: Vici) -> None:
        charon.expect("stats", reply={"plugins": ["aes"]})
        charon.expect("get-algorithms", reply={"ke": {"ML_KEM_768": "openssl"}})
        for _time in range(2):
            assert vici.plugins() == {"aes"}
            assert vici.algorithms() == {"ke": {"ML_KEM_768"}}

    def test_reload_settings(self, charon: ScriptedVici, vici: Vici) -> None:
        charon.expect("reload-settings", reply=OK)
        vici.reload_settings()

    def test_pid_is_that_of_the_listener(self, vici: Vici) -> None:
        assert vici.pid == os.getpid()


class TestLists:
    def test_connections_are_decoded_to_the_bottom(self, charon: ScriptedVici, vici: Vici) -> None:
        first = {"version": "IKEv2", "children": {"net": {"local-ts": ["10.1.0.0/24"]}}}
        second = {"version": "IKEv1", "local-1": {"id": b"caf\xe9"}}
        charon.expect("list-conns", events=("list-conn", [{"site-b": first}, {"site-c": second}]))
        assert vici.connections() == {
            "site-b": {"version": "IKEv2", "children": {"net": {"local-ts": ("10.1.0.0/24",)}}},
            "site-c": {"version": "IKEv1", "local-1": {"id": "caf\\xe9"}},
        }

    def test_one_connection(self, charon: ScriptedVici, vici: Vici) -> None:
        charon.expect("list-conns", {"ike": "site-b"}, events=("list-conn", []))
        assert vici.connections("site-b") == {}

    @pytest.mark.parametrize(
        ("command", "key", "method"),
        [
            ("get-conns", "conns", Vici.connection_names),
            ("get-shared", "keys", Vici.secrets),
            ("get-keys", "keys", Vici.keys),
        ],
    )
    def test_names(
        self,
        charon: ScriptedVici,
        vici: Vici,
        command: str,
        key: str,
        method: t.Callable[[Vici], frozenset[str]],
    ) -> None:
        charon.expect(command, reply={key: ["a", "b"]})
        charon.expect(command, reply={key: []})
        assert method(vici) == {"a", "b"}
        assert method(vici) == frozenset()

    def test_sas(self, charon: ScriptedVici, vici: Vici) -> None:
        charon.expect("list-sas", events=("list-sa", [{"site-b": sa(net=("7", "INSTALLED"))}]))
        child = ChildState(
            "net", "7", "INSTALLED", "TUNNEL", ("10.1.0.0/24",), ("10.2.0.0/24", "10.3.0.0/24")
        )
        assert vici.sas() == (IkeState("site-b", "1", "ESTABLISHED", "2", (child,)),)

    def test_policies(self, charon: ScriptedVici, vici: Vici) -> None:
        asked = {"trap": "yes", "pass": "yes", "drop": "yes"}
        trap = {"child": "net", "ike": "site-b", "mode": "TUNNEL", "local-ts": ["10.1.0.0/24"]}
        shunt = {"child": "lan", "mode": "PASS"}
        charon.expect(
            "list-policies", asked, events=("list-policy", [{"site-b/net": trap}, {"lan": shunt}])
        )
        charon.expect("list-policies", {**asked, "ike": "site-c"}, events=("list-policy", []))
        assert vici.policies() == (
            PolicyState("site-b", "net", "TUNNEL"),
            PolicyState("", "lan", "PASS"),
        )
        assert vici.policies("site-c") == ()


class TestLoad:
    def test_connection(self, charon: ScriptedVici, vici: Vici) -> None:
        section = {"version": "2", "proposals": ("aes256-sha256-modp2048", "aes128-sha1-modp1024")}
        sent = {"site-b": {**section, "proposals": [*section["proposals"]]}}
        charon.expect("load-conn", sent, reply=OK)
        vici.load_conn("site-b", section)

    def test_refused_connection(self, charon: ScriptedVici, vici: Vici) -> None:
        text = "invalid value for: proposals, config discarded"
        charon.expect("load-conn", {"site-b": {"proposals": ["x"]}}, reply=failed(text))
        charon.expect("version", reply={"version": "5.9.8"})
        with pytest.raises(HostError) as raised:
            vici.load_conn("site-b", {"proposals": ("x",)})
        assert str(raised.value) == f"could not load connection site-b: {text}."
        # A refusal does not end the session.
        assert vici.version() == {"version": "5.9.8"}

    def test_secret(self, charon: ScriptedVici, vici: Vici) -> None:
        sent = {"id": "p1", "type": "IKE", "data": SECRET, "owners": ["gw-b.example", "192.0.2.2"]}
        charon.expect("load-shared", sent, reply=OK)
        charon.expect("unload-shared", {"id": "p1"}, reply=OK)
        vici.load_shared("p1", ("gw-b.example", "192.0.2.2"), SECRET)
        vici.unload_shared("p1")

    def test_a_ca_on_trial_is_not_kept(self, charon: ScriptedVici, vici: Vici) -> None:
        charon.expect("load-authority", {"trial": {"cacert": b"PEM"}}, reply=OK)
        charon.expect("unload-authority", {"name": "trial"}, reply=OK)
        vici.try_authority("trial", b"PEM")

    def test_key(self, charon: ScriptedVici, vici: Vici) -> None:
        charon.expect("load-key", {"type": "any", "data": b"PEM"}, reply={**OK, "id": "0a0b"})
        assert vici.load_key(b"PEM") == "0a0b"

    @pytest.mark.parametrize(
        ("method", "command", "argument", "listing", "key"),
        [
            (Vici.unload_conn, "unload-conn", "name", "get-conns", "conns"),
            (Vici.unload_key, "unload-key", "id", "get-keys", "keys"),
        ],
    )
    def test_unload(
        self,
        charon: ScriptedVici,
        vici: Vici,
        method: t.Callable[[Vici, str], bool],
        command: str,
        argument: str,
        listing: str,
        key: str,
    ) -> None:
        charon.expect(command, {argument: "x"}, reply=OK)
        assert method(vici, "x") is True
        charon.expect(command, {argument: "x"}, reply=failed("not found"))
        charon.expect(listing, reply={key: ["another"]})
        assert method(vici, "x") is False
        charon.expect(command, {argument: "x"}, reply=failed("not today"))
        charon.expect(listing, reply={key: ["x"]})
        with pytest.raises(
            HostError, match=r"^could not unload (connection|private key) x: not today\.$"
        ):
            method(vici, "x")

    def test_uninstall(self, charon: ScriptedVici, vici: Vici) -> None:
        listing = {"trap": "yes", "pass": "yes", "drop": "yes", "ike": "site-b"}
        asked = {"child": "net", "ike": "site-b"}
        policy = {"ike": "site-b", "mode": "TUNNEL"}
        charon.expect("uninstall", asked, reply=OK)
        assert vici.uninstall("site-b", "net") is True
        charon.expect("uninstall", asked, reply=failed("policy 'net' not found"))
        charon.expect(
            "list-policies", listing, events=("list-policy", [{"x": {**policy, "child": "other"}}])
        )
        assert vici.uninstall("site-b", "net") is False
        charon.expect("uninstall", asked, reply=failed("not today"))
        charon.expect(
            "list-policies", listing, events=("list-policy", [{"x": {**policy, "child": "net"}}])
        )
        with pytest.raises(
            HostError, match=r"^could not uninstall the policy of site-b/net: not today\.$"
        ):
            vici.uninstall("site-b", "net")


class TestTerminateIke:
    ASKED: t.ClassVar = {"ike-id": "1", "force": "yes", "timeout": "2500"}

    def test_nothing_there(self, charon: ScriptedVici, vici: Vici) -> None:
        expect_sas(charon, "site-b")
        vici.terminate_ike("site-b")

    def test_each_of_them(self, charon: ScriptedVici, vici: Vici) -> None:
        expect_sas(charon, "site-b", sa("1"), sa("2", "CONNECTING"))
        charon.expect("terminate", self.ASKED, reply=OK)
        charon.expect("terminate", {**self.ASKED, "ike-id": "2"}, reply=OK)
        vici.terminate_ike("site-b", timeout=2.5)

    def test_peer_is_dead(self, charon: ScriptedVici, vici: Vici) -> None:
        """A dead peer is no error: charon gives up the SA, although charon reports a failure.

        Another SA of the connection may exist already.
        """
        expect_sas(charon, "site-b", sa("1"))
        charon.expect("terminate", self.ASKED, reply=failed("terminating SA failed"))
        expect_sas(charon, "site-b", sa("2"))
        vici.terminate_ike("site-b", timeout=2.5)

    def test_it_stays(self, charon: ScriptedVici, vici: Vici) -> None:
        expect_sas(charon, "site-b", sa("1"))
        charon.expect("terminate", self.ASKED, reply=failed("terminating SA failed"))
        expect_sas(charon, "site-b", sa("1", "DELETING"))
        with pytest.raises(
            HostError, match=r"^could not close the IKE SA of site-b: terminating SA failed\.$"
        ):
            vici.terminate_ike("site-b", timeout=2.5)


class TestTerminateChild:
    ASKED: t.ClassVar = {"child-id": "7", "timeout": "5000"}

    def test_only_the_one_named(self, charon: ScriptedVici, vici: Vici) -> None:
        expect_sas(
            charon, "site-b", sa("1", net=("7", "INSTALLED"), other=("8", "INSTALLED")), sa("2")
        )
        charon.expect("terminate", self.ASKED, reply=OK)
        assert vici.terminate_child("site-b", "net") is False

    def test_deleted_ones_go_by_themselves(self, charon: ScriptedVici, vici: Vici) -> None:
        expect_sas(charon, "site-b", sa("1", net=("7", "DELETED")))
        assert vici.terminate_child("site-b", "net") is False

    @pytest.mark.parametrize("left", [sa("1"), sa("1", net=("7", "DELETED"))])
    def test_gone_meanwhile(self, charon: ScriptedVici, vici: Vici, left: t.Any) -> None:
        expect_sas(charon, "site-b", sa("1", net=("7", "INSTALLED")))
        charon.expect("terminate", self.ASKED, reply=failed("no matching SAs to terminate found"))
        expect_sas(charon, "site-b", left)
        assert vici.terminate_child("site-b", "net") is False

    def test_peer_is_dead(self, charon: ScriptedVici, vici: Vici) -> None:
        expect_sas(charon, "site-b", sa("1"), sa("2", net=("7", "INSTALLED")))
        charon.expect("terminate", self.ASKED, reply=failed("terminating SA failed"))
        expect_sas(charon, "site-b", sa("1"), sa("2", net=("7", "DELETING")))
        charon.expect("terminate", {"ike-id": "2", "force": "yes", "timeout": "0"}, reply=OK)
        assert vici.terminate_child("site-b", "net") is True


class TestSas:
    def test_initiate_asks_and_does_not_wait(self, charon: ScriptedVici, vici: Vici) -> None:
        message = {"ike": "site-b", "child": "net", "timeout": "-1"}
        charon.expect("initiate", message, reply=OK)
        vici.initiate("site-b", "net")

    def test_initiate_of_what_is_up_is_no_error(self, charon: ScriptedVici, vici: Vici) -> None:
        message = {"ike": "site-b", "child": "net", "timeout": "-1"}
        charon.expect("initiate", message, reply=failed("establishing CHILD_SA 'net' failed"))
        vici.initiate("site-b", "net")

    def test_rekey_of_one_child(self, charon: ScriptedVici, vici: Vici) -> None:
        charon.expect("rekey", {"child-id": "7"}, reply={**OK, "matches": "1"})
        vici.rekey("site-b", ChildState("net", "7", "INSTALLED", "TUNNEL"))

    def test_rekey_of_what_went_meanwhile(self, charon: ScriptedVici, vici: Vici) -> None:
        charon.expect("rekey", {"child-id": "7"}, reply=failed("no matching SAs to rekey found"))
        with pytest.raises(HostError, match="rekey site-b/net: no matching SAs"):
            vici.rekey("site-b", ChildState("net", "7", "INSTALLED", "TUNNEL"))
