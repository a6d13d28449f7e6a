# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The form of every error: ``<object>: <option> <value>: <problem>. <what to do>.``"""

from __future__ import annotations

import ast
import re
import typing as t
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import ModelError
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    check_form,
    child,
    connection,
    gateway,
    network,
    rule,
    settings,
)

PLUGINS = Path(__file__).parents[4] / "plugins"
FORM = re.compile(
    r"(?P<object>(network|IPsec settings of network|phase 1|phase 2|rule) [^:]+: |)"
    r"(?P<option>[a-z0-9_]+(\[\d+\])?(\.[a-z_]+)?)"
    r"(?P<value> .+?|): (?P<problem>[a-z].*[^.])\. (?P<fix>[A-Z].*\.)"
)

# The errors that a user is most likely to see, with a part of the fix.
LIKELY: tuple[tuple[t.Callable[[], object], str, str], ...] = (
    (lambda: network(name="My LAN"), "name 'My LAN'", "Use 1 to 32"),
    (lambda: network(ip_address="10.2.0.1"), "ip_address '10.2.0.1'", "Use an address in 10.1.0.0"),
    (lambda: network(network_address="10.1.0.1/24"), "network_address", "Write 10.1.0.0/24"),
    (lambda: network(network_address="10.1.0.0"), "network_address", "with its prefix length"),
    (lambda: network(ip_address=None), "ip_address: is missing", "Give ip_address"),
    (lambda: network(mtu=100000), "mtu 100000", "Use a whole number from 68 to 65535."),
    (
        lambda: network(layer2_type="vlan", interface_network="eth1"),
        "layer2_id: is missing",
        "Give the VLAN tag",
    ),
    (lambda: network(firewall_chains=["input"]), "firewall_chains[0]", "inet filter input"),
    (
        lambda: gateway().with_network(
            network(name="dmz", ip_address="10.1.0.9", network_address="10.1.0.8/29")
        ),
        "overlaps 10.1.0.0/24 of network lan",
        "Use a network that",
    ),
    (
        lambda: gateway(connection()).without_network("lan", force=False),
        "state 'absent'",
        "set force to true",
    ),
    (lambda: connection(remote_gateway="0.0.0.0"), "remote_gateway '0.0.0.0'", "write %any"),
    (lambda: connection(remote_gateway="a b"), "remote_gateway 'a b'", "Write an IPv4"),
    (lambda: connection(psk=None), "psk: is missing", "Give the pre-shared key."),
    (lambda: connection(psk=""), "psk '********'", "Give 20 random characters"),
    (lambda: connection(key_exchange="ikev3"), "key_exchange 'ikev3'", "Use one of: auto"),
    (lambda: connection(remote_gateway="%any"), "connection_behavior", "to responder_only"),
    (
        lambda: connection(authentication="pubkey", psk=None),
        "certificate: is missing",
        "Give the path of a PEM file",
    ),
    (lambda: connection(certificate="/gw.pem"), "certificate '/gw.pem'", "Remove certificate"),
    (lambda: connection(identifier="%any"), "identifier '%any'", "remove identifier"),
    (lambda: connection(identifier="ipv4:192.0.2.1"), "identifier", "Write 192.0.2.1."),
    (lambda: connection(lifetime=600, lifetime_unit="seconds"), "lifetime 600", "shorten margin"),
    (lambda: connection(negotiation_mode="aggressive"), "negotiation_mode", "to main"),
    (lambda: connection(encryption=[{"algorithm": "aes256"}]), "[0].algorithm", "aes, aes-gcm"),
    (lambda: connection(encryption=[{"dh_group": 3}]), "encryption[0].dh_group 3", "14, 15"),
    (lambda: connection(dpd_delay=0), "dpd_delay 0", "from 1 to 86400"),
    (
        lambda: gateway(connection()).with_connection(connection(name="site-c")),
        "is the peer of phase 1 site-b",
        "define a further phase 2 of phase 1 site-b",
    ),
    (
        lambda: gateway(connection()).with_connection(connection(network="dmz", name="x")),
        "network 'dmz'",
        "create it first with vpn_network",
    ),
    (
        lambda: gateway(connection()).with_connection(
            connection(
                name="road",
                remote_gateway="%any",
                connection_behavior="responder_only",
                psk="another key for every peer",
            )
        ),
        "lets the holder of the psk of phase 1 road connect as the peer of phase 1 site-b",
        "Set peer_identifier of phase 1 road to the identity of one peer.",
    ),
    (
        lambda: gateway(connection()).with_child(child(phase1="site-x")),
        "phase1 'site-x'",
        "create it first with ipsec_phase1",
    ),
    (lambda: child(local_network=None), "local_network: is missing", "Give a list of networks"),
    (lambda: child(remote_network=["10.2.0.5/24"]), "remote_network[0]", "Write 10.2.0.0/24"),
    (lambda: child(remote_network=["fd00:2::/64"]), "remote_network", "of one IP version"),
    (
        lambda: child(1, remote_network=["10.2.0.0/24", "10.3.0.0/24"]),
        "remote_network",
        "one phase 2 for each network",
    ),
    (
        lambda: gateway(connection()).with_child(child(remote_network=["10.1.0.0/25"])),
        "remote_network '10.1.0.0/25'",
        "Use networks of the peer only",
    ),
    (lambda: rule(action=None), "action: is missing", "Give one of: accept"),
    (lambda: rule(direction=None), "direction: is missing", "Give one of: incoming, outgoing."),
    (lambda: rule(destination_ports=["80"]), "destination_ports", "set protocol to tcp or udp"),
    (lambda: rule(target="10.1.0.7"), "target '10.1.0.7'", "set action to translate or route"),
    (lambda: settings(mss_clamp=100), "mss_clamp 100", "Use 0 to switch it off"),
    (lambda: settings(swanctl_conf="x"), "swanctl_conf '********'", "configuration_mode"),
)


