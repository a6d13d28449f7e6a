# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import shutil
import subprocess

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._releases.debian_version import (
    compare,
    lowest,
    older,
)
from hypothesis import given, settings
from hypothesis import strategies as st

# From the lowest to the highest version.
ORDERED = (
    "5.9.8-5",
    "5.9.8-5+deb12u1",
    "5.9.8-5+deb12u2",
    "5.9.8-5+deb12u10",
    "6.0.1-6~bpo12+1",
    "6.0.1-6",
    "6.0.1-6+deb13u7",
    "6.0.1-6.1",
    "6.0.1-7",
    "6.0.7~rc1-1",
    "6.0.7-1",
    "6.1.0-2",
    "1:5.9.8-5",
)

# Few characters, so that two random texts often have a common beginning.
NUMBER = st.sampled_from(("", "0", "00", "1", "01", "9", "10", "123456789012"))
TEXT = st.text("ab~+.Z", max_size=3)
PART = st.lists(st.tuples(TEXT, NUMBER).map("".join), max_size=3).map("".join)


def version(epoch: int, begin: int, upstream: str, revision: str) -> str:
    """Return a version that dpkg accepts: its upstream part begins with a digit."""
    return f"{epoch}:{begin}{upstream}-{revision}" if epoch else f"{begin}{upstream}-{revision}"


VERSIONS = st.builds(
    version, st.integers(0, 1), st.integers(0, 11), PART, PART.map(lambda text: f"1{text}")
) | st.builds("{}{}".format, st.integers(0, 11), PART)


def test_known_versions() -> None:
    for place, one in enumerate(ORDERED):
        for other_place, other in enumerate(ORDERED):
            assert older(one, other) == (place < other_place), (one, other)
    assert lowest(reversed(ORDERED)) == ORDERED[0]


def test_equal_versions_in_different_texts() -> None:
    assert compare("0:1.0-0", "1.0") == 0
    assert compare("1.01-1", "1.1-01") == 0


# dpkg is the reference of the comparison. A controller without dpkg has no other reference.
@pytest.mark.skipif(shutil.which("dpkg") is None, reason="dpkg is not installed")
@settings(max_examples=400, deadline=None)
@given(VERSIONS, VERSIONS)
def test_the_order_of_dpkg(one: str, other: str) -> None:
    expected = next(
        sign
        for relation, sign in (("lt", -1), ("eq", 0), ("gt", 1))
        if subprocess.run(
            ["dpkg", "--compare-versions", one, relation, other],
            check=False,
            stderr=subprocess.PIPE,
        ).returncode
        == 0
    )
    found = compare(one, other)
    assert (found > 0) - (found < 0) == expected


@given(VERSIONS, VERSIONS)
def test_the_reverse_comparison_is_the_reverse_answer(one: str, other: str) -> None:
    pair = (one, other)
    assert (compare(*pair) > 0) == (compare(*reversed(pair)) < 0)
