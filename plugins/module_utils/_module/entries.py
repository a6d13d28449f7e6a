# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The entries of a task: dictionaries with the options of a single module.

Ansible checks the options of a task one after the other, and names no entry. Here every entry is
checked as the single module checks its task, and every error names the place of its entry.
"""

from __future__ import annotations

import re
import typing as t

from .._errors import EntryErrors, ModelError
from .edit import Params
from .gateway_spec import IPSEC_GATEWAY
from .given import check_texts, explained
from .spec import Spec

# A user corrects these before the next errors are useful.
MOST_ERRORS = 20

Options = t.Mapping[str, t.Any]
# Returns the options with defaults and types, and the errors of ansible-core.
Validate = t.Callable[[Spec, dict[str, t.Any]], tuple[dict[str, t.Any], list[str]]]


class ErrorList:
    """The errors of the entries of a task, in the order of the entries."""

    def __init__(self) -> None:
        self._found: list[tuple[str, str]] = []

    def add(self, entry: str, error: ModelError) -> None:
        """Note an error. ``entry`` is the place and the name of the entry."""
        self._found.append((entry, str(named(error, entry))))

    def note(self, entry: str, message: str) -> None:
        """Note an error message that names no object."""
        self._found.append((entry, f"{entry}: {message}"))

    def __bool__(self) -> bool:
        return bool(self._found)

    @property
    def full(self) -> bool:
        return len(self._found) >= MOST_ERRORS

    def raise_all(self) -> None:
        """Raise EntryErrors with the first errors, if there are errors."""
        if self._found:
            texts = [text for _entry, text in sorted(self._found, key=lambda item: _order(item[0]))]
            raise EntryErrors(texts[:MOST_ERRORS], len(texts[MOST_ERRORS:]))


def _order(entry: str) -> tuple[int, list[int]]:
    """Return the order of an entry in its task: by list, then by the numbers of its place."""
    place = entry.partition(" ")[0]
    option = place.partition("[")[0]
    lists = [*IPSEC_GATEWAY.entries]
    at = lists.index(option) if option in lists else -1
    return at, [int(number) for number in re.findall(r"\[(\d+)\]", place)]


def named(error: ModelError, entry: str) -> ModelError:
    """Return the error with the entry as its object."""
    return ModelError(error.option, error.value, error.problem, error.fix, entry)


def read_entries(spec: Spec, given: Options, validate: Validate) -> dict[str, list[Params]]:
    """Return the entries of each list of a task. Raises EntryErrors with all errors."""
    errors = ErrorList()
    found = {
        name: _entries(entry_spec, given.get(name), name, validate, errors)
        for name, entry_spec in spec.entries.items()
    }
    errors.raise_all()
    return found


def _entries(
    spec: Spec, given: object, option: str, validate: Validate, errors: ErrorList
) -> list[Params]:
    found = []
    for number, item in enumerate(t.cast("t.Sequence[object]", given or ())):
        place = f"{option}[{number}]"
        if isinstance(item, t.Mapping):
            found.append(_entry(spec, item, place, validate, errors))
        else:
            errors.note(
                place, "is not a dictionary. Write a dictionary with the options of one object."
            )
    return found


def _entry(spec: Spec, given: Options, place: str, validate: Validate, errors: ErrorList) -> Params:
    options = {name: value for name, value in given.items() if value is not None}
    entry = label(place, options)
    try:
        check_texts(spec, options)
        converted, messages = validate(spec, dict(options))
    except ModelError as error:
        errors.add(entry, error)
        return Params(options, options, place)
    for message in messages:
        errors.note(entry, explained(message, spec, options))
    for name, inner in spec.entries.items():
        below = _entries(inner, options.get(name), f"{place}.{name}", validate, errors)
        converted = {**converted, name: below}
    return Params(converted, options, place)


# The options that name an object, by the list of its entry.
_NAMES = {
    "networks": ("name",),
    "settings": ("network",),
    "phase1": ("name",),
    "rules": ("network", "name"),
}


def check_once(params: Params, errors: ErrorList) -> None:
    """Note an error for each second entry of an object, because entries have no order."""
    for option, names in _NAMES.items():
        _check_once(params[option], names, errors)
    for entry in params["phase1"]:
        _check_once(entry["phase2"], ("name",), errors)


def identity(option: str, entry: Options) -> tuple[object, ...]:
    """Return the list and the name of an object, which one entry of a task alone has."""
    return (option, *(entry[name] for name in _NAMES[option]))


def _check_once(entries: t.Iterable[Params], names: tuple[str, ...], errors: ErrorList) -> None:
    seen = set()
    for entry in entries:
        key = tuple(entry[name] for name in names)
        if key in seen:
            problem = "is the name in an earlier entry"
            fix = "Describe each object in one entry."
            error = ModelError(names[-1], entry[names[-1]], problem, fix)
            errors.add(label(entry.place, entry), error)
        seen.add(key)


def label(place: str, options: Options) -> str:
    """Return ``phase1[17] site-b``: the place of an entry, and its name."""
    name = options.get("name", options.get("network"))
    return f"{place} {name}" if isinstance(name, str) and name.isprintable() else place
