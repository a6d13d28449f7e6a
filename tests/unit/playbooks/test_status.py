# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of playbook status has the expected contents. Hostile texts add no markup."""

from __future__ import annotations

import json
import os
import re
import subprocess
import typing as t
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from ansible_collections.tunnelwright.ipsec.plugins.plugin_utils._fleet import fleet
from ansible_collections.tunnelwright.ipsec.plugins.plugin_utils._page import page
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.fleets import (
    ADVISORY,
    NOW,
    host,
    phase1,
    phase2,
)

HOSTILE = "<script>alert(1)</script>'\"`</style><!--&amp;"


class Page(HTMLParser):
    """A parsed page with its elements, their attributes and the texts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def tags(self) -> list[str]:
        return [tag for tag, _attributes in self.elements]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def shown(results: dict[str, t.Any], title: str = "VPN") -> str:
    return page(fleet(results), NOW, title)


def hostile(value: t.Any) -> t.Any:
    """Return ``value`` with hostile texts, except for the texts that the filter interprets."""
    if isinstance(value, dict):
        return {
            key: item if key in ("state", "since", "time", "not_after") else hostile(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [hostile(item) for item in value]
    return HOSTILE if isinstance(value, str) else value


def everything() -> dict[str, t.Any]:
    drift = [
        {"object": "connection", "actual": "not loaded", "expected": "loaded"},
        {"object": "/etc/x", "actual": "a\nb", "expected": "a\nc"},
    ]
    certificate = {"option": "ca", "subject": "CN=x", "not_after": "2026-02-01T12:00:00+00:00"}
    broken = phase2("lan", "down")
    broken["explanation"]["candidates"] = [{"explanation": "a firewall", "look_for": "no IKE"}]
    return {
        "gw-a": host(
            "203.0.113.10",
            phase1("gw-b", "203.0.113.20", broken, drift=drift),
            phase1("c", "192.0.2.9", phase2("lan"), certificates=[certificate]),
            phase1("d", "192.0.2.10", phase2("lan", "idle")),
            phase1("e", "192.0.2.11", phase2("lan", "connecting")),
            phase1("f", "192.0.2.12", phase2("lan", "disabled")),
            drift=drift,
            unmanaged=["road"],
            advisories=[ADVISORY],
        ),
        "gw-b": {"unreachable": True, "msg": "No route to host"},
    }


def test_whatever_hosts_say_is_text() -> None:
    results = {f"{name}{HOSTILE}": hostile(result) for name, result in everything().items()}
    spoilt, good = Page(shown(results, HOSTILE)), Page(shown(everything()))
    assert {*spoilt.tags} <= {*good.tags}
    for tag in ("script", "style", "link", "meta", "tr"):
        assert spoilt.tags.count(tag) == good.tags.count(tag), tag
    assert {key for _tag, found in spoilt.elements for key in found} <= {
        key for _tag, found in good.elements for key in found
    }
    assert spoilt.text.count("<script>alert(1)</script>") > 20


def test_packages_without_security_fixes_are_named() -> None:
    text = Page(shown({"a": host("203.0.113.10", advisories=[ADVISORY])})).text
    assert "1 without security fixes" in text
    assert "The packages lack 1 security fix known on 2026-11-30" in text
    assert "CVE-2026-78135 (libcharon): A CREATE_CHILD_SA request" in text
    assert "strongswan-libcharon 6.0.1-6+deb13u6 , fixed in 6.0.1-6+deb13u7" in text
    assert "older than the installed package" not in text


@pytest.mark.parametrize("advisories", [[], None])
def test_complete_and_unknown_packages_say_nothing(advisories: list[t.Any] | None) -> None:
    assert "security fix" not in shown({"a": host("203.0.113.10", advisories=advisories)})


def test_a_daemon_older_than_its_package_is_named() -> None:
    found = host("203.0.113.10")
    found["ipsec_info"]["daemon"]["restart_needed"] = True
    text = Page(shown({"a": found})).text
    assert "The running daemon is older than the installed package." in text


def test_a_daemon_without_ikev1_is_named() -> None:
    found = host("203.0.113.10")
    assert "strongSwan 6.0.1 · ESP" in Page(shown({"a": found})).text
    found["ipsec_info"]["capabilities"] = {"version": "6.0.1", "ike_versions": [2]}
    assert "strongSwan 6.0.1, without IKEv1 · ESP" in Page(shown({"a": found})).text
    # A result of an earlier version of the collection.
    del found["ipsec_info"]["capabilities"]
    assert "without IKEv1" not in Page(shown({"a": found})).text


@pytest.mark.parametrize(("safe", "words"), [(True, ["yes"]), (False, ["no"]), (None, [])])
def test_quantum_safety_is_beside_the_algorithms(safe: bool | None, words: list[str]) -> None:
    tunnel = phase1("site-b", "192.0.2.1", {**phase2("lan"), "quantum_safe": safe})
    html = shown({"a": host("203.0.113.10", tunnel)})
    (cell,) = re.findall(r'<td[^>]*data-label="Algorithms"[^>]*>.*?</td>', html)
    assert re.findall(r"quantum safe: (\w+)", cell) == words


def test_no_network_is_needed() -> None:
    for tag, attributes in Page(shown(everything())).elements:
        for name in ("src", "href", "xlink:href", "action", "srcset", "data"):
            value = attributes.get(name) or "#"
            assert value.startswith(("#", "data:image/svg+xml,")), (tag, value)
    html = shown(everything())
    assert "default-src 'none'" in html
    assert not re.search(r"@import|url\(|fetch\(|XMLHttp|WebSocket|import\(", html)


def test_what_is_wrong_is_told_with_its_cause() -> None:
    text = Page(shown(everything())).text
    assert "1 of 5 tunnels is down" in text
    assert "gw-a → 203.0.113.20" in text or "gw-a → gw-b" in text
    assert "the pre-shared keys are not the same" in text
    assert "Line in the log of the peer: no IKE" in text
    assert "The state could not be read: No route to host" in text
    assert "connection : not loaded , should be loaded" in text
    assert "/etc/x differs from the configuration" in text
    assert "1 d 2026-02-01" in text
    assert "84.0 MB" in text


@pytest.mark.parametrize(
    ("states", "headline"),
    [
        ("up", "No tunnel is down"),
        ("up idle", "No tunnel is down"),
        ("up connecting", "1 tunnel coming up"),
        ("up partial", "1 tunnel is not as configured"),
        ("partial outdated connecting", "2 tunnels are not as configured"),
        ("down down", "2 of 2 tunnels are down"),
        ("", "No tunnels are configured"),
    ],
)
def test_headline(states: str, headline: str) -> None:
    tunnels = [
        phase1(f"p{index}", f"192.0.2.{index}", phase2("lan", state))
        for index, state in enumerate(states.split(), 1)
    ]
    assert headline in Page(shown({"gw-a": host("203.0.113.10", *tunnels)})).text


def test_the_playbook(tmp_path: Path) -> None:
    """The templating of Ansible makes the page, even for hosts that can't be reached."""
    hosts = {f"gw-{name}": {"ansible_host": "127.0.0.1", "ansible_port": 1} for name in "ab"}
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(yaml.safe_dump({"gateways": {"hosts": hosts}}))
    target = tmp_path / "page.html"
    extra = {"gateway_status_page": str(target), "gateway_status_title": "<script>alert(1)"}
    argv = ["ansible-playbook", "-i", str(inventory), "tunnelwright.ipsec.status"]
    run = subprocess.run(
        [*argv, "-e", json.dumps(extra)],
        cwd=tmp_path,
        env={**os.environ, "ANSIBLE_HOST_KEY_CHECKING": "false", "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    html = target.read_text(encoding="utf-8")
    assert "Connection refused" in html
    assert "<script>alert" not in html
    told = json.loads((tmp_path / "page.json").read_text(encoding="utf-8"))
    assert [item["name"] for item in told["gateways"]] == ["gw-a", "gw-b"]
    assert told["time"].endswith("+00:00")
    modes = [path.stat().st_mode & 0o7777 for path in (target, tmp_path / "page.json")]
    assert modes == [0o600, 0o600]
