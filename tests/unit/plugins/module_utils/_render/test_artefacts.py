# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files, connections, secrets and rules of a rendered Gateway."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.gateway import Gateway
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import DEBIAN
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.secret import Secret
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.artefacts import (
    Artefacts,
    artefacts,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.credentials import (
    Credentials,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.file import (
    PRIVATE,
    PUBLIC,
    File,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.records import (
    MANAGED,
    read_conf,
    read_connection,
    read_network,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.shared_secrets import (
    SharedSecret,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.strongswan.section import (
    secret_text,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.strongswan.strict import (
    parse,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.swanctl_files import (
    advanced_parts,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    PSK,
    PUBKEY,
    child,
    connection,
    gateway,
    network,
    settings,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.strategies import gateways
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

PEM = Credentials((b"certificate",), b"hush", (b"ca",))
PHASE1 = "/etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf"
BYPASS = "/etc/swanctl/conf.d/tunnelwright.bypass.lan.conf"
ADVANCED = "/etc/swanctl/conf.d/tunnelwright.advanced.lan.conf"
DAEMON = "/etc/strongswan.d/tunnelwright.conf"
ADVANCED_DAEMON = "/etc/strongswan.d/tunnelwright.advanced.lan.conf"
KEY = "/etc/swanctl/private/tunnelwright.site-b.pem"
TEXT = """connections {
    road {
        remote_addrs = 192.0.2.7, 192.0.2.8
        proposals = aes128-sha256-modp2048
        local_ts = x
        children {
            net {
                esp_proposals = aes128-sha256, aes256-sha256
                updown = a, b
            }
        }
    }
}
secrets {
    eap-carol {
        id-1 = carol
        id-2 = "dave, jr"
        secret = 0saHVzaA==
    }
}
"""


def made(
    *parts: t.Any, userspace: bool = False, credentials: Credentials | None = PEM
) -> Artefacts:
    known = {"site-b": credentials} if credentials else {}
    return artefacts(gateway(*parts), DEBIAN, userspace=userspace, credentials=known)


def files(whole: Artefacts) -> dict[str, File]:
    found = [*whole.records.values(), *whole.daemon.values()]
    found += [file for parts in whole.networks.values() for file in parts.files]
    for parts in whole.swanctl.values():
        found += [parts.file, *parts.extra_files]
    assert len({file.path for file in found}) == len(found)
    return {file.path: file for file in found}


class TestFiles:
    def test_nothing_for_nothing(self) -> None:
        nothing = artefacts(Gateway(), DEBIAN, userspace=True, credentials={})
        assert files(nothing) == {}
        assert not nothing.userspace

    def test_of_one_tunnel(self) -> None:
        assert {path: file.mode for path, file in files(made(connection(child()))).items()} == {
            "/etc/tunnelwright/lan.json": 0o644,
            "/etc/tunnelwright/lan.nft": 0o644,
            "/etc/tunnelwright/lan.sh": 0o755,
            "/etc/systemd/system/tunnelwright-lan.guard.service": 0o644,
            "/etc/systemd/system/tunnelwright-lan.service": 0o644,
            PHASE1: 0o600,
            BYPASS: 0o600,
            DAEMON: 0o644,
        }

    @profile(max_examples=40, deadline=None)
    @given(gateways(), st.booleans())
    def test_whatever_holds_a_psk_is_for_root_alone(self, gateway: t.Any, userspace: bool) -> None:
        whole = artefacts(gateway, DEBIAN, userspace=userspace, credentials={})
        psks = [item.psk.reveal() for item in gateway.connections.values() if item.psk]
        coded = [secret_text(psk).encode() for psk in psks]
        holders = {
            path: file.mode
            for path, file in files(whole).items()
            if any(text in file.data for text in coded)
        }
        assert set(holders.values()) <= {PRIVATE}
        assert len(holders) == len(gateway.connections)

    @profile(max_examples=30, deadline=None)
    @given(gateways())
    def test_they_are_the_whole_state(self, gateway: t.Any) -> None:
        whole = artefacts(gateway, DEBIAN, userspace=False, credentials={})
        for name, record in whole.records.items():
            again, _settings, rules = read_network(record.path, record.data.decode())
            assert again == gateway.networks[name]
            assert rules == gateway.rules.get(name, ())
        for name, item in gateway.connections.items():
            parts = whole.swanctl[DEBIAN.connection_path(name)]
            assert read_connection(parts.file.path, parts.file.data.decode()) == item

    @pytest.mark.parametrize("path", ["/etc/tunnelwright/lan.sh", "/etc/tunnelwright/lan.nft"])
    def test_are_managed(self, path: str) -> None:
        assert MANAGED.encode() in files(made())[path].data


class TestConnections:
    def test_file_daemon_and_secret_belong_together(self) -> None:
        parts = made(connection(child())).swanctl[PHASE1]
        assert parts.connection_names == ("site-b",)
        assert parts.connections.keys() == {"site-b"}
        assert parts.secrets == (
            SharedSecret("ike-site-b", "IKE", ("192.0.2.2",), Secret(PSK.encode())),
        )
        text = parse(parts.file.data.decode())
        assert text.keys() == {"connections", "secrets"}
        assert t.cast("dict[str, t.Any]", text["connections"]).keys() == {"site-b"}

    @pytest.mark.parametrize(
        ("power", "state", "loaded"),
        [
            ("started", "present", True),
            ("started", "disabled", False),
            ("stopped", "present", False),
        ],
    )
    def test_loaded_while_active(self, power: str, state: str, loaded: bool) -> None:
        parts = made(network(state=power), connection(state=state)).swanctl[PHASE1]
        assert parts.connection_names == ("site-b",)
        assert bool(parts.connections) is loaded
        assert bool(parts.secrets) is loaded
        assert bool(parse(parts.file.data.decode())) is loaded

    def test_settings_of_its_network(self) -> None:
        other = network(name="dmz", ip_address="10.9.0.1", network_address="10.9.0.0/24")
        parts = (network(), other, settings(network="dmz", unique_ids="never"))
        for name, unique in (("lan", "replace"), ("dmz", "never")):
            whole = made(*parts, connection(network=name))
            assert whole.swanctl[PHASE1].connections["site-b"]["unique"] == unique


class TestCertificates:
    def test_files(self) -> None:
        parts = made(connection(**PUBKEY)).swanctl[PHASE1]
        assert parts.secrets == ()
        assert parts.private_key == File(KEY, b"hush", PRIVATE)
        assert parts.extra_files == (
            File("/etc/swanctl/x509/tunnelwright.site-b.pem", b"certificate", PUBLIC),
            File(KEY, b"hush", PRIVATE),
            File("/etc/swanctl/x509ca/tunnelwright.site-b.pem", b"ca", PUBLIC),
        )
        assert "secrets" not in parse(parts.file.data.decode())

    def test_vici_takes_contents_and_the_file_names(self) -> None:
        parts = made(connection(**PUBKEY)).swanctl[PHASE1]
        section = t.cast("dict[str, t.Any]", parts.connections["site-b"])
        assert section["local"]["certs"] == (b"certificate",)
        assert section["remote"]["cacerts"] == (b"ca",)
        assert section["remote"]["id"] == "192.0.2.2"
        text = t.cast("dict[str, t.Any]", parse(parts.file.data.decode()))
        assert text["connections"]["site-b"]["local"]["certs"] == "tunnelwright.site-b.pem"

    def test_disabled_keeps_the_files_and_the_key_that_swanctl_loads_from_one(self) -> None:
        parts = made(connection(**PUBKEY, state="disabled")).swanctl[PHASE1]
        assert len(parts.extra_files) == 3
        assert parts.private_key in parts.extra_files
        assert not parts.connections

    def test_none_with_a_psk(self) -> None:
        parts = made(connection()).swanctl[PHASE1]
        assert parts.extra_files == ()
        assert parts.private_key is None

    def test_none_without_contents(self) -> None:
        parts = made(connection(**PUBKEY), credentials=None).swanctl[PHASE1]
        assert parts.extra_files == ()
        assert parts.private_key is None

    @pytest.mark.parametrize("shown", [repr(PEM), repr(made(connection(**PUBKEY)))])
    def test_the_key_shows_nowhere(self, shown: str) -> None:
        assert "hush" not in shown


class TestBypass:
    def test_is_for_the_local_network(self) -> None:
        parts = made().swanctl[BYPASS]
        assert parts.connection_names == ("tunnelwright-bypass-lan",)
        (section,) = parts.connections.values()
        children = t.cast("dict[str, t.Any]", section["children"])
        assert children["lan"]["local_ts"] == children["lan"]["remote_ts"] == ("10.1.0.0/24",)
        assert parse(parts.file.data.decode()).keys() == {"connections"}

    @pytest.mark.parametrize(
        ("parts", "userspace"),
        [
            ((settings(exclude_my_network=False),), False),
            ((network(state="stopped"),), False),
            ((network(ip_address_type="none", ip_address=None, network_address=None),), False),
            ((), True),
        ],
    )
    def test_none(self, parts: tuple[t.Any, ...], userspace: bool) -> None:
        assert BYPASS not in made(*parts, userspace=userspace).swanctl


class TestAdvanced:
    def test_parts(self) -> None:
        parts = advanced_parts("lan", TEXT, DEBIAN)
        assert parts.file == File(ADVANCED, f"{MANAGED}\n{TEXT}".encode(), PRIVATE)
        assert parts.connection_names == ("road",)
        assert parts.connections["road"] == {
            "remote_addrs": ("192.0.2.7", "192.0.2.8"),
            "proposals": ("aes128-sha256-modp2048",),
            "local_ts": ("x",),
            "children": {
                "net": {
                    "esp_proposals": ("aes128-sha256", "aes256-sha256"),
                    "updown": "a, b",
                }
            },
        }
        assert parts.secrets == (
            SharedSecret("eap-carol", "EAP", ("carol", "dave, jr"), Secret(b"hush")),
        )

    def options(self, **options: t.Any) -> t.Any:
        return settings(configuration_mode="advanced", **options)

    def test_switched_on(self) -> None:
        whole = made(self.options(swanctl_conf=TEXT, strongswan_conf="charon {\n}\n"))
        assert whole.swanctl[ADVANCED] == advanced_parts("lan", TEXT, DEBIAN)
        assert whole.daemon[ADVANCED_DAEMON] == File(
            ADVANCED_DAEMON, f"{MANAGED}\ncharon {{\n}}\n".encode(), PRIVATE
        )

    def test_switched_off_nothing_is_loaded_and_nothing_is_forgotten(self) -> None:
        whole = made(network(state="stopped"), self.options(swanctl_conf=TEXT))
        parts = whole.swanctl[ADVANCED]
        assert parts.connection_names == ("road",)
        assert not parts.connections
        assert not parts.secrets
        text = parts.file.data.decode()
        assert parse(text) == {}
        assert read_conf(text) == TEXT
        assert parts.file.mode == PRIVATE

    def test_none(self) -> None:
        whole = made()
        assert ADVANCED not in whole.swanctl
        assert whole.daemon.keys() == {DAEMON}


class TestUserspace:
    def test_is_of_the_whole_host(self) -> None:
        whole = made(userspace=True)
        assert whole.userspace
        assert b"kernel-libipsec" in whole.daemon[DAEMON].data
        assert whole.networks["lan"].ruleset.userspace

    def test_else_the_kernel(self) -> None:
        whole = made()
        assert not whole.userspace
        assert b"kernel-libipsec" not in whole.daemon[DAEMON].data
        assert not whole.networks["lan"].ruleset.userspace


def test_an_edit_of_one_shows_in_its_parts_alone() -> None:
    before = made(connection(child()))
    after = made(connection(child(), mobike=True))
    assert {key for key in before.swanctl if before.swanctl[key] != after.swanctl[key]} == {PHASE1}
    assert before.records == after.records
    assert before.daemon == after.daemon
    lan = before.networks["lan"]
    changed = after.networks["lan"]
    assert replace(lan, rules=changed.rules, ruleset=changed.ruleset) == changed


@given(gateways(), gateways(), st.booleans(), st.booleans(), st.data())
@profile(deadline=None)
def test_parts_of_a_known_gateway_are_those_of_the_gateway(
    one: Gateway, other: Gateway, was_userspace: bool, userspace: bool, data: st.DataObject
) -> None:
    """A known rendering saves work, and changes nothing."""
    mixed = replace(
        one,
        networks={
            name: data.draw(st.sampled_from([item, other.networks.get(name, item)]))
            for name, item in one.networks.items()
        },
        settings=data.draw(st.sampled_from([one.settings, other.settings])),
    )
    known = artefacts(one, DEBIAN, userspace=was_userspace, credentials={})
    assert artefacts(
        mixed, DEBIAN, userspace=userspace, credentials={}, known=(one, known)
    ) == artefacts(mixed, DEBIAN, userspace=userspace, credentials={})


@pytest.mark.parametrize("changed", [PEM, replace(PEM, ca=(b"another",)), None])
def test_certificates_of_a_known_gateway(changed: Credentials | None) -> None:
    made = gateway(connection(child(), **PUBKEY))
    known = artefacts(made, DEBIAN, userspace=False, credentials={"site-b": PEM})
    given_now = {"site-b": changed} if changed else {}
    again = artefacts(made, DEBIAN, userspace=False, credentials=given_now, known=(made, known))
    assert again == artefacts(made, DEBIAN, userspace=False, credentials=given_now)
    assert (again == known) is (changed == PEM)


def test_a_network_of_a_known_gateway_is_switched_off() -> None:
    made = gateway(connection(child()))
    known = artefacts(made, DEBIAN, userspace=False, credentials={})
    off = replace(made, networks={"lan": network(state="stopped")})
    again = artefacts(off, DEBIAN, userspace=False, credentials={}, known=(made, known))
    assert again == artefacts(off, DEBIAN, userspace=False, credentials={})
    assert again.swanctl[PHASE1].connections == {}
