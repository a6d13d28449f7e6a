# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The Child SA configuration, Phase 2 to operators (RFC 7296 section 1.3.1)."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace
from functools import cached_property

from .._errors import ModelError
from . import addresses, checks, lifetime
from .options import Convert, Options, field_values, for_change, list_of, option_values, plain
from .proposal import DEFAULT_AH, DEFAULT_ESP, Proposal, Use, check_proposal
from .selector import ANY_SERVICE, TrafficSelector, check_disjoint
from .subject import phase2_subject

MODES = ("tunnel", "transport")
PROTOCOLS = ("esp", "ah")
STATES = ("present", "disabled")


@dataclass(frozen=True)
class ChildSa:
    """The options of one ``ipsec_phase2``, checked as far as possible without its phase 1."""

    name: str
    phase1: str
    network: str
    description: str = ""
    mode: str = "tunnel"
    local_network: tuple[TrafficSelector, ...] = ()
    remote_network: tuple[TrafficSelector, ...] = ()
    protocol: str = "esp"
    lifetime: int = 1
    lifetime_unit: str = "hours"
    encryption: tuple[Proposal, ...] = ()
    state: str = "present"

    @classmethod
    def from_options(cls, options: Options, versions: frozenset[int]) -> ChildSa:
        """Return a phase 2. ``versions`` are the IKE versions of its phase 1. Raises ModelError."""
        return cls._made(options, _CONVERT, versions)

    @classmethod
    def from_record(cls, options: Options, versions: frozenset[int]) -> ChildSa:
        """Return the object of a record. A record may hold values that are refused now."""
        return cls._made(options, _RECORDED, versions)

    @classmethod
    def _made(
        cls, options: Options, table: t.Mapping[str, Convert], versions: frozenset[int]
    ) -> ChildSa:
        name = checks.phase_name("name", options.get("name"))
        phase1 = checks.phase_name("phase1", options.get("phase1"))
        try:
            use = Use.AH if options.get("protocol") == "ah" else Use.ESP
            convert = {**table, "encryption": proposals(use, versions)}
            child = cls(**field_values(cls, options, convert))
            if not child.encryption:
                default = DEFAULT_AH if use is Use.AH else DEFAULT_ESP
                child = replace(child, encryption=default)
            _check_lifetime(child)
            _check_selectors(child, versions)
            return child
        except ModelError as error:
            raise error.within(phase2_subject(name, phase1)) from None

    def changed(self, options: Options, versions: frozenset[int]) -> ChildSa:
        """Return the phase 2 with these options, and every other as it is. Raises ModelError."""
        made = {**self.to_options(), **options}
        return self._made(made, for_change(_CONVERT, _RECORDED, options), versions)

    def to_options(self) -> dict[str, t.Any]:
        return {**self._plain}

    @cached_property
    def _plain(self) -> dict[str, t.Any]:
        return option_values(self)

    def check_versions(self, versions: frozenset[int]) -> None:
        """Raise ModelError if these IKE versions cannot negotiate it."""
        _check_selectors(self, versions)
        for index, proposal in enumerate(self.encryption):
            try:
                check_proposal(proposal, self.use, versions)
            except ModelError as error:
                raise error.at(f"encryption[{index}]") from None

    @property
    def subject(self) -> str:
        """Return how errors and warnings name the phase 2."""
        return phase2_subject(self.name, self.phase1)

    @property
    def use(self) -> Use:
        return Use.AH if self.protocol == "ah" else Use.ESP

    @property
    def enabled(self) -> bool:
        return self.state == "present"

    @property
    def lifetime_seconds(self) -> int:
        """Return the lifetime in seconds; 0 for an unlimited lifetime."""
        if self.lifetime_unit == lifetime.FOREVER:
            return 0
        return lifetime.in_seconds("lifetime", self.lifetime, self.lifetime_unit)

    @property
    def whole(self) -> bool:
        """Return whether the selectors match all traffic of their networks."""
        return _have_no_service((*self.local_network, *self.remote_network))

    @property
    def selector_pairs(self) -> tuple[tuple[TrafficSelector, TrafficSelector], ...]:
        """Return each (local, remote) pair of one IP version and protocol that it carries."""
        return tuple(
            (local, remote)
            for local in self.local_network
            for remote in self.remote_network
            if local.fits(remote)
        )


