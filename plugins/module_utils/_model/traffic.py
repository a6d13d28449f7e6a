# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Which traffic a phase 2 of a host may be for: what can't be meant is refused."""

from __future__ import annotations

import typing as t

from .._errors import ModelError
from .checks import IPNetwork
from .child import ChildSa, overlapping
from .network import VpnNetwork
from .selector import TrafficSelector, contains
from .settings import IpsecSettings

# A network with a shorter prefix is so large that it stands for the internet.
_INTERNET = {4: 8, 6: 7}


def is_internet(network: IPNetwork) -> bool:
    """Whether a network is so large that it stands for the internet."""
    return network.prefixlen < _INTERNET[network.version]


def check_meaning(child: ChildSa) -> None:
    """Refuse selectors that no gateway of a site can be meant to have. Raises ModelError."""
    here: dict[IPNetwork, list[TrafficSelector]] = {}
    for local in child.local_network:
        here.setdefault(local.network, []).append(local)
    for remote in child.remote_network:
        if any(local.fits(remote) for local in here.get(remote.network, ())):
            raise ModelError(
                "remote_network",
                str(remote),
                "is in local_network too: packets to it stay on this side",
                "a local_network of other addresses, which a vpn_rule with action translate gives "
                "to the hosts of this side, one to one",
                _subject(child),
            )
    for local in filter(_takes_all, child.local_network):
        for remote in filter(_takes_all, child.remote_network):
            if local.version == remote.version:
                raise ModelError(
                    "local_network",
                    str(local),
                    f"to {remote} takes all packets of the gateway, those to the peer included",
                    "the networks of this side, such as 10.1.0.0/24",
                    _subject(child),
                )


def _takes_all(selector: TrafficSelector) -> bool:
    return is_internet(selector.network) and not selector.service.protocol


def check_own_network(
    network: VpnNetwork, settings: IpsecSettings, children: t.Iterable[ChildSa]
) -> None:
    """Refuse a remote network that takes the hosts of the network, or that no packet is sent to."""
    own = network.network_address
    if own is None:
        return
    for child in children:
        remotes = child.remote_network if child.mode == "tunnel" else ()
        for remote in remotes:
            why, legal = _fault(remote.network, own, excluded=settings.exclude_my_network)
            if why:
                about = f"{own} of network {network.name}"
                raise ModelError(
                    "remote_network", str(remote), why.format(about), legal, _subject(child)
                )


def _fault(remote: IPNetwork, own: IPNetwork, *, excluded: bool) -> tuple[str, str]:
    """What is wrong with a remote network, if there is something, and what would do."""
    if excluded and contains(own, remote):
        return (
            "lies in {}, which exclude_my_network keeps out of tunnels",
            "networks of the peer alone, which a translation at the peer may make, or "
            "exclude_my_network false in ipsec_settings",
        )
    if not excluded and contains(remote, own):
        return (
            "contains {}, and exclude_my_network is false, so that the gateway would lose the "
            "hosts of the network",
            "exclude_my_network true in ipsec_settings, or networks of the peer alone",
        )
    return "", ""


def _subject(child: ChildSa) -> str:
    return f"phase 2 {child.name} of phase 1 {child.phase1}"


def check_no_overlap(child: ChildSa, other: ChildSa) -> None:
    """Refuse that two tunnels carry the same traffic."""
    if not child.enabled or not other.enabled:
        return
    found = _shared(child, other)
    if found:
        local, other_local, remote, other_remote = found
        raise ModelError(
            "remote_network",
            str(remote),
            f"with local_network {local} overlaps {other_local} to {other_remote} of "
            f"phase 2 {other.name} of phase 1 {other.phase1}",
            "networks that no other tunnel carries",
            _subject(child),
        )


def _shared(child: ChildSa, other: ChildSa) -> tuple[object, ...]:
    """Local and remote selectors of both that mean the same traffic; empty where there are none."""
    if not (child.whole and other.whole):
        return next(_shared_services(child, other), ())
    # Each local network goes with each remote one of its version.
    for version in (4, 6):
        found = [
            overlapping(
                *([item.network for item in side if item.version == version] for side in sides)
            )
            for sides in (
                (child.local_network, other.local_network),
                (child.remote_network, other.remote_network),
            )
        ]
        if all(found):
            return tuple(item for pair in found for item in pair or ())
    return ()


def _shared_services(child: ChildSa, other: ChildSa) -> t.Iterator[tuple[object, ...]]:
    for local, remote in child.selector_pairs:
        for other_local, other_remote in other.selector_pairs:
            same = local.overlaps(other_local) and remote.overlaps(other_remote)
            if same and local.fits(other_remote) and remote.fits(other_local):
                yield local, other_local, remote, other_remote
