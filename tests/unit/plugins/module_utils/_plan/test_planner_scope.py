# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The scope of an edit, and the steps that load the edit into charon."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.daemon import ALL_DAEMONS
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.gateway import Gateway
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import DEBIAN
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.observed import (
    DaemonState,
    Observed,
    Unfinished,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.plan import Plan
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.planner import make_plan
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.scope import (
    Scope,
    files_in,
    settled,
    touched,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.artefacts import (
    Artefacts,
    artefacts,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.file import File
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    child,
    connection,
    gateway,
    network,
    settings,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.simulated_host import (
    carried_out,
)

DAEMON = "/etc/strongswan.d/tunnelwright.conf"
CONF_D = "/etc/swanctl/conf.d/tunnelwright."
SITE_B, SITE_C = f"{CONF_D}phase1.site-b.conf", f"{CONF_D}phase1.site-c.conf"
BYPASS = f"{CONF_D}bypass.lan.conf"
RELOAD = "reload the settings of the IKE daemon"
DMZ = {"name": "dmz", "ip_address": "10.9.0.1", "network_address": "10.9.0.0/24"}
TWO = (
    network(),
    network(**DMZ),
    connection(child()),
    connection(name="site-c", network="dmz", remote_gateway="192.0.2.3"),
)


def made(*parts: t.Any, userspace: bool = False) -> Artefacts:
    return artefacts(gateway(*parts), DEBIAN, userspace=userspace, credentials={})


NOTHING = artefacts(Gateway(), DEBIAN, userspace=False, credentials={})


def everything(*sides: Artefacts) -> Scope:
    return Scope(
        frozenset(name for side in sides for name in side.networks),
        frozenset(path for side in sides for path in side.swanctl),
        daemons=ALL_DAEMONS,
    )


def brought_to(wanted: Artefacts, **daemon: t.Any) -> Observed:
    host = Observed(daemon=DaemonState(**daemon))
    return carried_out(make_plan(NOTHING, wanted, host, everything(wanted)), host, wanted)


def edited(before: Artefacts, after: Artefacts, scope: Scope | None = None) -> Plan:
    scope = touched(before, after, scope or Scope())
    return make_plan(before, after, brought_to(before), scope)


class TestScope:
    def test_what_the_edit_changes(self) -> None:
        before = made(*TWO)
        after = made(*TWO[:2], connection(child(), mobike=True), TWO[3])
        assert touched(before, after, Scope()) == Scope(
            frozenset({"lan"}), frozenset({SITE_B}), daemons=frozenset()
        )

    def test_what_comes_and_goes(self) -> None:
        before, after = made(TWO[0], TWO[2]), made(TWO[1], TWO[3])
        assert touched(before, after, Scope()) == Scope(
            frozenset({"lan", "dmz"}),
            frozenset({SITE_B, SITE_C, BYPASS, f"{CONF_D}bypass.dmz.conf"}),
            daemons=frozenset(),
        )

    def test_the_daemon(self) -> None:
        before, after = made(), made(settings(cisco_extensions=True))
        assert touched(before, after, Scope()).daemons
        assert touched(before, before, Scope(daemons=ALL_DAEMONS)).daemons
        assert not touched(before, before, Scope()).daemons

    def test_what_the_module_answers_for_besides(self) -> None:
        whole = made(*TWO)
        own = Scope(frozenset({"dmz"}), frozenset({SITE_C}))
        assert touched(whole, whole, own) == own

    @pytest.mark.parametrize(
        ("scope", "actions"),
        [
            (Scope(swanctl=frozenset({SITE_B})), [f"write {SITE_B}", "load connection site-b"]),
            (Scope(swanctl=frozenset({SITE_C})), ["load connection site-c"]),
            (Scope(frozenset({"dmz"})), ["replace the nftables rules of network dmz"]),
            (Scope(frozenset({"lan"})), ["write /etc/tunnelwright/lan.nft"]),
            (Scope(daemons=ALL_DAEMONS), [f"write {DAEMON}", RELOAD]),
            (Scope(), []),
            (Scope(frozenset({"gone"}), frozenset({"/gone"})), []),
        ],
    )
    def test_drift_outside_of_it_is_left_alone(self, scope: Scope, actions: list[str]) -> None:
        whole = made(*TWO)
        host = brought_to(whole)
        gone = (SITE_B, DAEMON, "/etc/tunnelwright/lan.nft")
        drifted = Observed(
            {path: file for path, file in host.files.items() if path not in gone},
            {**host.networks, "dmz": replace(host.networks["dmz"], rules_match=False)},
            DaemonState(secrets=host.daemon.secrets, connections={"admin": {}}),
            blocks=host.blocks,
        )
        assert make_plan(whole, whole, drifted, scope).actions == actions

    def test_files(self) -> None:
        before, after = made(TWO[0], TWO[2]), made(*TWO)
        records = {"/etc/tunnelwright/lan.json", "/etc/tunnelwright/dmz.json"}
        assert files_in(before, after, Scope()) == records
        assert files_in(before, after, Scope(swanctl=frozenset({SITE_B, SITE_C, "/x"}))) == {
            SITE_B,
            SITE_C,
            *records,
        }
        assert files_in(before, after, Scope(daemons=ALL_DAEMONS)) == {DAEMON, *records}
        assert files_in(before, after, Scope(frozenset({"dmz", "x"}))) == {
            "/etc/tunnelwright/dmz.nft",
            "/etc/tunnelwright/dmz.sh",
            "/etc/systemd/system/tunnelwright-dmz.guard.service",
            "/etc/systemd/system/tunnelwright-dmz.service",
            *records,
        }

    def test_left_by_a_run_that_died(self) -> None:
        whole = made(*TWO)
        left = frozenset({"dmz", "gone"})
        assert touched(whole, whole, Scope(), left) == Scope(frozenset({"dmz"}))

    def test_settled(self) -> None:
        """Every object of the scope is settled, before and after the edit."""
        whole = made(*TWO)
        names = ("site-b", "site-c", "gone")
        left = Unfinished(
            {name: frozenset({"7"}) for name in names},
            frozenset(f"ike-{name}" for name in names),
        )
        scope = Scope(frozenset({"dmz"}), frozenset({SITE_B}), daemons=ALL_DAEMONS)
        for before, after in ((whole, whole), (whole, made()), (made(), whole)):
            assert settled(before, after, scope, left) == Unfinished(
                {name: frozenset({"7"}) for name in ("site-b", "gone")},
                frozenset({"ike-site-b", "ike-gone"}),
                settings=True,
                networks=frozenset({"dmz"}),
            )

    def test_a_secret_that_no_file_has(self) -> None:
        """An interrupted run loaded the secret and wrote no file. Unmanaged secrets stay."""
        whole = made(*TWO)
        host = brought_to(whole)
        names = frozenset({"ike-site-b", "ike-gone", "ike-unloaded"})
        daemon = replace(
            host.daemon,
            secrets=host.daemon.secrets | {"ike-gone", "of-others"},
            unfinished=Unfinished(secrets=names),
        )
        plan = make_plan(whole, whole, replace(host, daemon=daemon), Scope())
        assert plan.actions == ["unload secret ike-gone"]
        (shown,) = plan.differences
        assert (shown.header, shown.before) == (
            "secret ike-gone in the IKE daemon",
            "left by an interrupted run\n",
        )


class TestOrder:
    def test_networks_come_before_their_tunnels(self) -> None:
        whole = made(TWO[0], TWO[2])
        actions = make_plan(NOTHING, whole, Observed(), everything(whole)).actions
        order = [
            "write /etc/tunnelwright/lan.json",
            "start tunnelwright-lan.service",
            f"write {DAEMON}",
            RELOAD,
            "load connection tunnelwright-bypass-lan",
            f"write {SITE_B}",
            "load connection site-b",
        ]
        assert [action for action in actions if action in order] == order
        assert actions[0] == order[0]

    def test_and_go_after_them(self) -> None:
        whole = made(TWO[0], TWO[2])
        actions = make_plan(whole, NOTHING, brought_to(whole), everything(whole)).actions
        order = [
            f"remove {DAEMON}",
            RELOAD,
            "unload connection site-b",
            f"remove {SITE_B}",
            "stop tunnelwright-lan.service",
            "remove /etc/tunnelwright/lan.nft",
            "remove /etc/tunnelwright/lan.json",
        ]
        assert [action for action in actions if action in order] == order
        assert actions[-1] == order[-1]

    def test_a_record_that_changes_is_the_last(self) -> None:
        old, new = made(network()), made(network(ip_address="10.1.0.9"))
        actions = edited(old, new).actions
        assert actions[-1] == "write /etc/tunnelwright/lan.json"
        assert len(actions) > 1

    def test_a_record_of_another_network_is_written_when_it_changes(self) -> None:
        for after in (made(network(description="x")), made(settings(unique_ids="never"))):
            assert edited(made(), after).actions == ["write /etc/tunnelwright/lan.json"]

    def test_what_is_up_gives_way_when_everything_is_loaded(self) -> None:
        """A change of a shared setting loads all connections before it closes old SAs."""
        other = child(phase1="site-x", remote_network=["10.7.0.0/24"])
        elsewhere = {"name": "site-x", "remote_gateway": "192.0.2.7"}
        tunnels = (connection(child()), connection(other, **elsewhere))
        before, after = made(*tunnels), made(settings(unique_ids="never"), *tunnels)
        host = brought_to(before)
        up = {name: frozenset({"net"}) for name in ("site-b", "site-x")}
        ids = {name: frozenset({"1"}) for name in up}
        daemon = replace(host.daemon, established=up, ike_ids=ids, child_ids=ids)
        scope = touched(before, after, Scope())
        actions = make_plan(before, after, replace(host, daemon=daemon), scope).actions
        words = [action.split()[0] for action in actions if action.split()[0] in ("load", "wait")]
        assert words == ["load"] * 4 + ["wait"] * 2

    def test_a_route_is_restored_after_the_old_sa_is_closed(self) -> None:
        """charon removes a route with the old SA, so that an earlier step could not restore it."""
        half, other = ["10.1.0.0/25"], child(name="other", local_network=["10.9.0.0/24"])
        before = made(connection(child(), other))
        after = made(connection(child(local_network=half), other))
        host = brought_to(before)
        ids = {"site-b": frozenset({"1"})}
        up = {"site-b": frozenset({"net"})}
        daemon = replace(host.daemon, established=up, ike_ids=ids, child_ids=ids)
        scope = touched(before, after, Scope())
        actions = make_plan(before, after, replace(host, daemon=daemon), scope).actions
        late = [action for action in actions if action.split()[0] in ("wait", "install")]
        assert [action.split()[0] for action in late] == ["wait", "install", "install"]


class TestDaemon:
    @pytest.mark.parametrize("option", ["cisco_extensions", "make_before_break"])
    def test_settings_are_reloaded(self, option: str) -> None:
        plan = edited(made(), made(settings(**{option: True})))
        assert plan.actions[:2] == [f"write {DAEMON}", RELOAD]
        assert plan.impact == "none"

    def test_a_conf_text_of_a_network_comes_and_goes(self) -> None:
        path = "/etc/strongswan.d/tunnelwright.advanced.lan.conf"
        text = settings(configuration_mode="advanced", strongswan_conf="charon {\n}\n")
        assert edited(made(), made(text)).actions[:2] == [f"write {path}", RELOAD]
        assert edited(made(text), made()).actions[:2] == [f"remove {path}", RELOAD]

    def test_once_for_all_files(self) -> None:
        text = settings(
            configuration_mode="advanced", strongswan_conf="charon {\n}\n", cisco_extensions=True
        )
        assert edited(made(), made(text)).actions.count(RELOAD) == 1

    def plan(self, before: bool, after: bool, **daemon: t.Any) -> Plan:
        old, new = made(connection(), userspace=before), made(connection(), userspace=after)
        host = brought_to(old)
        host = replace(host, daemon=replace(host.daemon, **daemon))
        return make_plan(old, new, host, touched(old, new, Scope(daemons=ALL_DAEMONS)))

    LIBIPSEC: t.ClassVar = frozenset({"kernel-libipsec", "aes"})

    @pytest.mark.parametrize(
        ("before", "after", "plugins", "why"),
        [
            (False, True, frozenset(), "must be loaded"),
            (True, True, frozenset(), "must be loaded"),
            (True, False, LIBIPSEC, "no longer wanted"),
        ],
    )
    def test_plugins_take_a_restart(
        self, before: bool, after: bool, plugins: frozenset[str], why: str
    ) -> None:
        plan = self.plan(before, after, plugins=plugins)
        (restart,) = [action for action in plan.actions if action.startswith("restart")]
        assert "kernel-libipsec" in restart
        assert why in restart
        assert RELOAD not in plan.actions
        states = ["loaded", "not loaded"] if plugins else ["not loaded", "loaded"]
        assert [f"{state}\n" for state in states] in [
            [item.before, item.after] for item in plan.differences if "plugin" in item.header
        ]

    @pytest.mark.parametrize(
        ("before", "after", "plugins"),
        [
            (True, True, LIBIPSEC),
            (False, False, frozenset()),
            # An unmanaged plugin.
            (False, False, LIBIPSEC),
            (True, False, frozenset()),
        ],
    )
    def test_else_there_is_none(self, before: bool, after: bool, plugins: frozenset[str]) -> None:
        assert not [
            action
            for action in self.plan(before, after, plugins=plugins).actions
            if action.startswith("restart")
        ]

    @pytest.mark.parametrize(("name", "restarts"), [("site-b", True), ("admin", False)])
    def test_with_our_last_network_gone_others_are_not_interrupted(
        self, name: str, restarts: bool
    ) -> None:
        whole = made(connection(), userspace=True)
        daemon = DaemonState(
            plugins=frozenset({"kernel-libipsec"}), established={name: frozenset({"net"})}
        )
        plan = make_plan(whole, NOTHING, Observed(daemon=daemon), everything(whole))
        assert any(action.startswith("restart") for action in plan.actions) is restarts

    def test_a_restart_finds_every_file_in_place(self) -> None:
        old, new = made(connection(mobike=True)), made(connection(), userspace=True)
        host = brought_to(old)
        actions = make_plan(old, new, host, touched(old, new, Scope())).actions
        restart = [action.split(":")[0] for action in actions].index("restart the IKE daemon")
        late = [action for action in actions[restart + 1 :] if "swanctl" in action]
        assert f"write {SITE_B}" in actions
        assert not late

    @pytest.mark.parametrize(("up", "impact"), [({}, "none"), ({"x": frozenset()}, "ike")])
    def test_a_restart_interrupts_every_tunnel(self, up: t.Any, impact: str) -> None:
        assert self.plan(False, True, established=up).impact == impact

    def test_not_without_asking(self) -> None:
        """A module with only one tunnel in its scope does not restart the IKE daemon."""
        whole = made(connection(), userspace=True)
        host = Observed(files={}, daemon=DaemonState())
        plan = make_plan(whole, whole, host, Scope(swanctl=frozenset({SITE_B})))
        assert not [action for action in plan.actions if "restart" in action]


def test_guests_keep_their_addresses() -> None:
    guest = network(**DMZ, interface_network="vpn-lan")
    whole = made(network(), guest)
    host = brought_to(whole)
    lan = replace(host.networks["lan"], addresses=("10.1.0.1/24", "10.9.0.1/24", "10.8.0.1/24"))
    plan = make_plan(whole, whole, replace(host, networks={"lan": lan}), Scope(frozenset({"lan"})))
    assert plan.actions == ["delete address 10.8.0.1/24 from vpn-lan"]


def test_a_foreign_file_is_not_known_here() -> None:
    whole = made()
    host = brought_to(whole)
    files = {**host.files, "/etc/swanctl/conf.d/admin.conf": File("/x", b"x")}
    assert not make_plan(whole, whole, replace(host, files=files), everything(whole))
