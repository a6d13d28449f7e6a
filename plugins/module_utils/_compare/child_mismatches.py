# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Mismatches of a phase 2 beside its proposals: modes, data plane, selectors, other options."""

from __future__ import annotations

import typing as t

from .._model.child_text import selectors_text
from .._model.options import plain
from . import selectors
from .child_pair import BothSelectors, ChildPair, configured, host, offered
from .mismatch import Mismatch

Mismatches = t.Iterator[Mismatch]


def modes(pair: ChildPair) -> Mismatches:
    """Yield the mismatch of tunnel mode and transport mode."""
    values = pair.child.mode, pair.responder.mode
    if values[0] != values[1]:
        code = "mode_mismatch" if pair.version == 1 else "mode_becomes_tunnel"
        yield pair.direction.phase2_mismatch(code, pair.both, "mode", values)


def data_plane(pair: ChildPair, carried: BothSelectors) -> Mismatches:
    """Yield the options that NAT or a userspace data plane does not support."""
    direction = pair.direction
    protocols = pair.child.protocol, pair.responder.protocol
    if "ah" in protocols and direction.encapsulated:
        yield direction.phase2_mismatch("ah_through_nat", pair.both, "protocol", protocols)
    unsupported = _unsupported_option(pair)
    for end, far, role in (
        (direction.initiator, carried[1], "responder"),
        (direction.responder, carried[0], "initiator"),
    ):
        # The encapsulated packets would be sent into the tunnel again.
        to_peer = host(direction, role) in far
        if end.userspace and (unsupported or to_peer):
            option = unsupported or "remote_network"
            values = [plain(getattr(child, option)) for child in pair.both]
            yield direction.phase2_mismatch(
                "dataplane_incapable", pair.both, option, values, side=end.peer
            )


def _unsupported_option(pair: ChildPair) -> str:
    """Return the option that the userspace data plane does not support, empty if there is none."""
    if "ah" in (pair.child.protocol, pair.responder.protocol):
        return "protocol"
    return "mode" if pair.mode == "transport" else ""


def narrowing(pair: ChildPair, carried: BothSelectors) -> Mismatches:
    """Yield the mismatch of networks that a side has and the tunnel does not carry."""
    direction, both = pair.direction, pair.both
    values = selectors_text(both[0]), selectors_text(both[1])
    lengths = (max(len(child.local_network), len(child.remote_network)) for child in both)
    if pair.version == 1 and max(lengths) > 1:
        yield direction.phase2_mismatch("ikev1_first_selector", both, "local_network", values)
        return
    ours, theirs = (selectors.texts(item) for item in carried)
    if _is_narrower(pair, ours, theirs):
        text = f"{', '.join(ours)} to {', '.join(theirs)}"
        code = "selectors_split" if _split(pair) else "selectors_narrowed"
        yield direction.phase2_mismatch(code, both, "remote_network", values, carried=text)


def _is_narrower(pair: ChildPair, ours: list[str], theirs: list[str]) -> bool:
    """Return whether a configured network of a side is not carried as it is."""
    configured_and_carried = (
        (pair.child.local_network, ours),
        (pair.responder.remote_network, ours),
        (pair.child.remote_network, theirs),
        (pair.responder.local_network, theirs),
    )
    return any(
        networks and {str(item) for item in networks} != {*texts}
        for networks, texts in configured_and_carried
    )


def _split(pair: ChildPair) -> bool:
    """Return whether the responder has other phase 2 objects for networks of this child."""
    offers = offered(pair.direction, pair.version, pair.child)
    if max(map(len, offers)) == 1:
        return False
    others = (it for it in pair.direction.responder.children if it is not pair.responder)
    return any(
        all(map(selectors.likeness, configured(pair.direction, child, offered=True), offers[::-1]))
        for child in others
    )


def differences(pair: ChildPair) -> Mismatches:
    """Yield the options that may differ without harm."""
    direction, both = pair.direction, pair.both
    lifetimes = tuple(child.lifetime_seconds for child in both)
    if lifetimes[0] != lifetimes[1]:
        yield direction.phase2_mismatch("lifetime_differs", both, "lifetime", lifetimes)
    ipcomp = direction.initiator.settings.ipcomp, direction.responder.settings.ipcomp
    if ipcomp[0] != ipcomp[1]:
        yield direction.phase2_mismatch("ipcomp_one_sided", both, "ipcomp", ipcomp)
