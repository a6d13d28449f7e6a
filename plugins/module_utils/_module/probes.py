# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The results of probes through tunnels. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._diagnose.causes import CAUSES
from .._diagnose.explain import Finding
from .._host.tunnels.probe import ProbeReply
from .._model.child_text import selectors_text
from .connection_request import TunnelStates


def probe_failures(states: TunnelStates, replies: t.Iterable[ProbeReply]) -> list[Finding]:
    """Return a finding for each probe without an answer through its tunnel."""
    return [_unanswered(states, reply) for reply in replies if reply.fault]


def _unanswered(states: TunnelStates, reply: ProbeReply) -> Finding:
    """Return the deviation of the tunnel if no SA carries the probe, else the fault itself."""
    tunnel = reply.probe.tunnel
    deviation = None if reply.carried else states.shortcoming(tunnel)
    finding = deviation or Finding(
        CAUSES[reply.fault], tunnel.connection, tunnel.child, selectors_text(tunnel.child)
    )
    return replace(finding, evidence=(*finding.evidence, _evidence(reply)))


def _evidence(reply: ProbeReply) -> str:
    source = f" from {reply.probe.source}" if reply.probe.source else ""
    probe = f"probe of {reply.probe.address}{source}"
    if not reply.carried:
        return f"{probe}: not sent, because no SA carries this address"
    return f"{probe}: {reply.sent} packets entered the tunnel, {reply.received} came from it"


def probe_result(reply: ProbeReply) -> dict[str, t.Any]:
    """Return a probe as the module returns it."""
    return {
        "address": str(reply.probe.address),
        "tunnel": str(reply.probe.tunnel),
        "answered": not reply.fault,
        "packets_sent": reply.sent,
        "packets_received": reply.received,
    }
