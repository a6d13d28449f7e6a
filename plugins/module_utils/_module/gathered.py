# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The states gathered and rendered of ipsec_gateway, which change nothing."""

from __future__ import annotations

import typing as t

from .._model.connection import IkeConnection
from .._model.gateway import Gateway
from .._model.platform import Platform
from .._plan.files import shown_file
from .._render.artefacts import Artefacts, artefacts
from .._render.file import File
from .edit import Params
from .gateway_edit import GatewayEdit


def gathered(gateway: Gateway) -> dict[str, list[dict[str, t.Any]]]:
    """Return the lists of ipsec_gateway that describe a Gateway, without secrets.

    Options without a value are left out.
    """
    return {
        "networks": [_said(network.to_options()) for network in gateway.networks.values()],
        "settings": [_said(settings.to_options()) for settings in gateway.special_settings],
        "phase1": [_phase1(connection) for connection in gateway.connections.values()],
        "rules": [_said(rule.to_options()) for own in gateway.rules.values() for rule in own],
    }


def _phase1(connection: IkeConnection) -> dict[str, t.Any]:
    children = [_said(child.to_options()) for child in connection.children]
    for child in children:
        del child["network"], child["phase1"]
    return {**_said(connection.to_options()), "phase2": children}


def _said(options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {name: value for name, value in options.items() if value not in (None, "", [])}


def rendered(params: Params, platform: Platform) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the text of each file by path, and warnings. Raises EntryErrors.

    Secrets are masked, unless the option ``show_secrets`` is true. The copies of certificates are
    left out, because their files are on the host.
    """
    edit = GatewayEdit(Gateway(), params, platform).made()
    networks = edit.gateway.networks.values()
    userspace = any(network.dataplane == "userspace" for network in networks)
    made = artefacts(edit.gateway, platform, userspace=userspace, credentials={})
    files = sorted(_files(made), key=lambda file: file.path)
    if params["show_secrets"]:
        texts = {file.path: file.data.decode() for file in files}
    else:
        texts = {file.path: shown_file(file, platform) for file in files}
    return texts, edit.warnings


def _files(made: Artefacts) -> t.Iterator[File]:
    for parts in made.networks.values():
        yield from parts.files
    yield from made.records.values()
    yield from made.daemon.values()
    for swanctl in made.swanctl.values():
        yield swanctl.file
