# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A peer that has one key and claims the identity of another peer, against real daemons.

Accepted configurations refuse this peer, and accept an honest peer. Refused configurations would
accept this peer. Both together prove that the rules are neither too weak nor too strict.
"""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.tests.live.rig import PSK, RELEASES, Rig, need_ikev1
from ansible_collections.tunnelwright.ipsec.tests.live.strangers import (
    ANY,
    HUB,
    KEYS,
    LEGAL,
    REFUSED,
    Call,
    Case,
    Gateway,
)

PHASE1 = "/etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf"
# The file with the setting that an earlier version wrote together with the phase 1.
FOREIGN = "/etc/strongswan.d/strangers.conf"
AGGRESSIVE = "charon {\n  i_dont_care_about_security_and_use_aggressive_mode_psk = yes\n}\n"


@pytest.fixture(name="gateway", scope="module", params=RELEASES)
def _gateway(request: pytest.FixtureRequest, rigs: dict[str, Rig]) -> t.Iterator[Gateway]:
    gateway = Gateway(rigs[request.param])
    gateway.device.wipe()
    gateway.device.apply("vpn_network", gateway.rig.network())
    gateway.device.sh(f"cat >{FOREIGN}", AGGRESSIVE)
    gateway.device.vici("reload-settings")
    yield gateway
    gateway.device.sh(f"rm {FOREIGN}")
    gateway.device.wipe()


@pytest.mark.parametrize("case", LEGAL, ids=str)
def test_a_stranger_is_kept_out(gateway: Gateway, case: Case) -> None:
    if case.ikev1:
        need_ikev1(gateway.device)
    try:
        gateway.configure("x", case.x)
        gateway.configure("y", case.y)
        for call in case.honest:
            assert gateway.let_in(call) == {call.key}, f"{call}\n{gateway.device.log()}"
        for call, meant in case.strangers:
            assert meant not in gateway.let_in(call), f"{call}\n{gateway.device.log()}"
        # The attempts of the strangers do not disturb honest peers.
        for call in case.honest:
            assert gateway.let_in(call) == {call.key}, f"{call}\n{gateway.device.log()}"
    finally:
        gateway.clear()


@pytest.mark.parametrize("case", REFUSED, ids=str)
@pytest.mark.parametrize("turned", [False, True])
def test_what_is_refused_would_let_a_stranger_in(
    gateway: Gateway, case: Case, turned: bool
) -> None:
    if case.ikev1:
        need_ikev1(gateway.device)
    sides = {"x": case.x, "y": case.y}
    first, second = ("y", "x") if turned else ("x", "y")
    try:
        gateway.configure(first, sides[first])
        run = gateway.device.run("ipsec_phase1", gateway.options(second, sides[second]))
        assert run.failed, run.result
        for word in (f"phase 1 {second}: ", "phase 1 x", "phase 1 y", "lets the holder"):
            assert word in run.result["msg"]
        if turned:
            return
        for name, given in sides.items():
            gateway.load(name, given)
        for call, meant in case.strangers:
            assert meant in gateway.let_in(call), f"{call}\n{gateway.device.log()}"
    finally:
        gateway.clear()


@pytest.mark.parametrize("identifier", [None, "hub.example"])
def test_a_stranger_at_the_address_of_another_peer(
    gateway: Gateway, identifier: str | None
) -> None:
    """A local identity keeps a stranger out when only addresses distinguish two peers."""
    try:
        gateway.configure("x", {"identifier": identifier, "remote_gateway": "<1>"})
        gateway.configure("y", {"identifier": identifier, "remote_gateway": "<2>"})
        calls = [Call("x", "<2>", name, site=2) for name in ("<1>", "<us>", "hub.example")]
        got_in = [gateway.let_in(call) for call in calls]
        assert got_in == [set() if identifier else {"y"}, set(), set()], gateway.device.log()
        name = identifier or "<us>"
        assert gateway.let_in(Call("y", "<2>", name, site=2)) == {"y"}
    finally:
        gateway.clear()


@pytest.mark.parametrize("address", ["0.0.0.0", "0x0", "::"])
def test_a_gateway_that_stands_for_any_address(gateway: Gateway, address: str) -> None:
    """The module refuses such an address, because it would let in a stranger at any address."""
    given = {**HUB, "remote_gateway": address, "peer_identifier": "x.example"}
    stranger = Call("x", "x.example", "hub.example", site=3, ipv6=":" in address)
    run = gateway.device.run("ipsec_phase1", gateway.options("x", given))
    assert run.failed
    assert "remote_gateway" in run.result["msg"]
    assert "%any" in run.result["msg"]
    try:
        gateway.load("x", given)
        assert gateway.let_in(stranger) == {"x"}, gateway.device.log()
        gateway.clear()
        gateway.configure("x", {**given, "remote_gateway": "<1>"})
        assert gateway.let_in(stranger) == set(), gateway.device.log()
        assert gateway.let_in(Call("x", "x.example", "hub.example", site=1)) == {"x"}
    finally:
        gateway.clear()


def test_a_conf_text_with_a_key_for_every_peer(gateway: Gateway) -> None:
    """The modules refuse such a text beside a phase 1, in any order of the tasks.

    Both together would let a stranger in.
    """
    site = {**HUB, "remote_gateway": "<1>"}

    def text(ids: str) -> dict[str, str]:
        secret = f'secrets {{\n ike-road {{\n{ids}  secret = "{KEYS["x"]}"\n }}\n}}\n'
        return {"network": "lan", "configuration_mode": "advanced", "swanctl_conf": secret}

    try:
        gateway.configure("y", site)
        run = gateway.device.run("ipsec_settings", text(""))
        assert run.failed
        for word in ("secret ike-road", "phase 1 y", "for every peer"):
            assert word in run.result["msg"]
        gateway.clear()
        warned = gateway.device.apply("ipsec_settings", text(""))
        assert "ike-road in swanctl_conf of network lan is for every peer" in str(
            warned.result["warnings"]
        )
        run = gateway.device.run("ipsec_phase1", gateway.options("y", site))
        assert run.failed
        for word in ("secret ike-road", "phase 1 y", "for every peer"):
            assert word in run.result["msg"]
        stranger = Call("x", "<1>", "hub.example")
        gateway.load("y", site)
        assert gateway.let_in(stranger) == {"y"}, gateway.device.log()
        gateway.clear()
        gateway.device.apply("ipsec_settings", text("  id = road.example\n"))
        gateway.configure("y", site)
        assert gateway.let_in(stranger) == set(), gateway.device.log()
        assert gateway.let_in(Call("y", "<1>", "hub.example")) == {"y"}
    finally:
        gateway.clear()
        gateway.device.apply("ipsec_settings", {"network": "lan"})


def test_the_owners_that_an_earlier_version_gave(gateway: Gateway) -> None:
    """The next run removes the second owner of a key, and the tunnel stays up."""
    device, rig = gateway.device, gateway.rig
    owners = f"{rig.address()}, hub.example"
    options = rig.phase1(
        key_exchange="auto", identifier="hub.example", peer_identifier=rig.address()
    )
    try:
        device.apply("ipsec_phase1", options)
        device.apply("ipsec_phase2", rig.phase2())
        up = device.wait_for("site-b/net")
        device.sh(f"sed -i 's/^\\( *\\)id-1 = .*/&\\n\\1id-2 = hub.example/' {PHASE1}")
        secret = {"id": "ike-site-b", "type": "IKE", "data": PSK, "owners": owners.split(", ")}
        device.vici("load-shared", secret)
        run = device.apply("ipsec_phase1", options)
        assert run.result["actions"] == ["load secret ike-site-b", f"write {PHASE1}"]
        assert run.result["impact"] == "none"
        assert run.writing == ("load-shared ike-site-b",)
        assert device.sas() == up
        loaded = [line for line in device.log().splitlines() if "with id 'ike-site-b'" in line]
        assert loaded[-1].endswith(f"for: '{rig.address()}'")
        assert "hub.example'" in loaded[-2]
        assert not device.apply("ipsec_phase1", options).changed
        # A reauthentication uses the key with its new owners.
        device.vici("rekey", {"ike": "site-b", "reauth": "yes"})
        device.wait_for("site-b/net")
    finally:
        absent = {"name": "site-b", "network": "lan", "state": "absent"}
        device.apply("ipsec_phase1", absent)


def test_a_host_with_two_that_are_refused_by_now(gateway: Gateway) -> None:
    """A host may have two phase 1 objects that the modules refuse today.

    ipsec_info and runs for other objects succeed. To disable one phase 1 solves the conflict.
    """
    device = gateway.device
    path = "/etc/swanctl/conf.d/tunnelwright.phase1.x.conf"
    site = {**HUB, "remote_gateway": "<1>"}
    old = {**HUB, **ANY}
    try:
        gateway.configure("x", {**HUB, "remote_gateway": "<2>"})
        gateway.configure("y", site)
        device.sh(f'sed -i \'s/"remote_gateway": "[^"]*"/"remote_gateway": "%any"/\' {path}')
        for name, given in (("x", old), ("y", site)):
            run = device.run("ipsec_phase1", gateway.options(name, given))
            assert run.failed
            assert "phase 1 x" in run.result["msg"]
            assert "phase 1 y" in run.result["msg"]
        assert not device.run("ipsec_info", {}).failed
        assert device.apply("ipsec_settings", {"network": "lan", "mss_clamp": 1300}).changed
        assert device.apply("ipsec_settings", {"network": "lan"}).changed
        device.apply("vpn_network", {"name": "lan", "state": "stopped"})
        run = device.run("vpn_network", {"name": "lan", "state": "started"})
        assert run.failed
        assert "phase 1 x" in run.result["msg"]
        assert "phase 1 y" in run.result["msg"]
        device.apply("ipsec_phase1", {"name": "x", "network": "lan", "state": "disabled"})
        device.apply("vpn_network", {"name": "lan", "state": "started"})
        assert gateway.let_in(Call("y", "<1>", "hub.example")) == {"y"}
    finally:
        device.run("vpn_network", {"name": "lan", "state": "started"})
        gateway.clear()
