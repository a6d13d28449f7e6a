# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Local networks in which the gateway has no address, which the userspace data plane needs."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._diagnose.explain import Finding
from .._host.host import Host
from .._model.child import ChildSa
from .._render.strongswan_conf import LIBIPSEC
from .edit import View, without_address


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


def with_addresses(host: Host, finding: Finding) -> Finding:
    """Return the finding with the local networks for which the data plane refuses a tunnel."""
    child = finding.child
    if finding.cause.code != "kernel_refuses_policy" or child is None:
        return finding
    networks = (
        without_address(child.local_network, host.link.addresses())
        if LIBIPSEC in host.vici.plugins()
        else []
    )
    return replace(finding, detail=no_address(networks)) if networks else finding


def no_address(networks: t.Sequence[str]) -> str:
    return f" The gateway has no address in {', '.join(networks)}."
