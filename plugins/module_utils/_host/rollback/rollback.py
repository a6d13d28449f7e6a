# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Back to the checkpoint: by a plan like any other, or else by putting its files in place.

The plan takes the smallest steps, so that a tunnel that nobody has changed goes on.
"""

from __future__ import annotations

import json
import syslog
import traceback
import typing as t
from dataclasses import asdict, dataclass

from ..._errors import HostError, TunnelwrightError
from ..._model.gateway import Gateway
from ..._model.platform import Platform
from ..._plan import restore
from ..._plan.plan import Plan
from ..._plan.planner import make_plan, touched
from ..._plan.swap.decision import REESTABLISH
from ..._render.artefacts import Artefacts, artefacts
from ..._render.file import PRIVATE, File
from ..._render.records import RecordFault
from ..apply import apply
from ..files.credentials import installed_credentials
from ..files.files import Files
from ..files.read_back import read_gateway
from ..host import Host
from ..kernel.dataplane import chose_userspace
from ..observe import observe
from . import checkpoint
from .checkpoint import Checkpoint, KeptFiles
from .force_restore import put_back, restore_mtu
from .timer import forget

TIMEOUT, ASKED = ("timeout", "asked for")


@dataclass(frozen=True)
class Outcome:
    """What a rollback did, fit to be read by anybody.

    ``restored`` is what differed from the checkpoint, ``left`` what still does. ``errors`` is what
    was done about another run, why there was no plan, or what went wrong with it, and with what was
    done instead.
    """

    time: str
    reason: str
    since: str
    timeout: int
    restored: list[str]
    errors: list[str]
    left: list[str]

    def __str__(self) -> str:
        why = f"no sign of life of the controller for {self.timeout} s"
        if self.reason == ASKED:
            why = "it was asked for"
        what = f"restored: {', '.join(self.restored) or 'nothing, since nothing differed'}"
        troubles = f"; on the way: {'; '.join(self.errors)}" if self.errors else ""
        lacking = f"; NOT restored: {', '.join(self.left)}" if self.left else ""
        return f"rolled back to the state of {self.since}, because {why}; {what}{troubles}{lacking}"


def plan_rollback(host: Host, kept: Checkpoint) -> Plan:
    """The plan from now to the checkpoint. Raises any error of the collection."""
    now = checkpoint.ours(host.files)
    before = _artefacts(*_readable(now, kept, host.platform))
    there = KeptFiles(kept.files, host.platform)
    after = restore.verbatim(_artefacts(read_gateway(there), there), kept.files)
    scope = touched(before, after, restore.everything(before, after))
    observed = observe(host, before, after, scope)
    # What was changed must be gone for certain, whether the peer takes up the old values or not.
    plan = make_plan(before, after, observed, scope, REESTABLISH)
    return plan + restore.leftovers(plan, now, kept.files, host.platform)


def _artefacts(gateway: Gateway, files: Files) -> Artefacts:
    return artefacts(
        gateway,
        files.platform,
        userspace=chose_userspace(files),
        credentials=installed_credentials(files, gateway),
    )


def _readable(
    now: t.Mapping[str, File], kept: Checkpoint, platform: Platform
) -> tuple[Gateway, Files]:
    """The Gateway of now; a file that can't be read is taken to be as it was kept."""
    files = dict(now)
    for _spoilt in now:
        try:
            readable = KeptFiles(files, platform)
            return read_gateway(readable), readable
        except RecordFault as fault:
            files.pop(fault.path, None)
            if fault.path in kept.files and now.get(fault.path) != kept.files[fault.path]:
                files[fault.path] = kept.files[fault.path]
    readable = KeptFiles(files, platform)
    return read_gateway(readable), readable


def roll_back(
    host: Host,
    kept: Checkpoint,
    reason: str,
    *,
    notes: t.Sequence[str] = (),
    from_within: bool = False,
) -> tuple[Plan | None, Outcome]:
    """Restore what was kept, and say so in the record and in the journal, with the ``notes``.

    Returns the plan too, unless there was none or it failed.

    The checkpoint is given up once its files are in place; until then it stays, to try again.
    """
    restored = [*_restored_before(host.files, kept), *checkpoint.differs(host, kept)]
    errors = []
    plan = None
    try:
        plan = plan_rollback(host, kept)
        apply(host, plan)
        # Nothing, unless one step has undone another.
        apply(host, plan_rollback(host, kept))
        for device in kept.mtus:
            restore_mtu(host, kept, device)
        left = checkpoint.differs(host, kept)
        if left:
            raise HostError("restore all files", f"these still differ: {', '.join(left)}")
    # Whatever it is, a defect of ours included: the files go back.
    except Exception as error:
        plan = None
        errors = [_telling(error), *put_back(host, kept)]
        left = checkpoint.differs(host, kept)
    outcome = Outcome(
        checkpoint.moment(),
        reason,
        kept.since,
        kept.timeout,
        list(dict.fromkeys(restored)),
        [*notes, *errors],
        left,
    )
    _record(host.files, outcome)
    if not checkpoint.differences(host, kept):
        forget(host, from_within=from_within)
    return plan, outcome


def _restored_before(files: Files, kept: Checkpoint) -> list[str]:
    """By an attempt at the same rollback that could not do all of it."""
    last = last_rollback(files)
    return last.restored if last is not None and last.since == kept.since else []


def _telling(error: Exception) -> str:
    """Of what no error of ours is: where it comes from, since its text may hold anything."""
    if isinstance(error, TunnelwrightError) or error.__traceback__ is None:
        return str(error)
    *_rest, frame = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} in {frame.filename}, line {frame.lineno}"


def _record(files: Files, outcome: Outcome) -> None:
    syslog.openlog("tunnelwright")
    syslog.syslog(syslog.LOG_WARNING, str(outcome))
    files.make_private_directory(files.platform.state_dir)
    text = json.dumps(asdict(outcome), indent=1)
    files.write(File(files.platform.rollback_record, f"{text}\n".encode(), PRIVATE))


def last_rollback(files: Files) -> Outcome | None:
    """The record of it, until the next checkpoint."""
    path = files.platform.rollback_record
    file = files.read(path)
    if file is None:
        return None
    try:
        return Outcome(**json.loads(file.data))
    except (ValueError, TypeError):
        why = "the file is damaged"
        raise HostError(f"read {path}", why, "Remove it and run the task again.") from None


def forget_rollback(files: Files) -> None:
    for path in files.find(files.platform.rollback_record):
        files.remove(path)
