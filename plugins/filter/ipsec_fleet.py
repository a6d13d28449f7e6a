# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: ipsec_fleet
short_description: Combine the states of many IPsec gateways
version_added: 0.1.0
description:
  - Combines the results of M(tunnelwright.ipsec.ipsec_info) on many hosts into a list of tunnels, a
    list of gateways, and a drawing of the topology. The playbook C(tunnelwright.ipsec.status)
    writes it as an HTML page and as JSON.
  - A peer that is a host of the fleet is identified by its addresses, and has the name of the host.
positional: _input, addresses
options:
  _input:
    description:
      - By name of the host, the registered result of M(tunnelwright.ipsec.ipsec_info).
      - A host without a result is also part of the fleet, with its error.
    type: dict
    required: true
  addresses:
    description:
      - By name of the host, an address or a name that its peers use for it, such as
        C(ansible_host). The addresses of its interfaces need not be given.
    type: dict
    default: {}
seealso:
  - module: tunnelwright.ipsec.ipsec_info
author:
  - The tunnelwright.ipsec authors (@tunnelwright)
"""

EXAMPLES = r"""
- name: Show the tunnels that are down
  hosts: gateways
  become: true
  gather_facts: false
  tasks:
    - name: Read the state
      tunnelwright.ipsec.ipsec_info:
      register: vpn

    - name: Show the tunnels
      ansible.builtin.debug:
        msg: "{{ fleet.tunnels | selectattr('state', 'eq', 'down') }}"
      run_once: true
      vars:
        results: "{{ ansible_play_hosts | map('extract', hostvars, 'vpn') }}"
        fleet: "{{ dict(ansible_play_hosts | zip(results)) | tunnelwright.ipsec.ipsec_fleet }}"
"""

RETURN = r"""
_value:
  description: The fleet.
  type: dict
  contains:
    counts:
      description: The number of tunnels in each state, the most urgent state first.
      type: dict
      sample: {down: 1, up: 12}
    gateways:
      description: Each host by name, with C(error), C(running) and C(version) of the IKE daemon,
        C(ike_versions), C(dataplane), C(restart_needed), C(advisories), C(networks), C(drift) and
        C(unmanaged) as in M(tunnelwright.ipsec.ipsec_info).
      type: list
      elements: dict
    problems:
      description: Each phase 1 with a tunnel that is down, carries only a part of its networks, or
        keeps old values. It has the C(explanation) and the C(log), and in C(phase2) the names of
        the affected phase 2 objects.
      type: list
      elements: dict
    tunnels:
      description:
        - Each phase 2 of each host, or the phase 1 if it has no phase 2. The most urgent state is
          first.
        - C(gateway), C(phase1), C(phase2) and C(network) name the tunnel. C(peer) and
          C(remote_gateway) name the other end.
        - C(state) and C(since) are from M(tunnelwright.ipsec.ipsec_info). C(age) is in seconds.
        - C(ike), C(ike_version), C(algorithms), C(protocol), C(bytes_in), C(bytes_out) and
          C(rekey_in) describe the SAs in use. C(quantum_safe) is whether their keys resist quantum
          computers, and null without an SA.
        - C(certificate) is the certificate that expires first, with C(subject), C(not_after) and
          C(days).
        - C(missing) are the pairs of networks that the tunnel does not carry. C(pending) are the
          configured values that are not in force. C(advanced) is whether the tunnel is from a conf
          text. All three are from M(tunnelwright.ipsec.ipsec_info).
        - C(drift), and for tunnels that are not up C(explanation) and C(log).
      type: list
      elements: dict
    topology:
      description: A drawing of C(width) by C(height) with C(sites) and the C(lines) between them.
      type: dict
"""

import typing as t

from ..plugin_utils._fleet import fleet


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"ipsec_fleet": fleet}
