# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The blocks of a PEM file (RFC 7468): the blocks that may be copied, and that may be shown.

A file with a certificate often also holds its private key. A certificate is public. Every other
block counts as a secret.
"""

from __future__ import annotations

import base64
import re
import typing as t
from collections import Counter
from dataclasses import dataclass, field

from .._model.secret import MASK
from .pem import certificate_in

CERTIFICATE = "CERTIFICATE"
# The second and the third are older names of OpenSSL. A TRUSTED CERTIFICATE also holds the purposes
# for which OpenSSL trusts the certificate.
_CERTIFICATES = (CERTIFICATE, "X509 CERTIFICATE", "TRUSTED CERTIFICATE")
# Private keys that strongSwan 5.9.8 and 6.0.1 load over vici.
KEYS = ("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY")
# The curve of an EC key, which the key holds, too. strongSwan loads no file that begins with it.
_EC_PARAMETERS = "EC PARAMETERS"

_BOUNDARY = re.compile(rb"-----(BEGIN|END) ([^-\r\n]{1,64})-----(?:\r?\n)?")
# Another name may hold anything.
_LABEL = re.compile(r"[A-Z0-9][A-Z0-9 #]{0,63}")
_COLUMNS = 64
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class PemBlock:
    """A block, from ``start`` to ``end`` in its file. One without its END line is not ``whole``."""

    label: str
    body: bytes = field(repr=False)
    start: int
    end: int
    whole: bool = True

    @property
    def is_certificate(self) -> bool:
        return self.whole and self.label in _CERTIFICATES

    @property
    def is_key(self) -> bool:
        """Return whether the block is a private key, of any kind."""
        return self.label.endswith("PRIVATE KEY")

    @property
    def encrypted(self) -> bool:
        """Return whether reading the block needs a passphrase."""
        return "ENCRYPTED" in self.label or b"Proc-Type:" in self.body

    @property
    def content(self) -> bytes | None:
        """Return the DER in the block; None if the block is damaged, or holds no certificate."""
        try:
            data = base64.b64decode(b"".join(self.body.split()), validate=True)
        except ValueError:
            return None
        return certificate_in(data) if self.label in _CERTIFICATES else data or None


def blocks(data: bytes) -> tuple[PemBlock, ...]:
    """Return the blocks of a file, in order."""
    found = []
    opened: re.Match[bytes] | None = None
    for line in _BOUNDARY.finditer(data):
        if line[1] == b"BEGIN":
            if opened:
                found.append(_unfinished(opened, line.start()))
            opened = line
        elif opened and opened[2] == line[2]:
            body = data[opened.end() : line.start()]
            found.append(PemBlock(_label(line), body, opened.start(), line.end()))
            opened = None
    if opened:
        found.append(_unfinished(opened, len(data)))
    return tuple(found)


def _unfinished(opened: re.Match[bytes], end: int) -> PemBlock:
    return PemBlock(_label(opened), b"", opened.start(), end, whole=False)


def _label(line: re.Match[bytes]) -> str:
    name = line[2].decode("latin-1")
    return name if _LABEL.fullmatch(name) else "block of another name"


def certificates(data: bytes) -> tuple[bytes, ...]:
    """Return the certificates of a file in PEM, each alone, in the form that may be copied."""
    found = (block.content for block in blocks(data) if block.is_certificate)
    return tuple(written(content) for content in found if content)


def written(content: bytes) -> bytes:
    """Return a certificate in PEM, from DER."""
    return _written(CERTIFICATE, content)


def private_key(block: PemBlock) -> bytes:
    """Return a private key in the form that may be copied; empty if the block is damaged."""
    return _written(block.label, block.content) if block.content else b""


def _written(label: str, content: bytes) -> bytes:
    text = base64.b64encode(content)
    lines = [text[at : at + _COLUMNS] for at in range(0, len(text), _COLUMNS)]
    name = label.encode("ascii")
    return b"\n".join([b"-----BEGIN %b-----" % name, *lines, b"-----END %b-----\n" % name])


def others(data: bytes, wanted: t.Callable[[PemBlock], bool]) -> str:
    """Return the other contents of a file, besides ``wanted`` blocks, in words.

    For example ``PRIVATE KEY (2) and text``.
    """
    found = blocks(data)
    counted = Counter(
        block.label if block.whole else f"{block.label} without its end"
        for block in found
        if not wanted(block) and block.label != _EC_PARAMETERS
    )
    words = [f"{name} ({number})" if number > 1 else name for name, number in counted.items()]
    if _text(data, found):
        words.append("text")
    *first, last = words or [""]
    return f"{', '.join(first)} and {last}" if first else last


def _text(data: bytes, found: t.Sequence[PemBlock]) -> bool:
    """Return whether a file has more than blanks outside of the blocks."""
    at, outside = 0, [data[:0]]
    for block in found:
        outside.append(data[at : block.start])
        at = block.end
    rest = b"".join([*outside, data[at:]])
    return bool(rest.replace(_BYTE_ORDER_MARK, b"").strip())


def shown(text: str, *, certificates_only: bool = False) -> str:
    """Return a text that may be shown: of the blocks in it, the certificates alone.

    With ``certificates_only``, the text outside of the blocks is hidden, too.
    """
    data = text.encode("utf-8", "surrogateescape")
    at, parts = 0, []
    for block in blocks(data):
        parts.append((data[at : block.start], not certificates_only))
        parts.append((data[block.start : block.end], _is_public(block)))
        at = block.end
    parts.append((data[at:], not certificates_only))
    return "".join(
        part.decode("utf-8", "replace") if public else _hidden(part) for part, public in parts
    )


def _is_public(block: PemBlock) -> bool:
    """Return whether a block is a certificate, with nothing behind or between its lines."""
    content = block.content if block.is_certificate else None
    return content is not None and len(b"".join(block.body.split())) == len(
        base64.b64encode(content)
    )


def _hidden(part: bytes) -> str:
    """Return the mask in the place of a text; blanks stay."""
    end = "\n" if part.endswith(b"\n") else ""
    return f"{MASK}{end}" if part.strip() else part.decode("ascii", "replace")
