# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Compare two connections: as a peer sees them, and as charon does, which keeps an equal one.

An identity can be written in several ways. charon ignores case when it compares identities.

Source: equals() in src/libcharon/config/peer_cfg.c and
src/libstrongswan/utils/identification.c of strongSwan 5.9.8 and 6.0.1.
"""

from __future__ import annotations

import typing as t

from .._model.identity import Identity
from .._render.strongswan.section import Section

# charon ignores this option when it compares a connection with the loaded one.
_NOT_COMPARED = "dpd_timeout"
_ENDS = ("local", "remote")
_PPK = "ppk_id"


def would_be_dropped(before: Section | None, after: Section, loaded: t.Mapping[str, t.Any]) -> bool:
    """Return whether charon would take ``after`` for the loaded connection, though it differs."""
    ignored_change = str(loaded.get(_NOT_COMPARED, "0")) != str(after.get(_NOT_COMPARED, "0"))
    shown = {end: loaded.get(f"{end}-1", {}) for end in _ENDS}
    shown[_PPK] = loaded.get(_PPK, "")
    other = (
        ignored_change
        or respelled(shown, after)
        or (before is not None and respelled(before, after))
    )
    return other and (before is None or alike(before, after))


def alike(one: Section, other: Section) -> bool:
    """Return whether charon takes two connections for the same, apart from their children."""

    def compared(section: Section) -> dict[str, t.Any]:
        fixed = {"children": {}, _NOT_COMPARED: "", _PPK: _ppk(section).casefold()}
        return {**_anonymous(section), **fixed}

    return compared(one) == compared(other) and all(
        _identity(one, end).equals(_identity(other, end)) for end in _ENDS
    )


def same(one: Section | None, other: Section | None) -> bool:
    """Return whether two connections are the same, in any spelling of their identities."""
    if one is None or other is None:
        return False
    return one == other or sent(one) == sent(other)


def sent(section: Section) -> dict[str, t.Any]:
    """Return a connection with its identities as they are sent to the peer."""
    parsed = [_identity(section, end) for end in _ENDS]
    identities = [(item.kind, item.exact) for item in parsed]
    return {**_anonymous(section), "identities": identities}


def respelled(one: t.Mapping[str, t.Any], other: t.Mapping[str, t.Any]) -> bool:
    """Return whether an identity of one connection differs only in case from the other."""
    pairs = ((_identity(one, end), _identity(other, end)) for end in _ENDS)
    ppks = _ppk(one), _ppk(other)
    return (ppks[0] != ppks[1] and ppks[0].casefold() == ppks[1].casefold()) or any(
        before.equals(after) and before.exact != after.exact for before, after in pairs
    )


def _ppk(section: t.Mapping[str, t.Any]) -> str:
    return str(section.get(_PPK, ""))


def _identity(section: t.Mapping[str, t.Any], end: str) -> Identity:
    return Identity.parse(str(section.get(end, {}).get("id", "")))


def _anonymous(section: Section) -> dict[str, t.Any]:
    """Return a connection without its identities."""
    anonymous: dict[str, t.Any] = {**section}
    for end in _ENDS:
        options = anonymous.get(end)
        if isinstance(options, t.Mapping):
            anonymous[end] = {key: item for key, item in options.items() if key != "id"}
    return anonymous
