# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""A line of charon's log that shows a cause, with the lines around it that must be there or not."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

_Pattern = t.Pattern[str]


@dataclass(frozen=True)
class Sign:
    """A line that matches ``pattern`` shows the cause ``code``.

    - The named groups ``ours`` and ``theirs`` are the values of each side.
    - ``context`` are earlier lines that belong to it, and may have these groups too. They are
      required if they have groups, or with ``needs_context``.
    - The line counts only after a line that matches ``after``, and before any line that matches
      ``before``.
    - The line does not count if any line matches ``unless``, a line between its context and itself
      matches ``without``, or a later line matches ``overtaken``.
    """

    pattern: _Pattern
    code: str
    context: tuple[_Pattern, ...] = ()
    after: _Pattern | None = None
    before: _Pattern | None = None
    unless: _Pattern | None = None
    without: _Pattern | None = None
    overtaken: _Pattern | None = None
    needs_context: bool = False


def sign(
    pattern: str,
    code: str,
    *context: str,
    after: str = "",
    before: str = "",
    unless: str = "",
    without: str = "",
    overtaken: str = "",
    needs_context: bool = False,
) -> Sign:
    return Sign(
        re.compile(pattern),
        code,
        tuple(re.compile(item) for item in context),
        after=_compiled(after),
        before=_compiled(before),
        unless=_compiled(unless),
        without=_compiled(without),
        overtaken=_compiled(overtaken),
        needs_context=needs_context,
    )


def _compiled(pattern: str) -> _Pattern | None:
    return re.compile(pattern) if pattern else None
