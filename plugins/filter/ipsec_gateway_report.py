# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: ipsec_gateway_report
short_description: Say in a few lines what an IPsec gateway does
version_added: 0.1.0
description:
  - Makes of the result of M(tunnelwright.ipsec.ipsec_info) on one host what role
    P(tunnelwright.ipsec.gateway#role) says at its end. That is how each tunnel fares, and what the
    collection has on the host that is not in the variables.
positional: _input, definition
options:
  _input:
    description:
      - The C(ipsec_info) that a task with M(tunnelwright.ipsec.ipsec_info) has returned, for all
        networks.
    type: dict
    required: true
  definition:
    description:
      - The variables C(gateway_networks), C(gateway_settings), C(gateway_phase1) and
        C(gateway_rules), as far as they are set.
    type: dict
    default: {}
seealso:
  - module: tunnelwright.ipsec.ipsec_info
  - plugin: tunnelwright.ipsec.ipsec_definition_check
    plugin_type: filter
author:
  - The tunnelwright.ipsec authors (@tunnelwright)
"""

EXAMPLES = r"""
- name: Look at the gateway
  tunnelwright.ipsec.ipsec_info:
    wait: 20
  register: vpn

- name: Every tunnel that should be up is up
  ansible.builtin.assert:
    that: report.down == []
    fail_msg: "{{ report.tunnels }}"
    success_msg: "{{ report.tunnels }}"
  vars:
    report: "{{ vpn.ipsec_info | tunnelwright.ipsec.ipsec_gateway_report }}"
"""

RETURN = r"""
_value:
  description: The report.
  type: dict
  contains:
    tunnels:
      description: A line for each tunnel that is not up and should be, with the cause and the next
        step, and one for each state that is as it should be.
      type: list
      elements: str
      sample:
        - 'down: site-c/lan. The peer refuses our authentication. Compare psk on both sides.'
        - 'up: site-b/ipv4, site-b/ipv6'
    down:
      description: The tunnels that should be up and are not. One that waits for traffic or for the
        peer is none of them.
      type: list
      elements: str
      sample: [site-c/lan]
    unlisted:
      description: The networks, IPsec settings, phase 1, phase 2 and rules of the host that are not
        in the definition.
      type: list
      elements: str
      sample: [network dmz, phase 1 site-d of network dmz]
    removal_order:
      description: The networks by C(name) in the order in which they can be removed, each with its
        C(attached_networks), which are the networks that are attached to its interface.
      type: list
      elements: dict
      sample:
        - {name: lan6, attached_networks: []}
        - {name: lan, attached_networks: [lan6]}
"""

import typing as t

from ..plugin_utils._report import report


def ipsec_gateway_report(
    info: t.Mapping[str, t.Any], definition: t.Mapping[str, t.Any] | None = None
) -> dict[str, t.Any]:
    return report(info, definition or {})


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"ipsec_gateway_report": ipsec_gateway_report}
