# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tunnels whose SAs differ from the configuration: narrowed selectors, and old values.

The test configures the peer by hand. At one of its addresses the peer accepts one pair of networks
for each Child SA, as many other products do.

Each change there and back is tried on each release, with one behavior and one value of ``apply``.
``LIVE=all`` tries all of them.
"""

from __future__ import annotations

import json
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest
from ansible_collections.tunnelwright.ipsec.tests.live.conftest import ALL, SEED
from ansible_collections.tunnelwright.ipsec.tests.live.host import Host, Options, Run
from ansible_collections.tunnelwright.ipsec.tests.live.rig import (
    PSK,
    RELEASES,
    Rig,
    need_ikev1,
    with_ikev1,
)

PROPOSAL = "aes256-sha256-modp2048"
V4 = ["10.2.0.0/24", "10.3.0.0/24", "10.4.0.0/24"]
V6 = ["fd00:2::/64", "fd00:3::/64"]
BEHAVIORS = ("start", "on_demand", "responder_only")
AES128 = [{"algorithm": "aes", "key_length": 128, "hash": "sha256", "dh_group": 14}]


@pytest.fixture(name="rig", params=RELEASES)
def _rig(request: pytest.FixtureRequest, rigs: dict[str, Rig]) -> t.Iterator[Rig]:
    rig = rigs[request.param]
    begin(rig)
    yield rig
    for name in rig.peer.vici("get-conns")["conns"]:
        if name.startswith("narrow"):
            rig.peer.vici("unload-conn", {"name": name})
    rig.device.sh("ip address flush dev lo scope global")


def begin(rig: Rig) -> None:
    rig.device.wipe()
    rig.device.apply("vpn_network", rig.network())


def on_all(rigs: dict[str, Rig], test: t.Callable[[Rig], None]) -> None:
    """Run a test on all rigs at once, because the test waits most of the time."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(test, rigs.values()))


def narrow(rig: Rig, *networks: str, local: str = "10.1.0.0/24", **options: t.Any) -> str:
    """Load a connection of the peer with a child for each network.

    Return the address of the peer.
    """
    address = rig.address(4)
    children = {
        f"n{number}": {
            "local_ts": [network],
            "remote_ts": [local],
            "esp_proposals": [PROPOSAL, "aes256-sha256"],
            "rekey_time": "0",
        }
        for number, network in enumerate(networks)
    }
    conn = {
        "version": "2",
        "local_addrs": [address],
        "remote_addrs": [rig.device.ipv4],
        "proposals": [PROPOSAL],
        "rekey_time": "0",
        "local": {"auth": "psk", "id": address},
        "remote": {"auth": "psk"},
        **options,
        "children": children,
    }
    rig.peer.vici("load-conn", {"narrow": conn})
    return address


def tunnel(rig: Rig, phase2: Options, **phase1: t.Any) -> None:
    rig.device.apply("ipsec_phase1", rig.phase1(**phase1))
    rig.device.apply("ipsec_phase2", rig.phase2(**phase2))


def connect(host: Host, **options: t.Any) -> Run:
    return host.run("ipsec_connection", {"network": "lan", "phase1": "site-b", **options})


def seen(host: Host) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
    """Return the phase 1 and its only phase 2 from ipsec_info. Check that ipsec_info only reads."""
    run = host.run("ipsec_info", {})
    assert not run.failed, run.result
    assert run.writing == ()
    assert PSK not in str(run.result)
    (phase1,) = run.result["ipsec_info"]["phase1"]
    (phase2,) = phase1["phase2"]
    return phase1, phase2


def states(host: Host) -> tuple[str, str]:
    phase1, phase2 = seen(host)
    return phase1["state"], phase2["state"]


def fails(run: Run, cause: str, *words: str) -> None:
    assert run.failed, run.result
    (failure,) = run.result["failures"]
    assert failure["cause"] == cause, failure
    for word in words:
        assert word in run.result["msg"]


