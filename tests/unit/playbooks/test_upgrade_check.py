# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook upgrade_check, its filter, and docs/upgrading.md."""

from __future__ import annotations

import ast
import json
import re
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.tunnelwright.ipsec.plugins.filter.ipsec_upgrade_check import FilterModule
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import ModelError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._releases.judgement import EFFECTS
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._releases.releases import (
    BASE,
    EXTRA,
    RELEASES,
    STANDARD,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.upgrades import (
    FILES,
    connection,
    gateway,
    texts,
)

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOK = ROOT / "playbooks/upgrade_check.yml"
PAGE = (ROOT / "docs/upgrading.md").read_text(encoding="utf-8")
RELEASE_ROOM = ROOT / "plugins/module_utils/_releases"

upgrade_check = FilterModule().filters()["ipsec_upgrade_check"]


def example() -> t.Any:
    """Return the result for the gateway of the page."""
    ike1 = connection("site-b", 1, key_exchange="ikev1")
    auto = connection("site-c", 2, key_exchange="auto")
    others = [connection(f"site-{letter}", 2) for letter in "def"]
    packages = (BASE, STANDARD, EXTRA)
    info = gateway(ike1, auto, *others, release="debian13", packages=packages)
    info["networks"][0]["settings"]["cisco_extensions"] = True
    road = """connections {
        road { version = 1 }
        branch { version = 2
            proposals = serpent256-sha256-modp2048, aes256-sha256-modp2048 }
    }"""
    return upgrade_check(info, texts(road), "debian14")


class TestTable:
    def test_the_page_shows_what_the_filter_prints(self) -> None:
        shown = PAGE.partition("<!-- upgrade output: begin -->\n```\n")[2].partition("```\n")[0]
        assert shown.splitlines() == example()["table"]

    def test_equal_connections_are_one_row(self) -> None:
        many = [connection(f"s{number:04}", 2, key_exchange="auto") for number in range(1000)]
        table = upgrade_check(gateway(*many, release="debian13"), FILES, "debian14")["table"]
        (row,) = (line for line in table if "s0000" in line)
        assert row.endswith("phase 1 s0019 (up), and 980 more")
        assert len(table) == 10

    def test_a_host_without_an_effect(self) -> None:
        table = upgrade_check(gateway(release="debian13"), FILES, "debian13")["table"]
        assert table[-1] == "nothing changes"

    def test_an_unknown_release_of_the_host(self) -> None:
        info = gateway()
        info["packages"]["distribution"] = None
        table = upgrade_check(info, FILES, "debian14")["table"]
        assert table[0].startswith("unknown release to Debian 14 (strongSwan 6.1.0")

    @pytest.mark.parametrize("target", ["debian15", "", None])
    def test_an_unknown_target(self, target: t.Any) -> None:
        with pytest.raises(ModelError, match=r"Use debian12, debian13 or debian14\.$"):
            upgrade_check(gateway(), FILES, target)

    def test_the_result_is_json(self) -> None:
        assert json.loads(json.dumps(example())) == example()


class TestPage:
    @staticmethod
    def rows(heading: str) -> dict[str, list[str]]:
        section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
        cells = (line.strip("| ").split(" | ") for line in section.splitlines())
        return {row[0].strip("`"): row for row in cells if row[0].startswith("`")}

    def test_every_cause_has_its_row_and_its_effects(self) -> None:
        rows = self.rows("Causes")
        assert rows.keys() == made().keys()
        for cause, effects in made().items():
            assert {*rows[cause][1].split(", ")} == effects, cause

    def test_every_effect_has_its_row(self) -> None:
        assert tuple(self.rows("Effects")) == EFFECTS

    def test_the_releases(self) -> None:
        (row,) = (line for line in PAGE.splitlines() if line.startswith("| `upgrade_target`"))
        assert re.findall(r"`(debian\d+)`", row) == [*RELEASES]


def made() -> dict[str, set[str]]:
    """Return the causes in the code, with the effects of each."""
    found: dict[str, set[str]] = {}
    for path in RELEASE_ROOM.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "UpgradeFinding":
                cause, effect = node.args[:2]
                assert isinstance(cause, ast.Constant)
                names = {item.id.lower() for item in ast.walk(effect) if isinstance(item, ast.Name)}
                found.setdefault(str(cause.value), set()).update(names & {*EFFECTS})
    return found


class TestPlaybook:
    def test_it_only_queries_the_gateways(self) -> None:
        """The tasks on a gateway are queries. The other tasks run on the controller."""
        (play,) = yaml.safe_load(PLAYBOOK.read_text(encoding="utf-8"))
        on_the_controller = {"assert", "set_fact", "debug"}
        queries = {"tunnelwright.ipsec.ipsec_info", "tunnelwright.ipsec.ipsec_diagnostics"}
        for task in play["tasks"]:
            (module,) = (key for key in task if "." in key)
            short = module.removeprefix("ansible.builtin.")
            assert (
                short in on_the_controller
                or module in queries
                or task.get("delegate_to") == "localhost"
            ), task["name"]
            assert not ({"shell", "command"} & {short})

    def test_the_releases_are_those_of_the_filter(self) -> None:
        text = PLAYBOOK.read_text(encoding="utf-8")
        assert f"in {[*RELEASES]}" in text
