# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The unit tests and strongSwan agree on which configurations are valid."""

from __future__ import annotations

import json
import shlex

import pytest
from ansible_collections.tunnelwright.ipsec.tests.live.host import ROOT
from ansible_collections.tunnelwright.ipsec.tests.live.rig import DEVICES, Rig

TABLE = ROOT / "tests/unit/plugins/module_utils/_render/fixtures/configurations.json"
# swanctl reads a strongswan.conf with the same parser as charon. The exit status of swanctl is 64
# when the parser refuses the file.
ASK = """
import json, os, subprocess, sys, tempfile
verdicts = {}
for case in json.loads(sys.argv[1]):
    with tempfile.TemporaryDirectory() as directory:
        for path, text in case["files"].items():
            os.makedirs(os.path.dirname(f"{directory}/{path}"), exist_ok=True)
            open(f"{directory}/{path}", "wb").write(text.encode())
        environment = {**os.environ, "STRONGSWAN_CONF": f"{directory}/main.conf"}
        run = subprocess.run(["swanctl", "--version"], env=environment, capture_output=True)
        verdicts[case["name"]] = run.returncode
print(json.dumps(verdicts))
"""


@pytest.mark.parametrize("release", DEVICES.values())
def test_verdicts(rigs: dict[str, Rig], release: str) -> None:
    table = json.loads(TABLE.read_text("utf-8"))
    said = rigs[release].device.sh(f'python3 -c {shlex.quote(ASK)} "$(cat)"', json.dumps(table))
    assert json.loads(said) == {case["name"]: 64 if case["refused"] else 0 for case in table}
