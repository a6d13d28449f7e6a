# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Pre-shared keys that admit more than their own peers: refusals and warnings.

The Gateway checks phase 1 objects against each other. This file adds the keys of conf texts.
"""

from __future__ import annotations

import itertools
import typing as t

from .._errors import ModelError
from .._model.connection import IkeConnection
from .._model.gateway import Gateway
from .._model.keys import Intrusion, Key, intrusion
from .._model.secret import MASK
from .._model.settings import IpsecSettings
from .._render.advanced import ppks, psk_keys

# Names in a warning.
_MOST = 3


def check_connection(connection: IkeConnection, gateway: Gateway) -> None:
    """Refuse a phase 1 with a key, or beside a key, that lets in the wrong peer."""
    keys = [connection.key] if connection.enabled and connection.key else []
    found = _first(keys, _of_texts(gateway.settings.values()))
    if found:
        option = found.option_of(connection.subject)
        value = MASK if option == "psk" else getattr(connection, option)
        raise ModelError(option, value, str(found), found.fix, connection.subject)
    if connection.enabled:
        for settings in gateway.settings.values():
            clash = _ppk_clash(connection, settings)
            if clash:
                fix = "Use another ppk_id on this host and on the peer, or give both the same ppk."
                raise ModelError("ppk_id", connection.ppk_id, clash, fix, connection.subject)


def _ppk_clash(connection: IkeConnection, settings: IpsecSettings) -> str:
    """Return that a conf text has another PPK for the identity of a connection, or nothing."""
    if connection.ppk is None or not settings.swanctl_conf:
        return ""
    return next(
        (
            f"is an id of secret {shared.id} in swanctl_conf of network {settings.network} too, "
            "with another key: strongSwan uses one of the two keys for both peers"
            for shared in ppks(settings.swanctl_conf)
            if connection.ppk_mark in {owner.casefold() for owner in shared.owners}
            and shared.secret != connection.ppk
        ),
        "",
    )


def check_text(settings: IpsecSettings, gateway: Gateway) -> None:
    """Refuse a ``swanctl_conf`` for the same reason."""
    enabled = (item for item in gateway.connections.values() if item.enabled)
    others = (item for item in gateway.settings.values() if item.network != settings.network)
    found = _first(_of_text(settings), (*_of_connections(enabled), *_of_texts(others)))
    if found:
        raise ModelError("swanctl_conf", MASK, str(found), found.fix)
    for connection in gateway.connections.values():
        if connection.enabled and _ppk_clash(connection, settings):
            raise ModelError(
                "swanctl_conf",
                MASK,
                f"has another key for ppk_id {connection.ppk_id} of {connection.subject}: "
                "strongSwan uses one of the two keys for both peers",
                "Use another identity, on this host and on the peer, or give both the same key.",
            )


def check_start(network: str, gateway: Gateway) -> None:
    """Refuse to load what an earlier version has let stand beside a conf text.

    ``gateway`` has the network started.
    """
    active = [item for item in gateway.connections.values() if gateway.is_active(item)]
    own = [item for item in active if item.network == network]
    started = (item for item in gateway.settings.values() if _started(item, gateway))
    others = tuple(_of_texts(item for item in started if item.network != network))
    text = _of_text(gateway.settings_of(network))
    found = _first(text, (*_of_connections(active), *others)) or _first(
        _of_connections(own), others
    )
    if found:
        raise ModelError("state", "started", str(found), found.fix)


def warnings_of(connection: IkeConnection, gateway: Gateway) -> list[str]:
    """Return warnings about accepted keys that admit more than one peer."""
    key, subject = connection.key, connection.subject
    if key is None:
        return []
    warnings = []
    if key.peer and key.peer.identity.kind == "any":
        given = "peer_identifier" if connection.peer_identifier else "remote_gateway"
        warnings.append(
            f"{subject}: {given} %any: every peer that knows the psk is accepted, under any "
            "identity; set peer_identifier to the identity of the peer"
        )
    sharing = gateway.names_by_psk.get(connection.psk, ()) if connection.psk is not None else ()
    alike = _others(connection, sharing)
    if alike:
        warnings.append(
            f"{subject}: its psk is the psk of phase 1 {alike} too: each of these peers can "
            "pass for another"
        )
    return warnings


def warnings_of_ppk(connection: IkeConnection, gateway: Gateway) -> list[str]:
    """Return warnings about a PPK that several peers know."""
    sharing = gateway.names_by_ppk.get(connection.ppk, ()) if connection.ppk is not None else ()
    alike = _others(connection, sharing)
    if not alike:
        return []
    return [
        f"{connection.subject}: its ppk is the ppk of phase 1 {alike} too: each of these peers "
        "knows the PPK of the others"
    ]


def _others(connection: IkeConnection, names: t.Iterable[str]) -> str:
    """Return the names of other connections as a warning names them."""
    others = sorted(name for name in names if name != connection.name)
    more = f" and {len(others) - _MOST} more" if len(others) > _MOST else ""
    return f"{', '.join(others[:_MOST])}{more}"


def warnings_of_text(settings: IpsecSettings) -> list[str]:
    """Return such warnings for the keys of a conf text."""
    loose = dict.fromkeys(key.subject for key in _of_text(settings) if key.for_every_peer)
    return [
        f"{subject} is for every peer: each connection with a pre-shared key accepts a peer that "
        "knows it; give it the identity of its peer as id"
        for subject in loose
    ]


def _first(keys: t.Iterable[Key], others: t.Iterable[Key]) -> Intrusion | None:
    pairs = itertools.product(keys, others)
    return next(filter(None, itertools.starmap(intrusion, pairs)), None)


def _started(settings: IpsecSettings, gateway: Gateway) -> bool:
    return gateway.networks[settings.network].started


def _of_connections(connections: t.Iterable[IkeConnection]) -> tuple[Key, ...]:
    return tuple(item.key for item in connections if item.key)


def _of_texts(texts: t.Iterable[IpsecSettings]) -> t.Iterator[Key]:
    for settings in texts:
        yield from _of_text(settings)


def _of_text(settings: IpsecSettings) -> tuple[Key, ...]:
    return psk_keys(settings.network, settings.swanctl_conf) if settings.swanctl_conf else ()
