# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tunnels with other IKE daemons, a test for each cell of docs/interoperability.md.

``INTEROP`` chooses the cells: a sample by default, ``all`` of them, or those whose name holds it.
``tools/interop_docs.py`` makes the page from the results.
"""

from __future__ import annotations

import os
import re

import pytest
from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.acts import ACTS
from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.bench import Bench
from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.configuration import Site
from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.limits import Limit, limit_of
from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.results import EXPECTED, record
from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.rig import PATIENCE, Rig
from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.table import COLUMNS, ROWS, SAMPLE

CHOICE = os.environ.get("INTEROP", "sample")
# How long to wait for what can't come up.
HOPELESS = 40.0


def chosen(cell: str) -> bool:
    """Return whether ``INTEROP`` chooses a cell, by its name."""
    if CHOICE == "sample":
        return cell in SAMPLE
    return CHOICE == "all" or re.search(CHOICE, cell) is not None


@pytest.mark.parametrize("cell", [cell for cell in EXPECTED if chosen(cell)])
def test_interoperability(bench: Bench, cell: str) -> None:
    name, _slash, row_name = cell.partition("/")
    column, row = COLUMNS[name], ROWS[row_name]
    rig, limit = bench.rig(column), limit_of(column, row)
    record(cell, "")
    if limit is None:
        works(rig, Site(column, row.tunnel, rig.places), row.act)
    else:
        falls_short(rig, Site(column, row.tunnel, rig.places), row.act, limit)
    record(cell, EXPECTED[cell])


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
    """Check that the limit holds and its evidence shows, because a peer may change."""
    with pytest.raises(AssertionError) as failure:
        works(rig, site, act, HOPELESS)
    assert re.search(limit.evidence, f"{failure.value}\n{rig.said()}"), str(failure.value)