class TestNarrowed:
    def test_one_network_of_three(self, rig: Rig) -> None:
        host = rig.device
        address = narrow(rig, *V4)
        tunnel(rig, {"remote_network": V4}, remote_gateway=address)
        host.wait_for("site-b/net")
        assert states(host) == ("partial", "partial")
        _phase1, phase2 = seen(host)
        missing = [item["remote_network"] for item in phase2["missing"]]
        assert missing == ["10.3.0.0/24", "10.4.0.0/24"]
        assert "one phase 2 for each pair" in phase2["explanation"]["next_step"]
        before = host.state()
        for check in (False, True):
            run = host.run("ipsec_connection", {"network": "lan", "phase1": "site-b"}, check=check)
            fails(
                run, "selectors_narrowed", "Not carried: 10.1.0.0/24 to 10.3.0.0/24, 10.4.0.0/24."
            )
            assert not run.changed
            assert run.writing == ()
        assert host.state() == before

    def test_the_probe_of_a_network_that_is_not_carried(self, rig: Rig) -> None:
        host = rig.device
        tunnel(rig, {"remote_network": V4}, remote_gateway=narrow(rig, *V4))
        host.wait_for("site-b/net")
        run = connect(host, probe=["10.3.0.1"])
        fails(run, "selectors_narrowed", "10.3.0.0/24")
        (failure,) = run.result["failures"]
        assert "nft list ruleset" not in failure["next_step"]
        assert any("probe of 10.3.0.1" in line for line in failure["evidence"])

    def test_one_phase_2_for_each_pair(self, rig: Rig) -> None:
        """The recommended next step, one phase 2 for each pair, brings all networks up."""
        host = rig.device
        tunnel(rig, {"remote_network": V4}, remote_gateway=narrow(rig, *V4))
        host.wait_for("site-b/net")
        host.apply("ipsec_phase2", {**rig.phase2(), "state": "absent"})
        for number, network in enumerate(V4):
            host.apply("ipsec_phase2", rig.phase2(f"n{number}", remote_network=[network]))
        run = connect(host)
        assert not run.failed, run.result
        assert [item["state"] for item in run.result["ipsec_connection"]["tunnels"]] == ["up"] * 3

    @pytest.mark.parametrize("version", ["ikev1", "ikev2"])
    def test_to_a_part_of_a_network(self, rig: Rig, version: str) -> None:
        host = rig.device
        if version == "ikev1":
            need_ikev1(host)
        address = narrow(rig, "10.2.0.0/25", version=version[-1])
        tunnel(rig, {}, remote_gateway=address, key_exchange=version)
        host.wait_for("site-b/net")
        assert states(host) == ("partial", "partial")
        fails(connect(host), "selectors_narrowed", "Not carried: 10.1.0.0/24 to 10.2.0.128/25.")

    def test_of_the_local_side(self, rig: Rig) -> None:
        host = rig.device
        host.sh("ip address replace 10.11.0.1/24 dev lo")
        tunnel(
            rig,
            {"local_network": ["10.1.0.0/24", "10.11.0.0/24"]},
            remote_gateway=narrow(rig, "10.2.0.0/24"),
        )
        host.wait_for("site-b/net")
        fails(connect(host), "selectors_narrowed", "Not carried: 10.11.0.0/24 to 10.2.0.0/24.")

    def test_ipv6(self, rig: Rig) -> None:
        host = rig.device
        host.sh("ip address replace fd00:1::1/64 dev lo")
        six = {"local_network": ["fd00:1::/64"], "remote_network": V6}
        tunnel(rig, six, remote_gateway=narrow(rig, *V6, local="fd00:1::/64"))
        host.wait_for("site-b/net")
        fails(connect(host), "selectors_narrowed", "Not carried: fd00:1::/64 to fd00:3::/64.")

    def test_several_sas_carry_together(self, rig: Rig) -> None:
        """ipsec_connection waits until the peer has initiated the SAs of all networks."""
        host = rig.device
        address = narrow(rig, *V4)
        tunnel(
            rig,
            {"remote_network": V4},
            remote_gateway=address,
            connection_behavior="responder_only",
        )
        rig.peer.sh(
            """
            (sleep 1; for child in n0 n1 n2; do
                swanctl --initiate --ike narrow --child $child --timeout 5; sleep 1
            done) >/dev/null 2>&1 &
            """
        )
        run = connect(host, timeout=30)
        assert not run.failed, run.result
        assert run.result["ipsec_connection"]["tunnels"][0]["state"] == "up"
        assert states(host) == ("up", "up")
        assert len(seen(host)[1]["sas"]) == 3
        rig.peer.vici("terminate", {"child": "n1"})
        time.sleep(1)
        assert states(host) == ("partial", "partial")
        assert [item["remote_network"] for item in seen(host)[1]["missing"]] == [V4[1]]


