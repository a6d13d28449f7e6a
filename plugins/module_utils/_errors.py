# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The errors of the collection. Each says who must act; one place turns them into ``fail_json``."""

from __future__ import annotations


class TunnelwrightError(Exception):
    """Base of everything that a module reports as a failure."""


class ModelError(TunnelwrightError):
    """The user must change an option: a value, or a combination of values, is not legal.

    Raised before anything on the host is touched. ``option`` is the option's path as the user
    writes it (``encryption[0].hash``), ``why`` goes on the sentence, ``legal`` is what would do.
    """

    def __init__(self, option: str, value: object, why: str, legal: str, subject: str = "") -> None:
        super().__init__(option, value, why, legal, subject)
        self.option = option
        self.value = value
        self.why = why
        self.legal = legal
        self.subject = subject

    def __str__(self) -> str:
        where = "".join(f"{part}: " for part in (self.subject, self.option) if part)
        # Of an option that was left out there is no value to show.
        value = "" if self.value is None else f"{self.value!r} "
        return f"{where}{value}{self.why}; legal: {self.legal}"

    def at(self, prefix: str) -> ModelError:
        """The same error seen from outside: ``hash`` becomes ``encryption[0].hash``."""
        path = f"{prefix}.{self.option}" if self.option else prefix
        return ModelError(path, self.value, self.why, self.legal, self.subject)

    def within(self, subject: str) -> ModelError:
        """The same error with the object it belongs to named (``phase 1 site-b``)."""
        return ModelError(self.option, self.value, self.why, self.legal, self.subject or subject)


class SyntaxFault(TunnelwrightError):
    """The author of a configuration text must correct it. ``line`` counts from 1."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(line, why)
        self.line = line
        self.why = why

    def __str__(self) -> str:
        return f"line {self.line}: {self.why}"


class HostError(TunnelwrightError):
    """The host refused or lacks something: the operator must look at the host.

    ``operation`` is what was tried, ``detail`` what the host answered; neither holds a secret.
    """

    def __init__(self, operation: str, detail: str) -> None:
        super().__init__(operation, detail)
        self.operation = operation
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.operation}: {self.detail}"
