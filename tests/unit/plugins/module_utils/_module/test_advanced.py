# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tunnels of a conf text, which are shown, connected, closed and explained like others."""

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
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.machine import (
    Machine,
    Result,
)

SECRET = "the key of a text, of twenty characters and more"
TEXT = f"""
connections {{
  legacy {{
    version = 2
    remote_addrs = 192.0.2.7
    proposals = aes256-sha256-modp2048, aes256-sha256-sha384-modp2048
    local {{
      auth = psk
      id = a.example
    }}
    remote {{
      auth = psk
      id = b.example
    }}
    children {{
      one {{
        local_ts = 10.1.0.0/24
        remote_ts = 10.7.0.0/24, 10.8.0.0/24
        esp_proposals = aes256-sha256
        start_action = {{action}}
      }}
      two {{
        local_ts = 10.1.0.0/24[tcp/8080]
        remote_ts = dynamic
        esp_proposals = aes128gcm16
      }}
      local-traffic {{
        mode = pass
        local_ts = 10.1.0.0/24
        remote_ts = 10.1.0.0/24
      }}
    }}
  }}
  roads {{
    remote {{
      auth = psk
      id = "*@example"
    }}
    children {{
      any {{
        local_ts = 10.1.0.0/24
      }}
    }}
  }}
  shunt {{
    remote {{
      auth = pubkey
    }}
    children {{
      lan {{
        mode = drop
        start_action = trap
      }}
    }}
  }}
}}
secrets {{
  ike-legacy {{
    id = b.example
    secret = {SECRET}
  }}
}}
"""


def settings(action: str = "trap", text: str = TEXT) -> tuple[str, dict[str, t.Any]]:
    conf = text.replace("{action}", action)
    return (
        "ipsec_settings",
        {"network": "lan", "configuration_mode": "advanced", "swanctl_conf": conf},
    )


