# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The SAs of a tunnel, held against its configuration: what they lack, and what is not as it is.

What list-sas shows is compared. What it does not show is known where it was noted when the
configuration changed, see ``in_force.py``.
"""

from __future__ import annotations

import functools
import ipaddress
import re
import typing as t
from dataclasses import dataclass

from .._model.algorithms import DH, ENCRYPTIONS, HASHES
from .._model.checks import ANY
from .._model.identity import Identity
from .._render.strongswan.section import Section
from .in_force import InForce, Plain, child_part, ike_part, values
from .selectors import DYNAMIC, Pair, Selectors, exact, missing

# An entry of the event list-sa, or of its child-sas.
Sa = t.Mapping[str, t.Any]

_IKE_UP = ("ESTABLISHED", "REKEYING")
_CHILD_UP = ("INSTALLED", "UPDATING", "REKEYING")


@dataclass(frozen=True)
class Deviation:
    """``key`` is an option of strongSwan, such as ``local.id``."""

    key: str
    in_force: str
    configured: str

    def to_result(self) -> dict[str, str]:
        return {"key": self.key, "in_force": self.in_force, "configured": self.configured}


# Where no more is known than that.
_ANOTHER = Deviation("configuration", "another one", "the present one")


@dataclass(frozen=True)
class Standing:
    """``carried`` are the selectors of each SA, ``missing`` the configured pairs that none has.

    ``noted``: a deviation is known from a note, so that the values are old ones for certain.
    """

    carried: tuple[Selectors, ...]
    missing: tuple[Pair, ...] = ()
    deviations: tuple[Deviation, ...] = ()
    noted: bool = False


def child_standing(
    section: Section, name: str, sas: t.Iterable[Sa], noted: InForce
) -> Standing | None:
    """Of one child of a connection; None where no SA of it is up."""
    child = _child(section, name)
    found = [(ike, sa) for ike in sas for sa in _children(ike) if sa["name"] == name]
    if child is None or not found:
        return None
    told = [item for ike, sa in found for item in _noted_of_child(child, sa, noted)]
    ikes = {ike["uniqueid"]: ike for ike, _sa in found}.values()
    told += [item for ike in ikes for item in _noted_of_ike(section, ike, noted)]
    seen = [item for ike, sa in found for item in _seen_of_child(section, child, sa)]
    seen += [item for ike in ikes for item in _seen_of_ike(section, ike)]
    carried = tuple(dict.fromkeys(_selectors(sa) for _ike, sa in found))
    return Standing(
        carried,
        missing_pairs(section, name, carried),
        _distinct(told, seen),
        bool(told),
    )


def ike_deviations(section: Section, sas: t.Iterable[Sa], noted: InForce) -> tuple[Deviation, ...]:
    """Of the IKE SAs of a connection that carry something, or that are up where none is to."""
    bare = not section.get("children")
    up = [ike for ike in sas if ike["state"] in _IKE_UP and (bare or next(_children(ike), None))]
    return _distinct(
        [item for ike in up for item in _noted_of_ike(section, ike, noted)],
        [item for ike in up for item in _seen_of_ike(section, ike)],
    )


def wanted_selectors(child: Section) -> Selectors:
    """The selectors that a child is to have; in transport mode those of the gateways."""
    sides = [_texts(child.get(key, ())) for key in ("local_ts", "remote_ts")]
    if str(child.get("mode", "tunnel")).lower() == "transport":
        sides = [[_ADDRESSES.sub(DYNAMIC, text) for text in side] for side in sides]
    return Selectors.of(*sides)


_ADDRESSES = re.compile(r"^[^\[]+")


def missing_pairs(section: Section, name: str, carried: t.Sequence[Selectors]) -> tuple[Pair, ...]:
    """What SAs with these selectors lack of a child of a connection.

    Where any peer may come, each brings a part of the networks.
    """
    child = _child(section, name)
    if child is None:
        return ()
    anybody = ANY in _texts(section.get("remote_addrs", (ANY,)))
    return missing(wanted_selectors(child), carried, loosely=anybody)


def _child(section: Section, name: str) -> Section | None:
    return t.cast(t.Mapping[str, Section], section.get("children", {})).get(name)


def _children(ike: Sa) -> t.Iterator[Sa]:
    for sa in ike.get("child-sas", {}).values():
        if sa["state"] in _CHILD_UP:
            yield sa


def _selectors(sa: Sa) -> Selectors:
    return Selectors.of(sa.get("local-ts", ()), sa.get("remote-ts", ()))


def _distinct(told: t.Iterable[Deviation], seen: t.Iterable[Deviation]) -> tuple[Deviation, ...]:
    """One of each key; what is known from a note comes first."""
    found = {item.key: item for item in told}
    for item in seen:
        found.setdefault(item.key, item)
    if len(found) > 1:
        found.pop(_ANOTHER.key, None)
    return tuple(found.values())


def _noted_of_ike(section: Section, ike: Sa, noted: InForce) -> t.Iterator[Deviation]:
    made = noted.ikes.get(ike["uniqueid"])
    return _differing(made, ike_part(section)) if made is not None else iter(())


def _noted_of_child(child: Section, sa: Sa, noted: InForce) -> t.Iterator[Deviation]:
    name, made = noted.children.get(sa["uniqueid"], ("", None))
    if made is None or not name:
        return iter(())
    return _differing(values(made), values(child_part(child)))


def _differing(made: Plain, wanted: Plain, path: str = "") -> t.Iterator[Deviation]:
    if not made and not path:
        # It was loaded by somebody else, or noted by an earlier version.
        yield _ANOTHER
        return
    for key in sorted({*made, *wanted}):
        before, after = made.get(key), wanted.get(key)
        if isinstance(before, t.Mapping) and isinstance(after, t.Mapping):
            yield from _differing(before, after, f"{path}{key}.")
        elif before != after:
            yield Deviation(f"{path}{key}", _shown(before), _shown(after))


def _shown(value: t.Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    if isinstance(value, t.Mapping):
        return ", ".join(f"{key} {_shown(item)}" for key, item in value.items())
    return "" if value is None else str(value)


def _seen_of_ike(section: Section, ike: Sa) -> t.Iterator[Deviation]:
    version = str(section.get("version", "0"))
    if version != "0" and ike["version"] != version:
        yield Deviation("version", ike["version"], version)
    if section.get("mobike") == "no":
        # Else the SA may have moved.
        yield from _other_address("local_addrs", section, ike.get("local-host"))
        yield from _other_address("remote_addrs", section, ike.get("remote-host"))
    yield from _other_identity("local", section, ike.get("local-id"))
    yield from _other_identity("remote", section, ike.get("remote-id"))
    yield from _other_algorithms("proposals", section, ike)


def _seen_of_child(section: Section, child: Section, sa: Sa) -> t.Iterator[Deviation]:
    mode, seen = str(child.get("mode", "tunnel")).lower(), sa.get("mode", "").lower()
    if seen and seen != mode:
        yield Deviation("mode", seen, mode)
    elif mode == "tunnel":
        yield from _more_than_configured(child, sa)
    protocol = sa.get("protocol", "").lower()
    other = {"esp": "ah", "ah": "esp"}.get(protocol, "")
    if child.get(f"{other}_proposals") and not child.get(f"{protocol}_proposals"):
        yield Deviation("protocol", protocol, other)
    else:
        yield from _other_algorithms(f"{protocol}_proposals", child, sa)
    if section.get("encap") == "yes" and sa.get("encap") != "yes":
        yield Deviation("encap", "no", "yes")
    if child.get("ipcomp") == "no" and "cpi-in" in sa:
        yield Deviation("ipcomp", "yes", "no")


def _more_than_configured(child: Section, sa: Sa) -> t.Iterator[Deviation]:
    """A peer makes the selectors of an SA narrower, never wider."""
    for key, seen in (("local_ts", "local-ts"), ("remote_ts", "remote-ts")):
        there, wanted = _texts(sa.get(seen, ())), _texts(child.get(key, ())) or [DYNAMIC]
        if {*there} <= {*wanted}:
            continue
        known = [text for text in there if exact(text)]
        if known and missing(Selectors.of(known, ()), [Selectors.of(wanted, ())]):
            yield Deviation(key, ", ".join(there), ", ".join(wanted))


def _other_address(key: str, section: Section, seen: str | None) -> t.Iterator[Deviation]:
    configured = _texts(section.get(key, (ANY,)))
    if seen in configured:
        return
    try:
        known = {ipaddress.ip_address(item) for item in configured}
        if seen and ipaddress.ip_address(seen) not in known:
            yield Deviation(key, seen, ", ".join(configured))
    except ValueError:
        # A name, a network, or any address.
        return


def _other_identity(end: str, section: Section, seen: str | None) -> t.Iterator[Deviation]:
    options = section.get(end, {})
    configured = str(options.get("id", "")) if isinstance(options, t.Mapping) else ""
    if seen == configured:
        return
    wanted = Identity.parse(configured)
    # What charon shows of the other kinds is written in another way.
    shown = wanted.kind in ("address", "fqdn", "email") and not wanted.is_wildcard
    if seen and shown and not Identity.parse(seen).satisfies(wanted):
        yield Deviation(f"{end}.id", seen, configured)


def _other_algorithms(key: str, section: Section, sa: Sa) -> t.Iterator[Deviation]:
    """Algorithms in use that are in no proposal."""
    configured = tuple(_texts(section.get(key, ())))
    used = _keywords(sa)
    if used and not _proposed(tuple(used), configured):
        yield Deviation(key, "-".join(used), ", ".join(configured))


@functools.lru_cache(maxsize=1024)
def _proposed(used: tuple[str, ...], configured: tuple[str, ...]) -> bool:
    """Whether algorithms are in one of the proposals, or whether these can't be read here."""
    proposals = [{*item.split("-")} for item in configured]
    readable = bool(proposals) and all(item <= _KEYWORDS for item in proposals)
    return not readable or any(_used(used, item) for item in proposals)


