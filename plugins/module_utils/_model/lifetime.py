# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Lifetimes: number and unit in the options, seconds for charon.

The units of charon end at days, and charon silently misreads octal or wide numbers. Every lifetime
is therefore sent in decimal seconds. With a lifetime L, a margin M and a fuzz of 100 %,
ipsec.conf(5) defines ``rekey = L - M``, less a random ``0..M``. These functions write the same.
"""

from __future__ import annotations

from .._errors import ModelError
from .checks import number, one_of

UNITS = {
    "seconds": 1,
    "minutes": 60,
    "hours": 3600,
    "days": 86400,
    "years": 365 * 86400,
}
FOREVER = "forever"

SHORTEST = 60
# charon schedules with 32-bit signed seconds.
LONGEST = 2**31 - 1


def in_seconds(option: str, value: object, unit: object) -> int:
    """Return ``value`` ``unit`` in seconds. Errors name ``option`` or ``<option>_unit``."""
    factor = UNITS[one_of(f"{option}_unit", unit, tuple(UNITS))]
    return number(option, value, 0, LONGEST // factor) * factor


def lifetime_seconds(option: str, value: object, unit: object) -> int:
    """Return a lifetime in seconds: 60 seconds to 68 years."""
    seconds = in_seconds(option, value, unit)
    if seconds < SHORTEST:
        problem = f"is {seconds} seconds, and the shortest {option} is {SHORTEST} seconds"
        fix = f"Give a longer {option}, or a greater unit in {option}_unit."
        raise ModelError(option, value, problem, fix)
    return seconds


def check_margin(option: str, lifetime: int, margin: int) -> None:
    """Refuse a margin that leaves no time. The fuzz subtracts up to twice the margin."""
    if margin * 2 >= lifetime:
        raise ModelError(
            option,
            lifetime,
            f"is too short: up to twice the margintime of {margin} seconds is subtracted from this "
            "number of seconds",
            f"Make it more than {margin * 2} seconds, or shorten margintime of the phase 1.",
        )
