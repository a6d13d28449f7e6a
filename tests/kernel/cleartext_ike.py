# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An IKEv1 initiator that sends its identity and hash in cleartext, as a few old gateways do.

``cleartext_ike.py RESPONDER OWN_ADDRESS`` with the PSK on standard input: Main Mode (RFC 2409
section 5.4) with AES 256, SHA-256 and group 14, up to message 5, which is not encrypted.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import socket
import struct
import sys

PRIME = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F"
    "83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B"
    "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510"
    "15728E5A8AACAA68FFFFFFFFFFFFFFFF",
    16,
)
MAIN_MODE = 2
SA, KE, ID, HASH, NONCE = 1, 4, 5, 8, 10
# AES with 256 bits, SHA-256, group 14, PSK, a lifetime in seconds: RFC 2409 appendix A.
ATTRIBUTES = ((1, 7), (14, 256), (2, 4), (4, 14), (3, 1), (11, 1), (12, 10800))


def payload(following: int, body: bytes) -> bytes:
    return struct.pack("!BBH", following, 0, 4 + len(body)) + body


def sa_body() -> bytes:
    attributes = b"".join(struct.pack("!HH", 0x8000 | kind, value) for kind, value in ATTRIBUTES)
    transform = payload(0, struct.pack("!BBH", 1, 1, 0) + attributes)
    proposal = payload(0, struct.pack("!BBBB", 1, 1, 0, 1) + transform)
    return struct.pack("!II", 1, 1) + proposal


def message(cookies: bytes, *payloads: tuple[int, bytes]) -> bytes:
    kinds = [kind for kind, _body in payloads] + [0]
    parts = [payload(kinds[index + 1], body) for index, (_kind, body) in enumerate(payloads)]
    body = b"".join(parts)
    head = struct.pack("!BBBBII", kinds[0], 0x10, MAIN_MODE, 0, 0, 28 + len(body))
    return cookies + head + body


def payloads_of(data: bytes) -> dict[int, bytes]:
    kind, rest, found = data[16], data[28:], {}
    while kind:
        following, _reserved, length = struct.unpack("!BBH", rest[:4])
        found[kind], rest, kind = rest[4:length], rest[length:], following
    return found


def prf(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.sha256).digest()


def main() -> None:
    responder, own = sys.argv[1:]
    psk = sys.stdin.buffer.read()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.bind((own, 500))
        wire.connect((responder, 500))
        wire.settimeout(20)
        cookie = os.urandom(8)
        wire.send(message(cookie + bytes(8), (SA, sa_body())))
        cookies = wire.recv(4096)[:16]
        secret, nonce = int.from_bytes(os.urandom(32), "big"), os.urandom(32)
        public = pow(2, secret, PRIME).to_bytes(256, "big")
        wire.send(message(cookies, (KE, public), (NONCE, nonce)))
        theirs = payloads_of(wire.recv(4096))
        key = prf(psk, nonce + theirs[NONCE])
        identity = struct.pack("!BBH", 1, 0, 0) + socket.inet_aton(own)
        proof = prf(key, public + theirs[KE] + cookies + sa_body() + identity)
        wire.send(message(cookies, (ID, identity), (HASH, proof)))


if __name__ == "__main__":
    main()
