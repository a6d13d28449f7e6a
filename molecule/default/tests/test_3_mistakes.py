# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role reports mistakes, objects that the variables lack, and the tunnels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gateway import Run, example_variables, playbook

Play = Callable[..., Run]

NAMES = ("gw-a", "gw-b")
FAR = dict(zip(NAMES, reversed(NAMES), strict=True))
NOTHING = dict.fromkeys(NAMES, 0)
TASK = "Configure networks, settings, phase 1, phase 2 and rules"
FAILED = f"{TASK}: this task failed, see its error above."


def lan(**more: Any) -> dict[str, Any]:
    """Return the variables of the network, with ``more``."""
    known = {"ip_address": "{{ site_lan4.router }}", "network_address": "{{ site_lan4.network }}"}
    chains = ["inet filter input", "inet filter forward"]
    return {"name": "lan", **known, "firewall_chains": chains, **more}


@pytest.mark.usefixtures("tunnel")
def test_the_last_task_says_how_the_tunnels_fare(play: Play) -> None:
    run = play("site", gateway_verify="require")
    assert run.changed == NOTHING
    for name, far in FAR.items():
        assert run.messages[name, "Report the state of the tunnels"] == [
            f"up: {far}/ipv4, {far}/ipv6"
        ]


def test_mistakes_are_told_before_anything_is_touched(tmp_path: Path) -> None:
    variables = example_variables()
    variables["gateway_phase1"][0]["remote_gateway"] = "999.1.1.1"
    variables["gateway_networks"][1]["ip_adress"] = "192.0.2.1"
    variables["gateway_rules"] = None
    run = playbook("site", variables=variables, scratch=tmp_path)
    assert run.changed == NOTHING
    assert len(run.failures) == 2
    for name, far in FAR.items():
        first, second = run.messages[name, "Report the errors of the entries"].splitlines()
        assert first.startswith("gateway_networks[1] lan6: ip_adress: is not an option")
        assert second.startswith(f"gateway_phase1[0] {far}: remote_gateway '999.1.1.1':")


def test_a_failure_that_changed_nothing_is_followed_by_no_change(tmp_path: Path) -> None:
    variables = {
        "gateway_networks": [lan(ike_interfaces=["eth7"])],
        "gateway_settings": None,
        "gateway_phase1": None,
        "gateway_rules": None,
    }
    run = playbook("site", variables=variables, scratch=tmp_path)
    assert run.changed == NOTHING
    for name in NAMES:
        said = run.messages[name, "Report the failure of the configuration"]
        assert said == f"{FAILED} Nothing was changed."


@pytest.mark.long
def test_one_wrong_entry_of_several_changes_nothing(play: Play, tmp_path: Path) -> None:
    networks = [lan(description="changed"), {"name": "more", "interface_network": "eth7"}]
    networks[1].update(ip_address="10.99.0.1", network_address="10.99.0.0/24")
    variables = {"gateway_networks": networks, "gateway_settings": None, "gateway_phase1": None}
    run = playbook("site", variables=variables, scratch=tmp_path)
    assert run.changed == NOTHING
    for name in NAMES:
        said = run.messages[name, "Report the failure of the configuration"]
        assert said == f"{FAILED} Nothing was changed."
    assert play("site").changed == NOTHING


@pytest.mark.long
def test_objects_are_purged_only_on_request(play: Play, tmp_path: Path) -> None:
    """Check mode names each object. Without gateway_purge_all the last tunnel stays."""
    dropped = dict.fromkeys(("gateway_settings", "gateway_phase1", "gateway_rules"))
    wanted = {"gateway_networks": [lan()], **dropped, "gateway_purge": True}
    refused = playbook("site", "--check", variables=wanted, scratch=tmp_path)
    assert refused.changed == NOTHING
    assert "state 'overridden': would remove the last tunnel of this host" in str(refused.failures)
    run = play("site", "--check", gateway_purge_all=True, **wanted)
    for name, far in FAR.items():
        assert run.messages[name, "Report the changed objects"][1:7] == [
            "removed network lan6",
            f"removed phase1 {far}",
            f"removed phase2 {far}/ipv4",
            f"removed phase2 {far}/ipv6",
            "removed rule lan/no-telnet",
            "removed settings lan",
        ]


@pytest.mark.long
@pytest.mark.parametrize("options", [["--check"], []])
def test_what_the_variables_do_not_have_is_named(play: Play, options: list[str]) -> None:
    dropped = dict.fromkeys(("gateway_settings", "gateway_phase1", "gateway_rules"))
    run = play("site", *options, gateway_networks=[lan()], **dropped)
    assert run.changed == NOTHING
    for name, far in FAR.items():
        assert run.messages[name, "Report the objects that are not in the variables"][1:] == [
            "IPsec settings of network lan: mss_clamp",
            "rule no-telnet of network lan",
            "network lan6",
            f"phase 1 {far} of network lan",
        ]
