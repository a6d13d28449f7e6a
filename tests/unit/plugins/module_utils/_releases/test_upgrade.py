# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.secret import MASK
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._releases.releases import (
    BASE,
    CHARON_EXTRA,
    EXTRA,
    STANDARD,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._releases.upgrade import rehearse
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.masking import masked
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.upgrades import (
    AES,
    FILES,
    ROAD,
    STRONGSWAN_CONF,
    SWANCTL_CONF,
    connection,
    gateway,
    texts,
)

Facts = dict[str, t.Any]


def rehearsed(info: Facts, target: str = "debian14", files: dict[str, str] | None = None) -> t.Any:
    return rehearse(info, FILES if files is None else files, target)


def effects(found: t.Any) -> dict[str, str]:
    return {item["name"]: item["effect"] for item in found["connections"]}


def causes(found: t.Any, name: str = "site-b") -> dict[str, str]:
    (item,) = (item for item in found["connections"] if item["name"] == name)
    return {finding["cause"]: finding["effect"] for finding in item["findings"]}


def host_causes(found: t.Any) -> dict[str, str]:
    return {finding["cause"]: finding["effect"] for finding in found["host"]}


class TestIkeVersion:
    def test_ikev2_continues(self) -> None:
        found = rehearsed(gateway(connection("site-b", 2), release="debian13"))
        assert effects(found) == {"site-b": "continues"}
        assert found["effect"] == "changes"
        assert host_causes(found) == {"daemon_restarts": "changes", "python_changes": "changes"}

    @pytest.mark.parametrize("mode", ["main", "aggressive"])
    def test_ikev1_stops(self, mode: str) -> None:
        asked = connection("site-b", 1, key_exchange="ikev1", negotiation_mode=mode)
        found = rehearsed(gateway(asked))
        assert causes(found) == {"ikev1_only": "stops"}
        assert found["effect"] == "stops"
        assert found["counts"] == {"stops": 1}

    @pytest.mark.parametrize("release", ["debian12", "debian13"])
    def test_ikev1_continues_where_the_target_has_it(self, release: str) -> None:
        asked = connection("site-b", 1, key_exchange="ikev1")
        assert effects(rehearsed(gateway(asked, release=release), "debian13")) == {
            "site-b": "continues"
        }

    @pytest.mark.parametrize(
        ("versions", "cause", "effect"),
        [
            ((1,), "ikev1_in_use", "stops"),
            ((2,), "auto_becomes_ikev2", "changes"),
            ((), "auto_becomes_ikev2", "depends"),
            # The peer still initiates IKEv1 while this side initiates IKEv2.
            ((1, 2), "ikev1_in_use", "stops"),
        ],
    )
    def test_auto(self, versions: tuple[int, ...], cause: str, effect: str) -> None:
        asked = connection("site-b", *versions, key_exchange="auto")
        assert causes(rehearsed(gateway(asked))) == {cause: effect}

    def test_an_sa_that_is_not_up_says_nothing(self) -> None:
        asked = connection(key_exchange="auto")
        asked["sas"] = [{"version": 1, "state": "CONNECTING"}]
        assert causes(rehearsed(gateway(asked))) == {"auto_becomes_ikev2": "depends"}

    def test_a_disabled_phase1_does_not_stop(self) -> None:
        asked = {**connection(key_exchange="ikev1"), "state": "disabled"}
        found = rehearsed(gateway(asked, release="debian13"))
        assert effects(found) == {"site-b": "changes"}
        assert causes(found) == {"ikev1_only": "stops"}

    def test_dpd_failures(self) -> None:
        asked = connection("site-b", 2, key_exchange="auto", dpd_failures=3)
        assert causes(rehearsed(gateway(asked)))["dpd_failures_unused"] == "refused"
        asked = connection("site-b", 2, key_exchange="ikev2", dpd_failures=3)
        assert causes(rehearsed(gateway(asked))) == {}

    @pytest.mark.parametrize("option", ["cisco_extensions", "unencrypted_main_mode"])
    def test_settings_that_only_ikev1_uses(self, option: str) -> None:
        info = gateway(connection("site-b", 2), release="debian13")
        info["networks"][0]["settings"][option] = True
        found = rehearsed(info)
        assert host_causes(found)["option_refused"] == "refused"
        assert found["effect"] == "refused"
        assert "option_refused" not in host_causes(rehearsed(info, "debian13"))


class TestAlgorithms:
    def test_a_package_has_it_on_the_target(self) -> None:
        """The base package of Debian 12 has aesxcbc. Debian 13 has it in another package."""
        asked = connection("site-b", 2, encryption=[{**AES, "hash": "aesxcbc"}])
        info = gateway(asked, packages=(BASE,))
        found = rehearsed(info, "debian13")
        assert causes(found) == {"algorithm_gone": "stops"}
        (finding,) = found["connections"][0]["findings"]
        assert "AES_XCBC_96, PRF_AES128_XCBC" in finding["reason"]
        assert finding["action"] == f"Install {EXTRA} together with the upgrade."
        info = gateway(asked, release="debian13", packages=(BASE, EXTRA))
        assert causes(rehearsed(info)) == {}

    def test_a_processor_with_aes_instructions(self) -> None:
        """The plugin aesni of the standard package has the integrity, but cannot derive keys."""
        asked = connection("site-b", 2, encryption=[{**AES, "hash": "aesxcbc", "prf": "sha256"}])
        assert causes(rehearsed(gateway(asked), "debian13")) == {}
        info = gateway(asked)
        info["capabilities"]["integrity"].remove("AES_CMAC_96")
        assert causes(rehearsed(info, "debian13")) == {"algorithm_gone": "stops"}
        asked = connection("site-b", 2, encryption=[{**AES, "prf": "aesxcbc"}])
        assert causes(rehearsed(gateway(asked), "debian13")) == {"algorithm_gone": "stops"}

    @pytest.mark.parametrize(
        ("prf", "others", "effect"),
        [("aesxcbc", (), "stops"), ("aescmac", (AES,), "depends"), ("sha256", (), None)],
    )
    def test_a_plugin_that_moves_is_loaded_late(
        self, prf: str, others: tuple[Facts, ...], effect: str | None
    ) -> None:
        """dpkg restarted the daemon before it configured the package of the plugin kdf."""
        asked = connection("site-b", 2, encryption=[{**AES, "prf": prf}, *others])
        info = gateway(asked, packages=(BASE, STANDARD, EXTRA))
        assert causes(rehearsed(info, "debian13")).get("restart_again") == effect
        info = gateway(asked, release="debian13", packages=(BASE, STANDARD, EXTRA))
        assert "restart_again" not in causes(rehearsed(info))

    def test_integrity_of_a_plugin_that_moves(self) -> None:
        asked = connection("site-b", 2, encryption=[{**AES, "hash": "aesxcbc", "prf": "sha256"}])
        info = gateway(asked, packages=(BASE, EXTRA))
        assert causes(rehearsed(info, "debian13")) == {"restart_again": "stops"}

    def test_another_proposal_remains(self) -> None:
        asked = connection("site-b", 2, encryption=[{**AES, "hash": "aesxcbc"}, AES])
        info = gateway(asked, packages=(BASE,))
        assert causes(rehearsed(info, "debian13")) == {"algorithm_gone": "depends"}

    def test_an_algorithm_that_is_lacking_already(self) -> None:
        asked = connection("site-b", 2, encryption=[{**AES, "hash": "aesxcbc"}])
        info = gateway(asked, release="debian13", packages=(BASE,))
        assert causes(rehearsed(info)) == {}

    def test_a_daemon_that_does_not_run(self) -> None:
        asked = connection("site-b", encryption=[{**AES, "hash": "aesxcbc"}])
        info = gateway(asked, packages=(BASE,))
        info["capabilities"] = {kind: [] for kind in info["capabilities"]}
        info["daemon"]["version"] = None
        assert causes(rehearsed(info, "debian13")) == {"algorithm_gone": "stops"}

    @pytest.mark.parametrize(("dataplane", "stops"), [("kernel", False), ("userspace", True)])
    def test_the_kernel_encrypts_esp(self, dataplane: str, stops: bool) -> None:
        asked = connection("site-b", 2)
        child = {"name": "lan", "options": {"encryption": [{**AES, "hash": "aesxcbc"}]}}
        asked["phase2"] = [child]
        info = gateway(asked, packages=(BASE, CHARON_EXTRA))
        info["daemon"]["dataplane"] = dataplane
        assert ("algorithm_gone" in causes(rehearsed(info, "debian13"))) == stops

    @pytest.mark.parametrize(
        ("proposals", "effect"),
        [
            ("serpent256-sha256-modp2048", "stops"),
            ("twofish128-sha256-modp2048, Serpent256-sha256-modp2048", "stops"),
            ("serpent256-sha256-modp2048,aes256-sha256-modp2048", "depends"),
            ("blowfish256-sha256-modp2048", None),
            ("cast128-sha256-modp2048", None),
        ],
    )
    def test_words_of_texts(self, proposals: str, effect: str | None) -> None:
        """Serpent and Twofish are gone. OpenSSL has Blowfish and CAST."""
        road = f"connections {{ road {{\n version = 2\n proposals = {proposals}\n }} }}\n"
        info = gateway(release="debian13", packages=(BASE, EXTRA))
        found = causes(rehearsed(info, files=texts(road)), "road")
        assert found.get("algorithm_gone") == effect
        assert "algorithm_gone" not in causes(rehearsed(gateway(), "debian13", texts(road)), "road")

    @pytest.mark.parametrize(("dataplane", "stops"), [("kernel", False), ("userspace", True)])
    def test_the_kernel_encrypts_esp_of_texts(self, dataplane: str, stops: bool) -> None:
        road = (
            "connections { road { version = 2\n"
            "children { a { esp_proposals = serpent256-sha256-modp2048 } } } }\n"
        )
        info = gateway(release="debian13", packages=(BASE, EXTRA))
        info["daemon"]["dataplane"] = dataplane
        found = causes(rehearsed(info, files=texts(road)), "road")
        assert ("algorithm_gone" in found) == stops

    def test_no_package_has_it(self) -> None:
        road = "connections { road { version = 2\n proposals = serpent256-sha256-modp2048\n } }\n"
        info = gateway(release="debian13", packages=(BASE, EXTRA))
        (finding,) = rehearsed(info, files=texts(road))["connections"][0]["findings"]
        assert finding["action"].startswith("No package of Debian 14 has SERPENT_CBC.")


class TestTexts:
    ROAD = """
    base { version = 1 }
    connections {
        old : base { children { a { esp_proposals = aes256-sha256 } } }
        any { children { a { esp_proposals = aes256-sha256 } } }
        zero { version = 0 }
        new { version = 2
            children {
                a { mode = pass }
                b { ah_proposals = sha256 }
                c { esp_proposals = aes256-sha256, default }
                d { }
            }
        }
        tunnelwright-bypass-lan { version = 1 }
        site-b { version = 1 }
    }
    """

    def test_unmanaged_connections_by_name(self) -> None:
        """A connection with the name of a phase 1 is the phase 1, and is checked by its options."""
        found = rehearsed(gateway(connection("site-b", 2)), files=texts(self.ROAD))
        assert effects(found) == {
            "old": "stops",
            "any": "depends",
            "zero": "depends",
            "new": "changes",
            "site-b": "continues",
        }
        by_name = {item["name"]: item for item in found["connections"]}
        assert {by_name[name]["kind"] for name in ("old", "any", "zero", "new")} == {"unmanaged"}
        assert by_name["old"]["file"] == ROAD
        assert by_name["any"]["findings"][0]["where"] == "version not set"
        assert by_name["zero"]["findings"][0]["where"] == "version 0"

    def test_default_esp_proposals(self) -> None:
        found = rehearsed(gateway(), files=texts(self.ROAD))
        (new,) = (item for item in found["connections"] if item["name"] == "new")
        assert [item["where"] for item in new["findings"]] == [
            "child c: esp_proposals default",
            "child d: esp_proposals default",
        ]
        assert causes(rehearsed(gateway(), "debian13", texts(self.ROAD)), "new") == {}

    def test_connections_of_conf_texts_know_their_sas(self) -> None:
        path = "/etc/swanctl/conf.d/tunnelwright.advanced.lan.conf"
        text = "connections { extra { children { a { esp_proposals = aes256 } } } }\n"
        known = {**connection("extra", 1, key_exchange="auto"), "advanced": True}
        found = rehearsed(gateway(known), files={**FILES, path: text})
        assert causes(found, "extra") == {"ikev1_in_use": "stops"}
        assert found["connections"][0]["kind"] == "conf text"
        # Without the text, the values of ipsec_info are enough for the IKE version.
        assert causes(rehearsed(gateway(known)), "extra") == {"ikev1_in_use": "stops"}

    def test_inheritance(self) -> None:
        road = """
        base { version = 2
            children { a { esp_proposals = aes256-sha256 } } }
        connections { road : base { } }
        """
        assert effects(rehearsed(gateway(), files=texts(road))) == {"road": "continues"}

    def test_circles(self) -> None:
        road = "connections { a : connections.b { }\n b : connections.a { } }\n"
        assert effects(rehearsed(gateway(), files=texts(road))) == {"a": "depends", "b": "depends"}

    def test_only_files_that_strongswan_reads(self) -> None:
        path = "/etc/swanctl/other/x.conf"
        files = {**FILES, path: "connections { x { version = 1 } }\n"}
        assert rehearsed(gateway(), files=files)["connections"] == []
        files[SWANCTL_CONF] = "include conf.d/*.conf\ninclude other/*.conf\n"
        # The pattern is relative to the file that includes.
        assert effects(rehearsed(gateway(), files=files)) == {"x": "stops"}

    def test_a_file_that_strongswan_refuses(self) -> None:
        found = rehearsed(gateway(), files=texts("connections { x {\n"))
        assert host_causes(found)["file_refused"] == "stops"
        assert found["effect"] == "stops"

    @pytest.mark.parametrize(
        "text", ["connections { x {\n", "base { }\nconnections { x : base { version = 1 } }\n"]
    )
    def test_a_text_that_is_masked_as_a_whole(self, text: str) -> None:
        """A query masks such a text, also if strongSwan accepts it."""
        road = masked(text)
        assert road == f"{MASK}\n"
        files = {**texts(road), SWANCTL_CONF: f"include conf.d/*.conf\n{MASK}\n"}
        found = rehearsed(gateway(unmanaged=["x"]), "debian14", files)
        assert found["connections"] == []
        hidden = [item["where"] for item in found["host"] if item["cause"] == "file_hidden"]
        assert hidden == [ROAD, SWANCTL_CONF]
        assert host_causes(found)["connection_without_file"] == "depends"
        assert "file_refused" not in host_causes(found)

    def test_a_masked_value_hides_nothing(self) -> None:
        road = f"connections {{ x {{ version = 1 }} }}\nsecrets {{ ike {{ secret = {MASK} }} }}\n"
        assert effects(rehearsed(gateway(), files=texts(road))) == {"x": "stops"}

    def test_connections_that_are_in_no_file(self) -> None:
        found = rehearsed(gateway(unmanaged=["ghost", "old"]), files=texts(self.ROAD))
        (finding,) = (item for item in found["host"] if item["cause"] == "connection_without_file")
        assert "ghost" in finding["where"]
        assert "old" not in finding["where"]

    def test_settings_of_plugins_that_are_gone(self) -> None:
        text = "charon { plugins { gcrypt { load = no } openssl { load = yes } } }\n"
        files = {**FILES, STRONGSWAN_CONF: text}
        assert host_causes(rehearsed(gateway(), files=files))["plugin_gone"] == "changes"
        assert "plugin_gone" not in host_causes(rehearsed(gateway(), "debian13", files))


class TestCertificates:
    @staticmethod
    def asked(**more: t.Any) -> Facts:
        item = {
            "option": "ca",
            "file": "/etc/swanctl/x509ca/tunnelwright.site-b.pem",
            "subject": "CN=b",
            "issuer": "CN=b",
            "validity": "expired",
        }
        return {**connection("site-b", 2), "certificates": [{**item, **more}]}

    def test_self_signed_and_expired(self) -> None:
        complete = {"advisories": []}
        found = rehearsed(gateway(self.asked(), **complete))
        assert causes(found) == {"self_signed_not_valid": "depends"}
        found = rehearsed(gateway(self.asked(validity="not_yet_valid"), **complete))
        assert causes(found) == {"self_signed_not_valid": "depends"}
        for more in ({"validity": "valid"}, {"issuer": "CN=ca"}, {"subject": None, "issuer": None}):
            assert causes(rehearsed(gateway(self.asked(**more), **complete))) == {}
        assert causes(rehearsed(gateway(self.asked(), **complete), "debian13")) == {}

    def test_directory_name_constraints(self) -> None:
        asked = self.asked(validity="valid")
        lacking = {"advisories": [{"id": "CVE-2026-35331"}]}
        for target in ("debian13", "debian14"):
            found = rehearsed(gateway(asked, **lacking), target)
            assert causes(found) == {"directory_name_constraints": "depends"}
        # Packages without an answer of the table.
        unknown = {"advisories": None}
        found = rehearsed(gateway(asked, **unknown))
        assert causes(found) == {"directory_name_constraints": "depends"}
        assert causes(rehearsed(gateway(asked, **unknown), "debian13")) == {}


class TestHost:
    def test_the_same_release(self) -> None:
        asked = connection("site-b", 1, key_exchange="ikev1")
        for target in ("debian12", "debian13"):
            found = rehearsed(gateway(asked, release="debian13"), target)
            assert (found["effect"], found["host"]) == ("continues", [])

    def test_a_skipped_release(self) -> None:
        assert host_causes(rehearsed(gateway()))["skipped_release"] == "depends"
        assert "skipped_release" not in host_causes(rehearsed(gateway(), "debian13"))

    def test_an_unknown_release(self) -> None:
        info = gateway(connection(key_exchange="ikev1"))
        info["packages"].update(distribution="ubuntu", codename="noble")
        found = rehearsed(info)
        assert found["current"] is None
        assert host_causes(found)["unknown_release"] == "depends"
        assert effects(found) == {"site-b": "stops"}

    def test_mixed_packages(self) -> None:
        info = gateway()
        info["packages"]["installed"][STANDARD] = "5.9.8-0"
        assert host_causes(rehearsed(info, "debian13"))["mixed_packages"] == "depends"

    def test_ipsec_conf(self) -> None:
        info = gateway()
        info["packages"]["installed"]["strongswan-starter"] = "5.9.8-1"
        assert host_causes(rehearsed(info, "debian13"))["ipsec_conf"] == "depends"

    def test_plugins(self) -> None:
        info = gateway(packages=(BASE, CHARON_EXTRA))
        info["daemon"]["plugins"] = ["aes", "openssl", "led", "sshkey", "gcrypt", "xcbc"]
        found = rehearsed(info)
        (gone,) = (item for item in found["host"] if item["cause"] == "plugin_gone")
        assert gone["where"] == "plugin led"
        (moved,) = (item for item in found["host"] if item["cause"] == "plugin_moved")
        assert moved["where"] == "plugins sshkey"
        assert STANDARD in moved["action"]

    def test_plugins_that_move_to_an_installed_package(self) -> None:
        info = gateway(packages=(BASE, STANDARD, EXTRA))
        info["daemon"]["plugins"] = ["aes", "kdf", "pgp", "sshkey", "openssl"]
        found = rehearsed(info, "debian13")
        places = [
            item["where"] for item in found["host"] if item["cause"] == "plugins_need_restart"
        ]
        assert places == [f"package {STANDARD}", f"package {EXTRA}"]
        assert "plugin_moved" not in host_causes(found)

    def test_python(self) -> None:
        found = rehearsed(gateway(), "debian13")
        (finding,) = (item for item in found["host"] if item["cause"] == "python_changes")
        assert finding["where"] == "Python 3.11 to 3.13"
