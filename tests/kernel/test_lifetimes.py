# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The replacement of SAs: lifetimes in all units, rekeying, reauthentication."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.tests.kernel.fields import proves
from ansible_collections.tunnelwright.ipsec.tests.kernel.pair import (
    End,
    Pair,
    carried,
    lost_meanwhile,
)

SECONDS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400, "years": 365 * 86400}
# Lifetime and margin of each unit, in that unit.
TIMES = {
    "seconds": (7200, 540),
    "minutes": (120, 9),
    "hours": (5, 1),
    "days": (3, 1),
    "years": (3, 1),
}


def _proves_units(field: str, becomes: str) -> t.Callable[[t.Any], t.Any]:
    def mark(test: t.Any) -> t.Any:
        for unit in reversed(TIMES):
            test = proves(field, unit, becomes, "the times in list-sas")(test)
        return test

    return mark


@proves("ipsec_phase1.name", "several", "connections.<name>", "five IKE SAs between two addresses")
@proves("ipsec_phase1.lifetime", "a number", "rekey_time + over_time", "the times in list-sas")
@_proves_units("ipsec_phase1.lifetime_unit", "rekey_time, over_time")
@proves("ipsec_phase1.margintime", "a number", "over_time, rand_time", "the times in list-sas")
@_proves_units("ipsec_phase1.margintime_unit", "over_time, rand_time")
@proves("ipsec_phase2.name", "several", "children.<name>", "six Child SAs")
@proves("ipsec_phase2.phase1", "several", "connections.<phase1>.children", "six Child SAs")
@proves("ipsec_phase2.lifetime", "a number", "life_time", "the times in list-sas")
@_proves_units("ipsec_phase2.lifetime_unit", "life_time, rekey_time")
@proves("ipsec_phase2.lifetime_unit", "forever", "life_time = 0", "no times in list-sas")
def test_lifetimes_in_all_units_of_several_tunnels(pair: Pair) -> None:
    def build(end: End) -> None:
        end.clear()
        end.network()
        end.settings()
        for number, (unit, (lifetime, margin)) in enumerate(TIMES.items()):
            end.phase1(
                name=unit,
                identifier=f"{unit}.{end.name}.example",
                peer_identifier=f"{unit}.{end.other.name}.example",
                **{"lifetime": lifetime, "lifetime_unit": unit},
                **{"margintime": margin, "margintime_unit": unit},
            )
            end.phase2(
                name=unit,
                phase1=unit,
                **{"lifetime": lifetime, "lifetime_unit": unit},
                local_network=[f"10.{end.number}.{number}.0/24"],
                remote_network=[f"10.{end.other.number}.{number}.0/24"],
            )
        end.phase2(
            **{"name": "forever", "phase1": "days", "lifetime_unit": "forever"},
            local_network=[f"10.{end.number}.9.0/24"],
            remote_network=[f"10.{end.other.number}.9.0/24"],
        )

    pair.both(build)
    for unit in TIMES:
        pair.a.initiate(unit, unit)
    pair.a.initiate("days", "forever")
    pair.ping()
    for end in pair.ends:
        for unit, (lifetime, margin) in TIMES.items():
            life, least = lifetime * SECONDS[unit], (lifetime - 2 * margin) * SECONDS[unit] - 120
            renew = (lifetime - margin) * SECONDS[unit]
            assert least <= int(end.sa(unit)["rekey-time"]) <= renew
            child = end.child(unit, unit)
            assert least <= int(child["rekey-time"]) <= renew
            assert life - 120 <= int(child["life-time"]) <= life
        forever = end.child("forever", "days")
        assert "rekey-time" not in forever
        assert "life-time" not in forever
    pair.both(End.clear)


SHORT = {"lifetime": 60, "lifetime_unit": "seconds"}
SOON = {**SHORT, "margintime": 20, "margintime_unit": "seconds"}


@proves("ipsec_phase1.rekey", True, "rekey_time", "new SPIs of both SAs in time, no packet lost")
@proves(
    "ipsec_phase1.reauth",
    False,
    "reauth_time = 0",
    "the SA is rekeyed, without a new authentication",
)
def test_sas_are_rekeyed_in_time(pair: Pair) -> None:
    pair.tunnel(phase1=SOON, phase2=SHORT)
    marks = pair.both(End.mark)
    old = [(end.sa()["initiator-spi"], end.child()["spi-in"]) for end in pair.ends]

    def replaced() -> bool:
        return all(
            len(end.sas()) == 1
            and end.sa()["initiator-spi"] != ike
            and spi not in [item["spi-in"] for item in end.children()]
            for end, (ike, spi) in zip(pair.ends, old, strict=True)
        )

    assert lost_meanwhile(pair, replaced, "new SAs") <= 1
    assert not any(
        "reauthenticating" in end.log(m) for end, m in zip(pair.ends, marks, strict=True)
    )


@proves("ipsec_phase1.rekey", False, "rekey_time = 0, reauth_time = 0", "no rekey-time in list-sas")
def test_sas_that_are_never_rekeyed(pair: Pair) -> None:
    pair.tunnel(phase1={"rekey": False}, phase2=SHORT)
    for end in pair.ends:
        assert int(end.sa().get("rekey-time", 0)) == int(end.sa().get("reauth-time", 0)) == 0
        assert "rekey-time" not in end.child()


@pytest.mark.parametrize("name", ["a", "b"])
@proves(
    "ipsec_phase1.reauth", True, "reauth_time", "a new IKE SA with a new authentication, in time"
)
@proves(
    "ipsec_settings.make_before_break", False, "charon.make_before_break", "the old SA goes first"
)
@proves(
    "ipsec_settings.make_before_break", True, "charon.make_before_break", "the new SA comes first"
)
def test_reauthentication(pair: Pair, name: str) -> None:
    end = getattr(pair, name)
    # The other end would reauthenticate on its own, and its trap would initiate the tunnel again.
    lasting = {"phase1": {"connection_behavior": "responder_only"}}
    for kind in (True, False):
        pair.tunnel(
            name,
            settings={"make_before_break": kind},
            **{
                name: {"phase1": {**SOON, "reauth": True}},
                end.other.name: lasting,
            },
        )
        old, mark = end.sa()["initiator-spi"], end.mark()

        def replaced(end: End = end, old: str = old) -> bool:
            cookies = [sa["initiator-spi"] for sa in end.sas()]
            return len(cookies) == 1 and cookies != [old] and bool(carried(end))

        lost = lost_meanwhile(pair, replaced, "a new IKE SA")
        told = end.log(mark)
        assert "reauthenticating IKE_SA" in told
        assert (told.find("established between") < told.find("deleting IKE_SA")) is kind, told
        # Of 20 packets a second, some are on the way while only one end uses the new SA.
        assert lost <= 3 or not kind, f"{lost} lost with make_before_break"
