# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""What becomes of a Child SA when one side brings it up (RFC 7296 sections 1.2, 1.3, 2.9)."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._model.child import ChildSa
from .._model.options import plain
from .._model.proposal import Proposal
from . import proposals, selectors
from .direction import Direction, selectors_text
from .findings import Finding
from .ike import IkeOutcome
from .selectors import Index, Selectors

Findings = t.Iterator[Finding]

UP, PARTIAL, DOWN = "up", "partial", "down"


@dataclass(frozen=True)
class ChildOutcome:
    """A phase 2 of the initiator, and the one of the responder that answers, if one does.

    ``proposal`` is the one that wins, ``rekey`` that of each rekeying, None if there is no SA then.
    ``ours`` and ``theirs`` are the selectors of the initiator and of the responder. ``whole`` is
    whether these are all that each of the two has configured.
    """

    child: ChildSa
    answering: ChildSa | None
    findings: tuple[Finding, ...]
    mode: str = "tunnel"
    proposal: Proposal | None = None
    rekey: Proposal | None = None
    ours: Selectors = ()
    theirs: Selectors = ()
    whole: tuple[bool, bool] = (True, True)

    @property
    def up(self) -> bool:
        return self.proposal is not None

    @property
    def states(self) -> tuple[str, str]:
        """Of the initiator and of the responder, in the words of ipsec_info."""
        initiator, responder = (UP if whole else PARTIAL for whole in self.whole)
        return (initiator, responder) if self.up else (DOWN, DOWN)


@dataclass(frozen=True)
class _Meeting:
    """A child of the initiator and what it offers, beside the child that answers."""

    direction: Direction
    version: int
    child: ChildSa
    answering: ChildSa

    @property
    def both(self) -> tuple[ChildSa, ChildSa]:
        return self.child, self.answering

    @property
    def mode(self) -> str:
        """What IKEv2 makes of the modes."""
        return "transport" if self.child.mode == self.answering.mode == "transport" else "tunnel"


class Answers:
    """The children of the responder, by their selectors."""

    def __init__(self, direction: Direction) -> None:
        children = direction.responder.children
        self._known = [(item, *_configured(direction, item, offered=True)) for item in children]
        self._local = Index(local for _child, local, _remote in self._known)
        self._remote = Index(remote for _child, _local, remote in self._known)
        self._same = {(item.local_network, item.remote_network) for item in children}

    def to(self, ours: Selectors, theirs: Selectors) -> ChildSa | None:
        """The child whose selectors fit best, the first of equals; else nothing counts."""
        best, rating = None, 0
        for number in selectors.meeting((self._local, theirs), (self._remote, ours)):
            child, local, remote = self._known[number]
            here, there = selectors.likeness(local, theirs), selectors.likeness(remote, ours)
            if here and there and here + there > rating:
                best, rating = child, here + there
        return best

    def lacking(self, direction: Direction, child: ChildSa) -> Finding:
        """That there is none for a child of the initiator."""
        same = (child.local_network, child.remote_network) in self._same
        code = "selectors_not_mirrored" if same else "selector_mismatch"
        told = [selectors_text(item) for item, *_selectors in self._known[:_TOLD]]
        left = len(self._known) - len(told)
        return direction.unmatched(child, code, [*told, *([f"and {left} more"] if left else [])])


# Of the children of the other side.
_TOLD = 20


