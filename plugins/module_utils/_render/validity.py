# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The validity of certificates, in words and warnings."""

from __future__ import annotations

import calendar
import re
import typing as t

from .pem import Certificate, certificate

# In days. The status page marks such certificates, too.
SOON = 30

VALID, EXPIRED, EARLY, EXPIRES = "valid", "expired", "not_yet_valid", "expires_soon"


def validity(item: Certificate, now: float) -> str:
    """Return one of the words above; ``now`` is in seconds since the epoch."""
    if _seconds(item.not_after) < now:
        return EXPIRED
    if _seconds(item.not_before) > now:
        return EARLY
    return EXPIRES if _days(item, now) < SOON else VALID


def in_words(item: Certificate, now: float) -> str:
    """Return the words that follow on the name of a certificate; empty for a valid one."""
    days = _days(item, now)
    return {
        VALID: "",
        EXPIRED: f"expired on {_moment(item.not_after)}",
        EARLY: f"is not valid before {_moment(item.not_before)}, by the clock of this host",
        EXPIRES: f"expires on {_moment(item.not_after)}, in {days} day{'' if days == 1 else 's'}",
    }[validity(item, now)]


def warnings(phase1: str, option: str, pems: t.Iterable[bytes], now: float) -> list[str]:
    """Return warnings about the certificates of an option."""
    found = (item for item in map(certificate, pems) if item is not None)
    told = [(item, in_words(item, now)) for item in found]
    return [
        f"phase 1 {phase1}: {option}: the certificate of {item} {text}: renew it"
        for item, text in told
        if text
    ]


def _days(item: Certificate, now: float) -> int:
    return int((_seconds(item.not_after) - now) // 86400)


def _seconds(moment: str) -> int:
    """Return the seconds since the epoch of a time in ISO 8601, UTC."""
    numbers = map(int, re.findall("[0-9]+", moment)[:6])
    return calendar.timegm(tuple(numbers))


def _moment(moment: str) -> str:
    return f"{moment[:16].replace('T', ' ')} UTC"
