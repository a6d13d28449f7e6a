# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Echo requests through a tunnel."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from ..._errors import HostError, ModelError
from ..._model.checks import IPAddress
from ..._plan.connect import Tunnel
from ..command import last_words
from ..host import Host
from .initiate import children_of, selectors_of

_COUNT, _PATIENCE = 3, 6


@dataclass(frozen=True)
class Probe:
    """An echo request from ``source``, an address of this host that the tunnel carries."""

    tunnel: Tunnel
    address: IPAddress
    source: str


@dataclass(frozen=True)
class ProbeReply:
    """The result of a probe. ``sent`` and ``received`` are counted by the Child SAs.

    ``carried`` is false if no Child SA carries the address. Such a probe is not sent.
    """

    probe: Probe
    answered: bool
    sent: int
    received: int
    carried: bool = True

    @property
    def fault(self) -> str:
        """Return the code of a cause, or an empty text for an answer through the tunnel."""
        if not self.carried:
            return "selectors_narrowed"
        if self.sent == 0:
            return "probe_outside_tunnel"
        return "" if self.answered and self.received else "probe_unanswered"


def prepare(
    host: Host, tunnels: tuple[Tunnel, ...], addresses: tuple[IPAddress, ...]
) -> list[Probe]:
    """Return the probes. Raise ModelError for an address that no tunnel can carry."""
    own = [ipaddress.ip_address(item.split("%")[0]) for item in sorted(host.link.addresses())]
    probes = []
    for address in addresses:
        tunnel = _carrier(tunnels, address)
        source = next(
            (
                str(item)
                for item in own
                for selector in tunnel.child.local_network
                if item.version == address.version and selector.allows_echo(item)
            ),
            "",
        )
        if not source and tunnel.child.local_network:
            raise ModelError(
                "probe",
                str(address),
                f"cannot be sent through {tunnel}, because this host has no address in its "
                "local_network",
                "Remove this probe, or give the network an ip_address with vpn_network.",
            )
        probes.append(Probe(tunnel, address, source))
    return probes


def _carrier(tunnels: tuple[Tunnel, ...], address: IPAddress) -> Tunnel:
    for tunnel in tunnels:
        selectors = tunnel.child.remote_network
        dynamic = not selectors and address == tunnel.connection.peer_address
        if dynamic or any(item.allows_echo(address) for item in selectors):
            return tunnel
    selectors = tuple(item for tunnel in tunnels for item in tunnel.child.remote_network)
    carried = ", ".join(map(str, selectors))
    if any(address in item.network for item in selectors):
        raise ModelError(
            "probe",
            str(address),
            f"cannot be sent: a probe is an ICMP echo request, and the tunnels carry {carried}",
            "Remove this probe, and test the service itself.",
        )
    raise ModelError(
        "probe",
        str(address),
        "is in no remote_network of the selected tunnels",
        f"Use an address in {carried}." if carried else "Use the address of the peer.",
    )


def send(host: Host, probe: Probe) -> ProbeReply:
    """Send echo requests, and read the counters of the tunnel before and after."""
    before = _counters(host, probe)
    if not before:
        return ProbeReply(probe, answered=False, sent=0, received=0, carried=False)
    argv = ["ping", "-n", "-q", "-c", str(_COUNT), "-i", "0.3", "-w", str(_PATIENCE)]
    argv += ["-I", probe.source] if probe.source else []
    status, printed, errors = host.run([*argv, str(probe.address)], "")
    if status > 1:
        raise HostError(f"probe {probe.address}", last_words(errors or printed, status))
    after = _counters(host, probe)
    # The counters of a Child SA that was replaced in between start at 0.
    out, received = (
        sum(moved[way] - before.get(key, (0, 0))[way] for key, moved in after.items())
        for way in (0, 1)
    )
    return ProbeReply(probe, status == 0, out, received)


def _counters(host: Host, probe: Probe) -> dict[str, tuple[int, int]]:
    """Return the packets out and in of each Child SA that carries the probe, by its unique id."""
    sas = host.vici.sas(probe.tunnel.connection.name)
    return {
        child.uniqueid: (child.packets_out, child.packets_in)
        for child in children_of(sas, probe.tunnel)
        if selectors_of(child).covers(probe.source, str(probe.address))
    }
