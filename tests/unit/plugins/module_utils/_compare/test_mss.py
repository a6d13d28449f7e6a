# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The largest TCP segment of a tunnel. 1438 bytes were measured with AES-CBC and SHA-256."""

from __future__ import annotations

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._compare.mss import greatest_mss
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.proposal import (
    Proposal,
    Use,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import child


@pytest.mark.parametrize(
    ("keyword", "outer", "encapsulated", "mss"),
    [
        ("aes256-sha256", 4, False, 1398),
        ("aes256-sha256", 4, True, 1382),
        ("aes256-sha256", 6, False, 1366),
        ("aes256gcm16", 4, False, 1406),
        ("chacha20poly1305", 4, True, 1398),
        ("3des-sha1", 4, False, 1406),
        ("sha256", 4, False, 1412),
    ],
)
def test_greatest_mss(keyword: str, outer: int, encapsulated: bool, mss: int) -> None:
    use = Use.AH if keyword == "sha256" else Use.ESP
    proposal = Proposal.parse(keyword, use)
    assert greatest_mss(child(), proposal, outer, encapsulated=encapsulated) == mss


def test_ipv6_inside_takes_more() -> None:
    six = child(local_network=["fd00:1::/64"], remote_network=["fd00:2::/64"])
    proposal = Proposal.parse("aes256-sha256", Use.ESP)
    assert greatest_mss(six, proposal, 4, encapsulated=False) == 1378
