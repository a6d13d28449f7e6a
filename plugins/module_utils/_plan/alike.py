# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""When two connections are the same: on the wire, and to charon, which keeps what it takes for it.

An identity may be written in several ways, and charon compares identities without regard to case.

Source: equals() in src/libcharon/config/peer_cfg.c and
src/libstrongswan/utils/identification.c of strongSwan 5.9.8 and 6.0.1.
"""

from __future__ import annotations

import typing as t

from .._model.identity import Identity
from .._render.strongswan.section import Section

# What charon leaves out when it compares a connection with the one that it has.
_NOT_COMPARED = "dpd_timeout"
_ENDS = ("local", "remote")


def would_be_dropped(before: Section | None, after: Section, loaded: t.Mapping[str, t.Any]) -> bool:
    """Whether charon would take ``after`` for what it has loaded, though it differs."""
    stale = str(loaded.get(_NOT_COMPARED, "0")) != str(after.get(_NOT_COMPARED, "0"))
    shown = {end: loaded.get(f"{end}-1", {}) for end in _ENDS}
    other = stale or respelled(shown, after) or (before is not None and respelled(before, after))
    return other and (before is None or alike(before, after))


def alike(one: Section, other: Section) -> bool:
    """Whether charon takes two connections for the same, apart from their children."""

    def compared(section: Section) -> dict[str, t.Any]:
        return {**_anonymous(section), "children": {}, _NOT_COMPARED: ""}

    return compared(one) == compared(other) and all(
        _identity(one, end).equals(_identity(other, end)) for end in _ENDS
    )


def same(one: Section | None, other: Section | None) -> bool:
    """Whether two connections are the same, though perhaps written in another way."""
    if one is None or other is None:
        return False
    return one == other or sent(one) == sent(other)


def sent(section: Section) -> dict[str, t.Any]:
    """A connection with its identities as they are sent."""
    identities = [(item.kind, item.exact) for end in _ENDS for item in [_identity(section, end)]]
    return {**_anonymous(section), "identities": identities}


def respelled(one: t.Mapping[str, t.Any], other: t.Mapping[str, t.Any]) -> bool:
    """Whether an identity of the one differs from that of the other in upper and lower case."""
    pairs = ((_identity(one, end), _identity(other, end)) for end in _ENDS)
    return any(before.equals(after) and before.exact != after.exact for before, after in pairs)


def _identity(section: t.Mapping[str, t.Any], end: str) -> Identity:
    return Identity.parse(str(section.get(end, {}).get("id", "")))


def _anonymous(section: Section) -> dict[str, t.Any]:
    """A connection without its identities."""
    found: dict[str, t.Any] = {**section}
    for end in _ENDS:
        if isinstance(found.get(end), t.Mapping):
            found[end] = {key: item for key, item in found[end].items() if key != "id"}
    return found
