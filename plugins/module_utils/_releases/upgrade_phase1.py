# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The effects of an upgrade on the phase 1 objects of the collection. Pure."""

from __future__ import annotations

import typing as t

from .._model.platform import DEBIAN
from .judgement import (
    CHANGES,
    DEPENDS,
    REFUSED,
    STOPS,
    Facts,
    Upgrade,
    UpgradeFinding,
    live_versions,
)
from .proposal_words import group_of, of_child_options, of_ike_options

# The security fix that rejects certificates below a CA with excluded directory names.
CONSTRAINTS_FIX = "CVE-2026-35331"
_DPD_FAILURES = 5
_INVALID = {"expired": "has expired", "not_yet_valid": "is not valid yet"}


def phase1_findings(upgrade: Upgrade, phase1: Facts) -> list[UpgradeFinding]:
    """Return the effects on a phase 1. ``phase1`` is a part of the result of ipsec_info."""
    return [
        *version_findings(upgrade, phase1["options"]["key_exchange"], phase1, _OPTIONS),
        *_dead_peer_findings(upgrade, phase1),
        *_algorithm_findings(upgrade, phase1),
        *certificate_findings(upgrade, phase1),
    ]


def settings_findings(upgrade: Upgrade, network: Facts) -> list[UpgradeFinding]:
    """Return the effects on the settings of a network."""
    if not upgrade.loses_ikev1:
        return []
    return [
        UpgradeFinding(
            "option_refused",
            REFUSED,
            f"settings of network {network['name']}: {option} true",
            f"Only IKEv1 uses this option, and strongSwan {upgrade.target.strongswan} has no "
            "IKEv1. The modules refuse the option after the upgrade.",
            f"Remove {option} before the next run of the playbook.",
        )
        for option in ("cisco_extensions", "unencrypted_main_mode")
        if network["settings"].get(option)
    ]


class VersionWords(t.NamedTuple):
    """The words of a source for the IKE version: the option, and its values."""

    option: str
    ikev1: str
    auto: str
    ikev2: str


_OPTIONS = VersionWords("key_exchange", "ikev1", "auto", "ikev2")


def version_findings(
    upgrade: Upgrade, key_exchange: str, phase1: Facts | None, words: VersionWords
) -> list[UpgradeFinding]:
    """Return the effect on the IKE version. ``phase1`` is None if its SAs are not known."""
    if not upgrade.loses_ikev1 or key_exchange == "ikev2":
        return []
    new = f"strongSwan {upgrade.target.strongswan}"
    if key_exchange == "ikev1":
        return [
            UpgradeFinding(
                "ikev1_only",
                STOPS,
                f"{words.option} {words.ikev1}",
                f"{new} has no IKEv1. It loads the connection and never brings it up.",
                f"Set {words.option} to {words.ikev2} here, and IKEv2 at the peer, before the "
                "upgrade.",
            )
        ]
    where = f"{words.option} {words.auto}"
    versions = live_versions(phase1) if phase1 is not None else set()
    action = f"Change the peer to IKEv2, and set {words.option} to {words.ikev2} here."
    if 1 in versions:
        reason = f"The IKE SA uses IKEv1 now. {new} has no IKEv1, and refuses the peer."
        return [UpgradeFinding("ikev1_in_use", STOPS, where, reason, action)]
    if 2 in versions:
        reason = f"The IKE SA uses IKEv2 now. {new} has only IKEv2."
        action = f"Set {words.option} to {words.ikev2}."
        return [UpgradeFinding("auto_becomes_ikev2", CHANGES, where, reason, action)]
    reason = f"{new} has only IKEv2. No SA is up, so that the IKE version of the peer is not known."
    return [UpgradeFinding("auto_becomes_ikev2", DEPENDS, where, reason, action)]


def _dead_peer_findings(upgrade: Upgrade, phase1: Facts) -> t.Iterator[UpgradeFinding]:
    options = phase1["options"]
    count = options.get("dpd_failures", _DPD_FAILURES)
    if upgrade.loses_ikev1 and options["key_exchange"] == "auto" and count != _DPD_FAILURES:
        yield UpgradeFinding(
            "dpd_failures_unused",
            REFUSED,
            f"dpd_failures {count}",
            "Only IKEv1 uses this option. IKEv2 declares a peer dead after its retransmissions. "
            "The modules refuse the option after the upgrade.",
            "Remove dpd_failures before the next run of the playbook.",
        )


