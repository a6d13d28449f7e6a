# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The algorithms that a proposal needs, and the algorithms that the IKE daemon lacks."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .algorithms import ADDITIONAL_KEY_EXCHANGES, DH, ENCRYPTIONS, HASHES
from .proposal import Proposal, Use
from .rounds import OPTION


@dataclass(frozen=True)
class Requirement:
    """An algorithm that the running daemon must have.

    ``kind`` and ``name`` are the section of ``get-algorithms`` and the name in it. ``option`` and
    ``value`` are the suboption of the user. ``package`` is the Debian package with the algorithm,
    and ``release`` the releases of it, empty for all releases.
    """

    kind: str
    name: str
    option: str
    value: str | int
    package: str
    release: str = ""

    def __str__(self) -> str:
        place = self.release or f"package {self.package}"
        return f"{self.option} {self.value} ({self.name}): {place}"


def requirements(
    proposal: Proposal, use: Use, *, userspace: bool = False
) -> tuple[Requirement, ...]:
    """Return the algorithms that the daemon needs for the proposal.

    The kernel does ESP and AH, so that charon needs no algorithm for them except for PFS.
    ``userspace`` is for kernel-libipsec, where charon itself encrypts.
    """
    needs = []
    if use is Use.IKE or userspace:
        if proposal.algorithm is not None:
            row = ENCRYPTIONS[proposal.algorithm]
            needs.append(Requirement(row.kind, row.charon, "algorithm", row.name, row.package))
        if proposal.hash is not None:
            integrity = HASHES[proposal.hash]
            name, package = integrity.integrity, integrity.package
            needs.append(Requirement("integrity", name, "hash", proposal.hash, package))
    if proposal.prf is not None:
        prf = HASHES[proposal.prf]
        option = "hash" if proposal.prf == proposal.hash else "prf"
        needs.append(Requirement("prf", prf.prf, option, proposal.prf, prf.package))
    if proposal.dh_group is not None:
        group = DH[proposal.dh_group]
        needs.append(Requirement("ke", group.charon, "dh_group", group.number, group.package))
    needs += [
        Requirement("ke", row.charon, OPTION, row.name, row.package, row.release)
        for one in proposal.additional_key_exchange
        for row in (ADDITIONAL_KEY_EXCHANGES.get(name) for name in one)
        if row is not None
    ]
    return tuple(needs)


def missing(
    proposals: t.Iterable[Proposal],
    use: Use,
    supported: t.Mapping[str, t.Collection[str]],
    *,
    userspace: bool = False,
) -> tuple[Requirement, ...]:
    """Return the algorithms of proposals that are not in ``supported``.

    ``supported`` is the answer to ``get-algorithms``. strongSwan 6 names the key exchange ``ke``,
    strongSwan 5 ``dh``.
    """
    known = {"ke": supported.get("dh", ()), **supported}
    lacking = (
        need
        for proposal in proposals
        for need in requirements(proposal, use, userspace=userspace)
        if need.name not in known.get(need.kind, ())
    )
    return tuple(dict.fromkeys(lacking))
