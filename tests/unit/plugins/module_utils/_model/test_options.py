# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import ModelError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model import options
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.network import ForeignChain
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.proposal import DEFAULT_ESP


@dataclass(frozen=True)
class Thing:
    name: str
    size: int = 7
    parts: tuple[str, ...] = ()


def doubled(option: str, value: t.Any) -> t.Any:
    if value < 0:
        raise ModelError(option, value, "is negative", "Use 0 or more.")
    return value * 2


def values(**given: t.Any) -> dict[str, t.Any]:
    return options.field_values(Thing, given, {"size": doubled})


def test_none_and_absent_leave_the_default() -> None:
    assert values(name="a", size=None) == {"name": "a"}
    assert Thing(**values(name="a", size=None)).size == 7


@pytest.mark.parametrize(("given", "expected"), [(0, 0), (3, 6)])
def test_given_values_are_converted(given: int, expected: int) -> None:
    assert values(size=given) == {"size": expected}


def test_what_is_no_field_is_left_out() -> None:
    assert values(name="a", weak_crypto="warn") == {"name": "a"}


def test_errors_name_the_option() -> None:
    with pytest.raises(ModelError, match=r"^size -1: is negative"):
        values(size=-1)


def test_lists_are_converted_one_by_one_and_named_with_their_index() -> None:
    convert = options.list_of(doubled)
    assert convert("parts", [1, 2]) == (2, 4)
    with pytest.raises(ModelError, match=r"^parts\[1\] -2: "):
        convert("parts", [1, -2])


def test_defaults() -> None:
    assert options.defaults(Thing) == {"size": 7, "parts": ()}


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (None, None),
        ("a", "a"),
        (0, 0),
        (False, False),
        (("a", ("b",)), ["a", ["b"]]),
        (ipaddress.ip_address("2001:DB8::1"), "2001:db8::1"),
        (ipaddress.ip_network("10.0.0.0/8"), "10.0.0.0/8"),
        (ipaddress.ip_network("fd00::/8"), "fd00::/8"),
        ((ForeignChain("inet", "filter", "input"),), ["inet filter input"]),
        (DEFAULT_ESP[0], {"algorithm": "aes", "key_length": 256, "hash": "sha256", "dh_group": 14}),
    ],
)
def test_plain(value: object, plain: object) -> None:
    assert options.plain(value) == plain
    assert type(options.plain(value)) is type(plain)


def test_a_text_that_ansible_has_tagged_is_a_text() -> None:
    """A text of an inventory has an own class derived from str, and becomes a plain str."""
    tagged = type("Tagged", (str,), {})("x")
    assert options.plain((tagged,)) == ["x"]
