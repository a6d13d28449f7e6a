# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: ipsec_fleet
short_description: Put together what many IPsec gateways say of themselves
version_added: 0.1.0
description:
  - Makes of the results of M(tunnelwright.ipsec.ipsec_info) on many hosts one list of tunnels, one
    of gateways, and a drawing of who is joined with whom. The playbook
    C(tunnelwright.ipsec.status) writes it as an HTML page and as JSON.
  - A peer that is a host of the fleet is known by its addresses, and named like the host.
positional: _input, addresses
options:
  _input:
    description:
      - By name of the host, what a task with M(tunnelwright.ipsec.ipsec_info) has registered there.
      - A host that could not be asked is part of the fleet as well, with its error.
    type: dict
    required: true
  addresses:
    description:
      - By name of the host, an address or a name by which its peers know it, such as
        C(ansible_host). Those of its interfaces are known anyway.
    type: dict
    default: {}
seealso:
  - module: tunnelwright.ipsec.ipsec_info
author:
  - The tunnelwright.ipsec authors (@tunnelwright)
"""

EXAMPLES = r"""
- name: Look at every gateway
  hosts: gateways
  become: true
  gather_facts: false
  tasks:
    - name: Ask it
      tunnelwright.ipsec.ipsec_info:
      register: vpn

    - name: What is down
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
      description: How many tunnels are in which state, the worst first.
      type: dict
      sample: {down: 1, up: 12}
    gateways:
      description: Each host by name, with C(error), C(running) and C(version) of the IKE daemon,
        C(dataplane), C(networks), C(drift) and C(unmanaged) as in
        M(tunnelwright.ipsec.ipsec_info).
      type: list
      elements: dict
    problems:
      description: Each phase 1 of which something is not up that should be, carries only a part of
        its networks, or goes on with old values, with the C(explanation) and C(log) of it, and the
        names of C(phase2) that are concerned.
      type: list
      elements: dict
    tunnels:
      description:
        - Each phase 2 of each host, or the phase 1 if it has none, the worst first.
        - C(gateway), C(phase1), C(phase2) and C(network) say which it is, C(peer) and
          C(remote_gateway) who is at the other end.
        - C(state) and C(since) are those of M(tunnelwright.ipsec.ipsec_info), C(age) is in seconds.
        - C(ike), C(ike_version), C(algorithms), C(protocol), C(bytes_in), C(bytes_out) and
          C(rekey_in) are of the SAs in use.
        - C(certificate) is the one that expires first, with C(subject), C(not_after) and C(days).
        - C(missing) are the pairs of networks that it does not carry, C(pending) what is configured
          and not in force, C(advanced) whether it is of a conf text, as in
          M(tunnelwright.ipsec.ipsec_info).
        - C(drift), and for what is not up C(explanation) and C(log).
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
