# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The next run on a host that an earlier commit has configured.

``fixtures/earlier_host`` has the files as commit a162265 wrote them: networks of each kind, phase 1
and phase 2 objects, rules and conf texts, in the data plane of the kernel and in userspace. Its
records name no interface, and its nftables tables have a rule for each tunnel. Scripts with chains
of other tables differ too. Every other file equals the file that a run writes today.
"""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.files.credentials import (
    installed_credentials,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.files.read_back import (
    read_gateway,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.kernel.link import LinkState
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.kernel.nft import BaseChain
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.gateway import Gateway
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import DEBIAN
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.artefacts import (
    Artefacts,
    artefacts,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.file import File
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.nft import HOOKS
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.machine import Machine

HOSTS = Path(__file__).with_name("fixtures") / "earlier_host"
PLANES = ("kernel", "userspace")
NETWORKS = (
    "lan",
    "guests",
    "office",
    "beside",
    "bare",
    "six",
    "lodger",
    "asleep",
    "a-name-of-some-length",
)
# Their tables have tunnels or peers. In the userspace data plane, the table of `bare` has neither.
WITH_TUNNELS = {
    "kernel": {"lan", "guests", "office", "beside", "bare", "six", "asleep"},
    "userspace": {"lan", "guests", "office", "beside", "six", "asleep"},
}


def files_of(plane: str) -> dict[str, File]:
    content = json.loads((HOSTS / f"{plane}.json").read_text())
    return {
        path: File(path, file["text"].encode(), int(file["mode"], 8))
        for path, file in content.items()
    }


class Earlier:
    """The machine, with the files of an earlier commit in place and every tunnel up."""

    def __init__(self, machine: Machine, plane: str) -> None:
        self.machine, self.host, self.plane = machine, machine.host, plane
        self.files = files_of(plane)
        for file in self.files.values():
            self.host.files.write(file)
        for number in (1, 2, 3):
            self.host.link.devices[f"eth{number}"] = LinkState("", 1500, True, ())
        self.host.nft.chains = tuple(
            BaseChain("inet", "filter", hook, hook, "accept", drops=False) for hook in HOOKS
        )
        self.boot()

    def boot(self) -> None:
        """Run the commands in the units of the networks, and start the IKE daemon."""
        started = [network for network in self.gateway.networks.values() if network.started]
        for name in self.gateway.networks:
            self.switch_on(f"tunnelwright-{name}.guard.service")
        for network in sorted(started, key=lambda item: item.name == "lodger"):
            self.switch_on(f"tunnelwright-{network.name}.service")
        self.host.restart_daemon()
        for name, section in self.host.vici.conns.items():
            children = section.get("children", {})
            if name in self.gateway.connections:
                self.host.vici.up[name] = {*children}
        self.host.log.clear()

    def switch_on(self, unit: str) -> None:
        self.host.systemd.start(unit)
        self.host.systemd.enabled.add(unit)

    @property
    def gateway(self) -> Gateway:
        return read_gateway(self.host.files)

    @property
    def rendered(self) -> Artefacts:
        return artefacts(
            self.gateway,
            DEBIAN,
            userspace=self.plane == "userspace",
            credentials=installed_credentials(self.host.files, self.gateway),
        )

    def renewed(self, network: str) -> list[str]:
        """Return the paths of rules and script of a network that are written otherwise today."""
        parts = self.rendered.networks[network]
        wanted = (parts.rules, parts.script)
        return [file.path for file in wanted if self.files[file.path] != file]

    def options(self, network: str) -> dict[str, t.Any]:
        options = self.gateway.networks[network].to_options()
        return {option: value for option, value in options.items() if value is not None}

    def daemon(self) -> tuple[t.Any, ...]:
        vici = self.host.vici
        return dict(vici.conns), {**vici.up}, {*vici.shared}, {*vici.private}


@pytest.fixture(name="earlier", params=PLANES)
def _earlier(machine: Machine, request: pytest.FixtureRequest) -> Earlier:
    return Earlier(machine, request.param)


def test_it_has_a_network_of_each_kind(earlier: Earlier) -> None:
    assert {*NETWORKS} == earlier.gateway.networks.keys()
    records = [path for path in earlier.files if path.endswith(".json")]
    assert [path for path in records if b'"interfaces"' in earlier.files[path].data] == []


def test_every_file_of_the_daemon_and_of_systemd_is_as_it_is_written_today(
    earlier: Earlier,
) -> None:
    """An upgrade rewrites records and rules only. Any other file would affect its readers."""
    whole = earlier.rendered
    today = {
        file.path: file
        for file in (
            *whole.daemon.values(),
            *(file for parts in whole.networks.values() for file in parts.files),
            *(
                file
                for parts in whole.swanctl.values()
                for file in (parts.file, *parts.extra_files)
            ),
        )
    }
    records = {DEBIAN.record_path(name) for name in NETWORKS}
    renewed = {path for name in NETWORKS for path in earlier.renewed(name)}
    assert {path for path in renewed if path.endswith(".nft")} == {
        DEBIAN.rules_path(name) for name in WITH_TUNNELS[earlier.plane]
    }
    assert {path for path in renewed if path.endswith(".sh")} == {DEBIAN.script_path("lan")}
    unchanged = earlier.files.keys() - records - renewed
    assert today.keys() == unchanged | renewed
    assert {path: today[path] for path in unchanged} == {
        path: earlier.files[path] for path in unchanged
    }


@pytest.mark.parametrize("network", NETWORKS)
def test_the_next_run_writes_record_and_rules_and_nothing_else(
    earlier: Earlier, network: str
) -> None:
    """The next run writes the record and replaces the rules, as check mode predicts.

    The run touches no SA and no interface. A second run changes nothing.
    """
    machine, path = earlier.machine, DEBIAN.record_path(network)
    daemon, devices = earlier.daemon(), dict(earlier.host.link.devices)
    options = earlier.options(network)
    files = [f"write {renewed}" for renewed in earlier.renewed(network)]
    actions, changes = [*files], [*files]
    if files:
        actions.append(f"replace the nftables rules of network {network}")
        changes.append(f"{DEBIAN.script_path(network)} rules")
    foreseen = machine.run("vpn_network", check=True, **options)
    assert machine.changes == []
    done = machine.run("vpn_network", **options)
    assert not done.get("failed"), done
    assert machine.changes == [*changes, f"write {path}"]
    for result in (foreseen, done):
        assert not result.get("failed"), result
        assert (result["changed"], result["actions"]) == (True, [*actions, f"write {path}"])
        assert (result["impact"], result["impacts"]) == ("none", [])
        assert len(result["diff"]) == len(files) + 1
        difference = result["diff"][-1]
        assert difference["before_header"] == path
        assert '"interfaces"' not in difference["before"]
        assert '"interfaces"' in difference["after"]
    assert earlier.daemon() == daemon
    assert earlier.host.link.devices == devices
    again = machine.run("vpn_network", **options)
    assert (again["changed"], again["actions"], machine.changes) == (False, [], [])


def test_a_task_for_a_tunnel_leaves_the_record_as_it_is(earlier: Earlier) -> None:
    """The scope of a task for a tunnel has no network, so that the record stays unchanged."""
    options = {"name": "site-b", "network": "lan", "remote_gateway": "192.0.2.2"}
    psk = "the key of site-b and of no other tunnel"
    result = earlier.machine.run("ipsec_phase1", **options, psk=psk, dpd_delay=60)
    assert not result.get("failed"), result
    assert result["changed"]
    assert not any(".json" in action for action in result["actions"])


def test_a_network_that_moves_at_once(earlier: Earlier) -> None:
    """The old interface is deleted, although only the options in the record give its name."""
    options = {**earlier.options("bare"), "interface": "bare0"}
    result = earlier.machine.run("vpn_network", **options)
    path = DEBIAN.record_path("bare")
    assert result["actions"][0] == f"note interface bare0 in {path}"
    assert result["actions"][-2:] == ["delete interface vpn-bare", f"write {path}"]
    assert "vpn-bare" not in earlier.host.link.devices
    assert "bare0" in earlier.host.link.devices
    assert not earlier.machine.run("vpn_network", **options)["changed"]


def test_a_network_that_is_removed_at_once(earlier: Earlier) -> None:
    earlier.machine.run("vpn_network", name="guests", state="absent", force=True)
    assert "tagged0" not in earlier.host.link.devices
    left = [path for path in earlier.host.everything() if "guests" in path or "old" in path]
    assert left == []


def test_what_the_records_name_in_the_end(earlier: Earlier) -> None:
    for network in NETWORKS:
        earlier.machine.run("vpn_network", **earlier.options(network))
    files = earlier.host.everything()
    named = {name: json.loads(files[DEBIAN.record_path(name)].data) for name in NETWORKS}
    assert {name: record["interfaces"] for name, record in named.items()} == {
        "lan": [{"device": "vpn-lan", "made": True, "router": "10.1.0.1/24"}],
        "guests": [{"device": "tagged0", "made": True, "router": "10.20.0.1/24"}],
        "office": [{"device": "eth2", "made": False, "router": "10.30.0.1/24"}],
        "beside": [{"device": "eth3", "made": False, "router": ""}],
        "bare": [{"device": "vpn-bare", "made": True, "router": ""}],
        "six": [{"device": "vpn-six", "made": True, "router": "2001:db8:1::1/64"}],
        "lodger": [{"device": "vpn-lan", "made": False, "router": "10.50.0.1/24"}],
        "asleep": [],
        "a-name-of-some-length": [{"device": "vpn-a-name-b1f3", "made": True, "router": ""}],
    }
    forwarding = {name: record["forwarding"] for name, record in named.items()}
    assert {name for name in NETWORKS if forwarding[name] == [4]} == {
        *("lan", "guests", "office", "beside", "lodger"),
    }
    assert {name for name in NETWORKS if not forwarding[name]} == {
        *("bare", "asleep", "a-name-of-some-length"),
    }
    assert forwarding["six"] == [6]
