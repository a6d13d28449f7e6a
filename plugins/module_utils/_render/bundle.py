# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The certificates in the files of a phase 1: whether they fit it, and each other.

A certificate that can't be read here is left to the IKE daemon.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from functools import cached_property

from .._errors import ModelError
from .._model.identity import Identity
from .chain import Authorities, CertificateChain, chain
from .pem import Certificate, certificate

# Bytes: the largest value of vici, and the room for certificates in one message of vici.
LARGEST_VALUE = 0xFFFF
LARGEST_MESSAGE = 480 * 1024
# How many certificates or names a message names.
_NAMED = 5

# CAs that lie elsewhere on the host.
Elsewhere = t.Callable[[], t.Iterable[Certificate]]


@dataclass(frozen=True)
class Bundle:
    """The certificates of the file at ``path``, which ``option`` of ``subject`` names, in PEM."""

    subject: str
    option: str
    path: str
    pems: tuple[bytes, ...] = field(repr=False)

    @cached_property
    def certificates(self) -> tuple[Certificate | None, ...]:
        return tuple(map(certificate, self.pems))

    @property
    def known(self) -> tuple[Certificate, ...]:
        """Return the certificates that can be read."""
        return tuple(item for item in self.certificates if item is not None)

    def refused(self, problem: str, fix: str) -> ModelError:
        return ModelError(self.option, self.path, problem, fix, self.subject)

    def warning(self, text: str) -> str:
        return f"{self.subject}: {self.option}: {self.path} {text}"


def check_sizes(bundles: t.Sequence[Bundle]) -> None:
    """Raise ModelError for more certificates than the IKE daemon can load."""
    for bundle in bundles:
        for number, pem in enumerate(bundle.pems, 1):
            if len(pem) > LARGEST_VALUE:
                raise bundle.refused(
                    f"has {len(pem)} bytes in its certificate {number}, and strongSwan accepts up "
                    f"to {LARGEST_VALUE} bytes in each",
                    "Use smaller certificates.",
                )
    sizes = [sum(map(len, bundle.pems)) for bundle in bundles]
    if sum(sizes) > LARGEST_MESSAGE:
        largest = bundles[sizes.index(max(sizes))]
        raise largest.refused(
            f"has {max(sizes)} bytes of certificates, and strongSwan accepts up to "
            f"{LARGEST_MESSAGE} bytes for a phase 1",
            "Keep only the certificates in the file that this phase 1 needs.",
        )


def check_authorities(bundle: Bundle, elsewhere: Elsewhere) -> list[str]:
    """Return warnings about the CAs of the peer. Raises ModelError if no peer could be accepted."""
    for number, item in enumerate(bundle.certificates, 1):
        if item is not None and not item.is_ca:
            raise bundle.refused(
                f"holds a certificate that is not for a CA, its certificate {number}, "
                f"{item}: strongSwan does not load it when it starts",
                "Put only certificates of CAs into the file, with the basic constraint CA:TRUE.",
            )
    chains = _complete(bundle.known, bundle.known, elsewhere)
    ends = {str(item.ends.issuer): item.ends for item in chains if not item.rooted}
    lacking = ", ".join(list(ends)[:_NAMED])
    if ends and not any(item.rooted for item in chains):
        raise bundle.refused(
            f"holds no root CA, and no other file of this host has it: strongSwan accepts a "
            f"certificate only if its chain ends at a root that it has, here {lacking}",
            f"Append the certificate of {lacking} to the file.",
        )
    if ends:
        text = f"holds CAs without their root {lacking}: without the root they are of no use"
        return [bundle.warning(text)]
    return []


def without_others(own: tuple[bytes, ...], peers: t.Iterable[bytes]) -> tuple[bytes, ...]:
    """Return the certificates of an own bundle that strongSwan sends, in PEM.

    The root, and certificates of another chain, are left out.
    """
    first, *rest = map(certificate, own)
    if first is None or not rest:
        return own
    known = [item for item in (*rest, *map(certificate, peers)) if item is not None]
    between = {item.data for item in chain(first, Authorities(known)).between}
    kept = [pem for pem, item in zip(own[1:], rest) if item is not None and item.data in between]
    return (own[0], *kept)


