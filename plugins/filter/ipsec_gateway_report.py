# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: ipsec_gateway_report
short_description: Report the state of an IPsec gateway in a few lines
version_added: 0.1.0
description:
  - Turns the result of M(tunnelwright.ipsec.ipsec_info) on one host into the report at the end of
    role P(tunnelwright.ipsec.gateway#role). The report has the state of each tunnel, and the
    objects of the collection on the host that are not in the variables.
positional: _input, definition
options:
  _input:
    description:
      - The C(ipsec_info) in the result of M(tunnelwright.ipsec.ipsec_info), for all networks.
    type: dict
    required: true
  definition:
    description:
      - The variables C(gateway_networks), C(gateway_settings), C(gateway_phase1) and
        C(gateway_rules), if they are set.
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
- name: Read the state of the gateway
  tunnelwright.ipsec.ipsec_info:
    wait: 20
  register: vpn

- name: Fail if a tunnel is down
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
      description: A line for each tunnel that is down but should be up, with the cause and the next
        step. A line for each good state follows.
      type: list
      elements: str
      sample:
        - >-
          down: site-c/lan. The pre-shared keys of the two sides differ. [psk_mismatch] Set psk of
          phase 1 to the same value on both sides.
        - 'up: site-b/ipv4, site-b/ipv6'
    down:
      description: The tunnels that should be up but are not. A tunnel that waits for traffic or for
        the peer is not in this list.
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
        C(attached_networks), the networks that are attached to its interface.
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
