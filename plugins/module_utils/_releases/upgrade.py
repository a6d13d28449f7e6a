# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The rehearsal of an upgrade: the effect on each connection, and the reasons. Pure."""

from __future__ import annotations

import typing as t

from .._model.platform import DEBIAN
from .judgement import (
    CHANGES,
    CONTINUES,
    DEPENDS,
    EFFECTS,
    STOPS,
    Facts,
    Upgrade,
    UpgradeFinding,
    worst,
)
from .releases import RELEASES, DebianRelease, words
from .upgrade_phase1 import phase1_findings, settings_findings, version_findings
from .upgrade_texts import (
    WORDS,
    TextConnection,
    daemon_findings,
    hidden,
    plugins_gone,
    text_connections,
    unseen,
)

Made = dict[str, t.Any]

# The starter reads ipsec.conf.
_STARTER = "strongswan-starter"
# Providers of algorithms. OpenSSL replaces them, and algorithms are checked by their names.
_PROVIDERS = words(
    """
    aes aesni af-alg ccm chapoly cmac ctr curve25519 fips-prf gcm gcrypt gmp hmac kdf md5
    mgf1 openssl rc2 rdrand sha1 sha2 xcbc
    """
)
_SKIPPED_STATES = ("disabled",)


def rehearse(info: Facts, files: t.Mapping[str, str], target: str) -> Made:
    """Return the effects of an upgrade of a host.

    ``info`` is the result of ipsec_info. ``files`` are the files of ipsec_diagnostics with the
    query ``configuration``. ``target`` is one of the names of ``RELEASES``.
    """
    upgrade = Upgrade(info, RELEASES[target])
    known = {item["name"]: item for item in info["phase1"]}
    texts, faults = text_connections(upgrade, files, known)
    connections = [
        *(_phase1(upgrade, item) for item in info["phase1"] if not item["advanced"]),
        *(_text(item, known.get(item.name)) for item in texts),
        *_without_text(upgrade, {item.name for item in texts}),
    ]
    host = [*_host_findings(upgrade), *_fault_findings(faults), *daemon_findings(upgrade, files)]
    host += hidden(files)
    host += unseen(upgrade, {item["name"] for item in connections})
    for network in info["networks"]:
        host += settings_findings(upgrade, network)
    if _is_there(upgrade):
        connections = [{**item, "effect": CONTINUES, "findings": []} for item in connections]
        host = []
    connections.sort(key=lambda item: (EFFECTS.index(item["effect"]), item["name"]))
    return {
        "current": _release(upgrade.current),
        "target": _release(upgrade.target),
        "effect": worst([item["effect"] for item in (*connections, *map(_made, host))]),
        "counts": _counts(connections),
        "connections": connections,
        "host": sorted(map(_made, host), key=lambda item: EFFECTS.index(item["effect"])),
    }


def _is_there(upgrade: Upgrade) -> bool:
    return upgrade.current is not None and upgrade.current.number >= upgrade.target.number


def _phase1(upgrade: Upgrade, phase1: Facts) -> Made:
    return _connection(phase1["name"], "phase 1", phase1, phase1_findings(upgrade, phase1))


def _without_text(upgrade: Upgrade, found: t.Container[str]) -> t.Iterator[Made]:
    """Yield the connections of conf texts that are in none of the files."""
    for item in upgrade.info["phase1"]:
        if item["advanced"] and item["name"] not in found:
            findings = version_findings(upgrade, item["options"]["key_exchange"], item, WORDS)
            yield _connection(item["name"], "conf text", item, findings)


def _text(item: TextConnection, known: Facts | None) -> Made:
    kind = "conf text" if known is not None else "unmanaged"
    return {**_connection(item.name, kind, known, item.findings), "file": item.path}


def _connection(
    name: str, kind: str, known: Facts | None, findings: t.Iterable[UpgradeFinding]
) -> Made:
    found = sorted(map(_made, findings), key=lambda item: EFFECTS.index(item["effect"]))
    effect = worst(item["effect"] for item in found)
    state = known["state"] if known is not None else None
    if state in _SKIPPED_STATES and effect in (STOPS, DEPENDS):
        # A phase 1 that is switched off carries nothing that could stop.
        effect = CHANGES
    return {
        "name": name,
        "kind": kind,
        "network": known["network"] if known is not None else None,
        "state": state,
        "effect": effect,
        "file": None,
        "findings": found,
    }


