# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.rollback import rollback
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.strongswan_conf import (
    LIBIPSEC,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.machine import Machine
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.memory_host import (
    MemoryHost,
)


@pytest.fixture(name="machine")
def _machine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Machine:
    host = MemoryHost(tmp_path / "root")
    host.install(LIBIPSEC)
    machine = Machine(host, capsys, monkeypatch)
    # Only the rollback gets this object, because AnsibleModule uses the module syslog too.
    journal = SimpleNamespace(
        LOG_WARNING=4,
        openlog=lambda _name: None,
        syslog=lambda _level, text: machine.journal.append(text),
    )
    monkeypatch.setattr(rollback, "syslog", journal)
    return machine
