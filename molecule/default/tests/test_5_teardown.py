# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The teardown removes what the playbook made, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from gateway import SCENARIO, Gateway, Run

# What stays, by design. Directories that a package owns by now are not listed any more.
STAYS = re.compile(
    "|".join(
        (
            # The packages of strongSwan, its service, and what their scripts made of it.
            "unit strongswan.service",
            "file /etc/(strongswan.d|swanctl|swanctl/conf.d|ld.so.cache)",
            "changed file .* /etc/strongswan.d/charon/.*",
            "file /etc/systemd/system/(multi-user.target.wants/)?strongswan(-swanctl)?.service",
            "file /var/lib/systemd/deb-systemd-helper-enabled/.*",
            "file /etc/apparmor.d/local/usr.*(lookip|charon-systemd|swanctl)",
            # The library that the modules need.
            "file /usr/local/lib/python3[.][0-9]+/dist-packages/vici([./].*)?",
            # A setting of the whole host, on which others may rely by now.
            "setting /proc/sys/net/ipv[46]/.*forwarding",
        )
    )
)


def test_teardown(play: Callable[..., Run], gateways: dict[str, Gateway]) -> None:
    play("teardown")
    found = [line for gateway in gateways.values() for line in differences(gateway)]
    assert not found, "\n".join(found)
    for gateway in gateways.values():
        assert gateway.connections().keys() == {"handmade"}
        assert gateway.secrets() == ["ike-handmade"]
        assert gateway.ike_sas() == []
    assert play("teardown").changed == {"gw-a": 0, "gw-b": 0}


def differences(gateway: Gateway) -> list[str]:
    """What is otherwise than it was before the playbook ran for the first time."""
    before = json.loads(gateway.host.file("/var/tmp/fingerprint.json").content_string)
    script = (SCENARIO / "fingerprint.py").read_text()
    after = json.loads(gateway.sh(f"python3 - <<'EOF'\n{script}EOF"))
    return [
        f"{gateway}: {key}: {before.get(key, 'absent')} -> {after.get(key, 'absent')}"
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key) and not STAYS.fullmatch(key)
    ]
