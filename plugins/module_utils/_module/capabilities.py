# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Checks that phase 1 and phase 2 share: weak algorithms, and what the running daemon can do."""

from __future__ import annotations

import typing as t

from .._errors import HostError, ModelError
from .._host.host import Host
from .._model.checks import ANY
from .._model.child import ChildSa
from .._model.connection import RESERVED_PREFIX, IkeConnection
from .._model.gateway import Gateway
from .._model.proposal import Proposal, Use, missing
from .._plan.loaded import expected_view, is_loaded
from .._plan.observed import DaemonState, Observed
from .._render.connection import connection_section
from .._render.shared_secrets import secret_id
from .._render.strongswan.section import Section


def weak_crypto(subject: str, option: str, weak: t.Sequence[str], policy: str) -> list[str]:
    """Warnings, none, or a refusal, as the option ``weak_crypto`` says."""
    found = ", ".join(dict.fromkeys(weak))
    if not found or policy == "allow":
        return []
    if policy == "refuse":
        raise ModelError(
            option, found, "is weak, and weak_crypto is refuse", "strong cryptography", subject
        )
    return [f"{subject}: weak cryptography: {found}"]


# What the daemon can do, by kind, see ``Vici.algorithms``.
Supported = t.Mapping[str, t.Collection[str]]


def check_capabilities(
    supported: Supported,
    subject: str,
    proposals: t.Sequence[Proposal],
    use: Use,
    *,
    userspace: bool,
) -> None:
    """charon accepts any keyword it knows; whether a plugin implements it shows at initiation."""
    lacking = missing(proposals, use, supported, userspace=userspace)
    if lacking:
        detail = "; ".join(str(item) for item in lacking)
        raise HostError(subject, f"the IKE daemon lacks what the encryption needs: {detail}")


def check_children(host: Host, children: t.Iterable[ChildSa], *, userspace: bool) -> None:
    """Whether this host can do what phase 2 objects ask for. The daemon is asked once, for all."""
    supported: Supported | None = None
    for child in children:
        supported = supported or host.vici.algorithms()
        check_child(supported, child, userspace=userspace)


def check_child(supported: Supported, child: ChildSa, *, userspace: bool) -> None:
    """Whether this host can do what a phase 2 asks for."""
    subject = f"phase 2 {child.name} of phase 1 {child.phase1}"
    if userspace:
        _check_userspace(child, subject)
    check_capabilities(supported, subject, child.encryption, child.use, userspace=userspace)


def _check_userspace(child: ChildSa, subject: str) -> None:
    """kernel-libipsec does nothing but ESP in tunnel mode."""
    for option, value, legal in (
        ("protocol", child.protocol, "esp"),
        ("mode", child.mode, "tunnel"),
    ):
        if value != legal:
            raise ModelError(
                option,
                value,
                "is impossible in the userspace data plane of this host",
                f"{legal}, or a kernel that can do ESP and AH",
                subject,
            )


def check_peer(host: Host, connection: IkeConnection) -> None:
    """Refuse a peer that is this host itself, or all hosts of one of its networks."""
    peer = connection.peer_address
    for own in host.link.interfaces() if peer is not None else ():
        network = own.network
        if peer == own.ip:
            what = "an address of this host"
        elif own.version == 4 and network.prefixlen < 31 and peer == network.broadcast_address:
            what = f"the broadcast address of {network}, a network of this host"
        else:
            continue
        raise ModelError(
            "remote_gateway",
            connection.remote_gateway,
            f"is {what}",
            "the address of the peer",
            f"phase 1 {connection.name}",
        )


def check_foreign(connection: IkeConnection, current: Gateway, observed: Observed) -> None:
    """Refuse a connection or secret that somebody else loaded, by its name or its peer.

    What stands under the name of a phase 1 that was loaded already is that phase 1.
    """
    known = current.connections.get(connection.name)
    if known is not None and current.is_active(known):
        return
    section = connection_section(connection, current.settings_of(connection.network))
    secrets = [secret_id(connection.name)] if connection.authentication == "psk" else []
    try:
        check_names("name", {connection.name: section}, secrets, observed.daemon)
        _check_peer(connection, section, current, observed.daemon)
    except ModelError as error:
        raise error.within(f"phase 1 {connection.name}") from None


def check_names(
    option: str, connections: t.Mapping[str, Section], secrets: t.Iterable[str], daemon: DaemonState
) -> None:
    """Refuse names, new to us, under which the daemon has something of somebody else's.

    A connection that is just as it should be was loaded by us, in a run that died or whose file is
    gone, and so were the secrets, which are loaded before it.
    """
    there = [name for name in connections if name in daemon.connections]
    for name in there:
        ours = name in daemon.unfinished.connections
        if not ours and not is_loaded(connections[name], daemon.connections[name]):
            raise ModelError(
                option,
                name,
                "is a connection of the IKE daemon that this collection did not make",
                "another name, or remove that connection",
            )
    for name in secrets:
        if not there and name in daemon.secrets - daemon.unfinished.secrets:
            raise ModelError(
                option,
                name,
                "is a secret of the IKE daemon that this collection did not make",
                "another name, or remove that secret",
            )


def _check_peer(
    connection: IkeConnection, section: Section, current: Gateway, daemon: DaemonState
) -> None:
    loaded = daemon.connections
    for name in loaded.keys() - {*current.connections, connection.name}:
        ours = name.startswith(RESERVED_PREFIX)
        if not ours and _peer(loaded[name]) == _peer_of(section):
            raise ModelError(
                "remote_gateway",
                connection.remote_gateway,
                f"with the same identities is the peer of connection {name}, which this "
                "collection did not make",
                "another peer, identifier or peer_identifier",
            )


def _peer_of(section: Section) -> tuple[t.Any, ...]:
    view = expected_view(section)
    identities = (view["local_id"] or ANY, view["remote_id"] or ANY)
    return view["local_addrs"], view["remote_addrs"], *identities


def _peer(conn: t.Mapping[str, t.Any]) -> tuple[t.Any, ...]:
    identities = (conn.get(end, {}).get("id") or ANY for end in ("local-1", "remote-1"))
    return tuple(conn.get("local_addrs", ())), tuple(conn.get("remote_addrs", ())), *identities
