#!/usr/bin/python

# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipsec_gateway
short_description: Manage all networks, settings, tunnels and rules of a gateway in one task
version_added: 0.1.0
description:
  - The module makes one plan for all objects of its task before it changes anything. At the end,
    either all of the plan is in force, or the state of before.
  - Each entry of the lists has the options of a single module, with the same names, defaults and
    errors. The single modules run the same code with one entry.
  - A task of this module takes about as long for a thousand tunnels as a few tasks of the single
    modules. Use it for a gateway with many tunnels, and for a fleet.
  - The module checks the objects as they are after the task. Therefore two objects may exchange
    their networks or addresses in one task, and the order of the entries has no meaning.
  - If entries are refused, the error names the first 20 of them, each with its place in the lists
    and its name, such as C(phase1[17] site-b). Then nothing was changed.
  - To rename an object, remove the old name and add the new name. Its SAs are closed.
  - IPsec settings with all their defaults are no object of their own in RV(summary) and
    RV(gathered).
  - Check mode also works on a host that has no strongSwan, vici, nftables or root rights yet, such
    as the controller with C(connection=local). Then it predicts the first run, with a warning about
    each part that the host lacks. A run fails without these parts.
  - The new SAs of all changed connections are negotiated at the same time. Peers that do not answer
    delay a run by about 20 seconds, even if there are many of them.
  - Ansible shows a result only at the end of a task. To watch a long run, follow the log of the
    IKE daemon on the host with C(journalctl --follow --unit strongswan).
  - After its changes, the module looks at the host again. If the host differs from the
    configuration, for example because another program changes it back, the module fails with the
    remaining steps.
options:
  networks:
    description:
      - The VPN networks. Each entry has the options of M(tunnelwright.ipsec.vpn_network).
    type: list
    elements: dict
    default: []
  settings:
    description:
      - The IPsec settings of networks. Each entry has the options of
        M(tunnelwright.ipsec.ipsec_settings). A network without an entry keeps its settings, unless
        O(state=overridden).
    type: list
    elements: dict
    default: []
  phase1:
    description:
      - The phase 1 objects. Each entry has the options of M(tunnelwright.ipsec.ipsec_phase1), and a
        list C(phase2). Each entry of that list has the options of
        M(tunnelwright.ipsec.ipsec_phase2) without C(network) and C(phase1), which are the network
        and the name of the phase 1.
    type: list
    elements: dict
    default: []
  rules:
    description:
      - The rules of networks. Each entry has the options of M(tunnelwright.ipsec.vpn_rule).
    type: list
    elements: dict
    default: []
  state:
    description:
      - With V(replaced), an option that an entry leaves out gets its default, as with the single
        modules. Objects without an entry stay.
      - With V(merged), an option that an entry leaves out keeps the value that it has on the host.
      - With V(overridden), the lists describe the whole gateway. Objects of this collection without
        an entry are removed. Objects of other administrators stay in every state.
      - With V(deleted), the objects of the entries are removed, a network with everything in it.
        Settings get their defaults.
        An entry needs no other options than the names, and C(remote_gateway) of a phase 1 and
        C(action) of a rule are not required.
      - With V(gathered), the module changes nothing, and RV(gathered) has the lists that describe
        the host.
      - With V(rendered), the module changes nothing, and RV(rendered) has the files that the lists
        make on an empty host. It needs no host, so that it also runs on the controller.
      - An entry with C(state=absent) is removed in every state.
    type: str
    choices: [merged, replaced, overridden, deleted, gathered, rendered]
    default: replaced
  purge_all:
    description:
      - With V(false), O(state=overridden) refuses to remove the last phase 1 of a gateway, because
        an empty list is usually a mistake.
    type: bool
    default: false
  show_secrets:
    description:
      - With V(true), RV(rendered) has the keys in the files. With V(false), they are masked.
      - Set C(no_log=true) for such a task, unless its result is to be printed.
    type: bool
    default: false
  apply:
    description:
      - The value of C(apply) for each phase 1 and phase 2 that does not set it.
        See M(tunnelwright.ipsec.ipsec_phase1).
    type: str
    choices: [graceful, reestablish, defer]
    default: graceful
  weak_crypto:
    description:
      - The value of C(weak_crypto) for each phase 1 and phase 2 that does not set it.
        See M(tunnelwright.ipsec.ipsec_phase1).
    type: str
    choices: [allow, warn, refuse]
    default: warn
  quantum_safe:
    description:
      - The value of C(quantum_safe) for each phase 1 and phase 2 that does not set it.
        See M(tunnelwright.ipsec.ipsec_phase1).
    type: str
    choices: [ignore, warn, require]
    default: ignore
