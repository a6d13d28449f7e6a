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
from .._model.platform import Platform
from .._model.secret import MASK
from .._model.settings import CONF_TEXTS, IpsecSettings
from .._model.subject import settings_subject
from .._plan.scope import network_scope
from .._render.advanced import loadable
from .._render.options.daemon import DAEMON_WIDE, asking
from .._render.shared_secrets import ppk_secret_id, secret_id
from .._render.strongswan.section import Section
from .._render.strongswan.strict import parse
from .capabilities import check_names
from .edit import Edit, Params, View
from .ikev1 import check_settings
from .keys import check_text, warnings_of_text
from .spec import IPSEC_SETTINGS, Spec

_T = t.TypeVar("_T")


class SettingsResource:
    spec: t.ClassVar[Spec] = IPSEC_SETTINGS
    key: t.ClassVar[str] = "ipsec_settings"

    def edit(self, current: Gateway, params: Params, platform: Platform) -> Edit:
        settings = IpsecSettings.from_options(params)
        name = settings.network
        gateway = current.with_settings(settings)
        subject = settings_subject(name)
        try:
            _check_texts(settings, current)
            check_text(settings, current)
        except ModelError as error:
            raise error.within(subject) from None
        scope = network_scope(name, platform)
        warnings = (*_shared(gateway, settings), *warnings_of_text(settings))
        return Edit(gateway, scope, _result(settings), warnings)

    def check_host(self, host: Host, view: View) -> list[str]:
        name = view.params["network"]
        if view.edit.gateway.networks[name].started:
            try:
                connections = _check_foreign(name, view)
                check_settings(view, view.edit.gateway.settings_of(name), connections)
            except ModelError as error:
                raise error.within(settings_subject(name)) from None
        if view.userspace and view.edit.gateway.settings_of(name).ipcomp:
            return ["ipcomp has no effect in the userspace data plane of this host"]
        return []


def _result(settings: IpsecSettings) -> dict[str, t.Any]:
    texts = {option: MASK for option in CONF_TEXTS if getattr(settings, option)}
    return {**settings.to_options(), **texts}


def _shared(gateway: Gateway, settings: IpsecSettings) -> tuple[str, ...]:
    """Return warnings about options that another network keeps on, because all share one daemon."""
    warnings = []
    for option in DAEMON_WIDE:
        others = [name for name in asking(gateway, option) if name != settings.network]
        if others and not getattr(settings, option):
            warnings.append(
                f"{option} is daemon-wide and stays on: network {', '.join(others)} asks for it"
            )
    return tuple(warnings)


def _check_texts(settings: IpsecSettings, gateway: Gateway) -> None:
    names = gateway.connections
    taken = {*names, *map(secret_id, names), *map(ppk_secret_id, names)}
    for other in gateway.settings.values():
        if other.network != settings.network:
            taken.update(_names(other))
    for name in _names(settings):
        if name in taken or name.startswith(RESERVED_PREFIX):
            raise ModelError(
                "swanctl_conf",
                name,
                "is the name of a connection or secret of this collection: strongSwan would merge "
                "the two key by key",
                "Use another name.",
            )
    _parsed("strongswan_conf", parse, settings.strongswan_conf or "")


def _check_foreign(network: str, view: View) -> dict[str, Section]:
    """Refuse new names of a conf text that the daemon already has. Return its connections."""
    known = _names(view.current.settings_of(network))
    text = view.edit.gateway.settings_of(network).swanctl_conf or ""
    connections, secrets = loadable(text)
    check_names(
        "swanctl_conf",
        {name: section for name, section in connections.items() if name not in known},
        [shared.id for shared in secrets if shared.id not in known],
        view.observed.daemon,
    )
    return connections


def _names(settings: IpsecSettings) -> tuple[str, ...]:
    """Return the connections and secrets of a swanctl_conf."""
    connections, secrets = _parsed("swanctl_conf", loadable, settings.swanctl_conf or "")
    return (*connections, *(shared.id for shared in secrets))


def _parsed(option: str, parser: t.Callable[[str], _T], text: str) -> _T:
    try:
        return parser(text)
    except SyntaxFault as error:
        manual = f"{option.replace('_', '.')}(5)"
        fix = f"Correct this line: {manual} describes the syntax."
        raise ModelError(option, MASK, f"cannot be parsed: {error}", fix) from None
