# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The security fixes of strongSwan in Debian, and the fixes that a host lacks. Pure.

The table holds the uploads that fix a CVE, each as its entry in the Debian changelog of strongSwan
lists it. A host lacks a fix only if its package has a version of the same branch, and this version
is lower than the version of the upload. All other versions are unknown: rebuilt packages, packages
of other distributions, and versions that are older than the table.

A branch begins with the version that Debian released. A CVE that no upload of a branch lists is
unknown in this branch. For example, no upload of bookworm lists CVE-2026-78133, and no source says
whether 5.9.8 is vulnerable.

CVE-2023-41913 (5.9.8-5+deb12u1) is left out. It concerns charon-tkm, and Debian does not build it.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .debian_version import lowest, older
from .packages import Installed

# The day on which the changelogs were read.
TABLE_DATE = "2026-11-30"

_DEBIAN = "debian"
_SOURCE = "strongswan"
# Packages that contain a part of strongSwan, in any of the releases.
_LIBRARY = ("libstrongswan",)
_OPENSSL = ("libstrongswan", "libstrongswan-standard-plugins")
_GMP = ("libstrongswan", "libstrongswan-extra-plugins")
_DAEMON = ("strongswan-libcharon",)
_EXTRA = ("libcharon-extra-plugins",)
_EXTAUTH = ("libcharon-extauth-plugins",)
_NM = ("strongswan-nm",)


@dataclass(frozen=True)
class Vulnerability:
    """A CVE: the part of strongSwan, the packages that may contain this part, and the effect."""

    component: str
    packages: tuple[str, ...]
    effect: str


@dataclass(frozen=True)
class Upload:
    """An upload of strongSwan that fixes vulnerabilities. ``date`` is from its changelog entry."""

    version: str
    suite: str
    date: str
    fixes: tuple[str, ...]

    @property
    def source(self) -> str:
        return f"Debian changelog of {_SOURCE} {self.version} ({self.suite}, {self.date})"


@dataclass(frozen=True)
class Branch:
    """A series of uploads, each of which contains the fixes of the earlier ones.

    ``first`` is the earliest version that the table knows, and ``versions`` matches its versions.
    """

    name: str
    first: str
    versions: str
    uploads: tuple[Upload, ...]

    def has(self, version: str) -> bool:
        known = re.fullmatch(self.versions, version) is not None
        return known and not older(version, self.first)


@dataclass(frozen=True)
class Advisory:
    """A fix that a host lacks. ``package`` has the lowest version of the packages concerned."""

    id: str
    vulnerability: Vulnerability
    package: str
    installed: str
    upload: Upload


# The effects are from the NEWS file of strongSwan 6.1.0, which describes each CVE.
VULNERABILITIES: t.Mapping[str, Vulnerability] = {
    "CVE-2025-62291": Vulnerability(
        "plugin eap-mschapv2",
        _EXTAUTH,
        "A Failure Request packet can overflow a buffer on the client, possibly remote code "
        "execution.",
    ),
    "CVE-2025-9615": Vulnerability(
        "charon-nm", _NM, "Credentials of other local users can be used through NetworkManager."
    ),
    "CVE-2026-25075": Vulnerability(
        "plugin eap-ttls", _EXTRA, "EAP-TTLS AVPs can exhaust the memory or crash the daemon."
    ),
    "CVE-2026-35328": Vulnerability(
        "libtls", _EXTRA, "The extension supported_versions of TLS can cause an infinite loop."
    ),
    "CVE-2026-35329": Vulnerability(
        "libstrongswan and plugin pkcs7",
        _LIBRARY,
        "An encrypted PKCS#7 container can cause a crash.",
    ),
    "CVE-2026-35330": Vulnerability(
        "libsimaka",
        _EXTRA,
        "EAP-SIM/AKA attributes can cause an infinite loop or a heap overflow, possibly remote "
        "code execution.",
    ),
    "CVE-2026-35331": Vulnerability(
        "plugin constraints",
        _LIBRARY,
        "A certificate that violates X.509 name constraints can authenticate.",
    ),
    "CVE-2026-35332": Vulnerability(
        "libtls", _EXTRA, "An ECDH public value in TLS before 1.3 can cause a crash."
    ),
    "CVE-2026-35333": Vulnerability(
        "libradius",
        _EXTRA,
        "RADIUS attributes can cause an infinite loop or an out-of-bounds read, and so a crash.",
    ),
    "CVE-2026-35334": Vulnerability("plugin gmp", _GMP, "RSA decryption can cause a crash."),
    "CVE-2026-47895": Vulnerability(
        "libstrongswan",
        _LIBRARY,
        "The cloning of certain identities can free memory twice, possibly remote code execution.",
    ),
    "CVE-2026-78123": Vulnerability(
        "plugin openssl", _OPENSSL, "A PKCS#7 container can cause a crash."
    ),
    "CVE-2026-78124": Vulnerability(
        "plugin openssl", _OPENSSL, "Certificates in a PKCS#7 container can leak memory."
    ),
    "CVE-2026-78126": Vulnerability(
        "plugin eap-aka", _EXTRA, "An unexpected AKA-Synchronization-Failure can cause a crash."
    ),
    "CVE-2026-78127": Vulnerability(
        "libcharon", _DAEMON, "The logging of IKE messages can exhaust the memory."
    ),
    "CVE-2026-78129": Vulnerability(
        "libstrongswan", _LIBRARY, "An encrypted PKCS#7 container can cause a denial of service."
    ),
    "CVE-2026-78130": Vulnerability(
        "plugin x509",
        _LIBRARY,
        "The verification of an attribute certificate can cause a denial of service.",
    ),
    "CVE-2026-78131": Vulnerability(
        "plugin x509", _LIBRARY, "The identities in an attribute certificate can leak memory."
    ),
    "CVE-2026-78132": Vulnerability(
        "plugin x509",
        _LIBRARY,
        "The attribute ietfAttrSyntax of an attribute certificate can cause a denial of service.",
    ),
    "CVE-2026-78133": Vulnerability(
        "libcharon",
        _DAEMON,
        "A collision of IKEv2 rekeys can use freed memory, possibly remote code execution.",
    ),
    "CVE-2026-78134": Vulnerability(
        "plugins eap-peap and eap-ttls",
        _EXTRA,
        "Inner EAP methods can bind a wrong identity, possibly an authorization bypass.",
    ),
    "CVE-2026-78135": Vulnerability(
        "libcharon",
        _DAEMON,
        "A CREATE_CHILD_SA request can create a usable Child SA before the authentication is "
        "complete.",
    ),
}

