# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The effect on a tunnel that is up when its objects change, are disabled, or go."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.tests.kernel.fields import proves
from ansible_collections.tunnelwright.ipsec.tests.kernel.pair import (
    PHASE1,
    PHASE2,
    End,
    Pair,
    lost_meanwhile,
)

ENDS = pytest.mark.parametrize("name", ["a", "b"])
GCM = [{"algorithm": "aes-gcm", "key_length": 256}]
BOTH = [*GCM, {"algorithm": "aes", "key_length": 256, "hash": "sha256", "dh_group": 14}]
IKE_GCM = [{"algorithm": "aes-gcm", "key_length": 256, "prf": "sha256", "dh_group": 19}]
IKE_BOTH = [*IKE_GCM, {"algorithm": "aes", "key_length": 256, "hash": "sha256", "dh_group": 14}]


def _apply(end: End, phase: str, **options: t.Any) -> t.Any:
    run = getattr(end, phase)(**options)
    assert run is not None, f"{end.name}: {phase} has these options already"
    return run.result


def _once(end: End, phase: str, options: dict[str, t.Any]) -> t.Callable[[], bool]:
    """Return a function that makes the change, and returns when the new SA is there."""

    def change() -> bool:
        _apply(end, phase, apply="graceful", **options)
        return True

    return change


@ENDS
@pytest.mark.parametrize("phase", ["phase1", "phase2"])
@proves(
    "ipsec_phase1.apply", "graceful", "a new IKE SA, then the old one closed", "no packet is lost"
)
@proves("ipsec_phase1.apply", "reestablish", "closed and called again", "a new IKE SA")
@proves(
    "ipsec_phase1.apply", "defer", "loaded, nothing closed", "the old IKE SA, reported as pending"
)
@proves(
    "ipsec_phase2.apply", "graceful", "a new Child SA, then the old one closed", "no packet is lost"
)
@proves("ipsec_phase2.apply", "reestablish", "closed and called again", "a new Child SA")
@proves("ipsec_phase2.apply", "defer", "loaded, nothing closed", "the old Child SA, reported")
def test_ways_to_apply(pair: Pair, name: str, phase: str) -> None:
    end = getattr(pair, name)
    # The other end accepts the old and the new algorithms.
    agreeing = {"phase1": {"encryption": IKE_BOTH}, "phase2": {"encryption": BOTH}}
    new = {"encryption": IKE_GCM if phase == "phase1" else GCM}

    def algorithm() -> str:
        return str((end.sa() if phase == "phase1" else end.child())["encr-alg"])

    for way in ("defer", "reestablish", "graceful"):
        pair.tunnel(
            name,
            **{
                end.other.name: agreeing,
                name: {"phase1": {"connection_behavior": "start"}},
            },
        )
        assert algorithm() == "AES_CBC"
        start = {"connection_behavior": "start"} if phase == "phase1" else {}
        if way == "graceful":
            lost = lost_meanwhile(pair, _once(end, phase, {**new, **start}), "the new SA")
            # The test sends 20 packets a second, on an emulated processor.
            assert lost <= 2
            assert algorithm() == "AES_GCM_16"
            continue
        result = _apply(end, phase, apply=way, **new, **start)
        if way == "defer":
            assert result["impact"] == "pending"
            assert algorithm() == "AES_CBC"
        else:
            pair.ping()
            assert algorithm() == "AES_GCM_16"


