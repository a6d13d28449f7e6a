# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Checks of the traffic that a phase 2 of a host may carry."""

from __future__ import annotations

import typing as t

from .._errors import ModelError
from .checks import IPNetwork
from .child import ChildSa
from .network import VpnNetwork
from .selector import TrafficSelector, contains, overlapping
from .settings import IpsecSettings

# A network with a shorter prefix counts as the internet.
_INTERNET = {4: 8, 6: 7}


def is_internet(network: IPNetwork) -> bool:
    """Return whether a network is so large that it counts as the internet."""
    return network.prefixlen < _INTERNET[network.version]


def check_meaning(child: ChildSa) -> None:
    """Refuse selectors that cannot work on the gateway of a site. Raises ModelError."""
    here: dict[IPNetwork, list[TrafficSelector]] = {}
    for local in child.local_network:
        here.setdefault(local.network, []).append(local)
    for remote in child.remote_network:
        if any(local.fits(remote) for local in here.get(remote.network, ())):
            raise ModelError(
                "remote_network",
                str(remote),
                "is in local_network too, so that packets to it stay on this side",
                "Use other addresses in local_network, and translate the addresses of this side to "
                "them one to one with vpn_rule and action translate.",
                child.subject,
            )
    for local in filter(_takes_all, child.local_network):
        for remote in filter(_takes_all, child.remote_network):
            if local.version == remote.version:
                raise ModelError(
                    "local_network",
                    str(local),
                    f"with remote_network {remote} takes all packets of the gateway into the "
                    "tunnel, including the packets to the peer",
                    "Set local_network to the networks of this side, such as 10.1.0.0/24.",
                    child.subject,
                )


def _takes_all(selector: TrafficSelector) -> bool:
    return is_internet(selector.network) and not selector.service.protocol


def check_own_network(
    network: VpnNetwork, settings: IpsecSettings, children: t.Iterable[ChildSa]
) -> None:
    """Refuse a remote network that captures the hosts of the network, or gets no packet."""
    own = network.network_address
    if own is None:
        return
    for child in children:
        remotes = child.remote_network if child.mode == "tunnel" else ()
        for remote in remotes:
            problem, fix = _fault(remote.network, own, excluded=settings.exclude_my_network)
            if problem:
                about = f"{own} of network {network.name}"
                raise ModelError(
                    "remote_network", str(remote), problem.format(about), fix, child.subject
                )


def _fault(remote: IPNetwork, own: IPNetwork, *, excluded: bool) -> tuple[str, str]:
    """Return the problem of a remote network and its fix; two empty texts if there is none."""
    if excluded and contains(own, remote):
        return (
            "is inside {}, which exclude_my_network keeps out of tunnels",
            "Use networks of the peer only, or set exclude_my_network in ipsec_settings to false. "
            "If both sides use the same addresses, the peer can translate its addresses.",
        )
    if not excluded and contains(remote, own):
        return (
            "contains {}, and exclude_my_network is false, so that the gateway would lose the "
            "hosts of this network",
            "Set exclude_my_network in ipsec_settings to true, or use networks of the peer only.",
        )
    return "", ""


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
            f"{other.subject}",
            "Use networks that no other phase 2 of this host carries.",
            child.subject,
        )


def _shared(child: ChildSa, other: ChildSa) -> tuple[object, ...]:
    """Return local and remote selectors of both for the same traffic; empty if none."""
    if not (child.whole and other.whole):
        return next(_shared_services(child, other), ())
    # Each local network is paired with each remote network of its IP version.
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
