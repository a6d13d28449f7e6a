# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The validity of certificates, in words."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.pem import certificate
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.validity import (
    validity,
    warnings,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.pki import Pair

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("begin", "end", "state", "words"),
    [
        (-DAY, 30 * DAY, "valid", ""),
        (-DAY, 30 * DAY - SECOND, "expires_soon", "expires on 2026-03-31 11:59 UTC, in 29 days"),
        (-DAY, 2 * DAY - SECOND, "expires_soon", "expires on 2026-03-03 11:59 UTC, in 1 day"),
        (-DAY, SECOND, "expires_soon", "expires on 2026-03-01 12:00 UTC, in 0 days"),
        (-9 * DAY, -DAY, "expired", "expired on 2026-02-28 12:00 UTC"),
        (
            DAY,
            90 * DAY,
            "not_yet_valid",
            "is not valid before 2026-03-02 12:00 UTC, by the clock of this host",
        ),
    ],
)
def test_validity(begin: timedelta, end: timedelta, state: str, words: str) -> None:
    pem = Pair("gw", begin=NOW + begin, end=NOW + end).certificate
    item = certificate(pem)
    assert item is not None
    assert validity(item, NOW.timestamp()) == state
    told = [f"phase 1 a: ca: the certificate of CN=gw {words}: renew it"] if words else []
    assert warnings("a", "ca", [b"odd", pem], NOW.timestamp()) == told