def _algorithm_findings(upgrade: Upgrade, phase1: Facts) -> t.Iterator[UpgradeFinding]:
    entries = [of_ike_options(entry) for entry in phase1["options"].get("encryption") or ()]
    yield from proposal_findings(upgrade, entries, "encryption")
    for phase2 in phase1["phase2"]:
        # The kernel encrypts ESP, and the daemon only makes the keys.
        names = of_child_options if upgrade.userspace else group_of
        entries = [names(entry) for entry in phase2["options"].get("encryption") or ()]
        yield from proposal_findings(upgrade, entries, f"phase 2 {phase2['name']}: encryption")


def proposal_findings(
    upgrade: Upgrade, entries: t.Sequence[t.Sequence[str]], where: str
) -> t.Iterator[UpgradeFinding]:
    """Yield the effect on a list of proposals, each with the names of its algorithms."""
    lost = [upgrade.lost(names) for names in entries]
    names = list(dict.fromkeys(name for found in lost for name in found))
    if not names:
        yield from _late_findings(upgrade, entries, where)
        return
    lacking = f"strongSwan {upgrade.target.strongswan} with these packages has no "
    lacking += f"{', '.join(names)}."
    if all(lost):
        reason = f"{lacking} No other proposal remains."
        yield UpgradeFinding("algorithm_gone", STOPS, where, reason, upgrade.remedy(names))
        return
    reason = f"{lacking} The tunnel fails if the peer selects this proposal."
    yield UpgradeFinding("algorithm_gone", DEPENDS, where, reason, upgrade.remedy(names))


def _late_findings(
    upgrade: Upgrade, entries: t.Sequence[t.Sequence[str]], where: str
) -> t.Iterator[UpgradeFinding]:
    late = [[name for name in names if name in upgrade.late] for names in entries]
    names = list(dict.fromkeys(name for found in late for name in found))
    if names:
        yield UpgradeFinding(
            "restart_again",
            STOPS if all(late) else DEPENDS,
            where,
            f"The upgrade moves the plugin of {', '.join(names)} to another package, and may "
            "restart the daemon before this package is configured. The daemon then lacks the "
            "algorithm until it restarts again.",
            f"Restart {DEBIAN.daemon_unit} after the upgrade.",
        )


def certificate_findings(upgrade: Upgrade, phase1: Facts) -> t.Iterator[UpgradeFinding]:
    """Yield the effects of the stricter rules for certificates."""
    certificates = phase1["certificates"]
    if upgrade.crosses(6, 0, 7):
        for item in certificates:
            invalid = _INVALID.get(item.get("validity") or "")
            if invalid and item["subject"] and item["subject"] == item["issuer"]:
                yield UpgradeFinding(
                    "self_signed_not_valid",
                    DEPENDS,
                    f"{item['option']} {item['file']}",
                    f"The self-signed certificate of {item['subject']} {invalid}. From strongSwan "
                    "6.0.7 on, a self-signed certificate that is trusted directly must be valid.",
                    "Replace the certificate before the upgrade.",
                )
    missing = upgrade.info["advisories"]
    if missing is None:
        fixed_by_upgrade = upgrade.crosses(6, 0, 6)
    else:
        fixed_by_upgrade = any(item["id"] == CONSTRAINTS_FIX for item in missing)
    cas = [item["file"] for item in certificates if item["option"] == "ca"]
    if cas and fixed_by_upgrade:
        yield UpgradeFinding(
            "directory_name_constraints",
            DEPENDS,
            f"ca {', '.join(cas)}",
            f"The fix of {CONSTRAINTS_FIX} rejects all certificates below a CA with excluded name "
            "constraints of the type directoryName.",
            "Look for such constraints with `openssl x509 -noout -ext nameConstraints -in FILE`.",
        )