def _host_findings(upgrade: Upgrade) -> t.Iterator[UpgradeFinding]:
    current, target = upgrade.current, upgrade.target
    if current is None:
        yield UpgradeFinding(
            "unknown_release",
            DEPENDS,
            "release of the host",
            "This check does not know the release of the host. It compares with the running daemon "
            "only.",
            "Check the upgrade on a copy of the host.",
        )
    elif target.number - current.number > 1:
        steps = [item for item in RELEASES.values() if current.number < item.number < target.number]
        names = ", ".join(item.name for item in steps)
        yield UpgradeFinding(
            "skipped_release",
            DEPENDS,
            f"{current.title} to {target.title}",
            "Debian supports the upgrade to the next release only.",
            f"Run this check for {names} too, and upgrade step by step.",
        )
    yield UpgradeFinding(
        "daemon_restarts",
        CHANGES,
        "package charon-systemd",
        "The upgrade of the package restarts the IKE daemon, which interrupts every tunnel.",
        "Upgrade in a maintenance window.",
    )
    if current is not None and current.python != target.python:
        yield UpgradeFinding(
            "python_changes",
            CHANGES,
            f"Python {current.python} to {target.python}",
            "The library vici is installed for one version of Python. The modules do not reach the "
            "IKE daemon without it.",
            "Run the playbook tunnelwright.ipsec.site, which installs the library again.",
        )
    yield from _package_findings(upgrade)


def _package_findings(upgrade: Upgrade) -> t.Iterator[UpgradeFinding]:
    loaded = {*upgrade.info["daemon"]["plugins"]} - _PROVIDERS
    for package, moved_here in upgrade.moved_plugins.items():
        names = [name for name in moved_here if name in loaded]
        if not names:
            continue
        yield UpgradeFinding(
            "plugins_need_restart",
            CHANGES,
            f"package {package}",
            f"These plugins move to the package: {', '.join(names)}. The daemon may lack them "
            "until it restarts once more after the upgrade.",
            f"Restart {DEBIAN.daemon_unit} after the upgrade if a connection needs them.",
        )
    versions = sorted({*upgrade.strongswan.values()})
    if len(versions) > 1:
        yield UpgradeFinding(
            "mixed_packages",
            DEPENDS,
            f"packages of strongSwan {', '.join(versions)}",
            "The packages have different versions. From strongSwan 6.0.3 on, the daemon loads only "
            "plugins of its own version.",
            "Upgrade all packages of strongSwan together, and hold none of them.",
        )
    if _STARTER in upgrade.packages:
        yield UpgradeFinding(
            "ipsec_conf",
            DEPENDS,
            f"package {_STARTER}",
            "Connections of ipsec.conf are not a part of this check.",
            "Check keyexchange, ike and esp in ipsec.conf.",
        )
    for name in sorted(loaded & plugins_gone(upgrade)):
        yield UpgradeFinding(
            "plugin_gone",
            CHANGES,
            f"plugin {name}",
            f"{upgrade.target.title} has no plugin {name}.",
            "Nothing is to be done if no connection needs it.",
        )
    for package, plugins in upgrade.target.plugins.items():
        moved = sorted(loaded & plugins)
        if moved and package not in upgrade.packages and package != "libstrongswan":
            yield UpgradeFinding(
                "plugin_moved",
                DEPENDS,
                f"plugins {', '.join(moved)}",
                f"{upgrade.target.title} has them in the package {package}, which is not "
                "installed.",
                f"Install {package} together with the upgrade if a connection needs them.",
            )


def _fault_findings(faults: t.Iterable[str]) -> t.Iterator[UpgradeFinding]:
    for fault in faults:
        yield UpgradeFinding(
            "file_refused",
            STOPS,
            fault.partition(": ")[0],
            f"strongSwan refuses the file ({fault.partition(': ')[2]}). The restart by the upgrade "
            "loads no connection from the files.",
            "Correct the file before the upgrade.",
        )


def _made(finding: UpgradeFinding) -> Made:
    return {**finding.to_dict()}


def _release(release: DebianRelease | None) -> Made | None:
    if release is None:
        return None
    return {
        "name": release.name,
        "title": release.title,
        "strongswan": release.strongswan,
        "nftables": release.nftables,
    }


def _counts(connections: t.Iterable[Facts]) -> dict[str, int]:
    effects = [item["effect"] for item in connections]
    return {effect: effects.count(effect) for effect in EFFECTS if effect in effects}
