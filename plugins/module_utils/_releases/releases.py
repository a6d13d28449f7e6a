# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""strongSwan in the releases of Debian: versions, algorithms and plugins. Pure.

The names of algorithms are the names of charon. They were measured on 2026-11-30 with the command
``get-algorithms`` of vici, for each set of plugin packages, with strongSwan 5.9.8-5+deb12u6,
6.0.1-6+deb13u7 and 6.1.0-2. The processor had AES instructions.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._model.capabilities import KDF, NEEDS_KDF

BASE = "libstrongswan"
STANDARD = "libstrongswan-standard-plugins"
EXTRA = "libstrongswan-extra-plugins"
CHARON_EXTRA = "libcharon-extra-plugins"


def words(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


# The plugin aesni has these, on a processor with AES instructions.
AES_INSTRUCTIONS = frozenset({"AES_CMAC_96", "AES_XCBC_96", "PRF_AES128_CMAC", "PRF_AES128_XCBC"})

_BASE_12 = words(
    """
    AES_CBC AES_ECB AES_XCBC_96 HMAC_MD5_128 HMAC_MD5_96 HMAC_SHA1_128 HMAC_SHA1_160
    HMAC_SHA1_96 HMAC_SHA2_256_128 HMAC_SHA2_256_256 HMAC_SHA2_384_192 HMAC_SHA2_384_384
    HMAC_SHA2_512_256 HMAC_SHA2_512_512 MODP_1024 MODP_1024_160 MODP_1536 MODP_2048
    MODP_2048_224 MODP_2048_256 MODP_3072 MODP_4096 MODP_6144 MODP_768 MODP_8192
    MODP_CUSTOM PRF_AES128_XCBC PRF_FIPS_SHA1_160 PRF_HMAC_MD5 PRF_HMAC_SHA1
    PRF_HMAC_SHA2_256 PRF_HMAC_SHA2_384 PRF_HMAC_SHA2_512 PRF_KEYED_SHA1 RC2_CBC
    """
)
# OpenSSL is in the standard package of Debian 12, and in the base package of later releases.
_OPENSSL = words(
    """
    3DES_CBC AES_CCM_12 AES_CCM_16 AES_CCM_8 AES_CFB AES_CTR AES_GCM_12 AES_GCM_16
    AES_GCM_8 BLOWFISH_CBC CAMELLIA_CBC CAMELLIA_CTR CAST_CBC CHACHA20_POLY1305
    CURVE_25519 CURVE_448 DES_CBC DES_ECB ECP_192 ECP_224 ECP_224_BP ECP_256 ECP_256_BP
    ECP_384 ECP_384_BP ECP_512_BP ECP_521 NULL
    """
)
_STANDARD_12 = _OPENSSL | words("AES_CMAC_96 CAMELLIA_XCBC_96 PRF_AES128_CMAC PRF_CAMELLIA128_XCBC")
_EXTRA_12 = words(
    """
    3DES_CBC AES_CCM_12 AES_CCM_16 AES_CCM_8 AES_CFB AES_CMAC_96 AES_CTR BLOWFISH_CBC
    CAMELLIA_CBC CAMELLIA_CCM_12 CAMELLIA_CCM_16 CAMELLIA_CCM_8 CAMELLIA_CTR
    CAMELLIA_XCBC_96 CAST_CBC CHACHA20_POLY1305 CURVE_25519 DES_CBC DES_ECB
    PRF_AES128_CMAC PRF_CAMELLIA128_XCBC SERPENT_CBC TWOFISH_CBC
    """
)
_BASE_13 = (_BASE_12 | _OPENSSL) - words("AES_XCBC_96 PRF_AES128_XCBC PRF_FIPS_SHA1_160 RC2_CBC")
_EXTRA_14 = AES_INSTRUCTIONS | words(
    """
    CAMELLIA_CCM_12 CAMELLIA_CCM_16 CAMELLIA_CCM_8 CAMELLIA_XCBC_96 PRF_CAMELLIA128_XCBC
    PRF_FIPS_SHA1_160 RC2_CBC
    """
)

# The plugins of each package in Debian 14. The other releases differ from it as noted there.
_PLUGINS_14 = {
    BASE: words(
        """
    attr constraints dnskey drbg kernel-netlink nonce openssl pem pkcs1 pkcs7 pkcs8 pubkey
    random resolve revocation x509
    """
    ),
    STANDARD: words("aesni agent connmark gcm sshkey"),
    EXTRA: words(
        """
    aes ccm chapoly cmac ctr curl curve25519 fips-prf gmp hmac kdf ldap md5 mgf1 pgp
    pkcs11 pkcs12 rc2 rdrand sha1 sha2 test-vectors tpm xcbc
    """
    ),
    CHARON_EXTRA: words(
        """
    addrblock certexpire dhcp eap-aka eap-gtc eap-identity eap-md5 eap-radius eap-tls
    eap-tnc eap-ttls error-notify farp forecast ha kernel-libipsec lookip tnc-tnccs unity
    xauth-eap xauth-pam
    """
    ),
}
_PLUGINS_13 = {
    **_PLUGINS_14,
    EXTRA: _PLUGINS_14[EXTRA] | {"af-alg", "gcrypt"},
    CHARON_EXTRA: _PLUGINS_14[CHARON_EXTRA] | {"led"},
}
# Moved to the extra package in Debian 13.
_MOVED = words("aes fips-prf gmp hmac kdf md5 mgf1 pgp pkcs12 rc2 sha1 sha2 xcbc")
_PLUGINS_12 = {
    **_PLUGINS_13,
    BASE: (_PLUGINS_13[BASE] | _MOVED | {"sshkey"}) - {"openssl"},
    STANDARD: (_PLUGINS_13[STANDARD] | {"openssl"}) - {"sshkey"},
    EXTRA: _PLUGINS_13[EXTRA] - _MOVED,
}


@dataclass(frozen=True)
class DebianRelease:
    """A release of Debian. ``name`` is the value of the variable of the user.

    ``number`` orders the releases. ``algorithms`` and ``plugins`` have the names of each package.
    """

    name: str
    number: int
    codename: str
    strongswan: str
    nftables: str
    python: str
    ike_versions: frozenset[int]
    algorithms: t.Mapping[str, frozenset[str]]
    plugins: t.Mapping[str, frozenset[str]]

    @property
    def title(self) -> str:
        return f"Debian {self.number}"

    def available(self, packages: t.Container[str], *, aes: bool) -> frozenset[str]:
        """Return the algorithms with these packages; ``aes``: the processor has instructions."""
        found: set[str] = set()
        for package, names in self.algorithms.items():
            if package in packages:
                found |= names - AES_INSTRUCTIONS if package == STANDARD and not aes else names
        return frozenset(found)

    def usable(self, packages: t.Container[str], *, aes: bool) -> frozenset[str]:
        """Return the algorithms of which the daemon can also derive keys."""
        found = self.available(packages, aes=aes)
        has_kdf = any(KDF in self.plugins[name] for name in self.plugins if name in packages)
        return found if has_kdf else found - NEEDS_KDF

    def package_of(self, algorithm: str) -> str | None:
        """Return a package that has an algorithm on every processor, or None."""
        order = (BASE, EXTRA, STANDARD)
        return next((item for item in order if algorithm in self.algorithms[item]), None)


_BOTH = frozenset({1, 2})

RELEASES: t.Mapping[str, DebianRelease] = {
    item.name: item
    for item in (
        DebianRelease(
            "debian12",
            12,
            "bookworm",
            "5.9.8",
            "1.0.6",
            "3.11",
            _BOTH,
            {BASE: _BASE_12, STANDARD: _STANDARD_12, EXTRA: _EXTRA_12},
            _PLUGINS_12,
        ),
        DebianRelease(
            "debian13",
            13,
            "trixie",
            "6.0.1",
            "1.1.3",
            "3.13",
            _BOTH,
            {
                BASE: _BASE_13,
                STANDARD: AES_INSTRUCTIONS,
                EXTRA: _EXTRA_14 | {"SERPENT_CBC", "TWOFISH_CBC"},
            },
            _PLUGINS_13,
        ),
        # The testing release of 2026-11-30, forky.
        DebianRelease(
            "debian14",
            14,
            "forky",
            "6.1.0",
            "1.1.7",
            "3.14",
            frozenset({2}),
            {
                BASE: _BASE_13 | {"ML_KEM_512", "ML_KEM_768", "ML_KEM_1024"},
                STANDARD: AES_INSTRUCTIONS,
                EXTRA: _EXTRA_14,
            },
            _PLUGINS_14,
        ),
    )
}


def release_of_codename(codename: str) -> DebianRelease | None:
    """Return the release of a host, or None for a release that the table does not know."""
    return next((item for item in RELEASES.values() if item.codename == codename), None)
