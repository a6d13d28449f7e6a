# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The keys of ``connections.<phase 1>``, and the options of ``ipsec_phase1`` that become them."""

from __future__ import annotations

from ..._model.checks import ANY
from ..._model.connection import IkeConnection
from ..._model.proposal import Use
from ..strongswan.section import Value
from .phase1_times import (
    margin,
    read_lifetime,
    read_margintime,
    read_reauth,
    read_rekey,
    reauth_time,
    rekey_time,
)
from .table import (
    Options,
    Phase1,
    Sections,
    Setting,
    as_written,
    choice,
    is_yes,
    items,
    keywords,
    number,
    proposals,
    switch,
    unread,
    unreadable,
)

_VERSION = {"auto": "0", "ikev1": "1", "ikev2": "2"}
_AUTHENTICATION = {"psk": "psk", "pubkey": "pubkey"}
_AGGRESSIVE = {"main": "no", "aggressive": "yes"}
_UNIQUE = {"yes": "replace", "no": "no", "never": "never"}
_REVOCATION = {"yes": "strict", "ifuri": "ifuri", "no": "relaxed"}


def _is_ikev1(model: Phase1) -> bool:
    return 1 in model.connection.versions


def _has_ppk(model: Phase1) -> bool:
    return model.connection.ppk_id is not None


def _is_certified(model: Phase1) -> bool:
    return model.connection.authentication == "pubkey"


def credential_file(connection: IkeConnection, number: int = 1) -> str:
    """Return the name of a phase 1's certificates, key and CAs in swanctl's directories."""
    return f"tunnelwright.{connection.name}{'' if number == 1 else f'.{number}'}.pem"


def _one_address(option: str, text: Value) -> str:
    addresses = items(text)
    if len(addresses) != 1:
        raise unreadable(option, text, "Use one address, or one name.")
    return addresses[0]


def _local_address(text: Value, _sections: Sections) -> Options:
    address = _one_address("ipsec_phase1.local_address", text)
    return {"ipsec_phase1.local_address": None if address == ANY else address}


def _remote_gateway(text: Value, _sections: Sections) -> Options:
    return {"ipsec_phase1.remote_gateway": _one_address("ipsec_phase1.remote_gateway", text)}


def _peer_identifier(text: Value, sections: Sections) -> Options:
    if (text,) == items(sections.connection.get("remote_addrs")):
        # The default.
        return {}
    return {"ipsec_phase1.peer_identifier": str(text)}


def _negotiation_mode(text: Value, _sections: Sections) -> Options:
    option = "ipsec_phase1.negotiation_mode"
    return {option: "aggressive" if is_yes(option, text) else "main"}


def _dpd_delay(text: Value, _sections: Sections) -> Options:
    seconds = number("ipsec_phase1.dpd_delay", text)
    if seconds == 0:
        return {"ipsec_phase1.dpd_action": "none"}
    return {"ipsec_phase1.dpd_delay": seconds}


