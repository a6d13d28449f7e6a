# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._diagnose.peer_log import (
    about_child,
    about_us,
    may_hide_us,
)

OURS = ("sending packet: from 192.0.2.1[500] to 192.0.2.2[500] (464 bytes)",)
PACKET = "received packet: from {}[500] to 192.0.2.2[500] (464 bytes)"
US, OTHER = PACKET.format("192.0.2.1"), PACKET.format("192.0.2.9")


def test_lines_follow_the_packet_that_they_are_about() -> None:
    log = ("before", US, "ours", OTHER, "theirs", US, "ours too")
    assert about_us(log, OURS) == (US, "ours", US, "ours too")


@pytest.mark.parametrize(
    "prefix",
    [
        "Nov 25 10:00:01 gw-b charon-systemd[211]: ",
        "2026-11-25T10:00:01+00:00 gw-b charon-systemd[211]: ",
        "09[NET] <site-a|3> ",
        "2026-11-25T10:00:01+00:00 [NET] <site-a> ",
    ],
)
def test_whatever_stands_before_them(prefix: str) -> None:
    log = [prefix + line for line in (OTHER, "theirs", US, "ours")]
    assert about_us(log, OURS) == (log[2], log[3])


def test_a_whole_text_is_lines() -> None:
    assert about_us([f"{OTHER}\ntheirs\n{US}\nours\n"], OURS) == (US, "ours")


def test_packets_that_are_dropped_for_their_version() -> None:
    dropped = "received unsupported IKE version 1.0 from {}, sending INVALID_MAJOR_VERSION"
    log = (dropped.format("192.0.2.9"), "theirs", dropped.format("192.0.2.1"), "ours")
    assert about_us(log, OURS) == log[2:]


ELSEWHERE = ("sending packet: from 10.0.0.1[500] to 198.51.100.2[500] (464 bytes)",)
BEHIND_NAT = (*ELSEWHERE, "local host is behind NAT, sending keep alives")


def test_behind_nat_one_peer_is_us_and_of_two_neither_is() -> None:
    assert about_us((US, "line"), BEHIND_NAT) == (US, "line")
    assert about_us((US, "line", OTHER, "other"), BEHIND_NAT) == ()
    # Without the line about NAT, the packets may come from any peer.
    assert about_us((US, "line"), ELSEWHERE) == ()


def test_nat_is_possible_where_one_has_a_public_address_and_one_has_not() -> None:
    public = ("received packet: from 9.9.9.9[500] to 8.8.8.8[500] (464 bytes)",)
    assert may_hide_us(public, ELSEWHERE)
    assert not may_hide_us(public, ("sending packet: from 1.1.1.1[500] to 8.8.8.8[500]",))
    assert not may_hide_us((US,), ELSEWHERE)
    assert not may_hide_us((), ELSEWHERE)
    # The log of the peer has no packets.
    assert may_hide_us(("line",), OURS)


def test_a_log_without_packets_is_taken_as_it_is() -> None:
    assert about_us(("line", "other"), OURS) == ("line", "other")


def test_an_address_is_not_the_beginning_of_another() -> None:
    assert about_us((PACKET.format("192.0.2.11"), "line", OTHER), OURS) == ()


NET = (
    "establishing CHILD_SA net{1}",
    "IKE_SA site-b[1] established between 192.0.2.1[a]...192.0.2.2[b]",
    "CHILD_SA net{1} established with SPIs c1_i c2_o and TS 10.1.0.0/24 === 10.2.0.0/24",
)
MORE = ("establishing CHILD_SA more{2}", "received TS_UNACCEPTABLE notify, no CHILD_SA built")


def test_lines_of_another_child_are_left_out() -> None:
    assert about_child((*NET, *MORE), "more") == (NET[1], *MORE)
    assert about_child((*MORE, *NET[:1]), "net") == NET[:1]


def test_what_came_before_the_tunnel_was_up_is_the_past() -> None:
    assert about_child(("old", *NET, "new"), "net") == (NET[2], "new")
