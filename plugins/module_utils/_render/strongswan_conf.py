# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The daemon-wide strongSwan settings, in one drop-in for all networks of the host.

One charon serves every network, so an option of one network that is daemon-wide is on as soon as
any network asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping

from .._errors import SyntaxFault
from .._model.gateway import Gateway
from .records import MANAGED
from .settings_file import Section, parse, render

LIBIPSEC = "kernel-libipsec"

# Option of ipsec_settings -> setting of `charon`, all three read at use, none at start only.
DAEMON_WIDE = {
    "cisco_extensions": "cisco_unity",
    "unencrypted_main_mode": "accept_unencrypted_mainmode_messages",
    # Written out, since its default changed from no to yes with strongSwan 6.0.
    "make_before_break": "make_before_break",
}


def daemon_section(gateway: Gateway, *, userspace: bool) -> Section:
    """The ``charon`` section that the networks of the host ask for."""
    charon: dict[str, object] = {
        setting: "yes" if asking(gateway, option) else "no"
        for option, setting in DAEMON_WIDE.items()
    }
    if aggressive_responder(gateway):
        charon["i_dont_care_about_security_and_use_aggressive_mode_psk"] = "yes"
    if userspace:
        charon["plugins"] = {LIBIPSEC: {"load": "yes"}}
    return {"charon": charon}  # type: ignore[dict-item]


def daemon_text(gateway: Gateway, *, userspace: bool) -> str:
    return f"{MANAGED}\n{render(daemon_section(gateway, userspace=userspace))}"


def asking(gateway: Gateway, option: str) -> tuple[str, ...]:
    """The networks that have a daemon-wide option of theirs switched on."""
    return tuple(
        sorted(name for name in gateway.networks if getattr(gateway.settings_of(name), option))
    )


def aggressive_responder(gateway: Gateway) -> bool:
    """Whether a phase 1 uses Aggressive Mode with a PSK, which charon answers only when told to."""
    return any(
        item.negotiation_mode == "aggressive" and item.uses_psk and item.enabled
        for item in gateway.connections.values()
    )


def reads_userspace(text: str) -> bool:
    """Whether a drop-in of ours, read back, loads the plugin of the userspace data plane.

    False where it can't be parsed: a spoilt one is written anew.
    """
    try:
        section: object = parse(text)
    except SyntaxFault:
        return False
    for key in ("charon", "plugins", LIBIPSEC, "load"):
        section = section.get(key) if isinstance(section, Mapping) else None
    return section == "yes"
