# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The forms of identities in docs/identities.md agree with the options."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import ModelError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model import distinguished, ends
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.identity import Identity

PAGE = (Path(__file__).parents[2] / "docs/identities.md").read_text()
LINES = [line for line in PAGE.splitlines() if "|" in line]
ROWS = [[cell.strip() for cell in line.split("|")[1:-1]] for line in LINES]
KINDS = {
    "domain name": "fqdn",
    "any name of a domain": "fqdn",
    "e-mail address": "email",
    "IPv4 address": "address",
    "IPv6 address": "address",
    "any address of a network": "net",
    "distinguished name": "dn",
    "distinguished name, any value of a part": "dn",
    "key id": "key",
    "text as a key id": "key",
}


def forms(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


@pytest.mark.parametrize("row", [row for row in ROWS if row[0] in KINDS], ids=lambda row: row[0])
def test_kinds(row: list[str]) -> None:
    (first,), others = forms(row[2]), forms(row[3])
    identity = Identity.parse(first)
    assert identity.kind == KINDS[row[0]]
    assert others
    for text in (first, *others):
        assert Identity.parse(text) == identity
        assert ends.peer_identity("peer_identifier", text) == text
    if identity.is_wildcard:
        with pytest.raises(ModelError):
            ends.own_identity("identifier", first)
    else:
        assert ends.own_identity("identifier", first) == first


def test_every_kind_has_a_row() -> None:
    assert {row[0] for row in ROWS} >= KINDS.keys()


def test_names_as_openssl_prints_them() -> None:
    rows = [forms(f"{row[0]} {row[1]}") for row in ROWS if len(row) == 2]
    printed = [row for row in rows if len(row) == 2 and "=" in "".join(row)]
    assert len(printed) == 5
    for openssl, written in printed:
        assert distinguished.Name.read(written) is not None
        assert ends.own_identity("identifier", written) == written
        if '"' in openssl or "\\" in openssl:
            with pytest.raises(ModelError):
                ends.own_identity("identifier", openssl)


def test_every_attribute_is_listed() -> None:
    table = PAGE.partition("strongSwan knows these attributes:")[2]
    listed = {name.casefold() for line in table.splitlines() if "|" in line for name in forms(line)}
    assert listed == {*distinguished._NUMBERS}
    for name in forms(table.rpartition("|")[2]):
        assert distinguished.Name.read(f"{name}=x") is None
