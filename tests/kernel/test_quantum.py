# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Additional key exchanges (RFC 9370), and the policy about quantum safety."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.tests.kernel.fields import proves
from ansible_collections.tunnelwright.ipsec.tests.kernel.pair import (
    PHASE1,
    PHASE2,
    End,
    Pair,
    until,
)
from ansible_collections.tunnelwright.ipsec.tests.kernel.test_identities import refused
from ansible_collections.tunnelwright.ipsec.tests.kernel.test_tunnels import replaced

ENDS = pytest.mark.parametrize("name", ["a", "b"])
PLAIN = {"algorithm": "aes", "dh_group": 31}


def with_rounds(*rounds: t.Any, group: int = 31) -> dict[str, t.Any]:
    """Return the option encryption with one entry that has these rounds."""
    return {"encryption": [{**PLAIN, "dh_group": group, "additional_key_exchange": [*rounds]}]}


def _safe(end: End) -> tuple[bool | None, bool | None]:
    """Return what ipsec_info reports of phase 1 and phase 2."""
    (phase1,) = end.machine.run("ipsec_info", {"phase1": PHASE1}).result["ipsec_info"]["phase1"]
    return phase1["quantum_safe"], phase1["phase2"][0]["quantum_safe"]


@proves("ipsec_phase1.encryption", "with additional_key_exchange", "proposals", "ake1 in list-sas")
@proves(
    "ipsec_phase2.encryption",
    "with additional_key_exchange",
    "esp_proposals",
    "ake1 in list-sas after a rekey",
)
@pytest.mark.parametrize(
    ("group", "method", "charon"),
    [(31, "mlkem768", "ML_KEM_768"), (20, "mlkem1024", "ML_KEM_1024")],
)
def test_rounds(pair: Pair, group: int, method: str, charon: str) -> None:
    for end in pair.ends:
        if charon not in end.machine.sh("swanctl --list-algs"):
            # Both topologies have one end with ML-KEM at most. KERNEL_TOPOLOGY names another one.
            # tests/live/test_quantum.py has two such ends.
            pytest.skip(f"the IKE daemon of {end.name} has no {charon}")
    rounds = with_rounds(method, group=group)
    for end in pair.ends:
        pair.tunnel(end.name, phase1=rounds, phase2=rounds)
        assert [each.sa()["ake1"] for each in pair.ends] == [charon, charon]
        assert [_safe(each) for each in pair.ends] == [(True, True), (True, True)]
        old = end.child()
        end.machine.sh("swanctl --rekey --child net")
        until(lambda old=old: all(replaced(each, old) for each in pair.ends), "a new Child SA")
        assert [each.child()["ake1"] for each in pair.ends] == [charon, charon]
        pair.ping()
    # One side requires the round, and the other side has none.
    pair.configure(phase1={"encryption": [PLAIN]}, a={"phase1": rounds})
    assert [("NO_PROPOSAL_CHOSEN" in refused(end)) for end in pair.ends] == [True, True]
    # The round is optional.
    pair.tunnel(phase1={"encryption": [PLAIN]}, a={"phase1": with_rounds([method, "none"])})
    assert "ake1" not in pair.a.sa()
    assert _safe(pair.a) == (False, False)


@ENDS
@proves("ipsec_phase1.quantum_safe", "ignore", "nothing", "no warning, and the tunnel is up")
@proves("ipsec_phase1.quantum_safe", "warn", "nothing", "a warning, and the tunnel is up")
@proves("ipsec_phase1.quantum_safe", "require", "nothing", "refused before anything is touched")
@proves("ipsec_phase2.quantum_safe", "ignore", "nothing", "no warning, and the tunnel is up")
@proves("ipsec_phase2.quantum_safe", "warn", "nothing", "a warning, and the tunnel is up")
@proves("ipsec_phase2.quantum_safe", "require", "nothing", "refused before anything is touched")
def test_quantum_safe(pair: Pair, name: str) -> None:
    end = getattr(pair, name)
    pair.tunnel()
    for phase in ("phase1", "phase2"):
        for policy, count in (("warn", 1), ("ignore", 0)):
            run = getattr(end, phase)(quantum_safe=policy)
            assert str(run.result.get("warnings", [])).count("not quantum safe: aes256") == count
    before = end.machine.state()
    options = {
        "phase1": {"name": PHASE1, "remote_gateway": end.other.address},
        "phase2": {
            "name": PHASE2,
            "phase1": PHASE1,
            "local_network": [end.lan4],
            "remote_network": [end.other.lan4],
        },
    }
    for phase, own in options.items():
        run = end.machine.run(
            f"ipsec_{phase}", {"network": "lan", "quantum_safe": "require", **own}
        )
        assert run.failed
        assert "quantum safe" in run.result["msg"]
    assert end.machine.state() == before
    assert _safe(end) == (False, False)
    pair.ping()