CHANGES: tuple[tuple[str, Options], ...] = (
    ("ipsec_phase1", {"dpd_delay": 20}),
    ("ipsec_phase1", {"encryption": AES128}),
    ("ipsec_phase1", {"force_udp_encapsulation": True}),
    ("ipsec_phase2", {"remote_network": ["10.2.0.0/25"]}),
    ("ipsec_phase2", {"remote_network": ["10.2.0.0/24", "10.7.0.0/24"]}),
    ("ipsec_phase2", {"lifetime": 2}),
    ("ipsec_phase2", {"encryption": AES128}),
)


WAYS = (*((behavior, "defer") for behavior in BEHAVIORS), ("responder_only", "graceful"))
THERE_AND_BACK = [
    pytest.param(release, module, change, *way, id=f"{release}-{module}-{change}-{'-'.join(way)}")
    for first, release in enumerate(RELEASES)
    for number, (module, change) in enumerate(CHANGES)
    # The way differs from change to change, and between the releases.
    for way in (WAYS if ALL else WAYS[(2 * first + number + SEED) % len(WAYS) :][:1])
]


def bring_up(host: Host, behavior: str) -> None:
    if behavior != "start":
        host.vici("initiate", {"ike": "site-b", "child": "net", "timeout": "5000"})
    host.wait_for("site-b/net")
    assert states(host) == ("up", "up")


def rekey(host: Host, message: Options) -> None:
    """Rekey an SA. charon keeps the replaced SA for some seconds."""
    host.vici("rekey", message)
    time.sleep(8)


