# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The status page in a browser: sorting, search, narrow screens and dark colours."""

from __future__ import annotations

import struct
import typing as t
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.plugin_utils._fleet import fleet
from ansible_collections.tunnelwright.ipsec.plugins.plugin_utils._page import page
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.fleets import (
    NOW,
    child,
    host,
    phase1,
    phase2,
)

if t.TYPE_CHECKING:
    from .conftest import Browser

ADDRESSES = {f"gw-{letter}": f"203.0.113.{10 * at}" for at, letter in enumerate("abcdef", 1)}
STATES = {"gw-b": "down", "gw-c": "up", "gw-d": "up", "gw-e": "idle", "gw-f": "up"}
DRIFT = [
    {"object": "connection gw-c in the IKE daemon", "actual": "not loaded", "expected": "loaded"}
]
CERTIFICATE = {
    "option": "certificate",
    "subject": "CN=gw-d",
    "not_after": "2026-02-12T12:00:00+00:00",
}


def branches() -> str:
    """Return the page of a hub with branches. A partner is down, a branch is unreachable."""
    results = {}
    spokes = []
    for at, (name, state) in enumerate(STATES.items(), 2):
        v4 = phase2("ipv4", state, remote_network=[f"10.{at}.0.0/24"])
        v6 = phase2(
            "ipv6", state, local_network=["fd00:1::/64"], remote_network=[f"fd00:{at}::/64"]
        )
        if v4["sas"]:
            v4["sas"] = [child(bytes_in=10**at, rekey_in=60 * at)]
        more: dict[str, t.Any] = {"drift": DRIFT} if name == "gw-c" else {}
        more |= {"certificates": [CERTIFICATE]} if name == "gw-d" else {}
        spokes.append(phase1(name, ADDRESSES[name], v4, v6, **more))
        back = phase2(
            "ipv4", state, local_network=[f"10.{at}.0.0/24"], remote_network=["10.1.0.0/24"]
        )
        results[name] = host(ADDRESSES[name], phase1("gw-a", ADDRESSES["gw-a"], back))
    spokes.append(phase1("partner", "198.51.100.77", phase2("erp", "down")))
    results["gw-a"] = host(ADDRESSES["gw-a"], *spokes, unmanaged=["road-warriors"])
    results["gw-f"] = {"unreachable": True, "msg": "No route to host"}
    return page(fleet(results, ADDRESSES), NOW)


COLUMNS = [
    "State",
    "Tunnel",
    "Peer",
    "Networks",
    "Since",
    "Traffic",
    "Algorithms",
    "Rekey",
    "Certificate",
    "Drift",
]
# The texts of a column in the rows that are not hidden, from top to bottom.
SHOWN = (
    "const shown = at => [...document.querySelectorAll('tbody tr')].filter(row => !row.hidden)"
    ".map(row => row.cells[at].textContent.trim());"
)


def column(name: str) -> int:
    return COLUMNS.index(name)


def press(name: str) -> str:
    return f"document.querySelectorAll('th')[{column(name)}].click();"


class TestSorting:
    def test_the_worst_come_first(self, browser: Browser) -> None:
        found = browser.run(branches(), f"{SHOWN} return shown({column('State')})")
        assert found == sorted(found, key=["down", "waiting", "up"].index)
        assert found[:3] == ["down"] * 3

    def test_numbers_are_numbers(self, browser: Browser) -> None:
        at = column("Traffic")
        script = f"{SHOWN} {press('Traffic')} const up = shown({at}); {press('Traffic')}"
        up, down = browser.run(branches(), f"{script} return [up, shown({at})]")
        assert up[0] == "–"
        assert down[:2] == ["↓ 84.0 MB↑ 1.2 MB"] * 2
        order = [item.split("↑")[0] for item in down if item != "–"]
        assert order[-2:] == ["↓ 10.0 kB", "↓ 1.0 kB"]

    def test_the_head_says_so(self, browser: Browser) -> None:
        told = "return [...document.querySelectorAll('th')].map(head => head.ariaSort)"
        found = browser.run(branches(), f"{press('Since')}{press('Peer')}{press('Peer')}{told}")
        assert found[column("Peer")] == "descending"
        assert [item for item in found if item] == ["descending"]


class TestSearching:
    def test_words(self, browser: Browser) -> None:
        script = (
            "const field = document.getElementById('search'); field.value = 'GW-C ipv6';"
            f"field.dispatchEvent(new Event('input')); {SHOWN} return shown({column('Tunnel')})"
        )
        assert browser.run(branches(), script) == ["gw-agw-c / ipv6 · lan"]

    def test_a_state(self, browser: Browser) -> None:
        script = (
            "const tile = document.querySelector('button.tile.idle'); tile.click();"
            f"{SHOWN} const found = shown({column('State')}); tile.click();"
            "return [found, shown(0).length, tile.ariaPressed]"
        )
        found, everything, pressed = browser.run(branches(), script)
        assert set(found) == {"waiting"}
        assert (everything, pressed) == (15, "false")

    def test_a_site_of_the_drawing(self, browser: Browser) -> None:
        script = (
            "document.querySelector('[data-site=\"198.51.100.77\"]')"
            ".dispatchEvent(new Event('click'));"
            f"{SHOWN} return shown({column('Peer')})"
        )
        assert browser.run(branches(), script) == ["198.51.100.77"]

    def test_nothing_is_like_that(self, browser: Browser) -> None:
        script = (
            "const field = document.getElementById('search'); field.value = 'zzz';"
            "field.dispatchEvent(new Event('input')); return document.getElementById('none').hidden"
        )
        assert browser.run(branches(), script) is False


@pytest.mark.parametrize("width", [320, 390, 760, 1024, 1320])
def test_nothing_sticks_out(browser: Browser, width: int) -> None:
    script = (
        "const wide = document.querySelector('.wide'), root = document.documentElement;"
        "return [root.scrollWidth, root.clientWidth, innerWidth]"
    )
    needed, there, _window = browser.run(branches(), script, width)
    assert needed <= there


def test_it_asks_nobody_for_anything(browser: Browser) -> None:
    script = "return performance.getEntriesByType('resource').map(entry => entry.name)"
    assert browser.run(branches(), script) == []


@pytest.mark.parametrize("dark", [False, True])
def test_text_can_be_read(browser: Browser, dark: bool) -> None:
    """Each picture has the requested height. The texts in it are for a check by eye."""
    for name, width, height in (("desktop", 1320, 1700), ("phone", 390, 3200)):
        picture = browser.shoot(
            branches(), f"{name}-{'dark' if dark else 'light'}", width, height, dark=dark
        )
        assert dimensions(picture)[1] == height


def dimensions(picture: Path) -> tuple[int, int]:
    """Return width and height of a PNG in pixels, from its first chunk."""
    width, height = struct.unpack(">II", picture.read_bytes()[16:24])
    return width, height
