# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: ipsec_upgrade_check
short_description: Rehearse the upgrade of an IPsec gateway to a release of Debian
version_added: 0.1.0
description:
  - Returns what continues and what stops when a gateway is upgraded to a release of Debian, and the
    reasons. The filter contacts no host.
  - The playbook C(tunnelwright.ipsec.upgrade_check) applies it to an inventory. The page
    C(docs/upgrading.md) explains the causes.
  - The filter knows the releases of strongSwan in Debian from tables of the collection. It does not
    know packages of other sources.
positional: _input, files, target
options:
  _input:
    description: The result of M(tunnelwright.ipsec.ipsec_info) on the gateway.
    type: dict
    required: true
  files:
    description:
      - The files of M(tunnelwright.ipsec.ipsec_diagnostics) with C(query=configuration), by path.
        They have the connections of conf texts, and unmanaged connections.
    type: dict
    required: true
  target:
    description: The release after the upgrade. V(debian14) is the testing release, forky.
    type: str
    choices: [debian12, debian13, debian14]
    required: true
seealso:
  - module: tunnelwright.ipsec.ipsec_info
  - module: tunnelwright.ipsec.ipsec_diagnostics
author:
  - The tunnelwright.ipsec authors (@tunnelwright)
"""

EXAMPLES = r"""
- name: Read the state of the tunnels
  tunnelwright.ipsec.ipsec_info:
  register: vpn

- name: Read the configuration
  tunnelwright.ipsec.ipsec_diagnostics:
    query: configuration
  register: configuration

- name: Check that no tunnel stops
  ansible.builtin.assert:
    that: check.effect not in ['stops', 'refused']
    fail_msg: "{{ check.table }}"
  vars:
    files: "{{ configuration.ipsec_diagnostics.files }}"
    check: "{{ vpn.ipsec_info | tunnelwright.ipsec.ipsec_upgrade_check(files, 'debian14') }}"
"""

RETURN = r"""
_value:
  description: The rehearsal.
  type: dict
  contains:
    current:
      description: The release of the host, with C(name), C(title), C(strongswan) and C(nftables).
        Null if it is not known.
      type: dict
    target:
      description: The release after the upgrade, in the same form.
      type: dict
    effect:
      description:
        - The worst effect of all. V(stops) means that a connection carries no traffic after the
          upgrade. V(refused) means that the modules refuse the configuration after the upgrade.
        - V(depends) means that the answer depends on the peer, or on something that this check
          cannot know. V(changes) means that something changes, and the connection continues.
          V(continues) means that nothing changes.
      type: str
      sample: stops
    counts:
      description: The number of connections by effect.
      type: dict
      sample: {stops: 1, continues: 12}
    connections:
      description:
        - Each phase 1, each connection of a conf text, and each unmanaged connection, the worst
          effect first. C(name), C(kind), C(network), C(state) and C(file) describe the connection.
        - C(effect) is its effect. C(findings) are the reasons, each with C(cause), C(effect),
          C(where), C(reason) and C(action).
      type: list
      elements: dict
    host:
      description: The findings about the whole host, in the same form.
      type: list
      elements: dict
    table:
      description: The same as lines of text.
      type: list
      elements: str
"""

import typing as t

from ..plugin_utils._upgrade import upgrade_check


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"ipsec_upgrade_check": upgrade_check}
