# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The effects of the settings of a network."""

from __future__ import annotations

import re

import pytest
from ansible_collections.tunnelwright.ipsec.tests.kernel.fields import proves
from ansible_collections.tunnelwright.ipsec.tests.kernel.machine import HERE, Machine
from ansible_collections.tunnelwright.ipsec.tests.kernel.pair import PSK, SWIFT, End, Pair, until

ENDS = pytest.mark.parametrize("name", ["a", "b"])
LISTEN = "import socket; s = socket.create_server(('', 5001)); s.settimeout(60); s.accept()"
CALL = "import socket, sys; socket.create_connection((sys.argv[1], 5001), 30).close()"


def mss_seen(pair: Pair, client: End) -> tuple[int, int]:
    """Return the MSS of the client, as its peer sees it, and the MSS of the peer."""
    peer = client.other
    syn = "tcp[tcpflags] & tcp-syn != 0"
    with (
        peer.machine.capturing("eth0", syn, "lan") as there,
        client.machine.capturing("eth0", syn, "lan") as here,
    ):
        peer.machine.sh(f'ip netns exec lan python3 -c "{LISTEN}" >/dev/null 2>&1 &')
        until(lambda: peer.machine.lan("ss -Htln sport = 5001"), "the server listens")
        client.machine.lan(f'python3 -c "{CALL}" {peer.host()}')
    found = []
    for lines, source in ((there, client.host()), (here, peer.host())):
        (line,) = (line for line in lines if f" {source}." in line.partition(" > ")[0])
        match = re.search(r"mss (\d+)", line)
        assert match, line
        found.append(int(match[1]))
    return found[0], found[1]


@ENDS
@proves("ipsec_settings.mss_clamp", "0", "no rule", "the MSS of both hosts arrives as it was")
@proves("ipsec_settings.mss_clamp", "a number", "tcp option maxseg size set", "both hosts see it")
def test_mss_clamp(pair: Pair, name: str) -> None:
    end = getattr(pair, name)
    pair.tunnel()
    assert mss_seen(pair, end) == (1460, 1460)
    end.settings(mss_clamp=1300)
    for client in pair.ends:
        assert mss_seen(pair, client) == (1300, 1300)


@ENDS
@proves(
    "ipsec_settings.exclude_my_network", True, "a shunt: mode = pass", "the router answers its LAN"
)
@proves(
    "ipsec_settings.exclude_my_network",
    False,
    "no shunt",
    "ESP for a remote network within the local one",
)
def test_exclude_my_network(pair: Pair, name: str) -> None:
    """``exclude_my_network`` keeps the LAN out of a tunnel to a network that contains the LAN.

    Without it, a remote network within the LAN is in the tunnel.
    """
    end = getattr(pair, name)
    larger = {"remote_network": ["10.0.0.0/8"]}
    pair.configure(**{name: {"settings": {"exclude_my_network": True}, "phase2": larger}})
    end.initiate()
    end.machine.lan(f"ping -q -c 2 -i 0.3 -W 1 {end.router}")
    within = f"10.{end.number}.0.128/25"
    pair.configure(
        **{
            name: {
                "settings": {"exclude_my_network": False},
                "phase2": {"remote_network": [within]},
            },
            end.other.name: {"phase2": {"local_network": [within]}},
        }
    )
    end.initiate()
    with pair.wire("esp") as wire:
        end.machine.sh(f"ping -q -c 2 -i 0.3 -W 1 -I {end.router} 10.{end.number}.0.130 || true")
    assert len(wire) >= 2
    pair.configure()


@ENDS
@proves(
    "ipsec_settings.configuration_mode",
    "normal",
    "no conf texts",
    "they are gone, as is their effect",
)
@proves("ipsec_settings.configuration_mode", "advanced", "conf texts", "both texts at work")
@proves(
    "ipsec_settings.swanctl_conf", "a text", "a file in conf.d", "its connection carries traffic"
)
@proves("ipsec_settings.strongswan_conf", "a text", "a file in strongswan.d", "its retransmissions")
def test_advanced_configuration(pair: Pair, name: str) -> None:
    end = getattr(pair, name)
    names = [f"extra.{each.name}.example" for each in (end, end.other)]
    text = (
        "connections {\n extra {\n  version = 2\n  local_addrs = %any\n"
        f"  remote_addrs = {end.other.address}\n  proposals = aes256-sha256-modp2048\n"
        f"  local {{\n   auth = psk\n   id = {names[0]}\n  }}\n"
        f"  remote {{\n   auth = psk\n   id = {names[1]}\n  }}\n"
        f"  children {{\n   extra {{\n    local_ts = {end.lan4}\n    remote_ts = {end.other.lan4}\n"
        "    esp_proposals = aes256-sha256\n   }\n  }\n }\n}\n"
        f'secrets {{\n ike-extra {{\n  id-1 = {names[1]}\n  secret = "{PSK}"\n }}\n}}\n'
    )
    other = end.other.name
    identities = {"identifier": names[1], "peer_identifier": names[0]}
    pair.configure(
        **{
            name: {"phase2": {"state": "disabled"}, "settings": {**SWIFT, "swanctl_conf": text}},
            other: {"phase1": identities},
        }
    )
    end.initiate("extra", "extra")
    pair.ping()
    end.terminate("extra")
    end.other.machine.sh("systemctl stop strongswan")
    try:
        mark = end.mark()
        end.machine.sh("swanctl --initiate --child extra --timeout 1 >&2 || true")
        until(lambda: "giving up after 2 retransmits" in end.log(mark), "few retransmissions")
    finally:
        end.other.machine.sh("systemctl start strongswan")
    end.settings(configuration_mode="normal")
    assert "extra" not in end.machine.state()["connections"]
    assert "retransmit_tries" not in end.machine.sh("cat /etc/strongswan.d/*.conf")


@ENDS
@proves(
    "ipsec_settings.unencrypted_main_mode",
    False,
    "charon.accept_unencrypted_mainmode_messages = no",
    "an initiator that sends ID and HASH in cleartext is refused",
)
@proves(
    "ipsec_settings.unencrypted_main_mode",
    True,
    "charon.accept_unencrypted_mainmode_messages = yes",
    "an initiator that sends ID and HASH in cleartext is authenticated",
)
def test_identities_in_clear(pair: Pair, machines: dict[str, Machine], name: str) -> None:
    end, client = getattr(pair, name), machines["other"]
    client.sh("cat >/run/cleartext_ike.py", (HERE / "cleartext_ike.py").read_text())
    ours = {
        **{"key_exchange": "ikev1", "remote_gateway": client.ipv4},
        "connection_behavior": "responder_only",
    }
    for accepted in (False, True):
        pair.configure(
            **{name: {"phase1": ours, "settings": {"unencrypted_main_mode": accepted}}},
        )
        mark = end.mark()
        client.sh(f"python3 /run/cleartext_ike.py {end.address} {client.ipv4}", PSK)
        verdict = "established between" if accepted else "ID_V1 was not encrypted"
        until(lambda mark=mark, told=verdict: told in end.log(mark), verdict)
        assert bool(end.sas()) is accepted, end.log(mark)
    end.terminate()
