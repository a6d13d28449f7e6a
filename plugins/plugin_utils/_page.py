# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The page that shows a fleet.

Ansible's templating escapes nothing, even if a template asks for it. Texts from hosts and peers
must not become markup, so this module renders the template with automatic escaping.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

import jinja2

_TEMPLATE = Path(__file__).resolve().parents[2] / "playbooks" / "templates" / "status.html.j2"


def page(fleet: t.Mapping[str, t.Any], time: str, title: str = "VPN") -> str:
    """Return the page as one HTML text without other files. ``time`` is in ISO 8601, UTC."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    return template.render(fleet=fleet, time=time, title=title)
