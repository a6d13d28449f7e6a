# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Events for a tunnel that is up. After each event the tunnel is up, or the test fails."""

from __future__ import annotations

import typing as t

from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.algorithms import DH
from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.rig import Rig, packets


def rekey_child_by_us(rig: Rig) -> None:
    """Rekey the Child SA, with a new Diffie-Hellman exchange when the phase 2 has a group."""
    before = rig.child_sas()
    rig.ours.vici("rekey", {"child": rig.site.children()[0].partition("/")[2]})
    rig.wait(lambda: _replaced(rig, before), wanted="not rekeyed")
    group = rig.site.tunnel.child.get("dh_group")
    if group is not None and rig.site.column.key_exchange == "ikev2":
        used = {
            child.get("dh-group")
            for sa in rig.ours.ask("sas")["sas"]
            for child in sa.get("child-sas", {}).values()
            if child["state"] == "INSTALLED"
        }
        assert used == {DH[group].charon}, rig.told()


def rekey_child_by_peer(rig: Rig) -> None:
    before, ike = rig.child_sas(), rig.ike_sa()
    rig.wait(lambda: _replaced(rig, before), wanted="not rekeyed")
    assert rig.ike_sa() == ike, rig.told()


def rekey_ike_by_us(rig: Rig) -> None:
    before = rig.ike_sa()
    rig.ours.vici("rekey", {"ike": "peer"})
    rig.wait(lambda: _ike_replaced(rig, before), wanted="not rekeyed")


def rekey_ike_by_peer(rig: Rig) -> None:
    before = rig.ike_sa()
    rig.wait(lambda: _ike_replaced(rig, before), wanted="not rekeyed")


def cut_seen_by_us(rig: Rig) -> None:
    with rig.cut():
        rig.wait(lambda: not rig.ike_sa(), wanted="not noticed")
    rig.wait_up()


def cut_seen_by_peer(rig: Rig) -> None:
    before = set(packets(rig.theirs))
    with rig.cut():
        rig.wait(
            lambda: not before & set(packets(rig.theirs)), rig.peer.noticing, wanted="not noticed"
        )
    rig.wait_up()


def restart_of_us(rig: Rig) -> None:
    before = rig.ike_sa()
    rig.ours.sh("systemctl restart strongswan")
    rig.wait(lambda: _ike_replaced(rig, before), wanted="not back")


def restart_of_peer(rig: Rig) -> None:
    before = rig.ike_sa()
    rig.peer.restart()
    rig.wait(lambda: rig.ike_sa() != before, wanted="not noticed")
    rig.wait_up()


def crash_of_peer(rig: Rig) -> None:
    before = rig.ike_sa()
    rig.peer.crash()
    rig.wait(lambda: rig.ike_sa() != before, wanted="not noticed")
    rig.wait_up()


def closed_by_peer(rig: Rig) -> None:
    before = rig.child_sas()
    rig.peer.close()
    rig.wait(lambda: rig.child_sas() != before, wanted="not closed")
    rig.wait_up()


def _replaced(rig: Rig, before: dict[str, tuple[str, str]]) -> bool:
    now = rig.child_sas()
    return rig.is_up() and not set(now.items()) & set(before.items())


def ppk_in_use(rig: Rig) -> None:
    """Check that the IKE SA uses the PPK, also after its rekey."""
    before = rig.ike_sa()
    assert _ppks(rig) == {"yes"}, rig.told()
    rig.ours.vici("rekey", {"ike": "peer"})
    rig.wait(lambda: _ike_replaced(rig, before), wanted="not rekeyed")
    assert _ppks(rig) == {"yes"}, rig.told()


def _ppks(rig: Rig) -> set[str | None]:
    sas = rig.ours.ask("sas")["sas"]
    return {sa.get("ppk") for sa in sas if sa["state"] == "ESTABLISHED"}


def _ike_replaced(rig: Rig, before: str) -> bool:
    return rig.is_up() and rig.ike_sa() not in ("", before)


ACTS: dict[str, t.Callable[[Rig], None]] = {
    act.__name__: act
    for act in (
        rekey_child_by_us,
        rekey_child_by_peer,
        rekey_ike_by_us,
        rekey_ike_by_peer,
        cut_seen_by_us,
        cut_seen_by_peer,
        restart_of_us,
        restart_of_peer,
        crash_of_peer,
        closed_by_peer,
        ppk_in_use,
    )
}
