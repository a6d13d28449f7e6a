# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Keep the values of SAs that are up after their configuration changed.

charon does not show most values of an SA. An SA keeps its values for its whole life. Its successors
keep them too: after a rekey, after a re-authentication, and after a restart because of a dead peer
(measured with strongSwan 5.9.8 and 6.0.1).
"""

from __future__ import annotations

import hashlib
import re
import typing as t
from dataclasses import dataclass, field, replace

from .._model.identity import Identity
from .._render.strongswan.section import Section

Plain = t.Mapping[str, t.Any]
_Made = t.TypeVar("_Made")

# Options of a child that are no property of its SA.
_ACTIONS = ("start_action", "close_action")


@dataclass(frozen=True)
class InForce:
    """The values of each SA by its unique id, as ``ike_part`` and ``child_part`` return them.

    An empty section stands for unknown values.
    """

    ikes: t.Mapping[str, Plain] = field(default_factory=dict)
    # Name and values of the child.
    children: t.Mapping[str, tuple[str, Plain]] = field(default_factory=dict)
    # The digest of the pre-shared key, and of the PPK, by which the IKE SA authenticated.
    keys: t.Mapping[str, str] = field(default_factory=dict)
    ppks: t.Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.ikes or self.children or self.keys or self.ppks)

    def digests(self, kind: str) -> t.Mapping[str, str]:
        """Return the digests of the secrets of a kind, IKE or PPK, by the IKE SA."""
        return {"IKE": self.keys, "PPK": self.ppks}.get(kind, {})

    def with_digests(self, kind: str, digests: t.Mapping[str, str]) -> InForce:
        """Return the same with these digests of a kind. Another kind is not noted."""
        if kind == "PPK":
            return replace(self, ppks=digests)
        return replace(self, keys=digests) if kind == "IKE" else self

    def unlike(self, section: Section) -> InForce:
        """Return the SAs whose values differ from the configured values."""
        wanted = ike_part(section)
        children = t.cast(t.Mapping[str, Section], section.get("children", {}))
        return replace(
            self,
            ikes={key: made for key, made in self.ikes.items() if made != wanted},
            children={
                key: (name, made)
                for key, (name, made) in self.children.items()
                if name in children and made != child_part(children[name])
            },
        )

    def among(self, ikes: t.Container[str], children: t.Container[str]) -> InForce:
        """Return the SAs with these unique ids."""
        return InForce(
            {key: made for key, made in self.ikes.items() if key in ikes},
            {key: made for key, made in self.children.items() if key in children},
            {key: digest for key, digest in self.keys.items() if key in ikes},
            {key: digest for key, digest in self.ppks.items() if key in ikes},
        )

    def beside(
        self, section: Section, ikes: t.Iterable[str], names: t.Mapping[str, str]
    ) -> InForce:
        """Return the values of all SAs. An SA without a note has the values of ``section``.

        ``names`` are the names of the Child SAs by unique id.
        """
        noted = self.among(frozenset(ikes), names)
        children = t.cast(t.Mapping[str, Section], section.get("children", {}))
        made = {
            key: (name, child_part(children[name]))
            for key, name in names.items()
            if name in children
        }
        return InForce(
            {**dict.fromkeys(ikes, ike_part(section)), **noted.ikes},
            {**made, **noted.children},
            noted.keys,
            noted.ppks,
        )

    def followed(self, connection: str, log: t.Iterable[tuple[str, str]]) -> InForce:
        """Return the values of the SAs and of their successors.

        ``log`` are the lines about the connection, oldest first: the unique id of the IKE SA, and
        the text.
        """
        lines = tuple(log)
        matches = ((ike, _SUCCESSOR.match(text)) for ike, text in lines)
        successors = [
            (ike, match) for ike, match in matches if match and match["name"] == connection
        ]
        # A successor without a rekey has authenticated again, so that its key is not inherited.
        rekeyed = [(ike, match) for ike, match in successors if not match["initiating"]]
        return InForce(
            _with_successors(self.ikes, successors),
            {**self.children, **dict(self._child_successors(lines))},
            _with_successors(self.keys, rekeyed),
            _with_successors(self.ppks, rekeyed),
        )

    def _child_successors(
        self, lines: t.Iterable[tuple[str, str]]
    ) -> t.Iterator[tuple[str, tuple[str, Plain]]]:
        matches = (_CHILD.match(text) for _ike, text in lines)
        logged = {match["id"] for match in matches if match}
        alive = {name: made for key, (name, made) in self.children.items() if key not in logged}
        restarted: set[str] = set()
        for _ike, text in lines:
            restart = _RESTART.fullmatch(text)
            if restart:
                restarted.add(restart["name"])
            match = _CHILD.match(text)
            if match is None:
                continue
            name, key = match["name"], match["id"]
            if key in self.children:
                alive[name] = self.children[key][1]
            elif name in alive and (match["rekeyed"] or name in restarted):
                yield key, (name, alive[name])
            else:
                # This Child SA was negotiated with the values that were loaded at that time.
                alive.pop(name, None)
            restarted.discard(name)


NOTHING = InForce()


def _with_successors(
    made: t.Mapping[str, _Made], successors: t.Iterable[tuple[str, t.Match[str]]]
) -> dict[str, _Made]:
    inherited = dict(made)
    for old, match in successors:
        if old in inherited:
            inherited.setdefault(match["id"], inherited[old])
    return inherited


# A line about a replaced IKE SA, with the id of its successor.
_SUCCESSOR = re.compile(
    r"(?P<initiating>initiating (?:\w+ Mode )?)?IKE_SA (?P<name>\S+?)\[(?P<id>\d+)\] "
    r"(?:to|rekeyed between) "
)
# charon logs both directions of a rekeyed Child SA separately.
_CHILD = re.compile(
    r"(?P<rekeyed>inbound )?CHILD_SA (?P<name>\S+?)\{(?P<id>\d+)\} established with SPIs "
)
_RESTART = re.compile(r"restarting CHILD_SA (?P<name>\S+?)")


def key_digest(secret: bytes, salt: str) -> str:
    """Return a digest of a key, preceded by its salt."""
    digest = hashlib.pbkdf2_hmac("sha256", secret, salt.encode(), _ROUNDS).hex()
    return f"{salt}${digest}"


def is_key(digest: str, secret: bytes) -> bool:
    return key_digest(secret, digest.partition("$")[0]) == digest


_ROUNDS = 100_000


def differing(old: Plain, new: Plain, path: str = "") -> t.Iterator[str]:
    """Yield the strongSwan options in which two sections differ: ``version``, ``local.id``."""
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        if isinstance(before, t.Mapping) and isinstance(after, t.Mapping):
            yield from differing(before, after, f"{path}{key}.")
        elif before != after:
            yield f"{path}{key}"


def ike_part(section: Section) -> Plain:
    """Return a connection without its children, as JSON data, with normalised identities."""
    part = {key: section[key] for key in section if key != "children"}
    for end in ("local", "remote"):
        options = part.get(end)
        if isinstance(options, t.Mapping) and isinstance(options.get("id"), str):
            part[end] = {**options, "id": _spelled(t.cast(str, options["id"]))}
    return t.cast(Plain, _plain(part))


def _spelled(text: str) -> str:
    """Return the normal form of an identity, or its text when it has none."""
    identity = Identity.parse(text)
    again = Identity.parse(identity.exact)
    return identity.exact if (again.kind, again.exact) == (identity.kind, identity.exact) else text


def child_part(child: Section) -> Plain:
    """Return a child as JSON data."""
    return t.cast(Plain, _plain(child))


def values(part: Plain) -> Plain:
    """Return the values of a child without its actions, which are no property of its SA."""
    return {key: part[key] for key in part if key not in _ACTIONS}


def _plain(value: t.Any) -> t.Any:
    if isinstance(value, t.Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        # A certificate.
        return f"sha256:{hashlib.sha256(value).hexdigest()[:16]}"
    return value
