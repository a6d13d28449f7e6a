# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The errors of the collection. Each says who must act; one place turns them into ``fail_json``."""

from __future__ import annotations

from collections.abc import Sequence

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


def sentence(text: str) -> str:
    """Return a text with a full stop at its end, unless it ends a sentence already."""
    text = text.rstrip()
    return text if text.endswith((".", "?", "!")) or not text else f"{text}."


def alternatives(items: Sequence[str]) -> str:
    """Return ``a, b or c``."""
    return " or ".join([*filter(None, [", ".join(items[:-1])]), *items[-1:]])


class TunnelwrightError(Exception):
    """Base of everything that a module reports as a failure."""


class ModelError(TunnelwrightError):
    """The user must change an option: a value, or a combination of values, is refused.

    Raised before anything on the host is touched. It reads
    ``<object>: <option> <value>: <problem>. <fix>``.

    - ``option`` is the path of the option as the user writes it (``encryption[0].hash``).
    - ``value`` is not shown when it is missing (None, or an empty list).
    - ``problem`` is a clause without subject ("stands for any address"), or a sentence; without a
      full stop.
    - ``fix`` is one imperative sentence, or several, with a capital and a full stop. It names the
      options as users write them.
    - ``subject`` is the object: ``phase 1 site-b``.
    """

    def __init__(
        self, option: str, value: object, problem: str, fix: str, subject: str = ""
    ) -> None:
        super().__init__(option, value, problem, fix, subject)
        self.option = option
        self.value = value
        self.problem = problem
        self.fix = fix
        self.subject = subject

    def __str__(self) -> str:
        return one_line(f"{self.fault} {self.fix}")

    @property
    def fault(self) -> str:
        """Return object, option, value and problem as one sentence, without the fix."""
        missing = self.value is None or self.value == []
        words = [cut(self.option), "" if missing else shown(self.value)]
        places = [cut(self.subject), " ".join(word for word in words if word)]
        return sentence(": ".join([*(place for place in places if place), self.problem]))

    def at(self, prefix: str) -> ModelError:
        """Return the error as seen from outside: ``hash`` becomes ``encryption[0].hash``."""
        path = f"{prefix}.{self.option}" if self.option else prefix
        return ModelError(path, self.value, self.problem, self.fix, self.subject)

    def within(self, subject: str) -> ModelError:
        """Return the error with the object that it belongs to (``phase 1 site-b``)."""
        subject = self.subject or subject
        return ModelError(self.option, self.value, self.problem, self.fix, subject)


class EntryErrors(TunnelwrightError):
    """The user must change several entries of one task. Each error begins with its entry.

    It reads as its only error, or as a line with their number and then one error in a line.
    """

    def __init__(self, errors: Sequence[str], more: int = 0) -> None:
        super().__init__(errors, more)
        self.errors = tuple(errors)
        self.more = more

    def __str__(self) -> str:
        if len(self.errors) == 1 and not self.more:
            return self.errors[0]
        more = "more than " if self.more else ""
        head = f"{more}{len(self.errors)} entries are refused. Nothing was changed."
        return "\n".join([head, *self.errors])


class SyntaxFault(TunnelwrightError):
    """The author of a configuration text must correct it. ``line`` counts from 1.

    It reads ``line 3: <why>``, without a full stop, because it stands within other errors.
    """

    def __init__(self, line: int, why: str) -> None:
        super().__init__(line, why)
        self.line = line
        self.why = why

    def __str__(self) -> str:
        return f"line {self.line}: {self.why}"


class HostError(TunnelwrightError):
    """The host refused or lacks something: the operator must look at the host.

    It reads ``could not <operation>: <detail>. <advice>``. No part of it holds a secret.

    - ``operation`` is an infinitive: ``load connection site-b``.
    - ``detail`` is the answer of the host, or the reason.
    - ``advice`` is empty, or whole sentences: the state of the host, and what the operator can do.
    """

    def __init__(self, operation: str, detail: str, advice: str = "") -> None:
        super().__init__(operation, detail, advice)
        self.operation = operation
        self.detail = detail
        self.advice = advice

    def __str__(self) -> str:
        return one_line(f"could not {self.operation}: {sentence(self.detail)} {self.advice}")

    def followed_by(self, text: str) -> HostError:
        """Return the error with one more sentence at its end."""
        advice = f"{self.advice} {sentence(text)}".strip()
        return HostError(self.operation, self.detail, advice)


class Unsupported(HostError):
    """The host lacks what one object needs. Other objects may lack something else."""