class TestOutdated:
    @pytest.mark.parametrize(
        ("rig", "module", "change", "behavior", "apply"), THERE_AND_BACK, indirect=["rig"]
    )
    def test_there_and_back(
        self, rig: Rig, module: str, change: Options, behavior: str, apply: str
    ) -> None:
        host = rig.device
        first = (
            rig.phase1(connection_behavior=behavior) if module == "ipsec_phase1" else rig.phase2()
        )
        tunnel(rig, {}, connection_behavior=behavior)
        bring_up(host, behavior)
        up = host.sas()
        done = host.apply(module, {**first, **change, "apply": apply})
        assert done.result["impact"] == "pending"
        assert not host.apply(module, {**first, **change, "apply": apply}).changed
        assert states(host) == ("outdated", "outdated")
        fails(connect(host), "outdated", "In force: ", "Configured: ")
        predicted = host.run(module, {**first, "apply": apply}, check=True)
        back = host.apply(module, {**first, "apply": apply})
        assert predicted.result["impact"] == back.result["impact"] == "none"
        time.sleep(1)
        assert (host.sas(), host.busy()) == (up, False)
        assert states(host) == ("up", "up")
        assert not connect(host).failed

    @pytest.mark.parametrize("version", ["ikev2", "ikev1"])
    def test_through_rekeying_until_it_is_established_anew(
        self, rigs: dict[str, Rig], version: str
    ) -> None:
        def check(rig: Rig) -> None:
            begin(rig)
            host = rig.device
            options = rig.phase1(connection_behavior="on_demand", key_exchange=version)
            host.apply("ipsec_phase1", options)
            host.apply("ipsec_phase2", rig.phase2())
            bring_up(host, "on_demand")
            host.apply("ipsec_phase1", {**options, "dpd_delay": 20, "apply": "defer"})
            renewal = {"ike": "site-b"}
            for message in ({"child": "net"}, renewal, {**renewal, "reauth": "yes"}):
                rekey(host, message)
                assert states(host) == ("outdated", "outdated"), (rig.release, message)
            run = connect(host, state="reconnected")
            assert not run.failed, run.result
            assert states(host) == ("up", "up")

        on_all(with_ikev1(rigs) if version == "ikev1" else rigs, check)

    def test_of_a_phase_2_through_rekeying(self, rigs: dict[str, Rig]) -> None:
        def check(rig: Rig) -> None:
            begin(rig)
            host = rig.device
            tunnel(rig, {}, connection_behavior="on_demand")
            bring_up(host, "on_demand")
            host.apply("ipsec_phase2", rig.phase2(lifetime=2, apply="defer"))
            for message in ({"child": "net"}, {"ike": "site-b"}, {"child": "net"}):
                rekey(host, message)
                assert states(host) == ("outdated", "outdated"), (rig.release, message)
            host.vici("terminate", {"child": "net"})
            host.vici("initiate", {"ike": "site-b", "child": "net", "timeout": "5000"})
            assert states(host) == ("up", "up")

        on_all(rigs, check)

    def test_a_restart_after_a_dead_peer_keeps_old_values(self, rig: Rig) -> None:
        host = rig.device
        host.sh(
            "echo 'charon { retransmit_tries = 1\n retransmit_timeout = 1\n retransmit_base = 1 }' "
            ">/etc/strongswan.d/impatient.conf; swanctl --reload-settings"
        )
        options = rig.phase1(connection_behavior="on_demand", dpd_delay=1)
        try:
            host.apply("ipsec_phase1", options)
            host.apply("ipsec_phase2", rig.phase2())
            bring_up(host, "on_demand")
            host.apply("ipsec_phase1", {**options, "encryption": AES128, "apply": "defer"})
            host.apply("ipsec_phase2", rig.phase2(lifetime=2, apply="defer"))
            before = host.sas()
            rig.peer.sh("systemctl kill --signal KILL strongswan; sleep 4")
            rig.peer.sh("systemctl start strongswan")
            after = host.wait_for("site-b/net", seconds=30)
        finally:
            host.sh("rm /etc/strongswan.d/impatient.conf; swanctl --reload-settings")
        assert not before.ike["site-b"] & after.ike["site-b"]
        assert states(host) == ("outdated", "outdated")
        keys = {item["key"] for item in seen(host)[1]["pending"]}
        assert keys >= {"proposals", "life_time"}

    def test_where_the_peer_refuses_the_new_values(self, rig: Rig) -> None:
        host = rig.device
        address = narrow(rig, "10.2.0.0/24")
        tunnel(rig, {}, remote_gateway=address)
        bring_up(host, "start")
        run = host.apply("ipsec_phase2", rig.phase2(encryption=AES128))
        assert "the peer has not accepted the new values of " in str(run.result["warnings"])
        assert states(host) == ("outdated", "outdated")
        fails(connect(host), "outdated", f"In force: esp_proposals {PROPOSAL}")
        assert host.apply("ipsec_phase2", rig.phase2()).result["impact"] == "none"
        assert states(host) == ("up", "up")

    def test_another_address_of_the_peer(self, rig: Rig) -> None:
        host = rig.device
        tunnel(rig, {}, connection_behavior="responder_only")
        bring_up(host, "responder_only")
        host.apply(
            "ipsec_phase1",
            rig.phase1(connection_behavior="responder_only", remote_gateway=rig.address(2)),
        )
        assert states(host) == ("outdated", "outdated")
        fails(connect(host), "outdated", rig.address(), rig.address(2))
        # The modules also find the old address without the note of a run.
        host.sh("rm /run/tunnelwright.pending")
        assert states(host) == ("outdated", "outdated")
        fails(connect(host), "outdated", rig.address(), rig.address(2))

    @pytest.mark.parametrize("behavior", BEHAVIORS)
    def test_a_graceful_change_leaves_nothing_old(self, rig: Rig, behavior: str) -> None:
        host = rig.device
        tunnel(rig, {}, connection_behavior=behavior)
        bring_up(host, behavior)
        for module, options in (
            ("ipsec_phase2", rig.phase2(lifetime=2)),
            ("ipsec_phase1", rig.phase1(connection_behavior=behavior, dpd_delay=20)),
            ("ipsec_phase1", rig.phase1(connection_behavior=behavior)),
        ):
            host.apply(module, options)
            if behavior != "responder_only":
                assert states(host) == ("up", "up")
                assert seen(host)[0]["pending"] == []
        left = {item["key"] for item in seen(host)[1]["pending"]}
        assert left == ({"life_time", "rekey_time"} if behavior == "responder_only" else set())
        if behavior != "responder_only":
            noted = json.loads(host.sh("cat /run/tunnelwright.pending"))
            assert noted["connections"] == {}


class TestKey:
    OTHER = "the key that the peer does not have yet"

    def test_another_key_is_pending_and_harms_nobody(self, rig: Rig) -> None:
        host = rig.device
        tunnel(rig, {})
        bring_up(host, "start")
        up = host.sas()
        run = host.apply("ipsec_phase1", rig.phase1(psk=self.OTHER))
        assert run.result["impact"] == "pending"
        assert states(host) == ("up", "up")
        assert [item["key"] for item in seen(host)[0]["pending"]] == ["psk"]
        assert not connect(host).failed
        host.vici("rekey", {"ike": "site-b"})
        time.sleep(3)
        assert [item["key"] for item in seen(host)[0]["pending"]] == ["psk"]
        back = host.apply("ipsec_phase1", rig.phase1())
        assert (back.result["impact"], back.changed) == ("none", True)
        assert seen(host)[0]["pending"] == []
        assert host.sas().child == up.child

    @pytest.mark.parametrize("behavior", BEHAVIORS)
    def test_reestablished_it_is_tried(self, rig: Rig, behavior: str) -> None:
        host = rig.device
        tunnel(rig, {}, connection_behavior=behavior)
        bring_up(host, behavior)
        options = rig.phase1(connection_behavior=behavior, apply="reestablish")
        up = host.sas()
        predicted = host.run("ipsec_phase1", {**options, "psk": self.OTHER}, check=True)
        assert host.sas() == up
        run = host.apply("ipsec_phase1", {**options, "psk": self.OTHER})
        assert predicted.result["impacts"] == run.result["impacts"]
        assert run.result["impact"] == "ike"
        time.sleep(2)
        assert host.sas().ike == {}
        host.apply("ipsec_phase1", options)
        if behavior == "responder_only":
            host.vici("initiate", {"ike": "site-b", "child": "net", "timeout": "5000"})
        elif behavior == "on_demand":
            assert not connect(host).failed
        host.wait_for("site-b/net")
        assert states(host) == ("up", "up")


