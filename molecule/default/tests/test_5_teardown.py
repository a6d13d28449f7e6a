# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The teardown removes only the objects of the playbook."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from gateway import SCENARIO, Gateway, Run, playbook

# These paths stay, by design. Directories that a package owns by now are not listed.
STAYS = re.compile(
    "|".join(
        (
            # The packages of strongSwan, its service, and the results of their scripts.
            "unit strongswan.service",
            "file /etc/(strongswan.d|swanctl|swanctl/conf.d|ld.so.cache)",
            "changed file .* /etc/strongswan.d/charon/.*",
            "file /etc/systemd/system/(multi-user.target.wants/)?strongswan(-swanctl)?.service",
            "file /var/lib/systemd/deb-systemd-helper-enabled/.*",
            "file /etc/apparmor.d/local/usr.*(lookip|charon-systemd|swanctl)",
            # The library that the modules need.
            "file /usr/local/lib/python3[.][0-9]+/dist-packages/vici([./].*)?",
            # A setting of the whole host, that other software may need now.
            "setting /proc/sys/net/ipv[46]/.*forwarding",
        )
    )
)


def test_teardown(play: Callable[..., Run], gateways: dict[str, Gateway]) -> None:
    """Remove the gateway although the variables describe it as present."""
    renamed = [{"name": "renamed"}]
    checked = play("teardown", "--check", gateway_networks=renamed)
    done = play("teardown", gateway_networks=renamed)
    for near, far in (("gw-a", "gw-b"), ("gw-b", "gw-a")):
        shown = done.messages[near, "Show the objects to remove"]
        assert checked.messages[near, "Show the objects to remove"] == shown
        assert shown == [
            "network lan",
            "rule no-telnet of network lan",
            "network lan6",
            f"phase 1 {far} of network lan",
        ]
    found = [line for gateway in gateways.values() for line in differences(gateway)]
    assert not found, "\n".join(found)
    for gateway in gateways.values():
        assert gateway.connections().keys() == {"handmade"}
        assert gateway.secrets() == ["ike-handmade"]
        assert gateway.ike_sas() == []
    assert play("teardown").changed == {"gw-a": 0, "gw-b": 0}


def test_packages_stay_while_others_need_them(gateways: dict[str, Gateway], tmp_path: Path) -> None:
    variables = {"gateway_remove_packages": True}
    run = playbook("teardown", variables=variables, scratch=tmp_path)
    assert run.changed == {"gw-a": 0, "gw-b": 0}
    for gateway in gateways.values():
        task = "Refuse to remove packages that unmanaged objects need"
        said = run.messages[gateway.name, task].splitlines()
        assert said[1:] == [
            "file /etc/swanctl/conf.d/handmade.conf",
            "file /etc/strongswan.d/handmade.conf",
            "connection handmade in the IKE daemon",
            "secret ike-handmade in the IKE daemon",
        ]
        assert gateway.host.package("charon-systemd").is_installed
        assert gateway.connections().keys() == {"handmade"}


def differences(gateway: Gateway) -> list[str]:
    """Return the differences from the host before the first run of the playbook."""
    before = json.loads(gateway.host.file("/var/tmp/fingerprint.json").content_string)
    script = (SCENARIO / "fingerprint.py").read_text()
    after = json.loads(gateway.sh(f"python3 - <<'EOF'\n{script}EOF"))
    return [
        f"{gateway}: {key}: {before.get(key, 'absent')} -> {after.get(key, 'absent')}"
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key) and not STAYS.fullmatch(key)
    ]
