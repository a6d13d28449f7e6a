# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The order of the steps that swap a connection with SAs, and the predicted impact."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.children import (
    children_without_autostart,
    is_parked,
    with_parked_children,
    without_autostart,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.in_force import (
    InForce,
    child_part,
    ike_part,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.observed import (
    DaemonState,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.steps import (
    HandOver,
    LoadConnection,
    SwapBack,
    SwapIn,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.swap.change import (
    ChangedConnection,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.swap.connection_swap import (
    ConnectionSwap,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.swap.decision import (
    DEFER,
    GRACEFUL,
    REESTABLISH,
)

LOADED = {"dpd_timeout": "180", "children": {"lan": {}, "dmz": {}}}
UP = DaemonState(
    connections={"b": LOADED},
    established={"b": frozenset({"lan", "dmz"})},
    traps=frozenset({("b", "lan"), ("b", "dmz")}),
    ike_ids={"b": frozenset({"3"})},
    child_ids={"b": frozenset({"7", "8"})},
)
DOWN = replace(UP, established={}, ike_ids={}, child_ids={})


def section(start="trap|start", dpd="30", local="10.1.0.0/24", **children):
    made = {
        name: {
            "local_ts": (local,),
            "remote_ts": (remote,),
            "start_action": start,
            "dpd_action": "restart",
        }
        for name, remote in {"lan": "10.2.0.0/24", "dmz": "10.3.0.0/24", **children}.items()
        if remote
    }
    return {"dpd_delay": dpd, "dpd_timeout": "180", "local": {"auth": "psk"}, "children": made}


def swap(before, after, apply=GRACEFUL, daemon=UP):
    return ConnectionSwap(ChangedConnection("b", before, after, daemon), apply)


def done(change):
    return [*change.park.steps, *change.swap_in.steps]


def words(change):
    return [str(step) for step in done(change)]


def told(change):
    return [(impact.sa, impact.kind) for impact in change.impacts]


PARK = "load connection b with its children renamed to NAME.replaced"
LOAD = "load connection b"
HAND_LAN = "wait for the new Child SAs of b/lan, then close the old Child SAs"
HAND_BOTH = "wait for the new Child SAs of b/dmz, b/lan, then close the old Child SAs"
ONE_CHILD = section(lan="10.9.0.0/24")
WHOLE = section(dpd="20")
KEPT = ("b/dmz", "none")


@pytest.mark.parametrize(
    ("after", "apply", "impacts", "expected"),
    [
        (ONE_CHILD, GRACEFUL, [KEPT, ("b/lan", "child")], [PARK, LOAD, HAND_LAN]),
        (WHOLE, GRACEFUL, [("b", "ike")], [PARK, LOAD, HAND_BOTH]),
        (ONE_CHILD, DEFER, [KEPT, ("b/lan", "pending")], [PARK, LOAD]),
        (WHOLE, DEFER, [("b", "pending")], [PARK, LOAD]),
        (
            ONE_CHILD,
            REESTABLISH,
            [KEPT, ("b/lan", "child")],
            [PARK, "close the Child SA b/lan", LOAD, HAND_LAN],
        ),
        (
            WHOLE,
            REESTABLISH,
            [("b", "ike")],
            [PARK, "close the IKE SA of b", LOAD, HAND_BOTH],
        ),
        (section(new="10.4.0.0/24"), GRACEFUL, [KEPT, ("b/lan", "none")], [PARK, LOAD]),
        (
            section(lan=""),
            GRACEFUL,
            [KEPT, ("b/lan", "child")],
            [PARK, LOAD, "close the Child SA b/lan", "uninstall the trap of b/lan"],
        ),
        (
            section(dpd="20", lan=""),
            DEFER,
            [("b", "pending"), ("b/lan", "child")],
            [PARK, LOAD, "close the Child SA b/lan", "uninstall the trap of b/lan"],
        ),
    ],
)
def test_what_starts_is_replaced_without_a_gap(after, apply, impacts, expected):
    change = swap(section(), after, apply)
    assert words(change) == expected
    assert told(change) == impacts


def test_the_reason_names_what_changed_and_what_follows():
    change = swap(section(), ONE_CHILD)
    assert [impact.reason for impact in change.impacts] == [
        "not changed",
        "remote_ts changed: a new Child SA is brought up, then the old Child SA is closed",
    ]
    other = {**WHOLE, "local": {"auth": "psk", "id": "x"}}
    (impact,) = swap(section(), other, REESTABLISH).impacts
    assert impact.reason == (
        "dpd_delay, local.id changed: the IKE SA is closed, then re-established"
    )
    (impact,) = swap(section(), WHOLE, DEFER).impacts
    assert impact.reason == (
        "dpd_delay changed: the IKE SA keeps the old values until it is re-established; "
        "a rekey does not apply the new values"
    )


def test_old_children_are_parked_with_no_change_but_their_names():
    (first,) = swap(section(), ONE_CHILD).park.steps
    assert first.section == section()
    put = with_parked_children(section())
    assert put["children"] == {
        f"{name}.replaced": child for name, child in section()["children"].items()
    }
    assert {**put, "children": {}} == {**section(), "children": {}}
    assert is_parked(put)
    assert not is_parked(section())
    assert not is_parked({"children": {}})
    # The undo restores the names of the children.
    assert first.undo() == LoadConnection("b", section())


def test_children_parked_by_an_interrupted_run_are_not_parked_again():
    left = replace(UP, connections={"b": {**LOADED, "children": {"lan.replaced": {}}}})
    assert words(swap(section(), ONE_CHILD, daemon=left)) == [LOAD, HAND_LAN]


def test_what_waits_for_traffic_is_initiated_by_us():
    change = swap(section("trap"), section("trap", lan="10.9.0.0/24"))
    assert words(change) == [PARK, LOAD, "initiate b/lan", HAND_LAN]


def test_a_responder_never_initiates():
    change = swap(section("none"), section("none", lan="10.9.0.0/24"))
    assert words(change)[:2] == [PARK, LOAD]
    assert not any("initiate" in step or "wait for the new" in step for step in words(change))
    assert told(change) == [KEPT, ("b/lan", "pending")]


def test_a_responder_waits_for_the_peer_to_re_establish():
    change = swap(section("none"), section("none", lan="10.9.0.0/24"), REESTABLISH)
    assert words(change)[:3] == [PARK, "close the Child SA b/lan", LOAD]
    assert not any("initiate" in step or "wait for the new" in step for step in words(change))
    assert change.impacts[1].reason.endswith("closed until the peer re-establishes it")


@pytest.mark.parametrize(
    ("old", "new", "impact"),
    [
        ("trap", "none", "none"),
        ("none", "trap", "none"),
        ("trap|start", "trap", "none"),
        # No vici command loads an autostarting child without a start.
        ("trap", "trap|start", "child"),
    ],
)
def test_how_an_sa_was_begun_makes_no_other_of_it(old, new, impact):
    change = swap(section(old), section(new))
    assert {item.kind for item in change.impacts} == {impact}
    assert any("wait for the new" in step for step in words(change)) == (impact == "child")


def test_a_child_that_is_not_up_is_not_waited_for():
    daemon = replace(UP, established={"b": frozenset({"dmz"})})
    change = swap(section(), ONE_CHILD, daemon=daemon)
    assert words(change) == [PARK, LOAD]
    assert told(change) == [KEPT]


@pytest.mark.parametrize(("after", "again"), [(ONE_CHILD, ["initiate b/dmz"]), (WHOLE, [])])
@pytest.mark.parametrize("apply", [GRACEFUL, REESTABLISH, DEFER])
def test_an_ike_sa_without_children_is_closed(after, again, apply):
    """The plan always closes such an IKE SA.

    charon closes the IKE SA only in some releases, for some start actions.
    """
    daemon = replace(UP, established={"b": frozenset()})
    change = swap(section(), after, apply, daemon)
    # charon does not initiate an unchanged child again after its attempt is closed.
    assert words(change) == [PARK, "close the IKE SA of b", LOAD, *again]
    assert told(change) == [("b", "ike")]


@pytest.mark.parametrize("state", [{"established": {"b": frozenset()}}, {"established": {}}])
def test_a_child_that_is_added_disturbs_no_attempt(state):
    """An added child does not disturb the negotiation of the first child.

    A role adds children one by one.
    """
    change = swap(section(dmz=""), section(), daemon=replace(UP, **state))
    assert words(change) == [PARK, LOAD]
    assert told(change) == [("b", "none")]


def test_the_old_ike_sa_goes_too_if_all_that_is_on_it_is_configured_no_longer():
    daemon = replace(UP, established={"b": frozenset({"lan"})})
    change = swap(section(), section(dpd="20", lan=""), daemon=daemon)
    assert words(change)[2] == "close the old IKE SA of b"
    assert told(change) == [("b", "ike")]


def test_reestablished_with_its_last_child_goes_the_ike_sa():
    daemon = replace(UP, established={"b": frozenset({"lan"})})
    change = swap(section(), ONE_CHILD, REESTABLISH, daemon)
    assert words(change) == [PARK, "close the IKE SA of b", LOAD, HAND_LAN]
    (impact,) = change.impacts
    assert (impact.sa, impact.kind) == ("b", "ike")
    assert impact.reason.startswith("children.lan.remote_ts changed: the IKE SA is closed")


@pytest.mark.parametrize(("after", "ikes"), [(ONE_CHILD, set()), (WHOLE, {"3"})])
def test_the_old_ike_sa_goes_with_a_new_one_only(after, ikes):
    hand_over = done(swap(section(), after))[-1]
    assert isinstance(hand_over, HandOver)
    assert (hand_over.old, hand_over.ikes) == ({"7", "8"}, ikes)


def test_a_connection_that_is_down_is_parked_too_because_it_may_come_up():
    change = swap(section(), ONE_CHILD, daemon=DOWN)
    assert words(change) == [PARK, LOAD]
    assert told(change) == [("b", "none")]


def test_an_attempt_with_the_old_values_is_given_up():
    daemon = replace(DOWN, ike_ids={"b": frozenset({"3"})})
    change = swap(section(), WHOLE, daemon=daemon)
    assert words(change) == [PARK, "close the IKE SA of b", LOAD]


ALL = frozenset({"lan", "dmz"})


@pytest.mark.parametrize(
    ("after", "daemon", "put_off"),
    [
        (ONE_CHILD, UP, {"lan"}),
        (WHOLE, UP, ALL),
        # A child that is down has no old SA to wait for.
        (ONE_CHILD, DOWN, set()),
        (section(new="10.4.0.0/24"), UP, set()),
    ],
)
def test_deferred_children_that_are_up_are_loaded_without_autostart(after, daemon, put_off):
    (load,) = [s for s in done(swap(section(), after, DEFER, daemon)) if isinstance(s, SwapIn)]
    assert load.section == without_autostart(after, put_off)
    made = load.section["children"]
    assert {name for name in made if made[name]["start_action"] == "trap"} == put_off
    assert children_without_autostart({"children": made}) == put_off
    assert children_without_autostart(with_parked_children(load.section)) == put_off
    # A child that has only a trap has no autostart to remove.
    assert children_without_autostart(without_autostart(section("trap"), ALL)) == set()


@pytest.mark.parametrize("put_off", [set(), {"lan"}, ALL])
def test_the_parked_section_is_the_section_that_charon_has(put_off):
    """The parked section equals the loaded section, because charon acts on a difference."""
    held = without_autostart(section(), put_off)
    daemon = replace(UP, connections={"b": {**LOADED, "children": held["children"]}})
    first, load, *_rest = done(swap(section(), ONE_CHILD, daemon=daemon))
    assert first.section == held
    assert load.undo() == SwapBack("b", held, ONE_CHILD, load.in_force)


def test_what_charon_would_not_notice_is_unloaded_first():
    after = {**section(), "dpd_timeout": "60"}
    assert words(swap(section(), after))[:3] == [PARK, "unload connection b", LOAD]


def test_a_child_that_waits_for_traffic_no_longer_loses_its_trap():
    assert words(swap(section("trap"), section("none")))[-2:] == [
        "uninstall the trap of b/dmz",
        "uninstall the trap of b/lan",
    ]


def test_a_change_is_taken_back_as_gracefully():
    (load,) = [step for step in done(swap(section(), WHOLE)) if isinstance(step, SwapIn)]
    assert load.undo() == SwapBack("b", section(), WHOLE, load.in_force)


HALF = section(local="10.1.0.0/25")


def beside(start="trap|start"):
    """Return a section with two children that lead to the same network."""
    half, other = section(start, local="10.1.0.0/25"), section(start)["children"]["lan"]
    return {**half, "children": {**half["children"], "lan2": other}}


LAN_AGAIN, DMZ_AGAIN = "install the policy of b/lan", "install the policy of b/dmz"


@pytest.mark.parametrize(
    ("before", "after", "apply", "expected"),
    [
        # The new SA needs the route of the old SA.
        (section(), HALF, GRACEFUL, [DMZ_AGAIN, LAN_AGAIN]),
        # The new SA has another route.
        (section(), ONE_CHILD, GRACEFUL, []),
        # The remaining child needs the route of the removed child, whose policies differ.
        (beside(), HALF, GRACEFUL, [LAN_AGAIN]),
        (beside(), HALF, DEFER, [LAN_AGAIN]),
        (section(other="10.2.0.0/24"), section(), GRACEFUL, []),
        # The same policies serve both SAs.
        (section(), WHOLE, GRACEFUL, []),
        # The old SAs stay, or went before the new policies came.
        (section(), HALF, DEFER, []),
        (section(), HALF, REESTABLISH, []),
        # The child has no trap that could be installed again.
        (beside("none"), section("none", local="10.1.0.0/25"), GRACEFUL, []),
    ],
)
def test_a_route_that_two_policies_need_is_put_back(before, after, apply, expected):
    there = [step for step in words(swap(before, after, apply)) if "install the" in step]
    assert [step for step in there if not step.startswith("uninstall")] == expected


def test_a_route_is_put_back_when_the_old_sa_is_gone():
    assert words(swap(section(), HALF))[-3:] == [HAND_BOTH, DMZ_AGAIN, LAN_AGAIN]


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (section(new="10.4.0.0/24"), [PARK, LOAD, "initiate b/lan", HAND_LAN]),
        (ONE_CHILD, [PARK, LOAD, "initiate b/lan", HAND_LAN]),
        (
            section(lan=""),
            [PARK, LOAD, "close the Child SA b/lan.replaced", "uninstall the trap of b/lan"],
        ),
    ],
)
def test_an_sa_that_the_peer_made_while_its_child_was_set_aside(after, expected):
    """The SA is replaced or closed.

    No child has the name of the SA, so that charon would never touch the SA again.
    """
    daemon = replace(UP, established={"b": frozenset({"lan.replaced", "dmz"})})
    change = swap(section(), after, daemon=daemon)
    assert words(change) == expected
    assert told(change) == [KEPT, ("b/lan", "child")]


class TestPending:
    """SAs that keep old values: charon initiates no child on such an IKE SA."""

    OLDER = section(dpd="10")
    LEFT = replace(UP, pending={"b": InForce({"3": ike_part(OLDER)})})
    NAMED = replace(UP, child_names={"b": {"7": "lan", "8": "dmz"}})

    @pytest.mark.parametrize(
        ("change", "made"),
        [
            (swap(section(), WHOLE, DEFER), section()),
            # Replaced SAs are noted too, because the peer may refuse the new values.
            (swap(section(), WHOLE), section()),
            (swap(section("none"), section("none", dpd="20")), section("none")),
            (swap(section(), WHOLE, DEFER, LEFT), OLDER),
        ],
    )
    def test_what_the_ike_sas_were_made_of_is_noted(self, change, made):
        first, *_more = done(change)
        (load,) = [step for step in done(change) if isinstance(step, SwapIn)]
        assert load.in_force.ikes == {"3": ike_part(made)}
        # The first step has the note too: a run may be interrupted before it writes the file.
        assert first.in_force == load.in_force
        assert load.in_force.unlike(load.section).ikes == {"3": ike_part(made)}
        assert load.in_force.unlike(made).ikes == {}

    def test_what_child_sas_were_made_of_is_noted(self):
        (load,) = [
            step
            for step in done(swap(section(), ONE_CHILD, DEFER, self.NAMED))
            if isinstance(step, SwapIn)
        ]
        lan = section()["children"]["lan"]
        assert load.in_force.children["7"] == ("lan", child_part(lan))
        left = load.in_force.unlike(without_autostart(ONE_CHILD, ()))
        assert {*left.children} == {"7"}
        assert left.ikes == {}

    def test_the_next_change_replaces_it_whole(self):
        change = swap(section(), ONE_CHILD, daemon=self.LEFT)
        assert words(change) == [PARK, LOAD, HAND_BOTH]
        assert done(change)[-1].ikes == {"3"}
        (impact,) = change.impacts
        assert (impact.sa, impact.kind) == ("b", "ike")
        assert "remote_ts changed, and an earlier change is pending: " in impact.reason

    def test_put_off_once_more_it_is_still_left(self):
        change = swap(section(), ONE_CHILD, DEFER, self.LEFT)
        assert told(change) == [("b", "pending")]

    def test_one_that_is_gone_does_not_count(self):
        older = ike_part(self.OLDER)
        daemon = replace(UP, pending={"b": InForce({"2": older}), "c": InForce({"3": older})})
        assert told(swap(section(), ONE_CHILD, daemon=daemon)) == [KEPT, ("b/lan", "child")]

    @pytest.mark.parametrize("apply", [GRACEFUL, REESTABLISH, DEFER])
    @pytest.mark.parametrize("start", ["trap|start", "trap", "none"])
    def test_back_to_what_is_in_force_nothing_happens(self, start, apply):
        """SAs that already have the configured values are not touched. charon finds no change."""
        daemon = self.LEFT if start != "none" else replace(self.LEFT, traps=frozenset())
        change = swap(section(start), section(start, dpd="10"), apply, daemon)
        assert told(change) == [("b/dmz", "none"), ("b/lan", "none")]
        assert {impact.reason for impact in change.impacts} == {
            "the Child SA already has the configured values"
        }
        assert [step for step in words(change) if step not in (PARK, LOAD)] == []
        assert done(change)[-1].in_force.unlike(section(start, dpd="10")).ikes == {}

    @pytest.mark.parametrize("apply", [GRACEFUL, REESTABLISH, DEFER])
    def test_back_to_what_a_child_sa_has(self, apply):
        lan = child_part(section()["children"]["lan"])
        daemon = replace(self.NAMED, pending={"b": InForce(children={"7": ("lan", lan)})})
        change = swap(ONE_CHILD, section(), apply, daemon)
        assert told(change) == [KEPT, ("b/lan", "none")]
        assert words(change) == [PARK, LOAD]

    def test_a_third_value_is_told_as_it_differs_from_what_is_in_force(self):
        daemon = replace(
            self.NAMED,
            pending={"b": InForce(children={"8": ("dmz", child_part({"remote_ts": ("x",)}))})},
        )
        after = {**section(), "children": {**section()["children"]}}
        after["children"]["lan"] = {**after["children"]["lan"], "ipcomp": "yes"}
        dmz, lan = swap(section(), after, DEFER, daemon).impacts
        assert (dmz.kind, lan.kind) == ("pending", "pending")
        assert dmz.reason.startswith("dpd_action, local_ts, remote_ts, start_action changed: ")
        assert lan.reason.startswith("ipcomp changed: ")

    def test_of_an_ike_sa_whose_values_are_not_known(self):
        """An IKE SA with unknown values has the impact ``ike``.

        An earlier version noted only the unique id.
        """
        daemon = replace(UP, pending={"b": InForce({"3": {}})})
        (impact,) = swap(section(), WHOLE, daemon=daemon).impacts
        assert (impact.kind, impact.reason.partition(":")[0]) == ("ike", "dpd_delay changed")


@pytest.mark.parametrize("after", [section(), WHOLE, ONE_CHILD])
def test_with_a_new_key_the_ike_sa_is_closed(after):
    change = ConnectionSwap(
        ChangedConnection("b", section(), after, UP, new_keys=("psk",)), REESTABLISH
    )
    assert words(change) == [PARK, "close the IKE SA of b", LOAD, HAND_BOTH]
    (impact,) = change.impacts
    assert impact.kind == "ike"
    assert "psk" in impact.reason.partition(" changed: ")[0]
