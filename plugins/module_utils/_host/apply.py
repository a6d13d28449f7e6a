# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Carry out a plan: each step in turn, and on a failure all of them back."""

from __future__ import annotations

import contextlib
import typing as t

from .._errors import HostError
from .._plan import network_steps, steps
from .._plan.children import with_parked_children
from .._plan.observed import NOTHING, Unfinished
from .._plan.ownership import SecureDirectory
from .._plan.plan import Plan
from .command import last_words
from .host import Daemon, Host
from .run.unfinished_run import unfinished
from .tunnels.hand_over import hand_over, swap_back

# The MTU of an interface that depends on no other interface, in Linux.
STANDARD_MTU = 1500


def apply(host: Host, plan: Plan, settled: Unfinished = NOTHING) -> list[str]:
    """Apply the plan and return warnings. ``settled`` are the entries of the note to remove.

    Raises HostError after the previous steps were undone. The error names this.
    """
    # An interrupted run may have left these.
    host.files.clean()
    host.unfinished_run.clean()
    notes = _applied(host, plan) if plan else []
    host.unfinished_run.end(settled)
    return notes


def _applied(host: Host, plan: Plan) -> list[str]:
    host.nft.forget()
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
    for step in plan.steps:
        host.alive()
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


def _daemon(host: Host, step: steps.DaemonStep) -> Daemon:
    return host.daemon(step.daemon)


def _load_connection(host: Host, step: steps.LoadConnection) -> None:
    _daemon(host, step).vici.load_conn(step.name, step.section)


def _swap_in(host: Host, step: steps.SwapIn) -> None:
    _daemon(host, step).vici.load_conn(step.name, step.section)
    _note(host, step)


def _note(host: Host, step: steps.SwapIn | steps.SwapBack) -> None:
    if step.in_force is not None:
        pid = _daemon(host, step).vici.pid
        host.pending.put(pid, step.name, step.in_force.unlike(step.section))


def _park_children(host: Host, step: steps.ParkChildren) -> None:
    host.pending.put(_daemon(host, step).vici.pid, step.name, step.in_force)
    _daemon(host, step).vici.load_conn(step.name, with_parked_children(step.section))


def _swap_back(host: Host, step: steps.SwapBack) -> None:
    swap_back(_daemon(host, step).vici, step)
    _note(host, step)


def _unload_connection(host: Host, step: steps.UnloadConnection) -> None:
    _daemon(host, step).vici.unload_conn(step.name)


def _load_secret(host: Host, step: steps.LoadSecret) -> None:
    shared = step.shared
    if step.before is not None:
        for name, ikes in step.ikes.items():
            host.pending.put_key(_daemon(host, step).vici.pid, name, ikes, step.before.secret)
    vici = _daemon(host, step).vici
    vici.load_shared(shared.id, shared.owners, shared.secret.reveal(), kind=shared.kind)


def _unload_secret(host: Host, step: steps.UnloadSecret) -> None:
    _daemon(host, step).vici.unload_shared(step.id)


def _load_key(host: Host, step: steps.LoadKey) -> None:
    _daemon(host, step).vici.load_key(step.file.data)


def _unload_key(host: Host, step: steps.UnloadKey) -> None:
    # Loading is the way to learn the id of a key; it changes nothing where the key is known.
    key = _daemon(host, step).vici.load_key(step.file.data)
    others = (
        host.files.look(path)
        for path in host.files.find(f"{host.platform.key_dir}/*")
        if path != step.file.path
    )
    if not any(other is not None and other.data == step.file.data for other in others):
        _daemon(host, step).vici.unload_key(key)


def _terminate(host: Host, step: steps.TerminateConnection) -> None:
    _daemon(host, step).vici.terminate_ike(step.name)


def _terminate_child(host: Host, step: steps.TerminateChild) -> None:
    _daemon(host, step).vici.terminate_child(step.connection, step.child)


def _initiate(host: Host, step: steps.Initiate) -> None:
    _daemon(host, step).vici.initiate(step.connection, step.child)


def _hand_over(host: Host, step: steps.HandOver) -> str | None:
    return hand_over(_daemon(host, step).vici, step)


def _install(host: Host, step: steps.InstallTrap) -> str | None:
    try:
        _daemon(host, step).vici.install(step.connection, step.child)
    except HostError as error:
        # There may be no route to the peer. Nothing is worse than it was.
        return str(error)
    return None


