# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of modules in a real play: defaults of an action group, and values that are no texts.

Each task has a mistake, so that its module ends before it reads the host.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.documents import SPECS

ROOT = Path(__file__).resolve().parents[3]
ANSIBLE = Path(sys.executable).parent / "ansible-playbook"

PLAY = """
- hosts: localhost
  gather_facts: false
  vars:
    octal: 012345670123456701234567
  module_defaults:
    group/tunnelwright.ipsec.ipsec: {network: lan}
    group/tunnelwright.ipsec.phases: {apply: defer, weak_crypto: refuse}
  # Each task has to fail, and the test reads its message.
  tasks:
    - tunnelwright.ipsec.vpn_network: {name: lan, description: 0123}
      ignore_errors: true
    - tunnelwright.ipsec.ipsec_settings: {configuration_mode: advanced, swanctl_conf: 0123}
      ignore_errors: true
    - tunnelwright.ipsec.ipsec_phase1: {name: b, remote_gateway: 192.0.2.2, psk: "{{ octal }}"}
      ignore_errors: true
    - tunnelwright.ipsec.ipsec_phase2: {name: c, phase1: b, local_network: [10], weak_crypto: allow}
      ignore_errors: true
    - tunnelwright.ipsec.vpn_rule: {name: r, action: drop, direction: incoming, description: 1:30}
      ignore_errors: true
    - tunnelwright.ipsec.ipsec_gateway: {networks: [{name: lan, description: 0123}]}
      ignore_errors: true
    - tunnelwright.ipsec.ipsec_connection: {phase1: yes}
      ignore_errors: true
    - tunnelwright.ipsec.ipsec_info: {phase1: 1.10}
      ignore_errors: true
    - tunnelwright.ipsec.ipsec_diagnostics: {query: logs, grep: [a]}
      ignore_errors: true
    - tunnelwright.ipsec.ipsec_checkpoint: {timeout: soon}
      ignore_errors: true
"""
PSK = "96374504495306324343"

Results = dict[str, dict[str, t.Any]]


@pytest.fixture(name="results", scope="module")
def _results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    if not ANSIBLE.exists() or not (ROOT / ".venv").exists():
        pytest.skip("needs the virtual environment of the checkout")
    (collections,) = (ROOT / ".venv/lib").glob("python3*/site-packages")
    play = tmp_path_factory.mktemp("play") / "play.yml"
    play.write_text(PLAY)
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(collections),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
    }
    # With -vvv, the output shows the options that each module received.
    local = ("-i", "localhost,", "-c", "local", "--check", "-vvv")
    python = f"ansible_python_interpreter={sys.executable}"
    done = subprocess.run(
        [ANSIBLE, *local, "-e", python, play],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=300,
    )
    assert PSK not in done.stdout
    report = json.loads(done.stdout[done.stdout.index("{\n") :])
    results = {
        task["task"]["name"].rpartition(".")[2]: task["hosts"]["localhost"]
        for task in report["plays"][0]["tasks"]
    }
    assert results.keys() == SPECS.keys()
    return results


@pytest.mark.parametrize("module", SPECS)
def test_each_module_takes_the_defaults_of_its_groups(results: Results, module: str) -> None:
    given = results[module]["invocation"]["module_args"]
    assert "Unsupported parameters" not in results[module]["msg"]
    if "network" in SPECS[module].argument_spec:
        assert given["network"] == "lan"
    if module in ("ipsec_phase1", "ipsec_phase2"):
        assert given["apply"] == "defer"
        # An option of the task overrides the default.
        assert given["weak_crypto"] == ("allow" if module == "ipsec_phase2" else "refuse")


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("vpn_network", "network lan: description 83: is a number, not a text"),
        ("ipsec_settings", "IPsec settings of network lan: swanctl_conf '********': is a number"),
        ("ipsec_phase1", "phase 1 b: psk '********': is a number, not a text. Put"),
        ("ipsec_phase2", "phase 2 c of phase 1 b: local_network[0] 10: is a number, not a text"),
        ("vpn_rule", "rule r of network lan: description 90: is a number, not a text"),
        ("ipsec_gateway", "networks[0] lan: description 83: is a number, not a text"),
        ("ipsec_connection", "ipsec_connection: phase1 True: is a boolean, not a text"),
        ("ipsec_info", "ipsec_info: phase1 1.1: is a number, not a text"),
        ("ipsec_diagnostics", "ipsec_diagnostics: grep ['a']: is a list, not a text"),
        ("ipsec_checkpoint", "argument 'timeout' is of type str"),
    ],
)
def test_what_yaml_made_of_a_text_is_refused(results: Results, module: str, words: str) -> None:
    assert results[module]["failed"]
    assert words in results[module]["msg"]
    assert PSK not in str(results)
