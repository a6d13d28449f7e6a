# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The application and the rollback of plans."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import HostError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host import apply as applier
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.apply import (
    apply,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.kernel.link import LinkState
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.observe import daemon_state
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.run.trial import (
    end_trials,
    trial_section,
    try_out,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.daemon import ALL_DAEMONS
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.gateway import Gateway
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import DEBIAN
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.secret import Secret
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan import network_steps, steps
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.observed import (
    DaemonState,
    Observed,
    Unfinished,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.plan import Plan
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.planner import make_plan
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.scope import Scope, touched
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.artefacts import artefacts
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.blocks import Block
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.file import PRIVATE, File
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.routes import Route
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.shared_secrets import (
    SharedSecret,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    child,
    connection,
    gateway,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.memory_host import (
    NOTES,
    MemoryHost,
)

FILE, OLD = File("/a", b"new", PRIVATE), File("/a", b"old", PRIVATE)
KEY = "/etc/swanctl/private/tunnelwright.site-b.pem"
SECTION = {"version": "2", "children": {"net": {"start_action": "trap|start"}}}


@pytest.fixture(name="host")
def _host(tmp_path: Path) -> t.Any:
    return MemoryHost(tmp_path)


def carry_out(host: t.Any, *what: steps.Step) -> None:
    apply(host, Plan(what))


@pytest.mark.parametrize("note", NOTES)
def test_a_run_without_a_change_removes_incomplete_notes(host: t.Any, note: str) -> None:
    """A run that was interrupted while it wrote a note leaves the temporary file of the note."""
    half = host.root / f"{note}.new"
    half.write_text('{"pi')
    carry_out(host)
    assert not half.exists()


def test_each_step_is_a_sign_of_life(host: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    signs: list[int] = []
    monkeypatch.setattr(host, "alive", lambda: signs.append(len(host.log)))
    first, second = (steps.WriteFile(File(path, b"")) for path in ("/a", "/b"))
    carry_out(host, first, second)
    assert signs == [0, 1]


def _kinds(kind: type) -> set[type]:
    return {kind}.union(*map(_kinds, kind.__subclasses__()))


class TestSteps:
    def test_every_step_has_an_effect(self) -> None:
        kinds = _kinds(steps.Step) - {steps.Step, steps.Refresh, steps.DaemonStep}
        leaves = {kind for kind in kinds if not kind.__subclasses__()}
        assert leaves == kinds
        assert applier._EFFECTS.keys() == leaves

    def test_files(self, host: t.Any) -> None:
        carry_out(host, steps.WriteFile(OLD), steps.WriteFile(FILE))
        assert host.files.read("/a") == FILE
        carry_out(host, steps.RemoveFile(OLD))
        assert host.files.read("/a") is None

    def test_connections(self, host: t.Any) -> None:
        carry_out(host, steps.LoadConnection("x", SECTION))
        assert host.vici.conns == {"x": SECTION}
        carry_out(host, steps.UnloadConnection("x"))
        assert host.vici.conns == {}

    def test_secrets(self, host: t.Any) -> None:
        carry_out(host, steps.LoadSecret(SharedSecret("s", "EAP", ("a", "b"), Secret(b"hush"))))
        assert host.vici.shared == {"s": ("EAP", ("a", "b"), b"hush")}
        carry_out(host, steps.UnloadSecret("s"))
        assert host.vici.shared == {}

    def test_sas(self, host: t.Any) -> None:
        host.vici.up = {"x": {"net", "dmz"}}
        host.vici.traps = {("x", "net")}
        carry_out(host, steps.TerminateChild("x", "net"), steps.UninstallTrap("x", "net"))
        assert host.vici.up == {"x": {"dmz"}}
        assert host.vici.traps == set()
        carry_out(host, steps.TerminateConnection("x"))
        assert host.vici.up == {}

    def test_daemon(self, host: t.Any) -> None:
        carry_out(
            host, steps.ReloadSettings(), steps.RestartDaemon("why"), network_steps.ReloadUnits()
        )
        assert host.log == ["reload settings", "restart", "daemon-reload"]

    def test_links(self, host: t.Any) -> None:
        carry_out(host, network_steps.DeleteAddress("198.51.100.1/24", "eth0"))
        assert host.link.devices["eth0"].addresses == ()
        carry_out(host, network_steps.DeleteLink("eth0"))
        assert host.link.devices == {}

    def test_routes(self, host: t.Any) -> None:
        route = Route(ipaddress.ip_network("10.5.0.0/16"), None, "eth0")
        carry_out(host, network_steps.AddRoute(route))
        assert host.link.routes() == (route,)
        # The destination selects the route. The device makes no difference.
        carry_out(host, network_steps.DeleteRoute(replace(route, device="eth9")))
        assert host.link.routes() == ()
        carry_out(host, network_steps.DeleteRoute(route))
        carry_out(host, network_steps.AddRoute(replace(route, device="gone")))
        assert host.link.routes() == ()

    def test_blocks(self, host: t.Any) -> None:
        block = Block("block", "10.1.0.0/24", "10.2.0.0/24", "out")
        carry_out(host, network_steps.AddBlocks((block,)))
        assert host.blocks.present() == {block}
        carry_out(host, network_steps.DeleteBlocks((block,)))
        assert host.blocks.present() == frozenset()

    @pytest.mark.parametrize(("parent", "mtu"), [("", 1500), ("eth1", 9000)])
    def test_mtu(self, host: t.Any, parent: str, mtu: int) -> None:
        host.link.devices["eth1"] = LinkState("", 9000, True, ())
        host.link.devices["lan"] = LinkState("x", 1300, True, (), parent=parent)
        carry_out(host, network_steps.ResetMtu("lan"))
        assert host.link.devices["lan"].mtu == mtu

    @pytest.mark.parametrize(
        "step",
        [
            network_steps.ResetMtu("gone"),
            network_steps.DeleteLink("gone"),
            network_steps.DeleteAddress("10.1.0.1/24", "gone"),
            network_steps.DeleteAddress("10.1.0.1/24", "eth0"),
        ],
    )
    def test_links_that_are_gone_already(self, host: t.Any, step: steps.Step) -> None:
        carry_out(host, step)
        assert host.log == []

    def test_script(self, host: t.Any) -> None:
        calls = []
        host.files.write(FILE)
        host.run = lambda argv, stdin: (calls.append((argv, stdin)), (0, "", ""))[1]
        carry_out(
            host,
            network_steps.RunScript("lan", "/a", "start", "replace"),
            network_steps.LoadRules("lan", "/a"),
            network_steps.WithdrawRules("lan", "/a"),
            # A missing script is not run: the rollback restores a state without the network.
            network_steps.WithdrawRules("lan", "/gone"),
        )
        verbs = ["start", "rules", "stop"]
        assert calls == [(["/bin/sh", "/a", verb], "") for verb in verbs]

    @pytest.mark.parametrize(
        ("answer", "detail"),
        [
            ((1, "", "no such table\n"), "no such table"),
            ((1, "printed\n", ""), "printed"),
            ((3, "", ""), "exit status 3 without a message"),
        ],
    )
    def test_script_that_fails(self, host: t.Any, answer: t.Any, detail: str) -> None:
        host.files.write(FILE)
        host.run = lambda _argv, _stdin: answer
        with pytest.raises(HostError) as raised:
            carry_out(host, network_steps.RunScript("lan", "/a", "rules", "replace the rules"))
        assert raised.value.operation == "replace the rules of network lan"
        assert raised.value.detail == detail


class TestKeys:
    PEM: t.ClassVar = File(KEY, b"pem one", PRIVATE)

    def test_loaded(self, host: t.Any) -> None:
        carry_out(host, steps.LoadKey(self.PEM))
        assert host.vici.private == {"one": b"pem one"}

    @pytest.mark.parametrize("there", [True, False])
    def test_unloaded(self, host: t.Any, there: bool) -> None:
        if there:
            host.files.write(self.PEM)
        host.files.write(File("/etc/swanctl/private/other.pem", b"pem two", PRIVATE))
        carry_out(host, steps.LoadKey(self.PEM), steps.UnloadKey(self.PEM))
        assert host.vici.private == {}

    def test_tried_before_and_not_kept(self, host: t.Any) -> None:
        try_out(host, Plan((steps.LoadKey(self.PEM, "one"),)))
        assert host.log == ["load key", "unload key one"]
        assert host.vici.private == {}

    def test_tried_while_somebody_else_uses_it(self, host: t.Any) -> None:
        host.vici.private = {"one": b"pem one"}
        try_out(host, Plan((steps.LoadKey(self.PEM, "one"),)))
        assert host.vici.private == {"one": b"pem one"}

    def test_that_does_not_belong_to_its_certificate(self, host: t.Any) -> None:
        with pytest.raises(HostError) as raised:
            try_out(host, Plan((steps.LoadKey(self.PEM, "two"),)))
        assert raised.value.operation == f"load private key {KEY}"
        assert raised.value.detail == (
            "it does not belong to the first certificate in the file of the option certificate"
        )
        assert raised.value.advice == "Nothing was changed."
        assert host.vici.private == {}

    def test_that_the_daemon_refuses(self, host: t.Any) -> None:
        host.failing = {"load key"}
        with pytest.raises(HostError, match=r"it was not to be\. Nothing was changed\."):
            try_out(host, Plan((steps.LoadKey(self.PEM, "one"),)))

    def test_not_while_somebody_else_uses_it(self, host: t.Any) -> None:
        host.files.write(self.PEM)
        host.files.write(File("/etc/swanctl/private/other.pem", b"pem one", PRIVATE))
        carry_out(host, steps.UnloadKey(self.PEM))
        assert host.vici.private == {"one": b"pem one"}


class TestTakenBack:
    def test_in_reverse_what_was_done(self, host: t.Any) -> None:
        host.files.write(OLD)
        host.log.clear()
        host.failing = {"load secret s"}
        with pytest.raises(HostError) as raised:
            carry_out(
                host,
                steps.WriteFile(FILE, OLD),
                steps.LoadConnection("x", SECTION),
                steps.LoadSecret(SharedSecret("s", "IKE", (), Secret(b"hush"))),
                steps.ReloadSettings(),
            )
        back = ["unload secret s", "unload x", "write /a"]
        assert host.log == ["write /a", "load x", "load secret s", *back]
        assert host.files.read("/a") == OLD
        assert raised.value.operation == "load secret s"
        assert raised.value.detail == "it was not to be"
        assert raised.value.advice == "The changes of this run were undone."

    def test_nothing_before_the_first_step(self, host: t.Any) -> None:
        host.failing = {"load x"}
        with pytest.raises(HostError, match=r"it was not to be\. Nothing was changed\.$"):
            carry_out(host, steps.LoadConnection("x", SECTION), steps.ReloadSettings())
        # The daemon may have loaded the connection without an answer.
        assert host.log == ["load x", "unload x"]

    def test_what_reads_files_comes_after_them(self, host: t.Any) -> None:
        host.failing = {"load x"}
        with pytest.raises(HostError, match=r"changes of this run were undone\.$"):
            carry_out(
                host,
                steps.WriteFile(FILE),
                network_steps.ReloadUnits(),
                steps.WriteFile(File("/b", b"")),
                steps.ReloadSettings(),
                steps.LoadConnection("x", SECTION),
            )
        assert host.log[-4:] == ["remove /b", "remove /a", "daemon-reload", "reload settings"]

    def test_a_restart_that_fails_is_tried_again_with_the_old_files(self, host: t.Any) -> None:
        host.failing = {"restart"}
        with pytest.raises(HostError, match=r"changes of this run were undone\.$"):
            carry_out(host, steps.WriteFile(FILE), steps.RestartDaemon("why"))
        assert host.log == ["write /a", "restart", "remove /a", "restart"]

    def test_the_first_failing_step_may_read_files(self, host: t.Any) -> None:
        host.failing = {"reload settings"}
        with pytest.raises(HostError, match=r"changes of this run were undone\.$"):
            carry_out(host, steps.ReloadSettings())
        assert host.log == ["reload settings", "reload settings"]

    def test_a_script_that_was_not_there_before_is_not_run_again(self, host: t.Any) -> None:
        host.run = lambda _argv, _stdin: (1, "", "no")
        with pytest.raises(HostError, match=r"no\. The changes of this run were undone\.$"):
            carry_out(
                host,
                steps.WriteFile(FILE),
                network_steps.RunScript("lan", "/a", "start", "bring up"),
            )

    def test_what_came_along_goes_when_the_rest_is_as_before(self, host: t.Any) -> None:
        bridge = LinkState("bridge", 1500, True, ("10.1.0.1/24",))
        host.link.devices = {"vpn-lan": bridge, "eth1": bridge}
        host.failing = {"load x"}
        host.run = lambda _argv, _stdin: (0, "", "")
        with pytest.raises(HostError, match=r"changes of this run were undone\.$"):
            carry_out(
                host,
                network_steps.RunScript(
                    "lan", "/b", "start", "go", (network_steps.DeleteLink("vpn-lan"),)
                ),
                network_steps.RunScript(
                    "b", "/a", "start", "go", (network_steps.DeleteAddress("10.1.0.1/24", "eth1"),)
                ),
                steps.LoadConnection("x", SECTION),
            )
        assert host.log[-2:] == [
            "delete 10.1.0.1/24 from eth1",
            "delete vpn-lan",
        ]

    def test_a_daemon_that_was_started_anew_meanwhile(self, host: t.Any) -> None:
        """A run fails and notes the secret when the daemon restarts during the run.

        The old daemon had the new secret. The new daemon may have read the old file.
        """
        secret = steps.LoadSecret(SharedSecret("s", "IKE", (), Secret(b"hush")))
        write = host.files.write

        def crash(file: File, *, keep: bool = False) -> None:
            host.vici.pid += 1
            write(file)

        host.files.write = crash
        with pytest.raises(HostError, match=r"restarted during this run.* Run the task again"):
            carry_out(host, secret, steps.WriteFile(FILE))
        assert host.files.read("/a") == FILE
        assert host.unfinished_run.read(host.vici.pid).secrets == {"s"}
        carry_out(host, steps.WriteFile(FILE), steps.TerminateConnection("x"))
        carry_out(host, secret, steps.WriteFile(FILE), steps.RestartDaemon("why"))
        assert host.unfinished_run.read(host.vici.pid) == Unfinished()

    def test_when_it_fails_as_before_that_is_not_said_twice(self, host: t.Any) -> None:
        host.files.write(FILE)
        host.run = lambda _argv, _stdin: (1, "", "no")
        script = network_steps.RunScript("lan", "/a", "rules", "replace the rules")
        with pytest.raises(HostError) as raised:
            carry_out(host, script)
        assert raised.value.detail == "no"
        assert raised.value.advice == "Undoing the changes of this run failed with the same error."

    def test_when_that_fails_too_it_is_said(self, host: t.Any) -> None:
        host.failing = {"load secret s", "unload x"}
        with pytest.raises(HostError) as raised:
            carry_out(
                host,
                steps.WriteFile(FILE),
                steps.LoadConnection("x", SECTION),
                steps.LoadSecret(SharedSecret("s", "IKE", (), Secret(b"hush"))),
            )
        assert raised.value.detail == "it was not to be"
        assert raised.value.advice == (
            "Undoing the changes of this run failed too: could not unload x: it was not to be."
        )
        assert host.files.read("/a") is None

    def test_what_can_not_be_taken_back_is_left(self, host: t.Any) -> None:
        host.link.devices["vpn-lan"] = LinkState("bridge", 1500, True, ())
        host.failing = {"load x"}
        with pytest.raises(HostError, match=r"changes of this run were undone\.$"):
            carry_out(host, network_steps.DeleteLink("vpn-lan"), steps.LoadConnection("x", SECTION))

    @pytest.mark.parametrize("edit", ["new", "changed", "gone"])
    @pytest.mark.parametrize("when", ["before", "after"])
    def test_whichever_step_fails_the_host_is_as_before(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edit: str, when: str
    ) -> None:
        before = gateway(connection(child()))
        after = {
            "new": before.with_connection(connection(name="x", remote_gateway="192.0.2.3")),
            "changed": before.with_connection(connection(child(lifetime=2), psk="another")),
            "gone": before.without_connection("site-b"),
        }[edit]
        count = len(_edit(MemoryHost(tmp_path / "dry"), before, after))
        assert count >= 3
        for index in range(count):
            host: t.Any = MemoryHost(tmp_path / str(index))
            plan = _edit(host, before, after)
            state = _state(host)
            with monkeypatch.context() as patch:
                _break(patch, plan[index], when)
                with pytest.raises(
                    HostError, match=r"this run were undone\.$|Nothing was changed\.$"
                ):
                    apply(host, Plan(plan))
            assert _state(host) == state
            assert host.unfinished_run.read(host.vici.pid) == Unfinished()


def _break(monkeypatch: pytest.MonkeyPatch, broken: steps.Step, when: str) -> None:
    """Make one step fail, before or after its effect."""
    effect = applier._EFFECTS[type(broken)]

    def fail(host: t.Any, step: t.Any) -> str | None:
        if step is not broken:
            return effect(host, step)
        if when == "after":
            effect(host, step)
        raise HostError(str(step), "it was not to be")

    monkeypatch.setitem(applier._EFFECTS, type(broken), fail)


def _edit(host: t.Any, before: Gateway, after: Gateway) -> tuple[steps.Step, ...]:
    """Bring a host to ``before``, and return the steps of its tunnels to ``after``."""
    nothing, old, new = (
        artefacts(item, DEBIAN, userspace=False, credentials={})
        for item in (Gateway(), before, after)
    )
    whole = Scope(frozenset(old.networks), frozenset(old.swanctl), daemons=ALL_DAEMONS)
    apply(host, make_plan(nothing, old, Observed(), whole))
    observed = Observed(host.everything(), {}, daemon_state(host))
    tunnels = Scope(swanctl=touched(old, new, Scope()).swanctl)
    return make_plan(old, new, observed, tunnels).steps


def _state(host: t.Any) -> t.Any:
    return host.everything(), dict(host.vici.conns), dict(host.vici.shared)


class TestTrial:
    QUIET: t.ClassVar = {"start_action": "none", "close_action": "none", "dpd_action": "clear"}

    def test_section(self) -> None:
        section = {
            "version": "2",
            "children": {
                "net": {"start_action": "trap|start", "mode": "tunnel"},
                "dmz": {"dpd_action": "restart", "close_action": "start"},
            },
        }
        assert trial_section(section) == {
            "version": "2",
            "children": {"net": {"mode": "tunnel", **self.QUIET}, "dmz": self.QUIET},
        }
        assert trial_section({"version": "2"}) == {"version": "2", "children": {}}

    def test_every_connection_is_judged_and_nothing_is_left(self, host: t.Any) -> None:
        seen = []
        load = host.vici.load_conn
        host.vici.load_conn = lambda name, section: (seen.append(section), load(name, section))
        plan = Plan(
            (
                steps.WriteFile(FILE),
                steps.LoadConnection("x", SECTION),
                steps.UnloadConnection("y"),
                steps.LoadConnection("z", {"version": "1"}),
            )
        )
        try_out(host, plan)
        assert host.log == ["load tunnelwright-trial", "unload tunnelwright-trial"] * 2
        assert seen == [trial_section(SECTION), trial_section({"version": "1"})]
        assert host.vici.conns == {}
        assert host.files.read("/a") is None

    def test_refused(self, host: t.Any) -> None:
        host.failing = {"load tunnelwright-trial"}
        with pytest.raises(HostError) as raised:
            try_out(host, Plan((steps.LoadConnection("x", SECTION),)))
        assert raised.value.operation == "load connection x"
        assert str(raised.value).endswith(": it was not to be. Nothing was changed.")
        assert host.vici.conns == {}

    def test_left_by_a_run_that_was_killed(self, host: t.Any) -> None:
        """The next run ends the trials of an interrupted run, and keeps all other objects.

        A trial is the connection tunnelwright-trial or a noted key.
        """
        host.vici.conns = {"tunnelwright-trial": {}, "site-b": {}}
        host.vici.private = {"k1": b"key k1", "k2": b"key k2"}
        left = DaemonState(
            connections=host.vici.connections(),
            keys=host.vici.keys(),
            unfinished=Unfinished(keys=frozenset({"k1", "k3"})),
        )
        host.unfinished_run.take_back(1, left.unfinished)
        end_trials(host, left)
        assert host.unfinished_run.read(1) == Unfinished()
        assert set(host.vici.conns) == {"site-b"}
        assert set(host.vici.private) == {"k2"}
        host.log.clear()
        end_trials(host, replace(left, connections={}, unfinished=Unfinished()))
        assert host.log == []

    def test_key(self, host: t.Any) -> None:
        """The key of a trial is noted, unless another task has loaded this key permanently."""
        noted = []
        load = host.vici.load_key

        def loaded(data: bytes) -> str:
            noted.append(host.unfinished_run.read(1).keys)
            return str(load(data))

        host.vici.load_key = loaded
        plan = Plan((steps.LoadKey(File("/k", b"key k1", 0o600), "k1"),))
        try_out(host, plan)
        assert noted == [{"k1"}]
        assert host.vici.private == {}
        assert host.unfinished_run.read(1) == Unfinished()
        host.vici.private = {"k1": b"key k1"}
        try_out(host, plan)
        assert noted == [{"k1"}, set()]
        assert set(host.vici.private) == {"k1"}

    def test_a_daemon_that_goes_meanwhile(self, host: t.Any) -> None:
        host.failing = {"unload tunnelwright-trial"}
        with pytest.raises(HostError, match=r"^could not load connection x: "):
            try_out(host, Plan((steps.LoadConnection("x", SECTION),)))