def negotiated(
    direction: Direction, ike: IkeOutcome, child: ChildSa, answers: Answers
) -> ChildOutcome:
    """As if the IKE SA came up: what is wrong with a phase 2 is told along with that."""
    ours, theirs = _offered(direction, ike.version, child)
    answering = answers.to(ours, theirs)
    if answering is None:
        return ChildOutcome(child, None, (answers.lacking(direction, child),))
    meeting = _Meeting(direction, ike.version, child, answering)
    configured = _configured(direction, answering, offered=False)
    # What the initiator offers is remote to the responder.
    carried = (
        selectors.narrowed(configured[1], ours),
        selectors.narrowed(configured[0], theirs),
    )
    if ike.version == 1:
        carried = carried[0][:1], carried[1][:1]
    selected, rekey, stops = _select(meeting, ike.proposal)
    stops += [*_modes(meeting), *_data_plane(meeting, carried)]
    down = not ike.up or selected is None or any(_prevents(item) for item in stops)
    findings = (*stops, *_narrowing(meeting, carried), *_differences(meeting))
    return ChildOutcome(
        child,
        answering,
        findings,
        meeting.mode,
        None if down else selected,
        None if down else rekey,
        *carried,
        _whole(meeting, (ours, theirs), configured, carried),
    )


def _whole(
    meeting: _Meeting,
    offered: tuple[Selectors, Selectors],
    configured: tuple[Selectors, Selectors],
    carried: tuple[Selectors, Selectors],
) -> tuple[bool, bool]:
    """Whether initiator and responder have all that they name."""
    direction = meeting.direction
    if meeting.version == 1:
        # It has offered the first pair alone.
        offered = _offered(direction, 2, meeting.child)
    return (
        all(map(selectors.contain, carried, offered)),
        all(
            selectors.contain(left, wanted, loosely=direction.responder.anybody)
            for left, wanted in zip(carried[::-1], configured)
        ),
    )


def _prevents(finding: Finding) -> bool:
    return finding.severity == "error" and finding.code != "pfs_mismatch"


def _offered(direction: Direction, version: int, child: ChildSa) -> tuple[Selectors, Selectors]:
    """Local and remote selectors, which are one pair in IKEv1."""
    local = selectors.effective(
        child, child.local_network, _host(direction, "initiator"), offered=True
    )
    remote = selectors.effective(
        child, child.remote_network, _host(direction, "responder"), offered=True
    )
    return (local[:1], remote[:1]) if version == 1 else (local, remote)


def _configured(
    direction: Direction, child: ChildSa, *, offered: bool
) -> tuple[Selectors, Selectors]:
    """Local and remote selectors of a child of the responder."""
    local = selectors.effective(
        child, child.local_network, _host(direction, "responder"), offered=offered
    )
    remote = selectors.effective(
        child, child.remote_network, _host(direction, "initiator"), offered=offered
    )
    return local, remote


def _host(direction: Direction, role: str) -> t.Any:
    initiating = role == "initiator"
    address = direction.initiator_address if initiating else direction.responder_address
    return selectors.host_of(address, role)


def _select(
    meeting: _Meeting, ike: Proposal | None
) -> tuple[Proposal | None, Proposal | None, list[Finding]]:
    """The proposal that wins, that of a rekeying, and what is wrong with them."""
    mine, theirs = meeting.child, meeting.answering
    if mine.protocol != theirs.protocol:
        values = mine.protocol, theirs.protocol
        return (
            None,
            None,
            [meeting.direction.phase2("protocol_mismatch", meeting.both, "protocol", values)],
        )
    offered = proposals.usable(mine.encryption, mine.use, meeting.version)
    configured = proposals.usable(theirs.encryption, theirs.use, meeting.version)
    lists = proposals.keywords(mine.encryption), proposals.keywords(theirs.encryption)
    plain = proposals.chosen(proposals.without_group(offered), proposals.without_group(configured))
    if meeting.version == 1:
        offered = proposals.quick_mode_offer(offered, ike.dh_group if ike else None)
    full = proposals.chosen(offered, configured)
    if full is not None:
        return (full if meeting.version == 1 else plain), full, []
    code, words = "esp_proposal_mismatch", {}
    if plain is not None:
        code, words = "pfs_mismatch", {"consequence": _WITHOUT_PFS[meeting.version]}
    finding = meeting.direction.phase2(code, meeting.both, "encryption", lists, **words)
    return (None if meeting.version == 1 else plain), None, [finding]


