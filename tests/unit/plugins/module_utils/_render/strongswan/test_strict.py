# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The strict policy. The values that strongSwan reads were captured from swanctl 5.9.8 and 6.0.1,
which agree on every case here; ``tools/settings_oracle.py`` compares again."""

from __future__ import annotations

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import SyntaxFault
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.strongswan.section import (
    Section,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.strongswan.strict import (
    parse,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.strongswan.writer import (
    render,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("k=v", "v"),
        ("k = a   b\t\tc  ", "a b c"),
        ('k = ab"cd"ef', "ab cd ef"),
        ('k = "a" "b"', "a b"),
        ('k = "a"b', "a b"),
        ('k = ""', ""),
        ('k = "" ""', " "),
        ("k = a#b", "a"),
        ('k = "a"#b', "a"),
        ('k = "a#b" # c', "a#b"),
        ("k = a; m = b", "a; m = b"),
        ("k = \\n $(x) 'y' :,.&|<>", "\\n $(x) 'y' :,.&|<>"),
        ("k\n\n# why\n= v", "v"),
        ("k = v\r\n", "v"),
        ('k = "a\r\nb"\r\n', "a\nb"),
        ('k = "a\nb"', "a\nb"),
        ('k = "a\\\nb"', "ab"),
        ('k = "a\\\r\nb"', "ab"),
        (r'k = "\n\r\t\"\\"', '\n\r\t"\\'),
        (r"""k = "\x41\a\0\é\$\'\{" """, "x41a0é$'{"),
        ("k = é\u2028b\u00a0c", "é\u2028b\u00a0c"),
        ("k = a\x0bb", "a\x0bb"),
    ],
)
def test_values_read_as_strongswan_reads_them(text: str, value: str) -> None:
    assert parse(text) == {"k": value}


@pytest.mark.parametrize(
    ("text", "section"),
    [
        ("# nothing\n\n   # but comments", {}),
        ("a{}", {"a": {}}),
        ("a\n# why\n{ b { k = v } }# end", {"a": {"b": {"k": "v"}}}),
        ("a { k = v } b { k = w }", {"a": {"k": "v"}, "b": {"k": "w"}}),
        ("k =", {}),
        ("k =\nm = 1", {"m": "1"}),
        ("k = 1\nk =", {}),
        ("k =\nk = 1", {"k": "1"}),
        ("a { k = }", {"a": {}}),
    ],
)
def test_sections_read_as_strongswan_reads_them(text: str, section: Section) -> None:
    assert parse(text) == section


TWICE = "k = 1\nc {\n  x = 1\n  y = 2\n}\nk = 2\nc {\n  y = 3\n  z = 4\n}\n"


def test_doubles_merge_key_by_key_and_the_last_value_wins() -> None:
    parsed = parse(TWICE)
    assert parsed == {"k": "2", "c": {"x": "1", "y": "3", "z": "4"}}
    assert list(parsed) == ["k", "c"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (TWICE, "line 6: k is already in line 1"),
        ("a {\n}\na {\n}", "line 3: a is already in line 1"),
        ("a { b {\nk = 1\nm = 2\nk =\n} }", "line 4: a.b.k is already in line 2"),
    ],
)
def test_doubles_are_faults_when_each_must_be_unique(text: str, fault: str) -> None:
    with pytest.raises(SyntaxFault) as error:
        parse(text, unique=True)
    assert str(error.value) == fault


def test_the_same_name_in_two_places_is_unique() -> None:
    assert parse("a { k = 1 }\nb { k = 1 }\nk = 1", unique=True)


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("a {\n b {\n }\n", 1, "section a is not closed"),
        ("a {\n b {\n", 2, "section b is not closed"),
        ("a {\n}\n}\n", 3, "} closes no section"),
        ("k = {}", 1, "{ in a value must be quoted"),
        ("a {\nk = x{y\n}", 2, "{ in a value must be quoted"),
        ('a = 1\nk = "b\n\nc', 2, "a quote is not closed"),
        ('k = "b\\"', 1, "a quote is not closed"),
        ('k = "b\\', 1, "a quote is not closed"),
        ('k = a"b', 1, "a quote is not closed"),
        ("a = 1\nbare\n", 2, "a name must be followed by = (a value) or { (a section)"),
        ("a {\n bare }", 2, "a name must be followed by = (a value) or { (a section)"),
        ("foo bar = x", 1, "a name must be followed by = (a value) or { (a section)"),
        ("a,b = x", 1, "a name must be followed by = (a value) or { (a section)"),
        ('k = v\na "b" = x', 2, "a name must be followed by = (a value) or { (a section)"),
        ("k\n=\nv", 3, "a name must be followed by = (a value) or { (a section)"),
        ("\n= x", 2, "= where a name must stand"),
        ("{ k = v }", 1, "{ where a name must stand"),
        ('"a" = x', 1, '" where a name must stand'),
        (".a = x", 1, ". where a name must stand"),
        ("a.b = x", 1, "a name must not hold a dot: write a section within a section"),
        ("a : b {\n}", 1, "a section must not inherit (a : b) in this text"),
        ("a:b { }", 1, "a section must not inherit (a : b) in this text"),
        ("a {\n  include x.conf\n}", 2, "include is not possible in this text"),
        ("include /etc/*.conf", 1, "include is not possible in this text"),
        ('include "x.conf"', 1, "include is not possible in this text"),
        ("include { k = v }", 1, "include is not possible in this text"),
        ("include = x", 1, "include is not possible in this text"),
        ("\ufeffa { }", 1, "a byte order mark"),
        ("a {\nk = a\rb }", 2, "a carriage return that ends no line"),
        ("# c\rk = v", 1, "a carriage return that ends no line"),
        ('k = "a\rb"', 1, "a carriage return that ends no line"),
        ('a\n{ k = "x\0y" }', 2, "a NUL"),
        ("k = v\nk { }", 2, "k is already in line 1: it cannot be both a value and a section"),
        ("a {\nk { }\nk = v\n}", 3, "a.k is already in line 2: it cannot be both"),
        ("a\n%x { }", 1, "a name must be followed by"),
        ("%x { }", 1, "a name is 1 to 127 characters of"),
        ("k = 1\né = 2", 2, "a name is 1 to 127 characters of"),
        ("x" * 128 + " { }", 1, "a name is 1 to 127 characters of"),
    ],
)
def test_faults_name_the_line_and_the_reason(text: str, line: int, why: str) -> None:
    with pytest.raises(SyntaxFault) as error:
        parse(text)
    assert error.value.line == line
    assert error.value.why.startswith(why)


def test_nesting_ends_at_a_hundred() -> None:
    section: Section = {"k": "v"}
    for _depth in range(100):
        section = {"a": section}
    assert parse(render(section)) == section
    with pytest.raises(ValueError, match="a: sections are nested more than 100 deep"):
        render({"a": section})
    with pytest.raises(SyntaxFault, match="line 101: sections are nested more than 100 deep"):
        parse("a {\n" * 5000)


@pytest.mark.parametrize("text", ['s = "hush\n', "s = a\nhush\n", "s = hush{x", 's = "x"\n"hush"'])
def test_faults_do_not_repeat_what_may_be_a_secret(text: str) -> None:
    with pytest.raises(SyntaxFault) as error:
        parse(text)
    assert "hush" not in str(error.value)


@pytest.mark.parametrize("text", ["#" * 40 + "\nx", "a " + "#" * 40, 'k = "' + "\\x" * 40])
def test_broken_texts_are_refused_in_linear_time(text: str) -> None:
    """A regular expression that can split the text in several ways would not end."""
    with pytest.raises(SyntaxFault):
        parse(text)
