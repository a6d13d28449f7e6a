# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fleets as ipsec_info reports them, in any state that a test needs."""

from __future__ import annotations

import copy
import typing as t

from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers import examples

Facts = dict[str, t.Any]

NOW = "2026-01-31T12:00:00+00:00"

WHY = {
    "cause": "psk_mismatch",
    "explanation": "The peer refuses our authentication: the pre-shared keys are not the same.",
    "where": [{"side": "ours", "option": "psk"}, {"side": "theirs", "option": "psk"}],
    "ours": "gw-b.example",
    "theirs": "tried 1 shared key, but MAC mismatched",
    "evidence": ["ours: received AUTHENTICATION_FAILED notify error"],
    "next_step": "Set psk to the same on both sides, then connect again.",
    "candidates": [],
}
NARROWED = {
    **WHY,
    "cause": "selectors_narrowed",
    "explanation": "The peer accepted only a part of the networks of phase 2. Not carried: "
    "10.1.0.0/24 to 10.3.0.0/24.",
    "next_step": "Make one phase 2 for each pair of a local and a remote network.",
}
OUTDATED = {
    **WHY,
    "cause": "outdated",
    "explanation": "The tunnel is up with values that are not those configured.",
}
WHYS = {"down": WHY, "partial": NARROWED, "outdated": OUTDATED}
MISSING = [{"local_network": "10.1.0.0/24", "remote_network": "10.3.0.0/24"}]
PENDING = [{"key": "remote_addrs", "in_force": "192.0.2.2", "configured": "192.0.2.3"}]
ADVISORY = {
    "id": "CVE-2026-78135",
    "component": "libcharon",
    "text": "A CREATE_CHILD_SA request can create a usable Child SA before the authentication is "
    "complete.",
    "package": "strongswan-libcharon",
    "installed": "6.0.1-6+deb13u6",
    "fixed_in": "6.0.1-6+deb13u7",
    "source": "Debian changelog of strongswan 6.0.1-6+deb13u7 (trixie-security, 2026-09-01)",
    "table_date": "2026-11-30",
}
LOG = [
    "2026-01-31T11:58:59+00:00 [IKE] <site-b> initiating IKE_SA site-b[7] to 203.0.113.20",
    "2026-01-31T11:59:00+00:00 [IKE] <site-b> received AUTHENTICATION_FAILED notify error",
]


def ike(remote: str) -> Facts:
    return {
        "algorithms": "AES_GCM_16-256 PRF_HMAC_SHA2_384 ECP_384",
        "ppk": False,
        "version": 2,
        "remote_host": remote,
    }


def child(**more: t.Any) -> Facts:
    return {
        "algorithms": "AES_GCM_16-256 ECP_384",
        "protocol": "esp",
        "bytes_in": 84_000_000,
        "bytes_out": 1_250_000,
        "rekey_in": 1834,
        **more,
    }


def phase2(name: str, state: str = "up", **options: t.Any) -> Facts:
    up = state in ("up", "partial", "outdated")
    return {
        "name": name,
        "state": state,
        "since": "2026-01-31T11:20:00+00:00",
        "quantum_safe": False if up else None,
        "options": {"protocol": "esp", **examples.child(name=name, **options).to_options()},
        "sas": [child()] if up else [],
        "missing": copy.deepcopy(MISSING) if state == "partial" else [],
        "pending": copy.deepcopy(PENDING) if state == "outdated" else [],
        # A copy, because a test may change the explanation.
        "explanation": copy.deepcopy(WHYS.get(state)),
    }


def phase1(name: str, remote: str, *children: Facts, **more: t.Any) -> Facts:
    up = any(item["state"] in ("up", "partial", "outdated") for item in children)
    return {
        "name": name,
        "network": "lan",
        "advanced": False,
        "state": "up" if up else "down",
        "since": "2026-01-29T09:12:00+00:00",
        "quantum_safe": False if up else None,
        "options": {"remote_gateway": remote},
        "sas": [ike(remote)] if up else [],
        "pending": [],
        "phase2": list(children),
        "certificates": [],
        "drift": [],
        "log": [] if up else LOG,
        "explanation": None,
        **more,
    }


def host(address: str, *connections: Facts, **more: t.Any) -> Facts:
    """Return the result of a task with ipsec_info."""
    found = {
        "time": NOW,
        "addresses": [address],
        "daemon": {
            "running": True,
            "version": "6.0.1",
            "dataplane": "kernel",
            "plugins": [],
            "restart_needed": False,
        },
        "capabilities": {"version": "6.0.1", "ike_versions": [1, 2]},
        "advisories": [],
        "networks": [
            {"name": "lan", "state": "up", "interface": "vpn-lan", "addresses": ["10.1.0.1/24"]}
        ],
        "phase1": list(connections),
        "unmanaged": [],
        "drift": [],
        **more,
    }
    return {"changed": False, "ipsec_info": found}
