# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Selectors that no gateway of a site can need. The network lan is 10.1.0.0/24."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    child,
    connection,
    gateway,
    network,
    refused,
    settings,
)

SUBJECT = "phase 2 net of phase 1 site-b"


@pytest.mark.parametrize(
    ("local", "remote", "option", "words"),
    [
        ("10.1.0.0/24", "10.1.0.0/24", "remote_network", ["in local_network", "translate"]),
        ("fd00:1::/64", "fd00:1::/64", "remote_network", ["in local_network", "translate"]),
        ("10.5.0.0/24[tcp]", "10.5.0.0/24", "remote_network", ["stay on this side"]),
        ("10.5.0.0/24[tcp/80]", "10.5.0.0/24[tcp]", "remote_network", ["stay on this side"]),
        ("0.0.0.0/0", "0.0.0.0/0", "remote_network", ["stay on this side"]),
        ("0.0.0.0/0", "128.0.0.0/1", "local_network", ["takes all packets", "10.1.0.0/24"]),
        ("::/0", "2000::/3", "local_network", ["takes all packets"]),
        (
            "10.1.0.0/24",
            "10.1.0.128/25",
            "remote_network",
            ["is inside 10.1.0.0/24 of"],
        ),
        (
            "10.5.0.0/24",
            "10.1.0.0/24",
            "remote_network",
            ["exclude_my_network in ipsec_settings to false"],
        ),
    ],
)
def test_refused(local: str, remote: str, option: str, words: list[str]) -> None:
    made = gateway(connection())
    with refused(option, SUBJECT, *words):
        made.with_child(child(local_network=[local], remote_network=[remote]))


@pytest.mark.parametrize(
    ("local", "remote"),
    [
        ("10.1.0.0/24", "0.0.0.0/0"),
        ("0.0.0.0/0", "10.2.0.0/24"),
        ("0.0.0.0/0[gre]", "128.0.0.0/1"),
        ("10.1.0.0/24", "10.0.0.0/8"),
        ("10.1.0.0/24", "10.1.1.0/24"),
    ],
)
def test_meant(local: str, remote: str) -> None:
    assert gateway(connection()).with_child(child(local_network=[local], remote_network=[remote]))


class TestExclusion:
    """The need for exclude_my_network.

    A remote network that contains the own network needs the option. A remote network within the own
    network is incompatible with the option.
    """

    AROUND: t.ClassVar = {"remote_network": ["10.0.0.0/8"]}
    WITHIN: t.ClassVar = {"remote_network": ["10.1.0.128/25"]}

    def test_needed_when_the_phase_2_is_made(self) -> None:
        made = gateway(settings(exclude_my_network=False), connection())
        with refused(
            "remote_network",
            SUBJECT,
            "contains 10.1.0.0/24",
            "Set exclude_my_network in ipsec_settings to true",
        ):
            made.with_child(child(**self.AROUND))
        assert made.with_child(child(**self.WITHIN))

    def test_needed_when_it_is_switched_off(self) -> None:
        made = gateway(connection(child(**self.AROUND)))
        with refused("remote_network", SUBJECT, "would lose the hosts"):
            made.with_settings(settings(exclude_my_network=False))

    def test_not_switched_on_over_what_it_would_stop(self) -> None:
        made = gateway(settings(exclude_my_network=False), connection(child(**self.WITHIN)))
        with refused("remote_network", SUBJECT, "keeps out of tunnels"):
            made.with_settings(settings(exclude_my_network=True))
        assert made.with_settings(settings(exclude_my_network=False, ipcomp=True))

    def test_of_another_address_of_the_network(self) -> None:
        made = gateway(connection(child()))
        moved = {"network_address": "10.2.0.0/24", "ip_address": "10.2.0.1"}
        with refused("remote_network", SUBJECT, "is inside 10.2.0.0/24 of network lan"):
            made.with_network(network(**moved))
        # An object that an earlier version accepted stays editable.
        assert made.with_network(network(description="x"))

    def test_of_a_network_without_an_address(self) -> None:
        bare = {"network_address": None, "ip_address": None, "ip_address_type": "none"}
        made = gateway(network(**bare), settings(exclude_my_network=False), connection())
        assert made.with_child(child(**self.AROUND))

    def test_in_transport_mode(self) -> None:
        hosts = {"local_network": ["10.1.0.1/32"], "remote_network": ["10.1.0.9/32"]}
        assert gateway(connection()).with_child(child(mode="transport", **hosts))
