# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same host looks the same through nft and ip of each release of Debian.

``fixtures/outputs.json`` holds the outputs of each release, as ``tools/record_outputs.py`` wrote
them.
"""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.kernel.link import (
    Link,
    LinkState,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.kernel.nft import Nft
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.nft_listing import (
    read_listing,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.nft_text import body
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.recorded import (
    QUESTIONS,
    TABLE,
)

OUTPUTS = json.loads((Path(__file__).with_name("fixtures") / "outputs.json").read_text("utf-8"))
NFT = {"debian12": "1.0.6", "debian13": "1.1.3", "debian14": "1.1.7"}

EACH = pytest.mark.parametrize("release", OUTPUTS)


def answer(release: str, question: str) -> t.Any:
    def run(argv: list[str], _stdin: str) -> tuple[int, str, str]:
        status, printed, errors = OUTPUTS[release][" ".join(argv)]
        return status, printed, errors

    return QUESTIONS[question](Link(run), Nft(run))


def test_each_release_is_recorded() -> None:
    assert OUTPUTS.keys() == NFT.keys()


@pytest.mark.parametrize("question", sorted(QUESTIONS.keys() - {"features", "table"}))
def test_the_releases_agree(question: str) -> None:
    first, *others = (answer(release, question) for release in OUTPUTS)
    assert others == [first] * len(others)


@EACH
def test_interfaces(release: str) -> None:
    lan = LinkState("bridge", 1400, True, ("10.1.0.1/24", "fd00:1::1/64"), alias="VPN network lan")
    assert answer(release, "interface") == lan
    # The address with a lifetime is not permanent.
    assert answer(release, "permanent addresses").addresses == ("192.0.2.1/24",)
    assert answer(release, "names") == ("lo", "vpn-lan", "far", "wan")
    assert {"192.0.2.77", "fd00:1::1"} < answer(release, "addresses")


@EACH
def test_routes(release: str) -> None:
    assert [str(route) for route in answer(release, "routes")] == [
        "10.55.0.0/16 via 10.1.0.254 dev vpn-lan",
        "10.56.0.0/16 dev vpn-lan",
        "fd00:55::/64 via fd00:1::fe dev vpn-lan",
    ]
    assert answer(release, "a neighbor")
    assert not answer(release, "behind a router")
    assert not answer(release, "behind a device")
    assert not answer(release, "no route")
    assert answer(release, "learned routes") == ()


@EACH
def test_policies_without_the_blocks(release: str) -> None:
    """The policy for a service is not a policy of a tunnel."""
    assert answer(release, "policies") == {
        ("10.1.0.0/24", "10.2.0.0/24"),
        ("fd00:1::/64", "fd00:2::/64"),
    }
    assert answer(release, "SAs") == frozenset()


@EACH
def test_rules(release: str) -> None:
    assert answer(release, "features") == {"version": NFT[release], "json": True}
    assert ("inet", "tunnelwright-lan") in answer(release, "tables")
    chains = {str(chain): chain.drops for chain in answer(release, "foreign chains")}
    assert chains["inet filter input"]
    assert chains["inet filter forward"]
    assert not chains["ip by-hand postrouting"]
    assert {chain: len(rules) for chain, rules in answer(release, "own rules").items()} == {
        "inet filter input": 1,
        "inet filter forward": 1,
    }


@EACH
def test_the_listing_of_the_table_is_the_table(release: str) -> None:
    listed, rendered = read_listing(answer(release, "table")), read_listing(body(TABLE))
    assert listed.elements == rendered.elements
    assert listed == rendered
