# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The matrix can fail: a mutation breaks the code of a module, and its test must notice.

Run with ``FIELDS=all`` or ``PART`` only.
"""

from __future__ import annotations

import shlex
import typing as t
from dataclasses import dataclass

import pytest
from ansible_collections.tunnelwright.ipsec.tests.kernel import (
    fields,
    test_behavior,
    test_identities,
    test_lifetimes,
    test_ppk,
    test_settings,
    test_tunnels,
)
from ansible_collections.tunnelwright.ipsec.tests.kernel.pair import Pair
from ansible_collections.tunnelwright.ipsec.tests.live.host import COLLECTION, LIBRARY

pytestmark = pytest.mark.skipif(not fields.ALL, reason="runs only with FIELDS=all or PART")


@dataclass(frozen=True)
class Mutation:
    """A mutation: in a file of ``module_utils``, ``old`` becomes ``new``. ``test`` must notice."""

    label: str
    file: str
    old: str
    new: str
    test: t.Callable[[Pair], None]


MUTATIONS = (
    Mutation(
        "DPD action",
        *("_render/options/phase2.py", '"hold": "trap"', '"hold": "clear"'),
        lambda pair: test_behavior.test_a_dead_peer(pair, "a", "hold"),
    ),
    Mutation(
        "PFS group",
        *("_model/algorithms.py", 'DhGroup(19, "ecp256"', 'DhGroup(19, "ecp384"'),
        test_tunnels.test_proposals_are_taken_in_their_order,
    ),
    Mutation(
        "MSS",
        *("_render/nft*.py", "size set {rules.mss_clamp}", "size set 1400"),
        lambda pair: test_settings.test_mss_clamp(pair, "a"),
    ),
    Mutation(
        "identity",
        *("_render/options/phase1.py", 'x.connection.identifier or ""', '"other"'),
        test_identities.test_identities,
    ),
    Mutation(
        "PPK",
        *("_render/options/phase1.py", '"yes" if x.connection.ppk_required', '"no" if True'),
        test_ppk.test_ppks,
    ),
    Mutation(
        "lifetime",
        *("_render/options/phase2.py", "model.child.lifetime_seconds)", "9 * 3600)"),
        test_lifetimes.test_lifetimes_in_all_units_of_several_tunnels,
    ),
)


@pytest.fixture(name="mutate")
def _mutate(pair: Pair) -> t.Iterator[t.Callable[[Mutation], None]]:
    def mutate(mutation: Mutation) -> None:
        for end in pair.ends:
            files = f"{LIBRARY}/{COLLECTION}/plugins/module_utils/{mutation.file}"
            words = shlex.join([mutation.old, mutation.new])
            end.machine.sh(f"python3 -c {shlex.quote(_REPLACE)} {words} {files}")
            end.machine.start()
            end.forget()

    yield mutate
    for end in pair.ends:
        end.machine.deliver()
        end.machine.start()
        end.forget()


_REPLACE = """
import pathlib, sys
old, new, *files = sys.argv[1:]
found = 0
for path in map(pathlib.Path, files):
    text = path.read_text()
    found += text.count(old)
    path.write_text(text.replace(old, new))
sys.exit(not found)
"""


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda item: item.label)
def test_the_matrix_notices(
    pair: Pair, mutate: t.Callable[[Mutation], None], mutation: Mutation
) -> None:
    # The test passes without the mutation.
    mutation.test(pair)
    mutate(mutation)
    with pytest.raises(AssertionError):
        mutation.test(pair)
