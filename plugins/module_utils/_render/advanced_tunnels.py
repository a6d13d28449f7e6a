# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The tunnels of ``swanctl_conf``, as models to look at: to show, to connect and to explain them.

A conf text may say more than the options of a phase 1 can. What a model can't hold is left out of
it, so that nothing may be rendered of such a model.
"""

from __future__ import annotations

import ipaddress
import typing as t

from .._errors import ModelError
from .._model.checks import ANY
from .._model.child import ChildSa
from .._model.connection import IkeConnection
from .._model.gateway import Gateway
from .._model.proposal import Proposal, Use
from .._model.selector import TrafficSelector
from .advanced import SharedSecret, ends, loadable
from .strongswan.section import Section

_VERSIONS = {"1": "ikev1", "2": "ikev2"}
# No SA belongs to them.
_SHUNTS = ("pass", "drop")


def advanced_sections(gateway: Gateway) -> dict[str, Section]:
    """The connections of all conf texts by name, as vici takes them."""
    return {
        name: section
        for settings in gateway.settings.values()
        for name, section in loadable(settings.swanctl_conf or "")[0].items()
    }


def advanced_tunnels(gateway: Gateway) -> dict[str, IkeConnection]:
    """The same as models, without those that are no tunnels."""
    found = {}
    for settings in gateway.settings.values():
        connections, secrets = loadable(settings.swanctl_conf or "")
        for name, section in connections.items():
            connection = _connection(settings.network, name, section, secrets)
            if connection.children or not _children(section):
                found[name] = connection
    return found


def advanced_options(connection: IkeConnection) -> dict[str, t.Any]:
    """What a conf text says in the options of a phase 1."""
    options = connection.to_options()
    return {key: options[key] for key in _OPTIONS}


def advanced_child_options(child: ChildSa, section: Section) -> dict[str, t.Any]:
    """What a conf text says in the options of a phase 2, selectors as they are written."""
    options = child.to_options()
    written = _children(section).get(child.name, {})
    return {
        **{key: options[key] for key in ("name", "phase1", "network", "mode", "protocol")},
        "local_network": list(_texts(written, "local_ts")),
        "remote_network": list(_texts(written, "remote_ts")),
    }


_OPTIONS = (
    "name",
    "network",
    "remote_gateway",
    "local_address",
    "key_exchange",
    "authentication",
    "identifier",
    "peer_identifier",
    "connection_behavior",
)


def _connection(
    network: str, name: str, section: Section, secrets: t.Sequence[SharedSecret]
) -> IkeConnection:
    ours, theirs = (next(iter(ends(section, end)), {}) for end in ("local", "remote"))
    local = [item for item in _texts(section, "local_addrs") if item != ANY]
    keys = [item.secret for item in secrets if item.kind == "IKE"]
    return IkeConnection(
        name=name,
        network=network,
        remote_gateway=next(iter(_texts(section, "remote_addrs")), ANY),
        local_address=next(iter(local), None),
        key_exchange=_VERSIONS.get(str(section.get("version", "0")), "auto"),
        encryption=_proposals(section, "proposals", Use.IKE),
        authentication=str(theirs.get("auth", ours.get("auth", "pubkey"))),
        # Whichever it is: it is known for not to be shown.
        psk=keys[0] if keys else None,
        negotiation_mode="aggressive" if section.get("aggressive") == "yes" else "main",
        identifier=_text(ours, "id"),
        peer_identifier=_text(theirs, "id"),
        connection_behavior=_behavior(section),
        children=tuple(
            _child(network, name, child, options)
            for child, options in _children(section).items()
            if str(options.get("mode", "")).lower() not in _SHUNTS
        ),
    )


def _child(network: str, phase1: str, name: str, section: Section) -> ChildSa:
    protocol = "ah" if _texts(section, "ah_proposals") else "esp"
    return ChildSa(
        name=name,
        phase1=phase1,
        network=network,
        mode=str(section.get("mode", "tunnel")).lower(),
        local_network=_selectors(section, "local_ts"),
        remote_network=_selectors(section, "remote_ts"),
        protocol=protocol,
        encryption=_proposals(section, f"{protocol}_proposals", Use(protocol.upper())),
    )


def _children(section: Section) -> t.Mapping[str, Section]:
    return t.cast(t.Mapping[str, Section], section.get("children", {}))


def _behavior(section: Section) -> str:
    actions = " ".join(str(item.get("start_action", "")) for item in _children(section).values())
    if any(word in actions for word in ("start", "restart")):
        return "start"
    return "on_demand" if any(word in actions for word in ("trap", "route")) else "responder_only"


def _proposals(section: Section, key: str, use: Use) -> tuple[Proposal, ...]:
    found = []
    for keyword in _texts(section, key):
        try:
            found.append(Proposal.parse(keyword, use))
        except ModelError:
            # Several algorithms of a kind, or one that the options do not know.
            continue
    return tuple(found)


def _selectors(section: Section, key: str) -> tuple[TrafficSelector, ...]:
    found: list[TrafficSelector] = []
    for text in _texts(section, key):
        try:
            address, bracket, service = text.partition("[")
            network = ipaddress.ip_network(address, strict=False)
            found.append(TrafficSelector.parse(key, f"{network}{bracket}{service}"))
        except (ModelError, ValueError):
            # ``dynamic``, a range of addresses, or ``%any``.
            continue
    return tuple(found)


def _texts(section: Section, key: str) -> tuple[str, ...]:
    value = section.get(key, ())
    return (value,) if isinstance(value, str) else tuple(str(item) for item in value)


def _text(section: Section, key: str) -> str | None:
    value = section.get(key)
    return value if isinstance(value, str) and value else None