def _used(keywords: t.Sequence[str], proposal: t.AbstractSet[str]) -> bool:
    """Whether they are those of a proposal, of which a PRF that is not named follows the hash."""
    named = any(word.startswith("prf") for word in proposal)
    return all(word in proposal or (word.startswith("prf") and not named) for word in keywords)


def _keywords(sa: Sa) -> list[str]:
    """The algorithms of an SA; none where one of them is not known here."""
    size = sa.get("encr-keysize", "")
    encryption = f"{sa.get('encr-alg', '')} {size}"
    found = [
        _ENCRYPTION.get(encryption, _ENCRYPTION.get(f"{sa.get('encr-alg', '')} ", "")),
        *(_OTHERS.get(sa[key], "") for key in ("integ-alg", "prf-alg", "dh-group") if key in sa),
    ]
    words = found if "encr-alg" in sa else found[1:]
    return words if all(words) else []


_ENCRYPTION = {
    f"{item.charon} {size}": item.keyword.format(size)
    for item in ENCRYPTIONS.values()
    for size in (*item.key_lengths, *([""] if "{" not in item.keyword else []))
}
_OTHERS = {
    **{item.integrity: item.name for item in HASHES.values()},
    **{item.prf: f"prf{item.name}" for item in HASHES.values()},
    **{item.charon: item.keyword for item in DH.values()},
}
_KEYWORDS = frozenset({*_ENCRYPTION.values(), *_OTHERS.values()})


def _texts(value: t.Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(item) for item in value]
