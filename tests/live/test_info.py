# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ipsec_info and ipsec_diagnostics report the state of real daemons."""

from __future__ import annotations

import json
import time
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.tests.live.host import LIBRARY, Host, Options
from ansible_collections.tunnelwright.ipsec.tests.live.rig import (
    PKI,
    PSK,
    RELEASES,
    Rig,
    need_ikev1,
)

WRONG = "another key than the key of the peer"
ADDED = "/etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf"


@pytest.fixture(name="rig", params=RELEASES)
def _rig(request: pytest.FixtureRequest, rigs: dict[str, Rig]) -> Rig:
    """Return the rig of a device with only a network."""
    rig = rigs[request.param]
    rig.device.wipe()
    rig.device.apply("vpn_network", rig.network())
    return rig


def tunnel(rig: Rig, **options: t.Any) -> None:
    rig.device.apply("ipsec_phase1", rig.phase1(**options))
    rig.device.apply("ipsec_phase2", rig.phase2())


def look(host: Host, **options: str) -> dict[str, t.Any]:
    """Return the result of ipsec_info. Check that the module only reads and shows no secret."""
    before = host.state()
    run = host.run("ipsec_info", options)
    assert not run.failed, run.result
    assert not run.changed
    assert run.writing == ()
    assert host.state() == before
    assert PSK not in json.dumps(run.result)
    return t.cast("dict[str, t.Any]", run.result["ipsec_info"])


def phase1(host: Host) -> dict[str, t.Any]:
    (found,) = look(host)["phase1"]
    return t.cast("dict[str, t.Any]", found)


def state_of(host: Host, wanted: str, seconds: float = 20) -> dict[str, t.Any]:
    """Wait until the only phase 1 is in the state ``wanted``, and return the report on it."""
    deadline = time.monotonic() + seconds
    while (found := phase1(host))["state"] != wanted:
        assert time.monotonic() < deadline, f"{found['state']}: {host.log()}"
        time.sleep(0.2)
    return found


class TestUp:
    def test_what_is_in_use(self, rig: Rig) -> None:
        host = rig.device
        tunnel(rig)
        host.wait_for("site-b/net")
        found = look(host)
        (connection,) = found["phase1"]
        assert found["daemon"]["version"].startswith(rig.version)
        assert found["daemon"]["dataplane"] in ("kernel", "userspace")
        assert host.ipv4 in found["addresses"]
        assert connection["state"] == connection["phase2"][0]["state"] == "up"
        assert connection["drift"] == found["drift"] == []
        assert connection["log"] == []
        (ike,) = connection["sas"]
        assert ike["algorithms"] == "AES_CBC-256 HMAC_SHA2_256_128 PRF_HMAC_SHA2_256 MODP_2048"
        assert (ike["remote_host"], ike["initiator"], ike["version"]) == (rig.address(), True, 2)
        assert 0 < ike["rekey_in"] <= 10800
        (child,) = connection["phase2"][0]["sas"]
        assert child["algorithms"].startswith("AES_CBC-256 HMAC_SHA2_256_128")
        assert (child["local_network"], child["remote_network"]) == (
            ["10.1.0.0/24"],
            ["10.2.0.0/24"],
        )
        assert 0 < child["rekey_in"] < child["expires_in"] <= 3600

    def test_since_when(self, rig: Rig) -> None:
        host = rig.device
        # charon reports the age in whole seconds.
        before = host.sh("date -u -d '1 second ago' +%FT%T").strip()
        tunnel(rig)
        host.wait_for("site-b/net")
        time.sleep(1.1)
        found = look(host)
        since = found["phase1"][0]["since"]
        assert before <= since[:19] <= found["time"][:19]
        assert since == found["phase1"][0]["phase2"][0]["since"] or since < found["time"]

    def test_bytes(self, rig: Rig) -> None:
        host = rig.device
        tunnel(rig)
        host.wait_for("site-b/net")
        host.sh("ping -c 3 -i 0.2 -W 1 -s 100 -I 10.1.0.1 10.2.0.1 || true")
        (child,) = phase1(host)["phase2"][0]["sas"]
        assert child["packets_out"] == 3
        assert child["bytes_out"] >= 3 * 100
        assert child["idle"] <= 5

    def test_certificates(self, rig: Rig) -> None:
        host = rig.device
        files = {"certificate": f"{PKI}/first.pem", "private_key": f"{PKI}/first.key"}
        names = host.sh(f"ls {PKI}").split()
        options: Options = {
            **rig.phase1(authentication="pubkey", psk=None, peer_identifier="peer.example"),
            **files,
            "ca": f"{PKI}/ca.pem",
        }
        assert {"first.pem", "first.key", "ca.pem"} <= {*names}, names
        host.apply("ipsec_phase1", options)
        host.apply("ipsec_phase2", rig.phase2())
        found = {item["option"]: item for item in phase1(host)["certificates"]}
        assert found.keys() == {"certificate", "ca"}
        for item in found.values():
            line = f"openssl x509 -in {item['file']} -noout -enddate -subject -nameopt RFC2253"
            told = dict(part.split("=", 1) for part in host.sh(line).splitlines())
            script = f"date -u -d '{told['notAfter']}' +%FT%T+00:00"
            assert host.sh(script).strip() == item["not_after"]
            assert item["subject"] == told["subject"].strip()


