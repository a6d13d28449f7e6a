# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of a single module as entries of ipsec_gateway, which must have the same effect."""

from __future__ import annotations

from ansible_collections.tunnelwright.ipsec.tests.live.host import Options

LISTS = {
    "vpn_network": "networks",
    "ipsec_settings": "settings",
    "ipsec_phase1": "phase1",
    "ipsec_phase2": "phase1",
    "vpn_rule": "rules",
}


def as_gateway(module: str, options: Options, phase1: Options) -> Options:
    """Return the options of ipsec_gateway. ``phase1`` has the options of the phase 1 of a phase 2.

    The entry of a phase 2 is in the entry of its phase 1.
    """
    if module == "ipsec_phase2":
        named = {"name": options["phase1"], "network": options["network"]}
        return {"phase1": [{**phase1, **named, "phase2": [of_entry(options)]}]}
    return {LISTS[module]: [options]}


def merged_entry(module: str, options: Options) -> Options:
    """Return the options of ipsec_gateway with state merged and one entry of these options."""
    return {**as_gateway(module, options, {}), "state": "merged"}


def of_entry(options: Options) -> Options:
    """Return the options of a phase 2 without those that its phase 1 gives."""
    return {name: value for name, value in options.items() if name not in ("phase1", "network")}
