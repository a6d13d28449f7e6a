# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: ipsec_definition_check
short_description: Find the errors in the variables of role gateway
version_added: 0.1.0
description:
  - Judges the variables of role P(tunnelwright.ipsec.gateway#role) as its modules would, all
    entries at once, and names each error with the entry that it is about. No host is asked.
  - The role begins with it, so that nothing is touched before all entries are legal.
  - What depends on the host is not judged, such as its interfaces, its firewall, and what its
    strongSwan can do.
positional: _input, host, names
options:
  _input:
    description:
      - The variables C(gateway_networks), C(gateway_settings), C(gateway_phase1) and
        C(gateway_rules), as far as they are set. Null is an empty list.
    type: dict
    required: true
  host:
    description:
      - What the collection has made on the host already, as lists of names under C(networks) and
        C(phase1). An entry may refer to these.
      - Nothing, if it is left out, as on a new host.
    type: dict
    default: {}
  names:
    description:
      - The names of all variables that begin with C(gateway_), to find the misspelt ones.
    type: list
    elements: str
    default: []
seealso:
  - plugin: tunnelwright.ipsec.ipsec_mismatches
    plugin_type: filter
author:
  - The tunnelwright.ipsec authors (@tunnelwright)
"""

EXAMPLES = r"""
- name: Find errors before a run
  hosts: gateways
  gather_facts: false
  tasks:
    - name: Judge the variables of each host
      ansible.builtin.assert:
        that: judged.errors == []
        fail_msg: "{{ judged.errors }}"
        success_msg: "{{ judged.summary }}"
      vars:
        definition:
          gateway_networks: "{{ gateway_networks }}"
          gateway_phase1: "{{ gateway_phase1 }}"
        judged: "{{ definition | tunnelwright.ipsec.ipsec_definition_check }}"
"""

RETURN = r"""
_value:
  description: The judgement.
  type: dict
  contains:
    errors:
      description: Each error with the place and the name of its entry. No secret is shown.
      type: list
      elements: str
      sample:
        - "gateway_phase1[3] site-b: remote_gateway: is missing. Give the remote_gateway of the
          phase 1."
    warnings:
      description: Variables whose names begin with C(gateway_), and which the role does not know.
      type: list
      elements: str
      sample: []
    summary:
      description: How many objects are defined and legal.
      type: str
      sample: 2 networks, 1 phase 1, 2 phase 2, 0 rules
"""

import typing as t

from ..plugin_utils._judgement import judge


def ipsec_definition_check(
    definition: t.Mapping[str, t.Any],
    host: t.Mapping[str, t.Any] | None = None,
    names: t.Iterable[str] = (),
) -> dict[str, t.Any]:
    return judge(definition, host or {}, names)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"ipsec_definition_check": ipsec_definition_check}
