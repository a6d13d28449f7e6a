# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The capabilities of the IKE daemon, the kernel and nft, as ipsec_info returns them."""

from __future__ import annotations

import typing as t
from functools import partial

from .._errors import HostError
from .._host.host import Host
from .._host.vici.facts import Facts
from .._render.strongswan_conf import LIBIPSEC
from .snapshot import HostSnapshot

# The result, and the kind of get-algorithms.
_KINDS = {
    "encryption": "encryption",
    "aead": "aead",
    "integrity": "integrity",
    "prf": "prf",
    "key_exchange": "ke",
}
_PROTOCOLS = ("esp", "ah")
_Found = t.TypeVar("_Found")


def capability_facts(host: Host, seen: HostSnapshot) -> Facts:
    """Return the capabilities. A part that does not answer is null or empty."""
    found = seen.capabilities
    return {
        "version": found.version or None,
        "ike_versions": sorted(found.ike_versions) if found.known else [],
        **{name: sorted(found.algorithms.get(kind, ())) for name, kind in _KINDS.items()},
        "plugins": sorted(found.plugins),
        "kernel": _kernel(host, seen),
        "nftables": _or_none(host.nft.features),
    }


def _kernel(host: Host, seen: HostSnapshot) -> Facts:
    """Return the protocols of the kernel, which loads their modules for the trial.

    The trial is left out if the kernel carries no tunnels, so that a look loads no module.
    """
    in_use = seen.capabilities.known and LIBIPSEC not in seen.capabilities.plugins
    if not in_use or not seen.gateway.networks:
        return dict.fromkeys(_PROTOCOLS)
    return {name: _or_none(partial(host.link.kernel_has, name)) for name in _PROTOCOLS}


def _or_none(ask: t.Callable[[], _Found]) -> _Found | None:
    try:
        return ask()
    except HostError:
        return None