def _dpd_failures(text: Value, sections: Sections) -> Options:
    option = "ipsec_phase1.dpd_failures"
    delay = number(option, sections.connection.get("dpd_delay", "0"))
    timeout = number(option, text)
    if not delay or timeout < 2 * delay or timeout % delay:
        raise unreadable(option, text, "Use a multiple of dpd_delay: twice, or more.")
    return {option: timeout // delay - 1}


def _looks_for_dead_peers(model: Phase1) -> bool:
    # IKEv2 gives up after its retransmissions instead (RFC 7296 section 2.4).
    return _is_ikev1(model) and model.connection.dpd_action != "none"


# In the order in which the keys are written.
PHASE1: tuple[Setting[Phase1], ...] = (
    choice("ipsec_phase1.key_exchange", "version", _VERSION, lambda x: x.connection.key_exchange),
    Setting(
        "ipsec_phase1.local_address",
        "local_addrs",
        lambda x: (x.connection.local_address or ANY,),
        _local_address,
    ),
    Setting(
        "ipsec_phase1.remote_gateway",
        "remote_addrs",
        lambda x: (x.connection.remote_gateway,),
        _remote_gateway,
    ),
    Setting(
        "ipsec_phase1.encryption",
        "proposals",
        lambda x: keywords(x.connection.encryption),
        proposals("ipsec_phase1.encryption", Use.IKE),
    ),
    Setting(
        "ipsec_phase1.ppk_id",
        "ppk_id",
        lambda x: x.connection.ppk_id or "",
        as_written("ipsec_phase1.ppk_id"),
        _has_ppk,
    ),
    Setting(
        "ipsec_phase1.ppk_required",
        "ppk_required",
        lambda x: "yes" if x.connection.ppk_required else "no",
        lambda text, _sections: {
            "ipsec_phase1.ppk_required": is_yes("ipsec_phase1.ppk_required", text)
        },
        _has_ppk,
        {False: "no", True: "yes"},
        also=("ipsec_phase1.ppk_id",),
    ),
    choice("ipsec_settings.unique_ids", "unique", _UNIQUE, lambda x: x.settings.unique_ids),
    switch(
        "ipsec_phase1.force_udp_encapsulation",
        "encap",
        lambda x: x.connection.force_udp_encapsulation,
    ),
    switch("ipsec_phase1.mobike", "mobike", lambda x: x.connection.mobike),
    Setting(
        "ipsec_phase1.keying_tries",
        "keyingtries",
        lambda x: str(x.connection.keying_tries),
        lambda text, _sections: {
            "ipsec_phase1.keying_tries": number("ipsec_phase1.keying_tries", text)
        },
    ),
    Setting(
        "ipsec_phase1.negotiation_mode",
        "aggressive",
        lambda x: _AGGRESSIVE[x.connection.negotiation_mode],
        _negotiation_mode,
        _is_ikev1,
        _AGGRESSIVE,
        also=("ipsec_phase1.key_exchange",),
    ),
    Setting(
        "ipsec_phase1.dpd_delay",
        "dpd_delay",
        lambda x: "0" if x.connection.dpd_action == "none" else str(x.connection.dpd_delay),
        _dpd_delay,
        also=("ipsec_phase1.dpd_action",),
    ),
    Setting(
        "ipsec_phase1.dpd_failures",
        "dpd_timeout",
        lambda x: str(x.connection.dpd_delay * (x.connection.dpd_failures + 1)),
        _dpd_failures,
        _looks_for_dead_peers,
        also=("ipsec_phase1.dpd_delay", "ipsec_phase1.dpd_action", "ipsec_phase1.key_exchange"),
    ),
    Setting(
        "ipsec_phase1.lifetime",
        "rekey_time",
        rekey_time,
        read_lifetime,
        also=("ipsec_phase1.margintime", "ipsec_phase1.rekey", "ipsec_phase1.reauth"),
    ),
    Setting(
        "ipsec_phase1.reauth",
        "reauth_time",
        reauth_time,
        read_reauth,
        also=("ipsec_phase1.lifetime", "ipsec_phase1.margintime", "ipsec_phase1.rekey"),
    ),
    Setting(
        "ipsec_phase1.margintime",
        "over_time",
        margin,
        read_margintime,
        also=("ipsec_phase1.rekey",),
    ),
    Setting(
        "ipsec_phase1.rekey",
        "rand_time",
        margin,
        read_rekey,
        also=("ipsec_phase1.margintime",),
    ),
    choice(
        "ipsec_phase1.authentication",
        "local.auth",
        _AUTHENTICATION,
        lambda x: x.connection.authentication,
    ),
    Setting(
        "ipsec_phase1.identifier",
        "local.id",
        lambda x: x.connection.identifier or "",
        as_written("ipsec_phase1.identifier"),
        lambda x: bool(x.connection.identifier),
    ),
    # The path of the PEM file that was copied is in our record alone.
    Setting(
        "ipsec_phase1.certificate",
        "local.certs",
        lambda x: (credential_file(x.connection),),
        unread,
        _is_certified,
        also=("ipsec_phase1.name", "ipsec_phase1.authentication"),
    ),
    choice(
        "ipsec_phase1.authentication",
        "remote.auth",
        _AUTHENTICATION,
        lambda x: x.connection.authentication,
    ),
    # Without it, an IKEv2 initiator would look for the PSK of `%any`.
    Setting(
        "ipsec_phase1.peer_identifier",
        "remote.id",
        lambda x: x.connection.peer_identity,
        _peer_identifier,
        also=("ipsec_phase1.remote_gateway",),
    ),
    Setting(
        "ipsec_phase1.ca",
        "remote.cacerts",
        lambda x: (credential_file(x.connection),),
        unread,
        _is_certified,
        also=("ipsec_phase1.name", "ipsec_phase1.authentication"),
    ),
    choice(
        "ipsec_settings.strict_crl",
        "remote.revocation",
        _REVOCATION,
        lambda x: x.settings.strict_crl,
        _is_certified,
        also=("ipsec_phase1.authentication",),
    ),
)
