# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Role gateway: what it knows of the algorithms, and how vici gets to the target."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest
import vici
import yaml
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.algorithms import (
    ENCRYPTIONS,
    HASHES,
)

ROLE = Path(__file__).resolve().parents[3] / "roles/gateway"
REPORT = ROLE / "files/vici_report.py"
INSTALL = ROLE / "files/vici_install.py"


def test_extra_plugins_are_installed_for_the_algorithms_that_need_them():
    variables = yaml.safe_load((ROLE / "vars/main.yml").read_text())
    package = "libstrongswan-extra-plugins"
    needing = {
        row.name for row in (*ENCRYPTIONS.values(), *HASHES.values()) if row.package == package
    }
    assert set(variables["gateway__extra_algorithms"]) == needing


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A Python that has a site directory of its own, and no vici."""
    venv.create(tmp_path, with_pip=False)
    return tmp_path / "bin/python"


def report(python: str | Path) -> dict:
    done = subprocess.run([python, "-c", REPORT.read_text()], check=True, capture_output=True)
    return json.loads(done.stdout)


def digest_of(files: dict[str, str]) -> str:
    """As ``sha256sum *.py | sha256sum`` has it."""
    lines = [
        f"{hashlib.sha256(files[name].encode()).hexdigest()}  {name.removeprefix('vici/')}\n"
        for name in sorted(files)
        if name.endswith(".py")
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def install(python: Path, files: dict[str, str], digest: str = "") -> int:
    """The exit status."""
    argv = [python, "-c", INSTALL.read_text(), digest or digest_of(files)]
    return subprocess.run(argv, input=json.dumps(files).encode(), check=False).returncode


def contents(controller: dict) -> dict[str, str]:
    return {name: Path(path).read_text() for name, path in controller["files"].items()}


def test_a_delivered_vici_is_the_one_of_the_controller(target):
    controller = report(sys.executable)
    assert controller["version"]
    assert str(Path(vici.__file__)) in controller["files"].values()
    assert report(target)["digest"] != controller["digest"]

    assert install(target, contents(controller)) == 0
    delivered = report(target)
    assert delivered["digest"] == controller["digest"]
    assert delivered["version"] == controller["version"]
    subprocess.run([target, "-c", "import vici; vici.Session"], check=True)


def test_a_damaged_vici_is_replaced(target):
    controller = report(sys.executable)
    files = contents(controller)
    install(target, {**files, "vici/session.py": files["vici/session.py"] + "#"})
    assert report(target)["digest"] != controller["digest"]
    install(target, files)
    assert report(target)["digest"] == controller["digest"]


def test_an_older_record_is_told(target):
    files = contents(report(sys.executable))
    record = "vici.dist-info/METADATA"
    version = report(sys.executable)["version"]
    install(target, {**files, record: files[record].replace(version, "5.9.0")})
    assert report(target)["version"] == "5.9.0"


def test_the_digest_is_what_people_can_compute():
    found = report(sys.executable)
    (source,) = {Path(path).parent for name, path in found["files"].items() if ".py" in name}
    done = subprocess.run(
        "LC_ALL=C sha256sum *.py | sha256sum",
        shell=True,
        cwd=source,
        check=True,
        capture_output=True,
        text=True,
    )
    assert found["digest"] == done.stdout.split()[0]


def test_the_pinned_release_is_known():
    variables = yaml.safe_load((ROLE / "vars/main.yml").read_text())
    found = report(sys.executable)
    assert variables["gateway__vici_digests"][found["version"]] == found["digest"]


def test_what_arrives_otherwise_is_not_installed(target):
    files = contents(report(sys.executable))
    expected = digest_of(files)
    moved = {**files, "vici/x.py": "", "vici/session.py": files["vici/session.py"] + "#"}
    for other in (moved, {**files, "vici/session.py": ""}, {}):
        assert install(target, other, expected) != 0
    assert report(target)["version"] == ""
    assert report(target)["files"] == {}


PLAY = """
- hosts: gw
  gather_facts: false
  tasks:
    - ansible.builtin.include_role:
        name: tunnelwright.ipsec.gateway
        tasks_from: vici
"""


def play(tmp_path: Path, target: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The task file of the role, for a Python of this machine."""
    playbook = tmp_path / "play.yml"
    playbook.write_text(PLAY)
    digest = environment.pop("digest", "")
    return subprocess.run(
        [
            Path(sys.executable).parent / "ansible-playbook",
            *("-i", "gw,", "-c", "local", "-e", f"ansible_python_interpreter={target}"),
            *("-e", f"gateway_vici_digest={digest}", playbook),
        ],
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_role_delivers_a_known_release(tmp_path, target):
    first, again = play(tmp_path, target), play(tmp_path, target)
    assert first.returncode == 0, first.stdout
    assert "changed=1" in first.stdout
    assert "changed=0" in again.stdout
    assert report(target)["digest"] == report(sys.executable)["digest"]


def test_the_role_delivers_nothing_else_unless_it_is_told(tmp_path, target):
    found = report(sys.executable)
    for name, text in contents(found).items():
        path = tmp_path / "tampered" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + ("\n#" if name == "vici/session.py" else ""))
    place = {"PYTHONPATH": str(tmp_path / "tampered")}
    refused = play(tmp_path, target, **place)
    assert refused.returncode != 0
    assert f"instead of {found['digest']}" in refused.stdout
    (digest,) = set(re.findall(r"has the digest ([0-9a-f]{64})", refused.stdout))
    assert digest != found["digest"]
    assert "set gateway_vici_digest to their digest" in refused.stdout
    assert not list(tmp_path.glob("lib/*/site-packages/vici"))
    allowed = play(tmp_path, target, digest=digest.upper(), **place)
    assert allowed.returncode == 0, allowed.stdout


def test_an_unknown_release_is_refused(tmp_path, target):
    for name, text in contents(report(sys.executable)).items():
        path = tmp_path / "newer" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("Version: 6", "Version: 99"))
    refused = play(tmp_path, target, PYTHONPATH=str(tmp_path / "newer"))
    assert refused.returncode != 0
    assert "and is no release that it knows" in refused.stdout


SECRET = "the key that stands under a misspelt option"
# Each with an option that no module knows, so that the module refuses it before it does anything.
MISSPELT = {
    "gateway_networks": [{"name": "lan", "pks": SECRET}],
    "gateway_settings": [{"network": "lan", "swanctl_config": SECRET}],
    "gateway_phase1": [{"name": "b", "network": "lan", "remote_gateway": "x", "pks": SECRET}],
    "gateway_rules": [{"name": "r", "network": "lan", "action": "drop", "pks": SECRET}],
}
EMPTY: dict[str, list] = {name: [] for name in MISSPELT}


@pytest.mark.parametrize("name", MISSPELT)
def test_the_value_of_a_misspelt_option_is_not_shown(tmp_path, name):
    """However much Ansible is asked for, and in what other callbacks record."""
    playbook, variables = tmp_path / "play.yml", tmp_path / "vars.yml"
    playbook.write_text(PLAY.replace("tasks_from: vici", "tasks_from: configure"))
    variables.write_text(yaml.safe_dump({**EMPTY, name: MISSPELT[name]}))
    argv = [
        Path(sys.executable).parent / "ansible-playbook",
        *("-i", "gw,", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}"),
        *("-e", f"@{variables}", playbook, "-vvv"),
    ]
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "Unsupported parameters" in done.stdout
    assert SECRET not in done.stdout + done.stderr
