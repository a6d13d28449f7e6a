# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Conversion of the traffic selectors that the IKE daemon reports.

The daemon uses names from /etc/protocols and /etc/services of the host, for example
``10.2.0.0/24[tcp/http-alt]``.
"""

from __future__ import annotations

import re
import socket

from ..._errors import ModelError
from ..._model.selector import PROTOCOLS, TrafficSelector

_SHOWN = re.compile(r"([^\[\]|]+)\[([^\[\]/]+)(?:/([^\[\]]+))?\]")


def as_option(shown: str) -> str:
    """Return a selector in the form of ``ipsec_phase2``: ``10.2.0.0/24[tcp/8080]``.

    A selector without such a form, for example with a type of ICMP, is returned unchanged.
    """
    match = _SHOWN.fullmatch(shown) if shown.endswith("]") else None
    if match is None:
        return shown
    network, protocol, ports = match.groups()
    try:
        number = int(protocol) if protocol.isdigit() else _number(protocol)
        service = f"{number}/{_ports(ports, protocol)}" if ports else str(number)
        return str(TrafficSelector.parse("", f"{network}[{service}]"))
    except (OSError, ModelError):
        return shown


def _number(protocol: str) -> int:
    return PROTOCOLS.get(protocol) or socket.getprotobyname(protocol)


def _ports(shown: str, protocol: str) -> str:
    if shown.replace("-", "").isdigit():
        return shown
    return str(socket.getservbyname(shown, protocol))
