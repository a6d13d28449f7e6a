# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors, warnings and repairs for keys that accept more than one peer."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import ModelError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.gateway import Gateway
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import DEBIAN
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._module.edit import Edit
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.documents import (
    RESOURCES,
    validated,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    NETWORK,
    PHASE1,
    PHASE2,
    PSK,
    RULE,
    connection,
    gateway,
    network,
    refused,
    settings,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.machine import Machine

DMZ = {"name": "dmz", "ip_address": "10.9.0.1", "network_address": "10.9.0.0/24"}
ANY = {"remote_gateway": "%any", "connection_behavior": "responder_only"}
HUB = {"identifier": "hub.example"}
SITE_B = "/etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf"
SITE_C = {**PHASE1, "name": "site-c", "remote_gateway": "192.0.2.3", "psk": "the key of site-c, x"}
OLD = "an earlier version took this"


def edit(module: str, current: Gateway, **options: t.Any) -> Edit:
    return RESOURCES[module].edit(current, validated(module, options), DEBIAN)


def secret(*owners: str, key: str = "the key of a conf text", name: str = "ike-road") -> str:
    ids = "".join(f"id-{number} = {owner}\n" for number, owner in enumerate(owners, 1))
    return f"secrets {{ {name} {{\n{ids}secret = {key}\n}} }}\n"


def road(ends: str = "", addresses: str = "remote_addrs = 203.0.113.7\n") -> str:
    return f"connections {{ road {{\n{addresses}{ends}}} }}\n"


def remote(identity: str) -> str:
    return f"remote {{ auth = psk\n id = {identity}\n }}\n"


def advanced(text: str, network: str = "lan") -> dict[str, str]:
    return {"network": network, "configuration_mode": "advanced", "swanctl_conf": text}


# Texts that are refused beside `site-b`, whose own identity is hub.example, with the reasons.
DANGEROUS = {
    "no owner": (secret(), "secret ike-road in swanctl_conf of network lan", "for every peer"),
    "any": (secret("%any"), "secret ike-road", "for every peer"),
    "any, with others": (secret("road.example", "0.0.0.0"), "secret ike-road", "for every peer"),
    "the peer": (secret("192.0.2.2"), "secret ike-road", "this key is for 192.0.2.2"),
    "a network": (secret("192.0.2.0/24"), "secret ike-road", "this key is for 192.0.2.0/24"),
    "our identity": (secret("*.example"), "secret ike-road", "and the own identity of"),
    "its peer": (
        road(remote("192.0.2.2")) + secret("192.0.2.2"),
        "",
        "192.0.2.2",
    ),
    "another peer": (
        road("local { id = x }\n" + remote("%any")) + secret("x"),
        "connection road in swanctl_conf of network lan",
        "accepts every identity",
    ),
    "no remote section": (
        road() + secret("203.0.113.7"),
        "connection road in swanctl_conf of network lan",
        "accepts every identity",
    ),
    "no identity of this gateway": (
        road("version = 2\n" + remote("road.ex"), "") + secret("road.ex"),
        "connection road in swanctl_conf of network lan",
        "may address this gateway by any identity",
    ),
    "IKEv1 between the same addresses": (
        road("version = 1\nlocal { id = x }\n" + remote("road.ex"), "") + secret("road.ex"),
        "",
        "IKEv1 chooses a psk by the addresses",
    ),
}
HARMLESS = {
    "another peer": road(remote("203.0.113.7")) + secret("203.0.113.7"),
    "from any address": road("local { id = x }\n" + remote("road.ex"), "") + secret("road.ex"),
    "another kind": secret(name="eap-road"),
    "for both ends": secret("road.ex", "other.ex"),
    "certificates": road("remote { auth = pubkey\n }\n") + secret("203.0.113.7"),
    "a list of addresses": road(remote("road.ex"), "remote_addrs = 203.0.113.7, 203.0.113.8\n")
    + secret("road.ex"),
    "Aggressive Mode": road(
        "version = 1\naggressive = yes\nlocal { id = x }\n" + remote("road.ex"), ""
    )
    + secret("road.ex"),
    # The text has a connection, but no key.
    "no key": road(remote("%any")),
}


def beside(case: str) -> dict[str, str]:
    """Return the options of a phase 1 that the text of this case endangers."""
    return {**HUB, "key_exchange": "auto"} if case.startswith("IKEv1") else HUB


class TestTexts:
    @pytest.mark.parametrize("case", DANGEROUS)
    def test_a_text_beside_a_phase_1(self, case: str) -> None:
        text, subject, why = DANGEROUS[case]
        current = gateway(connection(**beside(case)))
        words = ("phase 1 site-b", "lets the holder", subject, why)
        with refused("swanctl_conf", "IPsec settings of network lan", *words):
            edit("ipsec_settings", current, **advanced(text))
        off = gateway(connection(**beside(case), state="disabled"))
        assert edit("ipsec_settings", off, **advanced(text))

    @pytest.mark.parametrize("case", DANGEROUS)
    def test_a_phase_1_beside_a_text(self, case: str) -> None:
        text, subject, why = DANGEROUS[case]
        current = gateway(network(**DMZ), network(), settings(**advanced(text)))
        for name in ("lan", "dmz"):
            asked = {**PHASE1, **beside(case), "network": name}
            with pytest.raises(ModelError) as raised:
                edit("ipsec_phase1", current, **asked)
            assert raised.value.subject == "phase 1 site-b"
            for word in ("phase 1 site-b", "lets the holder", subject, why):
                assert word in str(raised.value)
            assert edit("ipsec_phase1", current, **asked, state="disabled")

    @pytest.mark.parametrize("case", DANGEROUS)
    def test_a_network_that_is_started(self, case: str) -> None:
        """A network is not started beside a dangerous text, which an earlier version allowed."""
        text, _subject, why = DANGEROUS[case]
        own = connection(**beside(case))
        networks = network(state="stopped"), network(**DMZ, state="stopped")
        for where in ("lan", "dmz"):
            stopped = gateway(*networks, own, settings(**advanced(text, where)))
            assert edit("vpn_network", stopped, **{**NETWORK, "mtu": 1400}, state="stopped")
            for name in ("lan",) if where == "lan" else ("lan", "dmz"):
                # The keys of a stopped network are not loaded, and do no harm.
                (other,) = {"lan", "dmz"} - {name}
                current = edit("vpn_network", stopped, name=other, state="started").gateway
                with refused("state", f"network {name}", "phase 1 site-b", why):
                    edit("vpn_network", current, name=name, state="started")

    @pytest.mark.parametrize("case", HARMLESS)
    def test_what_stays_legal(self, case: str) -> None:
        text, own = HARMLESS[case], connection(**HUB)
        assert edit("ipsec_settings", gateway(own), **advanced(text))
        assert edit("ipsec_phase1", gateway(settings(**advanced(text))), **{**PHASE1, **HUB})
        stopped = gateway(network(state="stopped"), own, settings(**advanced(text)))
        assert edit("vpn_network", stopped, name="lan", state="started")

    def test_the_same_key(self) -> None:
        current = gateway(connection(**HUB))
        assert edit("ipsec_settings", current, **advanced(secret("192.0.2.2", key=f'"{PSK}"')))

    def test_texts_of_two_networks(self) -> None:
        theirs = road(remote("road.ex")) + secret("road.ex", key="of the other text")
        current = gateway(network(), network(**DMZ), settings(**advanced(theirs, "dmz")))
        words = ("secret ike-b in swanctl_conf of network lan", "connection road", "network dmz")
        with refused("swanctl_conf", "IPsec settings of network lan", *words, "for every peer"):
            edit("ipsec_settings", current, **advanced(secret(name="ike-b")))
        assert edit("ipsec_settings", current, **advanced(secret("b.ex", name="ike-b")))
        # The author of a text is responsible for conflicts within the text.
        both = theirs[: theirs.rindex("}")] + secret(name="ike-b").partition("{")[2]
        assert edit("ipsec_settings", gateway(), **advanced(both))

    def test_no_secret_in_a_refusal(self) -> None:
        with pytest.raises(ModelError) as raised:
            edit("ipsec_settings", gateway(connection()), **advanced(secret(key="hush")))
        assert "hush" not in str(raised.value) + repr(raised.value.args)

    def test_a_secret_for_every_peer_is_warned_of(self) -> None:
        for text in (secret(), secret("%any"), road() + secret()):
            (warning,) = edit("ipsec_settings", gateway(), **advanced(text)).warnings
            assert warning == (
                "secret ike-road in swanctl_conf of network lan is for every peer: each connection "
                "with a pre-shared key accepts a peer that knows it; give it the identity of its "
                "peer as id"
            )
        assert edit("ipsec_settings", gateway(), **advanced(secret("b"))).warnings == ()


class TestWarnings:
    @pytest.mark.parametrize(
        ("options", "given"),
        [
            (ANY, "remote_gateway %any"),
            ({**ANY, **HUB}, "remote_gateway %any"),
            ({"peer_identifier": "%any"}, "peer_identifier %any"),
        ],
    )
    def test_a_key_for_every_peer(self, options: dict[str, str], given: str) -> None:
        (warning,) = edit("ipsec_phase1", gateway(), **{**PHASE1, **options}).warnings
        assert warning == (
            f"phase 1 site-b: {given}: every peer that knows the psk is accepted, under any "
            "identity; set peer_identifier to the identity of the peer"
        )
        off = edit("ipsec_phase1", gateway(), **{**PHASE1, **options}, state="disabled")
        assert off.warnings == ()

    def test_a_key_for_one_peer(self) -> None:
        for options in ({}, {**ANY, "peer_identifier": "b.ex"}, {"peer_identifier": "*.ex"}):
            assert edit("ipsec_phase1", gateway(), **{**PHASE1, **options}).warnings == ()

    def test_a_key_of_several_peers(self) -> None:
        others = [
            connection(name=f"s{number}", remote_gateway=f"192.0.2.{number}")
            for number in range(3, 9)
        ]
        off = connection(name="off", remote_gateway="192.0.2.9", state="disabled")
        (warning,) = edit("ipsec_phase1", gateway(others[0], off), **PHASE1).warnings
        assert warning == (
            "phase 1 site-b: its psk is the psk of phase 1 s3 too: each of these peers can pass "
            "for another"
        )
        (warning,) = edit("ipsec_phase1", gateway(*others), **PHASE1).warnings
        assert "its psk is the psk of phase 1 s3, s4, s5 and 3 more too: " in warning
        assert PSK not in warning


def host_of_old(machine: Machine) -> None:
    """Prepare a host with `site-b` for any peer beside `site-c`, as an earlier version did."""
    machine.prepare(
        ("vpn_network", NETWORK),
        ("ipsec_phase1", {**PHASE1, **HUB}),
        ("ipsec_phase2", PHASE2),
        ("ipsec_phase1", {**SITE_C, **HUB}),
    )
    rewrite(machine, remote_gateway="%any", connection_behavior="responder_only")


def rewrite(machine: Machine, **options: t.Any) -> None:
    """Write options that the modules refuse now into the record of `site-b`."""
    file = machine.host.root / SITE_B[1:]
    lines = file.read_text().split("\n")
    (index,) = (at for at, line in enumerate(lines) if line.startswith("# record "))
    record = json.loads(lines[index][len("# record ") :])
    lines[index] = "# record " + json.dumps({**record, **options}, sort_keys=True)
    file.write_text("\n".join(lines))


NAMED = {"name": "site-b", "network": "lan"}


class TestHostOfAnEarlierVersion:
    @pytest.mark.parametrize(
        ("module", "options"),
        [
            ("ipsec_phase1", {**PHASE1, **ANY, **HUB}),
            ("ipsec_phase1", {**PHASE1, **ANY, **HUB, "description": "x"}),
            ("ipsec_phase1", {**SITE_C, **HUB}),
        ],
    )
    @pytest.mark.parametrize("check", [True, False])
    def test_an_edit_of_one_of_the_two_says_it(
        self, machine: Machine, module: str, options: dict[str, t.Any], check: bool
    ) -> None:
        host_of_old(machine)
        before = machine.host.everything()
        result = machine.run(module, check=check, **options)
        assert result["failed"]
        for word in ("phase 1 site-b", "phase 1 site-c", "accepts every identity"):
            assert word in result["msg"]
        assert machine.host.everything() == before

    @pytest.mark.parametrize(
        ("module", "options"),
        [
            ("vpn_network", {**NETWORK, "description": "x"}),
            ("vpn_network", {"name": "lan", "state": "stopped"}),
            ("ipsec_settings", {"network": "lan", "mss_clamp": 1300}),
            ("vpn_rule", RULE),
            ("ipsec_phase2", {**PHASE2, "lifetime": 2}),
            ("ipsec_phase2", {**PHASE2, "phase1": "site-c", "remote_network": ["10.3.0.0/24"]}),
            (
                "ipsec_phase2",
                {"name": "net", "phase1": "site-b", "network": "lan", "state": "absent"},
            ),
            ("ipsec_phase1", {**NAMED, "state": "disabled"}),
            ("ipsec_phase1", {**NAMED, "state": "absent"}),
            ("ipsec_phase1", {**NAMED, "name": "site-c", "state": "disabled"}),
            ("ipsec_phase1", {**NAMED, "name": "site-c", "state": "absent"}),
            ("ipsec_phase1", {**PHASE1, **ANY, **HUB, "psk": SITE_C["psk"]}),
        ],
    )
    def test_what_is_carried_out(
        self, machine: Machine, module: str, options: dict[str, t.Any]
    ) -> None:
        host_of_old(machine)
        predicted = machine.run(module, check=True, **options)
        result = machine.run(module, **options)
        assert not result.get("failed"), result["msg"]
        assert result["changed"]
        assert result == predicted
        assert machine.run(module, **options)["changed"] is False

    def test_looking_at_it(self, machine: Machine) -> None:
        host_of_old(machine)
        shown = machine.run("ipsec_info")["ipsec_info"]
        assert [item["name"] for item in shown["phase1"]] == ["site-b", "site-c"]

    @pytest.mark.parametrize(
        "options",
        [
            {"remote_gateway": "0.0.0.0"},
            {"remote_gateway": "::"},
            {"remote_gateway": "0x0"},
            {"local_address": "0.0.0.0"},
            {"identifier": "*"},
            {"peer_identifier": "*"},
        ],
    )
    def test_values_that_are_refused_by_now(
        self, machine: Machine, options: dict[str, str]
    ) -> None:
        machine.prepare(
            ("vpn_network", NETWORK), ("ipsec_phase1", PHASE1), ("ipsec_phase2", PHASE2)
        )
        rewrite(machine, **options)
        (shown,) = machine.run("ipsec_info")["ipsec_info"]["phase1"]
        assert options.items() <= shown["options"].items()
        assert machine.run("vpn_rule", **RULE)["changed"]
        assert machine.run("ipsec_phase2", **{**PHASE2, "lifetime": 2})["changed"]
        assert machine.run("ipsec_phase1", **{**PHASE1, **options})["failed"]
        assert machine.run("ipsec_phase1", **NAMED, state="disabled")["changed"]
        assert machine.run("ipsec_phase1", **PHASE1)["changed"]
        assert machine.run("ipsec_phase1", **NAMED, state="absent")["changed"]

    def test_a_network_and_a_rule(self, machine: Machine) -> None:
        way = {**NAMED, "name": "way", "action": "route", "destination": ["10.55.0.0/16"]}
        machine.prepare(("vpn_network", NETWORK), ("vpn_rule", {**way, "target": "10.1.0.254"}))
        record = machine.host.root / "etc/tunnelwright/lan.json"
        text = record.read_text().replace("10.1.0.254", "0.0.0.0")
        record.write_text(text.replace("10.1.0.0/24", "0.0.0.0/31").replace("10.1.0.1", "0.0.0.0"))
        (shown,) = machine.run("ipsec_info")["ipsec_info"]["networks"]
        assert shown["options"]["ip_address"] == "0.0.0.0"
        assert machine.run("vpn_rule", **way, target="10.1.0.254")["changed"]
        assert machine.run("vpn_network", **NETWORK)["changed"]


class TestOwnersOfAnEarlierVersion:
    """A key of `site-b` that also has the address of its peer and an invalid name as owners."""

    OPTIONS: t.ClassVar = {**PHASE1, **HUB, "key_exchange": "auto", "peer_identifier": "b.ex"}
    OWNERS = ("b.ex", "192.0.2.2")

    @pytest.fixture(name="old")
    def _old(self, machine: Machine) -> Machine:
        machine.prepare(
            ("vpn_network", NETWORK), ("ipsec_phase1", self.OPTIONS), ("ipsec_phase2", PHASE2)
        )
        file = machine.host.root / SITE_B[1:]
        text = file.read_text()
        file.write_text(text.replace("id-1 = b.ex\n", "id-1 = b.ex\n        id-2 = 192.0.2.2\n"))
        kind, owners, data = machine.host.vici.shared["ike-site-b"]
        assert owners == ("b.ex",)
        machine.host.vici.shared["ike-site-b"] = kind, self.OWNERS, data
        return machine

    @pytest.mark.parametrize("module", ["ipsec_phase1", "ipsec_phase2"])
    def test_they_go_with_the_next_run(self, old: Machine, module: str) -> None:
        options = self.OPTIONS if module == "ipsec_phase1" else PHASE2
        predicted = old.run(module, check=True, **options)
        assert old.changes == []
        done = old.run(module, **options)
        assert done == predicted
        assert done["actions"] == ["load secret ike-site-b", f"write {SITE_B}"]
        assert done["impact"] == "none"
        assert old.host.vici.shared["ike-site-b"][1] == ("b.ex",)
        shown = [item for item in done["diff"] if item["before_header"].startswith("secret ")]
        assert [(item["before"], item["after"]) for item in shown] == [
            ("for b.ex, 192.0.2.2\n", "for b.ex\n")
        ]
        again = old.run(module, **options)
        assert (again["changed"], old.changes) == (False, [])

    def test_another_object_leaves_them(self, old: Machine) -> None:
        old.run("vpn_rule", **RULE)
        assert old.host.vici.shared["ike-site-b"][1] == self.OWNERS

    def test_they_are_drift(self, old: Machine) -> None:
        (shown,) = old.run("ipsec_info")["ipsec_info"]["phase1"]
        assert [item["object"] for item in shown["drift"]] == [
            "secret ike-site-b in the IKE daemon",
            SITE_B,
        ]
        assert shown["drift"][0]["actual"] == "for b.ex, 192.0.2.2"
