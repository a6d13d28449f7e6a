# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The largest TCP segment that fits into a tunnel on a path of 1500 bytes."""

from __future__ import annotations

from .._model.child import ChildSa
from .._model.proposal import Proposal

_PATH = 1500
_UDP = 8
_TCP = 20
_IP = {4: 20, 6: 40}
# An ESP header, and the two bytes of its trailer; the fixed part of AH.
_ESP, _TRAILER, _AH = 8, 2, 12
_AEAD_ICV = 16
_IV = {"aes": 16, "camellia": 16}
_SHORT_IV = 8
_BLOCK = {"aes": 16, "camellia": 16, "3des": 8, "blowfish": 8, "cast128": 8}
_SHORT_BLOCK = 4
_ICV = {"sha256": 16, "sha384": 24, "sha512": 32}
_SHORT_ICV = 12


def greatest_mss(child: ChildSa, proposal: Proposal, outer: int, *, encapsulated: bool) -> int:
    """Return the largest TCP MSS in bytes. ``outer`` is the IP version between the gateways."""
    free = _PATH - _IP[outer] - (_UDP if encapsulated else 0)
    icv = _ICV.get(proposal.hash or "", _SHORT_ICV) if proposal.hash else _AEAD_ICV
    if proposal.algorithm is None:
        inner = free - _AH - icv
    else:
        free -= _ESP + _IV.get(proposal.algorithm, _SHORT_IV) + icv
        inner = free - free % _BLOCK.get(proposal.algorithm, _SHORT_BLOCK) - _TRAILER
    versions: list[int] = [network.version for network in child.local_network]
    return inner - max(_IP[version] for version in versions or [outer]) - _TCP
