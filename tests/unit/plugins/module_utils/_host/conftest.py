# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.vici.client import Vici
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.scripted_run import (
    ScriptedRun,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.scripted_vici import (
    ScriptedVici,
)


@pytest.fixture(name="charon")
def _charon() -> t.Iterator[ScriptedVici]:
    with ScriptedVici() as charon:
        yield charon


@pytest.fixture(name="vici")
def _vici(charon: ScriptedVici) -> t.Iterator[Vici]:
    # The timeout is long enough for a busy machine. Only tests of a hanging daemon wait so long.
    with Vici(charon.connect, timeout=20) as vici:
        yield vici


@pytest.fixture(name="run")
def _run() -> t.Iterator[ScriptedRun]:
    run = ScriptedRun()
    yield run
    run.done()
