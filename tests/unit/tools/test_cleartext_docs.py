# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.tunnelwright.ipsec.tests.live.cleartext import (
    EVENTS,
    OPEN,
    PLANES,
    RELEASES,
    SEEN,
    merged,
    read,
)
from ansible_collections.tunnelwright.ipsec.tools import cleartext_docs


def test_the_page_is_up_to_date() -> None:
    assert cleartext_docs.main(["--check"]) == 0


@pytest.mark.parametrize("event", [*EVENTS])
def test_no_packet_was_seen(event: str) -> None:
    """The counts are zero on each data plane and release."""
    nothing = {plane: {release: [0, 0] for release in RELEASES} for plane in PLANES}
    assert read(SEEN)[event] == nothing


def test_what_would_be_seen_was_seen() -> None:
    """The live test sees packets of each IP version that no longer belong to a tunnel."""
    for releases in read(SEEN)["a phase 2 is removed"].values():
        assert all(count > 0 for counts in releases.values() for count in counts)


def test_nothing_else_is_recorded() -> None:
    assert read(SEEN).keys() == {*EVENTS, *OPEN}


def test_what_one_run_saw_replaces_what_an_earlier_one_saw() -> None:
    seen = {"x": {"kernel": {"5.9.8": [1, 2], "6.0.1": [0, 0]}}}
    more = {"x": {"kernel": {"5.9.8": [0, 0]}}, "y": {"userspace": {"6.0.1": [3, 4]}}}
    assert merged(seen, more) == {
        "x": {"kernel": {"5.9.8": [0, 0], "6.0.1": [0, 0]}},
        "y": {"userspace": {"6.0.1": [3, 4]}},
    }