def advanced(rig: Rig, **options: t.Any) -> Options:
    text = f"""
    connections {{
      legacy {{
        version = 2
        remote_addrs = {rig.address(3)}
        proposals = {PROPOSAL}
        local {{
          auth = psk
          id = {rig.device.ipv4}
        }}
        remote {{
          auth = psk
          id = {rig.address(3)}
        }}
        children {{
          lan {{
            local_ts = 10.1.0.0/24
            remote_ts = 10.6.0.0/24
            esp_proposals = {PROPOSAL}
            start_action = none
          }}
        }}
      }}
    }}
    secrets {{
      ike-legacy {{
        id = {rig.address(3)}
        secret = {PSK}
      }}
    }}
    """
    return {
        "network": "lan",
        "configuration_mode": "advanced",
        "swanctl_conf": text,
        **options,
    }


class TestAdvanced:
    def test_shown_connected_and_closed(self, rig: Rig) -> None:
        host = rig.device
        host.apply("ipsec_settings", advanced(rig))
        assert states(host) == ("idle", "idle")
        legacy = {"network": "lan", "phase1": "legacy"}
        assert host.apply("ipsec_connection", legacy).changed
        phase1, phase2 = seen(host)
        assert (phase1["advanced"], phase1["state"], phase2["state"]) == (True, "up", "up")
        assert phase2["sas"][0]["remote_network"] == ["10.6.0.0/24"]
        assert phase1["drift"] == []
        again = host.apply("ipsec_connection", legacy)
        assert (again.changed, again.writing) == (False, ())
        host.apply("ipsec_connection", {**legacy, "phase2": "lan", "state": "reconnected"})
        host.apply("ipsec_connection", {**legacy, "state": "disconnected"})
        assert host.sas().ike == {}

    def test_explained(self, rig: Rig) -> None:
        host = rig.device
        text = advanced(rig)["swanctl_conf"].replace(f"secret = {PSK}", "secret = something else")
        host.apply("ipsec_settings", advanced(rig, swanctl_conf=text))
        run = host.run("ipsec_connection", {"network": "lan", "phase1": "legacy"})
        fails(run, "peer_refused_authentication")
        phase1, _phase2 = seen(host)
        assert phase1["state"] == "down"
        assert phase1["explanation"]["cause"] == "peer_refused_authentication"

    def test_old_values(self, rig: Rig) -> None:
        host = rig.device
        host.apply("ipsec_settings", advanced(rig))
        host.apply("ipsec_connection", {"network": "lan", "phase1": "legacy"})
        other = advanced(rig)["swanctl_conf"].replace("10.6.0.0/24", "10.8.0.0/24")
        host.apply("ipsec_settings", advanced(rig, swanctl_conf=other))
        state, _own = states(host)
        # The Child SA with the new network only comes up after a command.
        assert state == "outdated"
        assert seen(host)[1]["pending"][0]["in_force"] == "10.6.0.0/24"


def test_a_local_network_without_an_address(rig: Rig) -> None:
    host = rig.device
    host.apply("ipsec_phase1", rig.phase1(connection_behavior="on_demand"))
    run = host.apply("ipsec_phase2", rig.phase2(local_network=["10.1.0.0/24", "10.9.0.0/24"]))
    told = "The gateway has no address in 10.9.0.0/24" in str(run.result.get("warnings"))
    run = connect(host)
    if rig.release != "5.9.8":
        assert (told, run.failed) == (False, False)
        return
    assert told
    fails(run, "kernel_refuses_policy", "The gateway has no address in 10.9.0.0/24.")
