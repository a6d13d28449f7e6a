# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._releases.advisories import (
    BRANCHES,
    TABLE_DATE,
    VULNERABILITIES,
    lacking,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._releases.debian_version import (
    older,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._releases.packages import (
    Installed,
    Package,
)

# The packages of a gateway, without extauth plugins and without NetworkManager.
GATEWAY = ("libstrongswan", "strongswan-libcharon", "libcharon-extra-plugins")


def host(version: str, *names: str, distribution: str = "debian") -> Installed:
    packages = tuple(Package(name, version, "strongswan") for name in names or GATEWAY)
    return Installed(distribution, "", packages)


def ids(installed: Installed) -> list[str] | None:
    found = lacking(installed)
    return None if found is None else [item.id for item in found]


class TestTable:
    def test_uploads_are_in_order_and_of_their_branch(self) -> None:
        for branch in BRANCHES:
            versions = [branch.first, *(upload.version for upload in branch.uploads)]
            assert all(older(one, other) for one, other in zip(versions, versions[1:]))
            assert all(branch.has(version) for version in versions)
            assert all(upload.date <= TABLE_DATE for upload in branch.uploads)

    def test_no_version_is_of_two_branches(self) -> None:
        for branch in BRANCHES:
            for upload in branch.uploads:
                assert [item for item in BRANCHES if item.has(upload.version)] == [branch]

    def test_a_fix_is_once_in_a_branch_and_each_vulnerability_in_one(self) -> None:
        fixed = [[fix for upload in branch.uploads for fix in upload.fixes] for branch in BRANCHES]
        assert all(len(fixes) == len({*fixes}) for fixes in fixed)
        assert {fix for fixes in fixed for fix in fixes} == VULNERABILITIES.keys()

    def test_a_fix_of_unstable_is_a_patch_of_debian_13(self) -> None:
        """Only such a fix proves that the versions between are vulnerable."""
        trixie, unstable = (
            {fix for upload in branch.uploads for fix in upload.fixes} for branch in BRANCHES[1:]
        )
        assert unstable == trixie

    @pytest.mark.parametrize("id", VULNERABILITIES)
    def test_texts_are_sentences(self, id: str) -> None:
        assert re.fullmatch(r"CVE-20\d\d-\d{4,}", id)
        assert re.fullmatch(r"[A-Z][^\n]*\.", VULNERABILITIES[id].effect)


class TestLacking:
    def test_debian_12_before_and_after_the_last_upload(self) -> None:
        before = ids(host("5.9.8-5+deb12u5"))
        assert before is not None
        assert before[0] == "CVE-2026-78135"
        # No upload of Debian 12 lists this one.
        assert "CVE-2026-78133" not in before
        assert len(before) == 10
        assert ids(host("5.9.8-5+deb12u6")) == []

    def test_debian_13_before_and_after_the_last_upload(self) -> None:
        before = ids(host("6.0.1-6+deb13u6"))
        assert before is not None
        assert "CVE-2026-78133" in before
        assert len(before) == 11
        assert ids(host("6.0.1-6+deb13u7")) == []
        assert ids(host("6.0.1-6+deb13u10")) == []

    def test_testing(self) -> None:
        assert ids(host("6.1.0-2")) == []
        assert ids(host("6.2.0-1")) == []
        found = ids(host("6.0.6-1"))
        assert found is not None
        assert found[-1] == "CVE-2026-47895"

    def test_the_release_itself_lacks_everything_of_its_packages(self) -> None:
        found = ids(host("6.0.1-6"))
        assert found is not None
        assert len(found) == len(VULNERABILITIES) - 2
        assert ids(host("6.0.1-6", "libcharon-extauth-plugins")) == ["CVE-2025-62291"]
        assert ids(host("6.0.1-6", "strongswan-nm")) == ["CVE-2025-9615"]

    def test_the_newest_is_first(self) -> None:
        found = ids(host("6.0.1-6", *GATEWAY, "strongswan-nm", "libcharon-extauth-plugins"))
        assert found is not None
        assert found[0] == "CVE-2026-78135"
        assert found[-2:] == ["CVE-2025-62291", "CVE-2025-9615"]

    @pytest.mark.parametrize(
        "version",
        [
            "5.9.1-1+deb11u4",
            "5.9.8-4",
            "5.9.13-2ubuntu4",
            "6.0.1-5",
            "6.0.1-6ubuntu4",
            "6.0.1-6.1",
            "6.0.1-6+deb13u6+local1",
            "6.1.0-2~bpo13+1",
            "6.1.0",
            "1:6.0.3-1",
            "",
        ],
    )
    def test_unknown_versions(self, version: str) -> None:
        assert lacking(host(version)) is None

    def test_other_distributions(self) -> None:
        assert lacking(host("6.0.1-6", distribution="ubuntu")) is None
        assert lacking(host("6.0.1-6", distribution="")) is None

    def test_no_package(self) -> None:
        assert lacking(Installed("debian", "trixie")) is None
        other = Package("nftables", "1.1.3-1", "nftables")
        assert lacking(Installed("debian", "trixie", (other,))) is None

    def test_an_incomplete_upgrade_names_the_old_package(self) -> None:
        old = Package("strongswan-libcharon", "6.0.1-6+deb13u6", "strongswan")
        new = Package("libstrongswan", "6.0.1-6+deb13u7", "strongswan")
        found = lacking(Installed("debian", "trixie", (new, old)))
        assert found is not None
        assert {item.package for item in found} == {"strongswan-libcharon"}

    def test_the_package_with_the_lowest_version(self) -> None:
        names = ("libstrongswan", "libstrongswan-standard-plugins")
        versions = ("6.0.1-6+deb13u6", "6.0.1-6+deb13u2")
        packages = tuple(Package(*item, "strongswan") for item in zip(names, versions))
        found = lacking(Installed("debian", "", packages))
        assert found is not None
        (openssl,) = (item for item in found if item.id == "CVE-2026-78123")
        assert (openssl.package, openssl.installed) == (names[1], versions[1])
