# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""What phase 1 and phase 2 have in common."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  encryption:
    description:
      - The algorithms, as a list of combinations in order of preference. The peer picks the first
        one that it takes too.
      - In a phase 1 they protect the IKE SA (C(proposals)), in a phase 2 the packets
        (C(esp_proposals) or C(ah_proposals)).
      - Left out, one combination of AES with 256 bits, SHA-256 and group 14, which almost every
        peer takes. In a phase 2 the group is PFS, and with the protocol AH there is no AES.
    type: list
    elements: dict
    suboptions:
      algorithm:
        description:
          - The encryption algorithm. Left out, V(aes). Not given with the protocol AH, which does
            not encrypt.
          - V(aes), in CBC mode, is taken by almost every peer. V(aes-gcm), V(aes-ccm) and
            V(chacha20-poly1305) authenticate what they encrypt (AEAD). IKEv1 takes them in phase 2
            only, and V(chacha20-poly1305) not at all. V(aes-ctr) is for phase 2 only.
          - V(3des), V(blowfish) and V(cast128) are weak, see O(weak_crypto).
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
          - Length of the key in bits. Left out, the longest one.
          - V(128), V(192) or V(256), except for the algorithms with a fixed length, V(256) for
            V(chacha20-poly1305), V(168) for V(3des) and V(128) for V(cast128).
        type: int
      hash:
        description:
          - The hash that authenticates the packets. Left out, V(sha256). Not given with an AEAD
            algorithm.
          - V(aesxcbc) and V(aescmac) need IKEv2, except for V(aesxcbc) in phase 2.
          - V(md5) and V(sha1) are weak, see O(weak_crypto).
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
            bits, V(19) to V(21) and V(25) to V(30) elliptic curves of NIST and Brainpool, V(31) and
            V(32) the curves 25519 and 448.
          - Left out in a phase 1, V(14). In a phase 2 the group is perfect forward secrecy (PFS),
            which is optional. Left out of an entry there, that entry has no PFS.
          - V(1), V(2), V(5), V(22), V(23) and V(24) are weak, see O(weak_crypto).
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
          - The pseudo-random function that the keys are derived with, for phase 1 only. Left out,
            that of O(encryption[].hash), and V(sha256) with an AEAD algorithm. IKEv1 takes no
            other.
        type: str
        choices:
          - md5
          - sha1
          - sha256
          - sha384
          - sha512
          - aesxcbc
          - aescmac
  weak_crypto:
    description:
      - What to do with cryptography that does not protect any more. V(allow) takes it silently,
        V(warn) takes it with a warning that names it, V(refuse) fails before anything is changed.
      - Weak are the algorithms V(3des), V(blowfish) and V(cast128), the hashes V(md5) and V(sha1),
        the groups V(1), V(2), V(5), V(22), V(23) and V(24), and aggressive mode with a pre-shared
        key.
    type: str
    choices:
      - allow
      - warn
      - refuse
    default: warn
  apply:
    description:
      - What happens to SAs that are up when a change needs them to be established anew.
      - V(graceful) loads the new values, has new SAs negotiated beside the old ones, and closes the
        old ones when the new ones carry traffic. Where the peer does not take the new values, the
        old SAs stay up, with a warning, until they are established anew. With the connection
        behavior V(responder_only), which never initiates, they stay up with the old values.
      - V(reestablish) closes the SAs that are concerned and brings them up again with the new
        values. A new pre-shared key concerns the IKE SA, which the other two leave alone for it.
      - V(defer) loads the new values and leaves the SAs alone. The new values come into force when
        the SAs are established anew. Neither a rekeying nor a re-authentication by the daemon is
        that.
      - SAs that stay up with old values are V(outdated) in M(tunnelwright.ipsec.ipsec_info), with
        the values. M(tunnelwright.ipsec.ipsec_connection) does not take them for connected, and
        establishes them anew with C(state=reconnected). A change back to the values that they have
        leaves them alone.
      - RV(impact) and RV(impacts) tell beforehand, in check mode too.
    type: str
    choices:
      - graceful
      - reestablish
      - defer
    default: graceful
"""
