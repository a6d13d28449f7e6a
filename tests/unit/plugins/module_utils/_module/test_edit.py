# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Gateway after a task, for each module."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import ModelError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.connection import (
    IkeConnection,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.daemon import ALL_DAEMONS
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.gateway import Gateway
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import DEBIAN
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.secret import MASK
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._module.edit import Edit
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.scope import Scope
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.documents import (
    RESOURCES,
    validated,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    NETWORK,
    PHASE1,
    PHASE2,
    PPK,
    PSK,
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

CONF_D = "/etc/swanctl/conf.d/tunnelwright."
SITE_B = f"{CONF_D}phase1.site-b.conf"
PLAIN = {"dh_group": 31}
REQUIRED = {"additional_key_exchange": ["mlkem768"]}
OPTIONAL = {"additional_key_exchange": [["mlkem768", "none"]]}
# The first round is optional.
TWO_ROUNDS = [["mlkem768", "none"], "mlkem1024"]
WEAK = [{"algorithm": "3des", "hash": "sha1", "dh_group": 2}]
DMZ = {"name": "dmz", "ip_address": "10.9.0.1", "network_address": "10.9.0.0/24"}


def edit(module: str, current: Gateway, **options: t.Any) -> Edit:
    return RESOURCES[module].edit(current, validated(module, options), DEBIAN)


class TestRule:
    NAMED: t.ClassVar = {"name": "web", "network": "lan"}

    def test_new_and_declared_anew(self) -> None:
        for current in (gateway(), gateway(rule(log=True, order=7))):
            made = edit("vpn_rule", current, **RULE)
            assert made.gateway == gateway(rule())
            assert made.result == rule().to_options()
            assert made.scope == Scope(frozenset({"lan"}))

    def test_switched_off_by_its_name(self) -> None:
        made = edit("vpn_rule", gateway(rule(log=True)), **self.NAMED, state="disabled")
        assert made.gateway == gateway(rule(log=True, state="disabled"))

    @pytest.mark.parametrize(
        "options",
        [
            {"log": False, "order": 100},
            {"order": 8, "description": "x"},
            {"protocol": "any"},
            {"direction": "outgoing", "source": ["10.1.0.7/32"]},
            {"source": []},
        ],
    )
    def test_switched_off_with_some_options(self, options: t.Any) -> None:
        full = {"log": True, "order": 7, "protocol": "icmp", "source": ["10.2.0.0/24"]}
        current = gateway(rule(**full))
        made = edit("vpn_rule", current, **self.NAMED, **options, state="disabled")
        assert made.gateway == gateway(rule(**{**full, **options, "state": "disabled"}))

    def test_switched_off_with_what_does_not_fit(self) -> None:
        with refused("target", "rule web of network lan", "10.1.0.7", "action accept"):
            edit("vpn_rule", gateway(rule()), **self.NAMED, target="10.1.0.7", state="disabled")

    def test_switched_off_before_it_is_there(self) -> None:
        with refused("action", "rule web of network lan", "is missing"):
            edit("vpn_rule", gateway(), **self.NAMED, state="disabled")
        made = edit("vpn_rule", gateway(), **RULE, state="disabled")
        assert made.gateway == gateway(rule(state="disabled"))

    @pytest.mark.parametrize("current", [gateway(rule()), gateway()])
    def test_gone(self, current: Gateway) -> None:
        made = edit("vpn_rule", current, **self.NAMED, state="absent")
        assert made.gateway == gateway()
        assert made.result == {**self.NAMED, "state": "absent"}
        assert made.scope == Scope(frozenset({"lan"}))

    def test_gone_with_its_network(self) -> None:
        made = edit("vpn_rule", Gateway(), **self.NAMED, state="absent")
        assert (made.gateway, made.scope) == (Gateway(), Scope())


class TestNetwork:
    SCOPE: t.ClassVar = Scope(
        frozenset({"lan"}),
        frozenset({f"{CONF_D}bypass.lan.conf", f"{CONF_D}advanced.lan.conf"}),
        daemons=ALL_DAEMONS,
    )

    def edit(self, current: Gateway, **options: t.Any) -> Edit:
        made = edit("vpn_network", current, **options)
        assert made.scope == self.SCOPE
        return made

    def test_new(self) -> None:
        made = self.edit(Gateway(), **NETWORK)
        assert made.gateway == gateway()
        assert made.result == {**network().to_options(), "interface": "vpn-lan"}

    def test_declared_anew(self) -> None:
        current = gateway(network(mtu=1400, description="x"))
        assert self.edit(current, **NETWORK).gateway == gateway()

    @pytest.mark.parametrize("state", ["started", "stopped"])
    @pytest.mark.parametrize(
        "options",
        [
            {"description": "x", "mtu": 1400, "ike_interfaces": ["eth0"], "dataplane": "kernel"},
            {"ip_address_type": "none", "ip_address": None, "network_address": None},
            {"layer2_type": "vlan", "layer2_id": 7, "interface_network": "eth1"},
        ],
    )
    def test_power_alone_keeps_everything_else(self, options: t.Any, state: str) -> None:
        current = gateway(network(**options))
        made = self.edit(current, name="lan", state=state)
        assert made.gateway == gateway(network(**options, state=state))
        assert made.result["state"] == state

    @pytest.mark.parametrize("power", ["started", "stopped"])
    def test_present_leaves_the_power_as_it_is(self, power: str) -> None:
        current = gateway(network(state=power))
        made = self.edit(current, **NETWORK, description="x", state="present")
        assert made.gateway == gateway(network(state=power, description="x"))
        assert self.edit(current, name="lan", state="present").gateway == current

    def test_a_new_one_is_switched_on(self) -> None:
        assert self.edit(Gateway(), **NETWORK, state="present").gateway == gateway()

    FULL: t.ClassVar = {
        "description": "x",
        "layer2_type": "vlan",
        "layer2_id": 7,
        "interface_network": "eth1",
        "interface": "lan7",
        "mtu": 1400,
        "firewall_chains": ["inet filter input"],
        "ike_interfaces": ["eth0"],
        "dataplane": "kernel",
    }

    @pytest.mark.parametrize("state", ["started", "stopped", "present", None])
    @pytest.mark.parametrize(
        "options",
        [
            # Options at their defaults, and at another value.
            {"dataplane": "auto"},
            {"dataplane": "userspace"},
            {"description": ""},
            {"description": "y"},
            {"firewall_chains": []},
            {"ike_interfaces": ["eth0", "eth2"]},
            {"ike_interfaces": []},
            {"interface": "lan8", "mtu": 1280},
            {"layer2_type": "vlan", "layer2_id": 8},
        ],
    )
    def test_what_is_given_changes_and_all_else_stays(
        self, options: t.Any, state: str | None
    ) -> None:
        asked = {**options, **({"state": state} if state else {})}
        made = self.edit(gateway(network(**self.FULL)), name="lan", **asked)
        power = "stopped" if state == "stopped" else "started"
        assert made.gateway == gateway(network(**{**self.FULL, **options, "state": power}))

    @pytest.mark.parametrize("option", ["description", "mtu", "firewall_chains", "dataplane"])
    def test_null_is_left_out(self, option: str) -> None:
        current = gateway(network(**self.FULL))
        assert self.edit(current, name="lan", **{option: None}).gateway == current
        anew = self.edit(current, **{**NETWORK, **self.FULL, option: None})
        without = {key: value for key, value in self.FULL.items() if key != option}
        assert anew.gateway == gateway(network(**without))

    def test_a_change_that_does_not_fit_what_stays(self) -> None:
        with refused("layer2_id", "network lan", "7", "layer2_type none"):
            self.edit(gateway(network(**self.FULL)), name="lan", layer2_type="none")

    @pytest.mark.parametrize(
        ("options", "missing"),
        [
            ({"ip_address_type": "static"}, "ip_address"),
            ({"ip_address": "10.1.0.2"}, "network_address"),
            ({"network_address": "10.1.0.0/24", "state": "stopped"}, "ip_address"),
        ],
    )
    def test_an_address_makes_it_a_definition(self, options: t.Any, missing: str) -> None:
        """An incomplete definition is refused. Its options are not ignored."""
        with refused(missing, "network lan", "is missing"):
            self.edit(gateway(network(**self.FULL)), name="lan", **options)

    def test_a_definition_without_an_address(self) -> None:
        current = gateway(network(mtu=1400, description="x"))
        made = self.edit(current, name="lan", ip_address_type="none")
        bare = network(ip_address_type="none", ip_address=None, network_address=None)
        assert made.gateway == gateway(bare)

    @pytest.mark.parametrize("force", [False, True])
    def test_force_alone_changes_nothing(self, *, force: bool) -> None:
        current = gateway(network(**self.FULL))
        assert self.edit(current, name="lan", force=force).gateway == current

    def test_power_of_what_is_not_there(self) -> None:
        with refused("ip_address", "network lan", "is missing"):
            self.edit(Gateway(), name="lan", state="stopped")

    def test_gone(self) -> None:
        made = self.edit(gateway(settings(ipcomp=True)), name="lan", state="absent")
        assert made.gateway == Gateway()
        assert made.result == {"name": "lan", "state": "absent"}

    def test_gone_already(self) -> None:
        assert self.edit(Gateway(), name="lan", state="absent").gateway == Gateway()

    def test_gone_with_its_tunnels(self) -> None:
        current = gateway(connection(child()))
        with refused("state", "network lan", "site-b"):
            self.edit(current, name="lan", state="absent")
        assert self.edit(current, name="lan", state="absent", force=True).gateway == Gateway()

    def test_name(self) -> None:
        with refused("name", "", "'a;b'"):
            edit("vpn_network", Gateway(), name="a;b", state="absent")


class TestSettings:
    def edit(self, current: Gateway, **options: t.Any) -> Edit:
        return edit("ipsec_settings", current, **{"network": "lan", **options})

    def advanced(self, text: str, current: Gateway | None = None, **options: t.Any) -> Edit:
        return self.edit(
            current or gateway(), configuration_mode="advanced", swanctl_conf=text, **options
        )

    def test_declared(self) -> None:
        made = self.edit(gateway(settings(ipcomp=True)), mss_clamp=1300)
        assert made.gateway == gateway(settings(mss_clamp=1300))
        assert made.result == settings(mss_clamp=1300).to_options()
        assert made.warnings == ()
        assert made.scope == TestNetwork.SCOPE

    def test_need_their_network(self) -> None:
        with refused("network", "IPsec settings of network wan", "lan"):
            self.edit(gateway(), network="wan")

    def test_texts_do_not_show(self) -> None:
        made = self.advanced("secrets { ike-1 { secret = hush\n} }", strongswan_conf="a = hush\n")
        assert made.result["swanctl_conf"] == made.result["strongswan_conf"] == MASK
        assert "hush" not in repr(made)

    @pytest.mark.parametrize(
        ("text", "word"),
        [
            ("connections {", "line 1"),
            ("connections {\n x {\n a = 1\n a = 2\n } }", "line 4"),
            ("include /etc/passwd", "include"),
            ("pools {\n}", "connections and secrets"),
            ("connections { site-b {\n} }", "'site-b'"),
            ("secrets { ike-site-b { secret = hush\n} }", "'ike-site-b'"),
            ("connections { tunnelwright-trial {\n} }", "'tunnelwright-trial'"),
            ("connections { road {\n} }", "'road'"),
            ("secrets { eap-carol { secret = hush\n} }", "'eap-carol'"),
        ],
    )
    def test_a_text_that_is_refused(self, text: str, word: str) -> None:
        other = settings(
            network="dmz",
            configuration_mode="advanced",
            swanctl_conf="connections { road { } }\nsecrets { eap-carol { secret = hush\n } }",
        )
        current = gateway(network(), network(**DMZ), connection(), other)
        with refused("swanctl_conf", "IPsec settings of network lan", word):
            self.advanced(text, current)

    def test_a_text_may_be_replaced_by_one_with_the_same_names(self) -> None:
        first = self.advanced("connections { road { } }").gateway
        assert self.advanced("connections { road { version = 2\n } }", first)

    def test_a_strongswan_conf_that_is_refused(self) -> None:
        with refused("strongswan_conf", "IPsec settings of network lan", "line 2"):
            self.edit(
                gateway(), configuration_mode="advanced", strongswan_conf="charon {\n a = hush {"
            )

    def test_no_secret_in_a_refusal(self) -> None:
        for text in (
            "secrets { ike-1 { secret = hush {",
            "secrets { ike-1 { secret = 0shush!\n} }",
        ):
            with pytest.raises(ModelError) as raised:
                self.advanced(text)
            assert "hush" not in str(raised.value) + repr(raised.value.args)

    def test_what_another_network_keeps_on(self) -> None:
        other = settings(network="dmz", make_before_break=True)
        made = self.edit(gateway(network(), network(**DMZ), other))
        (warning,) = made.warnings
        assert "make_before_break" in warning
        assert "network dmz" in warning
        both = self.edit(gateway(network(), network(**DMZ), other), make_before_break=True)
        assert both.warnings == ()


class TestPhase1:
    def edit(self, current: Gateway, **options: t.Any) -> Edit:
        return edit("ipsec_phase1", current, **{**PHASE1, **options})

    def test_new(self) -> None:
        made = self.edit(gateway())
        assert made.gateway == gateway(connection())
        assert made.scope == Scope(swanctl=frozenset({SITE_B}))
        assert made.result == connection().to_options()
        assert made.warnings == ()
        assert made.certified == frozenset()

    def test_declared_anew(self) -> None:
        current = gateway(connection(child(), mobike=True))
        assert self.edit(current, psk=None).gateway == gateway(connection(child()))

    def test_no_secret_in_the_result(self) -> None:
        made = self.edit(gateway())
        assert PSK not in f"{made}"
        assert "psk" not in made.result

    def test_switched_off_alone(self) -> None:
        current = gateway(connection(child(), mobike=True))
        made = edit("ipsec_phase1", current, name="site-b", network="lan", state="disabled")
        assert made.gateway == gateway(connection(child(), mobike=True, state="disabled"))

    OFF: t.ClassVar = {"name": "site-b", "network": "lan", "state": "disabled"}

    @pytest.mark.parametrize(
        "options",
        [
            # Options at their defaults, and at another value.
            {"mobike": False},
            {"description": ""},
            {"description": "y", "dpd_delay": 7},
            {"lifetime": 3, "lifetime_unit": "hours"},
            {"rekey": True, "connection_behavior": "on_demand"},
            {"psk": "another secret of 20 characters"},
            {"encryption": [{"algorithm": "aes", "key_length": 128}]},
            {"peer_identifier": "c@example.org"},
            {"key_exchange": "ikev1", "negotiation_mode": "main"},
        ],
    )
    @pytest.mark.parametrize("manners", [{}, {"apply": "defer", "weak_crypto": "refuse"}])
    def test_switched_off_with_some_options(self, options: t.Any, manners: t.Any) -> None:
        full = {
            "description": "x",
            "lifetime": 7,
            "lifetime_unit": "days",
            "mobike": True,
            "rekey": False,
            "connection_behavior": "start",
            "peer_identifier": "b@example.org",
        }
        current = gateway(connection(child(), **full))
        made = edit("ipsec_phase1", current, **self.OFF, **options, **manners)
        changed = {**full, **options, "state": "disabled"}
        assert made.gateway == gateway(connection(child(), **changed))

    def test_switched_off_with_another_authentication(self) -> None:
        current = gateway(connection(**PUBKEY, mobike=True))
        made = edit("ipsec_phase1", current, **self.OFF, authentication="psk", psk=PSK)
        assert made.gateway == gateway(connection(mobike=True, state="disabled"))
        other = {key: item for key, item in PUBKEY.items() if key != "psk"}
        back = edit("ipsec_phase1", made.gateway, **self.OFF, **other)
        assert back.gateway == gateway(connection(**PUBKEY, mobike=True, state="disabled"))

    def test_switched_off_with_what_does_not_fit(self) -> None:
        current = gateway(connection(encryption=[{"algorithm": "aes-gcm"}]))
        with refused("encryption[0].algorithm", "phase 1 site-b", "IKEv1"):
            edit("ipsec_phase1", current, **self.OFF, key_exchange="ikev1")
        with refused("remote_gateway", "phase 1 site-b", "'a b'"):
            edit("ipsec_phase1", current, **self.OFF, remote_gateway="a b")

    def test_what_an_earlier_version_took_can_be_switched_off(self) -> None:
        recorded = IkeConnection.from_record(
            {**PHASE1, "psk": connection().psk, "remote_gateway": "0x7f.1"}
        )
        off = edit("ipsec_phase1", gateway(recorded), **self.OFF, description="x")
        assert off.gateway == gateway(replace(recorded, state="disabled", description="x"))

    def test_switched_off_with_a_definition(self) -> None:
        made = self.edit(gateway(connection(mobike=True)), state="disabled")
        assert made.gateway == gateway(connection(state="disabled"))

    def test_switched_off_before_it_is_there(self) -> None:
        with refused("remote_gateway", "phase 1 site-b", "new phase 1"):
            edit("ipsec_phase1", gateway(), name="site-b", network="lan", state="disabled")

    @pytest.mark.parametrize("current", [gateway(), gateway(connection(child()))])
    def test_gone(self, current: Gateway) -> None:
        made = edit("ipsec_phase1", current, name="site-b", network="lan", state="absent")
        assert made.gateway == gateway()
        assert made.result == {"name": "site-b", "network": "lan", "state": "absent"}
        assert made.scope == Scope(swanctl=frozenset({SITE_B}))

    @pytest.mark.parametrize("state", ["present", "disabled", "absent"])
    def test_of_another_network(self, state: str) -> None:
        current = gateway(network(), network(**DMZ), connection())
        with refused("network", "phase 1 site-b", "'dmz'", "lan"):
            self.edit(current, network="dmz", state=state)

    def test_certificates_are_those_of_the_files_that_are_named(self) -> None:
        current = gateway(connection(**PUBKEY))
        assert self.edit(current, **PUBKEY).certified == {"site-b"}
        off = {"name": "site-b", "network": "lan", "state": "disabled"}
        assert edit("ipsec_phase1", current, **off).certified == frozenset()
        renewed = edit("ipsec_phase1", current, **off, certificate="/etc/ssl/new.pem")
        assert renewed.certified == {"site-b"}
        new = {**PUBKEY, "certificate": "/etc/ssl/new.pem", "state": "disabled"}
        assert renewed.gateway == gateway(connection(**new))
        with refused("ca", "phase 1 site-b", "/ca.pem", "authentication psk"):
            edit("ipsec_phase1", gateway(connection()), **off, ca="/ca.pem")

    @pytest.mark.parametrize(
        ("options", "warning"),
        [
            ({"encryption": WEAK}, "weak cryptography: 3des, sha1, DH group 2"),
            (
                {
                    "key_exchange": "ikev1",
                    "negotiation_mode": "aggressive",
                    "identifier": "a.example",
                },
                "weak cryptography: aggressive mode with a PSK",
            ),
        ],
    )
    @pytest.mark.parametrize("policy", ["allow", "warn", "refuse", None])
    def test_weak_crypto(self, options: t.Any, warning: str, policy: str | None) -> None:
        asked = {**options, **({"weak_crypto": policy} if policy else {})}
        if policy == "refuse":
            option = "negotiation_mode" if "aggressive" in warning else "encryption"
            with refused(option, "phase 1 site-b", warning.split(": ")[1], "weak_crypto"):
                self.edit(gateway(), **asked)
            return
        warnings = self.edit(gateway(), **asked).warnings
        assert warnings == (() if policy == "allow" else (f"phase 1 site-b: {warning}",))

    def test_weak_crypto_of_what_is_off(self) -> None:
        made = self.edit(gateway(), encryption=WEAK, weak_crypto="refuse", state="disabled")
        assert made.warnings == ()

    @pytest.mark.parametrize("policy", ["ignore", "warn", "require", None])
    def test_quantum_safe(self, policy: str | None) -> None:
        """Each entry of encryption counts, because the peer chooses one of them."""
        entries = [PLAIN, {**PLAIN, **OPTIONAL}, {**PLAIN, **REQUIRED}]
        asked = {"encryption": entries, **({"quantum_safe": policy} if policy else {})}
        plain, optional = (
            "aes256-sha256-curve25519",
            "aes256-sha256-curve25519-ke1_mlkem768-ke1_none",
        )
        if policy == "require":
            with pytest.raises(ModelError) as caught:
                self.edit(gateway(), **asked)
            assert str(caught.value) == (
                f"phase 1 site-b: encryption '{plain}, {optional}': is not quantum safe, which "
                "quantum_safe require does not accept. Give each entry of encryption of the phase "
                "1 an additional_key_exchange without none, with key_exchange ikev2. Or use a PPK "
                "with ppk_required."
            )
            return
        warning = f"phase 1 site-b: not quantum safe: {plain}, {optional}"
        assert self.edit(gateway(), **asked).warnings == ((warning,) if policy == "warn" else ())

    def test_quantum_safe_is_a_round_in_each_entry(self) -> None:
        entries = [{**PLAIN, **REQUIRED}, {"dh_group": 20, "additional_key_exchange": TWO_ROUNDS}]
        assert self.edit(gateway(), encryption=entries, quantum_safe="require").warnings == ()

    @pytest.mark.parametrize("required", [True, False])
    def test_a_required_ppk_is_quantum_safe(self, required: bool) -> None:
        ppk = {**PPK, "ppk_required": required, "quantum_safe": "warn"}
        warnings = self.edit(gateway(), **ppk).warnings
        assert any("not quantum safe" in text for text in warnings) is not required

    def test_quantum_safe_of_what_is_off(self) -> None:
        made = self.edit(gateway(), quantum_safe="require", state="disabled")
        assert made.warnings == ()

    def test_aggressive_mode_with_certificates_is_not_weak(self) -> None:
        options = {**PUBKEY, "key_exchange": "ikev1", "negotiation_mode": "aggressive"}
        assert self.edit(gateway(), **options, weak_crypto="refuse").warnings == ()

    @pytest.mark.parametrize(("psk", "warnings"), [("x" * 19, 1), ("x" * 20, 0)])
    def test_short_psk(self, psk: str, warnings: int) -> None:
        made = self.edit(gateway(), psk=psk)
        assert len(made.warnings) == warnings
        assert all("20 characters" in warning for warning in made.warnings)


class TestPhase2:
    def edit(self, current: Gateway, **options: t.Any) -> Edit:
        return edit("ipsec_phase2", current, **{**PHASE2, **options})

    NAMED: t.ClassVar = {"name": "net", "phase1": "site-b", "network": "lan"}

    def test_new(self) -> None:
        made = self.edit(gateway(connection()))
        assert made.gateway == gateway(connection(child()))
        assert made.scope == Scope(swanctl=frozenset({SITE_B}))
        assert made.result == child().to_options()

    def test_declared_anew(self) -> None:
        current = gateway(connection(child(lifetime=2)))
        assert self.edit(current).gateway == gateway(connection(child()))

    def test_switched_off_alone(self) -> None:
        current = gateway(connection(child(lifetime=2)))
        made = edit("ipsec_phase2", current, **self.NAMED, state="disabled")
        assert made.gateway == gateway(connection(child(lifetime=2, state="disabled")))

    @pytest.mark.parametrize(
        "options",
        [
            {"lifetime": 1},
            {"lifetime_unit": "hours", "description": ""},
            {"lifetime_unit": "days"},
            {"description": "y"},
            {"mode": "tunnel"},
            {"encryption": [{"hash": "sha512"}]},
            {"apply": "defer", "weak_crypto": "refuse"},
        ],
    )
    def test_switched_off_with_some_options(self, options: t.Any) -> None:
        full = {"lifetime": 2, "lifetime_unit": "hours", "description": "x"}
        current = gateway(connection(child(**full)))
        made = edit("ipsec_phase2", current, **self.NAMED, **options, state="disabled")
        known = {key: item for key, item in options.items() if key not in ("apply", "weak_crypto")}
        changed = child(**{**full, **known, "state": "disabled"})
        assert made.gateway == gateway(connection(changed))

    def test_switched_off_with_what_does_not_fit(self) -> None:
        with refused("encryption[0].algorithm", "phase 2 net of phase 1 site-b", "protocol ah"):
            off = {**self.NAMED, "state": "disabled", "protocol": "ah"}
            edit("ipsec_phase2", gateway(connection(child())), **off)

    def test_switched_off_as_another_one(self) -> None:
        """These options are a definition, because a phase 2 in transport mode needs no networks."""
        off = {**self.NAMED, "state": "disabled", "mode": "transport"}
        made = edit("ipsec_phase2", gateway(connection(child(lifetime=2))), **off)
        whole = child(local_network=None, remote_network=None, mode="transport", state="disabled")
        assert made.gateway == gateway(connection(whole))

    @pytest.mark.parametrize("option", ["local_network", "remote_network"])
    def test_switched_off_with_half_a_definition(self, option: str) -> None:
        other = {"local_network": "remote_network", "remote_network": "local_network"}[option]
        with refused(other, "phase 2 net of phase 1 site-b", "is missing"):
            edit(
                "ipsec_phase2",
                gateway(connection(child())),
                **self.NAMED,
                state="disabled",
                **{option: PHASE2[option]},
            )

    def test_switched_off_before_it_is_there(self) -> None:
        with refused("local_network", "phase 2 net of phase 1 site-b", "is missing"):
            edit("ipsec_phase2", gateway(connection()), **self.NAMED, state="disabled")

    def test_gone(self) -> None:
        made = edit("ipsec_phase2", gateway(connection(child())), **self.NAMED, state="absent")
        assert made.gateway == gateway(connection())
        assert made.result == {**self.NAMED, "state": "absent"}
        assert made.scope == Scope(swanctl=frozenset({SITE_B}))

    @pytest.mark.parametrize("current", [gateway(connection()), gateway(), Gateway()])
    def test_gone_already(self, current: Gateway) -> None:
        made = edit("ipsec_phase2", current, **self.NAMED, state="absent")
        assert made.gateway == current

    def test_gone_from_another_network(self) -> None:
        current = gateway(network(), network(**DMZ), connection(child()))
        made = edit("ipsec_phase2", current, **{**self.NAMED, "network": "dmz"}, state="absent")
        assert made.gateway == current
        assert made.scope == Scope()

    def test_needs_its_phase_1(self) -> None:
        current = gateway(connection(name="site-c", remote_gateway="192.0.2.3"))
        with refused("phase1", "phase 2 net of phase 1 site-b", "site-c"):
            self.edit(current)

    def test_keeps_to_its_phase_1(self) -> None:
        with refused("remote_network", "phase 2 net of phase 1 site-b", "IKEv1"):
            self.edit(
                gateway(connection(key_exchange="ikev1")),
                remote_network=["10.2.0.0/24", "10.3.0.0/24"],
            )

    @pytest.mark.parametrize("policy", ["allow", "warn", "refuse"])
    def test_weak_crypto(self, policy: str) -> None:
        subject = "phase 2 net of phase 1 site-b"
        if policy == "refuse":
            with refused("encryption", subject, "3des, sha1, DH group 2", "weak_crypto"):
                self.edit(gateway(connection()), encryption=WEAK, weak_crypto=policy)
            return
        made = self.edit(gateway(connection()), encryption=WEAK, weak_crypto=policy)
        warning = f"{subject}: weak cryptography: 3des, sha1, DH group 2"
        assert made.warnings == ((warning,) if policy == "warn" else ())

    @pytest.mark.parametrize("policy", ["ignore", "warn", "require"])
    def test_quantum_safe_is_what_its_phase_1_is(self, policy: str) -> None:
        """A round of the phase 2 itself comes too late for the first Child SA."""
        asked = {"encryption": [{**PLAIN, **REQUIRED}], "quantum_safe": policy}
        reason = "takes its keys from phase 1 site-b, which is not quantum safe: "
        reason += "aes256-sha256-modp2048"
        if policy == "require":
            with refused("quantum_safe", "phase 2 net of phase 1 site-b", reason, "ppk_required"):
                self.edit(gateway(connection()), **asked)
            return
        warning = f"phase 2 net of phase 1 site-b: {reason}"
        made = self.edit(gateway(connection()), **asked)
        assert made.warnings == ((warning,) if policy == "warn" else ())

    @pytest.mark.parametrize("encryption", [[PLAIN], [{"algorithm": "aes-gcm"}]])
    def test_a_phase_2_with_classical_pfs_or_none_is_quantum_safe(self, encryption: t.Any) -> None:
        safe = connection(encryption=[{**PLAIN, **REQUIRED}])
        made = self.edit(gateway(safe), encryption=encryption, quantum_safe="require")
        assert made.warnings == ()

    def test_quantum_safe_of_what_is_off(self) -> None:
        made = self.edit(gateway(connection()), quantum_safe="require", state="disabled")
        assert made.warnings == ()

    def test_weak_crypto_of_what_is_off(self) -> None:
        made = self.edit(
            gateway(connection()), encryption=WEAK, weak_crypto="refuse", state="disabled"
        )
        assert made.warnings == ()
