# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts of lists and secrets. ``tools/settings_oracle.py`` compares them with a real swanctl."""

from __future__ import annotations

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.strongswan.section import (
    secret_bytes,
    split_list,
)


@pytest.mark.parametrize(
    ("value", "items"),
    [
        ("", ()),
        (",", ()),
        ("a,b", ("a", "b")),
        (" a , b ", ("a", "b")),
        ("a,,b", ("a", "b")),
        (", , a, ,b,  ", ("a", "b")),
        ("a b", ("a b",)),
        ("\ta", ("\ta",)),
        ("a\t,b", ("a\t", "b")),
        ("a;b", ("a;b",)),
        ("'a,b', c", ("a,b", "c")),
        ('"a,b", c', ("a,b", "c")),
        ("' a '", (" a ",)),
        ("'a", ("'a",)),
        ("x,'y", ("x", "'y")),
        ("'a, b'c'", ("a, b", "c'")),
        ("'a'b,c", ("a", "b", "c")),
        ("a 'b,c' d", ("a 'b", "c' d")),
        ("''", ("",)),
        ("a,''", ("a", "")),
    ],
)
def test_split_list_splits_as_swanctl_does(value: str, items: tuple[str, ...]) -> None:
    assert split_list(value) == items


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("", b""),
        ("hush", b"hush"),
        ("hüsh 0x", "hüsh 0x".encode()),
        ("0", b"0"),
        ("0s", b""),
        ("0sYWI=", b"ab"),
        ("0SYWI=", b"ab"),
        ("0x", b""),
        ("0x6162", b"ab"),
        ("0XaB", b"\xab"),
        ("0xabc", b"\x0a\xbc"),
        ("0x61:62", b"ab"),
        ("0x1:62", b"\x01b"),
    ],
)
def test_secrets_are_decoded_as_swanctl_does(text: str, data: bytes) -> None:
    assert secret_bytes(text) == data


@pytest.mark.parametrize("text", ["0xzz", "0x6 1", "0x::", "0x0x61", "0s!!", "0sYWI", "0sYWI=\n"])
def test_secrets_that_swanctl_would_garble_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be") as error:
        secret_bytes(text)
    assert text[2:] not in str(error.value)
