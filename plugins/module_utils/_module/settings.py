# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The module ipsec_settings."""

from __future__ import annotations

import typing as t

from .._errors import ModelError, SyntaxFault
from .._host.host import Host
from .._model.connection import RESERVED_PREFIX
from .._model.gateway import Gateway
from .._model.secret import MASK
from .._model.settings import CONF_TEXTS, IpsecSettings
from .._plan.planner import Scope
from .._render.artefacts import advanced_parts, advanced_path, bypass_path
from .._render.records import secret_id
from .._render.settings_file import parse
from .._render.strongswan_conf import DAEMON_WIDE, asking
from .edit import Edit, Params, View
from .spec import IPSEC_SETTINGS, Spec


class SettingsResource:
    spec: t.ClassVar[Spec] = IPSEC_SETTINGS
    key: t.ClassVar[str] = "ipsec_settings"

    def edit(self, current: Gateway, params: Params) -> Edit:
        settings = IpsecSettings.from_options(params)
        name = settings.network
        gateway = current.with_settings(settings)
        subject = f"IPsec settings of network {name}"
        try:
            _check_texts(settings, current)
        except ModelError as error:
            raise error.within(subject) from None
        scope = Scope(
            frozenset({name}), frozenset({bypass_path(name), advanced_path(name)}), daemon=True
        )
        return Edit(gateway, scope, _result(settings), _shared(gateway, settings))

    def check_host(self, host: Host, view: View) -> list[str]:
        if view.userspace and view.params["ipcomp"]:
            return ["ipcomp has no effect in the userspace data plane of this host"]
        return []


def _result(settings: IpsecSettings) -> dict[str, t.Any]:
    texts = {option: MASK for option in CONF_TEXTS if getattr(settings, option)}
    return {**settings.to_options(), **texts}


def _shared(gateway: Gateway, settings: IpsecSettings) -> tuple[str, ...]:
    """One daemon serves all networks: say where another network has the last word."""
    warnings = []
    for option in DAEMON_WIDE:
        others = [name for name in asking(gateway, option) if name != settings.network]
        if others and not getattr(settings, option):
            warnings.append(
                f"{option} is daemon-wide and stays on: network {', '.join(others)} asks for it"
            )
    return tuple(warnings)


# What vici is given one by one; anything else in a swanctl.conf would be in the file alone.
_SECTIONS = ("connections", "secrets")


def _check_texts(settings: IpsecSettings, gateway: Gateway) -> None:
    if settings.strongswan_conf:
        _parsed("strongswan_conf", settings.strongswan_conf)
    if not settings.swanctl_conf:
        return
    sections = _parsed("swanctl_conf", settings.swanctl_conf)
    for name in sections:
        if name not in _SECTIONS:
            raise ModelError(
                "swanctl_conf", name, "is not a section that can be loaded", ", ".join(_SECTIONS)
            )
    parts = advanced_parts(settings.network, settings.swanctl_conf)
    phase1 = {*gateway.connections, *map(secret_id, gateway.connections)}
    for name in (*parts.owned, *(shared.id for shared in parts.secrets)):
        if name in phase1 or name.startswith(RESERVED_PREFIX):
            raise ModelError(
                "swanctl_conf",
                name,
                "is the name of something that this collection makes, with which it would merge",
                "another name",
            )


def _parsed(option: str, text: str) -> t.Mapping[str, t.Any]:
    try:
        return parse(text, unique=True)
    except SyntaxFault as error:
        raise ModelError(option, MASK, f"can't be parsed: {error}", "strongSwan's syntax") from None