_APRIL_2026 = tuple(f"CVE-2026-{number}" for number in range(35328, 35335))
_SEPTEMBER_2026 = tuple(
    f"CVE-2026-{number}"
    for number in (78123, 78124, 78126, 78127, 78129, 78130, 78131, 78132, 78133, 78134, 78135)
)

BRANCHES = (
    Branch(
        "Debian 12",
        "5.9.8-5",
        r"5\.9\.8-5(\+deb12u[0-9]+)?",
        (
            Upload("5.9.8-5+deb12u2", "bookworm-security", "2025-10-15", ("CVE-2025-62291",)),
            Upload("5.9.8-5+deb12u3", "bookworm-security", "2026-03-18", ("CVE-2026-25075",)),
            Upload("5.9.8-5+deb12u4", "bookworm-security", "2026-04-13", _APRIL_2026),
            Upload("5.9.8-5+deb12u5", "bookworm-security", "2026-05-27", ("CVE-2026-47895",)),
            Upload(
                "5.9.8-5+deb12u6",
                "bookworm-security",
                "2026-11-02",
                tuple(item for item in _SEPTEMBER_2026 if item != "CVE-2026-78133"),
            ),
        ),
    ),
    Branch(
        "Debian 13",
        "6.0.1-6",
        r"6\.0\.1-6(\+deb13u[0-9]+)?",
        (
            Upload("6.0.1-6+deb13u2", "trixie-security", "2025-10-15", ("CVE-2025-62291",)),
            Upload("6.0.1-6+deb13u3", "trixie-security", "2025-12-15", ("CVE-2025-9615",)),
            Upload("6.0.1-6+deb13u4", "trixie-security", "2026-03-16", ("CVE-2026-25075",)),
            Upload("6.0.1-6+deb13u5", "trixie-security", "2026-04-09", _APRIL_2026),
            Upload("6.0.1-6+deb13u6", "trixie-security", "2026-05-27", ("CVE-2026-47895",)),
            Upload("6.0.1-6+deb13u7", "trixie-security", "2026-09-01", _SEPTEMBER_2026),
        ),
    ),
    # Each of these CVEs is fixed in Debian 13 by a patch, so that 6.0.1 and all versions up to the
    # fix are vulnerable.
    Branch(
        "Debian testing and unstable",
        "6.0.2-1",
        r"[0-9]+(\.[0-9]+)+-[0-9]+(\.[0-9]+)?",
        (
            Upload("6.0.3-1", "unstable", "2025-10-30", ("CVE-2025-62291",)),
            Upload("6.0.4-1", "unstable", "2025-12-15", ("CVE-2025-9615",)),
            Upload("6.0.5-1", "unstable", "2026-03-24", ("CVE-2026-25075",)),
            Upload("6.0.6-1", "unstable", "2026-04-26", _APRIL_2026),
            Upload("6.0.7-1", "unstable", "2026-06-08", ("CVE-2026-47895",)),
            Upload("6.1.0-1", "unstable", "2026-09-07", _SEPTEMBER_2026),
        ),
    ),
)


def lacking(installed: Installed) -> tuple[Advisory, ...] | None:
    """Return the fixes that the packages of a host lack, the newest first. None if unknown.

    The answer is unknown if the host is not Debian, or if the table does not know the version of a
    package of strongSwan.
    """
    packages = installed.of_source(_SOURCE)
    if installed.distribution != _DEBIAN or not packages:
        return None
    found: list[Advisory] = []
    for name, version in packages.items():
        branch = _branch_of(version)
        if branch is None:
            return None
        found += [
            Advisory(fix, VULNERABILITIES[fix], name, version, upload)
            for upload in branch.uploads
            if older(version, upload.version)
            for fix in upload.fixes
            if name in VULNERABILITIES[fix].packages
        ]
    by_id: dict[str, list[Advisory]] = {}
    for item in found:
        by_id.setdefault(item.id, []).append(item)
    return tuple(_oldest(by_id[id]) for id in sorted(by_id, key=_number, reverse=True))


def _branch_of(version: str) -> Branch | None:
    return next((branch for branch in BRANCHES if branch.has(version)), None)


def _oldest(items: t.Sequence[Advisory]) -> Advisory:
    version = lowest(item.installed for item in items)
    return next(item for item in items if item.installed == version)


def _number(id: str) -> tuple[int, ...]:
    return tuple(int(part) for part in id.split("-")[1:])
