# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""IkeConnection and its children as strongSwan's ``connections.<name>`` section.

The one place where each option of ``ipsec_phase1`` and ``ipsec_phase2`` meets the strongSwan option
it becomes. The section is a nested mapping of strings, tuples (comma separated lists in a file,
lists over vici) and sections, of which the file and the vici message are both made.
"""

from __future__ import annotations

from .._model.checks import ANY
from .._model.child import ChildSa
from .._model.connection import IkeConnection
from .._model.settings import IpsecSettings
from .settings_file import Section, Value

_VERSION = {"auto": "0", "ikev1": "1", "ikev2": "2"}
_UNIQUE = {"yes": "replace", "no": "no", "never": "never"}
_REVOCATION = {"yes": "strict", "ifuri": "ifuri", "no": "relaxed"}
# A pure `start` is never tried again after a reject or a delete by the peer; the trap heals that.
# `close_action = start` would too, but with `unique = replace` on both sides two SAs that meet
# replace each other without end.
_START_ACTION = {"responder_only": "none", "on_demand": "trap", "start": "trap|start"}
_DPD_ACTION = {"clear": "clear", "hold": "trap", "restart": "restart", "none": "clear"}


def connection_section(connection: IkeConnection, settings: IpsecSettings) -> Section:
    """``connections.<name>``, with its enabled children."""
    section: dict[str, Value] = {
        "version": _VERSION[connection.key_exchange],
        "local_addrs": (connection.local_address or ANY,),
        "remote_addrs": (connection.remote_gateway,),
        "proposals": tuple(item.keyword() for item in connection.encryption),
        "unique": _UNIQUE[settings.unique_ids],
        "encap": _yes_no(connection.force_udp_encapsulation),
        "mobike": _yes_no(connection.mobike),
        "keyingtries": str(connection.keying_tries),
    }
    if 1 in connection.versions:
        section["aggressive"] = _yes_no(connection.negotiation_mode == "aggressive")
    section.update(_dpd(connection))
    section.update(_ike_times(connection))
    section["local"] = _local(connection)
    section["remote"] = _remote(connection, settings)
    section["children"] = {
        child.name: child_section(child, connection, settings)
        for child in connection.children
        if child.enabled
    }
    return section


def child_section(child: ChildSa, connection: IkeConnection, settings: IpsecSettings) -> Section:
    """``connections.<name>.children.<child>``."""
    section: dict[str, Value] = {"mode": child.mode}
    # Without a selector charon takes `dynamic`, the addresses of the two peers.
    if child.local_network:
        section["local_ts"] = tuple(item.by_number for item in child.local_network)
    if child.remote_network:
        section["remote_ts"] = tuple(item.by_number for item in child.remote_network)
    section[f"{child.protocol}_proposals"] = tuple(item.keyword() for item in child.encryption)
    section.update(_child_times(child, connection))
    section["start_action"] = _START_ACTION[connection.connection_behavior]
    section["dpd_action"] = _dpd_action(connection)
    section["ipcomp"] = _yes_no(settings.ipcomp)
    return section


def bypass_section(networks: tuple[str, ...]) -> Section:
    """``exclude_my_network``: a shunt for traffic between the hosts of the local network."""
    return {
        # An address that no peer can have keeps the shunt out of the search for a peer's config.
        "remote_addrs": ("127.0.0.1",),
        "children": {
            "lan": {
                "mode": "pass",
                "local_ts": networks,
                "remote_ts": networks,
                "start_action": "trap",
            }
        },
    }


def credential_file(connection: IkeConnection, number: int = 1) -> str:
    """The name under which a phase 1's certificates, key and CAs lie in swanctl's directories."""
    return f"tunnelwright.{connection.name}{'' if number == 1 else f'.{number}'}.pem"


def _yes_no(value: bool) -> str:
    return "yes" if value else "no"


def _local(connection: IkeConnection) -> Section:
    section: dict[str, Value] = {"auth": connection.authentication}
    if connection.identifier:
        section["id"] = connection.identifier
    if connection.uses_certificates:
        section["certs"] = (credential_file(connection),)
    return section


def _remote(connection: IkeConnection, settings: IpsecSettings) -> Section:
    # Left out, an IKEv2 initiator would look for the PSK of `%any`.
    section: dict[str, Value] = {"auth": connection.authentication, "id": connection.peer_identity}
    if connection.uses_certificates:
        section["cacerts"] = (credential_file(connection),)
        section["revocation"] = _REVOCATION[settings.strict_crl]
    return section


def _dpd(connection: IkeConnection) -> dict[str, Value]:
    if connection.dpd_action == "none":
        return {"dpd_delay": "0"}
    section: dict[str, Value] = {"dpd_delay": str(connection.dpd_delay)}
    if 1 in connection.versions:
        # IKEv2 gives up after its retransmissions instead (RFC 7296 section 2.4).
        section["dpd_timeout"] = str(connection.dpd_delay * (connection.dpd_failures + 1))
    return section


def _dpd_action(connection: IkeConnection) -> str:
    if connection.connection_behavior == "responder_only":
        # Restarting or trapping would make an initiator of it.
        return "clear"
    return _DPD_ACTION[connection.dpd_action]


def _ike_times(connection: IkeConnection) -> dict[str, Value]:
    if not connection.rekey:
        return {"rekey_time": "0", "reauth_time": "0", "over_time": "0", "rand_time": "0"}
    renew = str(connection.lifetime_seconds - connection.margin_seconds)
    margin = str(connection.margin_seconds)
    return {
        "rekey_time": "0" if connection.reauth else renew,
        "reauth_time": renew if connection.reauth else "0",
        "over_time": margin,
        "rand_time": margin,
    }


def _child_times(child: ChildSa, connection: IkeConnection) -> dict[str, Value]:
    # All three always: a rekey_time of 0 with charon's default rand_time rekeys without end.
    life = child.lifetime_seconds
    if life == 0 or not connection.rekey:
        return {"life_time": str(life), "rekey_time": "0", "rand_time": "0"}
    margin = connection.margin_seconds
    return {"life_time": str(life), "rekey_time": str(life - margin), "rand_time": str(margin)}
