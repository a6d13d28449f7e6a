# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The one table of algorithms: validation, proposals, choices and documentation derive from it.

A name is the value of an option. A keyword is the text in ``connections.<conn>.proposals`` and
``children.<child>.esp_proposals``. A ``charon`` name is the name in the vici command
``get-algorithms``. Versions, keywords and packages were measured with strongSwan 5.9.8 and 6.0.1
as Debian 12 and 13 ship them, and the additional key exchanges with strongSwan 6.1.0.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .platform import DEBIAN

IkeVersions = frozenset[int]

_BOTH: IkeVersions = frozenset({1, 2})
_IKEV2: IkeVersions = frozenset({2})
_NEVER: IkeVersions = frozenset()

_BASE = DEBIAN.plugin_packages["base"]
_STANDARD = DEBIAN.plugin_packages["standard"]
# The plugins of the standard package need a processor with AES instructions for some algorithms.
_EXTRA = DEBIAN.plugin_packages["extra"]

_SMALL_BLOCKS = "64-bit blocks, which repeat within one busy SA (Sweet32)"


@dataclass(frozen=True)
class Encryption:
    """An encryption algorithm, in all its key lengths.

    ``{}`` in ``keyword`` stands for the key length. ``ike`` and ``child`` are the IKE versions that
    can negotiate it for an IKE SA and for an ESP SA. ``weak`` is the reason, empty if it is not.
    """

    name: str
    keyword: str
    key_lengths: tuple[int, ...]  # in bits
    default_key_length: int
    charon: str
    package: str
    ike: IkeVersions = _BOTH
    child: IkeVersions = _BOTH
    aead: bool = False
    weak: str = ""

    @property
    def label(self) -> str:
        return self.name

    @property
    def kind(self) -> str:
        """Return the section of ``get-algorithms`` that lists the algorithm."""
        return "aead" if self.aead else "encryption"


@dataclass(frozen=True)
class Hash:
    """A hash, as integrity algorithm and as pseudo-random function (PRF) of an IKE SA.

    Its name is strongSwan's keyword too; the PRF's has ``prf`` before it. ``ike`` and ``child`` are
    the IKE versions that can negotiate it for an IKE SA and for an ESP or AH SA.
    """

    name: str
    integrity: str
    prf: str
    package: str
    ike: IkeVersions = _BOTH
    child: IkeVersions = _BOTH
    weak: str = ""

    @property
    def label(self) -> str:
        return self.name


@dataclass(frozen=True)
class DhGroup:
    """A Diffie-Hellman group by its IANA number; every group works in every use and version."""

    number: int
    keyword: str
    charon: str
    package: str
    weak: str = ""

    @property
    def label(self) -> str:
        return f"DH group {self.number}"


@dataclass(frozen=True)
class AdditionalKeyExchange:
    """A key exchange beside the DH group, which resists quantum computers (RFC 9370).

    ``{}`` in ``keyword`` stands for the number of the round. IKEv1 has no additional key exchange.
    ``release`` are the releases whose ``package`` has it.
    """

    name: str
    keyword: str
    charon: str
    package: str
    release: str

    @property
    def label(self) -> str:
        return self.name


_AES = (128, 192, 256)

ENCRYPTIONS: t.Mapping[str, Encryption] = {
    row.name: row
    for row in (
        Encryption("aes", "aes{}", _AES, 256, "AES_CBC", _BASE),
        Encryption(
            "aes-gcm", "aes{}gcm16", _AES, 256, "AES_GCM_16", _STANDARD, ike=_IKEV2, aead=True
        ),
        # For phase 2 only: IKEv1 has no number for it in an IKE SA, and in IKEv2 AEAD is better.
        Encryption("aes-ctr", "aes{}ctr", _AES, 256, "AES_CTR", _STANDARD, ike=_NEVER),
        Encryption(
            "aes-ccm", "aes{}ccm16", _AES, 256, "AES_CCM_16", _STANDARD, ike=_IKEV2, aead=True
        ),
        Encryption(
            "chacha20-poly1305",
            "chacha20poly1305",
            (256,),
            256,
            "CHACHA20_POLY1305",
            _STANDARD,
            ike=_IKEV2,
            child=_IKEV2,
            aead=True,
        ),
        Encryption("camellia", "camellia{}", _AES, 256, "CAMELLIA_CBC", _STANDARD),
        Encryption("3des", "3des", (168,), 168, "3DES_CBC", _STANDARD, weak=_SMALL_BLOCKS),
        Encryption(
            "blowfish", "blowfish{}", _AES, 256, "BLOWFISH_CBC", _STANDARD, weak=_SMALL_BLOCKS
        ),
        Encryption("cast128", "cast128", (128,), 128, "CAST_CBC", _STANDARD, weak=_SMALL_BLOCKS),
    )
}

