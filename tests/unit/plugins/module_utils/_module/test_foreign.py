# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Unmanaged files beside the files of this collection, in whole runs on a machine in memory."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import DEBIAN
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    NETWORK,
    PHASE1,
    PHASE2,
    RULE,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.machine import Machine

THEIRS = "/etc/swanctl/conf.d/z-theirs.conf"
OURS = "/etc/swanctl/conf.d/tunnelwright.bypass.lan.conf"
DROP_IN = "/etc/strongswan.d/theirs.conf"
STRAY = "connections {\n  hunter2\n}\n"
TEXT = (
    "connections { road { remote_addrs = 203.0.113.7\n remote { id = 203.0.113.7\n } } }\n"
    "secrets { ike-road { id = 203.0.113.7\n secret = x\n } }\n"
)
SETTINGS = {"network": "lan"}
ADVANCED = {**SETTINGS, "configuration_mode": "advanced", "swanctl_conf": TEXT}
TASKS = [
    ("vpn_network", NETWORK),
    ("ipsec_settings", SETTINGS),
    ("ipsec_phase1", PHASE1),
    ("ipsec_phase2", PHASE2),
]


@pytest.fixture(name="gateway")
def _gateway(machine: Machine) -> Machine:
    machine.prepare(*TASKS)
    return machine


def place(machine: Machine, path: str, text: str) -> None:
    file = machine.host.root / path[1:]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def warnings(result: t.Mapping[str, t.Any]) -> list[str]:
    return [item["event"]["msg"] for item in result.get("warnings", ())]


@pytest.mark.parametrize(("module", "options"), TASKS)
class TestEveryModule:
    def test_warns_of_a_broken_file(
        self, gateway: Machine, module: str, options: dict[str, t.Any]
    ) -> None:
        """The warning names file and line, but not the text. Check mode gives the same warning."""
        place(gateway, THEIRS, STRAY)
        for check in (True, False):
            (warning,) = warnings(gateway.run(module, check=check, **options))
            assert warning == (
                f"{THEIRS}, line 2: a name must be followed by = (a value) or {{ (a section): the "
                "next `swanctl --load-all` or restart of strongSwan unloads every connection and "
                "secret"
            )

    def test_warns_of_a_broken_file_of_the_daemon(
        self, gateway: Machine, module: str, options: dict[str, t.Any]
    ) -> None:
        place(gateway, DROP_IN, "charon {\n")
        (warning,) = warnings(gateway.run(module, **options))
        assert warning.startswith(f"{DROP_IN}, line 1: a section is not closed: the next restart ")

    def test_warns_where_ours_are_not_included(
        self, gateway: Machine, module: str, options: dict[str, t.Any]
    ) -> None:
        place(gateway, DEBIAN.swanctl_conf, "include conf.d/*.txt\n")
        (warning,) = warnings(gateway.run(module, **options))
        root = DEBIAN.swanctl_conf
        assert warning.startswith(f"{root} does not include /etc/swanctl/conf.d/*.conf, ")

    def test_warns_of_what_is_not_read(
        self, gateway: Machine, module: str, options: dict[str, t.Any]
    ) -> None:
        (gateway.host.root / THEIRS[1:]).symlink_to("/nowhere")
        (warning,) = warnings(gateway.run(module, **options))
        assert warning.startswith(f"{THEIRS} does not exist, or is a link to nothing: ")

    def test_says_nothing_of_sound_files(
        self, gateway: Machine, module: str, options: dict[str, t.Any]
    ) -> None:
        place(gateway, THEIRS, "connections { theirs : base { } }\ninclude nothing/*.conf\n")
        place(gateway, DROP_IN, "charon { x = {y\n }\n")
        assert warnings(gateway.run(module, **options)) == []


class TestOurs:
    """A file of this collection that was damaged by hand."""

    def spoil(self, gateway: Machine) -> None:
        place(gateway, OURS, gateway.host.text(OURS) + "}\n")

    def test_no_word_where_it_is_put_right(self, gateway: Machine) -> None:
        self.spoil(gateway)
        result = gateway.run("ipsec_settings", **SETTINGS)
        assert result["changed"]
        assert warnings(result) == []

    def test_named_by_the_tasks_of_others(self, gateway: Machine) -> None:
        self.spoil(gateway)
        (warning,) = warnings(gateway.run("ipsec_phase1", **PHASE1))
        assert warning.startswith(f"{OURS}, line ")


