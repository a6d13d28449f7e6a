# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check mode predicts the changes of the run, for the whole playbook."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from gateway import PINGS, Gateway, Run, example_variables, up, wait_for

Play = Callable[..., Run]

CONFIGURE = "tunnelwright.ipsec.gateway : Configure networks, settings, phase 1, phase 2 and rules"


@pytest.mark.usefixtures("tunnel")
def test_check_mode_equals_the_run(play: Play, gateways: dict[str, Gateway]) -> None:
    before = [state(gateway) for gateway in gateways.values()]
    checked = play("site", "--check", "--diff", **changes())
    assert [state(gateway) for gateway in gateways.values()] == before, "check mode changed a host"
    done = play("site", "--diff", **changes())

    assert essence(checked) == essence(done)
    assert checked.changed == done.changed == {"gw-a": 1, "gw-b": 1}
    assert {place for place, result in done.results.items() if result["changed"]} == {
        ("gw-a", CONFIGURE, ""),
        ("gw-b", CONFIGURE, ""),
    }
    report = "Report the changed objects"
    assert done.messages["gw-a", report][1:] == ["changed settings lan"]
    assert done.messages["gw-b", report][1] == "changed phase2 gw-a/ipv4"
    assert checked.messages["gw-b", report] == done.messages["gw-b", report]
    near, far = gateways.values()
    assert "size set 1200" in near.table()
    assert far.connections()["gw-a"]["children"]["ipv4"]["local-ts"] == ["10.2.0.0/25"]

    play("site")
    wait_for("the tunnel is up", lambda: up(gateways))
    assert [state(gateway) for gateway in gateways.values()] == before
    assert near.ping(far.lan4.ip) == PINGS


def changes() -> dict[str, Any]:
    """Return two independent changes: the MSS on one gateway, a remote network on the other."""
    variables = example_variables()
    (settings,) = variables["gateway_settings"]
    settings["mss_clamp"] = "{{ 1200 if inventory_hostname == 'gw-a' else 1300 }}"
    (phase1,) = variables["gateway_phase1"]
    ipv4, _ipv6 = phase1["phase2"]
    ipv4["local_network"] = [
        "{{ '10.2.0.0/25' if inventory_hostname == 'gw-b' else site_lan4.network }}"
    ]
    del variables["gateway_networks"]
    return variables


def essence(run: Run) -> dict[tuple[str, str, str], dict[str, Any]]:
    keys = ("changed", "actions", "impact", "diff", "summary", "objects")
    # The checkpoint of a run is only temporary, and check mode has none.
    results = {place: item for place, item in run.results.items() if place[1] == CONFIGURE}
    return {place: {key: item.get(key) for key in keys} for place, item in results.items()}


def state(gateway: Gateway) -> tuple[Any, ...]:
    """Return files, rules and connections of a gateway."""
    files = gateway.sh("find /etc/tunnelwright /etc/swanctl/conf.d -type f -exec sha256sum {} +")
    return sorted(files.splitlines()), gateway.table(), gateway.firewall(), gateway.connections()
