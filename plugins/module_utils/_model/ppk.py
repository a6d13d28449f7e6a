# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Post-quantum pre-shared keys (PPK) of IKEv2, beside the authentication of a phase 1 (RFC 8784).

The initiator sends the identity of its PPK, and the responder finds its PPK by this identity. The
texts here are the rules of strongSwan 5.9.8, 6.0.1 and 6.1.0, which handle a PPK alike.
"""

from __future__ import annotations

import re
import typing as t

from .._errors import ModelError
from .identity import Identity
from .secret import MASK

if t.TYPE_CHECKING:
    from .connection import IkeConnection

_PPK_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,126}")


def ppk_id(option: str, value: object) -> str:
    """Return the identity of a PPK: a text that the receiver reads as the sender writes it.

    strongSwan sends the bytes of an identity without its kind, and reads them as a text. An address
    or a key ID is therefore another identity for the receiver. A pattern would match several PPKs.
    """
    text = value if isinstance(value, str) else ""
    if not _PPK_ID.fullmatch(text):
        form = "1 to 127 of the characters A-Z, a-z, 0-9, '.', '_', '@', '+' and '-'"
        fix = f"Use {form}, of which the first is a letter or a digit, such as ppk-site-b."
        raise ModelError(option, value, "is not a valid identity of a PPK", fix)
    if Identity.parse(text).kind not in ("fqdn", "email"):
        problem = "is an address, which strongSwan sends in a form that no peer finds a PPK by"
        raise ModelError(option, value, problem, "Use a name, such as ppk-site-b.")
    return text


def check_ppk(connection: IkeConnection) -> None:
    """Raise ModelError naming the option if the options of a PPK contradict each other."""
    if connection.ppk is None and connection.ppk_id is None:
        if connection.ppk_required:
            problem = "has no effect without a PPK"
            fix = "Give ppk and ppk_id, or set ppk_required to false."
            raise ModelError("ppk_required", connection.ppk_required, problem, fix)
        return
    if connection.ppk_id is None:
        problem = "is missing for ppk: the peer finds the PPK by this identity"
        fix = "Give the identity that the PPK has on both sides, or remove ppk."
        raise ModelError("ppk_id", None, problem, fix)
    if connection.ppk is None:
        problem = f"is missing for ppk_id {connection.ppk_id!r}"
        fix = "Give the PPK that the peer has under this identity, or remove ppk_id."
        raise ModelError("ppk", None, problem, fix)
    if connection.ppk == connection.psk:
        problem = "is the psk of this phase 1 too, so that the loss of one key is the loss of both"
        raise ModelError("ppk", MASK, problem, "Give another key for ppk, on both sides.")
    _check_version(connection)


def _check_version(connection: IkeConnection) -> None:
    """Refuse IKEv1, which knows no PPK: strongSwan then ignores even a required PPK."""
    if 2 not in connection.versions:
        problem = f"has no effect with key_exchange {connection.key_exchange}: IKEv1 uses no PPK"
        fix = "Set key_exchange to ikev2, or remove ppk and ppk_id."
        raise ModelError("ppk_id", connection.ppk_id, problem, fix)
    if 1 in connection.versions and connection.ppk_required:
        problem = (
            f"has no effect on a peer that initiates IKEv1, which key_exchange "
            f"{connection.key_exchange} accepts: IKEv1 uses no PPK"
        )
        fix = "Set key_exchange to ikev2, or ppk_required to false."
        raise ModelError("ppk_required", connection.ppk_required, problem, fix)


def check_ppks(connection: IkeConnection, other: IkeConnection) -> None:
    """Refuse two PPKs of one identity: strongSwan uses the PPK that was loaded last, for both.

    A PPK is None while only its host knows it.
    """
    if not connection.enabled or not other.enabled or None in (connection.ppk, other.ppk):
        return
    if connection.ppk_mark == other.ppk_mark and connection.ppk != other.ppk:
        raise ModelError(
            "ppk_id",
            connection.ppk_id,
            f"is the ppk_id of {other.subject} too, with another ppk: strongSwan uses one of the "
            "two keys for both peers, and ignores case",
            "Use another ppk_id on this host and on the peer, or give both the same ppk.",
            connection.subject,
        )
