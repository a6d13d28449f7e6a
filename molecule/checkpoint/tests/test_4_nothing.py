# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host that was bare before the play is bare again."""

from __future__ import annotations

from hosts import TIMEOUT, Gateway, played, wait_for


def test_to_nothing(gateways: list[Gateway]) -> None:
    played("teardown.yml", gateway_networks=[{"name": "lan"}, {"name": "more"}])
    before = [gateway.held() for gateway in gateways]
    assert "tunnelwright" not in str(before)
    played("from_nothing.yml", timeout=TIMEOUT)
    for gateway in gateways:
        assert "tunnelwright-lan" in str(gateway.held())
    for gateway in gateways:
        wait_for(f"{gateway} rolls back", gateway.rolled_back)
    for gateway, held in zip(gateways, before, strict=True):
        now = gateway.held()
        # The daemon restarts to load another plugin, so that its process id may differ. Forwarding
        # stays on, because other software may need it by now.
        assert now == {**held, "pid": now["pid"], "forwarding": now["forwarding"]}
        assert gateway.record()["errors"] == []
