# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: ipsec_fleet_mismatches
short_description: Compare both ends of every IPsec tunnel of many hosts
version_added: 0.1.0
description:
  - Compares all pairs of many hosts as P(tunnelwright.ipsec.ipsec_mismatches#filter) compares two,
    and lists the tunnels whose other end is not one of the hosts. The filter contacts no host.
  - The playbook C(tunnelwright.ipsec.compare) applies it to an inventory.
options:
  _input:
    description:
      - The definition of each host under its name, in the form that
        P(tunnelwright.ipsec.ipsec_mismatches#filter) accepts, with the variables of role
        P(tunnelwright.ipsec.gateway#role).
      - C(gateway_capabilities) of a host describes its IKE daemon, see
        P(tunnelwright.ipsec.ipsec_mismatches#filter).
    type: dict
    required: true
seealso:
  - plugin: tunnelwright.ipsec.ipsec_mismatches
    plugin_type: filter
author:
  - The tunnelwright.ipsec authors (@tunnelwright)
"""

EXAMPLES = r"""
- name: Show every mismatch
  ansible.builtin.debug:
    msg: "{{ (definitions | tunnelwright.ipsec.ipsec_fleet_mismatches).table }}"
  vars:
    definitions:
      gw-a:
        gateway_phase1:
          - name: site-b
            network: lan
            remote_gateway: 203.0.113.20
            local_address: 198.51.100.7
            psk: "{{ vault_psk }}"
            phase2:
              - {name: lan, local_network: [10.1.0.0/24], remote_network: [10.2.0.0/24]}
      gw-b:
        gateway_phase1:
          - name: site-a
            network: lan
            remote_gateway: 198.51.100.7
            local_address: 203.0.113.20
            psk: "{{ vault_psk }}"
            phase2:
              - {name: lan, local_network: [10.2.0.0/16], remote_network: [10.1.0.0/24]}
"""

RETURN = r"""
_value:
  description: The result of the comparison.
  type: dict
  contains:
    compared:
      description:
        - One entry for each pair of hosts with a tunnel. It has the keys of the result of
          P(tunnelwright.ipsec.ipsec_mismatches#filter), and C(peers), the names of the hosts. The
          first host is the local side.
        - A host has its own entry if its definition has an error. The same applies if the peer of
          one of its tunnels can authenticate as the peer of another.
      type: list
      elements: dict
      sample:
        - {peers: [gw-a, gw-b], verdict: up}
    unmatched:
      description: The tunnels whose other end is not one of the hosts.
      type: list
      elements: dict
      contains:
        peer:
          description: The host.
          type: str
          sample: gw-a
        phase1:
          description: The name of the phase 1.
          type: str
          sample: partner
        remote_gateway:
          description: The C(remote_gateway) of the phase 1.
          type: str
          sample: 192.0.2.77
    table:
      description: The same as lines of text, without findings of severity V(info).
      type: list
      elements: str
      sample:
        - gw-a - gw-b                              up
"""

import functools
import typing as t

from ..module_utils._compare.fleet import compare_fleet
from ..plugin_utils._definition import read


def ipsec_fleet_mismatches(definitions: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the result of the comparison of all pairs."""
    return compare_fleet(
        {
            name: functools.partial(read, name, definition, single=False)
            for name, definition in definitions.items()
        }
    )


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"ipsec_fleet_mismatches": ipsec_fleet_mismatches}
