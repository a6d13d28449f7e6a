# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Playbook compare, run on an inventory without reachable hosts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.tunnelwright.ipsec.plugins.filter.ipsec_fleet_mismatches import (
    ipsec_fleet_mismatches,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.ends import local, remote
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import PSK

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOK = ROOT / "playbooks/compare.yml"
ANSIBLE = Path(sys.executable).parent / "ansible-playbook"

FINGERPRINT = r"(?m)(?<=psk: )[0-9a-f]{10}$"
PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.assert:
        that: true
        success_msg: "<{{ inventory_hostname }}: {{ told.ours }} {{ told.theirs }}>"
      vars:
        definitions: >-
          {{ [hostvars.a, hostvars.b] | map(attribute='gateway_phase1') | map('first') }}
        told: >-
          {{ (definitions.0 | tunnelwright.ipsec.ipsec_mismatches(definitions.1)).findings
             | selectattr('code', 'eq', 'psk_mismatch') | first }}
"""

GCM = {"encryption": [{"algorithm": "aes-gcm"}]}


def run(
    inventory: Path, *arguments: str, playbook: Path = PLAYBOOK
) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(collections()),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_LOCALHOST_WARNING": "0",
    }
    return subprocess.run(
        [ANSIBLE, "-i", inventory, playbook, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=120,
    )


def collections() -> Path:
    """Return the folder in which Ansible finds this checkout as a collection."""
    (found,) = (ROOT / ".venv/lib").glob("python3*/site-packages")
    return found


@pytest.fixture(name="inventory")
def _inventory(tmp_path: Path) -> t.Callable[..., Path]:
    if not ANSIBLE.exists() or not (ROOT / ".venv").exists():
        pytest.skip("needs the virtual environment of the checkout")

    def write(**phase1: list[dict[str, t.Any]]) -> Path:
        path = tmp_path / "inventory.yml"
        hosts = {name: {"gateway_phase1": items} for name, items in phase1.items()}
        path.write_text(yaml.safe_dump({"gateways": {"hosts": hosts}}))
        return path

    return write


def test_the_example_fits(inventory):
    done = run(ROOT / "examples/inventory.yml")
    assert done.returncode == 0, done.stdout
    assert "gw-a - gw-b                              up" in done.stdout


def test_it_fails_with_a_table_that_names_what_does_not_fit(inventory):
    elsewhere = local({}, name="site-d", remote_gateway="192.0.2.77")
    done = run(inventory(a=[local({**GCM}), elsewhere], b=[remote({})], c=[]))
    assert done.returncode != 0
    assert "a - b                                    down" in done.stdout
    assert (
        "error   esp_proposal_mismatch: The encryption lists of phase 2 have no common"
        in done.stdout
    )
    assert "not compared: phase 1 site-d of a" in done.stdout
    assert "a - c" not in done.stdout
    assert PSK not in done.stdout


def test_warnings_fail_where_it_is_strict(inventory):
    narrowed = inventory(a=[local({"remote_network": ["10.0.0.0/8"]})], b=[remote({})])
    done = run(narrowed)
    assert done.returncode == 0, done.stdout
    assert "warning selectors_narrowed" in done.stdout
    assert run(narrowed, "-e", "gateway_strict=true").returncode != 0


def test_a_misspelt_option_is_named_and_its_value_is_not_shown(inventory):
    done = run(inventory(a=[local({}, pks=PSK)], b=[remote({})]), "-vvv")
    assert done.returncode != 0
    assert "definition_invalid" in done.stdout
    assert "pks" in done.stdout
    assert PSK not in done.stdout


def test_readme_shows_what_it_prints():
    """The README shows the table of three hosts: one has no PFS, and one has another key."""
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = page.partition("<!-- compare output: begin -->\n```\n")[2].partition("```\n")[0]
    addresses = ("198.51.100.7", "203.0.113.20", "203.0.113.30")
    networks = ("10.1.0.0/24", "10.2.0.0/24", "10.3.0.0/24")

    def end(name, here, there, psk=PSK, **options):
        child = {"local_network": [networks[here]], "remote_network": [networks[there]], **options}
        ends = {"local_address": addresses[here], "remote_gateway": addresses[there]}
        return {"name": name, "psk": psk, "phase2": [{"name": "lan", **child}], **ends}

    hosts = {
        "gw-a": [end("gw-b", 0, 1), end("gw-c", 0, 2)],
        "gw-b": [end("gw-a", 1, 0, encryption=[{"algorithm": "aes"}])],
        "gw-c": [end("gw-a", 2, 0, psk="a key that was mistyped")],
    }
    definitions = {name: {"gateway_phase1": items} for name, items in hosts.items()}
    printed = ipsec_fleet_mismatches(definitions)["table"]
    assert numbered(shown.splitlines()) == numbered(printed)


def numbered(rows: list[str]) -> list[str]:
    """Return the rows with numbers as fingerprints, because each run has other fingerprints."""
    seen = list(dict.fromkeys(re.findall(FINGERPRINT, "\n".join(rows))))
    return [re.sub(FINGERPRINT, lambda found: str(seen.index(found[0])), row) for row in rows]


def test_fingerprints_are_equal_within_a_run_and_others_in_the_next(inventory):
    """Fingerprints agree within a run, although Ansible forks a process for each task and host."""
    keys = {"a": "first key", "b": "second key"}
    path = inventory(**{name: [local({}, psk=key)] for name, key in keys.items()})
    play = path.parent / "play.yml"
    play.write_text(PLAY)
    runs = [fingerprints(run(path, playbook=play)) for _each in range(2)]
    assert runs[0]["a"] == runs[0]["b"]
    assert runs[1]["a"] == runs[1]["b"]
    assert len(set(runs[0]["a"])) == 2
    assert not set(runs[0]["a"]) & set(runs[1]["a"])


def fingerprints(done: subprocess.CompletedProcess[str]) -> dict[str, list[str]]:
    assert done.returncode == 0, done.stdout
    return {host: told.split() for host, told in re.findall(r"<(\w+): ([^>]*)>", done.stdout)}
