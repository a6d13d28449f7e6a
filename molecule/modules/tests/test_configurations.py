# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verdicts that the unit tests expect of us on whole configurations are those of strongSwan."""

from __future__ import annotations

import json
from pathlib import Path

from testinfra.host import Host

TABLE = (
    Path(__file__).resolve().parents[3]
    / "tests/unit/plugins/module_utils/_render/fixtures/configurations.json"
)
# swanctl reads a strongswan.conf with the same parser, and ends with 64 when that refuses it.
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


def test_verdicts(host: Host) -> None:
    table = json.loads(TABLE.read_text("utf-8"))
    verdicts = json.loads(host.check_output("python3 -c %s %s", ASK, json.dumps(table)))
    assert verdicts == {case["name"]: 64 if case["refused"] else 0 for case in table}