@pytest.fixture(name="gateway")
def _gateway(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    for patience in ("IDLE_MEANS_REFUSED_S", "RUNNING_ATTEMPT_S", "SETTLE_S"):
        monkeypatch.setattr(initiate, patience, 0.0)
    machine.prepare(
        ("vpn_network", NETWORK), ("ipsec_phase1", PHASE1), ("ipsec_phase2", PHASE2), settings()
    )
    return machine


def connect(machine: Machine, **options: t.Any) -> Result:
    return machine.run("ipsec_connection", **{"network": "lan", **options})


def seen(machine: Machine, **options: str) -> dict[str, t.Any]:
    result = machine.run("ipsec_info", **options)
    assert SECRET not in str(result)
    return {item["name"]: item for item in result["ipsec_info"]["phase1"]}


class TestInfo:
    def test_as_what_they_are(self, gateway: Machine) -> None:
        found = seen(gateway)
        assert [*found] == ["legacy", "roads", "site-b"]
        assert [item["advanced"] for item in found.values()] == [True, True, False]
        legacy = found["legacy"]
        assert legacy["network"] == "lan"
        assert legacy["options"] == {
            "name": "legacy",
            "network": "lan",
            "remote_gateway": "192.0.2.7",
            "local_address": None,
            "key_exchange": "ikev2",
            "authentication": "psk",
            "identifier": "a.example",
            "peer_identifier": "b.example",
            "connection_behavior": "on_demand",
        }
        # The result has no shunt, because a shunt is no tunnel.
        assert [item["name"] for item in legacy["phase2"]] == ["one", "two"]
        assert legacy["phase2"][1]["options"] == {
            "name": "two",
            "phase1": "legacy",
            "network": "lan",
            "mode": "tunnel",
            "protocol": "esp",
            "local_network": ["10.1.0.0/24[tcp/8080]"],
            "remote_network": ["dynamic"],
        }
        assert found["roads"]["options"]["remote_gateway"] == "%any"
        assert gateway.run("ipsec_info")["ipsec_info"]["unmanaged"] == []

    def test_one_by_its_name(self, gateway: Machine) -> None:
        assert [*seen(gateway, phase1="legacy")] == ["legacy"]
        assert [*seen(gateway, network="lan")] == ["legacy", "roads", "site-b"]
        result = gateway.run("ipsec_info", phase1="shunt")
        assert (
            "phase1 'shunt': does not exist on this host. Use one of: legacy, roads"
            in result["msg"]
        )

    @pytest.mark.parametrize(("action", "state"), [("trap", "idle"), ("start", "down")])
    def test_states(self, gateway: Machine, action: str, state: str) -> None:
        gateway.prepare(settings(action))
        assert seen(gateway)["legacy"]["phase2"][0]["state"] == state
        gateway.host.vici.up = {"legacy": {"one"}}
        assert seen(gateway)["legacy"]["phase2"][0]["state"] == "up"
        gateway.host.vici.taken = ("10.7.0.0/24",)
        one = seen(gateway)["legacy"]["phase2"][0]
        assert one["state"] == "partial"
        assert one["missing"] == [{"local_network": "10.1.0.0/24", "remote_network": "10.8.0.0/24"}]
        gateway.prepare(("vpn_network", {"name": "lan", "state": "stopped"}))
        assert seen(gateway)["legacy"]["state"] == "disabled"

    def test_old_values(self, gateway: Machine) -> None:
        gateway.host.vici.up = {"roads": {"any"}}
        gateway.prepare(settings(text=TEXT.replace("version = 2", "version = 1")))
        assert seen(gateway)["roads"]["state"] == "up"

    def test_why_one_is_down(self, gateway: Machine) -> None:
        gateway.prepare(settings("start"))
        gateway.host.journalctl = [
            {
                "__REALTIME_TIMESTAMP": "1769860800000000",
                "MESSAGE": text,
                "IKE_SA_NAME": "legacy",
                "IKE_SA_UNIQUE_ID": "1",
                "_PID": "1",
            }
            for text in (
                "sending packet: from 198.51.100.1[500] to 192.0.2.7[500] (464 bytes)",
                "received packet: from 192.0.2.7[500] to 198.51.100.1[500] (36 bytes)",
                "received NO_PROPOSAL_CHOSEN notify error",
            )
        ]
        why = seen(gateway)["legacy"]["explanation"]
        assert why["cause"] == "peer_refused_phase1"


class TestConnection:
    def test_connect_and_close(self, gateway: Machine) -> None:
        one = {"phase1": "legacy", "phase2": "one"}
        first = connect(gateway, **one)
        assert gateway.changes == ["initiate legacy/one"]
        assert first["ipsec_connection"]["tunnels"] == [
            {"phase1": "legacy", "phase2": "one", "up": True, "state": "up", "initiates": True}
        ]
        assert connect(gateway, **one)["changed"] is False
        connect(gateway, phase1="legacy", state="disconnected")
        assert gateway.changes == ["terminate legacy"]

    def test_with_all_of_the_network(self, gateway: Machine) -> None:
        result = connect(gateway)
        calls = {
            f"{item['phase1']}/{item['phase2']}": item["initiates"]
            for item in result["ipsec_connection"]["tunnels"]
        }
        assert calls == {
            "site-b/net": True,
            "legacy/one": True,
            "legacy/two": True,
            "roads/any": False,
        }
        assert gateway.changes == [
            "initiate site-b/net",
            "initiate legacy/one",
            "initiate legacy/two",
        ]

    def test_what_names_its_peer_is_called_whatever_its_action(self, gateway: Machine) -> None:
        gateway.prepare(settings("none"))
        connect(gateway, phase1="legacy", phase2="one")
        assert gateway.changes == ["initiate legacy/one"]

    def test_a_failure_is_explained(self, gateway: Machine) -> None:
        host = gateway.host
        host.vici.refused = {"legacy"}
        host.says = {"legacy": ("received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built", SECRET)}
        (failure, _two) = connect(gateway, phase1="legacy")["failures"]
        assert (failure["phase1"], failure["phase2"]) == ("legacy", "one")
        assert failure["cause"] == "peer_refused_phase2"
        assert failure["ours"] == "esp: aes256-sha256"

    def test_a_secret_among_the_evidence_is_masked(self, gateway: Machine) -> None:
        gateway.host.vici.refused = {"legacy"}
        gateway.host.says = {"legacy": (f"{SECRET} x",)}
        failures = connect(gateway, phase1="legacy")["failures"]
        assert {line for item in failures for line in item["evidence"]} == {"ours: ******** x"}

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"phase1": "legacy", "phase2": "local-traffic"}, "is not a phase 2 of phase 1 legacy"),
            ({"phase1": "shunt"}, "'shunt': does not exist in network lan"),
        ],
    )
    def test_what_is_no_tunnel(self, gateway: Machine, options: dict[str, str], words: str) -> None:
        assert words in connect(gateway, **options)["msg"]

    def test_a_network_has_its_own_text(self, gateway: Machine) -> None:
        gateway.prepare(("vpn_network", {"name": "dmz", "ip_address_type": "none"}))
        result = gateway.run("ipsec_connection", network="dmz", phase1="legacy")
        assert "'legacy'" in result["msg"]


def test_diagnostics(gateway: Machine) -> None:
    result = gateway.run("ipsec_diagnostics", query="logs", phase1="legacy")
    assert not result.get("failed"), result
    result = gateway.run("ipsec_diagnostics", query="configuration", phase1="legacy")
    files = result["ipsec_diagnostics"]["files"]
    assert "/etc/swanctl/conf.d/tunnelwright.advanced.lan.conf" in files
    assert "/etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf" not in files
    assert SECRET not in str(result)
