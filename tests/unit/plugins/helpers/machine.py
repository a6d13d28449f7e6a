# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tasks of a playbook, with the real AnsibleModule, on a machine in memory."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible.module_utils.common import warnings
from ansible.module_utils.testing import patch_module_args
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._module import flow
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.documents import RESOURCES
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import PSK
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.memory_host import (
    MemoryHost,
)

Result = dict[str, t.Any]


class Machine:
    """``run`` is a task on it; ``host`` what became of it."""

    def __init__(
        self, host: MemoryHost, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.host = host
        self._capsys = capsys
        monkeypatch.setattr(flow, "Host", lambda _run: host)

    def run(
        self, module: str, *, check: bool = False, diff: bool = True, **options: t.Any
    ) -> Result:
        """What the module prints, in which no secret may be."""
        self.host.log.clear()
        # A process is meant to run one module; here they would pile up.
        warnings._global_warnings.clear()
        settings = {"_ansible_check_mode": check, "_ansible_diff": diff}
        with patch_module_args({**options, **settings}), pytest.raises(SystemExit):
            flow.run(RESOURCES[module])
        printed = self._capsys.readouterr().out
        assert PSK not in printed
        result = json.loads(printed)
        assert isinstance(result, dict)
        return result

    def prepare(self, *tasks: tuple[str, dict[str, t.Any]]) -> None:
        for module, options in tasks:
            assert not self.run(module, **options).get("failed")

    @property
    def changes(self) -> list[str]:
        """What was done, without the trials that leave nothing behind."""
        return [line for line in self.host.log if "tunnelwright-trial" not in line]