def _have_no_service(selectors: tuple[TrafficSelector, ...]) -> bool:
    return all(selector.service == ANY_SERVICE for selector in selectors)


def proposals(use: Use, versions: frozenset[int]) -> t.Callable[[str, t.Any], tuple[Proposal, ...]]:
    """Return a converter of the ``encryption`` option, a list of suboptions."""

    def convert(option: str, value: t.Any) -> tuple[Proposal, ...]:
        if not value:
            fix = f"Give at least one entry, or remove {option} to use the default."
            raise ModelError(option, value, "is empty", fix)
        built: list[Proposal] = []
        for index, item in enumerate(value):
            place = f"{option}[{index}]"
            try:
                proposal = Proposal.build(item, use, versions)
            except ModelError as error:
                raise error.at(place) from None
            if proposal in built:
                problem = "is the same combination as an earlier entry"
                raise ModelError(place, proposal.keyword(), problem, "Remove one of the two.")
            built.append(proposal)
        return tuple(built)

    return convert


def _check_lifetime(child: ChildSa) -> None:
    if child.lifetime_unit != lifetime.FOREVER:
        lifetime.lifetime_seconds("lifetime", child.lifetime, child.lifetime_unit)


def _check_selectors(child: ChildSa, versions: frozenset[int]) -> None:
    for option in ("local_network", "remote_network"):
        networks = getattr(child, option)
        if child.mode == "transport":
            _check_transport(option, networks)
        elif not networks:
            fix = "Give a list of networks, such as ['10.1.0.0/24']."
            raise ModelError(option, [], "is missing for mode tunnel", fix)
        if 1 in versions and len(networks) > 1:
            raise ModelError(
                option,
                plain(networks),
                "holds several networks, of which IKEv1 negotiates only the first",
                "Define one phase 2 for each network, or set key_exchange of the phase 1 to ikev2.",
            )
        _check_disjoint(option, networks)
    if child.local_network and child.remote_network and not child.selector_pairs:
        raise ModelError(
            "remote_network",
            plain(child.remote_network),
            "shares no IP version, or no protocol, with local_network",
            "Give both options networks of one IP version and protocol.",
        )


def _check_transport(option: str, selectors: tuple[TrafficSelector, ...]) -> None:
    # RFC 7296 section 2.23.1 and charon: in transport mode the selectors are the two peers.
    networks = [selector.network for selector in selectors]
    if any(network.prefixlen != network.max_prefixlen for network in networks):
        raise ModelError(
            option,
            plain(selectors),
            "cannot be used in mode transport, which protects traffic of the two gateways only",
            f"Give host addresses (/32 or /128), set mode to tunnel, or remove {option}.",
        )


def _check_disjoint(option: str, selectors: tuple[TrafficSelector, ...]) -> None:
    """Raise ModelError naming two selectors that overlap."""
    if _have_no_service(selectors):
        check_disjoint(option, tuple(selector.network for selector in selectors))
        return
    for index, first in enumerate(selectors):
        for second in selectors[index + 1 :]:
            if first.overlaps(second):
                raise ModelError(
                    option,
                    plain(selectors),
                    f"names {first} and {second}, which overlap",
                    "Remove one of the two, or give them different networks, protocols or ports.",
                )


def _of_hosts(option: str, value: object) -> TrafficSelector:
    """Return a selector for hosts that other hosts can reach."""
    selector = TrafficSelector.parse(option, value)
    addresses.check_network(option, selector.network)
    return selector


_CONVERT: dict[str, Convert] = {
    "phase1": checks.phase_name,
    "network": checks.network_name,
    "description": checks.description,
    "mode": checks.choice(MODES),
    "local_network": list_of(_of_hosts),
    "remote_network": list_of(_of_hosts),
    "protocol": checks.choice(PROTOCOLS),
    "lifetime_unit": checks.choice((*lifetime.UNITS, lifetime.FOREVER)),
    "state": checks.choice(STATES),
}
# Values that an earlier version accepted stay readable.
_RECORDED: dict[str, Convert] = {
    **_CONVERT,
    "local_network": list_of(TrafficSelector.parse),
    "remote_network": list_of(TrafficSelector.parse),
}
