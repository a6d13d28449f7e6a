# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Conversion of models to files and back, and the texts of a file that may be shown."""

from __future__ import annotations

import base64
import contextlib
import json
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import SyntaxFault
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.connection import (
    IkeConnection,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.network import VpnNetwork
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.secret import Secret
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.settings import (
    IpsecSettings,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.connection import (
    connection_section,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.records import (
    MANAGED,
    RecordFault,
    conf_text,
    connection_text,
    network_record,
    read_conf,
    read_connection,
    read_network,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.shared_secrets import (
    SharedSecret,
    ppk_secret_id,
    secret_id,
    secret_section,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.strongswan.section import (
    secret_bytes,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.strongswan.strict import (
    parse,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.strongswan.writer import (
    render,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.swanctl_files import (
    secrets_of,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    PSK,
    PUBKEY,
    child,
    connection,
    network,
    settings,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.strategies import (
    connections,
    gateways,
    networks,
    psks,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.strategies import (
    settings as random_settings,
)
from hypothesis import assume, given
from hypothesis import settings as profile
from hypothesis import strategies as st

PATH = "/etc/x"


def body_of(made: IkeConnection) -> dict[str, t.Any]:
    body: dict[str, t.Any] = {
        "connections": {made.name: connection_section(made, IpsecSettings(made.network))}
    }
    secrets = secrets_of(made)
    if secrets:
        body["secrets"] = {shared.id: secret_section(shared) for shared in secrets}
    return body


def text_of(made: IkeConnection, *, loaded: bool = True) -> str:
    return connection_text(made, body_of(made), loaded=loaded)


class TestConnections:
    @profile(max_examples=50, deadline=None)
    @given(gateways(), st.booleans())
    def test_round_trip(self, gateway: t.Any, loaded: bool) -> None:
        for made in gateway.connections.values():
            assert read_connection(PATH, text_of(made, loaded=loaded)) == made

    @profile(max_examples=30, deadline=None)
    @given(connections("x", "lan", 1), psks, st.booleans())
    def test_round_trip_of_any_psk(self, made: IkeConnection, psk: str, loaded: bool) -> None:
        made = replace(made, psk=Secret(psk.encode()))
        assume(made.psk != made.ppk)
        assert read_connection(PATH, text_of(made, loaded=loaded)) == made

    @pytest.mark.parametrize("loaded", [True, False])
    @pytest.mark.parametrize(
        "options",
        [
            PUBKEY,
            {"description": "# record {}"},
            {"identifier": 'a" }\\ $(x) `y` # record {"psk": 1}'},
            {"peer_identifier": "#off b, Example"},
            {"psk": '#off # record {}\n\\\n"}'},
        ],
    )
    def test_round_trip_of_hostile_texts(self, options: dict[str, t.Any], loaded: bool) -> None:
        made = connection(child(description="#off } \u00fc"), **options)
        assert read_connection(PATH, text_of(made, loaded=loaded)) == made

    @profile(max_examples=30, deadline=None)
    @given(gateways())
    def test_a_disabled_one_holds_nothing_that_swanctl_would_load(self, gateway: t.Any) -> None:
        for made in gateway.connections.values():
            assert parse(text_of(made, loaded=False)) == {}
            assert parse(text_of(made, loaded=True)).keys() == {"connections", "secrets"}

    def test_the_psk_stands_in_its_section_alone_and_means_nothing_to_the_parser(self) -> None:
        text = text_of(connection(psk="0x41 }"))
        assert "0x41" not in text
        (line,) = [line for line in text.splitlines() if "secret =" in line]
        assert line.split("= ")[1] == "0s" + base64.b64encode(b"0x41 }").decode()

    def test_begins_with_what_it_is(self) -> None:
        first, second, *_rest = text_of(connection()).split("\n")
        assert first == MANAGED
        assert second.startswith("# record {")


class TestSecrets:
    @pytest.mark.parametrize("owners", [(), ("192.0.2.2",), ("b@example.org", "192.0.2.2")])
    def test_section(self, owners: tuple[str, ...]) -> None:
        shared = SharedSecret("ike-site-b", "IKE", owners, Secret(b"hush"))
        section = t.cast("dict[str, str]", secret_section(shared))
        assert tuple(section[key] for key in section if key.startswith("id")) == owners
        assert secret_bytes(section["secret"]) == b"hush"

    def test_swanctl_tells_the_kind_by_the_name(self) -> None:
        assert secret_id("x").startswith("ike")
        assert ppk_secret_id("x").startswith("ppk")


class TestNetworks:
    @profile(max_examples=40, deadline=None)
    @given(networks(1), random_settings("net1"))
    def test_round_trip(self, made: VpnNetwork, options: IpsecSettings) -> None:
        again, settings_options, rules = read_network(PATH, network_record(made, options))
        assert rules == ()
        assert again == made
        assert IpsecSettings.from_options(settings_options) == options

    @pytest.mark.parametrize(("state", "forwarding"), [("started", [4, 6]), ("stopped", [])])
    def test_it_names_what_is_live(self, state: str, forwarding: list[int]) -> None:
        """A network that is switched off has no interface, and needs no forwarding."""
        record = json.loads(network_record(network(state=state), settings(), (), (4, 6)))
        interface = {"device": "vpn-lan", "made": True, "router": "10.1.0.1/24"}
        assert record["interfaces"] == ([interface] if state == "started" else [])
        assert record["forwarding"] == forwarding

    def test_conf_texts_are_not_in_the_record(self) -> None:
        secret = settings(configuration_mode="advanced", swanctl_conf="hush")
        assert "hush" not in network_record(network(), secret)


def lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line]


class TestConfTexts:
    @pytest.mark.parametrize("loaded", [True, False])
    @pytest.mark.parametrize(
        "text", ["a = b\n", "a = b", "\n\n", "a {\r\n}\r\n", "#off a = b\nc = d\n", "x\n\n\ny"]
    )
    def test_round_trip(self, text: str, loaded: bool) -> None:
        installed = conf_text(text, loaded=loaded)
        assert installed.startswith(f"{MANAGED}\n")
        assert installed.endswith("\n")
        assert read_conf(installed) == (text if text.endswith("\n") else f"{text}\n")

    @profile(max_examples=60)
    @given(st.text(st.sampled_from('a #of\n\r\x0b\x85\u2028{}="\\')), st.booleans())
    def test_round_trip_of_any(self, text: str, loaded: bool) -> None:
        # A text with the mark #off on each line looks like a text that was switched off.
        assume(loaded is False or not all(line.startswith("#off ") for line in lines(text)))
        installed = conf_text(text, loaded=loaded)
        assert conf_text(read_conf(installed), loaded=loaded) == installed

    @profile(max_examples=60)
    @given(st.text(st.sampled_from('a #of\n\x0b\x85\u2028{}="\\')))
    def test_switched_off_nothing_is_left_of_it(self, text: str) -> None:
        assert parse(conf_text(text, loaded=False)) == {}

    def test_a_text_that_lost_its_head_is_taken_as_it_is(self) -> None:
        assert read_conf("a = b\n") == "a = b\n"


class TestSpoilt:
    GOOD: t.ClassVar = text_of(connection(child()))

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("", "'# record' is missing"),
            (GOOD.split("\n", 2)[2], "'# record' is missing"),
            (f"\n{GOOD}", "'# record' is missing"),
            (GOOD.replace("# record {", "# record {{"), "Expecting property name"),
            (f"{MANAGED}\n# record 7\n", ""),
            (f"{MANAGED}\n# record []\n", ""),
            (f"{MANAGED}\n# record {{}}\n", "the entry 'children' is missing"),
            (GOOD.replace('"children"', '"offspring"'), "the entry 'children' is missing"),
            (GOOD.replace('"children": [', '"children": [7, '), ""),
            (GOOD.replace('"network": "lan"', '"network": 7'), "network 7: is not a valid name"),
            (GOOD.replace('"remote_gateway"', '"gateway"'), "remote_gateway"),
            (
                GOOD.replace('"lifetime": 3', '"lifetime": "3"'),
                "lifetime '3': is not a whole",
            ),
            (GOOD.replace('"local_network": [', '"local_network": [[], '), "local_network[0]"),
            (GOOD.replace('secret = "0s', 'secret = "0s!'), "must be base64"),
            (GOOD.replace("secret =", "secrets ="), "psk: is missing"),
            (GOOD.replace("secrets {", "secrets = x\nx {"), "psk: is missing"),
            (GOOD.replace("secrets {", "secrets {{"), "line"),
            (GOOD[:-20], "line"),
        ],
    )
    def test_connection(self, text: str, why: str) -> None:
        assert text != self.GOOD
        with pytest.raises(RecordFault) as raised:
            read_connection(PATH, text)
        assert raised.value.path == PATH
        message = str(raised.value)
        assert message.startswith(f"{PATH}: ")
        assert why in message
        assert message.endswith(". Restore the file, or remove it and run the module again.")
        assert base64.b64encode(PSK.encode()).decode()[:10] not in message

    @pytest.mark.parametrize("is_damaged", [True, False])
    def test_the_line_of_a_fault_is_a_line_of_the_file(self, *, is_damaged: bool) -> None:
        text = self.GOOD.replace("ike-site-b {", "ike-site-b {{")
        if is_damaged:
            text = text.replace("connections {", "connections {{")
        line = text.split("\n").index("    ike-site-b {{") + 1
        with pytest.raises(RecordFault, match=f"line {line}: "):
            read_connection(PATH, text)

    def test_secrets_are_read_as_strongswan_merges_them(self) -> None:
        first = "secrets {\n    other {\n    }\n}\n"
        text = self.GOOD.replace("connections {", f"{first}connections {{", 1)
        assert read_connection(PATH, text) == connection(child())

    @pytest.mark.parametrize("loaded", [True, False])
    def test_what_stands_before_the_secrets_is_made_of_the_record(self, *, loaded: bool) -> None:
        made = connection(child())
        text = text_of(made, loaded=loaded).replace("connections {", "connections {{")
        assert "connections {{" in text
        assert read_connection(PATH, text) == made

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("", "Expecting value"),
            ("{}", "the entry 'vpn_network' is missing"),
            ("[]", ""),
            ('{"vpn_network": 7}', ""),
            ('{"vpn_network": {"name": "lan"}, "ipsec_settings": {}}', "ip_address: is missing"),
            (
                '{"vpn_network": {"name": "lan", "ip_address_type": "none"}}',
                "the entry 'ipsec_settings' is missing",
            ),
        ],
    )
    def test_network(self, text: str, why: str) -> None:
        with pytest.raises(RecordFault, match=f"^{PATH}: ") as raised:
            read_network(PATH, text)
        assert why in str(raised.value)

    @profile(max_examples=60, deadline=None)
    @given(st.recursive(st.none() | st.integers() | st.text(), st.lists), st.data())
    def test_whatever_json_there_is_nothing_else_is_raised(self, value: t.Any, data: t.Any) -> None:
        record = json.loads(self.GOOD.split("\n")[1][len("# record ") :])
        key = data.draw(st.sampled_from(sorted(record)))
        text = f"{MANAGED}\n# record {json.dumps({**record, key: value})}\n"
        rest = self.GOOD.split("\n", 2)[2]
        with contextlib.suppress(RecordFault):
            read_connection(PATH, text + rest)


def test_a_file_is_what_strongswan_parses() -> None:
    made = connection(child())
    assert render(parse(text_of(made))) == text_of(made).split("\n", 2)[2]
    with pytest.raises(SyntaxFault):
        parse(text_of(made)[:-4])