extends_documentation_fragment:
  - tunnelwright.ipsec._attributes
  - tunnelwright.ipsec._attributes.alike
  - tunnelwright.ipsec._host.needed
  - tunnelwright.ipsec._host
seealso:
  - module: tunnelwright.ipsec.vpn_network
  - module: tunnelwright.ipsec.ipsec_settings
  - module: tunnelwright.ipsec.ipsec_phase1
  - module: tunnelwright.ipsec.ipsec_phase2
  - module: tunnelwright.ipsec.vpn_rule
author:
  - The tunnelwright.ipsec authors (@tunnelwright)
"""

EXAMPLES = r"""
- name: Connect a site to its peer
  tunnelwright.ipsec.ipsec_gateway:
    networks:
      - name: site-a
        ip_address: 10.1.0.1
        network_address: 10.1.0.0/24
    phase1:
      - name: site-b
        network: site-a
        remote_gateway: 203.0.113.20
        psk: "{{ vault_psk_site_b }}"
        connection_behavior: start
        phase2:
          - name: lan
            local_network: [10.1.0.0/24]
            remote_network: [10.2.0.0/24]

- name: Change one option of one phase 1, and keep everything else
  tunnelwright.ipsec.ipsec_gateway:
    state: merged
    phase1:
      - name: site-b
        network: site-a
        dpd_delay: 10

- name: Make the gateway exactly as the variables describe it
  tunnelwright.ipsec.ipsec_gateway:
    state: overridden
    networks: "{{ gateway_networks }}"
    settings: "{{ gateway_settings }}"
    phase1: "{{ gateway_phase1 }}"
    rules: "{{ gateway_rules }}"

- name: Read the lists that describe the host
  tunnelwright.ipsec.ipsec_gateway:
    state: gathered
  register: gateway

- name: Show the files of a gateway without any host
  tunnelwright.ipsec.ipsec_gateway:
    state: rendered
    networks: "{{ gateway_networks }}"
    phase1: "{{ gateway_phase1 }}"
  delegate_to: localhost
  become: false

- name: Remove a tunnel
  tunnelwright.ipsec.ipsec_gateway:
    state: deleted
    phase1:
      - name: site-b
        network: site-a
"""

RETURN = r"""
summary:
  description: The number of objects by the effect of the run. Check mode returns the effect that
    the run would have.
  returned: success, with a state that changes the host
  type: dict
  contains:
    made:
      description: Objects that did not exist.
      returned: always
      type: int
      sample: 2
    changed:
      description: Objects with another description.
      returned: always
      type: int
      sample: 1
    repaired:
      description: Objects with the same description, from which the host differed.
      returned: always
      type: int
      sample: 0
    removed:
      description: Objects that do not exist any more.
      returned: always
      type: int
      sample: 0
    unchanged:
      description: All other objects of this collection on the host.
      returned: always
      type: int
      sample: 997
objects:
  description: The objects that are not unchanged.
  returned: success, with a state that changes the host
  type: list
  elements: dict
  contains:
    kind:
      description: One of V(network), V(settings), V(phase1), V(phase2) and V(rule).
      returned: always
      type: str
      sample: phase2
    name:
      description: The name of the object. The name of a phase 2 follows the name of its phase 1.
        The name of a rule follows the name of its network.
      returned: always
      type: str
      sample: site-b/lan
    becomes:
      description: One of V(made), V(changed), V(repaired) and V(removed).
      returned: always
      type: str
      sample: made
