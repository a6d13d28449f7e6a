# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connections that accept certificates of a managed CA, as strongSwan shows them."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import DEBIAN
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.observed import DaemonState
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.trust import (
    disclosed,
    open_connections,
)
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
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    PUBKEY,
    connection,
    gateway,
    settings,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.pki import CA, GATEWAY

PEM = Credentials((GATEWAY.certificate,), GATEWAY.key, (CA.certificate,))
SITE_B = DEBIAN.connection_path("site-b")
ADVANCED = DEBIAN.advanced_path("lan")
TUNNEL = {"net": {"mode": "TUNNEL"}}


def wanted(swanctl_conf: str = "", **options: t.Any) -> Artefacts:
    mode = {"configuration_mode": "advanced", "swanctl_conf": swanctl_conf} if swanctl_conf else {}
    made = gateway(settings(**mode), connection(**{**PUBKEY, **options}))
    return artefacts(made, DEBIAN, userspace=False, credentials={"site-b": PEM})


def listed(children: t.Any = None, **end: t.Any) -> dict[str, t.Any]:
    """Return a connection as list-conns shows it on both releases."""
    remote = {"groups": [], "cert_policy": [], "certs": [], "cacerts": [], **end}
    children = TUNNEL if children is None else children
    return {"version": "IKEv2", "children": children, "local-1": {}, "remote-1": remote}


def told(conn: t.Mapping[str, t.Any], name: str = "admin", **options: t.Any) -> list[str]:
    daemon = DaemonState(connections={name: conn})
    return open_connections(wanted(**options), daemon, {SITE_B})


WARNING = (
    "connection admin, which this collection did not make, also accepts every certificate of the "
    "CA of phase 1 site-b: strongSwan trusts a CA for all connections, and this connection names "
    "no CA. Set ca_id, cacerts or certs in its section remote."
)
PUBLIC_KEY = {"class": "public key"}
OPEN = [
    PUBLIC_KEY,
    {"id": "friend.example", **PUBLIC_KEY},
    {"id": "friend.example"},
    {},
    {"class": "any"},
    {"class": "EAP", "eap-type": "EAP_TLS"},
    {"class": "EAP", "eap-type": "EAP_DYNAMIC"},
    {"groups": ["a"], "cert_policy": ["1.2.3"], **PUBLIC_KEY},
]
CLOSED = [
    {"class": "pre-shared key"},
    {"class": "XAuth"},
    {"class": "EAP", "eap-type": "EAP_MD5"},
    {"class": "EAP", "eap-type": "EAP_RADIUS"},
    {"class": "EAP"},
    *(
        {**way, **named}
        for way in (PUBLIC_KEY, {}, {"class": "EAP", "eap-type": "EAP_TLS"})
        for named in ({"cacerts": ["CN=a"]}, {"certs": ["CN=a"]}, {"ca_id": "CN=a"})
    ),
]


class TestOfOthers:
    @pytest.mark.parametrize("end", OPEN)
    def test_open(self, end: dict[str, t.Any]) -> None:
        assert told(listed(**end)) == [WARNING]

    @pytest.mark.parametrize("end", CLOSED)
    def test_closed(self, end: dict[str, t.Any]) -> None:
        assert told(listed(**end)) == []

    def test_any_round(self) -> None:
        conn = {**listed(cacerts=["CN=a"], **PUBLIC_KEY), "remote-2": {**PUBLIC_KEY}}
        assert told(conn) == [WARNING]

    @pytest.mark.parametrize("mode", ["PASS", "DROP"])
    def test_not_without_a_peer(self, mode: str) -> None:
        assert told(listed({"lan": {"mode": mode}})) == []
        assert told(listed({"lan": {"mode": mode}, **TUNNEL})) == [WARNING]

    def test_not_without_a_ca(self) -> None:
        assert (
            told(
                listed(),
                **{
                    **PUBKEY,
                    "authentication": "psk",
                    "psk": "x" * 20,
                    "certificate": None,
                    "private_key": None,
                    "ca": None,
                },
            )
            == []
        )

    def test_a_phase_1_that_is_disabled_has_its_ca(self) -> None:
        assert told(listed(), state="disabled") == [WARNING]

    @pytest.mark.parametrize("name", ["site-b", "tunnelwright-trial", "tunnelwright-bypass-gone"])
    def test_not_ours(self, name: str) -> None:
        assert told(listed(), name) == []

    def test_not_for_another_task(self) -> None:
        daemon = DaemonState(connections={"admin": listed()})
        assert open_connections(wanted(), daemon, {DEBIAN.connection_path("other")}) == []


REMOTES = [
    ("", True),
    ("remote {\n}", True),
    ("remote {\nauth = pubkey\n}", True),
    ("remote {\nauth = ike:rsa-sha256\n}", True),
    ("remote {\nauth = eap-tls\n}", True),
    ("remote {\nauth = eap-dynamic\n}", True),
    ("remote {\nauth = psk\n}", False),
    ("remote {\nauth = xauth\n}", False),
    ("remote {\nauth = eap-mschapv2\n}", False),
    ("remote {\nca_id = CN=a\n}", False),
    ("remote {\ncacerts = a.pem\n}", False),
    ("remote {\ncacert-1 {\nfile = a.pem\n}\n}", False),
    ("remote {\ncerts = a.pem\n}", False),
    ("remote {\npubkeys = a.pem\n}", False),
    ("remote-1 {\nca_id = CN=a\n}\nremote-2 {\n}", True),
    ("children {\nlan {\nmode = pass\n}\n}", False),
]


class TestOfSwanctlConf:
    @pytest.mark.parametrize(("remote", "is_open"), REMOTES)
    @pytest.mark.parametrize("path", [SITE_B, ADVANCED])
    def test_whichever_task_brings_it(self, path: str, remote: str, is_open: bool) -> None:
        text = f"connections {{\nroad {{\n{remote}\n}}\n}}\n"
        found = open_connections(wanted(text), DaemonState(), {path})
        others = "admin, which this collection did not make,"
        expected = WARNING.replace(others, "road of swanctl_conf")
        expected = expected.replace("ca_id, cacerts or certs", "ca_id")
        assert found == ([expected] if is_open else [])

    def test_said_once(self) -> None:
        text = "connections {\nroad {\n}\n}\n"
        daemon = DaemonState(connections={"road": listed()})
        assert len(open_connections(wanted(text), daemon, {SITE_B, ADVANCED})) == 1


@pytest.mark.parametrize(
    ("path", "mode", "data", "open_"),
    [
        ("/etc/swanctl/x509/a.pem", PUBLIC, GATEWAY.certificate + GATEWAY.key, True),
        ("/etc/swanctl/x509ca/a.pem", PUBLIC, CA.key[:-9], True),
        ("/etc/swanctl/x509ca/a.pem", PRIVATE, CA.key, False),
        ("/etc/swanctl/x509/a.pem", PUBLIC, GATEWAY.certificate + CA.crl, False),
        ("/etc/swanctl/private/a.pem", PRIVATE, GATEWAY.key, False),
        # The mode of a file in ``private`` is drift, and is reported as drift.
        ("/etc/swanctl/private/a.pem", PUBLIC, GATEWAY.key, False),
    ],
)
def test_a_key_that_lay_open(path: str, mode: int, data: bytes, open_: bool) -> None:
    text = (
        f"{path} contains a private key that every user of this host could read. Replace the key "
        "and its certificate."
    )
    assert disclosed([File(path, data, mode)], DEBIAN) == ([text] if open_ else [])
