# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import DEBIAN
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.secret import MASK, Secret
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan import network_steps, steps
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.files import (
    file_difference,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.observed import DaemonState
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.ownership import (
    SecureDirectory,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.plan import (
    IMPACTS,
    Difference,
    Impact,
    Plan,
    joined,
    state_difference,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.blocks import Block
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.file import (
    PRIVATE,
    PUBLIC,
    Directory,
    File,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.nft_listing import (
    ElementChanges,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.routes import Route
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.shared_secrets import (
    SharedSecret,
)
from hypothesis import given
from hypothesis import strategies as st

CONF = "/etc/swanctl/conf.d/x.conf"
KEY = "/etc/swanctl/private/x.pem"


def conf(secret: str, mode: int = PRIVATE, path: str = CONF) -> File:
    text = f"# {secret}\nsecrets {{\n    ike-x {{\n        secret = {secret}\n    }}\n}}\n"
    return File(path, text.encode(), mode)


MASKED = f"secrets {{\n    ike-x {{\n        secret = {MASK}\n    }}\n}}\n"


class TestDifferences:
    @pytest.mark.parametrize(
        ("before", "after", "expected"),
        [
            (None, File("/a", b"x\n"), ("", "x\n")),
            (File("/a", b"x\n"), None, ("x\n", "")),
            (File("/a", b"x\n"), File("/a", b"y\n"), ("x\n", "y\n")),
            (
                File("/a", b"x\n"),
                File("/a", b"x\n", 0o755),
                ("mode 0644 instead of 0755\n", "mode 0755\n"),
            ),
            (
                File("/a", b"x\n"),
                File("/a", b"y\n", 0o755),
                ("x\n(mode 0644 instead of 0755)\n", "y\n(mode 0755)\n"),
            ),
            (
                File("/a", b"x\n", 0o666, (5, 7), "/\n"),
                File("/a", b"x\n"),
                (
                    "mode 0666 instead of 0644, owner 5:7 instead of 0:0, "
                    "a symbolic link to '/\\n' instead of a file\n",
                    "mode 0644, owner 0:0, a file\n",
                ),
            ),
            (File("/a", b"\xff\n"), None, ("\ufffd\n", "")),
            (None, conf("hush"), ("", MASKED)),
            (
                conf("hush"),
                conf("hush2"),
                (f"{MASKED}(mode 0600)\n", f"{MASKED}(mode 0600, different hidden content)\n"),
            ),
            (
                conf("hush", PUBLIC),
                conf("hush"),
                ("mode 0644 instead of 0600\n", "mode 0600\n"),
            ),
            (
                conf("hush", PUBLIC),
                conf("hush2"),
                (
                    f"{MASKED}(mode 0644 instead of 0600)\n",
                    f"{MASKED}(mode 0600, different hidden content)\n",
                ),
            ),
            (conf("hush", PUBLIC), None, (MASKED, "")),
            (None, File(KEY, b"hush", PRIVATE), ("", f"{MASK}\n")),
            (File(KEY, b"hush", PUBLIC), None, (f"{MASK}\n", "")),
            (None, File("/a", b"hush", PRIVATE), ("", f"{MASK}\n")),
            (
                File(KEY, b"hush", PRIVATE),
                File(KEY, b"hush2", PRIVATE),
                (f"{MASK}\n(mode 0600)\n", f"{MASK}\n(mode 0600, different hidden content)\n"),
            ),
        ],
    )
    def test_files(
        self, before: File | None, after: File | None, expected: tuple[str, str]
    ) -> None:
        made = file_difference(before, after, DEBIAN)
        assert (made.before, made.after) == expected
        assert made.header in ("/a", CONF, KEY)
        assert "hush" not in f"{made}"

    def test_states(self) -> None:
        assert state_difference("unit x", "off", "on") == Difference("unit x", "off\n", "on\n")


class TestPlan:
    CHILD: t.ClassVar = Impact("b/lan", "child", "it is closed")
    PENDING: t.ClassVar = Impact("c", "pending", "the SA keeps the old values")
    ONE: t.ClassVar = Plan((network_steps.ReloadUnits(),), (Difference("a", "b", "c"),), (CHILD,))
    TWO: t.ClassVar = Plan((steps.ReloadSettings(),), (Difference("d", "e", "f"),), (PENDING,))

    def test_whether_there_is_anything_to_do(self) -> None:
        assert not Plan()
        assert self.ONE

    def test_one_after_the_other(self) -> None:
        assert (
            Plan(
                (network_steps.ReloadUnits(), steps.ReloadSettings()),
                (Difference("a", "b", "c"), Difference("d", "e", "f")),
                (self.CHILD, self.PENDING),
            )
            == self.ONE + self.TWO
        )
        assert self.TWO + self.ONE != self.ONE + self.TWO
        assert joined([self.ONE, Plan(), self.TWO]) == self.ONE + self.TWO
        assert joined([]) == Plan()

    def test_result(self) -> None:
        assert self.ONE.actions == ["reload systemd's unit files"]
        assert self.ONE.impact == "child"
        told = "impact on the SAs that are up"
        assert self.ONE.diff == [
            {"before_header": "a", "after_header": "a", "before": "b", "after": "c"},
            {
                "before_header": told,
                "after_header": told,
                "before": "",
                "after": "b/lan: child: it is closed\n",
            },
        ]

    @given(st.lists(st.sampled_from(IMPACTS)))
    def test_the_worst_impact_counts(self, impacts: list[str]) -> None:
        plans = (Plan(impacts=(Impact("b", kind, "so"),)) for kind in impacts)
        assert joined(plans).impact == max(impacts, key=IMPACTS.index, default="none")

    def test_from_harmless_to_worst(self) -> None:
        assert IMPACTS == ("none", "pending", "child", "ike")


CHANGES = ElementChanges(
    (("out4", '10.1.0.0/24 . 10.2.0.0/24 comment "a/old"'),),
    tuple(
        (name, f'10.1.0.0/24 . 10.{at}.0.0/24 comment "a/{word}"')
        for name in ("out4", "guard_out4")
        for at, word in enumerate(("one", "two", "three"))
    ),
)
BLOCK = Block("block", "10.1.0.0/24", "10.2.0.0/24", "out")
ROUTE = Route(ipaddress.ip_network("10.5.0.0/16"), None, "eth1")
FILE, OLD = File("/a", b"new"), File("/a", b"old")
SHARED, OLD_SHARED = (SharedSecret("ike-x", "IKE", (), Secret(text)) for text in (b"new", b"old"))
NEW_SECTION, OLD_SECTION = {"version": "2"}, {"version": "1"}


@pytest.mark.parametrize(
    ("step", "says", "back"),
    [
        (steps.WriteFile(FILE), "write /a", steps.RemoveFile(FILE)),
        (steps.WriteFile(FILE, OLD), "write /a", steps.WriteFile(OLD)),
        (steps.RemoveFile(OLD), "remove /a", steps.WriteFile(OLD)),
        (SecureDirectory(Directory("/a", 0o750)), "set owner root and mode 0750 of /a", None),
        (
            steps.LoadConnection("x", NEW_SECTION),
            "load connection x",
            steps.UnloadConnection("x"),
        ),
        (
            steps.LoadConnection("x", NEW_SECTION, OLD_SECTION),
            "load connection x",
            steps.LoadConnection("x", OLD_SECTION),
        ),
        (
            steps.UnloadConnection("x", OLD_SECTION),
            "unload connection x",
            steps.LoadConnection("x", OLD_SECTION),
        ),
        (steps.UnloadConnection("x"), "unload connection x", None),
        (steps.LoadSecret(SHARED), "load secret ike-x", steps.UnloadSecret("ike-x")),
        (steps.LoadSecret(SHARED, OLD_SHARED), "load secret ike-x", steps.LoadSecret(OLD_SHARED)),
        (
            steps.UnloadSecret("ike-x", OLD_SHARED),
            "unload secret ike-x",
            steps.LoadSecret(OLD_SHARED),
        ),
        (steps.UnloadSecret("ike-x"), "unload secret ike-x", None),
        (steps.LoadKey(FILE), "load private key /a", steps.UnloadKey(FILE)),
        (steps.UnloadKey(FILE), "unload private key /a", steps.LoadKey(FILE)),
        (steps.TerminateConnection("x"), "close the IKE SA of x", None),
        (steps.TerminateChild("x", "net"), "close the Child SA x/net", None),
        (steps.Initiate("x", "net"), "initiate x/net", None),
        (
            steps.HandOver("x", ("dmz", "net"), frozenset({"1"})),
            "wait for the new Child SAs of x/dmz, x/net, then close the old Child SAs",
            None,
        ),
        (
            steps.ParkChildren("x", OLD_SECTION),
            "load connection x with its children renamed to NAME.replaced",
            steps.LoadConnection("x", OLD_SECTION),
        ),
        (
            steps.SwapIn("x", NEW_SECTION, OLD_SECTION),
            "load connection x",
            steps.SwapBack("x", OLD_SECTION, NEW_SECTION),
        ),
        (
            steps.SwapBack("x", OLD_SECTION, NEW_SECTION),
            "load the previous connection x",
            None,
        ),
        (
            steps.HandOver("x", (), frozenset(), frozenset({"1"})),
            "close the old IKE SA of x",
            None,
        ),
        (steps.InstallTrap("x", "net"), "install the policy of x/net", None),
        (steps.UninstallTrap("x", "net"), "uninstall the trap of x/net", None),
        (
            network_steps.LoadRules("lan", "/a.sh"),
            "load the nftables rules of network lan",
            network_steps.WithdrawRules("lan", "/a.sh"),
        ),
        (
            network_steps.WithdrawRules("lan", "/a.sh"),
            "delete the nftables rules of network lan",
            network_steps.LoadRules("lan", "/a.sh"),
        ),
        (
            network_steps.AddBlocks((BLOCK,)),
            "add the block policy out 10.1.0.0/24 to 10.2.0.0/24 against cleartext",
            network_steps.DeleteBlocks((BLOCK,)),
        ),
        (
            network_steps.DeleteBlocks((BLOCK, BLOCK), (BLOCK,)),
            "delete the block policy out 10.1.0.0/24 to 10.2.0.0/24 and 1 more against cleartext",
            network_steps.AddBlocks((BLOCK, BLOCK), (BLOCK,)),
        ),
        (
            network_steps.ChangeElements("lan", "tunnelwright-lan", CHANGES),
            "change the nftables sets of network lan: delete a/old, add a/one, a/two and 1 more",
            network_steps.ChangeElements("lan", "tunnelwright-lan", CHANGES.reversed()),
        ),
        (network_steps.ResetMtu("vpn-lan"), "reset the mtu of vpn-lan", None),
        (network_steps.DeleteLink("vpn-lan"), "delete interface vpn-lan", None),
        (
            network_steps.DeleteAddress("10.1.0.1/24", "eth1"),
            "delete address 10.1.0.1/24 from eth1",
            None,
        ),
        (network_steps.AddRoute(ROUTE), f"add route {ROUTE}", None),
        (network_steps.DeleteRoute(ROUTE), f"delete route {ROUTE}", network_steps.AddRoute(ROUTE)),
        (network_steps.DeleteRoute(replace(ROUTE, device="")), "delete route 10.5.0.0/16", None),
        (
            network_steps.SwitchUnit("x.service", "start"),
            "start x.service",
            network_steps.SwitchUnit("x.service", "stop"),
        ),
        (
            network_steps.SwitchUnit("x.service", "stop"),
            "stop x.service",
            network_steps.SwitchUnit("x.service", "start"),
        ),
        (
            network_steps.SwitchUnit("x.service", "enable"),
            "enable x.service",
            network_steps.SwitchUnit("x.service", "disable"),
        ),
        (
            network_steps.SwitchUnit("x.service", "disable"),
            "disable x.service",
            network_steps.SwitchUnit("x.service", "enable"),
        ),
    ],
)
def test_steps(step: steps.Step, says: str, back: steps.Step | None) -> None:
    assert str(step) == says
    assert step.undo() == back


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (steps.ReloadSettings(), "reload the settings of the IKE daemon"),
        (steps.RestartDaemon("a plugin is missing"), "restart the IKE daemon: a plugin is missing"),
        (network_steps.RunScript("lan", "/a.sh", "rules", "replace"), "replace of network lan"),
        (network_steps.ReloadUnits(), "reload systemd's unit files"),
    ],
)
def test_what_reads_files_is_taken_back_by_reading_them_again(step: steps.Step, says: str) -> None:
    assert isinstance(step, steps.Refresh)
    assert str(step) == says
    assert step.undo() == step


@pytest.mark.parametrize(
    "step",
    [
        steps.WriteFile(File("/a", b"hush"), File("/a", b"hush")),
        steps.RemoveFile(File("/a", b"hush")),
        steps.LoadSecret(SharedSecret("x", "IKE", (), Secret(b"hush"))),
        steps.UnloadSecret("x", SharedSecret("x", "IKE", (), Secret(b"hush"))),
        steps.LoadKey(File("/a", b"hush")),
        steps.LoadConnection("x", {"local": {"certs": ("hush",)}}, {"a": "hush"}),
        steps.UnloadConnection("x", {"a": "hush"}),
    ],
)
def test_no_step_shows_what_it_carries(step: steps.Step) -> None:
    assert "hush" not in f"{step!r} {step}"


def test_every_step_is_tested_here() -> None:
    assert len(_kinds(steps.Step)) == 33


def _kinds(kind: type) -> set[type]:
    below = set().union(*(_kinds(item) for item in kind.__subclasses__()))
    return below or {kind}


@pytest.mark.parametrize(
    ("version", "release"), [("5.9.8", 5), ("6.0.1", 6), ("10.0", 10), ("", 0), ("unknown", 0)]
)
def test_release(version: str, release: int) -> None:
    assert DaemonState(version=version).release == release
