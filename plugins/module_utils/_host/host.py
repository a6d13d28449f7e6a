# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The machine: every adapter under one roof, so that what has effects is passed around as one."""

from __future__ import annotations

import contextlib
import time

from .._errors import HostError
from .blocks import Blocks
from .command import Run, with_packages
from .daemon import DAEMON_UNIT, speaks_ikev1
from .files import Files
from .journal import Journal
from .link import Link
from .lock import exclusive
from .nft import Nft
from .pending import Pending
from .systemd import Systemd
from .vici import Vici
from .vici_log import ViciLog
from .vici_socket import Silent

# How long a daemon that broke off is waited for, in seconds.
RECOVERY_TIME = 15.0
_PAUSE = 0.5


class Host:
    """``run`` executes an argument vector with a text on standard input: (status, output, errors).

    The session with the IKE daemon is opened at its first use and closed by ``with``.
    """

    def __init__(self, run: Run) -> None:
        self.run = with_packages(run)
        self.files = Files()
        self.nft = Nft(self.run)
        self.link = Link(self.run)
        self.blocks = Blocks(self.run)
        self.systemd = Systemd(self.run)
        self._exit = contextlib.ExitStack()
        self._vici: Vici | None = None
        self._recovered = False
        self.journal = Journal()
        self.pending = Pending()

    def __enter__(self) -> Host:
        return self

    def __exit__(self, *exception: object) -> None:
        self._exit.close()

    @property
    def vici(self) -> Vici:
        """The session, or a new one where the daemon broke off and is there again."""
        if self._vici is not None and self._vici.lost:
            self._exit.close()
            self._vici = self._once_more()
        if self._vici is None:
            self._vici = self._exit.enter_context(Vici())
        return self._vici

    def _once_more(self) -> Vici:
        """A daemon that has crashed is started anew by systemd; once in a run is enough."""
        if self._recovered:
            raise HostError("reach the IKE daemon", "it is out of reach since then")
        self._recovered = True
        deadline = time.monotonic() + RECOVERY_TIME
        while True:
            late = time.monotonic() > deadline
            try:
                session = self._exit.enter_context(Vici())
                # One that is about to end still has its socket.
                session.version()
                # Else it is about to have its files loaded into it.
                if late or self.systemd.is_active(DAEMON_UNIT):
                    return session
            except HostError as error:
                if late or isinstance(error, Silent):
                    raise
            self._exit.close()
            time.sleep(_PAUSE)

    def daemon_log(self) -> ViciLog:
        """What the IKE daemon logs from now on."""
        return ViciLog()

    def exclusive(self, what: str) -> contextlib.AbstractContextManager[str]:
        """One run at a time; gives the note of a wait."""
        return exclusive(what)

    def speaks_ikev1(self) -> bool:
        """Whether IKEv1 is built into the daemon that runs; True where that can't be told."""
        return speaks_ikev1(self.vici.pid)

    def restart_daemon(self) -> None:
        """Restart charon; returns when it answers again, with everything loaded from its files."""
        self.hang_up()
        self.systemd.restart(DAEMON_UNIT)

    def hang_up(self) -> None:
        """End the session with the IKE daemon; the next command opens another."""
        self._exit.close()
        self._vici = None
