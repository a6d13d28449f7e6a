# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole runs of ipsec_connection, with the real AnsibleModule, on a machine in memory."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.tunnels import (
    initiate,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    NETWORK,
    PHASE1,
    PHASE2,
    PSK,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.machine import (
    Machine,
    Result,
)

OTHER = {**PHASE1, "name": "site-c", "remote_gateway": "192.0.2.3"}
OTHER_NET = {**PHASE2, "phase1": "site-c", "remote_network": ["10.3.0.0/24"]}
THIRD_NET = {**PHASE2, "name": "more", "remote_network": ["10.4.0.0/24"]}
REFUSED = ("received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built",)
AUTH_FAILED = ("received AUTHENTICATION_FAILED notify error",)


@pytest.fixture(name="gateway")
def _gateway(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Return a gateway with two peers, without SAs, and with short waits."""
    monkeypatch.setattr(initiate, "IDLE_MEANS_REFUSED_S", 0.0)
    monkeypatch.setattr(initiate, "RUNNING_ATTEMPT_S", 0.0)
    machine.prepare(
        ("vpn_network", NETWORK),
        ("ipsec_phase1", PHASE1),
        ("ipsec_phase1", OTHER),
        ("ipsec_phase2", PHASE2),
        ("ipsec_phase2", OTHER_NET),
        ("ipsec_phase2", THIRD_NET),
    )
    return machine


def connect(machine: Machine, **options: t.Any) -> Result:
    return machine.run("ipsec_connection", network="lan", **options)


def up(result: Result) -> list[str]:
    tunnels = result["ipsec_connection"]["tunnels"]
    return [f"{item['phase1']}/{item['phase2']}" for item in tunnels if item["up"]]


@pytest.mark.parametrize(
    ("options", "tunnels"),
    [
        ({}, ["site-b/net", "site-b/more", "site-c/net"]),
        ({"phase1": "site-b"}, ["site-b/net", "site-b/more"]),
        ({"phase1": "site-b", "phase2": "more"}, ["site-b/more"]),
    ],
)
def test_connects_what_is_meant_once(
    gateway: Machine, options: dict[str, str], tunnels: list[str]
) -> None:
    predicted = connect(gateway, check=True, **options)
    assert gateway.changes == []
    first = connect(gateway, **options)
    assert gateway.changes == first["actions"] == [f"initiate {item}" for item in tunnels]
    assert (first["changed"], first["failures"]) == (True, [])
    assert up(first) == tunnels
    assert [predicted[key] for key in ("changed", "actions", "diff")] == [
        first[key] for key in ("changed", "actions", "diff")
    ]
    again = connect(gateway, **options)
    assert not again["changed"]
    assert (again["actions"], again["diff"], gateway.changes) == ([], [], [])
    assert up(again) == tunnels


@pytest.mark.parametrize("state", ["connected", "reconnected"])
def test_ikev1_is_not_tried_on_a_daemon_without_ikev1(gateway: Machine, state: str) -> None:
    gateway.prepare(("ipsec_phase1", {**PHASE1, "key_exchange": "ikev1"}))
    gateway.host.vici.ikev1, gateway.host.vici.release = False, "6.1.0"
    for check in (True, False):
        result = connect(gateway, state=state, timeout=60, check=check)
        assert result["failed"]
        (told,) = result["failures"]
        assert (told["cause"], told["phase1"]) == ("ikev1_not_supported", "site-b")
        assert "strongSwan 6.1.0" in told["explanation"]
        assert up(result) == ([] if check else ["site-c/net"])
    gone = connect(gateway, state="disconnected")
    assert not gone.get("failed")


def test_only_what_is_down_is_initiated(gateway: Machine) -> None:
    gateway.host.vici.up = {"site-b": {"net"}}
    assert connect(gateway, phase1="site-b")["actions"] == ["initiate site-b/more"]


def test_disconnects_an_ike_sa_and_all_that_is_on_it(gateway: Machine) -> None:
    connect(gateway)
    predicted = connect(gateway, check=True, phase1="site-b", state="disconnected")
    assert gateway.changes == []
    done = connect(gateway, phase1="site-b", state="disconnected")
    assert gateway.changes == ["terminate site-b"]
    assert done["actions"] == ["close the IKE SA of site-b"]
    assert done["impact"] == "ike"
    assert [item["before"] for item in done["diff"][:2]] == ["up\n", "up\n"]
    assert predicted["impacts"] == done["impacts"]
    assert set(gateway.host.vici.up) == {"site-c"}
    again = connect(gateway, phase1="site-b", state="disconnected")
    assert (again["changed"], gateway.changes) == (False, [])


def test_disconnects_one_child(gateway: Machine) -> None:
    connect(gateway)
    done = connect(gateway, phase1="site-b", phase2="net", state="disconnected")
    assert gateway.changes == ["terminate site-b/net"]
    assert done["impacts"] == [
        {"sa": "site-b/net", "impact": "child", "reason": "the task closes the Child SA"}
    ]
    assert gateway.host.vici.up["site-b"] == {"more"}


def test_disconnects_what_is_being_negotiated(gateway: Machine) -> None:
    gateway.host.vici.up = {"site-b": set()}
    done = connect(gateway, phase1="site-b", state="disconnected")
    assert (done["changed"], gateway.changes) == (True, ["terminate site-b"])


def test_reconnects_whatever_was_there(gateway: Machine) -> None:
    connect(gateway, phase1="site-b", phase2="net")
    done = connect(gateway, phase1="site-b", state="reconnected")
    assert gateway.changes == ["terminate site-b", "initiate site-b/net", "initiate site-b/more"]
    assert (done["changed"], done["impact"]) == (True, "ike")
    assert connect(gateway, phase1="site-b", state="reconnected")["changed"]


def test_a_refusal_is_explained_and_nothing_is_left_half_open(gateway: Machine) -> None:
    host = gateway.host
    host.vici.refused, host.vici.half, host.says = {"site-b"}, {"site-b"}, {"site-b": REFUSED}
    result = connect(gateway, phase1="site-b", phase2="net")
    assert gateway.changes == ["initiate site-b/net", "close site-b"]
    (failure,) = result["failures"]
    assert (failure["cause"], failure["phase2"]) == ("peer_refused_phase2", "net")
    assert failure["evidence"] == [f"ours: {REFUSED[0]}"]
    assert failure["ours"] == "esp: aes256-sha256-modp2048"
    assert "pfs_mismatch" in [item["cause"] for item in failure["candidates"]]
    assert all(item["look_for"] for item in failure["candidates"])
    assert result["failed"]
    assert not result["changed"]
    assert "site-b/net: The peer refuses every proposal" in result["msg"]
    assert "[peer_refused_phase2]" in result["msg"]


def test_an_ike_sa_that_carries_something_stays(gateway: Machine) -> None:
    host = gateway.host
    host.vici.up = {"site-b": {"net"}}
    host.vici.refused, host.says = {"site-b"}, {"site-b": REFUSED}
    assert connect(gateway, phase1="site-b")["failed"]
    assert host.vici.up == {"site-b": {"net"}}


def test_what_is_wrong_with_a_phase_1_is_said_once(gateway: Machine) -> None:
    gateway.host.vici.refused, gateway.host.says = {"site-b"}, {"site-b": AUTH_FAILED}
    result = connect(gateway)
    (failure,) = result["failures"]
    assert (failure["cause"], failure["phase2"]) == ("peer_refused_authentication", None)
    # The other peer is not affected.
    assert result["changed"]
    assert up(result) == ["site-c/net"]


def test_the_log_of_the_peer_makes_it_certain(gateway: Machine) -> None:
    gateway.host.vici.refused, gateway.host.says = {"site-b"}, {"site-b": AUTH_FAILED}
    line = "09[IKE] <site-a|3> tried 1 shared key for 'b' - 'a', but MAC mismatched"
    result = connect(gateway, phase1="site-b", peer_log=["unrelated", line, f"PSK {PSK}"])
    (failure,) = result["failures"]
    assert (failure["cause"], failure["candidates"]) == ("psk_mismatch", [])
    assert failure["evidence"][-1] == (
        "theirs: tried 1 shared key for 'b' - 'a', but MAC mismatched"
    )


def test_a_secret_among_the_evidence_is_masked(gateway: Machine) -> None:
    gateway.host.vici.refused, gateway.host.says = {"site-b"}, {"site-b": (f"{PSK} x",)}
    (failure,) = connect(gateway, phase1="site-b")["failures"]
    assert failure["evidence"] == ["ours: ******** x"]


@pytest.mark.parametrize(
    ("route", "options", "cause"),
    [
        (True, {}, "no_answer"),
        (False, {}, "no_route"),
        (True, {"local_address": "198.51.100.7"}, "local_address_missing"),
        (True, {"local_address": "198.51.100.1"}, "no_answer"),
    ],
)
def test_silence_is_looked_into(
    gateway: Machine, route: bool, options: dict[str, str], cause: str
) -> None:
    gateway.prepare(("ipsec_phase1", {**PHASE1, **options}))
    host = gateway.host
    host.vici.up.clear()
    host.link.reaches = route
    host.vici.refused = {"site-b"}
    host.says = {"site-b": ("retransmit 1 of request with message ID 0",)}
    (failure,) = connect(gateway, phase1="site-b")["failures"]
    assert failure["cause"] == cause


@pytest.mark.parametrize(("userspace", "told"), [(True, True), (False, False)])
def test_a_refused_policy_names_the_network_without_an_address(
    gateway: Machine, userspace: bool, told: bool
) -> None:
    more = {**PHASE2, "local_network": ["10.1.0.0/24", "10.9.0.0/24"]}
    gateway.prepare(("ipsec_phase2", more))
    host = gateway.host
    if userspace:
        host.vici.loaded_plugins.add("kernel-libipsec")
    host.vici.refused = {"site-b"}
    host.says = {"site-b": ("unable to install IPsec policies (SPD) in kernel",)}
    (failure,) = connect(gateway, phase1="site-b", phase2="net")["failures"]
    assert failure["cause"] == "kernel_refuses_policy"
    assert failure["explanation"].endswith("The gateway has no address in 10.9.0.0/24.") == told


def test_what_the_kernel_lost_is_brought_up_anew(gateway: Machine) -> None:
    connect(gateway, phase1="site-b", phase2="net")
    gateway.host.link.spis = set()
    predicted = connect(gateway, check=True, phase1="site-b", phase2="net")
    assert predicted["actions"] == [
        "close the Child SA site-b/net",
        "initiate site-b/net",
    ]
    assert up(predicted) == []
    (failure,) = connect(gateway, phase1="site-b", phase2="net")["failures"]
    assert failure["cause"] == "sa_not_in_kernel"


def test_the_userspace_data_plane_is_not_asked_of_the_kernel(gateway: Machine) -> None:
    gateway.host.vici.loaded_plugins.add("kernel-libipsec")
    gateway.host.link.spis = set()
    assert not connect(gateway, phase1="site-b").get("failed")


def test_who_waits_for_the_peer_does_not_call(gateway: Machine) -> None:
    passive = {**PHASE1, "connection_behavior": "responder_only"}
    gateway.prepare(("ipsec_phase1", passive))
    named = connect(gateway, phase1="site-b", timeout=1)
    assert gateway.changes == []
    assert [item["cause"] for item in named["failures"]] == ["not_initiated_by_peer"]
    whole = connect(gateway)
    assert gateway.changes == ["initiate site-c/net"]
    assert not whole.get("failed")
    assert [item["initiates"] for item in whole["ipsec_connection"]["tunnels"]] == [
        False,
        False,
        True,
    ]
    gateway.host.vici.up["site-b"] = {"net", "more"}
    assert not connect(gateway, phase1="site-b")["changed"]


def test_the_answerers_log_is_read_as_such(gateway: Machine) -> None:
    passive = {**PHASE1, "connection_behavior": "responder_only"}
    gateway.prepare(("ipsec_phase1", passive))
    gateway.host.says = {"site-b": ("no shared key found for 'us' - 'them'",)}
    (failure,) = connect(gateway, phase1="site-b", timeout=1)["failures"]
    assert failure["cause"] == "psk_missing"
    assert (failure["ours"], failure["theirs"]) == ("us", "them")


def test_a_rekeying_is_tried_and_is_no_change(gateway: Machine) -> None:
    connect(gateway)
    result = connect(gateway, phase1="site-b", check_rekey=True)
    assert gateway.changes == ["rekey site-b/more", "rekey site-b/net"]
    assert (result["changed"], result["actions"]) == (False, [])
    assert result["ipsec_connection"]["rekeyed"] == ["site-b/more", "site-b/net"]
    assert connect(gateway, check=True, check_rekey=True)["changed"] is False
    assert gateway.changes == []


def test_a_refused_rekeying_is_explained(gateway: Machine) -> None:
    connect(gateway)
    gateway.host.vici.refused, gateway.host.says = {"site-b"}, {"site-b": REFUSED}
    result = connect(gateway, phase1="site-b", phase2="net", check_rekey=True)
    (failure,) = result["failures"]
    assert failure["cause"] == "peer_refused_rekeying"
    assert failure["candidates"][0]["cause"] == "pfs_mismatch"


def test_a_probe_goes_from_inside_to_inside(gateway: Machine) -> None:
    result = connect(gateway, phase1="site-b", probe=["10.2.0.9"])
    (ping,) = [line for line in gateway.changes if line.startswith("ping")]
    assert ping.endswith("-I 10.1.0.1 10.2.0.9")
    (probe,) = result["ipsec_connection"]["probes"]
    assert probe["answered"]
    assert probe["tunnel"] == "site-b/net"
    connect(gateway, check=True, phase1="site-b", probe=["10.2.0.9"])
    assert gateway.changes == []


@pytest.mark.parametrize(
    ("answers", "step", "cause"),
    [((1, "", ""), 3, "probe_unanswered"), ((0, "", ""), 0, "probe_outside_tunnel")],
)
def test_a_probe_must_answer_through_the_tunnel(
    gateway: Machine,
    monkeypatch: pytest.MonkeyPatch,
    answers: tuple[int, str, str],
    step: int,
    cause: str,
) -> None:
    connect(gateway)
    gateway.host.answers = answers
    monkeypatch.setattr(gateway.host.vici, "packets", step)
    result = connect(gateway, probe=["10.2.0.9"])
    assert [item["cause"] for item in result["failures"]] == [cause]
    assert result["failures"][0]["evidence"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"network": "dmz"}, "network 'dmz': does not exist on this host. Use one of: lan"),
        ({"phase2": "net"}, "phase2 'net': is named without its phase 1"),
        (
            {"phase1": "site-x"},
            "phase1 'site-x': does not exist in network lan. Use one of: site-b",
        ),
        (
            {"phase1": "site-b", "phase2": "x"},
            "'x': is not a phase 2 of phase 1 site-b. Use one of: more, net",
        ),
        ({"timeout": 0}, "timeout 0: is less than 1"),
        ({"probe": ["host"]}, "probe[0] 'host': is not an IP address"),
        ({"probe": ["10.2.0.9", "0.0.0.0"]}, "probe[1] '0.0.0.0': stands for any address"),
        ({"probe": ["::"]}, "probe[0] '::': stands for any address"),
        ({"probe": ["10.9.0.1"]}, "probe '10.9.0.1': is in no remote_network"),
        ({"network": "$(x)"}, "network '$(x)': is not a valid name"),
        (
            {"state": "disconnected", "probe": ["10.2.0.9"]},
            "probe ['10.2.0.9']: has no effect with state disconnected. Remove probe, or set ",
        ),
        ({"state": "disconnected", "check_rekey": True}, "check_rekey True: has no effect"),
    ],
)
def test_what_is_not_legal_is_refused_by_name(
    gateway: Machine, options: dict[str, t.Any], words: str
) -> None:
    result = gateway.run("ipsec_connection", **{"network": "lan", **options})
    assert result["failed"]
    assert words in result["msg"]
    assert gateway.changes == []


@pytest.mark.parametrize("check", [False, True])
def test_what_is_switched_off_is_not_connected(gateway: Machine, check: bool) -> None:
    gateway.prepare(("ipsec_phase2", {**PHASE2, "state": "disabled"}))
    assert "is disabled" in connect(gateway, check=check, phase1="site-b", phase2="net")["msg"]
    gateway.prepare(("ipsec_phase1", {**PHASE1, "state": "disabled"}))
    assert "is disabled" in connect(gateway, check=check, phase1="site-b")["msg"]
    tunnels = connect(gateway, check=check)["ipsec_connection"]["tunnels"]
    assert [item["phase1"] for item in tunnels] == ["site-c"]
    gateway.prepare(("vpn_network", {**NETWORK, "state": "stopped"}))
    assert "is stopped" in connect(gateway, check=check)["msg"]


def test_a_daemon_that_lost_the_connection_is_not_called(gateway: Machine) -> None:
    del gateway.host.vici.conns["site-b"]
    assert "is not loaded in the IKE daemon" in connect(gateway, phase1="site-b")["msg"]


def test_a_phase_1_without_phase_2_has_nothing_to_connect(gateway: Machine) -> None:
    gateway.prepare(("ipsec_phase1", {**PHASE1, "name": "site-d", "remote_gateway": "192.0.2.4"}))
    assert "has no enabled phase 2" in connect(gateway, phase1="site-d")["msg"]


def test_a_probe_needs_an_address_inside(gateway: Machine) -> None:
    gateway.host.link.devices.clear()
    result = connect(gateway, phase1="site-b", probe=["10.2.0.9"])
    assert "this host has no address in its local_network" in result["msg"]
