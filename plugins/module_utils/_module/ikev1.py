# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Options of IKEv1 on a host whose IKE daemon has no IKEv1.

Such a daemon loads a connection of IKEv1, and never brings it up.
"""

from __future__ import annotations

import typing as t

from .._errors import ModelError
from .._model.capabilities import Capabilities
from .._model.connection import IkeConnection
from .._model.secret import MASK
from .._model.settings import IpsecSettings
from .._render.strongswan.section import Section
from .edit import View

# The options of ``ipsec_settings`` that only IKEv1 uses.
SETTINGS = ("cisco_extensions", "unencrypted_main_mode")

_KEEP = "a tunnel that needs IKEv1 needs a host with strongSwan 6.0 or earlier"
_AGGRESSIVE = "Set negotiation_mode to main, because IKEv2 has no aggressive mode. "


def check_phase1(view: View, connection: IkeConnection) -> list[str]:
    """Refuse an active phase 1 of IKEv1. Return a warning for ``auto``. Raises ModelError.

    A phase 1 that the task does not describe is named in a warning.
    """
    if 1 not in connection.versions or view.asked.capabilities.ikev1:
        return []
    lacks = lacks_ikev1(view.asked.capabilities)
    if connection.key_exchange == "auto":
        _check_dead_peers(view, connection, lacks)
        return [
            f"{connection.subject}: key_exchange auto means IKEv2 on this host, because {lacks}: "
            "the daemon refuses a peer that initiates IKEv1"
        ]
    if not view.described:
        return [cannot_come_up(connection, view.asked.capabilities)]
    raise ModelError(
        "key_exchange",
        connection.key_exchange,
        f"cannot be used on this host, because {lacks}",
        f"Set key_exchange to ikev2 here, and change the peer to IKEv2. {_more(connection)}"
        f"If the peer has IKEv1 only, remove the phase 1 or set its state to disabled: {_KEEP}.",
        connection.subject,
    )


def _check_dead_peers(view: View, connection: IkeConnection, lacks: str) -> None:
    """Refuse a count of DPD messages of a task, because IKEv2 does not count them."""
    given = "dpd_failures" in view.params.given and view.described
    if given and connection.dpd_failures != IkeConnection.dpd_failures:
        raise ModelError(
            "dpd_failures",
            connection.dpd_failures,
            f"has no effect on this host, because {lacks}",
            "Remove dpd_failures. With IKEv2, a peer counts as dead after all retransmissions.",
            connection.subject,
        )


def cannot_come_up(connection: IkeConnection, capabilities: Capabilities) -> str:
    """Return the warning about a phase 1 of IKEv1 that was configured before an upgrade."""
    lacks = lacks_ikev1(capabilities)
    return (
        f"{connection.subject}: key_exchange ikev1 cannot come up on this host, because {lacks}: "
        "set it to ikev2 here and at the peer"
    )


def check_settings(view: View, settings: IpsecSettings, texts: t.Mapping[str, Section]) -> None:
    """Refuse settings that only IKEv1 uses, and connections of IKEv1 in ``texts``.

    ``texts`` are the connections of ``swanctl_conf``. Raises ModelError.
    """
    found = [option for option in SETTINGS if getattr(settings, option)]
    named = [name for name, section in texts.items() if str(section.get("version")) == "1"]
    if not (found or named) or not view.described or view.asked.capabilities.ikev1:
        return
    lacks = lacks_ikev1(view.asked.capabilities)
    for option in found:
        problem = f"has no effect on this host, because {lacks}"
        raise ModelError(
            option,
            getattr(settings, option),
            problem,
            f"Remove {option}, and change the peer to IKEv2.",
        )
    raise ModelError(
        "swanctl_conf",
        MASK,
        f"has version = 1 in connection {', '.join(named)}, which cannot come up on this host, "
        f"because {lacks}",
        "Set version to 2, and change the peer to IKEv2.",
    )


def lacks_ikev1(capabilities: Capabilities) -> str:
    """Return the reason, with the release."""
    return f"its IKE daemon, strongSwan {capabilities.version}, was built without IKEv1"


def _more(connection: IkeConnection) -> str:
    return _AGGRESSIVE if connection.negotiation_mode == "aggressive" else ""