gathered:
  description: The lists of options that describe the host, without secrets. Options without a value
    are left out. With O(state=merged), the lists change nothing.
  returned: success, with O(state=gathered)
  type: dict
  sample:
    networks:
      - name: site-a
        layer2_type: none
        ip_address_type: static
        ip_address: 10.1.0.1
        network_address: 10.1.0.0/24
        dataplane: auto
        state: started
    settings: []
    phase1: []
    rules: []
rendered:
  description: The text of each file, by its path. The copies of certificates are left out.
  returned: success, with O(state=rendered)
  type: dict
  sample:
    /etc/strongswan.d/tunnelwright.conf: "charon {...}"
errors:
  description: The errors of the refused entries, 20 at most. Each begins with the place and the
    name of its entry.
  returned: failure, if entries are refused
  type: list
  elements: str
  sample:
    - 'phase1[17] site-b: remote_gateway ''a b'': is neither an IP address nor a host name. Write an
      IPv4 or IPv6 address, or a FQDN.'
actions:
  description:
    - The steps of the run in order, or in check mode the steps that a run would take. Empty if
      there is nothing to do.
  returned: success
  type: list
  elements: str
  sample:
    - load secret ike-site-b
    - load connection site-b
    - write /etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf
impact:
  description:
    - The worst effect of the change on an SA that is up. RV(impacts) lists all effects.
    - V(none) means that every SA stays as it is, or that no SA is up.
    - V(pending) means that the SA stays up with its old values. The new values are loaded, and
      apply when the SA is re-established. A rekey does not apply them.
    - V(child) means that the SA of a phase 2 is closed, or replaced by a new SA.
    - V(ike) means that the IKE SA and every SA of its phase 2 objects are closed or replaced.
  returned: success
  type: str
  choices:
    - none
    - pending
    - child
    - ike
  sample: pending
impacts:
  description:
    - The effect of the change on each SA that is up, with the reason. It is the same in check mode
      and in a real run. The diff shows it too.
    - An SA is replaced only if the peer accepts the new values. If the peer does not accept them,
      the old SA stays up, and the module warns.
    - Empty if the change does not concern the IKE daemon.
  returned: success
  type: list
  elements: dict
  contains:
    sa:
      description: The name of a phase 1, for its IKE SA with all Child SAs on it. Or the names of a
        phase 1 and a phase 2, joined by a slash, for one Child SA.
      returned: always
      type: str
      sample: site-b/lan
    impact:
      description: One of the values of RV(impact).
      returned: always
      type: str
      sample: child
    reason:
      description: The options that have changed, under their strongSwan names, and the consequence
        for the SA.
      returned: always
      type: str
      sample: "esp_proposals changed: a new Child SA is brought up, then the old Child SA is closed"
  sample:
    - sa: site-b/lan
      impact: child
      reason: >-
        esp_proposals changed: a new Child SA is brought up, then the old Child SA is closed
diff:
  description:
    - The managed configuration before and after, with one entry for each file or live object. Every
      secret is masked.
  returned: when diff mode is on
  type: list
  elements: dict
  contains:
    before_header:
      description: The file, or the live object.
      returned: always
      type: str
      sample: /etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf
    after_header:
      description: The same as C(before_header).
      returned: always
      type: str
      sample: /etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf
    before:
      description: The text before the change. Empty if the file or object did not exist.
      returned: always
      type: str
      sample: ''
    after:
      description: The text after the change. Empty if the file or object is removed.
      returned: always
      type: str
      sample: |
        secrets {
            ike-site-b {
                id-1 = 203.0.113.20
                secret = "********"
            }
        }
"""

from ..module_utils._module.gateway import run


def main() -> None:
    run()


if __name__ == "__main__":
    main()
