# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the topologies of this repository, and of mistakes, without a container."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import itertools
import re
from ipaddress import ip_address, ip_network
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]
TOPOLOGIES = [ROOT / "tools/demo.toml", *sorted(ROOT.glob("molecule/*/testbed.toml"))]


def load() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("testbed", str(ROOT / "tools/testbed"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("testbed", loader))
    loader.exec_module(module)
    return module


testbed = load()


def test_topologies_have_networks_of_their_own_so_that_they_can_be_up_together():
    networks = [
        (path, ip_network(network[family]))
        for path in TOPOLOGIES
        for network in [testbed.read_topology("x", path)[0]]
        for family in ("ipv4", "ipv6")
    ]
    for (path, one), (other_path, other) in itertools.combinations(networks, 2):
        assert not one.overlaps(other), (path, other_path)


@pytest.mark.parametrize("path", TOPOLOGIES, ids=lambda path: path.parent.name)
def test_a_topology_fits_together(path):
    network, hosts = testbed.read_topology("x", path)
    for host in hosts:
        assert ip_address(host.ipv4) in ip_network(network["ipv4"])
        assert ip_address(host.ipv6) in ip_network(network["ipv6"])
        kind, release = re.fullmatch("localhost/tunnelwright-(.+):(.+)", host.image).groups()
        assert kind in {"target", "gateway"}
        assert release in testbed.SUITES


@pytest.mark.parametrize("path", TOPOLOGIES, ids=lambda path: path.parent.name)
def test_a_lan_has_every_setting_that_its_script_reads(path):
    script = (ROOT / "tools/image/files/usr/local/sbin/lan-host").read_text()
    settings = set(re.findall(r"\$\{?([A-Z]+[46]?)\b", script))
    assert len(settings) == 5
    for host in testbed.read_topology("x", path)[1]:
        assert {key.upper() for key in host.lan} in (set(), settings)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[network\n",
        "[network]\n[hosts.a]\nimage = 'target:debian12'\nipv4 = '192.0.2.1'",
        "[network]\n[hosts.a]\nimage = 'target:debian12'\nipv4 = '192.0.2.300'\nipv6 = '::1'",
    ],
)
def test_a_topology_that_is_none_is_named(tmp_path, text):
    path = tmp_path / "testbed.toml"
    path.write_text(text)
    with pytest.raises(testbed.Failure, match=re.escape(str(path))):
        testbed.read_topology("x", path)


def test_a_recipe_is_another_one_when_any_of_its_files_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(testbed, "RECIPE", tmp_path)
    file = tmp_path / "files/script"
    file.parent.mkdir()
    hashes = set()
    for content, mode in (("a", 0o644), ("b", 0o644), ("b", 0o755)):
        file.write_text(content)
        file.chmod(mode)
        hashes |= {testbed.recipe_hash(release) for release in testbed.SUITES}
    assert len(hashes) == 6
