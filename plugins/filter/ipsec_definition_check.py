# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: ipsec_definition_check
short_description: Find the errors in the variables of role gateway
version_added: 0.1.0
description:
  - Validates the variables of role P(tunnelwright.ipsec.gateway#role) with the code of its modules,
    all entries at once. Each error names its entry. The filter contacts no host.
  - The role starts with this filter, so that it changes a host only if all entries are valid.
  - The filter does not validate options against the host, such as its interfaces, its firewall, and
    the capabilities of its strongSwan.
positional: _input, host, names
options:
  _input:
    description:
      - The variables C(gateway_networks), C(gateway_settings), C(gateway_phase1) and
        C(gateway_rules), if they are set. Null is an empty list.
    type: dict
    required: true
  host:
    description:
      - The existing objects of the collection on the host, as lists of names under C(networks) and
        C(phase1). An entry may refer to these.
      - The default is a new host without objects.
    type: dict
    default: {}
  names:
    description:
      - The names of all variables that begin with C(gateway_), to find misspelt names.
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
    - name: Validate the variables of each host
      ansible.builtin.assert:
        that: checked.errors == []
        fail_msg: "{{ checked.errors }}"
        success_msg: "{{ checked.summary }}"
      vars:
        definition:
          gateway_networks: "{{ gateway_networks }}"
          gateway_phase1: "{{ gateway_phase1 }}"
        checked: "{{ definition | tunnelwright.ipsec.ipsec_definition_check }}"
"""

RETURN = r"""
_value:
  description: The result of the validation.
  type: dict
  contains:
    errors:
      description: Each error with the place and the name of its entry, and without secrets.
      type: list
      elements: str
      sample:
        - "gateway_phase1[3] site-b: remote_gateway: is missing. Give the remote_gateway of the
          phase 1."
    warnings:
      description: Variables whose names begin with C(gateway_) and that the role does not know.
      type: list
      elements: str
      sample: []
    summary:
      description: How many valid objects are defined.
      type: str
      sample: 2 networks, 1 phase 1, 2 phase 2, 0 rules
"""

import typing as t

from ..plugin_utils._validation import validate


def ipsec_definition_check(
    definition: t.Mapping[str, t.Any],
    host: t.Mapping[str, t.Any] | None = None,
    names: t.Iterable[str] = (),
) -> dict[str, t.Any]:
    return validate(definition, host or {}, names)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"ipsec_definition_check": ipsec_definition_check}
