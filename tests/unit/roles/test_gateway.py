# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Role gateway: what it knows of the algorithms, and how vici gets to the target."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path

import pytest
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


def install(python: Path, files: dict[str, str]) -> None:
    subprocess.run(
        [python, "-c", INSTALL.read_text()], input=json.dumps(files).encode(), check=True
    )


def test_a_delivered_vici_is_the_one_of_the_controller(target):
    vici = pytest.importorskip("vici")
    controller = report(sys.executable)
    assert controller["version"]
    assert str(Path(vici.__file__)) in controller["files"].values()
    assert report(target)["digest"] != controller["digest"]

    install(target, {name: Path(path).read_text() for name, path in controller["files"].items()})
    delivered = report(target)
    assert delivered["digest"] == controller["digest"]
    assert delivered["version"] == controller["version"]
    subprocess.run([target, "-c", "import vici; vici.Session"], check=True)


@pytest.mark.parametrize("damaged", ["vici/session.py", "vici.dist-info/METADATA"])
def test_a_damaged_or_older_vici_is_replaced(target, damaged):
    pytest.importorskip("vici")
    controller = report(sys.executable)
    files = {name: Path(path).read_text() for name, path in controller["files"].items()}
    older = files[damaged].replace(f"Version: {controller['version']}", "Version: 5.9.0") + "\n#"
    install(target, {**files, damaged: older})
    assert report(target)["digest"] != controller["digest"]
    install(target, files)
    assert report(target)["digest"] == controller["digest"]
