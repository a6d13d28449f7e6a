# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Units, through systemctl."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .._errors import HostError
from .command import Run, last_words, output

# How a line of the journal begins that is of systemd.
_BY_SYSTEMD = re.compile("(?:Start(?:ing|ed)|Stopp(?:ing|ed)|Failed to start|Finished|Reload)")


@dataclass(frozen=True)
class UnitState:
    """``stale``: the unit's file has changed since systemd read it."""

    enabled: bool = False
    active: bool = False
    stale: bool = False


class Systemd:
    def __init__(self, run: Run) -> None:
        self._run = run

    def state(self, unit: str) -> UnitState:
        """Return the state of a unit. All values are False if the unit does not exist."""
        (found,) = self.states(unit)
        return found

    def states(self, *units: str) -> tuple[UnitState, ...]:
        """Return the state of each unit, with one program."""
        argv = ["systemctl", "show", "--property", "UnitFileState,ActiveState,NeedDaemonReload"]
        shown = output(self._run, f"get the state of {', '.join(units)}", [*argv, *units])
        # An empty line stands between two units.
        parts = shown.strip("\n").split("\n\n")
        if len(parts) != len(units):
            why = f"systemctl printed an unknown form of output: {shown[:200]}"
            raise HostError(f"get the state of {', '.join(units)}", why)
        return tuple(_unit_state(part) for part in parts)

    def is_enabled(self, unit: str) -> bool:
        return self.state(unit).enabled

    def is_active(self, unit: str) -> bool:
        return self.state(unit).active

    def is_waiting(self, timer: str) -> bool:
        """Return whether a timer runs. An elapsed timer does not, unless it was restarted."""
        return self._show(timer, "SubState") == "waiting"

    def daemon_reload(self) -> None:
        output(self._run, "reload systemd's unit files", ["systemctl", "daemon-reload"])

    def enable(self, unit: str) -> None:
        self._do("enable", unit)

    def disable(self, unit: str) -> None:
        self._do("disable", unit)

    def start(self, unit: str) -> None:
        self._do("start", unit)

    def stop(self, unit: str) -> None:
        self._do("stop", unit)

    def restart(self, unit: str) -> None:
        self._do("restart", unit)

    def _do(self, verb: str, unit: str) -> None:
        status, _printed, errors = self._run(["systemctl", "--quiet", verb, unit], "")
        if status != 0:
            advice = ""
            if verb not in ("enable", "disable"):
                # Of a job that failed, systemctl only names the journal.
                errors = self._journal(unit) or errors
                advice = f"Read `journalctl -u {unit}`."
            raise HostError(f"{verb} {unit}", last_words(errors, status), advice)

    def _show(self, unit: str, what: str) -> str:
        argv = ["systemctl", "show", "--property", what, "--value", unit]
        return output(self._run, f"get the state of {unit}", argv).strip()

    def _journal(self, unit: str) -> str:
        """Return the last lines of the unit itself, without lines of systemd."""
        argv = ["journalctl", "--unit", unit, "--lines", "10", "--output", "cat", "--no-pager"]
        _status, printed, _errors = self._run(argv, "")
        lines = printed.splitlines()
        begun = [at for at, line in enumerate(lines) if line.startswith("Starting ")]
        said = lines[begun[-1] + 1 :] if begun else lines
        told = _BY_SYSTEMD.match
        return "\n".join(line for line in said if not (line.startswith(f"{unit}: ") or told(line)))


def _unit_state(shown: str) -> UnitState:
    found = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    return UnitState(
        found.get("UnitFileState") in ("enabled", "enabled-runtime"),
        found.get("ActiveState") in ("active", "reloading"),
        found.get("NeedDaemonReload") == "yes",
    )
