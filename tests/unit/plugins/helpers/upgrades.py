# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gateways before an upgrade, as ipsec_info and ipsec_diagnostics report them."""

from __future__ import annotations

import typing as t

from ansible_collections.tunnelwright.ipsec.plugins.module_utils._releases.releases import (
    BASE,
    RELEASES,
    STANDARD,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.fleets import host, phase1

Facts = dict[str, t.Any]

SWANCTL_CONF = "/etc/swanctl/swanctl.conf"
STRONGSWAN_CONF = "/etc/strongswan.conf"
ROAD = "/etc/swanctl/conf.d/road.conf"
FILES = {
    SWANCTL_CONF: "include conf.d/*.conf\n",
    STRONGSWAN_CONF: "include strongswan.d/*.conf\n",
}
KINDS = {
    "encryption": ("AES_CBC", "CAMELLIA_CBC", "SERPENT_CBC", "TWOFISH_CBC", "BLOWFISH_CBC"),
    "aead": ("AES_GCM_16", "CAMELLIA_CCM_16"),
    "integrity": ("HMAC_SHA2_256_128", "AES_XCBC_96", "AES_CMAC_96"),
    "prf": ("PRF_HMAC_SHA2_256", "PRF_AES128_XCBC", "PRF_AES128_CMAC"),
    "key_exchange": ("MODP_2048", "CURVE_25519"),
}
AES = {"algorithm": "aes", "key_length": 256, "hash": "sha256", "dh_group": 14}


def gateway(
    *connections: Facts,
    release: str = "debian12",
    packages: t.Sequence[str] = (BASE, STANDARD),
    **more: t.Any,
) -> Facts:
    """Return the result of ipsec_info of a gateway with a release of Debian."""
    known = RELEASES[release]
    version = f"{known.strongswan}-1"
    found: Facts = host("203.0.113.10", *connections)["ipsec_info"]
    found["networks"][0]["settings"] = {"cisco_extensions": False, "unencrypted_main_mode": False}
    available = known.available(packages, aes=True)
    found["daemon"] = {**found["daemon"], "version": known.strongswan}
    found["capabilities"] = {
        kind: [name for name in names if name in available] for kind, names in KINDS.items()
    }
    found["packages"] = {
        "distribution": "debian",
        "codename": known.codename,
        "installed": {**dict.fromkeys(packages, version), "nftables": "1.0.6-2"},
    }
    return {**found, **more}


def connection(name: str = "site-b", *versions: int, **options: t.Any) -> Facts:
    """Return a phase 1 with an IKE SA of each of these versions."""
    found = phase1(name, "203.0.113.20", state="up" if versions else "idle")
    found["options"].update({"key_exchange": "ikev2", "encryption": [AES], **options})
    found["sas"] = [{"version": version, "state": "ESTABLISHED"} for version in versions]
    return found


def texts(road: str, **files: str) -> dict[str, str]:
    """Return the files of a host, with a file of another administrator."""
    return {**FILES, ROAD: road, **files}
