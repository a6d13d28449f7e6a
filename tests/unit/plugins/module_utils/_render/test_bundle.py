# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bundles of certificates: their chains, and the texts about certificates that do not fit."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import ModelError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render import bundle
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.bundle import (
    Bundle,
    check_authorities,
    check_sizes,
    own_chain,
    without_others,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.pem import (
    Certificate,
    certificate,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.pki import Pair
from cryptography import x509
from cryptography.x509.oid import NameOID

ROOT = Pair("Root", ca=True)
UPPER = Pair("Upper", issuer=ROOT, ca=True)
LOWER = Pair("Lower", issuer=UPPER, ca=True)
SUBJECT = x509.Name(
    [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "CH"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example, Inc."),
        x509.NameAttribute(NameOID.COMMON_NAME, "gw-a"),
    ]
)
LEAF = Pair(SUBJECT, x509.DNSName("gw-a.example"), issuer=LOWER)
OTHER_ROOT = Pair("Other", ca=True)
OTHER_LEAF = Pair("other.example", issuer=OTHER_ROOT)
# The same CA, signed by another root.
CROSS = Pair("Upper", issuer=OTHER_ROOT, ca=True, key=UPPER.made)


def of(option: str, *pairs: Pair) -> Bundle:
    pems = tuple(pair.certificate for pair in pairs)
    return Bundle("phase 1 site-b", option, f"/{option}.pem", pems)


def known(*pairs: Pair) -> tuple[Certificate, ...]:
    found = [certificate(pair.certificate) for pair in pairs]
    return tuple(item for item in found if item is not None)


def own(
    *pairs: Pair, ca: t.Sequence[Pair] = (ROOT,), identifier: str | None = None, host: Pair = ROOT
) -> tuple[list[Pair], list[str]]:
    """Return installed certificates and warnings. ``host`` is a CA in another file of the host."""
    asked = []

    def elsewhere() -> t.Iterable[Certificate]:
        asked.append(True)
        return known(host)

    pems, warnings = own_chain(of("certificate", *pairs), identifier, known(*ca), elsewhere)
    complete = ROOT in (*pairs, *ca) and not warnings
    assert not (complete and asked), "another file is read for a complete chain"
    return [pair for pem in pems for pair in pairs if pair.certificate == pem], warnings


def where(text: str) -> str:
    return f"phase 1 site-b: certificate: /certificate.pem {text}"


class TestOwnChain:
    def test_whole(self) -> None:
        """A file often contains the root.

        The root is no fault, and strongSwan never sends a root.
        """
        assert own(LEAF, LOWER, UPPER) == ([LEAF, LOWER, UPPER], [])
        assert own(LEAF, LOWER, UPPER, ROOT, ca=[]) == ([LEAF, LOWER, UPPER], [])

    def test_root_elsewhere_on_the_host(self) -> None:
        assert own(LEAF, LOWER, UPPER, ca=[OTHER_ROOT]) == ([LEAF, LOWER, UPPER], [])

    def test_intermediates_among_those_of_the_peer(self) -> None:
        """An intermediate CA of the peer is not missing, because strongSwan has loaded it."""
        assert own(LEAF, LOWER, ca=[UPPER, ROOT]) == ([LEAF, LOWER], [])

    @pytest.mark.parametrize(
        ("pairs", "issuer", "issued"),
        [
            ((LEAF,), "CN=Lower", "C=CH, O=Example, Inc., CN=gw-a"),
            ((LEAF, LOWER), "CN=Upper", "CN=Lower"),
        ],
    )
    def test_a_missing_intermediate(
        self, pairs: tuple[Pair, ...], issuer: str, issued: str
    ) -> None:
        _installed, warnings = own(*pairs)
        assert warnings == [
            where(
                f"does not hold the certificate of {issuer}, the issuer of {issued}, and no other "
                "file of this host does. A peer without that certificate refuses this gateway. "
                "Append the certificate to the file."
            )
        ]

    def test_a_root_that_nobody_here_has(self) -> None:
        installed, warnings = own(LEAF, LOWER, UPPER, ca=[OTHER_ROOT], host=OTHER_ROOT)
        assert installed == [LEAF, LOWER, UPPER]
        assert [
            text.partition(" does not hold the certificate of ")[2][:7] for text in warnings
        ] == ["CN=Root"]

    def test_order(self) -> None:
        text = (
            "does not hold its CAs in the order of the chain, each CA after the certificate that "
            "it issued: they are installed in that order"
        )
        assert own(LEAF, UPPER, LOWER) == ([LEAF, LOWER, UPPER], [where(text)])
        assert own(LEAF, ROOT, UPPER, LOWER) == ([LEAF, LOWER, UPPER], [where(text)])

    def test_unrelated(self) -> None:
        text = (
            "also holds certificates that are not in the chain of C=CH, O=Example, Inc., CN=gw-a: "
            "CN=Other, CN=other.example: they are left out"
        )
        found = own(LEAF, OTHER_ROOT, LOWER, OTHER_LEAF, UPPER)
        assert found == ([LEAF, LOWER, UPPER], [where(text)])

    def test_the_same_one_twice(self) -> None:
        assert own(LEAF, LEAF, LOWER, LOWER, UPPER)[1] == []

    def test_signed_by_two_roots(self) -> None:
        """Both certificates of the CA are installed, because a peer may have either root."""
        installed, warnings = own(LEAF, LOWER, UPPER, CROSS, OTHER_ROOT)
        assert (installed, warnings) == ([LEAF, LOWER, UPPER, CROSS], [])

    def test_self_signed(self) -> None:
        alone = Pair("alone")
        assert own(alone, ca=[ROOT]) == ([alone], [])

    def test_a_ca_first(self) -> None:
        with pytest.raises(ModelError) as raised:
            own(ROOT, UPPER, LOWER, LEAF)
        assert str(raised.value) == (
            "phase 1 site-b: certificate '/certificate.pem': begins with the certificate of a CA, "
            "CN=Root, and strongSwan uses the first certificate for this gateway. Move the "
            "certificate of C=CH, O=Example, Inc., CN=gw-a to the beginning of the file."
        )

    def test_what_can_not_be_read_is_left_to_the_daemon(self) -> None:
        odd = Bundle("", "certificate", "", (b"odd", LEAF.certificate))
        assert own_chain(odd, "x", (), tuple) == (odd.pems, [])


class TestIdentifier:
    HELD: t.ClassVar = (
        f"Write /C=CH/O=Example, Inc./CN=gw-a or gw-a.example or keyid:#{LEAF.id}, or remove "
        "identifier to use the subject."
    )

    @pytest.mark.parametrize(
        "identifier",
        ["gw-a.example", "/C=CH/O=Example, Inc./CN=gw-a", f"@#{LEAF.id}"],
        ids=["name", "subject", "key id"],
    )
    def test_held(self, identifier: str) -> None:
        own(LEAF, LOWER, UPPER, identifier=identifier)

    @pytest.mark.parametrize(
        ("identifier", "why"),
        [
            ("gw-b.example", "is not in the certificate /certificate.pem, so that no peer accepts"),
            ("192.0.2.1", "is not in the certificate /certificate.pem"),
            (
                "/CN=gw-a/O=Example, Inc./C=CH",
                "has the parts of the subject of /certificate.pem in another order, or in another",
            ),
        ],
    )
    def test_not_held(self, identifier: str, why: str) -> None:
        with pytest.raises(ModelError) as raised:
            own(LEAF, LOWER, UPPER, identifier=identifier)
        error = raised.value
        assert (error.subject, error.option, error.value) == (
            "phase 1 site-b",
            "identifier",
            identifier,
        )
        assert error.problem.startswith(why)
        assert error.fix == self.HELD

    def test_of_many_names_some(self) -> None:
        many = Pair("gw", *(x509.DNSName(f"{number}.example") for number in range(90)))
        with pytest.raises(ModelError) as raised:
            own(many, identifier="x.example")
        assert raised.value.fix.startswith("Write CN=gw or 0.example or ")
        assert raised.value.fix.endswith(
            "3.example and 86 more, or remove identifier to use the subject."
        )


class TestAuthorities:
    def check(self, *pairs: Pair, host: t.Sequence[Pair] = ()) -> list[str]:
        return check_authorities(of("ca", *pairs), lambda: known(*host))

    def test_whole(self) -> None:
        assert self.check(ROOT) == []
        assert self.check(UPPER, ROOT, LOWER, OTHER_ROOT) == []

    def test_only_what_an_intermediate_has_issued(self) -> None:
        assert self.check(LOWER, host=[UPPER, ROOT]) == []

    @pytest.mark.parametrize("host", [[], [UPPER], [OTHER_ROOT]])
    def test_without_a_root(self, host: list[Pair]) -> None:
        lacking = "CN=Root" if host == [UPPER] else "CN=Upper"
        with pytest.raises(ModelError) as raised:
            self.check(LOWER, host=host)
        assert str(raised.value) == (
            "phase 1 site-b: ca '/ca.pem': holds no root CA, and no other file of this host has "
            "it: strongSwan accepts a certificate only if its chain ends at a root that it has, "
            f"here {lacking}. Append the certificate of {lacking} to the file."
        )

    def test_one_of_them_without_its_root(self) -> None:
        assert self.check(OTHER_ROOT, UPPER) == [
            "phase 1 site-b: ca: /ca.pem holds CAs without their root CN=Root: without the root "
            "they are of no use"
        ]

    @pytest.mark.parametrize("other", [LEAF, Pair("peer"), Pair("Old CA", plain=True)])
    def test_no_ca(self, other: Pair) -> None:
        with pytest.raises(ModelError) as raised:
            self.check(ROOT, other)
        assert raised.value.problem == (
            "holds a certificate that is not for a CA, its certificate 2, "
            f"{certificate(other.certificate)}: strongSwan does not load it when it starts"
        )

    def test_what_can_not_be_read_is_left_to_the_daemon(self) -> None:
        assert check_authorities(Bundle("", "ca", "", (b"odd",)), tuple) == []


class TestSizes:
    def test_a_large_certificate(self) -> None:
        pem = b"x" * (bundle.LARGEST_VALUE + 1)
        large = Bundle("phase 1 site-b", "ca", "/ca.pem", (ROOT.certificate, pem))
        with pytest.raises(ModelError) as raised:
            check_sizes((of("certificate", LEAF), large))
        assert raised.value.problem == (
            "has 65536 bytes in its certificate 2, and strongSwan accepts up to 65535 bytes in each"
        )
        check_sizes([Bundle("", "ca", "", (pem[1:],))])

    def test_many(self) -> None:
        pem = b"x" * 60000
        many = Bundle("phase 1 site-b", "ca", "/ca.pem", (pem,) * 8)
        check_sizes((of("certificate"), many))
        with pytest.raises(ModelError) as raised:
            check_sizes((Bundle("", "certificate", "", (pem,)), many))
        assert (raised.value.option, raised.value.problem) == (
            "ca",
            "has 480000 bytes of certificates, and strongSwan accepts up to 491520 bytes for a "
            "phase 1",
        )


def test_what_an_earlier_version_has_copied_whole() -> None:
    """Only the chain is kept.

    In files of their own, the root and unrelated certificates would be trusted.
    """
    copied = (LEAF, OTHER_ROOT, LOWER, UPPER, ROOT)
    found = without_others(tuple(pair.certificate for pair in copied), [ROOT.certificate])
    assert found == (LEAF.certificate, LOWER.certificate, UPPER.certificate)
    assert without_others((b"odd", b"other"), ()) == (b"odd", b"other")


def test_a_bundle_of_eight_hundred() -> None:
    """The search for an issuer looks up the name, and does not try every CA."""
    pairs = [Pair("Root", ca=True)]
    for number in range(400):
        pairs.append(Pair(f"CA {number}", issuer=pairs[-1], ca=True))
    leaf = Pair("gw", issuer=pairs[-1])
    tried: list[str] = []
    pems = tuple(pair.certificate for pair in (leaf, *reversed(pairs)))
    found, warnings = own_chain(Bundle("", "certificate", "", pems), None, (), tuple)
    assert (len(found), warnings, tried) == (401, [], [])
