# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The names of objects in errors and warnings. A model object has its own as ``subject``."""

from __future__ import annotations


def network_subject(name: str) -> str:
    """Return ``network lan``."""
    return f"network {name}"


def settings_subject(network: str) -> str:
    """Return ``IPsec settings of network lan``."""
    return f"IPsec settings of network {network}"


def phase1_subject(name: str) -> str:
    """Return ``phase 1 site-b``."""
    return f"phase 1 {name}"


def phase2_subject(name: str, phase1: str) -> str:
    """Return ``phase 2 lan-to-lan of phase 1 site-b``."""
    return f"phase 2 {name} of phase 1 {phase1}"


def rule_subject(name: str, network: str) -> str:
    """Return ``rule nat of network lan``."""
    return f"rule {name} of network {network}"