class TestNotUp:
    def test_another_key(self, rig: Rig) -> None:
        host = rig.device
        tunnel(rig, psk=WRONG)
        found = state_of(host, "down")
        assert any("AUTHENTICATION_FAILED" in line for line in found["log"])
        assert found["since"] is not None
        assert WRONG not in json.dumps(found)

    def test_waiting_for_traffic(self, rig: Rig) -> None:
        host = rig.device
        tunnel(rig, connection_behavior="on_demand")
        assert phase1(host)["state"] in ("idle", "up")

    def test_closed_by_the_peer(self, rig: Rig) -> None:
        host = rig.device
        tunnel(rig, connection_behavior="responder_only")
        assert phase1(host)["state"] == "idle"
        host.vici("initiate", {"ike": "site-b", "child": "net"})
        host.wait_for("site-b/net")
        rig.peer.vici("terminate", {"ike": "any"})
        found = state_of(host, "idle")
        assert any("DELETE" in line for line in found["log"]), found["log"]
        assert found["since"] is not None

    def test_a_daemon_that_is_stopped(self, rig: Rig) -> None:
        host = rig.device
        tunnel(rig)
        host.wait_for("site-b/net")
        host.sh("systemctl stop strongswan")
        run = host.run("ipsec_info", {})
        found = run.result["ipsec_info"]
        assert not found["daemon"]["running"]
        assert found["phase1"][0]["state"] == "down"
        assert found["phase1"][0]["drift"] == []
        host.sh("systemctl start strongswan")
        host.wait_for("site-b/net")


BY_HAND = {
    "swanctl --load-all": (
        "true >/etc/swanctl/conf.d/nothing.conf; swanctl --load-all --noprompt --file "
        "/etc/swanctl/conf.d/nothing.conf; rm /etc/swanctl/conf.d/nothing.conf",
        ["connection site-b in the IKE daemon", "secret ike-site-b in the IKE daemon"],
    ),
    "the file": (f"sed -i 's/dpd_delay = 30/dpd_delay = 31/' {ADDED}", [ADDED]),
    "the mode": (f"chmod 644 {ADDED}", [ADDED]),
    "the rules": ("nft flush table inet tunnelwright-lan", ["network lan: nftables rules"]),
    "the unit of the rules": (
        "systemctl disable --quiet tunnelwright-lan.guard.service",
        ["unit tunnelwright-lan.guard.service"],
    ),
    "the blocks": (
        "ip rule flush protocol 116",
        ["network lan: blocks against cleartext"],
    ),
    "the unit": (
        "systemctl disable --quiet tunnelwright-lan.service",
        ["unit tunnelwright-lan.service"],
    ),
    "the address": (
        "ip address delete 10.1.0.1/24 dev vpn-lan",
        ["network lan: address of vpn-lan"],
    ),
    "the settings": (
        "echo >>/etc/strongswan.d/tunnelwright.conf",
        ["/etc/strongswan.d/tunnelwright.conf"],
    ),
}


