# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""A table of options and the strongSwan keys that they become: its rows, written and read.

The rows are in ``phase1``, ``phase2`` and ``daemon``. ``write`` makes sections of swanctl.conf and
strongswan.conf from them, ``read`` makes options from such sections. docs/fields.md derives from
them too.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..._errors import ModelError, alternatives
from ..._model.child import ChildSa
from ..._model.connection import IkeConnection
from ..._model.proposal import Proposal, Use
from ..._model.settings import IpsecSettings
from ..strongswan.section import Section, Value

# Words that strongSwan reads as yes and no (settings.c, vici_config.c).
YES = ("yes", "true", "enabled", "1")
NO = ("no", "false", "disabled", "0")

# Options by their full names, such as ``ipsec_phase1.mobike``, with the values of model fields.
# Times are in seconds.
Options = dict[str, t.Any]


class Phase1(t.NamedTuple):
    """The objects that a section ``connections.<phase 1>`` is written from."""

    connection: IkeConnection
    settings: IpsecSettings


class Phase2(t.NamedTuple):
    """The objects that a section ``connections.<phase 1>.children.<phase 2>`` is written from."""

    child: ChildSa
    connection: IkeConnection
    settings: IpsecSettings


class Sections(t.NamedTuple):
    """The section of a connection, and of one of its children, which is empty for a phase 1."""

    connection: Section
    child: Section


_Model = t.TypeVar("_Model")


@dataclass(frozen=True)
class Setting(t.Generic[_Model]):
    """A row: a key of strongSwan, and the option that decides it.

    ``key`` is a path within the section, such as ``local.id``. The key is written where ``when`` is
    true. ``from_text`` returns options, and none where the text leaves the option open. It raises
    ModelError for a text that no value of the option becomes. ``texts`` are the values of an option
    that has few, and the text of each. ``also`` are the other options that the key depends on.
    """

    option: str
    key: str
    to_text: t.Callable[[_Model], Value]
    from_text: t.Callable[[Value, Sections], Options]
    when: t.Callable[[_Model], bool] = lambda _model: True
    texts: t.Mapping[t.Any, str] = field(default_factory=dict)
    also: tuple[str, ...] = ()


def write(table: t.Iterable[Setting[_Model]], model: _Model) -> dict[str, Value]:
    """Return the section that ``table`` makes of ``model``, with its keys in their order."""
    section: dict[str, Value] = {}
    for row in table:
        if row.when(model):
            outer, _dot, key = row.key.rpartition(".")
            inner = t.cast("dict[str, Value]", section.setdefault(outer, {}) if outer else section)
            inner[key] = row.to_text(model)
    return section


def read(table: t.Iterable[Setting[t.Any]], sections: Sections, section: Section) -> Options:
    """Return the options that ``section``, one of ``sections``, was written from.

    Raises ModelError for a text that no value of its option becomes. Keys outside ``table`` are
    not looked at.
    """
    options: Options = {}
    for row in table:
        text = value_at(section, row.key)
        if text is not None:
            options.update(row.from_text(text, sections))
    return options


def value_at(section: Section, path: str) -> Value | None:
    """Return the value of a key such as ``local.id``, or None where there is none."""
    value: Value | None = section
    for key in path.split("."):
        value = value.get(key) if isinstance(value, t.Mapping) else None
    return value


def items(value: Value | None) -> tuple[str, ...]:
    """Return the elements of a list, which may be written as one text."""
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(str(item) for item in value)


# Rows of options that have few values.


def choice(
    option: str,
    key: str,
    texts: t.Mapping[str, str],
    value: t.Callable[[_Model], str],
    when: t.Callable[[_Model], bool] = lambda _model: True,
    also: tuple[str, ...] = (),
) -> Setting[_Model]:
    """Return the row of an option that has few values, each with its text."""
    meanings = {text: item for item, text in texts.items()}

    def from_text(text: Value, _sections: Sections) -> Options:
        return {option: meaning(option, text, meanings)}

    return Setting(option, key, lambda model: texts[value(model)], from_text, when, texts, also)


def switch(option: str, key: str, value: t.Callable[[_Model], bool]) -> Setting[_Model]:
    """Return the row of a Boolean option."""
    texts = {False: "no", True: "yes"}
    return Setting(
        option,
        key,
        lambda model: texts[value(model)],
        lambda text, _sections: {option: is_yes(option, text)},
        texts=texts,
    )


def meaning(option: str, text: Value, meanings: t.Mapping[str, str]) -> str:
    """Return the value of an option that ``text`` stands for. Raises ModelError."""
    word = str(text).lower()
    if word not in meanings:
        raise unreadable(option, text, f"Use {alternatives([*meanings])}.")
    return meanings[word]


def is_yes(option: str, text: Value) -> bool:
    """Return the value of a switch. Raises ModelError."""
    word = str(text).lower()
    if word not in (*YES, *NO):
        raise unreadable(option, text, f"Use {alternatives([*YES, *NO])}.")
    return word in YES


def number(option: str, text: Value) -> int:
    """Return a number or a time, in seconds. Raises ModelError."""
    factors = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    word = str(text)
    digits, factor = (word[:-1], factors[word[-1]]) if word[-1:] in factors else (word, 1)
    # strongSwan reads a leading zero as octal.
    if not (digits.isascii() and digits.isdigit()) or (digits[0] == "0" and digits != "0"):
        raise unreadable(option, text, "Use a whole number, or a time such as 3600, 60m or 1h.")
    return int(digits) * factor


def unreadable(option: str, text: object, fix: str) -> ModelError:
    """Return the error for a text that no value of the option becomes."""
    return ModelError(option, text, "can't be expressed by this option", fix)


def as_written(option: str) -> t.Callable[[Value, Sections], Options]:
    """Return a reader of texts that are the value of the option."""
    return lambda text, _sections: {option: str(text)}


def unread(_text: Value, _sections: Sections) -> Options:
    """Return no option, for a text that says nothing about its option."""
    return {}


def proposals(option: str, use: Use) -> t.Callable[[Value, Sections], Options]:
    """Return a reader of proposals for ``use``."""

    def from_text(text: Value, _sections: Sections) -> Options:
        found = {option: tuple(Proposal.parse(keyword, use) for keyword in items(text))}
        return found if use is Use.IKE else {**found, "ipsec_phase2.protocol": use.name.lower()}

    return from_text


def keywords(proposals: t.Iterable[Proposal]) -> tuple[str, ...]:
    """Return the proposals as strongSwan writes them."""
    return tuple(item.keyword() for item in proposals)
