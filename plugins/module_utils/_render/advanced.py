# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The connections and secrets of a ``swanctl_conf``, the text of ``configuration_mode: advanced``.

swanctl would read much more of such a text. vici accepts connections and shared secrets one by one.
The rest of a text is therefore refused. Otherwise it would take effect at the next restart only.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._errors import ModelError
from .._model.checks import ANY
from .._model.identity import Identity
from .._model.keys import Key, PskPeer
from .options.table import YES
from .shared_secrets import SharedSecret, shared_secret
from .strongswan.section import Section, Value, split_list
from .strongswan.strict import parse

_SECTIONS = ("connections", "secrets")
# The keys whose values swanctl splits into lists (load_conns.c).
_LISTS = frozenset(
    {
        "local_addrs",
        "remote_addrs",
        "proposals",
        "esp_proposals",
        "ah_proposals",
        "local_ts",
        "remote_ts",
        "vips",
        "pools",
        "groups",
        "cert_policy",
    }
)


def loadable(text: str) -> tuple[dict[str, Section], tuple[SharedSecret, ...]]:
    """Return the connections by name, and the secrets, as vici accepts them.

    Raises SyntaxFault for a text that can't be parsed, ModelError for one that can't be loaded.
    """
    body = parse(text, unique=True)
    for name in body:
        if name not in _SECTIONS:
            fix = f"Use the sections {' and '.join(_SECTIONS)} only."
            raise _refused(name, "is not a section that this collection can load", fix)
    connections = _sections("connections", body)
    for name, section in connections.items():
        _sections("children", section, f"connections.{name}.")
    secrets = _sections("secrets", body)
    return (
        {name: _for_vici(section) for name, section in connections.items()},
        tuple(shared_secret(name, section) for name, section in secrets.items()),
    )


def psk_keys(network: str, text: str) -> tuple[Key, ...]:
    """Return the pre-shared keys of a conf text, once for each peer in it that they are for.

    Raises the errors of ``loadable``.
    """
    connections, secrets = loadable(text)
    peers = [
        peer for name, section in connections.items() for peer in _psk_peers(network, name, section)
    ]
    keys: list[Key] = []
    for shared in secrets:
        if shared.kind == "IKE":
            subject = f"secret {shared.id} in swanctl_conf of network {network}"
            owners = tuple(map(Identity.parse, shared.owners))
            key = Key(subject, f"the ids of {subject}", shared.secret, owners)
            keys += [replace(key, peer=peer) for peer in peers if key.is_for(peer)] or [key]
    return tuple(keys)


def ppks(text: str) -> tuple[SharedSecret, ...]:
    """Return the PPKs of a conf text. Raises the errors of ``loadable``."""
    return tuple(shared for shared in loadable(text)[1] if shared.kind == "PPK")


def _psk_peers(network: str, name: str, section: Section) -> t.Iterator[PskPeer]:
    """Yield the peers that a connection accepts with a pre-shared key.

    A connection without a section `remote` accepts any peer.
    """
    subject = f"connection {name} in swanctl_conf of network {network}"
    version = str(section.get("version", ""))
    versions = {number for number in (1, 2) if str(number) in version} or {1, 2}
    ours = next(iter(ends(section, "local")), {})
    for theirs in ends(section, "remote") or [{}]:
        if str(theirs.get("auth", "psk")).lower() == "psk":
            yield PskPeer(
                subject,
                f"the remote id of {subject}",
                f"the local id of {subject}",
                Identity.parse(str(theirs.get("id", ANY))),
                Identity.parse(str(ours.get("id", ANY))),
                frozenset(versions),
                _addresses(section, "local_addrs"),
                _addresses(section, "remote_addrs"),
                str(section.get("aggressive", "no")).lower() in YES,
            )


def ends(section: Section, side: str) -> list[Section]:
    """Return the rounds of authentication of one end of a connection, ``local`` or ``remote``."""
    return [
        item
        for key, item in section.items()
        if key.lower().startswith(side) and isinstance(item, t.Mapping)
    ]


def _addresses(section: Section, key: str) -> tuple[Identity, ...]:
    return tuple(Identity.parse(str(item)) for item in section.get(key, ())) or (
        Identity.parse(ANY),
    )


def _refused(value: str, problem: str, fix: str) -> ModelError:
    return ModelError("swanctl_conf", value, problem, fix)


def _sections(name: str, section: Section, path: str = "") -> t.Mapping[str, Section]:
    """Return the sections within the section ``name``. Raises ModelError for a value in it."""
    found = section.get(name, {})
    if isinstance(found, t.Mapping):
        wrong = [key for key, item in found.items() if not isinstance(item, t.Mapping)]
        if not wrong:
            return t.cast(t.Mapping[str, Section], found)
        name = f"{name}.{wrong[0]}"
    fix = "Write a section: name { ... }."
    raise _refused(f"{path}{name}", "is a value where a section is expected", fix)


def _for_vici(section: Section) -> Section:
    message: dict[str, Value] = {}
    for key, value in section.items():
        if isinstance(value, t.Mapping):
            message[key] = _for_vici(value)
        elif key in _LISTS and isinstance(value, str):
            message[key] = split_list(value)
        else:
            message[key] = value
    return message
