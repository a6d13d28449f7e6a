# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Properties of the settings grammar that hold for every value, section and text."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import SyntaxFault
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.strongswan.section import (
    Section,
    secret_bytes,
    secret_text,
    split_list,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.strongswan.strict import (
    parse,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.strongswan.writer import (
    render,
)
from hypothesis import given
from hypothesis import strategies as st

text_values = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
grammar_values = st.text(st.sampled_from(list("ab'\"\\{}=#,;:.$ \t\r\nné\u2028")))
values = text_values | grammar_values
names = st.text(st.sampled_from("ABCabcxyz0189_-+/@"), min_size=1, max_size=12) | st.sampled_from(
    ["connections", "children", "secrets", "includes"]
)
items = st.lists(st.sampled_from(["a", "10.0.0.0/8", "b c", "x#", 'q"', "%any"]), max_size=4)
sections = st.recursive(
    st.dictionaries(names, values | items.map(tuple), max_size=5),
    lambda inner: st.dictionaries(names, values | inner, max_size=4),
    max_leaves=12,
)


def joined(section: Section) -> Section:
    """Return ``section`` as ``parse`` returns it: with tuples joined to their written text."""
    return {
        name: joined(value)
        if isinstance(value, Mapping)
        else (", ".join(value) if isinstance(value, tuple) else value)
        for name, value in section.items()
    }


@given(sections)
def test_what_is_rendered_is_parsed_again(section: Section) -> None:
    assert parse(render(section), unique=True) == joined(section)


@given(sections)
def test_a_list_is_written_as_its_text(section: Section) -> None:
    assert render(joined(section)) == render(section)


@given(values, values)
def test_values_never_make_keys_or_sections(first: str, second: str) -> None:
    parsed = parse(render({"s": {"a": first}, "k": second}), unique=True)
    assert parsed == {"s": {"a": first}, "k": second}


@given(st.lists(values).map(tuple))
def test_a_list_is_refused_or_comes_back(items: tuple[str, ...]) -> None:
    try:
        parsed = parse(render({"k": items}))["k"]
    except ValueError:
        return
    assert isinstance(parsed, str)
    assert split_list(parsed) == items


pieces = st.sampled_from([*'ab"\\{}=#:., \t\r\n', "k = v\n", "a {\n", "include ", '"x"', "\r\n"])


@given(st.lists(pieces).map("".join))
def test_any_text_is_parsed_or_refused_as_a_fault(text: str) -> None:
    try:
        section = parse(text)
    except SyntaxFault as caught:
        fault = caught
    else:
        assert parse(render(section)) == section
        return
    assert 1 <= fault.line <= text.count("\n") + 1


@given(st.binary())
def test_secrets_come_back(data: bytes) -> None:
    text = secret_text(data)
    assert text == "0s" + base64.b64encode(data).decode()
    assert secret_bytes(text) == data
    assert parse(render({"secret": text})) == {"secret": text}