@pytest.mark.parametrize(("provoke", "found", "fix"), LIKELY)
def test_likely_errors(provoke: t.Callable[[], object], found: str, fix: str) -> None:
    with pytest.raises(ModelError) as raised:
        provoke()
    error = raised.value
    check_form(error)
    match = FORM.fullmatch(str(error))
    assert match, str(error)
    assert found in str(error)
    assert fix in error.fix


def _calls() -> t.Iterator[tuple[str, str, list[ast.expr]]]:
    for path in sorted(PLUGINS.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                place = f"{path.relative_to(PLUGINS)}:{node.lineno}"
                yield node.func.id, place, node.args


CALLS = [item for item in _calls() if item[0] in ("ModelError", "HostError")]


def _texts(node: ast.expr) -> t.Iterator[str]:
    """Yield each possible text of an argument, with ``x`` in the place of each expression."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        parts = (part.value if isinstance(part, ast.Constant) else "x" for part in node.values)
        yield "".join(map(str, parts))
    elif isinstance(node, ast.IfExp):
        yield from (*_texts(node.body), *_texts(node.orelse))


def test_there_is_something_to_look_at() -> None:
    assert len(CALLS) > 150


@pytest.mark.parametrize(("kind", "place", "arguments"), CALLS, ids=[item[1] for item in CALLS])
def test_every_error_is_written_in_the_same_form(
    kind: str, place: str, arguments: list[ast.expr]
) -> None:
    if kind == "HostError":
        operation, reason, *advice = arguments
        assert all(re.match(r"[a-z]", text) for text in _texts(operation)), place
        assert not any(text.endswith(".") for text in _texts(reason)), place
        sentences = [text for item in advice for text in _texts(item) if text]
    else:
        _option, _value, problem, fix, *_subject = arguments
        assert all(re.match(r"[a-zI]", text) for text in _texts(problem)), place
        assert not any(text.endswith((".", ":")) for text in _texts(problem)), place
        sentences = [*_texts(fix)]
    for text in sentences:
        assert re.fullmatch(r"[A-Z].*\.", text), f"{place}: {text}"
        assert "egal: " not in text, place
