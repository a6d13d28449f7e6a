# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs that answer by a script: each command must be the next expected command."""

from __future__ import annotations

import json
import typing as t


class ScriptedRun:
    """A ``Run`` that answers by a script. Unexpected and missing commands fail the test."""

    def __init__(self) -> None:
        self._script: list[tuple[str, tuple[int, str, str]]] = []
        self.stdin: list[str] = []

    def expect(self, command: str, output: t.Any = "", status: int = 0, errors: str = "") -> None:
        """Add a command to the script. An ``output`` that is not a text is printed as JSON."""
        printed = output if isinstance(output, str) else json.dumps(output)
        self._script.append((command, (status, printed, errors)))

    def __call__(self, argv: list[str], stdin: str) -> tuple[int, str, str]:
        command = " ".join(argv)
        assert self._script, f"unexpected command: {command}"
        expected, answer = self._script.pop(0)
        assert command == expected
        self.stdin.append(stdin)
        return answer

    def done(self) -> None:
        assert not self._script, f"expected command, not run: {self._script[0][0]}"
