# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""What SAs that are up were made of, where the configuration has changed since.

charon does not show most of what an SA was made of. An SA keeps it for its whole life. Its
successors keep it too: by a rekeying, by a re-authentication, and by a restart after a dead peer
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

# What a child does when it is loaded.
_ACTIONS = ("start_action", "close_action")


@dataclass(frozen=True)
class InForce:
    """What each SA was made of, by its unique id, as ``ike_part`` and ``child_part`` have it.

    An empty section stands for values that are not known.
    """

    ikes: t.Mapping[str, Plain] = field(default_factory=dict)
    # Name and section of the child.
    children: t.Mapping[str, tuple[str, Plain]] = field(default_factory=dict)
    # By unique id of the IKE SA, the digest of the pre-shared key that it was authenticated with.
    keys: t.Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.ikes or self.children or self.keys)

    def unlike(self, section: Section) -> InForce:
        """Those alone whose section differs from what is configured."""
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
        """Those alone of SAs with these unique ids."""
        return InForce(
            {key: made for key, made in self.ikes.items() if key in ikes},
            {key: made for key, made in self.children.items() if key in children},
            {key: digest for key, digest in self.keys.items() if key in ikes},
        )

    def beside(
        self, section: Section, ikes: t.Iterable[str], names: t.Mapping[str, str]
    ) -> InForce:
        """With all SAs that there are. Those that are not noted were made of ``section``.

        ``names`` are those of the Child SAs by unique id.
        """
        left = self.among(frozenset(ikes), names)
        children = t.cast(t.Mapping[str, Section], section.get("children", {}))
        made = {
            key: (name, child_part(children[name]))
            for key, name in names.items()
            if name in children
        }
        return InForce(
            {**dict.fromkeys(ikes, ike_part(section)), **left.ikes},
            {**made, **left.children},
            left.keys,
        )

    def followed(self, connection: str, log: t.Iterable[tuple[str, str]]) -> InForce:
        """With the successors of the SAs.

        ``log`` are lines about the connection, oldest first: the unique id of the IKE SA that each
        is about, and its text.
        """
        lines = tuple(log)
        successors = [
            (ike, match)
            for ike, text in lines
            for match in [_SUCCESSOR.match(text)]
            if match and match["name"] == connection
        ]
        # Without a rekeying, the peers have authenticated again.
        rekeyed = [(ike, match) for ike, match in successors if not match["initiating"]]
        return InForce(
            _handed_down(self.ikes, successors),
            {**self.children, **dict(self._child_successors(lines))},
            _handed_down(self.keys, rekeyed),
        )

    def _child_successors(
        self, lines: t.Iterable[tuple[str, str]]
    ) -> t.Iterator[tuple[str, tuple[str, Plain]]]:
        told = {match["id"] for _ike, text in lines for match in [_CHILD.match(text)] if match}
        alive = {name: made for key, (name, made) in self.children.items() if key not in told}
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
                # One that was negotiated with the values of its time.
                alive.pop(name, None)
            restarted.discard(name)


NOTHING = InForce()


def _handed_down(
    made: t.Mapping[str, _Made], successors: t.Iterable[tuple[str, t.Match[str]]]
) -> dict[str, _Made]:
    found = dict(made)
    for old, match in successors:
        if old in found:
            found.setdefault(match["id"], found[old])
    return found


# Of an IKE SA that is replaced, about the one that replaces it.
_SUCCESSOR = re.compile(
    r"(?P<initiating>initiating (?:\w+ Mode )?)?IKE_SA (?P<name>\S+?)\[(?P<id>\d+)\] "
    r"(?:to|rekeyed between) "
)
# charon tells of both directions of a Child SA that was rekeyed, one by one.
_CHILD = re.compile(
    r"(?P<rekeyed>inbound )?CHILD_SA (?P<name>\S+?)\{(?P<id>\d+)\} established with SPIs "
)
_RESTART = re.compile(r"restarting CHILD_SA (?P<name>\S+?)")


def key_digest(secret: bytes, salt: str) -> str:
    """A digest that tells whether a pre-shared key is the same, with its salt before it."""
    digest = hashlib.pbkdf2_hmac("sha256", secret, salt.encode(), _ROUNDS).hex()
    return f"{salt}${digest}"


def is_key(digest: str, secret: bytes) -> bool:
    return key_digest(secret, digest.partition("$")[0]) == digest


_ROUNDS = 100_000


def differing(old: Plain, new: Plain, path: str = "") -> t.Iterator[str]:
    """The strongSwan options in which two sections differ: ``version``, ``local.id``."""
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        if isinstance(before, t.Mapping) and isinstance(after, t.Mapping):
            yield from differing(before, after, f"{path}{key}.")
        elif before != after:
            yield f"{path}{key}"


def ike_part(section: Section) -> Plain:
    """A connection without its children, as JSON can hold it, its identities in one spelling."""
    part = {key: section[key] for key in section if key != "children"}
    for end in ("local", "remote"):
        options = part.get(end)
        if isinstance(options, t.Mapping) and isinstance(options.get("id"), str):
            part[end] = {**options, "id": _spelled(t.cast(str, options["id"]))}
    return t.cast(Plain, _plain(part))


def _spelled(text: str) -> str:
    """The identity in the form in which all spellings of it are the same, where there is one."""
    identity = Identity.parse(text)
    again = Identity.parse(identity.exact)
    return identity.exact if (again.kind, again.exact) == (identity.kind, identity.exact) else text


def child_part(child: Section) -> Plain:
    """A child, as JSON can hold it."""
    return t.cast(Plain, _plain(child))


def values(part: Plain) -> Plain:
    """A part without the actions of a child, which are no property of its SA."""
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
