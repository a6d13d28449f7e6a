# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Conversion between the options of a task and the fields of a model of the same names."""

from __future__ import annotations

import functools
import ipaddress
import typing as t
from dataclasses import MISSING, fields

Options = t.Mapping[str, t.Any]
Convert = t.Callable[[str, t.Any], t.Any]


def field_values(
    model: type, options: Options, convert: t.Mapping[str, Convert]
) -> dict[str, t.Any]:
    """Return arguments for the dataclass ``model``: each given option, converted.

    An option that is None or absent is left out, so that the default of the dataclass applies.
    """
    values = {}
    for name in field_names(model):
        value = options.get(name)
        if value is None:
            continue
        checker = convert.get(name)
        values[name] = checker(name, value) if checker else value
    return values


@functools.cache
def field_names(model: type) -> tuple[str, ...]:
    """Return the names of the fields of a dataclass, in their order."""
    return tuple(item.name for item in fields(model))


def option_values(model: t.Any, *, without: t.Collection[str] = ()) -> dict[str, t.Any]:
    """Return the options of a model, the inverse of ``field_values``, each as ``plain``."""
    kind: type = type(model)
    return {name: plain(getattr(model, name)) for name in field_names(kind) if name not in without}


def for_change(
    convert: t.Mapping[str, Convert], recorded: t.Mapping[str, Convert], options: Options
) -> dict[str, Convert]:
    """Return the strict converters for ``options``, and the recorded ones for other options.

    A recorded value that is refused now stays, unless the task gives this option.
    """
    return {**recorded, **{name: convert[name] for name in options if name in convert}}


def list_of(check: Convert) -> Convert:
    """Return a converter of lists. Errors name the option with the index of the element."""

    def convert(option: str, value: t.Any) -> tuple[t.Any, ...]:
        return tuple(check(f"{option}[{index}]", item) for index, item in enumerate(value))

    return convert


def defaults(model: type) -> dict[str, t.Any]:
    """Return the default of each field of a dataclass that has a default."""
    return {item.name: item.default for item in fields(model) if item.default is not MISSING}


def plain(value: t.Any) -> t.Any:
    """Return the value of a field as JSON, in the form of the option."""
    if value is None or isinstance(value, (str, int, bool)):
        return value
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if isinstance(value, (ipaddress.IPv4Address, ipaddress.IPv6Address)):
        return str(value)
    if isinstance(value, (ipaddress.IPv4Network, ipaddress.IPv6Network)):
        return str(value)
    return value.to_options()
