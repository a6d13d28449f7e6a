# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole runs of the modules, with the real AnsibleModule, on a machine in memory."""

from __future__ import annotations

import json
import typing as t
from functools import partial

import pytest
from ansible.module_utils import _internal
from ansible.module_utils.common import warnings
from ansible.module_utils.testing import patch_module_args
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.rollback import (
    rollback_main,
    timer,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._module import (
    checkpoint,
    connect,
    diagnostics,
    flow,
    gateway,
    info,
    task,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.documents import RESOURCES
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import PPK, PSK
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.memory_host import (
    MemoryHost,
)

Result = dict[str, t.Any]

MAINS: dict[str, t.Callable[[], None]] = {
    "ipsec_gateway": gateway.run,
    "ipsec_checkpoint": checkpoint.run,
    "ipsec_connection": connect.run,
    "ipsec_info": info.run,
    "ipsec_diagnostics": diagnostics.run,
    **{name: partial(flow.run, resource) for name, resource in RESOURCES.items()},
}


class Machine:
    """A managed machine. ``run`` runs a task, ``host`` is its state, ``journal`` holds its log."""

    def __init__(
        self, host: MemoryHost, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.host = host
        self.journal: list[str] = []
        self._capsys = capsys
        monkeypatch.setattr(task, "Host", lambda _run: host)
        monkeypatch.setattr(rollback_main, "Host", lambda _run: host)
        # A lookup test in the same process sets is_controller, and a controller keeps warnings.
        monkeypatch.setattr(_internal, "is_controller", False)

    def run(
        self, module: str, *, check: bool = False, diff: bool = True, **options: t.Any
    ) -> Result:
        """Run a module and return its result. Check that the output contains no key."""
        self.host.log.clear()
        # Ansible expects one module per process. The warnings of earlier modules would stay.
        warnings._global_warnings.clear()
        settings = {"_ansible_check_mode": check, "_ansible_diff": diff}
        with patch_module_args({**options, **settings}), pytest.raises(SystemExit):
            MAINS[module]()
        printed = self._capsys.readouterr().out
        assert PSK not in printed
        assert PPK["ppk"] not in printed
        result = json.loads(printed)
        assert isinstance(result, dict)
        return result

    def prepare(self, *tasks: tuple[str, dict[str, t.Any]]) -> None:
        for module, options in tasks:
            done = self.run(module, **options)
            assert not done.get("failed"), done

    def time_passes(self) -> int:
        """Let the timer elapse, and return the exit status of the rollback."""
        self.host.log.clear()
        self.host.systemd.active.discard(timer.TIMER)
        return rollback_main.main(["rollback.pyz", "timeout"])

    @property
    def changes(self) -> list[str]:
        """Return the effects on the host. Trials are left out, because a trial leaves no trace."""
        return [line for line in self.host.log if "tunnelwright-trial" not in line]