@ENDS
@proves("ipsec_phase1.weak_crypto", "allow", "nothing", "no warning, and the tunnel is up")
@proves("ipsec_phase1.weak_crypto", "warn", "nothing", "a warning, and the tunnel is up")
@proves("ipsec_phase1.weak_crypto", "refuse", "nothing", "refused before anything is touched")
@proves("ipsec_phase2.weak_crypto", "allow", "nothing", "no warning, and the tunnel is up")
@proves("ipsec_phase2.weak_crypto", "warn", "nothing", "a warning, and the tunnel is up")
@proves("ipsec_phase2.weak_crypto", "refuse", "nothing", "refused before anything is touched")
def test_weak_crypto(pair: Pair, name: str) -> None:
    end = getattr(pair, name)
    weak1 = {"encryption": [{"algorithm": "3des", "hash": "sha1", "dh_group": 2}]}
    weak2 = {"encryption": [{"algorithm": "3des", "hash": "md5"}]}
    quiet = {"weak_crypto": "allow"}
    pair.tunnel(phase1={**weak1, **quiet}, phase2={**weak2, **quiet})
    assert end.sa()["encr-alg"] == "3DES_CBC"
    assert end.child()["integ-alg"] == "HMAC_MD5_96"
    for phase, weak in (("phase1", weak1), ("phase2", weak2)):
        told = {
            way: _apply(end, phase, weak_crypto=way, **weak).get("warnings", [])
            for way in ("warn", "allow")
        }
        assert any("3des" in str(line) for line in told["warn"])
        assert not any("3des" in str(line) for line in told["allow"])
    before = end.machine.state()
    names = {
        "phase1": {"name": PHASE1, "remote_gateway": end.other.address},
        "phase2": {"name": PHASE2},
    }
    for phase, weak in (("phase1", weak1), ("phase2", weak2)):
        options = {"network": "lan", "weak_crypto": "refuse", **names[phase], **weak}
        if phase == "phase2":
            options |= {
                "phase1": PHASE1,
                "local_network": [end.lan4],
                "remote_network": [end.other.lan4],
            }
        run = end.machine.run(f"ipsec_{phase}", options)
        assert run.failed
        assert "3des" in run.result["msg"]
    assert end.machine.state() == before
    pair.ping()


@ENDS
@proves("ipsec_phase1.description", "a text", "a comment", "kept, and no SA notices")
@proves(
    "ipsec_phase1.network", "a name", "the network's rules", "its rules count the tunnel's packets"
)
@proves("ipsec_phase2.description", "a text", "a comment", "kept, and no SA notices")
@proves(
    "ipsec_phase2.network", "a name", "the network's rules", "the NAT exemption of its selectors"
)
@proves("ipsec_phase1.state", "present", "the connection is loaded", "the tunnel is up")
@proves("ipsec_phase1.state", "disabled", "not loaded", "the tunnel is closed, and can't be called")
@proves("ipsec_phase1.state", "absent", "no file", "nothing of it is left")
@proves("ipsec_phase2.state", "present", "the child is loaded", "the tunnel is up")
@proves(
    "ipsec_phase2.state",
    "disabled",
    "the child is not loaded",
    "its SA is closed, the IKE SA stays",
)
@proves("ipsec_phase2.state", "absent", "the child is gone", "its SA is closed, the IKE SA stays")
def test_states_of_phases(pair: Pair, name: str) -> None:
    end = getattr(pair, name)
    pair.tunnel(name)
    old = end.child()["spi-in"]
    end.phase1(description="Branch office")
    end.phase2(description="Servers")
    assert end.child()["spi-in"] == old
    counted = end.machine.sh("nft list table inet tunnelwright-lan")
    assert f"{end.lan4} . {end.other.lan4} comment" in counted
    assert "ip saddr . ip daddr @out4 snat ip to ip saddr" in counted
    for state in ("disabled", "absent"):
        end.phase2()
        if not end.children():
            end.initiate()
        end.phase2(state=state)
        assert end.sas()
        assert not end.children()
    end.phase2()
    end.initiate()
    for state in ("disabled", "absent"):
        end.phase1()
        end.phase1(state=state)
        assert not end.sas()
        assert PHASE1 not in end.machine.state()["connections"]
    assert PHASE1 not in end.machine.sh("ls -A /etc/swanctl/conf.d; ip xfrm policy")
    assert "dir out" not in end.machine.sh(f"ip xfrm policy | grep -A1 {end.other.lan4} || true")
