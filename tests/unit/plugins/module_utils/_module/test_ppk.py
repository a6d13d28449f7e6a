# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A PPK on a host: loaded, kept, changed, removed and repaired as a PSK is, and shown nowhere.

``Machine.run`` checks that no output contains a key.
"""

from __future__ import annotations

import base64
import stat
import typing as t
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.files import known_gateway
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.tunnels import (
    hand_over,
    initiate,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    NETWORK,
    PHASE1,
    PHASE2,
    PPK,
    PSK,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.machine import Machine

FILE = "/etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf"
WITH = {**PHASE1, **PPK}
KEY = PPK["ppk"].encode()
NEW = "another post-quantum key, of enough characters"
LOADED = ("PPK", ("ppk-site-b",), KEY)
SITE_C = {
    "name": "site-c",
    "network": "lan",
    "remote_gateway": "192.0.2.3",
    "psk": "the key of another site, and long enough",
}
TEXT = """connections {
}
secrets {
  ppk-x {
    id = %s
    secret = %s
  }
}
"""


@pytest.fixture(name="ready")
def _ready(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    for patience in ("IDLE_MEANS_REFUSED_S", "RUNNING_ATTEMPT_S", "SETTLE_S"):
        monkeypatch.setattr(initiate, patience, 0.0)
    for patience in ("IDLE_MEANS_REFUSED_S", "DRAIN_S"):
        monkeypatch.setattr(hand_over, patience, 0.0)
    machine.prepare(("vpn_network", NETWORK), ("ipsec_phase1", WITH), ("ipsec_phase2", PHASE2))
    return machine


def shared(machine: Machine) -> dict[str, t.Any]:
    return dict(machine.host.vici.shared)


def connect(machine: Machine, **options: t.Any) -> None:
    machine.run("ipsec_connection", network="lan", phase1="site-b", **options)


class TestLoaded:
    def test_before_its_connection(self, machine: Machine) -> None:
        machine.prepare(("vpn_network", NETWORK))
        predicted = machine.run("ipsec_phase1", check=True, **WITH)
        done = machine.run("ipsec_phase1", **WITH)
        assert predicted["actions"] == done["actions"]
        loads = [item for item in done["actions"] if item.startswith("load ")]
        assert loads == [
            "load secret ike-site-b",
            "load secret ppk-site-b",
            "load connection site-b",
        ]
        assert shared(machine)["ppk-site-b"] == LOADED
        assert machine.run("ipsec_phase1", **WITH)["changed"] is False

    def test_from_a_file_for_root(self, ready: Machine) -> None:
        text = ready.host.text(FILE)
        assert f"0s{base64.b64encode(KEY).decode()}" in text
        assert PPK["ppk"] not in text.partition("connections {")[0]
        file = ready.host.files.read(FILE)
        assert file is not None
        assert stat.S_IMODE(file.mode) == 0o600

    def test_again_after_a_restart(self, ready: Machine) -> None:
        ready.host.vici.load_all()
        assert shared(ready)["ppk-site-b"] == LOADED
        assert ready.run("ipsec_phase1", **WITH)["changed"] is False

    def test_in_the_connection(self, ready: Machine) -> None:
        conn = ready.host.vici.conns["site-b"]
        assert (conn["ppk_id"], conn["ppk_required"]) == ("ppk-site-b", "no")
        ready.run("ipsec_phase1", **WITH, ppk_required=True)
        assert ready.host.vici.conns["site-b"]["ppk_required"] == "yes"

    def test_and_kept_when_left_out(self, ready: Machine) -> None:
        again = {**PHASE1, "psk": None, "ppk_id": "ppk-site-b"}
        assert ready.run("ipsec_phase1", **again)["changed"] is False


class TestRemoved:
    def test_with_its_options(self, ready: Machine) -> None:
        done = ready.run("ipsec_phase1", **PHASE1)
        assert "unload secret ppk-site-b" in done["actions"]
        assert set(shared(ready)) == {"ike-site-b"}
        assert "ppk" not in ready.host.text(FILE)
        assert ready.run("ipsec_phase1", **PHASE1)["changed"] is False

    @pytest.mark.parametrize("state", ["absent", "disabled"])
    def test_with_its_phase_1(self, ready: Machine, state: str) -> None:
        ready.run("ipsec_phase1", name="site-b", network="lan", state=state)
        assert shared(ready) == {}

    def test_with_its_network(self, ready: Machine) -> None:
        ready.run("vpn_network", name="lan", state="absent", force=True)
        assert shared(ready) == {}

    def test_back_after_a_failure(self, ready: Machine) -> None:
        ready.host.failing = {"unload secret ppk-site-b"}
        assert ready.run("ipsec_phase1", **PHASE1)["failed"]
        ready.host.failing = set()
        assert shared(ready)["ppk-site-b"] == LOADED
        assert ready.run("ipsec_phase1", **WITH)["changed"] is False


class TestChanged:
    @pytest.fixture(autouse=True)
    def _up(self, ready: Machine) -> None:
        connect(ready)

    @pytest.mark.parametrize("apply", ["graceful", "defer"])
    def test_one_that_the_next_authentication_takes(self, ready: Machine, apply: str) -> None:
        result = ready.run("ipsec_phase1", **{**WITH, "ppk": NEW}, apply=apply)
        assert result["impact"] == "pending"
        assert shared(ready)["ppk-site-b"][2] == NEW.encode()
        (phase1,) = ready.run("ipsec_info")["ipsec_info"]["phase1"]
        assert phase1["pending"] == [
            {"key": "ppk", "in_force": "the one before", "configured": "the new one"}
        ]
        note = (ready.host.root / "pending").read_text()
        assert PPK["ppk"] not in note
        assert NEW not in note
        back = ready.run("ipsec_phase1", **WITH, apply=apply)
        assert (back["changed"], back["impact"]) == (True, "none")
        (phase1,) = ready.run("ipsec_info")["ipsec_info"]["phase1"]
        assert phase1["pending"] == []

    def test_beside_a_new_psk(self, ready: Machine) -> None:
        ready.run("ipsec_phase1", **{**WITH, "psk": f"{PSK} of now", "ppk": NEW}, apply="defer")
        (phase1,) = ready.run("ipsec_info")["ipsec_info"]["phase1"]
        assert [item["key"] for item in phase1["pending"]] == ["psk", "ppk"]

    def test_reestablished(self, ready: Machine) -> None:
        done = ready.run("ipsec_phase1", **{**WITH, "ppk": NEW}, apply="reestablish")
        (impact,) = done["impacts"]
        assert (impact["sa"], impact["impact"]) == ("site-b", "ike")
        assert impact["reason"].startswith("ppk changed: ")
        order = [line for line in ready.changes if "site-b" in line]
        assert order[:2] == ["load secret ppk-site-b", "terminate site-b"]

    def test_the_case_of_its_identity(self, ready: Machine) -> None:
        """charon takes the connection for unchanged, so that the old one is unloaded first."""
        done = ready.run("ipsec_phase1", **{**WITH, "ppk_id": "PPK-Site-B"})
        assert done["impact"] == "ike"
        assert ready.host.vici.conns["site-b"]["ppk_id"] == "PPK-Site-B"
        actions = done["actions"]
        assert actions.index("unload connection site-b") < actions.index("load connection site-b")

    def test_another_identity_needs_a_new_ike_sa(self, ready: Machine) -> None:
        for name in ("ppk-other", "PPK-Other"):
            done = ready.run("ipsec_phase1", **{**WITH, "ppk_id": name}, apply="defer")
            assert done["impact"] == "pending"
            assert "ppk_id" in done["impacts"][0]["reason"]
            assert ready.host.vici.conns["site-b"]["ppk_id"] == name


class TestDrift:
    def test_unloaded_by_hand(self, ready: Machine) -> None:
        ready.host.vici.shared.pop("ppk-site-b")
        (phase1,) = ready.run("ipsec_info")["ipsec_info"]["phase1"]
        (drift,) = phase1["drift"]
        assert drift["object"] == "secret ppk-site-b in the IKE daemon"
        done = ready.run("ipsec_phase1", **WITH)
        assert done["actions"] == ["load secret ppk-site-b"]
        assert shared(ready)["ppk-site-b"] == LOADED

    @pytest.mark.parametrize("loaded", [{"ppk_required": "yes"}, {"ppk_id": "other"}])
    def test_loaded_with_other_values(self, ready: Machine, loaded: dict[str, str]) -> None:
        ready.host.vici.conns["site-b"] = {**ready.host.vici.conns["site-b"], **loaded}
        done = ready.run("ipsec_phase1", **WITH)
        assert done["changed"] is True
        assert ready.host.vici.conns["site-b"]["ppk_id"] == "ppk-site-b"
        assert ready.host.vici.conns["site-b"]["ppk_required"] == "no"

    def test_a_secret_of_others_with_its_name(self, machine: Machine) -> None:
        machine.prepare(("vpn_network", NETWORK))
        machine.host.vici.shared["ppk-site-b"] = ("PPK", (), b"of others")
        result = machine.run("ipsec_phase1", **WITH)
        assert "'ppk-site-b': is a secret in the IKE daemon" in result["msg"]
        assert machine.host.vici.shared["ppk-site-b"][2] == b"of others"

    def test_a_file_of_others_with_its_name(self, machine: Machine) -> None:
        machine.prepare(("vpn_network", NETWORK))
        path = machine.host.root / "etc/swanctl/conf.d/partner.conf"
        path.write_text("secrets {\n ppk-site-b {\n  secret = x\n }\n}\n")
        result = machine.run("ipsec_phase1", **WITH)
        assert "makes the secret ppk-site-b" in result["msg"]


class TestConfTexts:
    ADVANCED: t.ClassVar = {"network": "lan", "configuration_mode": "advanced"}

    @pytest.mark.parametrize("name", ["ppk-site-b", "PPK-SITE-B"])
    def test_another_key_for_its_identity(self, ready: Machine, name: str) -> None:
        text = TEXT % (name, "another")
        result = ready.run("ipsec_settings", **self.ADVANCED, swanctl_conf=text)
        assert "has another key for ppk_id ppk-site-b of phase 1 site-b" in result["msg"]

    def test_the_same_key(self, ready: Machine) -> None:
        text = TEXT % ("ppk-site-b", f"0s{base64.b64encode(KEY).decode()}")
        result = ready.run("ipsec_settings", **self.ADVANCED, swanctl_conf=text)
        assert not result.get("failed")

    def test_the_name_of_its_secret(self, ready: Machine) -> None:
        text = TEXT.replace("ppk-x", "ppk-site-b") % ("other", "another")
        result = ready.run("ipsec_settings", **self.ADVANCED, swanctl_conf=text)
        assert "is the name of a connection or secret of this collection" in result["msg"]

    def test_beside_a_text(self, machine: Machine) -> None:
        text = {**self.ADVANCED, "swanctl_conf": TEXT % ("ppk-site-b", "an unknown key")}
        machine.prepare(("vpn_network", NETWORK), ("ipsec_settings", text))
        result = machine.run("ipsec_phase1", **WITH)
        assert "ppk_id 'ppk-site-b': is an id of secret ppk-x in swanctl_conf" in result["msg"]
        assert "an unknown key" not in result["msg"]


class TestWarnings:
    SHORT: t.ClassVar = {**PHASE1, "ppk": "31 characters are less than 256", "ppk_id": "x"}

    def test_of_a_short_one(self, ready: Machine) -> None:
        weak = "a ppk of fewer than 32 characters"
        warnings = ready.run("ipsec_phase1", check=True, **self.SHORT)["warnings"]
        assert f"phase 1 site-b: weak cryptography: {weak}" in str(warnings)
        refused = ready.run("ipsec_phase1", check=True, **self.SHORT, weak_crypto="refuse")
        assert f"phase 1 site-b: ppk {weak!r}: is weak cryptography" in refused["msg"]
        assert "Give a longer random ppk, or set weak_crypto to warn." in refused["msg"]
        allowed = ready.run("ipsec_phase1", check=True, **self.SHORT, weak_crypto="allow")
        assert "warnings" not in allowed

    def test_of_one_that_two_peers_know(self, ready: Machine) -> None:
        warnings = ready.run("ipsec_phase1", **SITE_C, **PPK)["warnings"]
        assert "its ppk is the ppk of phase 1 site-b too" in str(warnings)

    def test_of_an_sa_without_it(self, ready: Machine) -> None:
        connect(ready)
        info = ready.run("ipsec_info")
        assert info["ipsec_info"]["phase1"][0]["sas"][0]["ppk"] is True
        assert "warnings" not in info
        # The peer has no PPK.
        for made in ready.host.vici.made.values():
            made.pop("ppk_id", None)
        info = ready.run("ipsec_info")
        assert info["ipsec_info"]["phase1"][0]["sas"][0]["ppk"] is False
        assert "an IKE SA is up without the PPK" in str(info["warnings"])

    def test_of_an_sa_that_must_have_it(self, ready: Machine) -> None:
        connect(ready)
        ready.run("ipsec_phase1", **WITH, ppk_required=True, apply="reestablish")
        for made in ready.host.vici.made.values():
            made.pop("ppk_id", None)
        (phase1,) = ready.run("ipsec_info")["ipsec_info"]["phase1"]
        assert {"key": "ppk", "in_force": "no", "configured": "yes"} in phase1["pending"]
        assert phase1["phase2"][0]["state"] == "outdated"


class TestWholeGateway:
    CHILD: t.ClassVar = {key: PHASE2[key] for key in PHASE2 if key not in ("phase1", "network")}
    LISTS: t.ClassVar = {"networks": [NETWORK], "phase1": [{**WITH, "phase2": [CHILD]}]}

    def test_nothing_to_do(self, ready: Machine) -> None:
        assert ready.run("ipsec_gateway", **self.LISTS)["changed"] is False

    def test_a_changed_one_is_a_change_of_its_phase_1(self, ready: Machine) -> None:
        entry = {"name": "site-b", "network": "lan", "ppk": NEW}
        result = ready.run("ipsec_gateway", state="merged", phase1=[entry])
        assert result["changed"] is True
        assert shared(ready)["ppk-site-b"][2] == NEW.encode()

    def test_gathered_without_it(self, ready: Machine) -> None:
        (phase1,) = ready.run("ipsec_gateway", state="gathered")["gathered"]["phase1"]
        assert phase1["ppk_id"] == "ppk-site-b"
        assert "ppk" not in phase1
        again = {**phase1, "phase2": [self.CHILD]}
        lists = {"networks": [NETWORK], "phase1": [again]}
        assert ready.run("ipsec_gateway", **lists)["changed"] is False

    def test_rendered_with_a_mask(self, ready: Machine) -> None:
        texts = ready.run("ipsec_gateway", state="rendered", **self.LISTS)["rendered"]
        assert "********" in texts[FILE].partition("ppk-site-b {")[2]
        shown = ready.run("ipsec_gateway", state="rendered", show_secrets=True, **self.LISTS)
        assert base64.b64encode(KEY).decode() in shown["rendered"][FILE]


def test_the_note_of_the_gateway_has_no_key(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_gateway, "_QUIET", 0)
    Path(machine.host.platform.run_dir).mkdir(exist_ok=True)
    machine.prepare(("vpn_network", NETWORK), ("ipsec_phase1", WITH))
    note = Path(machine.host.platform.known_gateway)
    data = note.read_bytes()
    for key in (KEY, base64.b64encode(KEY), PSK.encode(), base64.b64encode(PSK.encode())):
        assert key not in data
    # The keys come from the file, each to its place.
    assert machine.run("ipsec_phase1", **WITH)["changed"] is False
    machine.host.vici.shared.pop("ppk-site-b")
    machine.run("ipsec_phase1", **WITH)
    assert shared(machine)["ppk-site-b"] == LOADED
    assert machine.run("ipsec_phase1", **PHASE1)["changed"] is True
    assert set(shared(machine)) == {"ike-site-b"}


def test_a_rollback_brings_the_old_one_back(ready: Machine) -> None:
    ready.run("ipsec_checkpoint", timeout=60)
    ready.run("ipsec_phase1", **{**WITH, "ppk": NEW})
    assert ready.time_passes() == 0
    assert shared(ready)["ppk-site-b"] == LOADED


def test_every_diff_is_masked(ready: Machine) -> None:
    (diff,) = (
        item
        for item in ready.run("ipsec_phase1", check=True, **PHASE1)["diff"]
        if item["before_header"] == FILE
    )
    assert "ppk-site-b" in diff["before"]
    assert "********" in diff["before"]
    assert base64.b64encode(KEY).decode() not in str(diff)
