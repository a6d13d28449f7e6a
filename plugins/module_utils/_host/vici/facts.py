# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Conversion of the SAs that charon lists into results for users. Pure.

Source: the event list-sa in src/libcharon/plugins/vici/README.md of strongSwan 5.9.8 and 6.0.1.
"""

from __future__ import annotations

import typing as t
from datetime import datetime, timezone

from ..._model.algorithms import MOST_ROUNDS

Section = t.Mapping[str, t.Any]
Facts = dict[str, t.Any]


def moment(seconds: float) -> str:
    """Return a time, given in seconds since the epoch, in ISO 8601 and UTC."""
    return datetime.fromtimestamp(int(seconds), timezone.utc).isoformat()


def ike_facts(section: Section, now: float) -> Facts:
    """Return an IKE SA without its Child SAs. A value that charon does not report is None."""
    return {
        "id": int(section["uniqueid"]),
        "state": section["state"],
        "since": _ago(section, "established", now),
        "version": int(section["version"]),
        "initiator": section.get("initiator") == "yes",
        "local_host": section.get("local-host"),
        "local_port": _number(section, "local-port"),
        "local_id": section.get("local-id"),
        "remote_host": section.get("remote-host"),
        "remote_port": _number(section, "remote-port"),
        "remote_id": section.get("remote-id"),
        "nat": "yes" in (section.get("nat-local"), section.get("nat-remote")),
        "algorithms": _algorithms(section),
        "ppk": section.get("ppk") == "yes",
        "rekey_in": _number(section, "rekey-time"),
        "reauth_in": _number(section, "reauth-time"),
    }


def child_facts(section: Section, now: float) -> Facts:
    """Return a Child SA, with times in seconds. ``idle`` counts from the last packet."""
    used = [_number(section, key) for key in ("use-in", "use-out")]
    return {
        "id": int(section["uniqueid"]),
        "state": section["state"],
        "since": _ago(section, "install-time", now),
        "mode": section.get("mode", "").lower(),
        "protocol": section.get("protocol", "").lower(),
        "udp_encapsulation": section.get("encap") == "yes",
        "ipcomp": "cpi-in" in section,
        "local_network": list(section.get("local-ts", ())),
        "remote_network": list(section.get("remote-ts", ())),
        "algorithms": _algorithms(section),
        "spi_in": section.get("spi-in"),
        "spi_out": section.get("spi-out"),
        "bytes_in": _number(section, "bytes-in") or 0,
        "bytes_out": _number(section, "bytes-out") or 0,
        "packets_in": _number(section, "packets-in") or 0,
        "packets_out": _number(section, "packets-out") or 0,
        "idle": min((item for item in used if item is not None), default=None),
        "rekey_in": _number(section, "rekey-time"),
        "expires_in": _number(section, "life-time"),
    }


def _algorithms(section: Section) -> str:
    """Return algorithms as charon lists them: ``AES_CBC-256 HMAC_SHA2_256_128 MODP_2048``.

    Additional key exchanges follow: ``ake1=ML_KEM_768``.
    """
    words = []
    for kind in ("encr", "integ"):
        name, size = section.get(f"{kind}-alg"), section.get(f"{kind}-keysize")
        if name is not None:
            words.append(f"{name}-{size}" if size is not None else name)
    words += [section[key] for key in ("prf-alg", "dh-group") if key in section]
    words += [f"{key}={section[key]}" for key in additional_key_exchanges(section)]
    return " ".join([*words, *(["ESN"] if section.get("esn") == "1" else [])])


def additional_key_exchanges(section: Section) -> list[str]:
    """Return the keys of the additional key exchanges of an SA: ``ake1``, ``ake2``."""
    return [
        key for key in (f"ake{number}" for number in range(1, MOST_ROUNDS + 1)) if key in section
    ]


def _number(section: Section, key: str) -> int | None:
    return int(section[key]) if key in section else None


def _ago(section: Section, key: str, now: float) -> str | None:
    seconds = _number(section, key)
    return None if seconds is None else moment(now - seconds)