@pytest.mark.parametrize("what", BY_HAND)
def test_drift(rig: Rig, what: str) -> None:
    """ipsec_info names each object with drift. The next run of the modules repairs the drift."""
    script, wanted = BY_HAND[what]
    tunnel(rig)
    rig.device.wait_for("site-b/net")
    rig.device.sh(script)
    found = look(rig.device)
    told = [item["object"] for item in [*found["drift"], *found["phase1"][0]["drift"]]]
    assert {*wanted} <= {*told}, told
    assert PSK not in json.dumps(found)
    rig.device.apply("vpn_network", rig.network())
    rig.device.apply("ipsec_settings", {"network": "lan"})
    tunnel(rig)
    found = look(rig.device)
    assert found["drift"] == found["phase1"][0]["drift"] == []


READ_TWO = """
import json, subprocess
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.tunnels import charon_log

def run(argv, stdin):
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr

found = charon_log.read_log(run, 'strongswan.service', since=3600, lines=2)
print(json.dumps([line.text for line in found]))
"""


def end_of_log() -> float:
    """Return a time that is one second after every line of the earlier tests."""
    time.sleep(1)
    return time.monotonic()


def period_since(begun: float) -> str:
    """Return the shortest period in whole seconds that has every line since the end of the log."""
    return f"{int(time.monotonic() - begun) + 1}s"


class TestLogs:
    def ask(self, host: Host, **options: t.Any) -> list[str]:
        run = host.run("ipsec_diagnostics", {"query": "logs", **options})
        assert not run.failed, run.result
        return t.cast("list[str]", run.result["ipsec_diagnostics"]["lines"])

    def test_of_one_tunnel(self, rig: Rig) -> None:
        begun = end_of_log()
        tunnel(rig)
        host = rig.device
        host.apply(
            "ipsec_phase1", rig.phase1(name="site-c", remote_gateway=rig.address(1), psk=WRONG)
        )
        second = {**rig.phase2(), "phase1": "site-c", "remote_network": ["10.3.0.0/24"]}
        host.apply("ipsec_phase2", second)
        host.wait_for("site-b/net")
        time.sleep(1)
        ours = self.ask(host, phase1="site-b", since=period_since(begun))
        others = self.ask(host, phase1="site-c", since=period_since(begun))
        assert any("IKE_SA site-b[" in line and "established" in line for line in ours)
        assert any("AUTHENTICATION_FAILED" in line for line in others)
        assert not any("AUTHENTICATION_FAILED" in line for line in ours)
        assert not any("site-b" in line for line in others)
        both = self.ask(host, network="lan", since="5m", lines=10000)
        assert {*ours, *others} <= {*both}
        assert self.ask(host, phase1="site-c", grep="authentication_failed", lines=1)

    def test_of_more_than_fits_the_last_are_told(self, rig: Rig) -> None:
        """The log has the last lines, also with systemd 252 (Debian 12).

        With ``--since``, ``journalctl --lines`` of systemd 252 prints the first lines.
        """
        host = rig.device
        tunnel(rig)
        host.wait_for("site-b/net")
        told = json.loads(host.sh(f"PYTHONPATH={LIBRARY} python3 -", READ_TWO))
        assert told == host.log(2).splitlines()

    def test_of_a_peer_that_nobody_knows(self, rig: Rig) -> None:
        """The log of a phase 1 has refusals that charon logs before it has found a connection."""
        host = rig.device
        need_ikev1(host)
        begun = end_of_log()
        tunnel(rig, connection_behavior="responder_only", key_exchange="ikev1")
        call = f"""
            cat >/etc/swanctl/conf.d/caller.conf <<'.'
            connections {{ caller {{ version = 2
              remote_addrs = {host.ipv4}
              local {{ auth = psk
              }}
              remote {{ auth = psk
              }}
              children {{ x {{ remote_ts = 10.1.0.0/24
              }} }}
            }} }}
.
            swanctl --load-conns >/dev/null
            swanctl --initiate --child x --timeout 5 >/dev/null 2>&1 || true
            rm /etc/swanctl/conf.d/caller.conf
            swanctl --load-conns >/dev/null
        """
        rig.peer.sh(call)
        told = self.ask(host, phase1="site-b", since=period_since(begun))
        assert any("no IKE config found" in line for line in told), told


