# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tunnels with other IKE daemons: each cell of the table in docs/interoperability.md.

``INTEROP`` chooses the cells: a sample by default, which ``SEED`` draws, ``all`` of them (with
``PART`` the cells of the part), or the cells whose names contain its text.
``tools/interop_docs.py`` makes the page from the results.
"""

from __future__ import annotations

import os
import re

import draw
import pytest
from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.acts import ACTS
from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.bench import Bench
from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.configuration import Site
from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.limits import Limit, limit_of
from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.results import EXPECTED, record
from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.rig import PATIENCE, Rig
from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.table import COLUMNS, ROWS, drawn
from ansible_collections.tunnelwright.ipsec.tests.live.rig import need_ikev1

CHOICE = os.environ.get("INTEROP", "sample")
# Seconds to wait for a tunnel that can't come up.
HOPELESS = 40.0


def chosen() -> list[str]:
    """Return the names of the cells that ``INTEROP`` asks for."""
    if CHOICE == "all":
        return draw.sample([*EXPECTED], 1)
    sample = drawn(draw.seed())
    return [
        cell
        for cell in EXPECTED
        if (cell in sample if CHOICE == "sample" else re.search(CHOICE, cell))
    ]


@pytest.mark.drawn
@pytest.mark.parametrize("cell", chosen())
def test_interoperability(bench: Bench, cell: str) -> None:
    name, _slash, row_name = cell.partition("/")
    column, row = COLUMNS[name], ROWS[row_name]
    if column.key_exchange == "ikev1":
        need_ikev1(bench.ours)
    rig, limit = bench.rig(column), limit_of(column, row)
    # The results are about Debian 12.
    note = (lambda *_: None) if bench.ours.is_moving else record
    note(cell, "")
    if limit is None:
        works(rig, Site(column, row.tunnel, rig.places), row.act)
    else:
        falls_short(rig, Site(column, row.tunnel, rig.places), row.act, limit)
    note(cell, EXPECTED[cell])


def works(rig: Rig, site: Site, act: str, seconds: float = PATIENCE) -> None:
    rig.set_up(site)
    if site.tunnel.behavior == "on_demand":
        assert not rig.ike_sa(), rig.told()
    rig.wait_up(seconds)
    rig.carries()
    if act:
        ACTS[act](rig)
        rig.carries()


def falls_short(rig: Rig, site: Site, act: str, limit: Limit) -> None:
    """Assert that the cell fails with the evidence of its limit.

    So a limit that is wrong, or that a new release no longer has, is found.
    """
    with pytest.raises(AssertionError) as failure:
        works(rig, site, act, HOPELESS)
    assert re.search(limit.evidence, f"{failure.value}\n{rig.said()}"), str(failure.value)
