# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The selectors of a phase 2 as one text."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.child_text import (
    selectors_text,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import child


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "10.1.0.0/24 to 10.2.0.0/24"),
        (
            {"local_network": ["10.1.0.0/24", "10.3.0.0/24"]},
            "10.1.0.0/24, 10.3.0.0/24 to 10.2.0.0/24",
        ),
        ({"mode": "transport", "local_network": [], "remote_network": []}, "the two gateways"),
    ],
)
def test_text(options: dict[str, t.Any], text: str) -> None:
    assert selectors_text(child(**options)) == text
