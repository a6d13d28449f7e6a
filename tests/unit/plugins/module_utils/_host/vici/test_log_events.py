# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import socket
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.vici.log_events import (
    DaemonLog,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.scripted_vici import (
    CONFIRM,
    EVENT,
    EVENT_UNKNOWN,
    encoded,
    packet,
)

Ends = tuple[DaemonLog, socket.socket]


@pytest.fixture(name="ends")
def _ends() -> t.Iterator[Ends]:
    """Yield a log that has subscribed, and the end of the daemon."""
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(packet(CONFIRM))
        with DaemonLog(lambda: ours) as log:
            yield log, theirs
            with contextlib.suppress(OSError):
                # The daemon confirms the end of the subscription.
                theirs.sendall(packet(CONFIRM))


def said(text: str, connection: str = "", sa: str = "") -> bytes:
    about = {"ikesa-name": connection, "ikesa-uniqueid": sa} if sa else {}
    message = {"group": "IKE", "level": "1", "thread": "9", **about, "msg": text}
    return packet(EVENT, b"\x03log" + encoded(message))


def test_subscribes_to_the_log(ends: Ends) -> None:
    _log, theirs = ends
    assert theirs.recv(100) == packet(3, b"\x03log")


def test_lines_go_to_their_connection(ends: Ends) -> None:
    log, theirs = ends
    theirs.sendall(said("one", "site-b", "1") + said("two", "site-c", "2"))
    theirs.sendall(said("three", "site-b", "3") + said("four", "site-b-2", "4"))
    log.listen(0.05)
    assert log.about("site-b", "192.0.2.2") == ("one", "three")
    assert log.about("site-c", "192.0.2.3") == ("two",)
    assert log.about("site-d", "192.0.2.4") == ()


def test_lines_before_the_connection_is_known_are_its_too(ends: Ends) -> None:
    log, theirs = ends
    theirs.sendall(said("192.0.2.2 is initiating", "(unnamed)", "5") + said("x", "site-b", "5"))
    log.listen(0.05)
    assert log.about("site-b", "192.0.2.2") == ("192.0.2.2 is initiating", "x")
    assert log.about("site-c", "192.0.2.2") == ()


def test_what_found_no_connection_is_known_by_the_peer(ends: Ends) -> None:
    log, theirs = ends
    no_config = "no IKE config found for 192.0.2.1...192.0.2.2, sending NO_PROPOSAL_CHOSEN"
    theirs.sendall(said(no_config, "(unnamed)", "6") + said("bye", "(unnamed)", "6"))
    theirs.sendall(said("unable to resolve gw.example, initiate aborted") + said("other"))
    log.listen(0.05)
    assert log.about("site-b", "192.0.2.2") == (no_config, "bye")
    assert log.about("site-b", "gw.example") == ("unable to resolve gw.example, initiate aborted",)
    # A line about 192.0.2.2 is not a line about the shorter address.
    assert log.about("site-b", "192.0.2") == ()


def test_a_line_that_comes_in_pieces_is_whole(ends: Ends) -> None:
    log, theirs = ends
    theirs.sendall(said("one", "site-b", "1")[:9])
    log.listen(0)
    theirs.sendall(said("one", "site-b", "1")[9:])
    log.listen(0.05)
    assert log.about("site-b", "192.0.2.2") == ("one",)


def test_a_daemon_that_breaks_off_says_nothing_more(ends: Ends) -> None:
    log, theirs = ends
    theirs.sendall(said("last words", "site-b", "1"))
    theirs.close()
    log.listen(0.05)
    assert log.about("site-b", "192.0.2.2") == ("last words",)
    assert log.about("site-b", "192.0.2.2") == ("last words",)


def test_a_daemon_without_that_event_says_nothing() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(packet(EVENT_UNKNOWN) * 2)
        with DaemonLog(lambda: ours) as log:
            assert log.about("site-b", "192.0.2.2") == ()


def test_nothing_is_left_unread() -> None:
    """The client reads all data, because charon would handle unread data as a connection error."""
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(packet(CONFIRM))
        with DaemonLog(lambda: ours):
            theirs.sendall(said("late", "site-b", "1") + packet(CONFIRM))
        assert theirs.recv(100) == packet(3, b"\x03log") + packet(4, b"\x03log")
        assert theirs.recv(100) == b""
