# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Checks that phase 1 and phase 2 share, about the abilities of the running daemon."""

from __future__ import annotations

import typing as t

from .._errors import ModelError, Unsupported
from .._host.kernel.link import IPInterface
from .._model.checks import ANY
from .._model.child import ChildSa
from .._model.connection import RESERVED_PREFIX, IkeConnection
from .._model.gateway import Gateway
from .._model.proposal import Proposal, Use
from .._model.requirements import missing
from .._plan.loaded import expected_view, is_loaded
from .._plan.observed import DaemonState, Observed
from .._render.connection import connection_section
from .._render.strongswan.section import Section
from .._render.swanctl_files import secrets_of
from .edit import Asked

# The algorithms of the daemon, by kind. See ``Vici.algorithms``.
Supported = t.Mapping[str, t.Collection[str]]


def check_capabilities(
    supported: Supported,
    subject: str,
    proposals: t.Sequence[Proposal],
    use: Use,
    *,
    userspace: bool,
) -> None:
    """Refuse missing algorithms. charon accepts any known keyword, and fails at initiation.

    ``supported`` is empty if check mode runs on a host without a daemon.
    """
    lacking = supported and missing(proposals, use, supported, userspace=userspace)
    if lacking:
        detail = "; ".join(str(item) for item in lacking)
        why = f"the IKE daemon lacks algorithms: {detail}"
        advice = "Install the packages and restart the IKE daemon, or use other algorithms."
        if all(item.release for item in lacking):
            advice = "Remove these algorithms, or upgrade the host."
        raise Unsupported(f"use encryption of {subject}", why, advice)


def check_children(asked: Asked, children: t.Iterable[ChildSa], *, userspace: bool) -> None:
    """Check that this host supports all phase 2 objects."""
    for child in children:
        check_child(asked.algorithms, child, userspace=userspace)


def check_child(supported: Supported, child: ChildSa, *, userspace: bool) -> None:
    """Check that this host supports a phase 2."""
    if userspace:
        _check_userspace(child)
    check_capabilities(supported, child.subject, child.encryption, child.use, userspace=userspace)


def _check_userspace(child: ChildSa) -> None:
    """Refuse everything except ESP in tunnel mode, for kernel-libipsec."""
    for option, value, supported in (
        ("protocol", child.protocol, "esp"),
        ("mode", child.mode, "tunnel"),
    ):
        if value != supported:
            raise ModelError(
                option,
                value,
                "is not supported by the userspace data plane of this host",
                f"Set {option} to {supported}, or use a kernel that supports ESP and AH.",
                child.subject,
            )


def check_peer(interfaces: t.Iterable[IPInterface], connection: IkeConnection) -> None:
    """Refuse a peer that is this host itself, or all hosts of one of its networks."""
    peer = connection.peer_address
    for own in interfaces if peer is not None else ():
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
            "Write the address of the peer.",
            connection.subject,
        )


def check_foreign(connection: IkeConnection, current: Gateway, observed: Observed) -> None:
    """Refuse a connection or secret that another administrator loaded, by name or by peer.

    A connection with the name of a loaded phase 1 is that phase 1.
    """
    known = current.connections.get(connection.name)
    if known is not None and current.is_active(known):
        return
    section = connection_section(connection, current.settings_of(connection.network))
    secrets = [shared.id for shared in secrets_of(connection)]
    try:
        check_names("name", {connection.name: section}, secrets, observed.daemon)
        _check_peer(connection, section, current, observed.daemon)
    except ModelError as error:
        raise error.within(connection.subject) from None


def check_names(
    option: str, connections: t.Mapping[str, Section], secrets: t.Iterable[str], daemon: DaemonState
) -> None:
    """Refuse new names that an unmanaged connection or secret in the daemon has.

    A connection with exactly the wanted values was loaded by the collection, in an interrupted run
    or with a file that is lost. The same is true of its secrets, which are loaded before it.
    """
    there = [name for name in connections if name in daemon.connections]
    for name in there:
        ours = name in daemon.unfinished.connections
        if not ours and not is_loaded(connections[name], daemon.connections[name]):
            raise ModelError(
                option,
                name,
                "is a connection in the IKE daemon that this collection does not manage",
                "Use another name, or remove that connection.",
            )
    for name in secrets:
        if not there and name in daemon.secrets - daemon.unfinished.secrets:
            raise ModelError(
                option,
                name,
                "is a secret in the IKE daemon that this collection does not manage",
                "Use another name, or remove that secret.",
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
                f"is the peer of connection {name}, which this collection does not manage, with "
                "the same identities",
                "Set another remote_gateway, identifier or peer_identifier, or remove that "
                "connection.",
            )


def _peer_of(section: Section) -> tuple[t.Any, ...]:
    view = expected_view(section)
    identities = (view["local_id"] or ANY, view["remote_id"] or ANY)
    return view["local_addrs"], view["remote_addrs"], *identities


def _peer(conn: t.Mapping[str, t.Any]) -> tuple[t.Any, ...]:
    identities = (conn.get(end, {}).get("id") or ANY for end in ("local-1", "remote-1"))
    return tuple(conn.get("local_addrs", ())), tuple(conn.get("remote_addrs", ())), *identities
