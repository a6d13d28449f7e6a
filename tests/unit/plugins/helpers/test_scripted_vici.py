# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Laws of the scripted daemon: a deviation from the script fails the test."""

from __future__ import annotations

import contextlib
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.scripted_vici import (
    OK,
    ScriptedVici,
)
from vici import Session


def talk(script: ScriptedVici, *requests: tuple[str, dict[str, t.Any]]) -> None:
    """Send requests with the library. The script closes the socket at an unexpected request."""
    with script, contextlib.closing(script.connect()) as sock, contextlib.suppress(OSError):
        for command, message in requests:
            Session(sock).request(command, message)


@pytest.fixture(name="script")
def _script() -> ScriptedVici:
    script = ScriptedVici()
    script.expect("unload-conn", {"name": "a"}, reply=OK)
    script.expect("unload-conn", {"name": "b"}, reply=OK)
    return script


def test_kept_to(script: ScriptedVici) -> None:
    talk(script, ("unload-conn", {"name": "a"}), ("unload-conn", {"name": "b"}))


def test_leftover(script: ScriptedVici) -> None:
    with pytest.raises(AssertionError, match=r"not requested: \['unload-conn'\]"):
        talk(script, ("unload-conn", {"name": "a"}))


def test_one_too_many(script: ScriptedVici) -> None:
    both = ("unload-conn", {"name": "a"}), ("unload-conn", {"name": "b"})
    with pytest.raises(AssertionError, match="nothing was expected: version"):
        talk(script, *both, ("version", {}))


@pytest.mark.parametrize(
    "request_", [("unload-conn", {"name": "b"}), ("version", {"name": "a"}), ("unload-conn", {})]
)
def test_another(script: ScriptedVici, request_: tuple[str, dict[str, t.Any]]) -> None:
    with pytest.raises(AssertionError, match=r"requested: .*\nexpected:  unload-conn"):
        talk(script, request_)


def test_events_that_nobody_registered_for() -> None:
    script = ScriptedVici()
    script.expect("list-conns", events=("list-conn", [{"a": {}}]))
    with pytest.raises(AssertionError, match="list-conn is not registered"):
        talk(script, ("list-conns", {}))


def test_fault_wins_over_what_it_caused(script: ScriptedVici) -> None:
    fault = pytest.raises(AssertionError, match="expected:  unload-conn")
    with fault, script, contextlib.closing(script.connect()) as sock:
        Session(sock).request("version")
