# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan for one network that is started, stopped or removed."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.network import VpnNetwork
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import DEBIAN
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.network import (
    plan_network,
    plan_power_off,
    plan_record,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.network_guard import (
    plan_blocks,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.network_interface import (
    plan_note,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.network_steps import (
    DeleteBlocks,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.observed import (
    NetworkState,
    Observed,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.plan import Plan
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.steps import WriteFile
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.artefacts import artefacts
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.blocks import Block
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.file import File
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.network_interface import (
    interface_of,
    record_text,
    with_interfaces,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.network_parts import (
    NetworkParts,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    child,
    connection,
    gateway,
    network,
)

RECORD = "/etc/tunnelwright/lan.json"
NFT, SCRIPT = "/etc/tunnelwright/lan.nft", "/etc/tunnelwright/lan.sh"
UNIT = "/etc/systemd/system/tunnelwright-lan.service"
GUARD_UNIT = "/etc/systemd/system/tunnelwright-lan.guard.service"
SERVICE, GUARD = "tunnelwright-lan.service", "tunnelwright-lan.guard.service"
FILES = (NFT, SCRIPT, GUARD_UNIT, UNIT)
WRITES = [*(f"write {path}" for path in FILES), "reload systemd's unit files"]
REMOVES = [*(f"remove {path}" for path in FILES), "reload systemd's unit files"]
LOAD = "load the nftables rules of network lan"
WITHDRAW = [f"stop {GUARD}", f"disable {GUARD}", "delete the nftables rules of network lan"]
ETH = {"interface_network": "eth1"}


def parts(*more: t.Any, **options: t.Any) -> NetworkParts:
    made: VpnNetwork = network(**options)
    return artefacts(gateway(made, *more), DEBIAN, userspace=False, credentials={}).networks["lan"]


ON, OFF = parts(), parts(state="stopped")
LIVE = NetworkState(
    device_exists=True,
    device_up=True,
    mtu=1500,
    addresses=("10.1.0.1/24",),
    forwarding=frozenset({4}),
    rules_present=True,
    rules_match=True,
    enabled=True,
    active=True,
    guard_enabled=True,
    guard_active=True,
)
DEAD = NetworkState()
# A network that is switched off has only its guard.
QUIET = replace(DEAD, rules_present=True, rules_match=True, guard_enabled=True, guard_active=True)


def holding(made: NetworkParts | None, state: NetworkState = LIVE, **changes: t.Any) -> Observed:
    files = {file.path: file for file in made.files} if made else {}
    blocks = frozenset(made.blocks) if made else frozenset()
    return Observed(files, {"lan": replace(state, **changes)}, blocks=blocks)


def planned(
    before: NetworkParts | None,
    after: NetworkParts | None,
    host: Observed,
    guests: frozenset[str] = frozenset(),
) -> Plan:
    """Return the plan of a network before its tunnels, plus the plan after its tunnels."""
    plan = plan_network(before, after, host, guests)
    return plan if after is None else plan + plan_power_off(before, after, host)


def differences(plan: Plan) -> list[tuple[str, str, str]]:
    return [(item.header, item.before.strip(), item.after.strip()) for item in plan.differences]


class TestOn:
    def test_new(self) -> None:
        plan = planned(None, ON, holding(None, DEAD))
        assert plan.actions == [
            *WRITES,
            LOAD,
            f"start {GUARD}",
            f"enable {GUARD}",
            f"start {SERVICE}",
            f"enable {SERVICE}",
        ]
        assert [item.header for item in plan.differences][:4] == [*FILES]
        assert differences(plan)[4:] == [
            ("network lan: blocks against cleartext", "0 of 1", "1"),
            (f"unit {GUARD}", "disabled, inactive", "enabled, active"),
            ("network lan: interface vpn-lan", "absent", "present, up"),
            ("network lan: address of vpn-lan", "none", "10.1.0.1/24"),
            ("network lan: IPv4 forwarding", "off", "on"),
            (f"unit {SERVICE}", "disabled, inactive", "enabled, active"),
        ]
        assert plan.impact == "none"

    def test_nothing_to_do(self) -> None:
        assert planned(ON, ON, holding(ON)) == Plan()

    def test_nothing_known_of_it(self) -> None:
        assert planned(None, ON, Observed()).actions == [
            *WRITES,
            LOAD,
            f"start {GUARD}",
            f"enable {GUARD}",
            f"start {SERVICE}",
            f"enable {SERVICE}",
        ]

    @pytest.mark.parametrize(
        ("old", "mtu", "more", "resets"),
        [
            ({"mtu": 1300}, 1300, {}, True),
            # No reset: MTU changed by hand, interface gone, MTU never configured, network moved.
            ({"mtu": 1300}, 1400, {}, False),
            ({"mtu": 1300}, 1300, {"device_exists": False, "device_up": False}, False),
            ({}, 1300, {}, False),
            ({"mtu": 1300, "interface": "lan0"}, 1300, {}, False),
        ],
    )
    def test_an_mtu_that_is_given_no_longer(
        self, old: t.Any, mtu: int, more: t.Any, resets: bool
    ) -> None:
        before = parts(**old)
        plan = planned(before, ON, holding(before, mtu=mtu, **more))
        assert ("reset the mtu of vpn-lan" in plan.actions) is resets
        header = ("network lan: mtu of vpn-lan", str(mtu), "the MTU of a new interface")
        assert (header in differences(plan)) is resets

    def test_switched_on(self) -> None:
        plan = planned(OFF, ON, holding(OFF, QUIET))
        assert plan.actions == [f"start {SERVICE}", f"enable {SERVICE}"]

    @pytest.mark.parametrize(
        ("changes", "action", "difference"),
        [
            (
                {"device_exists": False},
                "bring up interface and routes of network lan",
                ("network lan: interface vpn-lan", "absent", "present, up"),
            ),
            (
                {"device_up": False},
                "bring up interface and routes of network lan",
                ("network lan: interface vpn-lan", "down", "up"),
            ),
            (
                {"addresses": ()},
                "bring up interface and routes of network lan",
                ("network lan: address of vpn-lan", "none", "10.1.0.1/24"),
            ),
            (
                {"forwarding": frozenset({6})},
                "bring up interface and routes of network lan",
                ("network lan: IPv4 forwarding", "off", "on"),
            ),
            (
                {"rules_match": False},
                "replace the nftables rules of network lan",
                ("network lan: nftables rules", "changed", "loaded"),
            ),
            (
                {"rules_match": False, "rules_present": False},
                LOAD,
                ("network lan: nftables rules", "not loaded", "loaded"),
            ),
            (
                {"guard_enabled": False},
                f"enable {GUARD}",
                (f"unit {GUARD}", "disabled, active", "enabled, active"),
            ),
            (
                {"guard_active": False},
                f"start {GUARD}",
                (f"unit {GUARD}", "enabled, inactive", "enabled, active"),
            ),
            (
                {"enabled": False},
                f"enable {SERVICE}",
                (f"unit {SERVICE}", "disabled, active", "enabled, active"),
            ),
            (
                {"active": False},
                f"start {SERVICE}",
                (f"unit {SERVICE}", "enabled, inactive", "enabled, active"),
            ),
        ],
    )
    def test_drift(
        self, changes: dict[str, t.Any], action: str, difference: tuple[str, str, str]
    ) -> None:
        plan = planned(ON, ON, holding(ON, **changes))
        assert plan.actions == [action]
        assert differences(plan) == [difference]

    def test_one_run_of_the_script_for_all_that_is_lacking(self) -> None:
        plan = planned(ON, ON, holding(ON, device_up=False, addresses=()))
        assert plan.actions == ["bring up interface and routes of network lan"]
        assert len(plan.differences) == 2

    @pytest.mark.parametrize(("mtu", "now"), [(1400, "1500"), (1500, None)])
    def test_mtu(self, mtu: int, now: str | None) -> None:
        made = parts(mtu=mtu)
        plan = planned(made, made, holding(made))
        assert differences(plan) == (
            [("network lan: mtu of vpn-lan", now, str(mtu))] if now else []
        )

    def test_any_mtu_will_do_where_none_is_wanted(self) -> None:
        assert not planned(ON, ON, holding(ON, mtu=9000))

    def test_an_edit_of_the_rules(self) -> None:
        """The diff shows the changed file, and not the live rules a second time."""
        after = parts(connection(child()))
        plan = planned(ON, after, holding(ON, rules_match=False))
        assert plan.actions == [
            f"write {NFT}",
            f"write {SCRIPT}",
            "replace the nftables rules of network lan",
        ]
        assert [item.header for item in plan.differences] == [
            NFT,
            SCRIPT,
            "network lan: blocks against cleartext",
        ]

    def test_blocks_that_another_program_has_deleted(self) -> None:
        made = parts(connection(child()))
        host = holding(made)
        plan = planned(made, made, replace(host, blocks=frozenset([*host.blocks][1:])))
        assert plan.actions == ["replace the nftables rules of network lan"]
        assert differences(plan) == [("network lan: blocks against cleartext", "3 of 4", "4")]

    def test_rules_that_come_back_take_no_block_along(self) -> None:
        """The undo of the rules deletes only the blocks that the run made."""
        made = parts(connection(child()))
        host = holding(made)
        gone = sorted(host.blocks)[0]
        plan = planned(made, made, replace(host, blocks=host.blocks - {gone}))
        (undo,) = (item for step in plan.steps for item in step.also_undo)
        assert undo == DeleteBlocks((gone,))

    @pytest.mark.parametrize("path", FILES)
    def test_drift_of_files(self, path: str) -> None:
        host = holding(ON)
        host = replace(host, files={**host.files, path: replace(host.files[path], data=b"x")})
        plan = planned(ON, ON, host)
        again = ["reload systemd's unit files"] if path in (UNIT, GUARD_UNIT) else []
        assert plan.actions == [f"write {path}", *again]
        assert [item.header for item in plan.differences] == [path]


class TestAddresses:
    def test_an_interface_of_ours_keeps_no_other(self) -> None:
        plan = planned(ON, ON, holding(ON, addresses=("10.1.0.1/24", "10.9.0.1/24")))
        assert plan.actions == ["delete address 10.9.0.1/24 from vpn-lan"]
        assert differences(plan) == [("network lan: address of vpn-lan", "10.9.0.1/24", "absent")]

    def test_but_those_of_networks_that_are_attached_to_it(self) -> None:
        host = holding(ON, addresses=("10.1.0.1/24", "10.9.0.1/24"))
        assert not planned(ON, ON, host, frozenset({"10.9.0.1/24"}))

    def test_an_interface_of_others_keeps_theirs(self) -> None:
        made = parts(**ETH)
        assert not planned(made, made, holding(made, addresses=("10.1.0.1/24", "10.9.0.1/24")))

    @pytest.mark.parametrize("options", [{}, ETH])
    def test_an_edit_takes_away_the_one_before(self, options: dict[str, str]) -> None:
        before, after = parts(**options), parts(ip_address="10.1.0.2", **options)
        host = holding(after, addresses=("10.1.0.1/24",))
        # In the opposite order, the kernel would delete the new address with the old address.
        assert planned(before, after, host).actions == [
            f"delete address 10.1.0.1/24 from {before.network.device}",
            "bring up interface and routes of network lan",
        ]

    def test_none(self) -> None:
        none = parts(ip_address_type="none", ip_address=None)
        plan = planned(ON, none, holding(none))
        assert plan.actions == ["delete address 10.1.0.1/24 from vpn-lan"]


class TestMoved:
    """Networks that move to another interface. ``observed`` shows the new interface."""

    def test_from_an_interface_of_ours(self) -> None:
        plan = planned(ON, parts(interface="lan0"), holding(ON, device_exists=False))
        assert plan.actions[-1] == "delete interface vpn-lan"
        assert differences(plan)[-1] == (
            "network lan: interface vpn-lan",
            "in use",
            "no longer used",
        )

    def test_from_an_interface_of_others(self) -> None:
        plan = planned(parts(**ETH), ON, holding(parts(**ETH), addresses=()))
        assert plan.actions[-1] == "delete address 10.1.0.1/24 from eth1"
        assert "delete interface eth1" not in plan.actions

    def test_without_an_address(self) -> None:
        none = {"ip_address_type": "none", "ip_address": None}
        plan = planned(parts(**ETH, **none), ON, holding(parts(**ETH, **none)))
        assert not any("eth1" in action for action in plan.actions)

    @pytest.mark.parametrize(
        "after", [{"interface": "lan0"}, {"interface": "lan0", "state": "stopped"}]
    )
    def test_while_it_was_off(self, after: dict[str, str]) -> None:
        plan = planned(OFF, parts(**after), holding(OFF, QUIET))
        assert not any(action.startswith("delete") for action in plan.actions)

    def test_and_switched_off(self) -> None:
        after = parts(interface="lan0", state="stopped")
        plan = planned(ON, after, holding(ON, device_exists=False, addresses=()))
        assert plan.actions[-3:] == [
            f"stop {SERVICE}",
            f"disable {SERVICE}",
            "delete interface vpn-lan",
        ]


def interrupted(made: NetworkParts, *interfaces: NetworkParts, **changes: t.Any) -> Observed:
    """Return the host after an interrupted run.

    The script is the script of ``made``. The record notes ``interfaces`` and the interface of
    ``made``.
    """
    host = holding(made, changes.pop("state", LIVE), **changes)
    record = File(RECORD, record_text({}).encode())
    noted = with_interfaces(record, (interface_of(item.network) for item in (*interfaces, made)))
    return replace(host, files={**host.files, RECORD: noted})


class TestInterrupted:
    """Runs that were interrupted after the script ran. The record still has the old options."""

    def test_another_address(self) -> None:
        was = parts(**ETH)
        there = parts(**ETH, ip_address="10.1.0.9")
        host = interrupted(there, was, addresses=("10.1.0.9/24",))
        assert "delete address 10.1.0.9/24 from eth1" in planned(was, was, host).actions

    def test_another_interface(self) -> None:
        plan = planned(ON, ON, interrupted(parts(interface="lan0"), ON))
        assert plan.actions[-1] == "delete interface lan0"
        assert ("network lan: interface lan0", "in use", "no longer used") in differences(plan)
        plan = planned(ON, ON, interrupted(parts(**ETH), ON))
        assert plan.actions[-1] == "delete address 10.1.0.1/24 from eth1"

    def test_two_of_them(self) -> None:
        plan = planned(ON, ON, interrupted(parts(interface="lan1"), ON, parts(interface="lan0")))
        assert plan.actions[-2:] == ["delete interface lan0", "delete interface lan1"]

    def test_switched_off_or_removed_then(self) -> None:
        host = interrupted(parts(interface="lan0"), ON, state=DEAD)
        off = parts(state="stopped")
        assert planned(ON, off, host).actions[-1] == "delete interface lan0"
        gone = planned(ON, None, host).actions
        assert gone.index("delete interface lan0") < gone.index(f"remove {SCRIPT}")

    def test_switched_on_then_moved(self) -> None:
        """The plan deletes the noted interface of a network that is off in the record."""
        plan = planned(OFF, parts(interface="lan0"), interrupted(ON))
        assert plan.actions[-1] == "delete interface vpn-lan"

    @pytest.mark.parametrize(
        "data", [b"\xff", b"[]", b"{}", b'{"interfaces": [7]}', b'{"interfaces": 7}']
    )
    def test_a_record_that_names_none(self, data: bytes) -> None:
        host = replace(holding(ON), files={RECORD: File(RECORD, data)})
        assert not any("delete" in item for item in planned(ON, ON, host).actions)
        plan = planned(ON, parts(interface="lan0"), host)
        assert plan.actions[-1] == "delete interface vpn-lan"


class TestNoted:
    """Notes of new interfaces: the record names an interface before any step brings it up."""

    def record(self, *of: NetworkParts) -> File:
        interfaces = (interface_of(item.network) for item in of)
        return with_interfaces(File(RECORD, b'{"vpn_network": {}}'), interfaces)

    def noted(self, before: NetworkParts | None, after: NetworkParts, *of: NetworkParts) -> Plan:
        record = self.record(*of)
        return plan_note(before, after, Observed({RECORD: record}))

    @pytest.mark.parametrize(
        ("before", "after", "of"),
        [
            (ON, ON, (ON,)),
            (ON, OFF, (ON,)),
            (OFF, OFF, ()),
            (ON, parts(interface="lan0"), (ON, parts(interface="lan0"))),
        ],
    )
    def test_nothing_to_note(
        self, before: NetworkParts, after: NetworkParts, of: tuple[NetworkParts, ...]
    ) -> None:
        assert self.noted(before, after, *of) == Plan()

    @pytest.mark.parametrize("record", [None, File("/etc/tunnelwright/lan.json", b"\xff")])
    def test_no_record_to_note_it_in(self, record: File | None) -> None:
        files = {record.path: record} if record else {}
        assert plan_note(OFF, ON, Observed(files)) == Plan()

    def test_moved(self) -> None:
        moved = parts(interface="lan0")
        (step,) = self.noted(ON, moved, ON).steps
        assert isinstance(step, WriteFile)
        assert str(step) == f"note interface lan0 in {RECORD}"
        assert step.file == self.record(ON, moved)
        assert step.undo() == WriteFile(self.record(ON))

    def test_switched_on(self) -> None:
        (step,) = self.noted(OFF, ON).steps
        assert isinstance(step, WriteFile)
        assert step.file == self.record(ON)

    def test_of_an_earlier_version(self) -> None:
        """A record of an earlier version names no interface.

        A move notes the old and the new interface.
        """
        found = Observed({RECORD: File(RECORD, b'{"vpn_network": {}}')})
        assert plan_note(ON, ON, found) == Plan()
        (step,) = plan_note(ON, parts(interface="lan0"), found).steps
        assert isinstance(step, WriteFile)
        assert step.file == self.record(ON, parts(interface="lan0"))


class TestTakenBack:
    """Undo of a start: interface and address are removed. The verb ``stop`` keeps both."""

    @pytest.mark.parametrize(
        ("options", "state", "undone"),
        [
            ({}, DEAD, ["delete interface vpn-lan"]),
            ({}, replace(LIVE, device_exists=False), ["delete interface vpn-lan"]),
            ({}, replace(DEAD, device_exists=True), ["delete address 10.1.0.1/24 from vpn-lan"]),
            ({}, replace(LIVE, addresses=()), ["delete address 10.1.0.1/24 from vpn-lan"]),
            (ETH, DEAD, ["delete address 10.1.0.1/24 from eth1"]),
            (ETH, replace(LIVE, active=False), []),
            (ETH, replace(LIVE, device_up=False), []),
        ],
    )
    def test_also_undone(
        self, options: dict[str, str], state: NetworkState, undone: list[str]
    ) -> None:
        plan = planned(None, parts(**options), holding(None, state))
        steps = [item for step in plan.steps for item in step.also_undo]
        assert [str(item) for item in steps if not isinstance(item, DeleteBlocks)] == undone


class TestOff:
    def test_switched_off(self) -> None:
        plan = planned(ON, OFF, holding(ON))
        assert plan.actions == [
            f"stop {SERVICE}",
            f"disable {SERVICE}",
            "delete interface vpn-lan",
        ]
        assert differences(plan) == [
            ("network lan: power", "enabled, active", "disabled, inactive")
        ]

    def test_the_guard_stays(self) -> None:
        """The guard of a stopped network is repaired, like the rules of a started network."""
        tunnel = connection(child())
        off = parts(tunnel, state="stopped")
        assert planned(off, off, holding(off, QUIET)) == Plan()
        on = parts(tunnel)
        assert planned(on, off, holding(on, rules_match=False)).actions == [
            f"write {NFT}",
            "replace the nftables rules of network lan",
            f"stop {SERVICE}",
            f"disable {SERVICE}",
            "delete interface vpn-lan",
        ]
        plan = planned(off, off, holding(off, DEAD))
        assert plan.actions == [LOAD, f"start {GUARD}", f"enable {GUARD}"]
        assert "10.2.0.0/24" in off.rules.data.decode()
        assert off.blocks == parts(tunnel).blocks

    def test_nothing_to_do(self) -> None:
        assert planned(OFF, OFF, holding(OFF, QUIET)) == Plan()

    def test_new(self) -> None:
        assert planned(None, OFF, holding(None, DEAD)).actions == [
            *WRITES,
            LOAD,
            f"start {GUARD}",
            f"enable {GUARD}",
        ]

    def test_drift(self) -> None:
        plan = planned(OFF, OFF, holding(OFF, active=False, enabled=False, addresses=()))
        assert plan.actions == ["delete interface vpn-lan"]

    def test_attached(self) -> None:
        on, off = parts(**ETH), parts(**ETH, state="stopped")
        host = holding(on, addresses=("10.9.0.1/24", "10.1.0.1/24"))
        assert planned(on, off, host).actions == [
            f"stop {SERVICE}",
            f"disable {SERVICE}",
            "delete address 10.1.0.1/24 from eth1",
        ]

    def test_attached_with_another_address_before(self) -> None:
        on, off = parts(**ETH), parts(**ETH, state="stopped", ip_address="10.1.0.2")
        host = holding(off, addresses=("10.1.0.1/24",))
        assert planned(on, off, host).actions[-1] == "delete address 10.1.0.1/24 from eth1"


class TestGone:
    def test_removed(self) -> None:
        plan = planned(ON, None, holding(ON))
        assert plan.actions == [
            f"stop {SERVICE}",
            f"disable {SERVICE}",
            "delete interface vpn-lan",
            *WITHDRAW,
            *REMOVES,
        ]
        assert [item.header for item in plan.differences] == [
            "network lan: power",
            f"unit {GUARD}",
            "network lan: nftables rules",
            *FILES,
        ]

    def test_removed_while_off(self) -> None:
        assert planned(OFF, None, holding(OFF, QUIET)).actions == [*WITHDRAW, *REMOVES]

    def test_gone_already(self) -> None:
        assert planned(ON, None, Observed()) == Plan()
        assert planned(None, None, Observed()) == Plan()


class TestEarlierVersion:
    """A host of version 0.1.0, which had only one unit. The stop of the unit withdrew the rules."""

    def test_the_next_run_brings_the_guard(self) -> None:
        made = parts(connection(child()))
        host = holding(made, guard_enabled=False, guard_active=False, rules_match=False)
        old = {path: replace(host.files[path], data=b"old") for path in (NFT, SCRIPT, UNIT)}
        plan = planned(made, made, Observed(old, host.networks))
        assert plan.actions == [
            *WRITES,
            "replace the nftables rules of network lan",
            f"start {GUARD}",
            f"enable {GUARD}",
        ]

    def test_rules_of_a_network_that_is_off(self) -> None:
        off = parts(connection(child()), state="stopped")
        host = holding(off, DEAD)
        del t.cast("dict[str, File]", host.files)[GUARD_UNIT]
        plan = planned(off, off, replace(host, blocks=frozenset()))
        assert plan.actions == [
            f"write {GUARD_UNIT}",
            "reload systemd's unit files",
            LOAD,
            f"start {GUARD}",
            f"enable {GUARD}",
        ]

    def test_removed(self) -> None:
        """A verb of the script deletes the rules if the host has no guard unit."""
        host = holding(ON, guard_enabled=False, guard_active=False)
        del t.cast("dict[str, File]", host.files)[GUARD_UNIT]
        assert planned(ON, None, host).actions == [
            f"stop {SERVICE}",
            f"disable {SERVICE}",
            "delete interface vpn-lan",
            WITHDRAW[-1],
            *(f"remove {path}" for path in (NFT, SCRIPT, UNIT)),
            "reload systemd's unit files",
        ]


class TestBlocks:
    def test_of_no_network_any_more(self) -> None:
        made = parts(connection(child()))
        stale = Block("block", "10.9.0.0/24", "10.8.0.0/24", "out")
        host = Observed(blocks=frozenset({stale, *made.blocks}))
        plan = plan_blocks([made], host)
        assert plan.steps == (DeleteBlocks((stale,), made.blocks),)
        assert differences(plan) == [
            ("block policy out 10.9.0.0/24 to 10.8.0.0/24", "present", "absent")
        ]
        assert plan_blocks([made], Observed(blocks=frozenset(made.blocks))) == Plan()


class TestRecord:
    RECORD: t.ClassVar = File("/etc/tunnelwright/lan.json", b"{}\n")

    @pytest.mark.parametrize(
        ("before", "after", "found", "actions"),
        [
            (None, RECORD, None, ["write /etc/tunnelwright/lan.json"]),
            (RECORD, RECORD, RECORD, []),
            (RECORD, RECORD, None, ["write /etc/tunnelwright/lan.json"]),
            (RECORD, RECORD, replace(RECORD, mode=0o600), ["write /etc/tunnelwright/lan.json"]),
            (RECORD, None, RECORD, ["remove /etc/tunnelwright/lan.json"]),
            (RECORD, None, None, []),
            (None, None, None, []),
        ],
    )
    def test_plan(
        self, before: File | None, after: File | None, found: File | None, actions: list[str]
    ) -> None:
        files = {found.path: found} if found else {}
        plan = plan_record(before, after, Observed(files))
        assert plan.actions == actions
        assert [item.header for item in plan.differences] == [
            action.split()[1] for action in actions
        ]

    def test_noted_before(self) -> None:
        """The difference begins at the old record.

        The undo of the step restores the noted record.
        """
        old, noted = replace(self.RECORD, data=b"old\n"), replace(self.RECORD, data=b"noted\n")
        plan = plan_record(old, self.RECORD, Observed({old.path: old}), noted)
        assert plan.steps == (WriteFile(self.RECORD, noted),)
        assert differences(plan) == [(self.RECORD.path, "old", "{}")]
