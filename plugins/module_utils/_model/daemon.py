# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The IKE daemons of a host. There is one, which serves all networks (docs/adr/0007)."""

from __future__ import annotations

import typing as t

DaemonId = t.NewType("DaemonId", str)

# The one daemon that there is.
DAEMON = DaemonId("charon")
ALL_DAEMONS = frozenset({DAEMON})
