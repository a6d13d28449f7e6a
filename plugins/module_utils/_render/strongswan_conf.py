# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The daemon-wide strongSwan settings, in one drop-in for all networks of the host."""

from __future__ import annotations

import typing as t

from .._errors import SyntaxFault
from .._model.gateway import Gateway
from .options.daemon import DAEMON
from .options.table import value_at, write
from .records import MANAGED
from .strongswan.section import Section, Value
from .strongswan.strict import parse
from .strongswan.writer import render

LIBIPSEC = "kernel-libipsec"


def daemon_section(gateway: Gateway, *, userspace: bool) -> Section:
    """Return the ``charon`` section that the networks of the host ask for."""
    section = write(DAEMON, gateway)
    if userspace:
        charon = t.cast(dict[str, Value], section["charon"])
        charon["plugins"] = {LIBIPSEC: {"load": "yes"}}
    return section


def daemon_text(gateway: Gateway, *, userspace: bool) -> str:
    """Return the text of the drop-in."""
    return f"{MANAGED}\n{render(daemon_section(gateway, userspace=userspace))}"


def loads_userspace(text: str) -> bool:
    """Return whether our drop-in loads the plugin of the userspace data plane.

    False where the text cannot be parsed: the next run replaces a damaged drop-in.
    """
    try:
        return value_at(parse(text), f"charon.plugins.{LIBIPSEC}.load") == "yes"
    except SyntaxFault:
        return False
