# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import ModelError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model import lifetime
from hypothesis import example, given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("value", "unit", "seconds"),
    [
        (90, "seconds", 90),
        (9, "minutes", 540),
        (3, "hours", 10800),
        (2, "days", 172800),
        (1, "years", 31536000),
        (68, "years", 2144448000),
    ],
)
def test_seconds(value: int, unit: str, seconds: int) -> None:
    assert lifetime.in_seconds("lifetime", value, unit) == seconds
    assert lifetime.lifetime_seconds("lifetime", value, unit) == seconds


@given(st.integers(), st.sampled_from(sorted(lifetime.UNITS)))
def test_whatever_passes_fits_charon(value: int, unit: str) -> None:
    """An accepted lifetime fits in signed 32 bits. strongSwan silently wraps larger values."""
    try:
        assert 60 <= lifetime.lifetime_seconds("lifetime", value, unit) < 2**31
    except ModelError:
        assert not 60 <= value * lifetime.UNITS[unit] < 2**31


@pytest.mark.parametrize(
    ("value", "unit", "option"),
    [
        (1, "weeks", "margintime_unit"),
        (1, None, "margintime_unit"),
        (-1, "hours", "margintime"),
        (True, "hours", "margintime"),
        ("1", "hours", "margintime"),
        (1.0, "hours", "margintime"),
        (2**31, "seconds", "margintime"),
    ],
)
def test_refusals(value: object, unit: object, option: str) -> None:
    with pytest.raises(ModelError) as raised:
        lifetime.in_seconds("margintime", value, unit)
    assert raised.value.option == option


@pytest.mark.parametrize(("seconds", "fits"), [(59, False), (60, True)])
def test_shortest(seconds: int, fits: bool) -> None:
    assert lifetime.in_seconds("lifetime", seconds, "seconds") == seconds
    if fits:
        assert lifetime.lifetime_seconds("lifetime", seconds, "seconds") == seconds
    else:
        with pytest.raises(
            ModelError, match="59: is 59 seconds, and the shortest lifetime is 60 seconds"
        ):
            lifetime.lifetime_seconds("lifetime", seconds, "seconds")


@given(st.integers(1, 2**31), st.integers(0, 2**31))
@example(1080, 540)
@example(1081, 540)
def test_with_a_margin_that_fits_rekeying_never_begins_before_the_start(
    life: int, margin: int
) -> None:
    """life - margin - random(0..margin) is above 0, or the lifetime is refused."""
    if life - margin - margin > 0:
        lifetime.check_margin("lifetime", life, margin)
    else:
        with pytest.raises(ModelError, match=f"more than {2 * margin} seconds") as raised:
            lifetime.check_margin("lifetime", life, margin)
        assert raised.value.option == "lifetime"
