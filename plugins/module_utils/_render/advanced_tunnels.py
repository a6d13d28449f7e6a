# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The tunnels of ``swanctl_conf`` as models: to show, to connect and to explain them.

A conf text may say more than the options of a phase 1 can. Such values are left out of the model.
Nothing may therefore be rendered of it.
"""

from __future__ import annotations

import typing as t

from .._errors import ModelError
from .._model.checks import ANY
from .._model.child import ChildSa
from .._model.connection import BEHAVIORS, IkeConnection
from .._model.gateway import Gateway
from .advanced import ends, loadable
from .options.phase1 import PHASE1
from .options.phase2 import PHASE2, SHUNTS
from .options.table import Options, Sections, Setting, items, value_at
from .shared_secrets import SharedSecret
from .strongswan.section import Section, Value


def advanced_sections(gateway: Gateway) -> dict[str, Section]:
    """Return the connections of all conf texts by name, as vici accepts them."""
    return {
        name: section
        for settings in gateway.settings.values()
        for name, section in loadable(settings.swanctl_conf or "")[0].items()
    }


def advanced_tunnels(gateway: Gateway) -> dict[str, IkeConnection]:
    """Return the connections of all conf texts as models, without those that are no tunnels."""
    tunnels = {}
    for settings in gateway.settings.values():
        connections, secrets = loadable(settings.swanctl_conf or "")
        for name, section in connections.items():
            connection = _connection(settings.network, name, section, secrets)
            if connection.children or not _children(section):
                tunnels[name] = connection
    return tunnels


def advanced_options(connection: IkeConnection) -> dict[str, t.Any]:
    """Return the options of a phase 1 that a conf text says."""
    options = connection.to_options()
    return {key: options[key] for key in _OPTIONS}


def advanced_child_options(child: ChildSa, section: Section) -> dict[str, t.Any]:
    """Return the options of a phase 2 that a conf text says, selectors as they are written."""
    options = child.to_options()
    written = _children(section).get(child.name, {})
    return {
        **{key: options[key] for key in ("name", "phase1", "network", "mode", "protocol")},
        "local_network": list(items(written.get("local_ts"))),
        "remote_network": list(items(written.get("remote_ts"))),
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
    # Only the first round of authentication fits the options.
    ours, theirs = (next(iter(ends(section, end)), {}) for end in ("local", "remote"))
    sections = Sections({**section, "local": ours, "remote": theirs}, {})
    found = _readable(PHASE1, sections, sections.connection)
    keys = {item.kind: item.secret for item in reversed(secrets)}
    return IkeConnection(
        name=name,
        network=network,
        remote_gateway=found.get("remote_gateway", ANY),
        local_address=found.get("local_address"),
        key_exchange=found.get("key_exchange", "auto"),
        encryption=found.get("encryption", ()),
        authentication=str(theirs.get("auth", ours.get("auth", "pubkey"))),
        # Any of them: a model has keys only for them to be masked.
        psk=keys.get("IKE"),
        ppk=keys.get("PPK"),
        ppk_id=found.get("ppk_id"),
        ppk_required=found.get("ppk_required", False),
        negotiation_mode=found.get("negotiation_mode", "main"),
        identifier=found.get("identifier") or None,
        peer_identifier=str(theirs["id"]) if theirs.get("id") else None,
        connection_behavior=_behavior(section),
        children=tuple(
            _child(network, name, child, options)
            for child, options in _children(section).items()
            if str(options.get("mode", "")).lower() not in SHUNTS
        ),
    )


def _child(network: str, phase1: str, name: str, section: Section) -> ChildSa:
    protocol = "ah" if items(section.get("ah_proposals")) else "esp"
    if protocol == "ah":
        section = {key: value for key, value in section.items() if key != "esp_proposals"}
    found = _readable(PHASE2, Sections({}, section), section)
    return ChildSa(
        name=name,
        phase1=phase1,
        network=network,
        mode=str(section.get("mode", "tunnel")).lower(),
        local_network=found.get("local_network", ()),
        remote_network=found.get("remote_network", ()),
        protocol=protocol,
        encryption=found.get("encryption", ()),
    )


def _children(section: Section) -> t.Mapping[str, Section]:
    return t.cast(t.Mapping[str, Section], section.get("children", {}))


def _behavior(section: Section) -> str:
    """Return the connection behavior of the child that initiates most."""
    behaviors = [
        _readable(PHASE2, Sections(section, child), child).get("connection_behavior", BEHAVIORS[0])
        for child in _children(section).values()
    ]
    return max(behaviors, key=BEHAVIORS.index, default=BEHAVIORS[0])


def _readable(
    table: t.Iterable[Setting[t.Any]], sections: Sections, section: Section
) -> dict[str, t.Any]:
    """Return the options that a section says, by their short names.

    A value is left out when no option can hold it. Each element of a list is left out alone. Of
    several values for one option, the first is returned.
    """
    options: Options = {}
    for row in table:
        value = value_at(section, row.key)
        if isinstance(value, tuple):
            for item in value:
                _add(options, row, (item,), sections)
        elif value is not None:
            _add(options, row, value, sections)
    return {option.partition(".")[2]: value for option, value in options.items()}


def _add(options: Options, row: Setting[t.Any], value: Value, sections: Sections) -> None:
    try:
        found = row.from_text(value, sections)
    except ModelError:
        return
    for option, item in found.items():
        if isinstance(item, tuple):
            options[option] = (*options.get(option, ()), *item)
        elif options.get(option) is None:
            options[option] = item
