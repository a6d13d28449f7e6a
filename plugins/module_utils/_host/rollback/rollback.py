# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The rollback to the checkpoint: by a plan, or by restoring its files if a plan fails.

The plan takes the smallest steps, so it does not touch an unchanged tunnel.
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
from ..._plan.planner import make_plan
from ..._plan.scope import touched
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

TIMEOUT, REQUESTED = ("timeout", "requested")


@dataclass(frozen=True)
class RollbackResult:
    """The result of a rollback, without secrets.

    ``restored`` are the former differences from the checkpoint, ``left`` the remaining ones.
    ``errors`` has a text for each ended run, for each failure, and for a missing plan.
    """

    time: str
    reason: str
    since: str
    timeout: int
    restored: list[str]
    errors: list[str]
    left: list[str]

    def __str__(self) -> str:
        why = f"the controller did not contact this host for {self.timeout} s"
        if self.reason != TIMEOUT:
            why = "it was requested"
        what = f"restored: {', '.join(self.restored) or 'nothing, because nothing differed'}"
        problems = f"; problems: {'; '.join(self.errors)}" if self.errors else ""
        lacking = f"; NOT restored: {', '.join(self.left)}" if self.left else ""
        return f"rolled back to the state of {self.since}, because {why}; {what}{problems}{lacking}"


def plan_rollback(host: Host, kept: Checkpoint) -> Plan:
    """Return the plan from the current state to the checkpoint. Raises TunnelwrightError."""
    now = checkpoint.ours(host.files)
    before = _artefacts(*_readable(now, kept, host.platform))
    there = KeptFiles(kept.files, host.platform)
    after = restore.verbatim(_artefacts(read_gateway(there), there), kept.files)
    scope = touched(before, after, restore.everything(before, after))
    observed = observe(host, before, after, scope)
    # The changed SAs must be closed, even if the peer does not accept the old values.
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
    """Return the current Gateway and its files. A kept file replaces an unreadable file."""
    files = dict(now)
    for _damaged in now:
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
) -> tuple[Plan | None, RollbackResult]:
    """Restore the kept state, and write the result to the record and the journal.

    ``notes`` become part of the result. Returns the plan, or None if there was none or it failed.
    The checkpoint is removed when its files are restored. Until then it stays for the next try.
    """
    restored = [*_restored_before(host.files, kept), *checkpoint.differs(host, kept)]
    errors = []
    plan = None
    try:
        plan = plan_rollback(host, kept)
        apply(host, plan)
        # The second plan is empty, unless one step has undone another.
        apply(host, plan_rollback(host, kept))
        for device in kept.mtus:
            restore_mtu(host, kept, device)
        left = checkpoint.differs(host, kept)
        if left:
            raise HostError("restore all files", f"these still differ: {', '.join(left)}")
    # After any failure, even a defect of the collection, the files are restored.
    except Exception as error:
        plan = None
        errors = [_telling(error), *put_back(host, kept)]
        left = checkpoint.differs(host, kept)
    outcome = RollbackResult(
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
    """Return the differences that an incomplete try of the same rollback has restored."""
    last = last_rollback(files)
    return last.restored if last is not None and last.since == kept.since else []


def _telling(error: Exception) -> str:
    """Return the text of an error, or the place of another exception.

    The text of another exception may hold anything, even a secret.
    """
    if isinstance(error, TunnelwrightError) or error.__traceback__ is None:
        return str(error)
    *_rest, frame = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} in {frame.filename}, line {frame.lineno}"


def _record(files: Files, outcome: RollbackResult) -> None:
    syslog.openlog("tunnelwright")
    syslog.syslog(syslog.LOG_WARNING, str(outcome))
    files.make_private_directory(files.platform.state_dir)
    text = json.dumps(asdict(outcome), indent=1)
    files.write(File(files.platform.rollback_record, f"{text}\n".encode(), PRIVATE))


def last_rollback(files: Files) -> RollbackResult | None:
    """Return the result of the last rollback, until the next checkpoint."""
    path = files.platform.rollback_record
    file = files.read(path)
    if file is None:
        return None
    try:
        return RollbackResult(**json.loads(file.data))
    except (ValueError, TypeError):
        why = "the file is damaged"
        raise HostError(f"read {path}", why, "Remove it and run the task again.") from None


def forget_rollback(files: Files) -> None:
    for path in files.find(files.platform.rollback_record):
        files.remove(path)
