# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two matching ends of a tunnel, changed by a test, and the findings about the ends."""

from __future__ import annotations

import typing as t

from ansible_collections.tunnelwright.ipsec.plugins.filter.ipsec_mismatches import (
    ipsec_mismatches,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import PSK

Options = dict[str, t.Any]

LOCAL = {
    "name": "site-b",
    "remote_gateway": "203.0.113.20",
    "local_address": "198.51.100.7",
    "psk": PSK,
}
REMOTE = {
    "name": "site-a",
    "remote_gateway": "198.51.100.7",
    "local_address": "203.0.113.20",
    "psk": PSK,
}
NETS = {"local_network": ["10.1.0.0/24"], "remote_network": ["10.2.0.0/24"]}
MIRRORED = {"local_network": ["10.2.0.0/24"], "remote_network": ["10.1.0.0/24"]}


def local(*children: Options, **options: t.Any) -> Options:
    return {**LOCAL, "phase2": [{"name": "net", **NETS, **child} for child in children], **options}


def remote(*children: Options, **options: t.Any) -> Options:
    phase2 = [{"name": "lan", **MIRRORED, **child} for child in children]
    return {**REMOTE, "phase2": phase2, **options}


class Compared:
    """The result of the filter, with look-ups."""

    def __init__(self, ours: Options, theirs: Options) -> None:
        self.result = ipsec_mismatches(ours, theirs)

    @property
    def verdict(self) -> str:
        return str(self.result["verdict"])

    @property
    def codes(self) -> set[str]:
        """Return the codes of the findings, without findings of severity ``info``."""
        return {item["code"] for item in self.result["findings"] if item["severity"] != "info"}

    def finding(self, code: str) -> Options:
        (found,) = (item for item in self.result["findings"] if item["code"] == code)
        return found

    def call(self, initiator: str) -> Options:
        (found,) = (i for i in self.result["negotiated"] if i["initiator"] == initiator)
        return found

    def child(self, initiator: str, index: int = 0) -> Options:
        return self.call(initiator)["phase2"][index]


def compared(
    ours: Options | None = None,
    theirs: Options | None = None,
    *,
    both: Options | None = None,
    children: tuple[Options, Options] = ({}, {}),
) -> Compared:
    """Return the comparison of two matching ends with changed options of phase 1 and phase 2."""
    common = both or {}
    return Compared(
        local(children[0], **{**common, **(ours or {})}),
        remote(children[1], **{**common, **(theirs or {})}),
    )
