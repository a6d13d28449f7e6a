# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PPKs of RFC 8784: used, required, of another identity, and different on the two sides."""

from __future__ import annotations

import typing as t

from ansible_collections.tunnelwright.ipsec.tests.kernel.fields import proves
from ansible_collections.tunnelwright.ipsec.tests.kernel.pair import Pair
from ansible_collections.tunnelwright.ipsec.tests.kernel.test_identities import refused

PPK = {"ppk": "a post-quantum key of these tests, of no other use", "ppk_id": "ppk-a-b"}
REQUIRED = {**PPK, "ppk_required": True}


def only(name: str, **options: t.Any) -> dict[str, t.Any]:
    """Return the options of one end."""
    return {name: {"phase1": options}}


@proves("ipsec_phase1.ppk", "a text", "secrets.ppk-<name>", "a second key is refused")
@proves("ipsec_phase1.ppk", "omitted", "no secrets.ppk-<name>", "no PPK in list-sas")
@proves("ipsec_phase1.ppk_id", "a name", "ppk_id", "the peer's log, any other is refused")
@proves("ipsec_phase1.ppk_id", "omitted", "no ppk_id", "no PPK in list-sas")
@proves("ipsec_phase1.ppk_required", False, "ppk_required = no", "up without a PPK of the peer")
@proves("ipsec_phase1.ppk_required", True, "ppk_required = yes", "a peer without PPK is refused")
def test_ppks(pair: Pair) -> None:
    pair.tunnel()
    assert [end.sa().get("ppk") for end in pair.ends] == [None, None]
    for end in pair.ends:
        marks = pair.both(type(end).mark)
        pair.tunnel(end.name, phase1=REQUIRED)
        for side, mark in zip(pair.ends, marks, strict=True):
            assert side.sa()["ppk"] == "yes"
            assert "using PPK for PPK_ID 'ppk-a-b'" in side.log(mark)
        # One side requires the PPK, and the other side has none.
        for required in (pair.a, pair.b):
            pair.configure(**only(required.name, **REQUIRED))
            mark = required.mark()
            refused(end)
            assert "PPK required but peer does not support PPK" in required.log(mark)
        # No side requires it.
        pair.tunnel(end.name, **only(end.name, **PPK))
        assert [side.sa().get("ppk") for side in pair.ends] == [None, None]
        # Both sides have a PPK, but not the same.
        for other in ({**PPK, "ppk": "another key of these tests"}, {**PPK, "ppk_id": "ppk-b-a"}):
            pair.configure(phase1=PPK, **only(end.other.name, **other))
            assert "AUTHENTICATION_FAILED" in refused(end)
