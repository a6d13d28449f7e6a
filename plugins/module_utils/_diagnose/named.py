# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The cause that a line of a log names, with the values of both sides in it."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from . import proposals
from .cause import THEIRS
from .causes import CAUSES
from .finding import Attempt, Finding, evidence
from .search import SignMatch

ROUNDS_DIFFER = (
    "Set additional_key_exchange to the same methods on both sides, or add an entry without it to "
    "encryption."
)
# Faults of our own certificate, for which every peer refuses it.
_CERTAIN = (
    "our_certificate_expired",
    "our_certificate_issuer_expired",
    "our_certificate_lacks_identity",
)
# The more exact cause for a cause in a log, if our certificate has this fault.
_MORE_EXACT = {
    "private_key_missing": "our_certificate_lacks_identity",
    "our_certificate_untrusted": "our_certificate_incomplete",
}


def named(attempt: Attempt, match: SignMatch, side: str) -> Finding:
    """Return the cause that the lines of ``side`` name, with the values of both sides."""
    code = exact_code(match)
    ours, theirs = _values(attempt, code, match.groups)
    detail = ""
    if side == THEIRS and code.endswith("_proposal_mismatch") and ours and theirs:
        kinds = proposals.differences(ours, theirs)
        detail = f" No common value of: {', '.join(kinds)}." if kinds else ""
        if proposals.only_rounds_differ(ours, theirs):
            detail += f" {ROUNDS_DIFFER}"
    lines = evidence(side, match.lines)
    return Finding(CAUSES[code], attempt.connection, attempt.child, ours, theirs, lines, detail)


def exact_code(match: SignMatch) -> str:
    """Return the code, for two lists of proposals of phase 2 the code of their difference."""
    if match.code != "esp_proposal_mismatch":
        return match.code
    ours, theirs = match.groups["ours"], match.groups["theirs"]
    if proposals.differences(ours, theirs) == ("protocol",):
        return "protocol_mismatch"
    if proposals.only_group_differs(ours, theirs):
        return "pfs_mismatch"
    return match.code


def with_own_certificate(attempt: Attempt, finding: Finding) -> Finding:
    """Return the more exact finding if the file of our own certificate has a fault."""
    code = _MORE_EXACT.get(finding.cause.code, "")
    if attempt.own is None or code not in attempt.own.faults:
        return finding
    return replace(finding, cause=CAUSES[code], ours=attempt.own.faults[code])


def certain_faults(attempt: Attempt) -> list[str]:
    """Return the codes of the faults of our certificate for which every peer refuses it."""
    return [code for code in _CERTAIN if attempt.own and code in attempt.own.faults]


def _values(attempt: Attempt, code: str, groups: t.Mapping[str, str]) -> tuple[str, str]:
    if "named" in groups:
        # A search by address and identity.
        requested = groups.get("asked")
        return f"{groups['named']}, requesting {requested}" if requested else groups["named"], ""
    if "subject" in groups:
        text = _certificate_text(attempt, code, groups)
        return (text, "") if code.startswith("our_") else ("", text)
    return groups.get("ours", ""), groups.get("theirs", "")


def _certificate_text(attempt: Attempt, code: str, groups: t.Mapping[str, str]) -> str:
    subject = groups["subject"]
    if "issuer" in groups:
        return f"{subject}, issued by {groups['issuer']}"
    # The log does not show the other names in the certificate of the peer.
    holds = attempt.own.holds if attempt.own and code.startswith("our_") else ""
    names = f"contains {holds}" if holds else f"has the subject {subject}"
    return f"{groups['identity']}; the certificate {names}"
