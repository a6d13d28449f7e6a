# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The options of ipsec_gateway, whose entries have the options of the single modules."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .spec import (
    IPSEC_PHASE1,
    IPSEC_PHASE2,
    IPSEC_SETTINGS,
    POLICY,
    VPN_NETWORK,
    VPN_RULE,
    Spec,
    choice,
)

GATEWAY_STATES = ("merged", "replaced", "overridden", "deleted", "gathered", "rendered")

_ENTRIES: dict[str, t.Any] = {"type": "list", "elements": "dict", "default": []}

IPSEC_GATEWAY = Spec(
    {
        "networks": _ENTRIES,
        "settings": _ENTRIES,
        "phase1": _ENTRIES,
        "rules": _ENTRIES,
        "state": {**choice(GATEWAY_STATES), "default": "replaced"},
        "purge_all": {"type": "bool", "default": False},
        "show_secrets": {"type": "bool", "default": False, "no_log": False},
        **POLICY,
    },
    subject="gateway",
    entries={
        "networks": VPN_NETWORK,
        "settings": IPSEC_SETTINGS,
        "phase1": replace(
            IPSEC_PHASE1,
            argument_spec={**IPSEC_PHASE1.argument_spec, "phase2": _ENTRIES},
            entries={
                "phase2": replace(
                    IPSEC_PHASE2.without("network", "phase1"), subject="phase 2 {name}"
                )
            },
        ),
        "rules": VPN_RULE,
    },
)
