# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The service of the rollback does all its work inside its systemd sandbox.

The scenario ``molecule/checkpoint`` tests the whole rollback, with playbooks that are cut off.
"""

from __future__ import annotations

import json
import re
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from ansible_collections.tunnelwright.ipsec.tests.live.host import Host
from ansible_collections.tunnelwright.ipsec.tests.live.rig import Rig, speaks_ikev1

SERVICE = "tunnelwright.rollback.service"
UNIT = f"/etc/systemd/system/{SERVICE}"
RECORD = "/var/lib/tunnelwright/rolled-back.json"
FORGET = "systemctl stop 'tunnelwright.rollback.*'; rm -rf /var/lib/tunnelwright"
# A network that is created after the checkpoint, so that the rollback removes it.
DMZ = {"name": "dmz", "ip_address": "10.8.0.1", "network_address": "10.8.0.0/24"}
# The highest allowed exposure level of `systemd-analyze security`. The levels are 0 to 10, and 10
# is the worst. Without a sandbox the service had 9.6.
EXPOSED = 4.0


@dataclass(frozen=True)
class Changed:
    """A gateway with changes since a checkpoint. ``before`` is its state at the checkpoint."""

    device: Host
    before: dict[str, t.Any]


_T = t.TypeVar("_T")


def on_all(items: t.Iterable[_T], test: t.Callable[[_T], t.Any]) -> list[t.Any]:
    with ThreadPoolExecutor() as pool:
        return list(pool.map(test, items))


@pytest.fixture(name="kept")
def _kept(rigs: dict[str, Rig]) -> t.Iterator[list[Changed]]:
    yield on_all(rigs.values(), _change)
    for rig in rigs.values():
        rig.device.sh(FORGET)
        rig.device.wipe()


def _change(rig: Rig) -> Changed:
    device = rig.device
    device.sh(FORGET)
    device.wipe()
    route = {"name": "way", "network": "lan", "action": "route", "target": "10.1.0.254"}
    device.apply("vpn_network", rig.network(mtu=1400))
    device.apply("ipsec_phase1", rig.phase1())
    device.apply("ipsec_phase2", rig.phase2())
    device.apply("vpn_rule", {**route, "destination": ["10.55.0.0/16"]})
    device.wait_for("site-b/net")
    before = device.state()
    device.apply("ipsec_checkpoint", {"timeout": 10})
    device.apply("vpn_network", rig.network(ip_address="10.1.0.2", interface="lan0"))
    cisco = {"cisco_extensions": speaks_ikev1(device)}
    device.apply("ipsec_settings", {"network": "lan", "mss_clamp": 1300, **cisco})
    device.apply("vpn_network", DMZ)
    device.apply("ipsec_phase1", rig.phase1(psk="a key that no output may show", mobike=True))
    device.apply("vpn_rule", {**route, "destination": ["10.56.0.0/16"]})
    return Changed(device, before)


def _rolled_back(device: Host) -> dict[str, t.Any]:
    """Wait for the end of the rollback, and return its record."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        there = device.sh(f"test -e {RECORD} && test ! -e {UNIT} && cat {RECORD} || true")
        if there:
            return dict(json.loads(there))
        time.sleep(0.5)
    said = device.sh(f"journalctl --unit {SERVICE} --no-pager -o cat")
    raise AssertionError(f"{device.name}: no rollback within 90 s: {said}")


def _set(device: Host, *names: str) -> dict[str, str]:
    shown = device.sh(f"systemctl show {SERVICE} --property {','.join(names)}")
    return dict(line.split("=", 1) for line in shown.splitlines())


def test_it_is_shut_in(kept: list[Changed]) -> None:
    for changed in kept:
        found = _set(
            changed.device, "NoNewPrivileges", "PrivateTmp", "ProtectHome", "ProtectSystem"
        )
        assert found == {
            "NoNewPrivileges": "yes",
            "PrivateTmp": "yes",
            "ProtectHome": "read-only",
            "ProtectSystem": "yes",
        }
        told = changed.device.sh(f"systemd-analyze security --no-pager {SERVICE} | tail -1")
        (level,) = re.findall(r"[0-9.]+(?= [A-Z])", told)
        assert float(level) <= EXPOSED, told


def test_by_a_plan(kept: list[Changed]) -> None:
    def back(changed: Changed) -> None:
        record = _rolled_back(changed.device)
        assert (record["reason"], record["errors"], record["left"]) == ("timeout", [], [])
        assert changed.device.state() == changed.before
        changed.device.wait_for("site-b/net")
        assert changed.device.sh("systemctl --failed --plain --no-legend") == ""

    on_all(kept, back)


def test_by_its_files(kept: list[Changed]) -> None:
    """A rollback without the daemon has no plan. It restores the files and starts the daemon.

    The daemon then loads the restored files.
    """

    def back(changed: Changed) -> None:
        changed.device.sh("systemctl kill --signal KILL strongswan; systemctl stop strongswan")
        record = _rolled_back(changed.device)
        assert record["left"] == []
        (error,) = record["errors"]
        assert error.startswith("could not reach the IKE daemon")
        assert changed.device.state() == changed.before
        changed.device.wait_for("site-b/net")

    on_all(kept, back)


def test_files_and_a_daemon_that_answers(kept: list[Changed]) -> None:
    """A saved file that is not readable prevents a plan. swanctl then loads all files."""

    def back(changed: Changed) -> None:
        state = "/var/lib/tunnelwright/checkpoint/state.json"
        changed.device.sh(
            f"sed -i 's/# record {{/# record /' {state}; ! grep -q '# record {{' {state}"
        )
        record = _rolled_back(changed.device)
        assert record["left"] == []
        (error,) = record["errors"]
        assert error.startswith("/etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf"), error
        for part in ("connections", "secrets", "nft", "links", "routes", "units"):
            assert changed.device.state()[part] == changed.before[part]

    on_all(kept, back)


# Imitates a host without mount namespaces: a service with an option that needs one fails to start.
NO_NAMESPACE = (
    f"[Service]\nExecStartPre=/bin/sh -c 'grep -q ^PrivateTmp= {UNIT} && exit 226; exit 0'\n"
)


@pytest.fixture(name="confined")
def _confined(rigs: dict[str, Rig]) -> t.Iterator[None]:
    place = f"/run/systemd/system/{SERVICE}.d"
    for rig in rigs.values():
        rig.device.sh(f"mkdir -p {place}; cat >{place}/x.conf", NO_NAMESPACE)
    yield
    for rig in rigs.values():
        rig.device.sh(f"rm -r {place}; systemctl daemon-reload")


def test_where_no_mount_namespace_is_allowed(confined: None, kept: list[Changed]) -> None:
    """The service only uses the options that need no mount namespace, and rolls back."""

    def back(changed: Changed) -> None:
        found = _set(changed.device, "NoNewPrivileges", "PrivateTmp", "ProtectSystem")
        assert found == {"NoNewPrivileges": "yes", "PrivateTmp": "no", "ProtectSystem": "no"}
        record = _rolled_back(changed.device)
        assert (record["reason"], record["errors"], record["left"]) == ("timeout", [], [])
        assert changed.device.state() == changed.before

    on_all(kept, back)
