# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A listed table, and the elements that turn it into the wanted table."""

from __future__ import annotations

import ipaddress
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render import nft
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.nft_listing import (
    ElementChanges,
    element_changes,
    key_of,
    read_listing,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.nft_text import body

LAN = ipaddress.ip_network("10.1.0.0/24")
PEERS = tuple(map(ipaddress.ip_address, ("192.0.2.1", "192.0.2.2", "2001:db8::1")))


def text(*sites: int, **options: t.Any) -> str:
    tunnels = tuple(
        nft.TunnelMatch(f"site-{at}/lan", LAN, ipaddress.ip_network(f"10.2.{at}.0/24"))
        for at in sites
    )
    return nft.render(nft.table(nft.RulesetInput("n", tunnels=tunnels, peers=PEERS, **options)))


def changes(live: str, wanted: str) -> ElementChanges | None:
    return element_changes(read_listing(body(live)), read_listing(body(wanted)))


def test_the_elements_of_a_set() -> None:
    listing = read_listing(body(text(1, 2)))
    assert listing.elements["guard_out4"] == {
        f"10.1.0.0/24 . 10.2.{at}.0/24": (
            f'10.1.0.0/24 . 10.2.{at}.0/24 counter comment "site-{at}/lan"'
        )
        for at in (1, 2)
    }
    assert listing.elements["peers6"] == {"2001:db8::1": "2001:db8::1"}


def test_a_listing_that_wraps_otherwise_is_the_same() -> None:
    """nft lists several short elements in one line, and sorts them."""
    wrapped = body(text(1, 2)).replace("192.0.2.1,\n\t\t\t     192.0.2.2", "192.0.2.2, 192.0.2.1")
    assert wrapped != body(text(1, 2))
    assert read_listing(wrapped) == read_listing(body(text(1, 2)))


def test_nft_1_1_3_lists_the_number_of_a_code() -> None:
    listed = body(text(1))
    number = listed.replace("icmp code frag-needed", "icmp code 4")
    assert number != listed
    assert read_listing(number) == read_listing(listed)


def test_one_tunnel_more() -> None:
    found = changes(text(1, 2), text(1, 2, 3))
    assert found is not None
    assert found.deleted == ()
    assert found.added_labels == ("site-3/lan",)
    assert [name for name, _text in found.added] == [
        "out4",
        "in4",
        "guard_out4",
        "guard_in4",
        "guard_remote4",
        "within_remote4",
    ]
    assert found.transaction("tunnelwright-n").splitlines()[:2] == [
        'add element inet tunnelwright-n out4 { 10.1.0.0/24 . 10.2.3.0/24 comment "site-3/lan" }',
        'add element inet tunnelwright-n in4 { 10.2.3.0/24 . 10.1.0.0/24 comment "site-3/lan" }',
    ]


def test_another_label_replaces_the_element() -> None:
    renamed = text(1, 2).replace("site-2/lan", "site-2/office")
    found = changes(text(1, 2), renamed)
    assert found is not None
    assert (found.deleted_labels, found.added_labels) == (("site-2/lan",), ("site-2/office",))
    lines = found.transaction("t").splitlines()
    verbs = [line.split()[0] for line in lines]
    assert verbs == ["delete"] * 6 + ["add"] * 6
    assert lines[0] == "delete element inet t out4 { 10.1.0.0/24 . 10.2.2.0/24 }"


def test_there_and_back() -> None:
    forth, back = changes(text(1, 2), text(2, 3)), changes(text(2, 3), text(1, 2))
    assert forth is not None
    assert forth.reversed() == back


def test_what_is_left_after_a_failure() -> None:
    """All of it, or nothing of it, because one transaction makes the changes."""
    renamed = text(2, 3).replace("site-2/lan", "site-2/office")
    forth = changes(text(1, 2), renamed)
    assert forth is not None
    before, after = read_listing(body(text(1, 2))), read_listing(body(renamed))
    assert forth.left_in(before) == forth
    assert forth.left_in(after) == ElementChanges()
    assert forth.reversed().left_in(before) == ElementChanges()
    assert forth.reversed().left_in(after) == forth.reversed()


def test_of_a_peer() -> None:
    fewer = text(1).replace("192.0.2.1,\n\t\t\t     ", "")
    found = changes(fewer, text(1))
    assert found is not None
    assert (found.added, found.added_labels) == ((("peers4", "192.0.2.1"),), ("peer 192.0.2.1",))


def test_nothing() -> None:
    assert changes(text(1), text(1)) == ElementChanges()


@pytest.mark.parametrize(
    "live",
    [
        "",
        text(),
        text(1, mss_clamp=1300),
        text(1).replace(" accept", " drop", 1),
        text(1).replace("tunnelwright-n", "tunnelwright-m"),
        text(1) + "table inet other {\n}\n",
        text(1).replace("flags interval", "flags interval,timeout"),
        text(1).replace("set peers4", "set peers5"),
    ],
)
def test_elements_are_not_enough(live: str) -> None:
    assert changes(live, text(1)) is None


def test_an_element_of_another_administrator() -> None:
    """A comment may hold every character that separates elements."""
    own = '10.2.0.0-10.2.0.9 . 10.1.0.0/24 counter comment "a, b } { c"'
    listed = body(text(1)).replace(
        "counter\n\t\telements = {", f"counter\n\t\telements = {{ {own},"
    )
    found = element_changes(read_listing(listed), read_listing(body(text(1))))
    assert found is not None
    assert {element for _name, element in found.deleted} == {own}
    assert key_of(own) == "10.2.0.0-10.2.0.9 . 10.1.0.0/24"
    assert found.deleted_labels == ("a, b } { c",)
