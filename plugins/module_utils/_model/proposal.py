# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""A proposal: one entry of the option ``encryption``, with one algorithm of each kind.

RFC 7296 section 3.3; ``proposals``, ``esp_proposals`` and ``ah_proposals`` in swanctl.conf. charon
accepts every known keyword alone. A combination that charon would drop, reinterpret or never
negotiate is refused here.
"""

from __future__ import annotations

import enum
import functools
import typing as t
from dataclasses import dataclass

from .._errors import ModelError
from . import checks
from .algorithms import (
    DEFAULT_DH_GROUP,
    DEFAULT_ENCRYPTION,
    DEFAULT_HASH,
    DH,
    DH_GROUPS,
    ENCRYPTION_NAMES,
    ENCRYPTIONS,
    HASH_NAMES,
    HASHES,
    MEANING,
    PRF_NAMES,
    DhGroup,
    Encryption,
    Hash,
    IkeVersions,
)
from .options import field_names
from .rounds import OPTION, Rounds, is_required, keywords, rounds, to_option, with_keyword

_Given = t.Mapping[str, object]
_Negotiable = t.TypeVar("_Negotiable", Encryption, Hash)


class Use(enum.Enum):
    """The use of a proposal: for the IKE SA (phase 1), or a Child SA with ESP or AH (phase 2)."""

    IKE = "an IKE SA"
    ESP = "ESP"
    AH = "AH"


@dataclass(frozen=True)
class Proposal:
    """A combination of algorithms with its defaults filled in, so that equal ones are equal.

    ``algorithm`` and ``key_length`` (bits) are None for AH, ``hash`` for AEAD algorithms, ``prf``
    outside IKE, ``dh_group`` for a Child SA without PFS. ``additional_key_exchange`` are the rounds
    after the key exchange of the group. ``build`` and ``parse`` check; the constructor does not.
    """

    algorithm: str | None
    key_length: int | None
    hash: str | None
    dh_group: int | None
    prf: str | None
    additional_key_exchange: Rounds = ()

    @classmethod
    def build(cls, options: _Given, use: Use, versions: IkeVersions) -> Proposal:
        """Return the proposal of suboptions that all IKE ``versions`` can negotiate.

        Raises ModelError naming the suboption.
        """
        given = {name: value for name, value in options.items() if value is not None}
        _check_known(given)
        encryption = _encryption(given, use, versions)
        hash_name = _hash(given, encryption, use, versions)
        dh_group = _dh_group(given, use)
        return cls(
            algorithm=encryption.name if encryption else None,
            key_length=_key_length(given, encryption) if encryption else None,
            hash=hash_name,
            dh_group=dh_group,
            prf=_prf(given, hash_name, use, versions),
            additional_key_exchange=rounds(given.get(OPTION, ()), dh_group, versions),
        )

    @classmethod
    def parse(cls, keyword: str, use: Use) -> Proposal:
        """Return the proposal of a ``keyword()``. Raises ModelError for any other text."""
        options: dict[str, object] = {}
        found: Rounds = ()
        for word in keyword.split("-"):
            more = with_keyword(found, word)
            if more is not None:
                found = more
                continue
            meaning = MEANING.get(word, {})
            if not meaning or meaning.keys() & options.keys():
                kind = "a second algorithm of one kind" if meaning else "an unknown keyword"
                fix = "Use one keyword of each kind."
                raise ModelError("proposal", keyword, f"contains {kind}: {word!r}", fix)
            options.update(meaning)
        if found:
            options[OPTION] = found
        # IKEv2 can negotiate every algorithm of IKEv1.
        proposal = cls.build(options, use, frozenset({2}))
        if proposal.keyword() != keyword:
            problem = f"is not the canonical form of a proposal for {use.value}"
            raise ModelError("proposal", keyword, problem, f"Write {proposal.keyword()}.")
        return proposal

    def keyword(self) -> str:
        """Return the proposal as strongSwan writes it: ``aes256gcm16-prfsha256-ecp256``.

        A PRF that is equal to the hash is left out, because charon uses the hash as PRF by default.
        """
        words = []
        if self.algorithm is not None:
            words.append(ENCRYPTIONS[self.algorithm].keyword.format(self.key_length))
        if self.hash is not None:
            words.append(self.hash)
        if self.prf is not None and self.prf != self.hash:
            words.append(f"prf{self.prf}")
        if self.dh_group is not None:
            words.append(DH[self.dh_group].keyword)
        return "-".join([*words, *keywords(self.additional_key_exchange)])

    def to_options(self) -> dict[str, t.Any]:
        """Return the suboptions that build this proposal."""
        values = {name: getattr(self, name) for name in field_names(Proposal)}
        values[OPTION] = to_option(self.additional_key_exchange) or None
        return {name: value for name, value in values.items() if value is not None}

    @property
    def quantum_safe(self) -> bool:
        """Return whether a round is required, so that the keys resist quantum computers."""
        return any(map(is_required, self.additional_key_exchange))

    def weaknesses(self) -> tuple[str, ...]:
        """Return the algorithms that no longer protect: ``("3des", "sha1", "DH group 2")``."""
        rows: list[Encryption | Hash | DhGroup] = []
        if self.algorithm is not None:
            rows.append(ENCRYPTIONS[self.algorithm])
        rows.extend(HASHES[name] for name in (self.hash, self.prf) if name is not None)
        if self.dh_group is not None:
            rows.append(DH[self.dh_group])
        return tuple(dict.fromkeys(row.label for row in rows if row.weak))


@functools.cache
def check_proposal(proposal: Proposal, use: Use, versions: IkeVersions) -> None:
    """Raise ModelError if these IKE versions cannot negotiate the proposal.

    The result is cached, because many tunnels share a few proposals.
    """
    Proposal.build(proposal.to_options(), use, versions)


# The rules


def _check_known(given: _Given) -> None:
    names = field_names(Proposal)
    for name, value in given.items():
        if name not in names:
            fix = f"Use the suboptions {', '.join(names)}."
            raise ModelError(name, value, "is not a suboption of encryption", fix)


def _encryption(given: _Given, use: Use, versions: IkeVersions) -> Encryption | None:
    if use is Use.AH:
        for option in ("algorithm", "key_length"):
            if option in given:
                raise ModelError(
                    option,
                    given[option],
                    "has no effect with protocol ah, which does not encrypt",
                    f"Remove {option}, or set protocol to esp.",
                )
        return None
    value = given.get("algorithm", DEFAULT_ENCRYPTION)
    row = ENCRYPTIONS[checks.one_of("algorithm", value, ENCRYPTION_NAMES)]
    return _usable("algorithm", row, ENCRYPTIONS.values(), use, versions)


def _key_length(given: _Given, encryption: Encryption) -> int:
    value = given.get("key_length", encryption.default_key_length)
    if _is_number(value) and value in encryption.key_lengths:
        return value
    several = len(encryption.key_lengths) > 1
    lengths = ", ".join(str(length) for length in encryption.key_lengths)
    fix = f"Use one of: {lengths}." if several else f"Remove key_length, or set it to {lengths}."
    raise ModelError("key_length", value, f"is not a key length of {encryption.name}", fix)


def _hash(
    given: _Given, encryption: Encryption | None, use: Use, versions: IkeVersions
) -> str | None:
    if encryption is not None and encryption.aead:
        if "hash" in given:
            # charon would silently drop the hash in ESP, and use it as PRF in IKE.
            raise ModelError(
                "hash",
                given["hash"],
                f"cannot be combined with {encryption.name}, because an AEAD algorithm "
                "authenticates packets itself",
                "Remove hash. Set prf to choose the pseudo-random function."
                if use is Use.IKE
                else "Remove hash.",
            )
        return None
    row = HASHES[checks.one_of("hash", given.get("hash", DEFAULT_HASH), HASH_NAMES)]
    return _usable("hash", row, HASHES.values(), use, versions).name


def _dh_group(given: _Given, use: Use) -> int | None:
    """Return the DH group. An IKE SA needs one; in a Child SA it enables PFS."""
    value = given.get("dh_group", DEFAULT_DH_GROUP if use is Use.IKE else None)
    if value is None:
        return None
    if _is_number(value) and value in DH:
        return t.cast(int, value)
    raise ModelError(
        "dh_group",
        value,
        "is not the number of a DH group",
        f"Use one of: {', '.join(str(number) for number in DH_GROUPS)}.",
    )


def _is_number(value: object) -> bool:
    """Return whether a value is an integer: neither 128.0 nor True."""
    return isinstance(value, int) and not isinstance(value, bool)


def _prf(given: _Given, hash_name: str | None, use: Use, versions: IkeVersions) -> str | None:
    if use is not Use.IKE:
        if "prf" in given:
            raise ModelError(
                "prf",
                given["prf"],
                "is for phase 1 only, because a Child SA derives its keys with the PRF of the IKE "
                "SA",
                "Remove prf.",
            )
        return None
    name = checks.one_of("prf", given.get("prf", hash_name or DEFAULT_HASH), PRF_NAMES)
    if hash_name is not None and name != hash_name and 1 in versions:
        raise ModelError(
            "prf",
            name,
            f"differs from hash {hash_name}: "
            + _limit(versions, "derives keys with the hash of the proposal"),
            f"Remove prf, set it to {hash_name}, or set key_exchange to ikev2.",
        )
    return name


def _versions(row: Encryption | Hash, use: Use) -> IkeVersions:
    return row.ike if use is Use.IKE else row.child


def _usable(
    option: str, row: _Negotiable, rows: t.Iterable[_Negotiable], use: Use, versions: IkeVersions
) -> _Negotiable:
    """Return the row if every version can negotiate it for this use; else raise ModelError."""
    negotiable = _versions(row, use)
    if versions <= negotiable:
        return row
    names = ", ".join(item.name for item in rows if versions <= _versions(item, use))
    if not negotiable:
        raise ModelError(option, row.name, "is for phase 2 only", f"Use one of: {names}.")
    raise ModelError(
        option,
        row.name,
        "cannot be used: " + _limit(versions, f"cannot negotiate it for {use.value}"),
        f"Use one of: {names}; or set key_exchange of the phase 1 to ikev2.",
    )


def _limit(versions: IkeVersions, limit: str) -> str:
    """Return a limit of IKEv1 as text, with the reason why it applies."""
    if 2 in versions:
        return f"key_exchange auto also accepts IKEv1, which {limit}"
    return f"IKEv1 {limit}"


# The defaults of the option ``encryption``.
DEFAULT_IKE = (Proposal("aes", 256, DEFAULT_HASH, DEFAULT_DH_GROUP, DEFAULT_HASH),)
DEFAULT_ESP = (Proposal("aes", 256, DEFAULT_HASH, DEFAULT_DH_GROUP, None),)
DEFAULT_AH = (Proposal(None, None, DEFAULT_HASH, DEFAULT_DH_GROUP, None),)
