# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""One warning in the place of many that say the same about different objects."""

from __future__ import annotations

import typing as t

# Objects that a warning names.
MOST_NAMED = 3


def readable(warnings: t.Iterable[str]) -> list[str]:
    """Return the warnings, each once, and one for all objects about which they say the same.

    A warning begins with its object: ``phase 1 site-b: <text>``. The order of the first warnings of
    each text stays.
    """
    subjects: dict[tuple[str, str], dict[str, None]] = {}
    for warning in filter(None, warnings):
        subject, colon, text = warning.partition(": ")
        # A text without an object is a group of its own.
        key = (text, "") if colon else ("", subject)
        subjects.setdefault(key, {})[subject] = None
    return [
        f"{_names([*named])}: {text}" if text else alone
        for (text, alone), named in subjects.items()
    ]


def _names(subjects: t.Sequence[str]) -> str:
    if len(subjects) <= MOST_NAMED:
        return ", ".join(subjects)
    return f"{', '.join(subjects[:MOST_NAMED])} and {len(subjects) - MOST_NAMED} more"
