# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.capabilities import (
    Capabilities,
)


@pytest.mark.parametrize(
    ("version", "release"),
    [("6.1.0", (6, 1, 0)), ("5.9.8", (5, 9, 8)), ("6.1.0rc1", (6, 1, 0)), ("", ()), ("dr", ())],
)
def test_release(version: str, release: tuple[int, ...]) -> None:
    assert Capabilities(version).release == release


def test_an_unknown_daemon_refuses_nothing() -> None:
    unknown = Capabilities()
    assert not unknown.known
    assert unknown.ikev1


def test_key_exchanges() -> None:
    assert Capabilities("6.1.0", algorithms={"ke": frozenset({"ML_KEM_768"})}).key_exchanges == {
        "ML_KEM_768"
    }
