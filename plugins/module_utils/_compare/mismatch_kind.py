# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The severities of mismatches, and the form of a row in the table of mismatches."""

from __future__ import annotations

from dataclasses import dataclass

# error: traffic that does not flow, now or after a rekeying. warning: a tunnel that differs from
# the definition of a side. info: useful to know.
ERROR, WARNING, INFO = SEVERITIES = ("error", "warning", "info")


@dataclass(frozen=True)
class MismatchKind:
    """A row of the table."""

    severity: str
    explanation: str
    next_step: str
