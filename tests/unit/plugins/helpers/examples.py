# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The models that tests begin with: one network, one peer, one tunnel."""

from __future__ import annotations

import contextlib
import re
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import (
    ModelError,
    shown,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.child import ChildSa
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.connection import (
    IkeConnection,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.gateway import Gateway
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.network import VpnNetwork
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.rule import VpnRule
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.settings import (
    IpsecSettings,
)

PSK = "correct horse battery staple"

NETWORK = {"name": "lan", "ip_address": "10.1.0.1", "network_address": "10.1.0.0/24"}
PHASE1 = {"name": "site-b", "network": "lan", "remote_gateway": "192.0.2.2", "psk": PSK}
PHASE2 = {
    "name": "net",
    "phase1": "site-b",
    "network": "lan",
    "local_network": ["10.1.0.0/24"],
    "remote_network": ["10.2.0.0/24"],
}
RULE = {"name": "web", "network": "lan", "action": "accept", "direction": "incoming"}
PPK = {"ppk": "a key that a quantum computer needs", "ppk_id": "ppk-site-b"}
PUBKEY = {
    "authentication": "pubkey",
    "psk": None,
    "certificate": "/etc/ssl/gw.pem",
    "private_key": "/etc/ssl/gw.key",
    "ca": "/etc/ssl/ca.pem",
}


def network(**options: t.Any) -> VpnNetwork:
    return VpnNetwork.from_options({**NETWORK, **options})


def settings(**options: t.Any) -> IpsecSettings:
    return IpsecSettings.from_options({"network": "lan", **options})


def connection(*children: ChildSa, **options: t.Any) -> IkeConnection:
    made = IkeConnection.from_options({**PHASE1, **options})
    for item in children:
        made = made.with_child(item)
    return made


def child(*versions: int, **options: t.Any) -> ChildSa:
    """Return a phase 2. ``versions`` are the IKE versions of its phase 1, by default IKEv2."""
    return ChildSa.from_options({**PHASE2, **options}, frozenset(versions or (2,)))


def rule(**options: t.Any) -> VpnRule:
    return VpnRule.from_options({**RULE, **options})


def gateway(*parts: VpnNetwork | IpsecSettings | IkeConnection | VpnRule) -> Gateway:
    """Return a gateway of these parts, with the network ``lan`` if no network is given."""
    made = Gateway()
    if not any(isinstance(part, VpnNetwork) for part in parts):
        made = made.with_network(network())
    for part in parts:
        if isinstance(part, VpnNetwork):
            made = made.with_network(part)
        elif isinstance(part, IpsecSettings):
            made = made.with_settings(part)
        elif isinstance(part, VpnRule):
            made = made.with_rule(part)
        else:
            made = made.with_connection(part)
    return made


@contextlib.contextmanager
def refused(option: str, subject: str, *words: str) -> t.Iterator[None]:
    """Expect a ModelError about the option of the subject, in the common form, with the words."""
    with pytest.raises(ModelError) as raised:
        yield
    assert raised.value.option == option
    assert raised.value.subject == subject
    check_form(raised.value)
    for word in words:
        assert word in str(raised.value), f"{word!r} is not in: {raised.value}"


_PROBLEM = re.compile(r"[a-z][^\n]*[^.:;\s]")
_FIX = re.compile(r"[A-Z](?!egal)[^\n]*[^.:;\s]\.")


def check_form(error: ModelError) -> None:
    """Check for the form ``<object>: <option> <value>: <problem>. <what to do>.``"""
    missing = error.value is None or error.value == []
    assert missing or error.option, "a value without its option"
    place = error.option if missing else f"{error.option} {shown(error.value)}"
    whole = ": ".join(part for part in (error.subject, place, error.problem) if part)
    assert str(error) == f"{whole}. {error.fix}"
    assert _PROBLEM.fullmatch(error.problem), error.problem
    assert _FIX.fullmatch(error.fix), error.fix
    assert "can't" not in error.problem
