# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps, and their order, that bring one phase 1 into charon and into its file."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import DEBIAN
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan import steps
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.observed import (
    Observed,
    Unfinished,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.plan import Plan
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.swanctl import plan_swanctl
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.file import PRIVATE, File
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.swanctl_files import (
    advanced_parts,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    PSK,
    PUBKEY,
    child,
    connection,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.planned import (
    PATH,
    PEM,
    edited,
    holding,
    parts,
    up,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.simulated_host import listed

KEY = "/etc/swanctl/private/tunnelwright.site-b.pem"
WRITE, REMOVE = f"write {PATH}", f"remove {PATH}"
LOAD, UNLOAD = "load connection site-b", "unload connection site-b"
PARK = f"{LOAD} with its children renamed to NAME.replaced"
LOAD_SECRET, UNLOAD_SECRET = "load secret ike-site-b", "unload secret ike-site-b"
CLOSE = "close the IKE SA of site-b"


DISABLED = parts(connection(child(), state="disabled"))
ENABLED = parts(connection(child()))
LOADED = listed(ENABLED.connections["site-b"])


class TestOrder:
    """Orders of steps after which the next run finds the rest of an interrupted run.

    Secrets are loaded before their connections.
    """

    def test_new(self) -> None:
        plan = edited(None, ENABLED)
        assert plan.actions == [LOAD_SECRET, WRITE, LOAD]
        assert plan.impact == "none"
        assert [item.header for item in plan.differences] == [PATH]

    def test_nothing_to_do(self) -> None:
        assert edited(ENABLED, ENABLED, **up("net")) == Plan()

    def test_removed(self) -> None:
        plan = edited(ENABLED, None, **up("net"))
        assert plan.actions == [UNLOAD, CLOSE, UNLOAD_SECRET, REMOVE]
        assert plan.impact == "ike"
        assert [item.header for item in plan.differences] == [
            "connection site-b in the IKE daemon",
            PATH,
        ]

    def test_removed_while_down(self) -> None:
        plan = edited(ENABLED, None)
        assert plan.actions == [UNLOAD, UNLOAD_SECRET, REMOVE]
        assert plan.impact == "none"

    def test_removed_with_its_certificates(self) -> None:
        assert edited(parts(connection(child(), **PUBKEY)), None).actions == [
            UNLOAD,
            f"unload private key {KEY}",
            REMOVE,
            "remove /etc/swanctl/x509/tunnelwright.site-b.pem",
            f"remove {KEY}",
            "remove /etc/swanctl/x509ca/tunnelwright.site-b.pem",
        ]

    def test_disabled(self) -> None:
        plan = edited(ENABLED, DISABLED, **up("net"))
        assert plan.actions == [UNLOAD, CLOSE, WRITE, UNLOAD_SECRET]
        assert plan.impact == "ike"

    def test_enabled(self) -> None:
        assert edited(DISABLED, ENABLED).actions == [LOAD_SECRET, WRITE, LOAD]

    def test_switched_off_with_its_network(self) -> None:
        off = parts(connection(child()), power="stopped")
        assert edited(ENABLED, off).actions == [UNLOAD, WRITE, UNLOAD_SECRET]
        assert edited(off, ENABLED).actions == [LOAD_SECRET, WRITE, LOAD]

    def test_only_written_where_nothing_is_to_be_loaded(self) -> None:
        assert edited(None, DISABLED).actions == [WRITE]
        renamed = parts(connection(child(), state="disabled", description="x"))
        assert edited(DISABLED, renamed).actions == [WRITE]

    def test_there_is_something_to_plan(self) -> None:
        with pytest.raises(ValueError, match="neither"):
            plan_swanctl(None, None, Observed())


class TestChange:
    def test_of_what_the_daemon_does_not_know(self) -> None:
        changed = parts(connection(child(), description="x"))
        assert edited(ENABLED, changed, **up("net")).actions == [WRITE]
        assert edited(ENABLED, changed, **up("net")).impact == "none"

    def test_of_the_psk_alone(self) -> None:
        changed = parts(connection(child(), psk="another"))
        plan = edited(ENABLED, changed, **up("net"))
        assert plan.actions == [LOAD_SECRET, WRITE]
        assert plan.impact == "pending"
        assert edited(ENABLED, changed).impact == "none"

    def test_of_the_psk_of_what_is_down(self) -> None:
        """A new PSK initiates autostarting children that are down.

        charon gave up with the old PSK, and would not try again.
        """
        before, changed = (
            parts(connection(child(), connection_behavior="start", psk=psk))
            for psk in (PSK, "another")
        )
        assert edited(before, changed).actions == [LOAD_SECRET, "initiate site-b/net", WRITE]
        calling = {"ike_ids": {"site-b": frozenset({"1"})}}
        assert edited(before, changed, **calling).actions == [
            LOAD_SECRET,
            CLOSE,
            "initiate site-b/net",
            WRITE,
        ]
        assert edited(before, changed, **up("net")).actions == [LOAD_SECRET, WRITE]
        before, changed = (
            parts(connection(child(), connection_behavior="responder_only", psk=psk))
            for psk in (PSK, "another")
        )
        assert edited(before, changed).actions == [LOAD_SECRET, WRITE]

    def test_of_the_psk_of_what_is_not_loaded(self) -> None:
        before, changed = (
            parts(connection(child(), connection_behavior="start", psk=psk))
            for psk in (PSK, "another")
        )
        # Loading the connection initiates the children.
        assert edited(before, changed, connections={}).actions == [LOAD_SECRET, WRITE, LOAD]

    def test_of_the_identity_the_psk_is_for(self) -> None:
        changed = parts(connection(child(), peer_identifier="b@example.org"))
        assert edited(ENABLED, changed).actions == [LOAD_SECRET, PARK, WRITE, LOAD]

    def test_of_the_owners_that_an_earlier_version_gave_the_psk(self) -> None:
        """A changed owner in the file reloads the secret, because charon does not show owners."""
        before = parts(connection(child(), **{**self.OWNED, "key_exchange": "auto"}))
        old = before.file.data.replace(b"id-1 = b.ex", b"id-1 = b.ex\n        id-2 = 192.0.2.2")
        assert old != before.file.data
        found = holding(before, **up("net"))
        found = replace(found, files={PATH: replace(before.file, data=old)})
        plan = plan_swanctl(before, before, found)
        assert plan.actions == [LOAD_SECRET, WRITE]
        assert (plan.impact, plan.impacts) == ("none", ())
        load, _write = plan.steps
        assert isinstance(load, steps.LoadSecret)
        assert load.shared.owners == ("b.ex",)
        undone = load.undo()
        assert isinstance(undone, steps.LoadSecret)
        assert undone.shared == replace(load.shared, owners=("b.ex", "192.0.2.2"))
        header = "secret ike-site-b in the IKE daemon"
        assert [item.header for item in plan.differences] == [header, PATH]
        assert plan.differences[0].before == "for b.ex, 192.0.2.2\n"
        assert plan.differences[0].after == "for b.ex\n"

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda data: data + b"# by hand\n",
            lambda data: data.replace(b"id-1 = b.ex", b"id-2 = b.ex"),
            lambda _data: b"secrets {",
            lambda _data: b"\xff",
            lambda _data: b"",
        ],
    )
    def test_of_anything_else_in_the_file(self, spoil: t.Callable[[bytes], bytes]) -> None:
        before = parts(connection(child(), **self.OWNED))
        found = holding(before, **up("net"))
        found = replace(found, files={PATH: replace(before.file, data=spoil(before.file.data))})
        assert plan_swanctl(before, before, found).actions == [WRITE]

    OWNED: t.ClassVar = {"identifier": "hub.example", "peer_identifier": "b.ex"}

    def test_to_certificates(self) -> None:
        changed = parts(connection(child(), **PUBKEY))
        assert edited(ENABLED, changed).actions == [
            PARK,
            "write /etc/swanctl/x509/tunnelwright.site-b.pem",
            f"write {KEY}",
            "write /etc/swanctl/x509ca/tunnelwright.site-b.pem",
            f"load private key {KEY}",
            WRITE,
            LOAD,
            UNLOAD_SECRET,
        ]
        assert edited(changed, ENABLED).actions == [
            LOAD_SECRET,
            PARK,
            WRITE,
            LOAD,
            f"unload private key {KEY}",
            "remove /etc/swanctl/x509/tunnelwright.site-b.pem",
            f"remove {KEY}",
            "remove /etc/swanctl/x509ca/tunnelwright.site-b.pem",
        ]

    def test_of_a_certificate(self) -> None:
        before = parts(connection(child(), **PUBKEY))
        after = parts(connection(child(), **PUBKEY), replace(PEM, certificate=(b"renewed",)))
        assert edited(before, after).actions == [
            PARK,
            "write /etc/swanctl/x509/tunnelwright.site-b.pem",
            LOAD,
        ]

    def test_of_a_private_key(self) -> None:
        before = parts(connection(child(), **PUBKEY))
        after = parts(connection(child(), **PUBKEY), replace(PEM, private_key=b"another"))
        plan = edited(before, after)
        # The load is the last step, so that a key in both files, in two forms, stays loaded.
        assert plan.actions == [
            f"unload private key {KEY}",
            f"write {KEY}",
            f"load private key {KEY}",
        ]
        unload, _write, load = plan.steps
        assert unload == steps.UnloadKey(File(KEY, b"key", PRIVATE))
        assert load == steps.LoadKey(File(KEY, b"another", PRIVATE))
        assert (unload.undo(), load.undo()) == (
            steps.LoadKey(File(KEY, b"key", PRIVATE)),
            steps.UnloadKey(File(KEY, b"another", PRIVATE)),
        )

    def test_of_a_private_key_with_its_certificate(self) -> None:
        before = parts(connection(child(), **PUBKEY))
        file = File(KEY, b"another", PRIVATE)
        after = replace(before, private_key=file, key_id="of another")
        assert steps.LoadKey(file, "of another") in edited(before, after).steps

    def test_of_a_child(self) -> None:
        changed = parts(connection(child(lifetime=2)))
        plan = edited(ENABLED, changed, **up("net"))
        # The file is written between parking and loading, to show the progress of a run.
        assert plan.actions == [
            PARK,
            WRITE,
            LOAD,
            "initiate site-b/net",
            "wait for the new Child SAs of site-b/net, then close the old Child SAs",
        ]

    def test_of_a_child_that_is_down(self) -> None:
        changed = parts(connection(child(lifetime=2)))
        assert edited(ENABLED, changed).actions == [PARK, WRITE, LOAD]

    def test_that_a_run_which_died_has_begun(self) -> None:
        psk = parts(connection(child(), psk="another"))
        daemon = {"unfinished": Unfinished(secrets=frozenset({"ike-site-b"}))}
        plan = edited(psk, psk, **daemon)
        assert plan.actions == [LOAD_SECRET]
        (difference,) = plan.differences
        assert difference.header == "secret ike-site-b in the IKE daemon"


class TestChildren:
    DMZ: t.ClassVar = child(name="dmz", remote_network=["10.3.0.0/24"])
    BOTH: t.ClassVar = parts(connection(child(), DMZ))

    def test_removed_is_closed(self) -> None:
        plan = edited(self.BOTH, ENABLED, **up("net", "dmz"))
        assert plan.actions == [PARK, WRITE, LOAD, "close the Child SA site-b/dmz"]
        assert plan.impact == "child"

    def test_removed_while_down(self) -> None:
        plan = edited(self.BOTH, ENABLED, **up("net"))
        assert plan.actions == [PARK, WRITE, LOAD]
        assert plan.impact == "none"

    def test_disabled_is_removed(self) -> None:
        disabled = parts(connection(child(), replace(self.DMZ, state="disabled")))
        assert edited(self.BOTH, disabled, **up("net", "dmz")).actions == [
            PARK,
            WRITE,
            LOAD,
            "close the Child SA site-b/dmz",
        ]

    def test_renamed(self) -> None:
        """charon compares children without their names, so that parked names are no change."""
        renamed = parts(connection(child(), replace(self.DMZ, name="dmz2")))
        traps = frozenset({("site-b", "dmz"), ("site-b", "net")})
        plan = edited(self.BOTH, renamed, **up("net", "dmz"), traps=traps)
        assert plan.actions == [
            PARK,
            WRITE,
            LOAD,
            "close the Child SA site-b/dmz",
            "uninstall the trap of site-b/dmz",
        ]

    @pytest.mark.parametrize("dpd", ["hold", "restart"])
    def test_a_trap_goes_with_its_child(self, dpd: str) -> None:
        before = parts(connection(child(), self.DMZ, dpd_action=dpd))
        after = parts(connection(child(), dpd_action=dpd))
        traps = frozenset({("site-b", "dmz"), ("site-b", "net"), ("other", "dmz")})
        plan = edited(before, after, traps=traps)
        assert plan.actions == [PARK, WRITE, LOAD, "uninstall the trap of site-b/dmz"]

    @pytest.mark.parametrize(("dpd", "left"), [("hold", True), ("restart", False)])
    def test_a_trap_that_dpd_left_goes_with_its_connection(self, dpd: str, left: bool) -> None:
        before = parts(connection(child(), dpd_action=dpd))
        traps = frozenset({("site-b", "net"), ("other", "net")})
        plan = edited(before, None, traps=traps)
        uninstall = ["uninstall the trap of site-b/net"] if left else []
        assert plan.actions == [UNLOAD, *uninstall, UNLOAD_SECRET, REMOVE]

    def test_a_trap_without_its_connection_goes(self) -> None:
        traps = frozenset({("site-b", "net")})
        plan = plan_swanctl(ENABLED, None, holding(ENABLED, connections={}, traps=traps))
        assert plan.actions == ["uninstall the trap of site-b/net", UNLOAD_SECRET, REMOVE]


class TestDpdTimeout:
    """The only rendered option that charon ignores when it compares connections."""

    V1: t.ClassVar = {"key_exchange": "ikev1"}

    def test_alone_is_loaded_anew(self) -> None:
        before = parts(connection(child(1), **self.V1))
        after = parts(connection(child(1), **self.V1, dpd_failures=9))
        assert edited(before, after).actions == [PARK, UNLOAD, WRITE, LOAD]

    def test_together_with_a_child_is_loaded_anew(self) -> None:
        before = parts(connection(child(1), **self.V1))
        after = parts(connection(child(1), **self.V1, dpd_failures=9, dpd_action="hold"))
        assert edited(before, after).actions == [PARK, UNLOAD, WRITE, LOAD]

    def test_together_with_what_charon_compares_is_loaded_at_once(self) -> None:
        before = parts(connection(child(1), **self.V1))
        after = parts(connection(child(1), **self.V1, dpd_delay=9))
        assert edited(before, after).actions == [PARK, WRITE, LOAD]

    def test_drift_is_repaired(self) -> None:
        before = parts(connection(child(1), **self.V1))
        conn = {**listed(before.connections["site-b"]), "dpd_timeout": "7"}
        assert edited(before, before, connections={"site-b": conn}).actions == [UNLOAD, LOAD]

    def test_not_while_it_is_not_loaded(self) -> None:
        before = parts(connection(child(1), **self.V1))
        after = parts(connection(child(1), **self.V1, dpd_failures=9))
        assert edited(before, after, connections={}).actions == [WRITE, LOAD]


class TestDrift:
    @pytest.mark.parametrize("keys", [(), ("of another owner",)])
    def test_of_the_private_key(self, keys: tuple[str, ...]) -> None:
        wanted = replace(parts(connection(child(), **PUBKEY)), key_id="ours")
        plan = edited(wanted, wanted, keys=frozenset(keys))
        assert plan.steps == (steps.LoadKey(File(KEY, b"key", PRIVATE), "ours"),)
        (difference,) = plan.differences
        assert (difference.header, difference.before, difference.after) == (
            f"private key {KEY} in the IKE daemon",
            "not loaded\n",
            "loaded\n",
        )
        assert edited(wanted, wanted, keys=frozenset({*keys, "ours"})) == Plan()

    def test_of_a_private_key_whose_id_is_not_known(self) -> None:
        wanted = parts(connection(child(), **PUBKEY))
        assert edited(wanted, wanted, keys=frozenset()) == Plan()

    @pytest.mark.parametrize(
        ("daemon", "actions", "header", "now", "wanted"),
        [
            (
                {"connections": {}},
                [LOAD],
                "connection site-b in the IKE daemon",
                "not loaded",
                "loaded",
            ),
            (
                {"connections": {"site-b": {**LOADED, "dpd_delay": "7"}}},
                [LOAD],
                "connection site-b in the IKE daemon",
                "loaded with other settings: dpd_delay 7",
                "loaded: dpd_delay 30",
            ),
            (
                {"secrets": frozenset()},
                [LOAD_SECRET],
                "secret ike-site-b in the IKE daemon",
                "not loaded",
                "loaded",
            ),
        ],
    )
    def test_of_the_daemon(
        self, daemon: dict[str, t.Any], actions: list[str], header: str, now: str, wanted: str
    ) -> None:
        plan = edited(ENABLED, ENABLED, **daemon)
        assert plan.actions == actions
        (difference,) = plan.differences
        assert (difference.header, difference.before, difference.after) == (
            header,
            f"{now}\n",
            f"{wanted}\n",
        )

    @pytest.mark.parametrize(
        "found",
        [None, File(PATH, b"", PRIVATE), replace(ENABLED.file, mode=0o644)],
    )
    def test_of_the_file(self, found: File | None) -> None:
        files = {PATH: found} if found else {}
        plan = plan_swanctl(ENABLED, ENABLED, replace(holding(ENABLED), files=files))
        assert plan.actions == [WRITE]
        assert plan.steps[0] == steps.WriteFile(ENABLED.file, found)
        assert [item.header for item in plan.differences] == [PATH]

    def test_disabled_but_loaded_is_unloaded(self) -> None:
        daemon = holding(ENABLED).daemon
        plan = plan_swanctl(
            DISABLED,
            DISABLED,
            replace(holding(DISABLED), daemon=replace(daemon, **up("net"))),
        )
        assert plan.actions == [UNLOAD, CLOSE, UNLOAD_SECRET]
        assert plan.impact == "ike"

    def test_gone_already(self) -> None:
        assert plan_swanctl(ENABLED, None, Observed()) == Plan()

    def test_another_phase_1_is_not_looked_at(self) -> None:
        daemon = {
            "connections": {"site-b": listed(ENABLED.connections["site-b"]), "site-c": {}},
            "secrets": frozenset({"ike-site-b", "ike-site-c", "admin"}),
            "established": {"site-c": frozenset({"net"})},
            "traps": frozenset({("site-c", "net")}),
        }
        assert edited(ENABLED, ENABLED, **daemon) == Plan()
        assert edited(ENABLED, None, **daemon).actions == [UNLOAD, UNLOAD_SECRET, REMOVE]


class TestOfOthers:
    """Unmanaged objects in charon with the name of a new phase 1."""

    def test_survives_a_phase_1_that_is_not_loaded(self) -> None:
        theirs = holding(ENABLED).daemon
        assert plan_swanctl(None, DISABLED, Observed(daemon=theirs)).actions == [WRITE]

    def test_secrets_of_conf_texts_have_names_of_their_own(self) -> None:
        before = advanced_parts(
            "lan", "connections { road { remote_addrs = 192.0.2.7\n children { } } }", DEBIAN
        )
        theirs = {"secrets": frozenset({"ike-road"})}
        plan = edited(before, None, **{**theirs, "connections": {"road": {}}})
        assert plan.actions == ["unload connection road", f"remove {before.file.path}"]


class TestSecrecy:
    def test_no_secret_shows(self) -> None:
        for before, after in (
            (None, ENABLED),
            (ENABLED, parts(connection(child(), psk="another"))),
            (ENABLED, None),
            (ENABLED, parts(connection(child(), **PUBKEY))),
        ):
            plan = edited(before, after)
            shown = f"{plan} {plan.actions} {plan.diff}"
            assert PSK not in shown
            assert "Y29ycmVjdC" not in shown
            assert "another" not in shown.replace("different hidden content", "")
