# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tables of releases have the values that were measured with each release."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.algorithms import (
    DH,
    ENCRYPTIONS,
    HASHES,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._releases.releases import (
    AES_INSTRUCTIONS,
    BASE,
    EXTRA,
    RELEASES,
    STANDARD,
    DebianRelease,
    release_of_codename,
)

# The answers of charon, started with the packages of each set, and the files of each package.
MEASURED: t.Any = json.loads(Path(__file__).with_name("measured.json").read_text(encoding="utf-8"))
SETS = {
    "base": (BASE,),
    "standard": (BASE, STANDARD),
    "extra": (BASE, EXTRA),
    "all": (BASE, STANDARD, EXTRA),
}

each_release = pytest.mark.parametrize("release", RELEASES.values(), ids=RELEASES)


@each_release
@pytest.mark.parametrize("name", SETS)
def test_algorithms(release: DebianRelease, name: str) -> None:
    measured = MEASURED[release.codename]["algorithms"][name].split()
    assert release.available(SETS[name], aes=True) == {*measured}


@each_release
def test_without_aes_instructions(release: DebianRelease) -> None:
    """A processor without AES instructions has these algorithms with the extra package only."""
    with_standard = release.available((BASE, STANDARD), aes=False)
    assert not with_standard & {"AES_CMAC_96", "PRF_AES128_CMAC"}
    assert release.available((BASE, EXTRA), aes=False) >= AES_INSTRUCTIONS & (
        release.algorithms[BASE] | release.algorithms[EXTRA]
    )


@each_release
def test_plugins(release: DebianRelease) -> None:
    measured = MEASURED[release.codename]["plugins"]
    assert release.plugins == {package: {*names.split()} for package, names in measured.items()}


@each_release
def test_versions(release: DebianRelease) -> None:
    assert MEASURED[release.codename]["version"].startswith(f"{release.strongswan}-")
    assert release_of_codename(release.codename) is release
    assert release.name == f"debian{release.number}"


@each_release
def test_each_algorithm_of_the_options_has_a_package(release: DebianRelease) -> None:
    names = [
        *(row.charon for row in ENCRYPTIONS.values()),
        *(name for row in HASHES.values() for name in (row.integrity, row.prf)),
        *(row.charon for row in DH.values()),
    ]
    assert {name for name in names if release.package_of(name) is None} == set()


def test_unknown_release() -> None:
    assert release_of_codename("noble") is None
    assert release_of_codename("") is None
