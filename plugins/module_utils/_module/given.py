# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Options as the task gives them, before Ansible converts them to texts.

YAML converts values without quotes: 0123 is the number 83, 1:30 is 90, ``on`` is true. Ansible
writes such a value as a different text. A key, an identity or an address must not change, so a text
option requires a text. A number is accepted for ports.
"""

from __future__ import annotations

import datetime
import difflib
import re
import typing as t

from .._errors import LONGEST_VALUE, ModelError, one_line, shown
from .._model.secret import MASK
from .spec import ArgumentSpec, Spec

_KINDS = (
    (bool, "a boolean"),
    ((int, float), "a number"),
    ((list, tuple), "a list"),
    (dict, "a dictionary"),
    (str, "a text"),
    (type(None), "null"),
    (datetime.date, "a date"),
)
_INFINITE = re.compile(r"\s*[+-]?inf(inity)?\s*", re.IGNORECASE)
_ALGORITHMS = (
    "Write a dictionary such as {algorithm: aes, key_length: 256, hash: sha256, dh_group: 14}."
)
# How Ansible begins to say that something is none.
_NO_DICTIONARY = ("dictionary requested", "unable to evaluate string", "Elements value", "Value '")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?([+-]\d\d:\d\d(:\d\d)?)?")
_QUOTES = "Put it in quotes, or apply the filter `string` to it in a template."


def check_texts(spec: Spec, task: t.Mapping[str, t.Any]) -> None:
    """Raise ModelError, with object and option, for a value that is not a text."""
    subject = subject_of(spec, task)
    for place, kind, item in _each(spec.argument_spec, task):
        number = place.partition("[")[0] in spec.numbers and _is_number(item)
        if _is_text(kind) and not number:
            check_text(place, item, subject, secret=bool(kind.get("no_log")))


def check_text(option: str, value: object, subject: str, *, secret: bool = False) -> None:
    """Raise ModelError for a value that is not a text."""
    printed = MASK if secret else value
    if not isinstance(value, str):
        raise ModelError(option, printed, f"is {_kind(value)}, not a text", _QUOTES, subject)
    if _TIME.fullmatch(value):
        # Ansible passes the time 2001-01-01 1:02:03 as this text.
        problem = "is the form in which Ansible passes a time that YAML has without quotes"
        fix = "Write the text in quotes, without the T."
        raise ModelError(option, printed, problem, fix, subject)


def check_numbers(spec: Spec, task: t.Mapping[str, t.Any]) -> None:
    """Raise ModelError for an infinite number, which makes ansible-core fail."""
    for place, kind, item in _each(spec.argument_spec, task):
        if kind["type"] == "int" and _INFINITE.fullmatch(str(item)):
            problem, fix = "is an infinite number", "Use a whole number."
            raise ModelError(place, item, problem, fix, subject_of(spec, task))


def subject_of(spec: Spec, task: t.Mapping[str, t.Any]) -> str:
    """Return the name of the object of a task for an error, as far as the task gives it."""
    return spec.subject.format(**{name: task.get(name, "?") for name in spec.argument_spec})


def _each(
    options: t.Mapping[str, t.Any], given: t.Mapping[str, t.Any], within: str = ""
) -> t.Iterator[tuple[str, t.Mapping[str, t.Any], object]]:
    """Yield place, kind and value of every given option, also in lists and suboptions.

    A single entry may replace a list.
    """
    for option, kind in options.items():
        value = given.get(option)
        if value is None:
            continue
        is_list = kind["type"] == "list" and isinstance(value, (list, tuple))
        for index, item in enumerate(value if is_list else [value]):
            place = f"{within}{option}[{index}]" if is_list else f"{within}{option}"
            yield place, kind, item
            if isinstance(item, t.Mapping):
                yield from _each(kind.get("options", {}), item, f"{place}.")


def _is_text(kind: t.Mapping[str, t.Any]) -> bool:
    """Return whether any text is accepted. An option with choices accepts YAML booleans too."""
    wanted = kind.get("elements") if kind["type"] == "list" else kind["type"]
    return wanted in ("str", "path") and "choices" not in kind


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _kind(value: object) -> str:
    return next((name for kind, name in _KINDS if isinstance(value, kind)), type(value).__name__)


def secrets_in(spec: Spec, task: t.Mapping[str, t.Any]) -> set[str]:
    """Return every text in the secret options of a task and of its entries."""
    hidden = [name for name, kind in spec.argument_spec.items() if kind.get("no_log")]
    found = {text for name in hidden for text in _texts(task.get(name)) if text}
    for name, entry_spec in spec.entries.items():
        entries = task.get(name)
        for entry in entries if isinstance(entries, (list, tuple)) else ():
            if isinstance(entry, t.Mapping):
                found |= secrets_in(entry_spec, entry)
    return found


def nearest(name: str, names: t.Iterable[str], likeness: float = 0.8) -> str:
    """Return the known name that the user probably meant, empty if there is none."""
    matches = difflib.get_close_matches(name, list(names), 1, likeness)
    return matches[0] if matches else ""


def unknown_option(option: str, spec: Spec, subject: str = "") -> ModelError:
    """Return the error for an unknown option.

    The value is not shown, because it may be a secret with a mistyped name.
    """
    likely = nearest(option, spec.argument_spec, 0.6)
    fix = f"Use one of: {', '.join(spec.argument_spec)}."
    if likely:
        fix = f"Write {likely}, if that is meant, or remove it."
    return ModelError(option, None, "is not an option", fix, subject)


def known_options(
    given: t.Mapping[str, t.Any],
    spec: ArgumentSpec,
    entries: t.Mapping[str, Spec] | None = None,
) -> dict[str, t.Any]:
    """Return the options with the values of unknown ones masked, in entries and lists as well."""
    return {
        name: _known(value, spec[name], (entries or {}).get(name)) if name in spec else MASK
        for name, value in given.items()
    }


def _known(value: t.Any, kind: t.Mapping[str, t.Any], entry: Spec | None) -> t.Any:
    if isinstance(value, list):
        return [_known(item, kind, entry) for item in value]
    if not isinstance(value, dict):
        return value
    if entry is not None:
        return known_options(value, entry.argument_spec, entry.entries)
    return known_options(value, kind["options"]) if "options" in kind else value


def masked_options(task: t.Mapping[str, t.Any], spec: Spec) -> dict[str, t.Any]:
    """Return the options of a task with its secret options masked, in entries as well."""
    return {
        name: MASK
        if spec.argument_spec.get(name, {}).get("no_log") and value is not None
        else _masked_entries(value, spec.entries[name])
        if name in spec.entries
        else value
        for name, value in task.items()
    }


def _masked_entries(entries: t.Any, spec: Spec) -> t.Any:
    if not isinstance(entries, (list, tuple)):
        return entries
    return [masked_options(item, spec) if isinstance(item, t.Mapping) else item for item in entries]


# Characters by which the search finds the beginning of a secret.
_BEGINNING = 6


def occurring(secrets: t.Collection[str], value: object) -> set[str]:
    """Return the secrets that occur in a value: linear in the length of its texts."""
    found = {secret for secret in secrets if len(secret) < _BEGINNING}
    by_beginning: dict[str, list[str]] = {}
    for secret in secrets:
        by_beginning.setdefault(secret[:_BEGINNING], []).append(secret)
    for text in {*_texts(value, keys=True)} if by_beginning else ():
        for at in range(len(text) - _BEGINNING + 1):
            for secret in by_beginning.get(text[at : at + _BEGINNING], ()):
                if text.startswith(secret, at):
                    found.add(secret)
    return found


def explained(message: str, spec: Spec, task: t.Mapping[str, t.Any]) -> str:
    """Return why a task failed. Ansible does not always name the option, and shows any value.

    The values of secret options stay unchanged, so that Ansible finds and hides them.
    """
    try:
        _check_dictionaries(spec, task, message)
    except ModelError as error:
        return str(error)
    options = spec.argument_spec
    for name, value in task.items():
        hidden = options.get(name, {}).get("no_log")
        for text in (name, *(() if hidden else _texts(value, keys=True))):
            # A message may have the value without the blanks at its ends.
            for form in dict.fromkeys((text, text.strip())):
                if len(form) > LONGEST_VALUE or not form.isprintable():
                    short = shown(form)
                    message = message.replace(form, short).replace(repr(form), short)
    # Ansible may show a part of a text, such as the key of `key=value`.
    return message if any(map(message.__contains__, secrets_in(spec, task))) else one_line(message)


def _check_dictionaries(spec: Spec, task: t.Mapping[str, t.Any], message: str) -> None:
    """Raise ModelError for a value that Ansible could not convert to a dictionary."""
    if not message.startswith(_NO_DICTIONARY):
        return
    for place, kind, item in _each(spec.argument_spec, task):
        if kind.get("elements") == "dict" and not isinstance(item, t.Mapping):
            what, fix = "algorithms", _ALGORITHMS
            if place.partition("[")[0] in spec.entries:
                what, fix = "options", "Write a dictionary with the options of one object."
            problem = f"is {_kind(item)}, not a dictionary of {what}"
            raise ModelError(place, item, problem, fix, subject_of(spec, task))


def _texts(value: object, *, keys: bool = False) -> t.Iterator[str]:
    """Yield every text in a value, also in lists and dictionaries. ``keys`` includes the keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, t.Mapping):
        for key, item in value.items():
            yield from (*(_texts(key) if keys else ()), *_texts(item, keys=keys))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item, keys=keys)
