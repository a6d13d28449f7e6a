# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: ipsec_status_page
short_description: Show a fleet of IPsec gateways as an HTML page
version_added: 0.1.0
description:
  - Turns the result of P(tunnelwright.ipsec.ipsec_fleet#filter) into one page. The page shows the
    tunnels that are down and the causes, draws the topology, and lists every tunnel.
  - The page loads no other file and needs no network. Texts from hosts are escaped, so they can't
    become markup.
positional: _input, time, title
options:
  _input:
    description: The fleet.
    type: dict
    required: true
  time:
    description: The time of the result, in ISO 8601, UTC.
    type: str
    required: true
  title:
    description: The title of the page.
    type: str
    default: VPN
seealso:
  - module: tunnelwright.ipsec.ipsec_info
  - plugin: tunnelwright.ipsec.ipsec_fleet
    plugin_type: filter
author:
  - The tunnelwright.ipsec authors (@tunnelwright)
"""

EXAMPLES = r"""
- name: Write the page
  ansible.builtin.copy:
    content: "{{ fleet | tunnelwright.ipsec.ipsec_status_page(time, title='Branch offices') }}"
    dest: vpn.html
    mode: '0600'
  delegate_to: localhost
  vars:
    time: "{{ now(utc=true, fmt='%Y-%m-%dT%H:%M:%S+00:00') }}"
"""

RETURN = r"""
_value:
  description: The page.
  type: str
"""

import typing as t

from ..plugin_utils._page import page


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"ipsec_status_page": page}