HASHES: t.Mapping[str, Hash] = {
    row.name: row
    for row in (
        Hash("md5", "HMAC_MD5_96", "PRF_HMAC_MD5", _BASE, weak="broken as a hash (RFC 6151)"),
        Hash("sha1", "HMAC_SHA1_96", "PRF_HMAC_SHA1", _BASE, weak="broken as a hash (SHAttered)"),
        Hash("sha256", "HMAC_SHA2_256_128", "PRF_HMAC_SHA2_256", _BASE),
        Hash("sha384", "HMAC_SHA2_384_192", "PRF_HMAC_SHA2_384", _BASE),
        Hash("sha512", "HMAC_SHA2_512_256", "PRF_HMAC_SHA2_512", _BASE),
        Hash("aesxcbc", "AES_XCBC_96", "PRF_AES128_XCBC", _EXTRA, ike=_IKEV2),
        Hash("aescmac", "AES_CMAC_96", "PRF_AES128_CMAC", _EXTRA, ike=_IKEV2, child=_IKEV2),
    )
}

DH: t.Mapping[int, DhGroup] = {
    row.number: row
    for row in (
        DhGroup(1, "modp768", "MODP_768", _BASE, "768 bits, MUST NOT (RFC 8247)"),
        DhGroup(2, "modp1024", "MODP_1024", _BASE, "1024 bits, SHOULD NOT (RFC 8247)"),
        DhGroup(5, "modp1536", "MODP_1536", _BASE, "1536 bits, SHOULD NOT (RFC 8247)"),
        DhGroup(14, "modp2048", "MODP_2048", _BASE),
        DhGroup(15, "modp3072", "MODP_3072", _BASE),
        DhGroup(16, "modp4096", "MODP_4096", _BASE),
        DhGroup(17, "modp6144", "MODP_6144", _BASE),
        DhGroup(18, "modp8192", "MODP_8192", _BASE),
        DhGroup(19, "ecp256", "ECP_256", _STANDARD),
        DhGroup(20, "ecp384", "ECP_384", _STANDARD),
        DhGroup(21, "ecp521", "ECP_521", _STANDARD),
        DhGroup(22, "modp1024s160", "MODP_1024_160", _BASE, "small subgroup, MUST NOT (RFC 8247)"),
        DhGroup(
            23, "modp2048s224", "MODP_2048_224", _BASE, "small subgroup, SHOULD NOT (RFC 8247)"
        ),
        DhGroup(
            24, "modp2048s256", "MODP_2048_256", _BASE, "small subgroup, SHOULD NOT (RFC 8247)"
        ),
        DhGroup(25, "ecp192", "ECP_192", _STANDARD),
        DhGroup(26, "ecp224", "ECP_224", _STANDARD),
        DhGroup(27, "ecp224bp", "ECP_224_BP", _STANDARD),
        DhGroup(28, "ecp256bp", "ECP_256_BP", _STANDARD),
        DhGroup(29, "ecp384bp", "ECP_384_BP", _STANDARD),
        DhGroup(30, "ecp512bp", "ECP_512_BP", _STANDARD),
        DhGroup(31, "curve25519", "CURVE_25519", _STANDARD),
        DhGroup(32, "curve448", "CURVE_448", _STANDARD),
    )
}

# The plugin of strongSwan that has ML-KEM uses OpenSSL.
_ML_KEM = "strongSwan 6.0.2 or later with OpenSSL 3.5 or later"

ADDITIONAL_KEY_EXCHANGES: t.Mapping[str, AdditionalKeyExchange] = {
    row.name: row
    for row in (
        AdditionalKeyExchange("mlkem512", "ke{}_mlkem512", "ML_KEM_512", _BASE, _ML_KEM),
        AdditionalKeyExchange("mlkem768", "ke{}_mlkem768", "ML_KEM_768", _BASE, _ML_KEM),
        AdditionalKeyExchange("mlkem1024", "ke{}_mlkem1024", "ML_KEM_1024", _BASE, _ML_KEM),
    )
}
# RFC 9370 section 2.1 has the transform types 6 to 12.
MOST_ROUNDS = 7
# The alternative that makes a round optional.
NO_ROUND = "none"

# The choices of the options.
ENCRYPTION_NAMES: tuple[str, ...] = tuple(ENCRYPTIONS)
HASH_NAMES: tuple[str, ...] = tuple(HASHES)
PRF_NAMES: tuple[str, ...] = HASH_NAMES
DH_GROUPS: tuple[int, ...] = tuple(DH)

DEFAULT_ENCRYPTION = "aes"
DEFAULT_HASH = "sha256"
DEFAULT_DH_GROUP = 14

# The suboptions of each keyword.
MEANING: t.Mapping[str, t.Mapping[str, str | int]] = {
    **{
        row.keyword.format(length): {"algorithm": row.name, "key_length": length}
        for row in ENCRYPTIONS.values()
        for length in row.key_lengths
    },
    **{name: {"hash": name} for name in HASH_NAMES},
    **{f"prf{name}": {"prf": name} for name in PRF_NAMES},
    **{row.keyword: {"dh_group": row.number} for row in DH.values()},
}
