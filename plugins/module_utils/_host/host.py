# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The managed host: all adapters with effects in one object."""

from __future__ import annotations

import contextlib
import os
import socket
import time
import typing as t
from dataclasses import dataclass

from .._errors import HostError
from .._model.capabilities import Capabilities
from .._model.daemon import DaemonId
from .._model.platform import Platform
from .command import Run, patience, with_packages
from .daemon import runs_replaced_files, speaks_ikev1
from .files.files import Files
from .kernel.blocks import Blocks
from .kernel.host_routes import Ways
from .kernel.link import Link
from .kernel.nft import Nft
from .platform import detected
from .run.controller import Controller, controller
from .run.lock import SILENCE, Held, exclusive
from .run.seize import seized
from .run.unfinished_run import UnfinishedRun
from .systemd import Systemd
from .tunnels.outdated_sas import Pending
from .vici.client import Vici
from .vici.log_events import DaemonLog
from .vici.transport import DaemonTimeout, charon_socket

# How long a daemon that broke off is waited for, in seconds.
RECOVERY_TIME = 15.0
_PAUSE = 0.5


@dataclass(frozen=True)
class Daemon:
    """An IKE daemon of a host. The host has one, so that its session and unit are the host's."""

    id: DaemonId
    host: Host

    @property
    def vici(self) -> Vici:
        return self.host.vici

    @property
    def unit(self) -> str:
        return self.host.platform.daemon_unit

    def restart(self) -> None:
        """Restart the daemon, and return when it answers again."""
        self.host.restart_daemon()


class Host:
    """``run`` executes an argument vector with a text on standard input: (status, output, errors).

    The session with the IKE daemon is opened at its first use and closed by ``with``.
    """

    def __init__(self, run: Run, platform: Platform | None = None) -> None:
        self.platform = platform or detected()
        self._run = with_packages(run)
        self._held: Held | None = None
        self.files = Files(self.platform)
        self.nft = Nft(self.run)
        self.link = Link(self.run)
        self.ways = Ways(self.run)
        self.blocks = Blocks(self.run)
        self.systemd = Systemd(self.run)
        self._exit = contextlib.ExitStack()
        self._vici: Vici | None = None
        self._recovered = False
        # The time since which the new SAs of a plan are negotiated (time.monotonic).
        self.negotiating_since: float | None = None
        self.unfinished_run = UnfinishedRun(self.platform.unfinished_note, self.platform)
        self.pending = Pending(self.platform.outdated_note)
        # The parts that this host lacks, in check mode. See ``without.leave_out``.
        self.missing: frozenset[str] = frozenset()

    def __enter__(self) -> Host:
        return self

    def __exit__(self, *exception: object) -> None:
        self._exit.close()

    def run(self, argv: list[str], stdin: str) -> tuple[int, str, str]:
        """Run a program. A unit may start slowly, other programs answer soon."""
        self.alive((patience(argv) or 0) if argv[0] == "systemctl" else 0)
        done = self._run(argv, stdin)
        self.alive()
        return done

    def alive(self, seconds: float = 0) -> None:
        """Note, for a rollback that is due, that this run is at work, which may take so long."""
        if self._held is not None:
            self._held.alive(max(seconds, SILENCE))

    @property
    def vici(self) -> Vici:
        """Return the session, or a new session after the daemon has restarted."""
        if self._vici is not None and self._vici.lost:
            self._exit.close()
            self._vici = self._once_more()
        if self._vici is None:
            self._vici = self._exit.enter_context(Vici(self._connect, alive=self.alive))
        return self._vici

    def use(self, session: Vici) -> None:
        """Use another session from now on."""
        self._vici = session

    def _connect(self) -> socket.socket:
        return charon_socket(self.platform)

    def _once_more(self) -> Vici:
        """Return a new session after a crash, because systemd restarts the daemon. Once per run."""
        if self._recovered:
            why = "the connection was lost again after one reconnect in this run"
            advice = "Check `journalctl -u strongswan`, and run the task again."
            raise HostError("reach the IKE daemon", why, advice)
        self._recovered = True
        deadline = time.monotonic() + RECOVERY_TIME
        while True:
            late = time.monotonic() > deadline
            try:
                session = self._exit.enter_context(Vici(self._connect, alive=self.alive))
                # A daemon that is about to end still has its socket.
                session.version()
                # Else it is about to have its files loaded into it.
                if late or self.systemd.is_active(self.platform.daemon_unit):
                    return session
            except HostError as error:
                if late or isinstance(error, DaemonTimeout):
                    raise
            self._exit.close()
            time.sleep(_PAUSE)

    def daemon(self, id: DaemonId) -> Daemon:
        return Daemon(id, self)

    def daemon_log(self) -> DaemonLog:
        """Return the log of the IKE daemon from now on."""
        return DaemonLog(self._connect)

    @property
    def may_lock(self) -> bool:
        """Return whether this process may write the lock file."""
        return os.access(os.path.dirname(self.platform.lock), os.W_OK)

    @contextlib.contextmanager
    def exclusive(self, what: str) -> t.Iterator[str]:
        """Hold the lock of the host, and yield the warning about a wait."""
        with exclusive(what, path=self.platform.lock) as held, self._holding(held):
            yield held.waited

    @contextlib.contextmanager
    def seized(self, what: str) -> t.Iterator[str]:
        """Hold the lock for a due rollback, and yield the text about an ended run."""
        with seized(what, path=self.platform.lock) as found, self._holding(found[0]):
            yield found[1]

    @contextlib.contextmanager
    def _holding(self, held: Held | None) -> t.Iterator[None]:
        self._held = held
        try:
            yield
        finally:
            self._held = None

    def controller(self) -> Controller | None:
        """Return the SSH connection by which this run came; None where it came otherwise."""
        return controller()

    def capabilities(self) -> Capabilities:
        """Return the answers of the running daemon, which take a millisecond."""
        vici = self.vici
        return Capabilities(
            vici.version().get("version", ""),
            frozenset({1, 2} if speaks_ikev1(vici.pid) else {2}),
            vici.algorithms(),
            vici.plugins(),
        )

    def runs_replaced_files(self, pid: int) -> bool | None:
        """Return whether the daemon is older than its files on the disk. None if unknown."""
        return runs_replaced_files(pid)

    def restart_daemon(self) -> None:
        """Restart charon; returns when it answers again, with everything loaded from its files."""
        self.hang_up()
        self.systemd.restart(self.platform.daemon_unit)

    def hang_up(self) -> None:
        """End the session with the IKE daemon; the next command opens another."""
        self._exit.close()
        self._vici = None
