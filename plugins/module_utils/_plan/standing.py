# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Compare the SAs of a tunnel with its configuration: missing networks and deviating options.

Options that list-sas shows are compared. Other options are known only when they were noted at a
change of the configuration, see ``in_force.py``.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass

from .._model.checks import ANY
from .._model.identity import Identity
from .._render.strongswan.section import Section
from .children import children, mode, selector_texts, texts
from .in_force import InForce, Plain, child_part, ike_part, values
from .selectors import DYNAMIC, Pair, Selectors, exact, missing
from .used_algorithms import keywords, proposed

# An entry of the vici event list-sa, or of its child-sas.
Sa = t.Mapping[str, t.Any]

IKE_UP = ("ESTABLISHED", "REKEYING")
CHILD_UP = ("INSTALLED", "UPDATING", "REKEYING")


@dataclass(frozen=True)
class Deviation:
    """A strongSwan option (``local.id``) with another value in the SA than configured."""

    key: str
    in_force: str
    configured: str

    def to_result(self) -> dict[str, str]:
        return {"key": self.key, "in_force": self.in_force, "configured": self.configured}


# The deviation of an SA whose values are not known.
_UNKNOWN = Deviation("configuration", "unknown older values", "present values")


@dataclass(frozen=True)
class Standing:
    """The state of the SAs of one child.

    ``carried`` are the selectors of each SA. ``missing`` are the configured pairs that no SA has.
    ``noted`` says that a deviation is known from a note, so that the values certainly are old.
    """

    carried: tuple[Selectors, ...]
    missing: tuple[Pair, ...] = ()
    deviations: tuple[Deviation, ...] = ()
    noted: bool = False


def child_standing(
    section: Section, name: str, sas: t.Iterable[Sa], noted: InForce
) -> Standing | None:
    """Return the standing of one child of a connection; None when no SA of it is up."""
    child = _child(section, name)
    pairs = [(ike, sa) for ike in sas for sa in _children(ike) if sa["name"] == name]
    if child is None or not pairs:
        return None
    ikes = {ike["uniqueid"]: ike for ike, _sa in pairs}.values()
    from_notes = [item for _ike, sa in pairs for item in _noted_of_child(child, sa, noted)]
    from_notes += [item for ike in ikes for item in _noted_of_ike(section, ike, noted)]
    seen = [item for _ike, sa in pairs for item in _seen_of_child(section, child, sa)]
    seen += [item for ike in ikes for item in _seen_of_ike(section, ike)]
    carried = tuple(dict.fromkeys(_selectors(sa) for _ike, sa in pairs))
    return Standing(
        carried,
        missing_pairs(section, name, carried),
        _distinct(from_notes, seen),
        bool(from_notes),
    )


def ike_deviations(section: Section, sas: t.Iterable[Sa], noted: InForce) -> tuple[Deviation, ...]:
    """Return the deviations of the IKE SAs that have a Child SA, or of all without children."""
    childless = not section.get("children")
    up = [
        ike for ike in sas if ike["state"] in IKE_UP and (childless or next(_children(ike), None))
    ]
    return _distinct(
        [item for ike in up for item in _noted_of_ike(section, ike, noted)],
        [item for ike in up for item in _seen_of_ike(section, ike)],
    )


def wanted_selectors(child: Section) -> Selectors:
    """Return the selectors of a child; in transport mode with the addresses of the gateways."""
    sides = [selector_texts(child, side) for side in ("local", "remote")]
    if mode(child) == "transport":
        sides = [tuple(_ADDRESSES.sub(DYNAMIC, text) for text in side) for side in sides]
    return Selectors.of(*sides)


_ADDRESSES = re.compile(r"^[^\[]+")


def missing_pairs(section: Section, name: str, carried: t.Sequence[Selectors]) -> tuple[Pair, ...]:
    """Return the pairs of a child of a connection that SAs with these selectors do not carry.

    When any peer is accepted, each peer has a part of the networks.
    """
    child = _child(section, name)
    if child is None:
        return ()
    any_peer = ANY in texts(section.get("remote_addrs", (ANY,)))
    return missing(wanted_selectors(child), carried, loosely=any_peer)


def _child(section: Section, name: str) -> Section | None:
    return children(section).get(name)


def _children(ike: Sa) -> t.Iterator[Sa]:
    for sa in ike.get("child-sas", {}).values():
        if sa["state"] in CHILD_UP:
            yield sa


def _selectors(sa: Sa) -> Selectors:
    return Selectors.of(sa.get("local-ts", ()), sa.get("remote-ts", ()))


def _distinct(noted: t.Iterable[Deviation], seen: t.Iterable[Deviation]) -> tuple[Deviation, ...]:
    """Return one deviation of each key. A note counts more than the values in list-sas."""
    by_key = {item.key: item for item in noted}
    for item in seen:
        by_key.setdefault(item.key, item)
    if len(by_key) > 1:
        by_key.pop(_UNKNOWN.key, None)
    return tuple(by_key.values())


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
        # Another administrator loaded it, or an earlier version noted it.
        yield _UNKNOWN
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
        # With MOBIKE, the SA may have moved to another address.
        yield from _other_address("local_addrs", section, ike.get("local-host"))
        yield from _other_address("remote_addrs", section, ike.get("remote-host"))
    yield from _other_identity("local", section, ike.get("local-id"))
    yield from _other_identity("remote", section, ike.get("remote-id"))
    yield from _other_algorithms("proposals", section, ike)
    if section.get("ppk_required") == "yes" and ike.get("ppk") != "yes":
        # Without ppk_required, an SA without a PPK is as configured.
        yield Deviation("ppk", "no", "yes")


def _seen_of_child(section: Section, child: Section, sa: Sa) -> t.Iterator[Deviation]:
    configured, seen = mode(child), sa.get("mode", "").lower()
    if seen and seen != configured:
        yield Deviation("mode", seen, configured)
    elif configured == "tunnel":
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
    """Yield selectors of an SA that are not configured. A peer never widens selectors."""
    for side in ("local", "remote"):
        seen, wanted = texts(sa.get(f"{side}-ts", ())), selector_texts(child, side) or (DYNAMIC,)
        if {*seen} <= {*wanted}:
            continue
        readable = [text for text in seen if exact(text)]
        if readable and missing(Selectors.of(readable, ()), [Selectors.of(wanted, ())]):
            yield Deviation(f"{side}_ts", ", ".join(seen), ", ".join(wanted))


def _other_address(key: str, section: Section, seen: str | None) -> t.Iterator[Deviation]:
    configured = texts(section.get(key, (ANY,)))
    if seen in configured:
        return
    try:
        addresses = {ipaddress.ip_address(item) for item in configured}
        if seen and ipaddress.ip_address(seen) not in addresses:
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
    # charon shows the other kinds of identities in another form.
    shown = wanted.kind in ("address", "fqdn", "email") and not wanted.is_wildcard
    if seen and shown and not Identity.parse(seen).satisfies(wanted):
        yield Deviation(f"{end}.id", seen, configured)


def _other_algorithms(key: str, section: Section, sa: Sa) -> t.Iterator[Deviation]:
    """Yield the algorithms of an SA when no proposal has them."""
    configured = texts(section.get(key, ()))
    used = keywords(sa)
    if used and not proposed(tuple(used), configured):
        yield Deviation(key, "-".join(used), ", ".join(configured))
