# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Application of a plan: step by step, and the undo of all steps after a failure."""

from __future__ import annotations

import contextlib
import time
import typing as t

from .._errors import HostError
from .._plan import steps
from .._plan.observed import NOTHING, Unfinished
from .._plan.ownership import SecureDirectory
from .._plan.plan import Plan
from .daemon_effects import DAEMON_EFFECTS
from .files import known_gateway
from .host import Host
from .network_effects import NETWORK_EFFECTS
from .run.unfinished_run import unfinished


def apply(host: Host, plan: Plan, settled: Unfinished = NOTHING) -> list[str]:
    """Apply the plan and return warnings. ``settled`` are the entries of the note to remove.

    Raises HostError after the previous steps were undone. The error names this.
    """
    # An interrupted run may have left these.
    host.files.clean()
    host.unfinished_run.clean()
    host.pending.clean()
    known_gateway.clean(host.files)
    notes = _applied(host, plan) if plan else []
    host.unfinished_run.end(settled)
    return notes


def _applied(host: Host, plan: Plan) -> list[str]:
    host.nft.forget()
    known_gateway.forget(host.files)
    host.files.stage(step.file for step in plan.steps if isinstance(step, steps.WriteFile))
    try:
        pid = host.vici.pid
        left = _begin(host, pid, plan)
        notes = _carry_out(host, plan, lambda: host.unfinished_run.take_back(pid, left))
        _check_daemon(host, pid, plan)
        host.unfinished_run.end(unfinished(plan, host.platform))
        return notes
    finally:
        host.files.clean()


def _check_daemon(host: Host, pid: int, plan: Plan) -> None:
    """Fail if the daemon restarted during the run, because it may have read the old files."""
    mine = unfinished(plan, host.platform)
    restarted = any(isinstance(step, steps.RestartDaemon) for step in plan.steps)
    if restarted or not (mine.connections or mine.secrets or mine.settings):
        return
    with contextlib.suppress(HostError):
        host.vici.version()
    now = host.vici.pid
    if now != pid:
        host.unfinished_run.begin(now, plan)
        raise HostError(
            "load all changes into the IKE daemon",
            "the IKE daemon restarted during this run, and may still use the old configuration",
            "The files have the new configuration. Run the task again, which loads it.",
        )


def _begin(host: Host, pid: int, plan: Plan) -> Unfinished:
    try:
        return host.unfinished_run.begin(pid, plan)
    except HostError as error:
        raise error.followed_by(_UNTOUCHED) from error


def _carry_out(host: Host, plan: Plan, taken_back: t.Callable[[], None]) -> list[str]:
    notes: list[str] = []
    done: list[steps.Step] = []
    host.negotiating_since = None
    for step in plan.steps:
        host.alive()
        if isinstance(step, steps.HandOver) and host.negotiating_since is None:
            host.negotiating_since = time.monotonic()
        try:
            note = _EFFECTS[type(step)](host, step)
        except HostError as error:
            left = _take_back(host, done, step, error)
            if left in (_UNTOUCHED, _TAKEN_BACK):
                taken_back()
            raise error.followed_by(left) from error
        done.append(step)
        if note:
            notes.append(note)
    return notes


_UNTOUCHED = "Nothing was changed."
_TAKEN_BACK = "The changes of this run were undone."


def _take_back(host: Host, done: list[steps.Step], failed: steps.Step, error: HostError) -> str:
    """Undo the steps in reverse order. Then make each program read its files again.

    The failed step may be half complete, or the daemon may have completed it without an answer.
    """
    backs = [step.undo() for step in (failed, *reversed(done))]
    restores = [back for back in backs if back and not isinstance(back, steps.Refresh)]
    refreshes = [step for step in (*done, failed) if isinstance(step, steps.Refresh)]
    away = [item for step in (failed, *reversed(done)) for item in step.also_undo]
    failures = []
    for back in (*restores, *refreshes, *away):
        try:
            _EFFECTS[type(back)](host, back)
        except HostError as again:
            failures.append(str(again))
    if failures and {*failures} == {str(error)}:
        return "Undoing the changes of this run failed with the same error."
    if failures:
        listed = " ".join(dict.fromkeys(failures))
        return f"Undoing the changes of this run failed too: {listed}"
    return _TAKEN_BACK if done or refreshes else _UNTOUCHED


def _write(host: Host, step: steps.WriteFile) -> None:
    host.files.write(step.file, keep=True)


def _remove(host: Host, step: steps.RemoveFile) -> None:
    host.files.remove(step.file.path, keep=True)


def _secure(host: Host, step: SecureDirectory) -> None:
    host.files.secure(step.directory)


_EFFECTS: dict[type[steps.Step], t.Callable[[Host, t.Any], str | None]] = {
    steps.WriteFile: _write,
    steps.RemoveFile: _remove,
    SecureDirectory: _secure,
    **DAEMON_EFFECTS,
    **NETWORK_EFFECTS,
}
