# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The keys of strongswan.conf that networks ask for, and the options that become them.

One charon serves every network. A daemon-wide option is therefore on as soon as any network asks
for it. charon reads all these keys at use, none at its start only.
"""

from __future__ import annotations

from ..._model.gateway import Gateway
from .table import Setting, switch, unread


def asking(gateway: Gateway, option: str) -> tuple[str, ...]:
    """Return the networks whose settings have a daemon-wide option switched on."""
    return tuple(
        sorted(name for name in gateway.networks if getattr(gateway.settings_of(name), option))
    )


def aggressive_responder(gateway: Gateway) -> bool:
    """Return whether a phase 1 uses Aggressive Mode with a PSK.

    charon does not respond to that unless a key allows it.
    """
    return any(
        item.negotiation_mode == "aggressive" and item.authentication == "psk" and item.enabled
        for item in gateway.connections.values()
    )


# In the order in which the keys are written.
DAEMON: tuple[Setting[Gateway], ...] = (
    switch(
        "ipsec_settings.cisco_extensions",
        "charon.cisco_unity",
        lambda gateway: bool(asking(gateway, "cisco_extensions")),
    ),
    switch(
        "ipsec_settings.unencrypted_main_mode",
        "charon.accept_unencrypted_mainmode_messages",
        lambda gateway: bool(asking(gateway, "unencrypted_main_mode")),
    ),
    # Written always, because its default changed from no to yes with strongSwan 6.0.
    switch(
        "ipsec_settings.make_before_break",
        "charon.make_before_break",
        lambda gateway: bool(asking(gateway, "make_before_break")),
    ),
    Setting(
        "ipsec_phase1.negotiation_mode",
        "charon.i_dont_care_about_security_and_use_aggressive_mode_psk",
        lambda _gateway: "yes",
        unread,
        aggressive_responder,
        also=("ipsec_phase1.authentication",),
    ),
)
# The options of ``ipsec_settings`` that are daemon-wide.
DAEMON_WIDE = tuple(
    row.option.partition(".")[2] for row in DAEMON if row.option.startswith("ipsec_settings.")
)
