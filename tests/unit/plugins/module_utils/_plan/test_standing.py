# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Comparison of SAs in list-sas with rendered sections."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.in_force import (
    NOTHING,
    InForce,
    child_part,
    ike_part,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.standing import (
    Standing,
    child_standing,
    ike_deviations,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.connection import (
    connection_section,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    child,
    connection,
    settings,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.memory_host import (
    sa_section,
)

GCM = [{"algorithm": "aes-gcm", "key_length": 128, "dh_group": 19}]


def section(made=None, **options):
    return connection_section(connection(made or child(), **options), settings())


def sa(made, *children, **changes):
    net = {
        "name": "net",
        "uniqueid": "7",
        "mode": "TUNNEL",
        "local-ts": ("10.1.0.0/24",),
        "remote-ts": ("10.2.0.0/24",),
    }
    return {**sa_section(children or [net], made), **changes}


def only(ike) -> dict[str, t.Any]:
    (found,) = ike["child-sas"].values()
    return found


def standing(made, ike, noted=NOTHING) -> Standing:
    found = child_standing(made, "net", [ike], noted)
    assert found is not None
    return found


def keys(made, ike, noted=NOTHING):
    return [item.key for item in standing(made, ike, noted).deviations]


def test_as_it_is_configured():
    found = standing(section(), sa(section()))
    assert (found.missing, found.deviations, found.noted) == ((), (), False)
    assert [str(item) for item in found.carried] == ["10.1.0.0/24 to 10.2.0.0/24"]
    assert ike_deviations(section(), [sa(section())], NOTHING) == ()


@pytest.mark.parametrize("state", ["REKEYED", "DELETING", "DELETED", "CREATED", "INSTALLING"])
def test_what_carries_nothing_does_not_stand(state):
    ike = sa(section())
    only(ike)["state"] = state
    assert child_standing(section(), "net", [ike], NOTHING) is None
    assert child_standing(section(), "other", [sa(section())], NOTHING) is None


@pytest.mark.parametrize(
    ("options", "changes", "key", "in_force", "configured"),
    [
        ({"key_exchange": "ikev2"}, {"version": "1"}, "version", "1", "2"),
        ({}, {"remote-host": "192.0.2.9"}, "remote_addrs", "192.0.2.9", "192.0.2.2"),
        ({"local_address": "198.51.100.7"}, {}, "local_addrs", "198.51.100.1", "198.51.100.7"),
        ({"identifier": "a.example"}, {"local-id": "b"}, "local.id", "b", "a.example"),
        ({"peer_identifier": "x@example"}, {"remote-id": "b"}, "remote.id", "b", "x@example"),
        ({}, {"remote-id": "192.0.2.9"}, "remote.id", "192.0.2.9", "192.0.2.2"),
        (
            {},
            {"encr-keysize": "128"},
            "proposals",
            "aes128-sha256-prfsha256-modp2048",
            "aes256-sha256-modp2048",
        ),
        ({}, {"dh-group": "ECP_256"}, "proposals", None, None),
        ({}, {"integ-alg": "HMAC_SHA1_96"}, "proposals", None, None),
        ({"encryption": GCM}, {}, "proposals", None, "aes128gcm16-prfsha256-ecp256"),
    ],
)
def test_of_the_ike_sa(options, changes, key, in_force, configured):
    made = section(**options)
    ike = sa(made, **changes)
    (found,) = ike_deviations(made, [ike], NOTHING)
    assert found.key == key
    assert in_force in (None, found.in_force)
    assert configured in (None, found.configured)
    assert keys(made, ike) == [key]


@pytest.mark.parametrize(
    ("options", "changes"),
    [
        ({"key_exchange": "auto"}, {"version": "1"}),
        # A peer with MOBIKE may have moved.
        ({"mobike": True}, {"remote-host": "192.0.2.9", "local-host": "198.51.100.9"}),
        ({"remote_gateway": "gw.example"}, {"remote-host": "192.0.2.9"}),
        ({}, {"local-host": "198.51.100.9", "local-id": "x"}),
        ({"peer_identifier": "C=CH, CN=b"}, {"remote-id": "CN=b, C=CH"}),
        ({"peer_identifier": "*.example"}, {"remote-id": "b.example"}),
        ({"peer_identifier": "@b.example"}, {"remote-id": "b.example"}),
        ({}, {"encr-alg": "SERPENT_CBC"}),
        (
            {"encryption": GCM},
            {"encr-alg": "AES_GCM_16", "encr-keysize": "128", "dh-group": "ECP_256"},
        ),
    ],
)
def test_what_is_no_deviation(options, changes):
    made = section(**options)
    ike = sa(made, **changes)
    if "GCM" in str(changes):
        del ike["integ-alg"]
    assert ike_deviations(made, [ike], NOTHING) == ()


def test_an_ike_sa_that_carries_nothing_is_on_its_way_out():
    idle = {**sa(section()), "child-sas": {}, "version": "1"}
    assert ike_deviations(section(), [idle], NOTHING) == ()
    bare = connection_section(connection(), settings())
    assert [item.key for item in ike_deviations(bare, [idle], NOTHING)] == ["version"]
    connecting = {**sa(section()), "state": "CONNECTING", "version": "1"}
    assert ike_deviations(section(), [connecting], NOTHING) == ()


@pytest.mark.parametrize(
    ("options", "changes", "key"),
    [
        ({}, {"local-ts": ("10.9.0.0/24",)}, "local_ts"),
        ({}, {"remote-ts": ("10.2.0.0/24", "10.9.0.0/24")}, "remote_ts"),
        ({}, {"remote-ts": ("10.0.0.0/8",)}, "remote_ts"),
        ({}, {"mode": "TRANSPORT"}, "mode"),
        ({}, {"protocol": "AH"}, "protocol"),
        ({"protocol": "ah"}, {}, "protocol"),
        ({}, {"encr-keysize": "128"}, "esp_proposals"),
        ({}, {"dh-group": "ECP_256"}, "esp_proposals"),
        ({}, {"cpi-in": "1", "cpi-out": "2"}, "ipcomp"),
    ],
)
def test_of_a_child_sa(options, changes, key):
    made = section(child(**options))
    ike = sa(made)
    only(ike).update(changes)
    assert keys(made, ike) == [key]
    assert ike_deviations(made, [ike], NOTHING) == ()


def test_forced_encapsulation():
    made = section(force_udp_encapsulation=True)
    ike = sa(made)
    assert keys(made, ike) == ["encap"]
    only(ike)["encap"] = "yes"
    assert keys(made, ike) == []
    # NAT may be the reason for the encapsulation.
    assert keys(section(), ike) == []


def test_what_a_peer_takes_of_the_networks_is_missing_and_no_deviation():
    made = section(child(remote_network=["10.2.0.0/24", "10.3.0.0/24"]))
    found = standing(made, sa(made))
    assert [str(item) for item in found.missing] == ["10.1.0.0/24 to 10.3.0.0/24"]
    assert found.deviations == ()


@pytest.mark.parametrize("version", ["ikev1", "ikev2"])
@pytest.mark.parametrize("hosts", [{}, {"local_network": ["198.51.100.1/32"]}])
def test_transport_mode_is_between_the_gateways(version, hosts):
    between = {"mode": "transport", "local_network": None, "remote_network": None, **hosts}
    made = section(child(1 if version == "ikev1" else 2, **between), key_exchange=version)
    ike = sa(made)
    behind_nat = {"local-ts": ("10.0.0.1/32",), "remote-ts": ("192.0.2.2/32",)}
    only(ike).update({"mode": "TRANSPORT", **behind_nat})
    assert standing(made, ike) == Standing(standing(made, ike).carried)
    only(ike)["remote-ts"] = ("192.0.2.2/32[tcp]",)
    assert len(standing(made, ike).missing) == 1


OLD, NEW = section(dpd_delay=10), section()


def test_what_was_noted_of_an_ike_sa():
    noted = InForce({"1": ike_part(OLD)})
    (found,) = ike_deviations(NEW, [sa(NEW)], noted)
    assert (found.key, found.in_force, found.configured) == ("dpd_delay", "10", "30")
    assert standing(NEW, sa(NEW), noted).noted
    # The configuration has the old values again.
    assert ike_deviations(OLD, [sa(OLD)], noted) == ()
    # The note belongs to another SA.
    assert ike_deviations(NEW, [sa(NEW, uniqueid="2")], noted) == ()


def test_what_was_noted_comes_before_what_is_seen():
    old = section(remote_gateway="192.0.2.9")
    noted = InForce({"1": ike_part(old)})
    found = ike_deviations(NEW, [sa(old)], noted)
    assert sorted(item.key for item in found) == ["remote.id", "remote_addrs"]


def test_where_no_more_is_known():
    noted = InForce({"1": {}})
    (found,) = ike_deviations(NEW, [sa(NEW)], noted)
    assert (found.key, found.in_force) == ("configuration", "unknown older values")
    seen = ike_deviations(NEW, [sa(NEW, version="1")], noted)
    assert [item.key for item in seen] == ["version"]


def test_what_was_noted_of_a_child_sa():
    old = section(child(lifetime=2))["children"]["net"]
    noted = InForce(children={"7": ("net", child_part(old))})
    found = standing(NEW, sa(NEW), noted)
    assert [item.key for item in found.deviations] == ["life_time", "rekey_time"]
    assert ike_deviations(NEW, [sa(NEW)], noted) == ()
    # A start action is no property of an SA.
    started = section(connection_behavior="start")["children"]["net"]
    noted = InForce(children={"7": ("net", child_part(started))})
    assert standing(NEW, sa(NEW), noted).deviations == ()


def test_a_certificate_is_told_by_its_digest():
    made = {**NEW, "local": {"auth": "pubkey", "certs": (b"the new one",)}}
    old = {**NEW, "local": {"auth": "pubkey", "certs": (b"the old one",)}}
    (found,) = ike_deviations(made, [sa(NEW)], InForce({"1": ike_part(old)}))
    assert found.key == "local.certs"
    assert found.in_force.startswith("sha256:")
    assert found.in_force != found.configured


def test_ports_and_protocols():
    made = section()
    made["children"]["net"]["remote_ts"] = ("10.2.0.0/24[tcp/8080]",)
    ike = sa(made)
    only(ike)["remote-ts"] = ("10.2.0.0/24[tcp/http-alt]",)
    assert standing(made, ike) == Standing(standing(made, ike).carried)
    only(ike)["remote-ts"] = ("10.2.0.0/24[udp/8080]",)
    assert keys(made, ike) == ["remote_ts"]
