# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Explanations of tunnels that are not up, from the journal of the IKE daemon."""

from __future__ import annotations

import re
import typing as t
from dataclasses import replace

from .._diagnose.explain import Attempt, Finding, explain
from .._host.host import Host
from .._host.tunnels.charon_log import Log, LogLine, ended, last_attempt, read_log, since_loaded
from .._host.vici.facts import Facts
from .._model.capabilities import Capabilities
from .._model.child import ChildSa
from .._model.connection import IkeConnection
from .attempts import unreachable, with_addresses, without_ikev1
from .own_certificate import OwnCertificates
from .status import CONNECTING, DISABLED, DOWN, IDLE, UP, phase1_state

# How much of the journal is looked through, and how much of it is returned for each tunnel.
_LINES, _TOLD = 5000, 20

# That there is nothing to be found is no explanation.
_UNTOLD = ("not_established", "not_initiated_by_peer")
_PACKET = re.compile(r"^(sending|received) packet: ")


def add_reasons(
    host: Host,
    pid: int,
    found: t.Iterable[tuple[IkeConnection, Facts]],
    capabilities: Capabilities,
) -> None:
    """Add time, explanation and last log lines to each phase 1 that is not up.

    Only the last attempt of the daemon ``pid`` with the loaded connection counts. A waiting tunnel
    is down if that attempt failed. Raises HostError.
    """
    asked = [(item, facts) for item, facts in found if facts["state"] not in (UP, DISABLED)]
    if not asked:
        return
    log, own = (
        Log(read_log(host.run, host.platform.daemon_unit, lines=_LINES)),
        OwnCertificates(host),
    )
    for connection, facts in asked:
        if connection.key_exchange == "ikev1" and not capabilities.ikev1:
            _add_impossible(connection, facts, capabilities)
            continue
        lines = log.about((connection.name, connection.remote_gateway))
        facts["log"] = [str(line) for line in lines[-_TOLD:]]
        attempt = last_attempt(since_loaded(lines, connection.name, pid, at_all=False))
        latest = last_attempt(since_loaded(lines, connection.name, pid, at_all=True))
        for child, entry in zip(connection.children, facts["phase2"]):
            waits = entry["state"] == IDLE
            _add_reason(own, connection, child, entry, latest if waits else attempt)
        _sum_up(own, connection, facts, attempt)
        for entry in (facts, *facts["phase2"]):
            if entry["state"] in (DOWN, IDLE) and entry["since"] is None:
                entry["since"] = ended(lines)


def _add_impossible(connection: IkeConnection, facts: Facts, capabilities: Capabilities) -> None:
    """Explain a phase 1 of IKEv1 on a daemon without IKEv1, which the log does not name."""
    for child, entry in zip(connection.children, facts["phase2"]):
        if entry["state"] != DISABLED:
            entry["state"] = DOWN
            entry["explanation"] = without_ikev1(connection, child, capabilities).to_result()
    facts["state"] = DOWN
    facts["explanation"] = without_ikev1(connection, None, capabilities).to_result()


def _add_reason(
    own: OwnCertificates,
    connection: IkeConnection,
    child: ChildSa,
    entry: Facts,
    attempt: t.Sequence[LogLine],
) -> None:
    finding = _why(own, connection, child, attempt)
    if finding is None or entry["state"] not in (DOWN, IDLE, CONNECTING):
        return
    if entry["state"] == IDLE:
        if any(_established(child.name, line.text) for line in attempt):
            # It was up, and may come up again.
            return
        entry["state"] = DOWN
    # An attempt that has just begun is no failure yet.
    if entry["state"] == DOWN or any("retransmit" in line.text for line in attempt):
        entry["explanation"] = finding.to_result()


def _established(child: str, text: str) -> bool:
    return text.startswith(f"CHILD_SA {child}{{") and " established with SPIs " in text


def _sum_up(
    own: OwnCertificates, connection: IkeConnection, facts: Facts, attempt: t.Sequence[LogLine]
) -> None:
    """Sum up the explanations of the phase 2 objects, or explain a phase 1 without any."""
    reasons = [entry["explanation"] for entry in facts["phase2"] if entry["explanation"]]
    states = {entry["state"] for entry in facts["phase2"]} - {DISABLED}
    if states and facts["state"] != CONNECTING:
        facts["state"] = phase1_state(states, enabled=True, carrying="", busy=False, waiting=True)
    elif facts["state"] == DOWN:
        finding = _why(own, connection, None, attempt)
        reasons = [finding.to_result()] if finding is not None else []
    facts["explanation"] = reasons[0] if reasons else None


def _why(
    own: OwnCertificates,
    connection: IkeConnection,
    child: ChildSa | None,
    lines: t.Sequence[LogLine],
) -> Finding | None:
    texts = tuple(line.text for line in lines)
    packets = [match[1] for match in map(_PACKET.match, texts) if match]
    initiates = packets[0] == "sending" if packets else True
    if not texts:
        return None
    attempt = Attempt(connection, child, texts, initiates=initiates, own=own.of(connection))
    finding = explain(attempt)
    if finding.cause.code == "no_answer":
        finding = explain(replace(attempt, seen=unreachable(own.host, connection)))
    finding = with_addresses(own.host, finding)
    return None if finding.cause.code in _UNTOLD else finding
