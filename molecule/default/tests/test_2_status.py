# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The status page and the diagnosis are correct, and show no secret."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gateway import (
    Gateway,
    Run,
    ansible_playbook,
    playbook,
    up,
    wait_for,
    write_variables,
)
from leaks import shows

Play = Callable[..., Run]

WRONG = "not the key of the other side at all"


@pytest.fixture
def page(play: Play, tmp_path: Path) -> Callable[[], tuple[str, dict[str, Any]]]:
    """Return a function that makes the page and the same data as JSON."""

    def written() -> tuple[str, dict[str, Any]]:
        path = tmp_path / "status.html"
        done = play("status", gateway_status_page=str(path))
        assert set(done.changed.values()) == {0}
        told = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        return path.read_text(encoding="utf-8"), told

    return written


def secrets_of(gateways: dict[str, Gateway]) -> list[str]:
    """Return every pre-shared key on the gateways in the form of its file: base64."""
    found = []
    for gateway in gateways.values():
        line = "sed -n 's/^ *secret = 0s//p' /etc/swanctl/conf.d/*.conf"
        found += gateway.sh(line).split()
    return found


@pytest.mark.usefixtures("tunnel")
def test_all_is_well(page: Any, gateways: dict[str, Gateway]) -> None:
    for name, far in (("gw-a", "gw-b"), ("gw-b", "gw-a")):
        gateways[name].ping(gateways[far].lan4.ip)
    html, told = page()
    assert told["counts"] == {"up": 4}
    assert told["problems"] == []
    assert {(item["gateway"], item["peer"]) for item in told["tunnels"]} == {
        ("gw-a", "gw-b"),
        ("gw-b", "gw-a"),
    }
    for tunnel in told["tunnels"]:
        assert tunnel["drift"] == []
        sa = gateways[tunnel["gateway"]].child_sas()[tunnel["phase2"]]
        assert tunnel["bytes_in"] <= int(sa["bytes-in"])
        assert f"{sa['encr-alg']}-{sa['encr-keysize']}" in tunnel["algorithms"]
        if tunnel["phase2"] == "ipv4":
            assert tunnel["bytes_in"] >= 84
    (line,) = told["topology"]["lines"]
    assert (line["between"], line["state"]) == (["gw-a", "gw-b"], "up")
    assert "No tunnel is down" in html
    assert not shows(html.encode(), *secrets_of(gateways))


CONNECTION_FILE = "/etc/swanctl/conf.d/tunnelwright.phase1.gw-b.conf"


@pytest.mark.long
@pytest.mark.usefixtures("tunnel")
def test_what_was_changed_by_hand_is_named(
    page: Any, play: Play, gateways: dict[str, Gateway]
) -> None:
    near = gateways["gw-a"]
    near.sh("nft flush chain inet tunnelwright-lan nat_exemption")
    near.sh(f"sed -i 's/dpd_delay = 30$/dpd_delay = 31/' {CONNECTION_FILE}")
    html, told = page()
    assert drifts(told) == {
        ("gw-a", None): ["network lan: nftables rules"],
        ("gw-a", "ipv4"): [CONNECTION_FILE],
        ("gw-a", "ipv6"): [CONNECTION_FILE],
    }
    assert told["counts"] == {"up": 4}
    assert "network lan: nftables rules" in html
    assert CONNECTION_FILE in html

    assert play("site").changed == {"gw-a": 1, "gw-b": 0}
    assert drifts(page()[1]) == {}


def drifts(told: dict[str, Any]) -> dict[tuple[str, str | None], list[str]]:
    """Return the drifts of each gateway and of each of its phase 2."""
    found = {(item["name"], None): item["drift"] for item in told["gateways"]}
    found |= {(item["gateway"], item["phase2"]): item["drift"] for item in told["tunnels"]}
    return {place: [it["object"] for it in drift] for place, drift in found.items() if drift}


@pytest.fixture
def broken(play: Play, gateways: dict[str, Gateway]) -> Iterator[None]:
    """Give gw-b another key, and restart both daemons, so that they have no SAs."""
    try:
        play("site", "--limit=gw-b", site_psk=WRONG)
        for gateway in gateways.values():
            gateway.sh("systemctl restart strongswan")
        yield
    finally:
        play("site")
    # No other step initiates the tunnel again.
    wait_for("the tunnel is up", lambda: up(gateways))


@pytest.mark.long
@pytest.mark.usefixtures("broken")
def test_a_tunnel_that_is_down_is_explained(
    page: Any, gateways: dict[str, Gateway], tmp_path: Path
) -> None:
    causes: set[str] = set()

    def explained() -> bool:
        _html, told = page()
        for item in told["problems"]:
            why = item["explanation"] or {"cause": "", "candidates": []}
            causes.update([why["cause"], *(it["cause"] for it in why["candidates"])])
        return told["counts"].get("down", 0) > 0 and "psk_mismatch" in causes

    wait_for("the key is named as the cause", explained)
    html, _told = page()
    assert "pre-shared key" in html
    _required_tunnels_are_missed(tmp_path)
    _diagnosis_holds_no_secret(gateways, tmp_path)


def _required_tunnels_are_missed(scratch: Path) -> None:
    variables = {"site_psk": WRONG, "gateway_verify": "require"}
    run = playbook("site", "--limit=gw-b", variables=variables, scratch=scratch)
    assert run.changed == {"gw-b": 0}
    assert len(run.failures) == 1
    assert run.messages["gw-b", "Report the state of the tunnels"].startswith(
        "down: gw-a/ipv4, gw-a/ipv6. "
    )
    assert WRONG not in str(run.messages)


def _diagnosis_holds_no_secret(gateways: dict[str, Gateway], scratch: Path) -> None:
    archive = scratch / "diagnosis.tar.gz"
    variables = {
        "gateway_archive": str(archive),
        "gateway_phase1": "gw-b",
        "gateway_seconds": 5,
    }
    options = f"--extra-vars=@{write_variables(variables, scratch)}"
    done = subprocess.run(ansible_playbook("diagnose", options), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert archive.stat().st_mode & 0o7777 == 0o600
    with tarfile.open(archive) as packed:
        assert not [item.name for item in packed if item.mode & 0o077]
        files = {item.name: packed.extractfile(item) for item in packed if item.isfile()}
        contents = {name: file.read() for name, file in files.items() if file is not None}
    told = {Path(name).name for name in contents if "/gw-a/" in name}
    assert {"state.json", "log.txt", "configuration.txt", "trace.pcap", "commands.txt"} <= told
    assert b"remote_addrs" in contents["vpn-diagnosis/gw-a/configuration.txt"]
    keys = [WRONG, example_key(), *secrets_of(gateways)]
    assert not [name for name, content in contents.items() if shows(content, *keys)]
    private = [name for name, content in contents.items() if b"PRIVATE KEY" in content]
    assert not private


def example_key() -> str:
    """Return the pre-shared key that the first run has made."""
    keys = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "psk"
    return (keys / "gw-a+gw-b.psk").read_text().strip()