def own_chain(
    bundle: Bundle, identifier: str | None, others: t.Sequence[Certificate], elsewhere: Elsewhere
) -> tuple[tuple[bytes, ...], list[str]]:
    """Return the own certificate and its CAs to install, in order, and warnings.

    ``others`` are the CAs of the peer. Raises ModelError if the certificate does not belong to this
    gateway.
    """
    leaf = bundle.certificates[0]
    if leaf is None:
        return bundle.pems, []
    rest = {item.data: item for item in bundle.known if item.data != leaf.data}
    _check_first(bundle, leaf, rest.values())
    if identifier is not None:
        _check_identifier(bundle, leaf, identifier)
    (found,) = _complete([leaf], (*rest.values(), *others), elsewhere)
    pems = {item.data: pem for item, pem in zip(bundle.certificates, bundle.pems) if item}
    sent = [pems[item.data] for item in found.between if item.data in rest]
    return (bundle.pems[0], *sent), _warnings(bundle, leaf, tuple(rest.values()), found)


def _complete(
    items: t.Iterable[Certificate], known: t.Sequence[Certificate], elsewhere: Elsewhere
) -> list[CertificateChain]:
    """Return the chain of each certificate.

    Certificates of other files are read only if they are needed.
    """
    authorities = Authorities(known)
    found = [chain(item, authorities) for item in items]
    if all(item.rooted for item in found):
        return found
    authorities = Authorities((*known, *elsewhere()))
    return [chain(item, authorities) for item in items]


def _check_first(bundle: Bundle, leaf: Certificate, rest: t.Iterable[Certificate]) -> None:
    own = next((item for item in rest if not item.is_ca), None)
    if leaf.is_ca and own is not None:
        raise bundle.refused(
            f"begins with the certificate of a CA, {leaf}, and strongSwan uses the first "
            "certificate for this gateway",
            f"Move the certificate of {own} to the beginning of the file.",
        )


def _check_identifier(bundle: Bundle, leaf: Certificate, identifier: str) -> None:
    identity = Identity.parse(identifier)
    if leaf.holds(identity):
        return
    problem = f"is not in the certificate {bundle.path}, so that no peer accepts it"
    if identity.name is not None and identity.name.reordered(leaf.subject):
        problem = (
            f"has the parts of the subject of {bundle.path} in another order, or in another case"
        )
    fix = f"Write {held(leaf)}, or remove identifier to use the subject."
    raise ModelError("identifier", identifier, problem, fix, bundle.subject)


def held(item: Certificate) -> str:
    """Return the identities that a certificate holds, in the form of an option."""
    found = list(dict.fromkeys(map(str, item.identities)))
    if item.subject_key_id and len(found) < _NAMED:
        found.append(f"keyid:#{item.subject_key_id}")
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return " or ".join(found[:_NAMED]) + more


def _warnings(
    bundle: Bundle, leaf: Certificate, rest: tuple[Certificate, ...], found: CertificateChain
) -> list[str]:
    chained = {item.data for item in found.issuers}
    unrelated = [str(item) for item in rest if item.data not in chained]
    warnings = []
    if unrelated:
        names = ", ".join(unrelated[:_NAMED])
        text = f"also holds certificates that are not in the chain of {leaf}: {names}"
        warnings.append(bundle.warning(f"{text}: they are left out"))
    places = [item.data for item in rest if item.data in chained]
    if places != [item.data for item in found.issuers if item.data in {*places}]:
        text = (
            "does not hold its CAs in the order of the chain, each CA after the certificate that "
            "it issued"
        )
        warnings.append(bundle.warning(f"{text}: they are installed in that order"))
    if not found.rooted:
        warnings.append(bundle.warning(_lacking(found.ends)))
    return warnings


def _lacking(ends: Certificate) -> str:
    return (
        f"does not hold the certificate of {ends.issuer}, the issuer of {ends}, and no other file "
        "of this host does. A peer without that certificate refuses this gateway. Append the "
        "certificate to the file."
    )
