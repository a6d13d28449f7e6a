# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lost session with an IKE daemon, and the progress that a run reports."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import HostError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host import host as module
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.host import Host
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.run.lock import (
    Held,
    exclusive,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.run.seize import seized
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.vici.client import Vici
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.vici.transport import (
    NO_ANSWER,
    DaemonTimeout,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.scripted_vici import (
    OK,
    ScriptedVici,
)

BROKEN = HostError("speak", "the IKE daemon closed the session")
REFUSED = HostError("reach", "Connection refused")
SILENT = DaemonTimeout("speak", NO_ANSWER)


class Daemon:
    """A daemon with one result for each session. None means that the daemon answers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *sessions: HostError | None) -> None:
        self.sessions = list(sessions)
        monkeypatch.setattr(module, "Vici", lambda *_how, **_more: Session(self))
        monkeypatch.setattr(module, "_PAUSE", 0)


class Session:
    def __init__(self, daemon: Daemon) -> None:
        self.error = daemon.sessions.pop(0)
        self.lost = False
        if self.error is REFUSED:
            raise self.error

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_exception: object) -> None:
        pass

    def version(self) -> dict[str, str]:
        if self.error is not None:
            self.lost = True
            raise self.error
        return {}


def test_one_that_crashed_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run waits until a crashed daemon answers and its unit has loaded the files."""
    daemon = Daemon(monkeypatch, None, BROKEN, REFUSED, None, None)
    states = ["activating", "active"]
    with Host(lambda _argv, _stdin: (0, f"ActiveState={states.pop(0)}\n", "")) as host:
        first = t.cast(t.Any, host.vici)
        assert host.vici is first
        first.lost = True
        again = host.vici
        assert again is not first
        assert host.vici is again
        assert (daemon.sessions, states) == ([], [])
        t.cast(t.Any, again).lost = True
        with pytest.raises(HostError, match="lost again after one reconnect"):
            assert host.vici


@pytest.mark.parametrize(("error", "patience", "tried"), [(SILENT, 60, 1), (REFUSED, 0, 2)])
def test_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch, error: HostError, patience: int, tried: int
) -> None:
    """A run does not wait for a silent daemon that runs, because each attempt may take long."""
    monkeypatch.setattr(module, "RECOVERY_TIME", patience - 0.001)
    daemon = Daemon(monkeypatch, None, *[error] * 5)
    with Host(lambda _argv, _stdin: (0, "ActiveState=active\n", "")) as host:
        t.cast(t.Any, host.vici).lost = True
        with pytest.raises(HostError, match=error.detail):
            assert host.vici
        assert len(daemon.sessions) >= 5 - tried
        with pytest.raises(HostError, match="lost again after one reconnect"):
            assert host.vici


class TestSignsOfLife:
    """The seconds for which a run may be silent, which depend on its next action."""

    @pytest.fixture(name="signs")
    def _signs(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[float]:
        signs: list[float] = []
        monkeypatch.setattr(Held, "alive", lambda _self, seconds: signs.append(seconds))
        path = str(tmp_path / "lock")
        monkeypatch.setattr(module, "exclusive", lambda what, **_: exclusive(what, path=path))
        monkeypatch.setattr(module, "seized", lambda what, **_: seized(what, path=path))
        return signs

    @pytest.mark.parametrize("take", [Host.exclusive, Host.seized])
    def test_programs(self, signs: list[float], take: t.Any) -> None:
        with Host(lambda _argv, _stdin: (0, "[]", "")) as host, take(host, "x"):
            signs.clear()
            host.link.routes()
            host.systemd.restart("strongswan.service")
            host.run(["nft", "list", "tables"], "")
            host.alive()
        # A run reports before and after each command, because the next one may hang.
        assert signs == [*[15] * 4, 120, 15, 15, 15, 15]

    def test_the_daemon(
        self, signs: list[float], charon: ScriptedVici, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "Vici", lambda _connect, **how: Vici(charon.connect, **how))
        charon.expect("version", reply={"version": "6.0.1"})
        section = {"children": {"net": {"start_action": "trap|start"}}}
        charon.expect("load-conn", {"site-b": section}, reply=OK)
        with Host(lambda _argv, _stdin: (0, "", "")) as host, host.exclusive("x"):
            signs.clear()
            host.vici.version()
            host.vici.load_conn("site-b", section)
        assert signs == [30, 15, 90, 15]

    def test_only_of_a_run_that_holds_the_lock(self, signs: list[float]) -> None:
        with Host(lambda _argv, _stdin: (0, "", "")) as host:
            with host.exclusive("x"):
                signs.clear()
            host.alive()
            host.run(["true"], "")
        assert signs == []
