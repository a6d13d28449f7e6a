# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Verdicts on whole configurations.

``tests/live/test_configurations.py`` compares the same table with a real strongSwan of both
releases. ``tools/settings_oracle.py`` compares random configurations.
"""

from __future__ import annotations

import fnmatch
import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.strongswan.lexer import (
    FileLine,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.strongswan.parser import (
    Assignment,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.strongswan.reader import (
    PlacedValue,
    ReadResult,
    SectionPlace,
    read,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.strongswan.writer import (
    render,
)

TABLE = json.loads((Path(__file__).parents[1] / "fixtures/configurations.json").read_text("utf-8"))


def reading(files: t.Mapping[str, str]) -> ReadResult:
    """Return the contents of ``main.conf`` and of its included files."""
    texts = {f"/etc/{path}": text.encode().decode("latin-1") for path, text in files.items()}

    def include(pattern: str) -> list[tuple[str, str]]:
        hidden = "/." not in pattern
        return [
            (path, text)
            for path, text in sorted(texts.items())
            if fnmatch.fnmatchcase(path, pattern) and not (hidden and "/." in path)
        ]

    return read("/etc/main.conf", texts["/etc/main.conf"], include)


@pytest.mark.parametrize("case", TABLE, ids=[case["name"] for case in TABLE])
def test_verdict(case: t.Mapping[str, t.Any]) -> None:
    """Exactly the faulty files have a fault, each at its line."""
    found = {fault.place.path: fault.place.line for fault in reading(case["files"]).faults}
    assert found == {f"/etc/{path}": line for path, line in case["refused"].items()}


def test_sections_are_known_by_file_and_line() -> None:
    files = {
        "main.conf": "include conf.d/*.conf\nconnections { c : b {\n children { x {\n } } } }\n",
        "conf.d/a.conf": "secrets {\n ike-a { x = y\n }\n}\nconnections\n{\n  b\n  {\n  }\n}\n",
        "conf.d/b.conf": "connections {\n lost { } ] }",
    }
    assert (
        reading(files).sections
        == (
            SectionPlace("secrets", "ike-a", FileLine("/etc/conf.d/a.conf", 2)),
            SectionPlace("connections", "b", FileLine("/etc/conf.d/a.conf", 7)),
            SectionPlace("connections", "c", FileLine("/etc/main.conf", 2)),
            SectionPlace("c", "children", FileLine("/etc/main.conf", 3)),
        )[:3]
    )


def test_patterns_are_absolute() -> None:
    text = 'include conf.d/*.conf\ns { include /var/x.conf\n }\ninclude "a b"\ninclude \n'
    expected = ("/etc/conf.d/*.conf", "/var/x.conf", "/etc/a b")
    assert reading({"main.conf": text}).patterns == expected


@pytest.mark.parametrize(
    "text", ["hunter2", 'a = "hunter2', "hunter2 {", "hunter2 }", "a : b hunter2 {"]
)
def test_faults_repeat_nothing(text: str) -> None:
    """A fault does not repeat the text, because stray text may be a secret."""
    (fault,) = reading({"main.conf": text}).faults
    assert "hunter2" not in f"{fault.place}: {fault.why}"
    assert str(fault.place) == "/etc/main.conf, line 1"


def test_what_we_write_is_accepted() -> None:
    text = render({"connections": {"a": {"x": '{ } # " \\ \n', "y": ("b", "c")}}})
    found = reading({"main.conf": text})
    assert found.faults == ()
    assert [item.name for item in found.sections] == ["a"]


@pytest.mark.parametrize(
    "text", ["a = " + '"\\' * 50_000, 'include "' + "\\a" * 50_000, "#" * 200_000 + "\r" * 99_999]
)
def test_large_files_take_no_time(text: str) -> None:
    """Large files are read to the end. A regular expression that backtracks would not end."""
    assert reading({"main.conf": f"{text}\n"}).sections == ()


def test_values_are_known_by_file_and_line() -> None:
    files = {
        "main.conf": "include conf.d/*.conf\na {\n k = 1\n x =\n}\n",
        "conf.d/a.conf": 'a {\n k = "2\n3" 4 # c\n\n x = 5\n b {\n  k = {6 }\n}\n',
        "conf.d/b.conf": "a : c, d.e {\n}\nlost }",
    }
    tree = reading(files).tree
    assert not tree.values
    section = tree.sections["a"]
    assert section.place == FileLine("/etc/conf.d/a.conf", 1)
    assert section.values == {
        "k": PlacedValue("1", FileLine("/etc/main.conf", 3)),
        "x": PlacedValue(None, FileLine("/etc/main.conf", 4)),
    }
    inner = section.sections["b"].values["k"]
    assert inner == PlacedValue("{6", FileLine("/etc/conf.d/a.conf", 7))


def test_values_of_earlier_files_come_first() -> None:
    files = {"main.conf": "include a.conf\nk = 2\n", "a.conf": 'k = "2\n3" 4 # c\nm = x\ty\n'}
    assert list(reading(files).tree.values.items()) == [
        ("k", PlacedValue("2", FileLine("/etc/main.conf", 2))),
        ("m", PlacedValue("x y", FileLine("/etc/a.conf", 3))),
    ]


def test_a_section_knows_what_it_inherits_from() -> None:
    tree = reading({"main.conf": "a : b, c.d {\n}\ne {\n}\na : f {\n}\n"}).tree
    assert tree.sections["a"].references == ["b", "c.d", "f"]
    assert tree.sections["e"].references == []


def test_a_statement_may_reach_into_the_next_file() -> None:
    files = {"main.conf": "a\ninclude x.conf\nb = 1\n}\n", "x.conf": "{\n c = 2\n"}
    section = reading(files).tree.sections["a"]
    assert section.place == FileLine("/etc/main.conf", 1)
    assert {key: item.value for key, item in section.values.items()} == {"c": "2", "b": "1"}


def test_a_begun_statement_continues_without_a_faulty_file() -> None:
    files = {"main.conf": "a\ninclude x.conf\n{\n b = 1\n}\n", "x.conf": "{\n}\n}\n"}
    found = reading(files)
    assert [str(fault.place) for fault in found.faults] == ["/etc/x.conf, line 3"]
    assert found.tree.sections["a"].place == FileLine("/etc/main.conf", 1)


def test_a_name_without_a_sign_is_blamed_for_the_include_behind_it() -> None:
    files = {"main.conf": 'include x.conf\ninclude "y\n', "x.conf": "name\n"}
    places = [str(fault.place) for fault in reading(files).faults]
    assert places == ["/etc/x.conf, line 1", "/etc/main.conf, line 2"]


def test_a_loop_is_known_after_a_file_was_left_out() -> None:
    files = {
        "main.conf": "include a.conf\n",
        "a.conf": "include b.conf\ninclude a.conf\nk = v\n",
        "b.conf": "x",
    }
    found = reading(files)
    assert [str(fault.place) for fault in found.faults] == ["/etc/b.conf, line 1"]
    assert found.loops == {"/etc/a.conf"}
    names = [item.name for item in found.statements if isinstance(item, Assignment)]
    assert names == ["k"]