class TestDoubles:
    @pytest.mark.parametrize(
        ("module", "options", "text", "words"),
        [
            (
                "ipsec_phase1",
                PHASE1,
                "connections {\n site-b { } }",
                f"phase 1 site-b: name 'site-b': makes the connection site-b, which is in "
                f"{THEIRS}, line 2 already: strongSwan would merge both sections key by key. "
                "Use another name, ",
            ),
            (
                "ipsec_phase1",
                PHASE1,
                "secrets { ike-site-b { } }",
                "name 'site-b': makes the secret ike-site-b, which",
            ),
            (
                "ipsec_phase2",
                PHASE2,
                "connections { site-b : base { } }",
                "phase 2 net of phase 1 site-b: phase1 'site-b': makes the connection site-b, ",
            ),
            (
                "ipsec_settings",
                {**SETTINGS, "unique_ids": "never"},
                "connections { site-b { } }",
                "IPsec settings of network lan: network 'lan': makes the connection site-b, ",
            ),
            (
                "ipsec_settings",
                ADVANCED,
                "connections { road { } }",
                "swanctl_conf 'road': makes the connection road, ",
            ),
            (
                "ipsec_settings",
                ADVANCED,
                "secrets { ike-road { } }",
                "swanctl_conf 'ike-road': makes the secret ike-road, ",
            ),
            (
                "vpn_network",
                NETWORK,
                "connections { tunnelwright-bypass-lan { } }",
                "network lan: name 'lan': makes the connection tunnelwright-bypass-lan, ",
            ),
        ],
    )
    @pytest.mark.parametrize("check", [False, True])
    def test_refused(
        self,
        gateway: Machine,
        module: str,
        options: dict[str, t.Any],
        text: str,
        words: str,
        check: bool,
    ) -> None:
        """A task is refused before the first change, even if the object exists already."""
        place(gateway, THEIRS, text)
        before = gateway.host.everything()
        result = gateway.run(module, check=check, **options)
        assert result["failed"]
        assert words in result["msg"]
        assert THEIRS in result["msg"]
        assert gateway.host.log == []
        assert gateway.host.everything() == before

    @pytest.mark.parametrize(
        ("module", "options", "words"),
        [
            ("vpn_network", NETWORK, "network lan: name 'lan': makes"),
            ("ipsec_settings", SETTINGS, "IPsec settings of network lan: network 'lan': makes"),
            ("ipsec_phase1", PHASE1, "phase 1 site-b: name 'site-b': makes"),
            ("ipsec_phase2", PHASE2, "phase 2 net of phase 1 site-b: phase1 'site-b': makes"),
            ("vpn_rule", RULE, "rule web of network lan: network 'lan': makes"),
        ],
    )
    def test_in_a_file_that_comes_with_the_data_plane(
        self, machine: Machine, module: str, options: dict[str, t.Any], words: str
    ) -> None:
        """A task of any module is refused if its bypass has the name of an unmanaged connection.

        The next task makes the bypass on a kernel that supports ESP now.
        """
        machine.host.link.esp = False
        machine.prepare(*TASKS)
        machine.host.link.esp = True
        place(machine, THEIRS, "connections { tunnelwright-bypass-lan { } }")
        told = machine.run(module, **options)["msg"]
        assert told.startswith(
            f"{words} the connection tunnelwright-bypass-lan, which is in {THEIRS}"
        )

    def test_in_a_file_like_one_of_ours(self, gateway: Machine) -> None:
        place(gateway, "/etc/swanctl/conf.d/tunnelwright.copy.conf", "connections { site-b { } }")
        assert (
            "tunnelwright.copy.conf, line 1 already:"
            in gateway.run("ipsec_phase1", **PHASE1)["msg"]
        )

    @pytest.mark.parametrize("state", ["absent", "disabled"])
    def test_ways_out(self, gateway: Machine, state: str) -> None:
        place(gateway, THEIRS, "connections { site-b { } }")
        result = gateway.run("ipsec_phase1", name="site-b", network="lan", state=state)
        assert result["changed"]

    def test_other_tunnels_are_no_business_of_a_task(self, gateway: Machine) -> None:
        place(gateway, THEIRS, "connections { site-b { } }")
        other = {**PHASE1, "name": "site-c", "remote_gateway": "203.0.113.99"}
        assert gateway.run("ipsec_phase1", **other)["changed"]

    def test_sections_elsewhere_do_not_count(self, gateway: Machine) -> None:
        text = "site-b { }\nconnections { x { site-b { } } }\nsecrets { site-b { } }\n"
        place(gateway, THEIRS, f"{text}connections {{ ike-site-b {{ }} }}\n")
        assert not gateway.run("ipsec_phase1", **PHASE1).get("failed")


class TestPlan:
    """Plans of runs, which must not cause the damage that the warnings describe."""

    @pytest.mark.parametrize("check", [False, True])
    @pytest.mark.parametrize("path", [THEIRS, DROP_IN])
    def test_no_restart(self, gateway: Machine, path: str, check: bool) -> None:
        place(gateway, path, "a {")
        before = gateway.host.everything()
        options = {**NETWORK, "dataplane": "userspace"}
        result = gateway.run("vpn_network", check=check, **options)
        assert result["failed"]
        assert "restart the IKE daemon" in result["msg"]
        assert f"{path}, line 1: a section is not closed" in result["msg"]
        assert result["msg"].endswith(". Nothing was changed.")
        assert gateway.host.log == []
        assert gateway.host.everything() == before

    def test_no_settings_that_the_daemon_would_refuse(self, gateway: Machine) -> None:
        place(gateway, DROP_IN, "a {")
        result = gateway.run("ipsec_settings", network="lan", cisco_extensions=True)
        assert f"reload the settings of the IKE daemon: {DROP_IN}, line 1" in result["msg"]
        assert gateway.host.log == []

    def test_connections_have_nothing_to_do_with_settings(self, gateway: Machine) -> None:
        place(gateway, THEIRS, "a {")
        result = gateway.run("ipsec_settings", network="lan", cisco_extensions=True)
        assert result["changed"]
