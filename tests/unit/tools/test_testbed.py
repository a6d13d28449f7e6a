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
    assert len(hashes) == 3 * len(testbed.SUITES)


def test_a_recipe_is_another_one_when_the_package_sources_change(monkeypatch):
    before = testbed.recipe_hash("debian13")
    monkeypatch.setattr(testbed.debian, "lines", lambda *_: ["another line"])
    assert testbed.recipe_hash("debian13") != before


# --- A release that Debian still changes


@pytest.fixture(name="images")
def _images(tmp_path, monkeypatch):
    """Return the releases whose build was tried. No image exists, and each build fails."""
    built = []

    def fail(release, _status):
        built.append(release)
        raise testbed.Failure("building failed:\nE: no package python3-apt")

    def build(releases):
        for release in releases:
            with testbed.failing(release):
                fail(release, 1)

    monkeypatch.setattr(testbed, "CACHE", tmp_path)
    monkeypatch.setattr(testbed, "is_current", lambda *_: False)
    monkeypatch.setattr(testbed, "build_targets", build)
    monkeypatch.setattr(testbed, "choose_podman_settings", lambda _image: None)
    return built


def host(release, name="c"):
    image = f"localhost/tunnelwright-gateway:{release}"
    return testbed.Host(f"tw-x-{name}", name, image, "192.0.2.1", "2001:db8::1", {})


def test_a_moving_release_without_an_image_is_skipped_by_name(images, capsys):
    testbed.build_images({"localhost/tunnelwright-gateway:debian14"})
    said = capsys.readouterr().out
    assert "WARNING: SKIPPED: all tests on debian14" in said
    assert "E: no package python3-apt" in said
    hosts = [host("debian13", "b"), host("debian14")]
    assert testbed.without_image(hosts) == {"c": "E: no package python3-apt"}


def test_the_reason_is_the_first_error():
    log = "I: start\nE: Failed to fetch x\nE: mmdebstrap failed to run"
    assert testbed.skipped.first_error(log) == "E: Failed to fetch x"
    assert testbed.skipped.first_error("a\nb") == "b"
    assert testbed.skipped.first_error("") == "no output"


def test_a_failed_build_is_not_repeated_by_the_next_command_of_a_run(images, monkeypatch, capsys):
    for _command in range(2):
        testbed.build_images({"localhost/tunnelwright-gateway:debian14"})
    assert images == ["debian14"]
    # Each command says so.
    assert capsys.readouterr().out.count("WARNING: SKIPPED: all tests on debian14") == 2
    monkeypatch.setattr(testbed.skipped, "RETRY_SECONDS", -1)
    assert not testbed.without_image([host("debian14")])
    testbed.build_images({"localhost/tunnelwright-gateway:debian14"})
    assert images == ["debian14", "debian14"]


def test_an_image_that_exists_ends_the_skipping(images, monkeypatch):
    testbed.build_images({"localhost/tunnelwright-gateway:debian14"})
    monkeypatch.setattr(testbed, "is_current", lambda *_: True)
    testbed.build_images({"localhost/tunnelwright-gateway:debian14"})
    assert not testbed.without_image([host("debian14")])


@pytest.mark.parametrize("release", sorted(testbed.SUITES.keys() - testbed.MOVING))
def test_a_stable_release_without_an_image_is_a_failure(images, release):
    with pytest.raises(testbed.Failure):
        testbed.build_images({f"localhost/tunnelwright-gateway:{release}"})


def test_versions_are_read_from_the_image(tmp_path):
    packages = {
        "var/lib/dpkg/status": "Package: systemd-sysv\nVersion: 1\n\n"
        "Package: systemd\nStatus: install ok installed\nVersion: 262-1\n",
        "var/lib/mirror/Packages": "Package: charon-systemd\nSource: strongswan\n"
        "Version: 6.1.0-2\n\nPackage: other\nVersion: 3\n",
    }
    for name, text in packages.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    tarball = tmp_path / "x.tar"
    testbed.run("tar", "--create", "--file", str(tarball), "-C", str(tmp_path), "./var")
    assert testbed.versions_in(tarball) == ("262-1", "6.1.0-2")
