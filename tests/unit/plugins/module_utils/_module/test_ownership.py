# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A wrong owner or mode of a managed file is drift, which is named, shown and repaired."""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.files import files, status
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import DEBIAN
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.ownership import (
    checkpoint_files,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    NETWORK,
    PHASE1,
    PHASE2,
    PSK,
    PUBKEY,
    RULE,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.machine import Machine
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.pki import CA
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.pki import GATEWAY as PAIR

RECORDS, CONF = "/etc/tunnelwright", "/etc/swanctl/conf.d"
UNITS, STATE = "/etc/systemd/system", "/var/lib/tunnelwright"
CERTIFIED = {
    **PHASE1,
    **PUBKEY,
    "name": "site-c",
    "remote_gateway": "192.0.2.3",
}
ADVANCED = {
    "network": "lan",
    "configuration_mode": "advanced",
    "swanctl_conf": f"secrets {{\n    ike-x {{\n        secret = {PSK}\n    }}\n}}\n",
    "strongswan_conf": "charon {\n}\n",
}
TASKS: t.Final = (
    ("vpn_network", NETWORK),
    ("ipsec_settings", ADVANCED),
    ("ipsec_phase1", PHASE1),
    ("ipsec_phase2", PHASE2),
    ("ipsec_phase1", CERTIFIED),
    ("vpn_rule", RULE),
)
# Each file of the tasks and of a checkpoint, with its mode.
MODES = {
    f"{RECORDS}/lan.json": 0o644,
    f"{RECORDS}/lan.nft": 0o644,
    f"{RECORDS}/lan.sh": 0o755,
    f"{UNITS}/tunnelwright-lan.service": 0o644,
    f"{UNITS}/tunnelwright-lan.guard.service": 0o644,
    f"{CONF}/tunnelwright.phase1.site-b.conf": 0o600,
    f"{CONF}/tunnelwright.phase1.site-c.conf": 0o600,
    f"{CONF}/tunnelwright.bypass.lan.conf": 0o600,
    f"{CONF}/tunnelwright.advanced.lan.conf": 0o600,
    "/etc/swanctl/x509/tunnelwright.site-c.pem": 0o644,
    "/etc/swanctl/private/tunnelwright.site-c.pem": 0o600,
    "/etc/swanctl/x509ca/tunnelwright.site-c.pem": 0o644,
    "/etc/strongswan.d/tunnelwright.conf": 0o644,
    "/etc/strongswan.d/tunnelwright.advanced.lan.conf": 0o600,
    f"{STATE}/checkpoint/state.json": 0o600,
    f"{STATE}/checkpoint/rollback.pyz": 0o600,
    f"{UNITS}/tunnelwright.rollback.timer": 0o644,
    f"{UNITS}/tunnelwright.rollback.service": 0o644,
}
# The files with secrets, and the advice after other users could read them.
SECRETS = {
    f"{CONF}/tunnelwright.phase1.site-b.conf": "Its keys may be known. Replace them on both",
    f"{CONF}/tunnelwright.advanced.lan.conf": "Its keys may be known. Replace them on both",
    "/etc/swanctl/private/tunnelwright.site-c.pem": "Replace it and its certificate",
    "/etc/strongswan.d/tunnelwright.advanced.lan.conf": "Secrets in it may be known. Replace",
    f"{STATE}/checkpoint/state.json": "All secrets of this host may be known. Replace them",
}
DIRECTORIES = {RECORDS: 0o755, STATE: 0o700, f"{STATE}/checkpoint": 0o700}

every_file = pytest.mark.parametrize("path", MODES)


@pytest.fixture(name="gateway")
def _gateway(machine: Machine) -> Machine:
    given = {"certificate": PAIR.certificate, "private_key": PAIR.key, "ca": CA.certificate}
    for option, data in given.items():
        path = machine.host.root / str(PUBKEY[option])[1:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    machine.prepare(*TASKS, ("ipsec_checkpoint", {"state": "started"}))
    return machine


@pytest.fixture(name="give_away")
def _give_away(monkeypatch: pytest.MonkeyPatch) -> t.Callable[[Path], None]:
    """Return a function that gives a path to user and group 1000, or pretends to without root."""
    given: set[int] = set()
    found, gives = status.owner_of, status.give

    def give(descriptor: int, owner: tuple[int, int]) -> None:
        given.discard(os.fstat(descriptor).st_ino)
        gives(descriptor, owner)

    if os.geteuid() == 0:
        return lambda path: os.chown(path, 1000, 1000)

    def owner_of(item: os.stat_result) -> tuple[int, int]:
        return (1000, 1000) if item.st_ino in given else found(item)

    for module in (files, status):
        monkeypatch.setattr(module, "owner_of", owner_of)
        monkeypatch.setattr(module, "give", give)
    return lambda path: given.add(path.stat().st_ino)


def drifts(gateway: Machine) -> list[dict[str, str]]:
    """Return all drift that ipsec_info reports."""
    found = gateway.run("ipsec_info")["ipsec_info"]
    return [*found["drift"], *(item for one in found["phase1"] for item in one["drift"])]


def put_right(gateway: Machine, path: str, found: str, wanted: str, action: str) -> list[str]:
    """Run all tasks again, check that both modes report the drift once, and return the warnings."""
    predicted = [gateway.run(module, check=True, **options) for module, options in TASKS]
    assert {"object": path, "actual": found, "expected": wanted} in drifts(gateway)
    assert len(drifts(gateway)) == 1
    done = [gateway.run(module, **options) for module, options in TASKS]
    changed = [item for item in done if item["changed"]]
    assert len(changed) == 1
    assert changed[0] in predicted
    assert action in changed[0]["actions"]
    entry = {"before": f"{found}\n", "after": f"{wanted}\n"}
    assert {**entry, "before_header": path, "after_header": path} in changed[0]["diff"]
    assert drifts(gateway) == []
    warnings = (item["event"]["msg"] for item in changed[0].get("warnings", ()))
    return [text for text in warnings if path in text]


def test_these_are_all_files(gateway: Machine) -> None:
    made = {path: file.mode for path, file in gateway.host.everything().items()}
    given = {str(PUBKEY[option]) for option in ("certificate", "private_key", "ca")}
    assert {path: mode for path, mode in made.items() if path not in given} == MODES
    later = {f"{STATE}/rolled-back.json": 0o600}
    assert {**MODES, **later}.items() >= checkpoint_files(DEBIAN).items()
    assert drifts(gateway) == []


@every_file
def test_mode(gateway: Machine, path: str) -> None:
    before, place = gateway.host.everything(), gateway.host.root / path[1:]
    place.chmod(0o666)
    seen = str(gateway.run("ipsec_info").get("warnings", ()))
    assert (f"{path} could be read by other users than root" in seen) == (path in SECRETS)
    right = f"mode {MODES[path]:04o}"
    told = put_right(gateway, path, f"mode 0666 instead of {right[5:]}", right, f"write {path}")
    assert gateway.host.everything() == before
    assert len(told) == (path in SECRETS)
    if told:
        assert (
            f"{path} could be read by other users than root (mode 0666 instead of 0600)" in told[0]
        )
        assert SECRETS[path] in told[0]


@every_file
def test_owner(gateway: Machine, give_away: t.Callable[[Path], None], path: str) -> None:
    before, place = gateway.host.everything(), gateway.host.root / path[1:]
    give_away(place)
    told = put_right(gateway, path, "owner 1000:1000 instead of 0:0", "owner 0:0", f"write {path}")
    assert gateway.host.everything() == before
    assert len(told) == (path in SECRETS)


@every_file
def test_symbolic_link(gateway: Machine, path: str) -> None:
    before, place = gateway.host.everything(), gateway.host.root / path[1:]
    elsewhere = gateway.host.root / "elsewhere"
    place.rename(elsewhere)
    place.symlink_to(elsewhere)
    theirs = elsewhere.read_bytes()
    put_right(
        gateway,
        path,
        f"a symbolic link to {elsewhere} instead of a file",
        "a file",
        f"write {path}",
    )
    assert not place.is_symlink()
    assert elsewhere.read_bytes() == theirs
    elsewhere.unlink()
    assert gateway.host.everything() == before


@pytest.mark.parametrize("path", DIRECTORIES)
@pytest.mark.parametrize("bits", [0o020, 0o002, 0o022])
def test_directory_that_others_can_write(gateway: Machine, path: str, bits: int) -> None:
    place, mode = gateway.host.root / path[1:], DIRECTORIES[path]
    place.chmod(mode | bits)
    found, wanted = f"mode {mode | bits:04o} instead of {mode:04o}", f"mode {mode:04o}"
    action = f"set owner root and mode {mode:04o} of {path}"
    assert put_right(gateway, path, found, wanted, action) == []
    assert place.stat().st_mode & 0o7777 == mode


@pytest.mark.parametrize("path", DIRECTORIES)
def test_directory_of_others(
    gateway: Machine, give_away: t.Callable[[Path], None], path: str
) -> None:
    give_away(gateway.host.root / path[1:])
    action = f"set owner root and mode {DIRECTORIES[path]:04o} of {path}"
    put_right(gateway, path, "owner 1000:1000 instead of 0:0", "owner 0:0", action)


def test_a_directory_may_be_closer_than_ours(gateway: Machine) -> None:
    (gateway.host.root / RECORDS[1:]).chmod(0o700)
    assert drifts(gateway) == []


def test_a_mode_beside_another_content(gateway: Machine) -> None:
    path = f"{CONF}/tunnelwright.bypass.lan.conf"
    place = gateway.host.root / path[1:]
    place.write_text(place.read_text().replace("10.1.0.0/24", "10.1.0.0/25"))
    place.chmod(0o644)
    (found,) = drifts(gateway)
    assert found["actual"].endswith("(mode 0644 instead of 0600)")
    assert found["expected"].endswith("(mode 0600)")
    assert "10.1.0.0/25" in found["actual"]


def test_taken_back_as_it_was_found(gateway: Machine, give_away: t.Callable[[Path], None]) -> None:
    """A failed run restores even the drift that the run had to repair."""
    path = f"{RECORDS}/lan.sh"
    place, elsewhere = gateway.host.root / path[1:], gateway.host.root / "elsewhere"
    place.rename(elsewhere)
    place.symlink_to(elsewhere)
    give_away(elsewhere)
    before = gateway.host.files.read(path)
    gateway.host.failing.add(f"{path} start")
    result = gateway.run("vpn_network", **{**NETWORK, "mtu": 1400})
    assert result["failed"]
    assert "The changes of this run were undone" in result["msg"]
    assert gateway.host.files.read(path) == before
    assert f"write {path}" in gateway.host.log
    assert before is not None
    assert (before.owner, before.link) == ((1000, 1000), str(elsewhere))


def test_a_rollback_restores_owner_and_mode(
    gateway: Machine, give_away: t.Callable[[Path], None]
) -> None:
    """A rollback restores owners and modes beside the contents, and reports the differences."""
    path = f"{RECORDS}/lan.nft"
    place = gateway.host.root / path[1:]
    place.chmod(0o666)
    give_away(place)
    result = gateway.run("ipsec_checkpoint", state="rolled_back")
    words = "mode 0666 instead of 0644, owner 1000:1000 instead of 0:0"
    assert result["differences"] == [f"{path}: changed ({words})"]
    file = gateway.host.files.read(path)
    assert file is not None
    assert (file.mode, file.owner) == (0o644, (0, 0))


def test_a_checkpoint_of_an_earlier_release_is_read(gateway: Machine) -> None:
    """A checkpoint of an earlier release is read, although it contains no owners."""
    place = gateway.host.root / STATE[1:] / "checkpoint/state.json"
    state = json.loads(place.read_text())
    for file in state["files"]:
        del file["owner"], file["link"]
    place.write_text(json.dumps(state))
    result = gateway.run("ipsec_checkpoint", state="rolled_back")
    assert (result["changed"], result["differences"]) == (True, [])
