# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Options of both phase 1 and phase 2."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  encryption:
    description:
      - The algorithms, as a list of combinations in order of preference. The responder chooses the
        first combination that it also supports.
      - In a phase 1 the algorithms protect the IKE SA (C(proposals)). In a phase 2 they protect the
        packets (C(esp_proposals) or C(ah_proposals)).
      - Default is one combination of AES with 256 bits, SHA-256 and group 14, which almost every
        peer supports. In a phase 2 the group enables PFS. With the protocol AH, no encryption is
        proposed.
    type: list
    elements: dict
    suboptions:
      algorithm:
        description:
          - The encryption algorithm. Default is V(aes). It is refused with the protocol AH, which
            does not encrypt.
          - Almost every peer supports V(aes), in CBC mode. V(aes-gcm), V(aes-ccm) and
            V(chacha20-poly1305) also authenticate (AEAD). IKEv1 supports V(aes-gcm) and V(aes-ccm)
            in phase 2 only, and does not support V(chacha20-poly1305). V(aes-ctr) is for phase 2
            only.
          - V(3des), V(blowfish) and V(cast128) are weak. See O(weak_crypto).
        type: str
        choices:
          - aes
          - aes-gcm
          - aes-ctr
          - aes-ccm
          - chacha20-poly1305
          - camellia
          - 3des
          - blowfish
          - cast128
      key_length:
        description:
          - Length of the key in bits. Default is the longest key of the algorithm.
          - V(128), V(192) or V(256). Three algorithms have a fixed length, V(256) for
            V(chacha20-poly1305), V(168) for V(3des) and V(128) for V(cast128).
        type: int
      hash:
        description:
          - The hash that authenticates the packets. Default is V(sha256). It is refused with an
            AEAD algorithm.
          - V(aesxcbc) in phase 1 requires IKEv2. V(aescmac) always requires IKEv2.
          - V(md5) and V(sha1) are weak. See O(weak_crypto).
        type: str
        choices:
          - md5
          - sha1
          - sha256
          - sha384
          - sha512
          - aesxcbc
          - aescmac
      dh_group:
        description:
          - The Diffie-Hellman group, by its number. V(14) to V(18) are MODP groups of 2048 to 8192
            bits. V(19) to V(21), V(25) and V(26) are elliptic curves of NIST, and V(27) to V(30)
            are elliptic curves of Brainpool. V(31) and V(32) are the curves 25519 and 448.
          - In a phase 1 the default is V(14). In a phase 2 the group enables perfect forward
            secrecy (PFS), which is optional. An entry of a phase 2 without a group has no PFS.
          - V(1), V(2), V(5), V(22), V(23) and V(24) are weak. See O(weak_crypto).
        type: int
        choices:
          - 1
          - 2
          - 5
          - 14
          - 15
          - 16
          - 17
          - 18
          - 19
          - 20
          - 21
          - 22
          - 23
          - 24
          - 25
          - 26
          - 27
          - 28
          - 29
          - 30
          - 31
          - 32
      prf:
        description:
          - The pseudo-random function that derives the keys, for phase 1 only. Default is
            O(encryption[].hash), or V(sha256) with an AEAD algorithm. IKEv1 supports no other value
            than the default.
        type: str
        choices:
          - md5
          - sha1
          - sha256
          - sha384
          - sha512
          - aesxcbc
          - aescmac
      additional_key_exchange:
        description:
          - Key exchanges beside O(encryption[].dh_group) that resist quantum computers (RFC 9370),
            as a list of rounds. The keys are secure while one of the key exchanges is secure.
          - A round is V(mlkem512), V(mlkem768) or V(mlkem1024), or a list of these in order of
            preference. The last alternative V(none) makes the round optional. For example,
            V([mlkem768]) is one round, and V([[mlkem768, none]]) is one optional round. Each method
            is for one round.
          - The option requires IKEv2 and a strongSwan with ML-KEM on this host. That is strongSwan
            6.0.2 or later with OpenSSL 3.5 or later. It is refused with C(key_exchange) V(ikev1)
            and V(auto), because IKEv1 has no additional key exchange.
          - A peer that knows RFC 9370 (strongSwan 6) skips an optional round that it does not have.
            An earlier peer, such as strongSwan 5, refuses the whole entry. For such a peer, add an
            entry without the option to O(encryption).
          - In a phase 2 the option requires O(encryption[].dh_group). It applies when the Child SA
            is rekeyed, because the first Child SA takes its keys from the IKE SA.
          - The messages of a round are larger than one packet. The IKE daemon splits them by IKE
            fragmentation (RFC 7383), which is always on.
        type: list
        elements: raw
  weak_crypto:
    description:
      - The reaction to cryptography that is no longer secure. V(allow) accepts it silently. V(warn)
        accepts it with a warning that names it. V(refuse) fails before any change.
      - These are weak. The algorithms V(3des), V(blowfish) and V(cast128). The hashes V(md5) and
        V(sha1). The groups V(1), V(2), V(5), V(22), V(23) and V(24). Aggressive mode with a
        pre-shared key. A PPK of fewer than 32 characters.
    type: str
    choices:
      - allow
      - warn
      - refuse
    default: warn
  quantum_safe:
    description:
      - The reaction to a tunnel whose recorded traffic a quantum computer could decrypt later.
        V(ignore) accepts it silently. V(warn) accepts it with a warning that names each entry of
        O(encryption) with this property. V(require) fails before any change.
      - A phase 1 is quantum safe if each entry of its O(encryption) has an
        O(encryption[].additional_key_exchange) with a round that is not optional. A phase 1 that
        requires a PPK (RFC 8784) is quantum safe too.
      - The keys of a phase 2 derive from the IKE SA, also with PFS. A phase 2 is therefore quantum
        safe if its phase 1 is. An additional key exchange of the phase 2 alone is not enough,
        because the first Child SA does not use it.
      - The option is about the confidentiality of the traffic. It does not check signatures and
        pre-shared keys, which an attacker would have to break during the negotiation.
      - M(tunnelwright.ipsec.ipsec_info) reports for each tunnel whether its SAs are quantum safe.
    type: str
    choices:
      - ignore
      - warn
      - require
    default: ignore
  apply:
    description:
      - Defines what happens to SAs that are up when a change requires that they are re-established.
      - V(graceful) loads the new values, negotiates new SAs beside the old SAs, and closes the old
        SAs when the new SAs carry traffic. If the peer does not accept the new values, the old SAs
        stay up, with a warning, until they are re-established. With the connection behavior
        V(responder_only), which never initiates, the old SAs stay up with the old values.
      - V(reestablish) closes the affected SAs and brings them up again with the new values. A new
        pre-shared key affects the IKE SA with this value only; V(graceful) and V(defer) keep the
        IKE SA.
      - V(defer) loads the new values and does not touch the SAs. The new values apply when the SAs
        are re-established. Neither a rekey nor a re-authentication by the daemon applies them.
      - M(tunnelwright.ipsec.ipsec_info) reports SAs that stay up with old values as V(outdated),
        with the values. For M(tunnelwright.ipsec.ipsec_connection) such SAs do not count as
        connected; C(state=reconnected) re-establishes them. A change back to the values of the SAs
        does not touch them.
      - RV(impact) and RV(impacts) report the effect, and in check mode they predict it.
    type: str
    choices:
      - graceful
      - reestablish
      - defer
    default: graceful
"""
