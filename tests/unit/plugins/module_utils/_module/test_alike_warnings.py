# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._module.alike_warnings import (
    readable,
)


@pytest.mark.parametrize(
    ("warnings", "shown"),
    [
        ([], []),
        ([""], []),
        (["no object", "no object"], ["no object"]),
        (["network a: b: c", "network a: b: d"], ["network a: b: c", "network a: b: d"]),
        (
            ["phase 1 a: weak", "rule: x", "phase 1 b: weak"],
            ["phase 1 a, phase 1 b: weak", "rule: x"],
        ),
        (
            [f"phase 1 s{number}: weak" for number in range(1000)],
            ["phase 1 s0, phase 1 s1, phase 1 s2 and 997 more: weak"],
        ),
    ],
)
def test_one_for_each_text(warnings: list[str], shown: list[str]) -> None:
    assert readable(warnings) == shown
