# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts of sections. Each text is read back as the same section."""

from __future__ import annotations

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.strongswan.section import (
    Section,
    split_list,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.strongswan.strict import (
    parse,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.strongswan.writer import (
    render,
)

HOSTILE = [
    "",
    " ",
    " leading",
    "trailing ",
    "two  blanks",
    "\t",
    "a\nb",
    "a\r\nb",
    "x\n}\nevil {\nk = v",
    '"; k = v',
    'a" }\nevil { k = "v',
    "\\",
    '\\"',
    "ends in \\",
    "\\n is not a newline",
    "{",
    "}",
    "{}",
    "a } b",
    "# no comment",
    "a#b",
    "$(reboot)",
    "`reboot`",
    "%s%n%d",
    "'single'",
    "a = b",
    "include /etc/passwd",
    "0xdeadbeef",
    "0sYWJj",
    "ü \u2028 \u00a0 \U0001f511 \ufeff",
    "\x01\x0b\x0c\x7f\x85",
    "a,b",
    "a, b",
    "x " * 30_000,
]


def test_the_written_form() -> None:
    section: Section = {
        "connections": {
            "site-b": {
                "version": "2",
                "proposals": ("aes256-sha256-modp2048", "aes128gcm16-prfsha256-ecp256"),
                "remote": {"id": "C=CH, O=strongSwan"},
                "children": {},
            }
        },
        "note": 'say "hi"\n\t\\o/',
    }
    assert (
        render(section)
        == r"""connections {
    site-b {
        version = 2
        proposals = aes256-sha256-modp2048, aes128gcm16-prfsha256-ecp256
        remote {
            id = "C=CH, O=strongSwan"
        }
        children {
        }
    }
}
note = "say \"hi\"\n\t\\o/"
"""
    )


def test_indent_is_the_depth_of_the_surrounding_sections() -> None:
    body = render({"a": {"k": "v"}}, indent=2)
    assert body == "        a {\n            k = v\n        }\n"
    assert parse(f"x {{\n    y {{\n{body}    }}\n}}\n") == {"x": {"y": {"a": {"k": "v"}}}}


def test_nothing_is_rendered_as_no_text() -> None:
    assert render({}) == ""
    assert parse("") == {}


@pytest.mark.parametrize(
    "value", ["replace", "10.0.0.0/24", "fd00::/64", "gw.example.org", "a@b", "0sYWJj", "a, b, c-d"]
)
def test_ordinary_values_are_not_quoted(value: str) -> None:
    assert render({"k": value}) == f"k = {value}\n"


@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_values_are_data(value: str) -> None:
    section = {"connections": {"a": {"before": "1", "k": value, "after": "2"}}}
    assert parse(render(section), unique=True) == section


@pytest.mark.parametrize("value", [v for v in HOSTILE if v not in ("a, b", "0xdeadbeef", "0sYWJj")])
def test_hostile_values_are_one_quoted_line(value: str) -> None:
    text = render({"k": value})
    assert text.startswith('k = "')
    assert text.endswith('"\n')
    assert text.count("\n") == 1


@pytest.mark.parametrize("value", ["a\0b", "\ud800", "a\udcffb"])
def test_characters_without_a_written_form_are_refused(value: str) -> None:
    with pytest.raises(ValueError, match="secret: ") as error:
        render({"secret": value})
    assert value not in str(error.value)


@pytest.mark.parametrize(
    "name",
    [
        *("a.b", "a b", "a\tb", "a\n", "\n", 'a"b', "a'b", "a=b", "{", "a}", "a#b", "a:b", "a,b"),
        *("", "%any", "include", "ä", "a;b", "$a", "a\\b", "x" * 128),
    ],
)
def test_names_that_cannot_be_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a name"):
        render({name: "v"})
    with pytest.raises(ValueError, match="cannot be a name"):
        render({"a": {name: {}}})


@pytest.mark.parametrize(
    "name", ["a", "id-1", "a_b", "0", "a@b", "a+b", "/x/y", "includes", "x" * 127]
)
def test_other_names_round_trip(name: str) -> None:
    section = {name: {name: "v"}}
    assert parse(render(section)) == section


@pytest.mark.parametrize(
    "items",
    [("",), ("a,b",), (" a",), ("a ",), ("a", "", "b"), (",",), ("'a'",), ('"a', 'b"'), ('"a"',)],
)
def test_list_elements_that_would_not_come_back_are_refused(items: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="proposals: a list element"):
        render({"proposals": items})


@pytest.mark.parametrize(
    "items", [(), ("a",), ("a", "b"), ("\ta", 'b"c', "d e", "#", "x\ny", "'z")]
)
def test_lists_come_back(items: tuple[str, ...]) -> None:
    parsed = parse(render({"k": items}))
    assert parsed == {"k": ", ".join(items)}
    assert split_list(", ".join(items)) == items
