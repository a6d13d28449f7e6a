# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of a conf text that the daemon receives, and the refused parts."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import (
    ModelError,
    SyntaxFault,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.secret import Secret
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.advanced import loadable
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.shared_secrets import (
    SharedSecret,
)
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

TEXT = """connections {
    road {
        remote_addrs = 192.0.2.7, 192.0.2.8
        proposals = aes128-sha256-modp2048
        unknown_to_us = a, b
        local {
            id = carol, the first
        }
        children {
            net {
                local_ts = 10.1.0.0/24,fd00::/64
                updown = a, b
            }
        }
    }
}
secrets {
    eap-carol {
        id-1 = carol
        id-2 = "dave, jr"
        secret = 0saHVzaA==
    }
}
"""


def test_nothing() -> None:
    assert loadable("") == ({}, ())
    assert loadable("# only this\nconnections {\n}\n") == ({}, ())


def test_lists_are_split_where_swanctl_splits_them() -> None:
    connections, _secrets = loadable(TEXT)
    assert connections == {
        "road": {
            "remote_addrs": ("192.0.2.7", "192.0.2.8"),
            "proposals": ("aes128-sha256-modp2048",),
            "unknown_to_us": "a, b",
            "local": {"id": "carol, the first"},
            "children": {"net": {"local_ts": ("10.1.0.0/24", "fd00::/64"), "updown": "a, b"}},
        }
    }


def test_secrets_are_decoded() -> None:
    _connections, secrets = loadable(TEXT)
    assert secrets == (SharedSecret("eap-carol", "EAP", ("carol", "dave, jr"), Secret(b"hush")),)
    assert "hush" not in repr(secrets)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ike", "IKE"),
        ("ike-1", "IKE"),
        ("eap2", "EAP"),
        ("xauth-x", "XAUTH"),
        ("ntlm-x", "NTLM"),
        ("ppk-x", "PPK"),
    ],
)
def test_the_name_of_a_secret_tells_its_kind(name: str, kind: str) -> None:
    _connections, (shared,) = loadable(f"secrets {{ {name} {{ secret = hush\n}} }}")
    assert shared == SharedSecret(name, kind, (), Secret(b"hush"))


@pytest.mark.parametrize("text", ["a {", "connections {\n}\nconnections {\n}", "include x"])
def test_what_can_not_be_parsed(text: str) -> None:
    with pytest.raises(SyntaxFault):
        loadable(text)


@pytest.mark.parametrize(
    ("text", "value", "fix"),
    [
        ("pools {\n}", "pools", "connections and secrets"),
        ("authorities { x {\n} }", "authorities", "connections and secrets"),
        ("connections = x", "connections", "{ ... }"),
        ("connections { x = y\n }", "connections.x", "{ ... }"),
        ("connections { x { children = y\n } }", "connections.x.children", "{ ... }"),
        ("connections { x { children { y = z\n } } }", "connections.x.children.y", "{ ... }"),
        ("secrets = x", "secrets", "{ ... }"),
        ("secrets { ike-1 = hush\n }", "secrets.ike-1", "{ ... }"),
        ("secrets { private-1 { secret = hush\n } }", "secrets.private-1", "ike, eap"),
        ("secrets { rsa { file = x\n } }", "secrets.rsa", "ike, eap"),
        ("secrets { ike-1 { id = x\n } }", "secrets.ike-1", "secret = ..."),
        ("secrets { ike-1 { secret = \n } }", "secrets.ike-1", "secret = ..."),
        ('secrets { ike-1 { secret = ""\n } }', "secrets.ike-1", "secret = ..."),
        ("secrets { ike-1 { secret = 0shush!\n } }", "********", "Correct this secret"),
        ("secrets { ike-1 { secret = 0xhush\n } }", "********", "Correct this secret"),
        ("secrets { ike-1 { secret = 0s\n } }", "secrets.ike-1", "secret = ..."),
        ("secrets { ike-1 { secret { hush = x\n } } }", "secrets.ike-1", "secret = ..."),
    ],
)
def test_what_can_not_be_loaded(text: str, value: str, fix: str) -> None:
    with pytest.raises(ModelError) as raised:
        loadable(text)
    assert raised.value.option == "swanctl_conf"
    assert raised.value.value == value
    assert fix in raised.value.fix
    assert "hush" not in str(raised.value)


WORDS = st.sampled_from(
    ["connections", "secrets", "children", "ike-1", "secret", "x", "0s", "{", "}", "=", "\n", " "]
)


@profile(max_examples=200, deadline=None)
@given(st.lists(WORDS, max_size=30))
def test_nothing_else_is_raised(words: list[str]) -> None:
    try:
        connections, _secrets = loadable(" ".join(words))
    except (SyntaxFault, ModelError):
        return
    for section in connections.values():
        children = t.cast("dict[str, t.Any]", section.get("children", {}))
        assert all(isinstance(child, dict) for child in children.values())