NO_FILTERS = (
    "port 80) or (port 22",
    "-w /tmp/owned",
    "; touch /tmp/owned",
    "$(touch /tmp/owned)",
    "`touch /tmp/owned`",
    "esp' ; touch /tmp/owned '",
    "-z touch",
    "--version",
    "host no.such.name.invalid",
)


class TestTraces:
    def trace(self, host: Host, *, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
        wanted = {"query": "tcpdump", "seconds": 3, **options}
        run = host.run("ipsec_diagnostics", wanted, check=check)
        assert not run.failed, run.result
        return t.cast("dict[str, t.Any]", run.result["ipsec_diagnostics"])

    def test_towards_the_peer(self, rig: Rig) -> None:
        host = rig.device
        tunnel(rig)
        host.wait_for("site-b/net")
        host.sh("(sleep 1; ping -c 4 -i 0.2 -W 1 -I 10.1.0.1 10.2.0.1) >/dev/null 2>&1 &")
        found = self.trace(host, phase1="site-b")
        assert found["interface"] == "eth0"
        kinds = {flow["kind"]: flow["packets"] for flow in found["flows"]}
        assert kinds.get("esp in udp", 0) + kinds.get("esp", 0) >= 4, found
        assert host.sh(f"stat -c '%a %s' {found['pcap']}").split() == ["600", str(found["size"])]
        assert host.sh(f"tcpdump -r {found['pcap']} 2>/dev/null | wc -l").strip() == str(
            found["packets"]
        )

    def test_it_ends(self, rig: Rig) -> None:
        """The trace ends after ``count`` packets or after ``seconds``."""
        host = rig.device
        tunnel(rig)
        host.wait_for("site-b/net")
        host.sh("(sleep 1; ping -f -c 200 -I 10.1.0.1 10.2.0.1) >/dev/null 2>&1 &")
        begun = time.monotonic()
        found = self.trace(host, phase1="site-b", count=5, seconds=60)
        assert found["packets"] == 5
        assert time.monotonic() - begun < 20
        assert self.trace(host, phase1="site-b", filter="udp port 9", seconds=1)["packets"] == 0

    def test_check_mode(self, rig: Rig) -> None:
        tunnel(rig)
        rig.device.sh("rm -f /var/lib/tunnelwright/trace.pcap")
        found = self.trace(rig.device, check=True, phase1="site-b", filter="esp")
        assert found["pcap"] is None
        rig.device.sh("test ! -e /var/lib/tunnelwright/trace.pcap")

    def test_what_is_no_filter(self, rig: Rig) -> None:
        for text in NO_FILTERS:
            run = rig.device.run("ipsec_diagnostics", {"query": "tcpdump", "filter": text})
            assert run.failed, text
            assert "filter " in run.result["msg"], text
            assert "is not a filter of tcpdump" in run.result["msg"], text
            rig.device.sh("test ! -e /tmp/owned")


def test_configuration_can_be_handed_on(rig: Rig) -> None:
    tunnel(rig)
    run = rig.device.run("ipsec_diagnostics", {"query": "configuration"})
    files = run.result["ipsec_diagnostics"]["files"]
    assert "remote_addrs" in files[ADDED]
    assert PSK not in json.dumps(files)
    assert rig.device.sh(f"sed -n 's/.*secret = //p' {ADDED}").strip() not in json.dumps(files)
