# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The times of an IKE SA, and the options of ``ipsec_phase1`` that become them.

With L the lifetime and M the margin: an SA is renewed at L - M, less up to M at random, and closed
M later.
"""

from __future__ import annotations

from ..._model.connection import IkeConnection
from ..strongswan.section import Section, Value
from .table import Options, Phase1, Sections, number


def _renewal(connection: IkeConnection) -> str:
    return str(connection.lifetime_seconds - connection.margin_seconds)


def margin(model: Phase1) -> str:
    return str(model.connection.margin_seconds) if model.connection.rekey else "0"


def rekey_time(model: Phase1) -> str:
    connection = model.connection
    return _renewal(connection) if connection.rekey and not connection.reauth else "0"


def reauth_time(model: Phase1) -> str:
    connection = model.connection
    return _renewal(connection) if connection.rekey and connection.reauth else "0"


def _seconds(section: Section, key: str) -> int:
    return number(f"ipsec_phase1.{key}", section.get(key, "0"))


def _renewed_at(section: Section) -> int:
    """Return the time in seconds at which the IKE SA is renewed, 0 for never."""
    return _seconds(section, "rekey_time") or _seconds(section, "reauth_time")


def read_lifetime(_text: Value, sections: Sections) -> Options:
    renewed_at = _renewed_at(sections.connection)
    if renewed_at == 0:
        return {}
    return {"ipsec_phase1.lifetime": renewed_at + _seconds(sections.connection, "over_time")}


def read_reauth(text: Value, sections: Sections) -> Options:
    is_reauth = number("ipsec_phase1.reauth", text) != 0
    return {"ipsec_phase1.reauth": is_reauth} if _renewed_at(sections.connection) else {}


def read_margintime(text: Value, _sections: Sections) -> Options:
    seconds = number("ipsec_phase1.margintime", text)
    return {"ipsec_phase1.margintime": seconds} if seconds else {}


def read_rekey(_text: Value, sections: Sections) -> Options:
    return {"ipsec_phase1.rekey": _renewed_at(sections.connection) != 0}
