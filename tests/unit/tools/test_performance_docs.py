# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.tunnelwright.ipsec.tools import performance_docs

GATEWAY = {name: 1.25 for name in performance_docs.ROWS}
# The loop of the usual role is not measured with many tunnels.
MANY = {name: value for name, value in GATEWAY.items() if not name.startswith("usual")}


def test_the_page_is_up_to_date() -> None:
    assert performance_docs.main(["--check"]) == 0


def test_the_rows_of_a_page() -> None:
    text = performance_docs.page(
        {
            "machine": "a day, a machine",
            "gateway": {"6.0.1": {"1000": MANY, "10": GATEWAY}},
            "closed": {"6.0.1": {"usual": 10, "gateway": 1}},
            "packets": {"kernel, IPv4, off": {"0": 2000.0, "1": 1000.0, "1000": 900.0}},
        }
    )
    assert "a day, a machine" in text
    assert "| tunnels | 10 | 1,000 |\n" in text
    assert "| `ipsec_gateway`, first run | 1.2 | 1.2 |\n" in text
    assert "| first run, in units of the baseline | 2.00 | 1.00 | reached |\n" in text
    assert "| usual role, nothing to change | 1.2 |  |\n" in text
    assert "|  | 6.0.1 |\n| --- | --- |\n| usual role | 10 |\n| `ipsec_gateway` | 1 |\n" in text
    assert "| data plane, IP version, MSS clamp | none | 1 | 1,000 |\n" in text
    assert "| kernel, IPv4, off | 2,000 (2.00) | 1,000 (1.00) | 900 (0.90) |\n" in text


def test_a_missed_goal() -> None:
    slow = {**GATEWAY, "unchanged": 3.5}
    text = performance_docs.page(
        {
            "machine": "a machine",
            "gateway": {"6.0.1": {"1000": slow, "10": GATEWAY}},
            "closed": {},
            "packets": {"kernel": {"0": 1.0, "1": 1.0}},
        }
    )
    told = "| nothing to change, seconds beside the empty task | 1.50 | 2.25 | missed |\n"
    assert told in text
