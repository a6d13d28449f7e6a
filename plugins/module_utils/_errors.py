# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The errors of the collection. Each says who must act; one place turns them into ``fail_json``."""

from __future__ import annotations

# Of a value, in characters. More would bury the message, and a value may be a whole file.
LONGEST_VALUE = 200


def shown(value: object) -> str:
    """Return a value as a message shows it: on one line, 200 characters of it at most."""
    text = repr(value)
    if len(text) <= LONGEST_VALUE:
        return text
    size = f"{len(value)} characters" if isinstance(value, str) else "cut"
    return f"{text[:LONGEST_VALUE]}... ({size})"


def cut(text: str) -> str:
    """Return a text, or the first 200 characters of a longer one."""
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."


def one_line(text: str) -> str:
    """Return a text without control characters: a line break is a semicolon, the rest is escaped.

    The texts of tools and the names of files may hold any character.
    """
    lines = (" ".join(line.split("\t")).strip() for line in text.splitlines())
    joined = "; ".join(line for line in lines if line)
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in joined)


class TunnelwrightError(Exception):
    """Base of everything that a module reports as a failure."""


class ModelError(TunnelwrightError):
    """The user must change an option: a value, or a combination of values, is not legal.

    Raised before anything on the host is touched. ``option`` is the option's path as the user
    writes it (``encryption[0].hash``), ``why`` continues the sentence, ``legal`` is what would do.
    A value that is missing (None, or an empty list) is not shown.
    """

    def __init__(self, option: str, value: object, why: str, legal: str, subject: str = "") -> None:
        super().__init__(option, value, why, legal, subject)
        self.option = option
        self.value = value
        self.why = why
        self.legal = legal
        self.subject = subject

    def __str__(self) -> str:
        return one_line(f"{self.said}; legal: {self.legal}")

    @property
    def said(self) -> str:
        """What is wrong, and of which object, without what would be legal."""
        places = [cut(str(part)) for part in (self.subject, self.option) if part]
        missing = self.value is None or self.value == []
        return ": ".join([*places, self.why if missing else f"{shown(self.value)} {self.why}"])

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
        return one_line(f"{self.operation}: {self.detail}")