def _uninstall(host: Host, step: steps.UninstallTrap) -> None:
    _daemon(host, step).vici.uninstall(step.connection, step.child)


def _reload_settings(host: Host, step: steps.ReloadSettings) -> None:
    _daemon(host, step).vici.reload_settings()


def _restart(host: Host, step: steps.RestartDaemon) -> None:
    _daemon(host, step).restart()


def _run_script(host: Host, step: network_steps.RunScript) -> None:
    _call_script(host, step, step.path, step.verb)


def _call_script(host: Host, step: steps.Step, path: str, verb: str) -> None:
    if host.files.look(path) is None:
        # Taken back to where the network was not there.
        return
    status, output, errors = host.run(["/bin/sh", path, verb], "")
    if status != 0:
        raise HostError(str(step), last_words(errors or output, status))


def _load_rules(host: Host, step: network_steps.LoadRules) -> None:
    _call_script(host, step, step.path, "rules")


def _withdraw_rules(host: Host, step: network_steps.WithdrawRules) -> None:
    _call_script(host, step, step.path, "stop")


def _add_blocks(host: Host, step: network_steps.AddBlocks) -> None:
    host.blocks.add(step.blocks)


def _delete_blocks(host: Host, step: network_steps.DeleteBlocks) -> None:
    host.blocks.delete(step.blocks, step.kept)


def _delete_link(host: Host, step: network_steps.DeleteLink) -> None:
    # The interface may be gone already, because the planner does not observe a former interface.
    if host.link.get(step.device) is not None:
        host.link.delete(step.device)


def _reset_mtu(host: Host, step: network_steps.ResetMtu) -> None:
    link = host.link.get(step.device)
    if link is not None:
        parent = host.link.get(link.parent) if link.parent else None
        host.link.set_mtu(step.device, parent.mtu if parent else STANDARD_MTU)


def _delete_address(host: Host, step: network_steps.DeleteAddress) -> None:
    link = host.link.get(step.device)
    if link is not None and step.address in link.addresses:
        host.link.delete_address(step.device, step.address)


def _add_route(host: Host, step: network_steps.AddRoute) -> None:
    # Gone with its interface, it comes back with it.
    if host.link.get(step.route.device) is not None:
        host.link.add_route(step.route)


def _delete_route(host: Host, step: network_steps.DeleteRoute) -> None:
    if any(step.route.destination == route.destination for route in host.link.routes()):
        host.link.delete_route(step.route)


def _reload_units(host: Host, _step: network_steps.ReloadUnits) -> None:
    host.systemd.daemon_reload()


def _switch_unit(host: Host, step: network_steps.SwitchUnit) -> None:
    getattr(host.systemd, step.verb)(step.unit)


_EFFECTS: dict[type[steps.Step], t.Callable[[Host, t.Any], str | None]] = {
    steps.WriteFile: _write,
    steps.RemoveFile: _remove,
    SecureDirectory: _secure,
    steps.LoadConnection: _load_connection,
    steps.ParkChildren: _park_children,
    steps.SwapIn: _swap_in,
    steps.SwapBack: _swap_back,
    steps.UnloadConnection: _unload_connection,
    steps.LoadSecret: _load_secret,
    steps.UnloadSecret: _unload_secret,
    steps.LoadKey: _load_key,
    steps.UnloadKey: _unload_key,
    steps.TerminateConnection: _terminate,
    steps.TerminateChild: _terminate_child,
    steps.Initiate: _initiate,
    steps.HandOver: _hand_over,
    steps.InstallTrap: _install,
    steps.UninstallTrap: _uninstall,
    steps.ReloadSettings: _reload_settings,
    steps.RestartDaemon: _restart,
    network_steps.RunScript: _run_script,
    network_steps.LoadRules: _load_rules,
    network_steps.WithdrawRules: _withdraw_rules,
    network_steps.AddBlocks: _add_blocks,
    network_steps.DeleteBlocks: _delete_blocks,
    network_steps.DeleteLink: _delete_link,
    network_steps.ResetMtu: _reset_mtu,
    network_steps.DeleteAddress: _delete_address,
    network_steps.AddRoute: _add_route,
    network_steps.DeleteRoute: _delete_route,
    network_steps.ReloadUnits: _reload_units,
    network_steps.SwitchUnit: _switch_unit,
}
