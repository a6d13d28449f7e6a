# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No shown text contains a secret, even if the text cannot be parsed."""

from __future__ import annotations

import base64
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.connection import (
    IkeConnection,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.secret import MASK, Secret
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.settings import (
    IpsecSettings,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.connection import (
    connection_section,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.masking import masked
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.records import (
    MANAGED,
    conf_text,
    connection_text,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.shared_secrets import (
    SharedSecret,
    secret_section,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    PSK,
    child,
    connection,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.strategies import gateways
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st


def text_of(made: IkeConnection, *, loaded: bool = True) -> str:
    """Return the file of a phase 1 with a PSK."""
    sections = {made.name: connection_section(made, IpsecSettings(made.network))}
    assert made.psk is not None
    secrets = {"ike-b": secret_section(SharedSecret("", "IKE", made.psk_owners, made.psk))}
    return connection_text(made, {"connections": sections, "secrets": secrets}, loaded=loaded)


class TestMasked:
    SECRETS: t.ClassVar = ("hush", "aHVzaA", "0x6875")
    WELL: t.ClassVar = [
        "secrets {\n ike-1 {\n  secret = hush\n }\n}\n",
        'secrets { ike-1 { secret = "hu\\\nsh" } }\n',
        'secrets {\n ike-1 {\n  secret = "a\n# hush" }\n}\n',
        'secrets {\n ike-1 {\n  secret = "a\n#off hush" }\n}\n',
        'secrets {\n ike-1 {\n  secret = "a\u2028# hush" }\n}\n',
        "secrets {\n eap-x {\n  id = a\n  secret = hush hush\n }\n}\n",
        "secrets { ike-1 { secret = 0saHVzaA== }\n }\n",
        "secrets { ppk-1 { secret = 0x68757368 }\n }\n",
        "secrets { private-1 { file = x\n secret = hush\n } }\n",
        "secrets { token-1 { handle = hush\n pin = hush\n } }\n",
        "charon { plugins { eap-radius { secret = hush\n servers { a { secret = hush\n } } } } }",
        "charon { plugins { sql { database = mysql://u:hush@h/db\n } } }",
        "charon { plugins { tnc-ifmap { username_password = a:hush\n } } }",
        "charon { plugins { load-tester { preshared_key = hush\n } } }",
        "# secret = hush\na = b\n",
        "  # secret = hush\na = b\n",
        "a = b # hush\n",
    ]

    @pytest.mark.parametrize("loaded", [True, False])
    @pytest.mark.parametrize("text", WELL)
    def test_shows_no_secret(self, text: str, loaded: bool) -> None:
        shown = masked(conf_text(text, loaded=loaded))
        assert not any(secret in shown for secret in self.SECRETS)
        # The mask does not hide the whole text.
        assert shown != f"{MANAGED}\n{MASK}\n"

    @pytest.mark.parametrize("text", [text for text in WELL if text.startswith("secrets {")])
    def test_shows_no_secret_of_what_is_broken(self, text: str) -> None:
        for at in range(len("secrets {"), len(text)):
            for broken in (
                text[:at],
                text[:at] + text[at + 1 :],
                *(text[:at] + more + text[at:] for more in '}{"\n#='),
            ):
                assert not any(secret in masked(broken) for secret in self.SECRETS), broken

    def test_what_can_not_be_parsed_is_hidden_whole(self) -> None:
        assert masked(f"{MANAGED}\nsecrets {{\n ike {{ secret = hush\n") == f"{MANAGED}\n{MASK}\n"
        assert masked('"hush') == f"{MASK}\n"

    @pytest.mark.parametrize("loaded", [True, False])
    def test_shows_the_rest(self, loaded: bool) -> None:
        made = connection(child())
        text = text_of(made, loaded=loaded)
        secret = base64.b64encode(PSK.encode()).decode()
        assert masked(text) == text.replace(f'"0s{secret}"', MASK)

    @profile(max_examples=40, deadline=None)
    @given(gateways(), st.booleans())
    def test_shows_no_psk_of_any(self, gateway: t.Any, loaded: bool) -> None:
        for made in gateway.connections.values():
            text = text_of(made, loaded=loaded)
            changed = replace(made, psk=Secret(b"another"))
            assert masked(text) == masked(text_of(changed, loaded=loaded))

    def test_a_setting_is_not_taken_for_a_secret(self) -> None:
        text = "charon {\n    i_dont_care_about_security_and_use_aggressive_mode_psk = yes\n}\n"
        assert masked(text) == text