_WITHOUT_PFS = {
    1: "with IKEv1 it does not come up",
    2: "this phase 2 comes up with the IKE SA, but it can't be rekeyed, nor come up on its own "
    "when the IKE SA is there already",
}


def _modes(meeting: _Meeting) -> Findings:
    values = meeting.child.mode, meeting.answering.mode
    if values[0] != values[1]:
        code = "mode_mismatch" if meeting.version == 1 else "mode_becomes_tunnel"
        yield meeting.direction.phase2(code, meeting.both, "mode", values)


def _data_plane(meeting: _Meeting, carried: tuple[Selectors, Selectors]) -> Findings:
    direction = meeting.direction
    protocols = meeting.child.protocol, meeting.answering.protocol
    if "ah" in protocols and direction.encapsulated:
        yield direction.phase2("ah_through_nat", meeting.both, "protocol", protocols)
    option = _incapable(meeting)
    for tunnel, far, role in (
        (direction.initiator, carried[1], "responder"),
        (direction.responder, carried[0], "initiator"),
    ):
        # Its packets would go into the tunnel that they carry.
        to_peer = _host(direction, role) in far
        if tunnel.userspace and (option or to_peer):
            named = option or "remote_network"
            values = [plain(getattr(child, named)) for child in meeting.both]
            yield direction.phase2(
                "dataplane_incapable", meeting.both, named, values, side=tunnel.peer
            )


def _incapable(meeting: _Meeting) -> str:
    """The option by which a phase 2 is none for the userspace data plane."""
    if "ah" in (meeting.child.protocol, meeting.answering.protocol):
        return "protocol"
    return "mode" if meeting.mode == "transport" else ""


def _narrowing(meeting: _Meeting, carried: tuple[Selectors, Selectors]) -> Findings:
    """What a side has and the tunnel does not carry."""
    ours, theirs = (selectors.shown(item) for item in carried)
    direction, both = meeting.direction, meeting.both
    several = [
        child for child in both if max(len(child.local_network), len(child.remote_network)) > 1
    ]
    if meeting.version == 1 and several:
        values = selectors_text(both[0]), selectors_text(both[1])
        yield direction.phase2("ikev1_first_selector", both, "local_network", values)
        return
    wanted = (
        (_told(both[0].local_network), _told(both[1].remote_network), ours),
        (_told(both[0].remote_network), _told(both[1].local_network), theirs),
    )
    if any(set(side) != set(left) for *sides, left in wanted for side in sides if side):
        values = selectors_text(both[0]), selectors_text(both[1])
        text = f"{', '.join(ours)} to {', '.join(theirs)}"
        code = "selectors_split" if _split(meeting) else "selectors_narrowed"
        yield direction.phase2(code, both, "remote_network", values, carried=text)


def _split(meeting: _Meeting) -> bool:
    """Whether the responder has other phase 2 objects for what the initiator has in this one."""
    direction = meeting.direction
    offered = _offered(direction, meeting.version, meeting.child)
    return max(map(len, offered)) > 1 and any(
        child is not meeting.answering
        and all(
            selectors.likeness(own, other)
            for own, other in zip(_configured(direction, child, offered=True), offered[::-1])
        )
        for child in direction.responder.children
    )


def _told(networks: Selectors) -> list[str]:
    return [str(item) for item in networks]


def _differences(meeting: _Meeting) -> Findings:
    direction, both = meeting.direction, meeting.both
    lifetimes = tuple(child.lifetime_seconds for child in both)
    if lifetimes[0] != lifetimes[1]:
        yield direction.phase2("lifetime_differs", both, "lifetime", lifetimes)
    ipcomp = direction.initiator.settings.ipcomp, direction.responder.settings.ipcomp
    if ipcomp[0] != ipcomp[1]:
        yield direction.phase2("ipcomp_one_sided", both, "ipcomp", ipcomp)
