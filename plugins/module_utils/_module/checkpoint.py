# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The module ipsec_checkpoint: keep the last good state, confirm what came after it, or go back."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass, field, replace

from .._errors import HostError, TunnelwrightError
from .._host.host import Host
from .._host.rollback import checkpoint, rollback_main, timer
from .._host.rollback.checkpoint import Checkpoint
from .._host.rollback.rollback import (
    REQUESTED,
    forget_rollback,
    last_rollback,
    plan_rollback,
    roll_back,
)
from .._host.rollback.rollback_archive import program
from .._host.run.trial import try_out
from .._model import checks
from .._model.platform import Platform
from .._plan import restore
from .._plan.plan import Impact, Plan
from .edit import Params
from .spec import IPSEC_CHECKPOINT
from .task import ModuleOutcome, drive

# In seconds. Less than the first is over before the next task begins.
TIMEOUTS = (10, 86400)


@dataclass(frozen=True)
class Answer:
    """The result of the module. The differences of ``plan`` are the diff."""

    changed: bool
    checkpoint: t.Mapping[str, t.Any]
    differs: t.Sequence[str] = ()
    actions: t.Sequence[str] = ()
    plan: Plan = field(default_factory=Plan)
    warnings: tuple[str, ...] = ()


def run() -> None:
    """Run ipsec_checkpoint. It edits nothing, and does not restart its own timer."""
    key = "ipsec_checkpoint"

    def body(host: Host, params: Params, *, check: bool) -> ModuleOutcome:
        with host.exclusive(key) as waited:
            answer = carry_out(host, params, check=check)
        # A rollback does more than its plan where the plan can't reach.
        values = {
            key: answer.checkpoint,
            "differences": answer.differs,
            "actions": answer.actions,
        }
        return ModuleOutcome(values, answer.changed, answer.plan, (waited, *answer.warnings))

    drive(IPSEC_CHECKPOINT, key, body)


def carry_out(host: Host, params: Params, *, check: bool) -> Answer:
    """Run the module. In check mode it only reads. Raises ModelError and HostError."""
    timeout = checks.number("timeout", params["timeout"], *TIMEOUTS)
    if params["state"] == "started":
        return _start(host, timeout, check=check)
    if params["state"] == "confirmed":
        return _confirm(host, check=check)
    return _roll_back(host, check=check)


def _start(host: Host, timeout: int, *, check: bool) -> Answer:
    kept = checkpoint.load(host.files)
    if kept is not None:
        # The older state is the last good one, because later changes are unconfirmed.
        renewed = replace(kept, timeout=timeout)
        if not check:
            _arm(host, renewed)
        return _compared(host, renewed, "started", changed=False)
    fresh = checkpoint.take(host, timeout)
    if not check:
        try:
            _arm(host, fresh)
        except HostError as error:
            with contextlib.suppress(HostError):
                timer.forget(host)
            raise error.followed_by("Nothing was changed.") from error
    actions = (
        f"keep {len(fresh.files)} files in {host.platform.checkpoint_file}",
        f"start {timer.TIMER}, which rolls back after {timeout} s",
    )
    return Answer(changed=True, checkpoint=result_of(fresh, "started"), actions=actions)


def _arm(host: Host, kept: Checkpoint) -> None:
    checkpoint.save(host.files, kept)
    timer.arm(host, kept.timeout, program(rollback_main))
    forget_rollback(host.files)


def _confirm(host: Host, *, check: bool) -> Answer:
    last = last_rollback(host.files)
    if last is not None:
        late = f"the changes were rolled back at {last.time}: {last}"
        if not check:
            advice = "Start a new checkpoint with state started, and apply the changes again."
            raise HostError("confirm the changes", late, advice)
        # In check mode a task before this one would have begun a checkpoint.
        return Answer(changed=False, checkpoint={"state": "confirmed"}, warnings=(late,))
    kept = checkpoint.load(host.files)
    answer = Answer(changed=False, checkpoint={"state": "confirmed"})
    if kept is not None:
        answer = _compared(host, kept, "confirmed", changed=True)
    elif timer.traces(host):
        # An interrupted run left these files.
        answer = replace(answer, changed=True, actions=_forget(host.platform))
    if not check:
        timer.forget(host)
    return answer


def _forget(platform: Platform) -> tuple[str, ...]:
    return f"stop {timer.TIMER}", f"remove {platform.checkpoint_dir}"


def _roll_back(host: Host, *, check: bool) -> Answer:
    kept = checkpoint.load(host.files)
    if kept is None:
        last = last_rollback(host.files)
        told = (f"{last.time}: {last}",) if last is not None else ()
        return Answer(changed=False, checkpoint={"state": "rolled_back"}, warnings=told)
    differs = checkpoint.differs(host, kept)
    mtus = [
        f"set the MTU of {device} to {kept.mtus[device]}"
        for device in checkpoint.other_mtus(host, kept)
    ]
    by_hand = Plan(
        (), restore.differences(checkpoint.ours(host.files), kept.files, host.platform), (_ANY,)
    )
    if check:
        plan, notes = _predicted(host, kept)
    else:
        plan, outcome = roll_back(host, kept, REQUESTED)
        if checkpoint.exists(host.files):
            raise HostError("roll back", str(outcome), "The checkpoint stays. Run the task again.")
        notes = tuple(outcome.errors)
    return Answer(
        changed=True,
        checkpoint=result_of(kept, "rolled_back"),
        differs=differs,
        actions=(
            *(plan.actions if plan is not None else (_BY_HAND,)),
            *mtus,
            *_forget(host.platform),
        ),
        plan=plan if plan is not None else by_hand,
        warnings=notes,
    )


_ANY = Impact("*", "ike", "the files are restored, and the daemon loads all of them again")
_BY_HAND = "restore the files, and make each program load them"


def _predicted(host: Host, kept: Checkpoint) -> tuple[Plan | None, tuple[str, ...]]:
    try:
        plan = plan_rollback(host, kept)
        try_out(host, plan)
    except TunnelwrightError as error:
        return None, (str(error),)
    return plan, ()


def _compared(host: Host, kept: Checkpoint, state: str, *, changed: bool) -> Answer:
    """Return the checkpoint with the later changes. Only a confirmation is shown as an action."""
    return Answer(
        changed=changed,
        checkpoint=result_of(kept, state),
        differs=checkpoint.differs(host, kept),
        actions=_forget(host.platform) if changed else (),
        plan=Plan(differences=checkpoint.differences(host, kept)),
    )


def result_of(kept: Checkpoint, state: str) -> dict[str, t.Any]:
    return {"state": state, "timeout": kept.timeout, "since": kept.since}
