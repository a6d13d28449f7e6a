# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Local networks in which the gateway has no address, which the userspace data plane needs."""

from __future__ import annotations

import typing as t

from .._model.child import ChildSa
from .edit import View


def warnings_of_addresses(child: ChildSa, view: View) -> list[str]:
    """Return a warning if a phase 2 cannot come up, in the userspace data plane of strongSwan 5."""
    if not view.userspace or view.observed.daemon.release >= _NEEDS_NONE:
        return []
    networks = view.asked.without_address(child.local_network, view.edit.gateway)
    subject = child.subject
    why = "the userspace data plane of strongSwan 5 needs one in each local network"
    return [f"{subject}:{no_address(networks)[:-1]}, and {why}"] if networks else []


# The first release of strongSwan whose userspace data plane does without.
_NEEDS_NONE = 6


def no_address(networks: t.Sequence[str]) -> str:
    return f" The gateway has no address in {', '.join(networks)}."
