#!/usr/bin/python

# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vpn_rule
short_description: Manage the rules of a VPN network
version_added: 0.1.0
description:
  - A rule of a VPN network accepts or stops traffic of its tunnels, translates addresses of that
    traffic, or adds a route to the gateway.
  - M(tunnelwright.ipsec.vpn_network) makes the rules that IPsec needs, and these hold beside any
    rule of this module. Without a rule of this module, all traffic between the networks of a phase
    2 passes.
  - Rules about traffic are in the nftables table of the network, C(inet tunnelwright-NETWORK), with
    the name of the rule as the comment. Without O(cleartext) they apply only to traffic of the
    tunnels of this network. The phase 2 objects of mode V(tunnel) define that traffic, even if they
    are made after the rule. Tunnels of an O(tunnelwright.ipsec.ipsec_settings#module:swanctl_conf)
    are not included.
  - A rule with O(action=accept), V(drop) or V(reject) matches new connections; replies always pass.
    Therefore O(direction=incoming) with V(drop) still permits the local side to open connections to
    the remote side. The first rule that matches decides.
  - These rules match the addresses of the local side, before an outgoing translation and after an
    incoming translation.
  - A rule touches no SA, so RV(impact) is always V(none).
options:
  name:
    description:
      - Name of the rule, unique in its network. 1 to 64 of the characters C(A-Z), C(a-z), C(0-9),
        C(_) and C(-).
    type: str
    required: true
  network:
    description:
      - Name of the network, made with M(tunnelwright.ipsec.vpn_network). The rule is in force while
        the network is started, and is removed with the network. A rule with O(cleartext) is also in
        force while the network is stopped.
    type: str
    required: true
  description:
    description:
      - Free text for people, one line of up to 255 characters.
    type: str
  action:
    description:
      - V(accept) admits traffic that a later rule would stop. It also admits the traffic in each
        input or output chain of the firewall of the host that is in
        O(tunnelwright.ipsec.vpn_network#module:firewall_chains). Use it to open a service of the
        gateway to the remote side if the firewall of the host drops by default.
      - V(drop) stops traffic without an answer to the sender.
      - V(reject) stops traffic, and answers the sender with a TCP reset, or with an ICMP
        "administratively prohibited" for other protocols. In the kernel data plane a sender on the
        remote side gets no ICMP message. The kernel would send it in cleartext, and the guard drops
        it.
      - V(translate) changes addresses, see O(target).
      - V(route) adds a route to O(destination) through O(target), O(interface) or both, in the main
        routing table of the gateway.
      - Required with O(state=present). With O(state=disabled), a task for an existing rule may
        leave it out. Such a task changes only the options that it gives, even to their defaults.
        Every other option keeps its value.
    type: str
    choices:
      - accept
      - drop
      - reject
      - translate
      - route
  direction:
    description:
      - V(incoming) is traffic from a tunnel to hosts behind the gateway or to the gateway itself.
        V(outgoing) is traffic into a tunnel from hosts behind the gateway or from the gateway
        itself.
      - Required with every action except V(route), which has no direction.
    type: str
    choices:
      - incoming
      - outgoing
  protocol:
    description:
      - The protocol that the rule matches. V(icmp) includes ICMPv6.
    type: str
    choices:
      - any
      - tcp
      - udp
      - icmp
    default: any
  source:
    description:
      - Source networks in CIDR form, or source addresses. The list may hold IPv4 and IPv6. Default
        is every source that the tunnels carry.
      - Required with an outgoing translation, which translates these addresses.
    type: list
    elements: str
  destination:
    description:
      - Destination networks in CIDR form, or destination addresses. Required with an incoming
        translation, where it is the address in the tunnel. Required with O(action=route).
      - With O(action=route), a network that contains a peer or the controller is refused if the
        route differs from the present route to that address. V(0.0.0.0/0) or V(::/0) is refused if
        it would replace the default route. A route to the address of one peer only is accepted.
    type: list
    elements: str
  source_ports:
    description:
      - Source ports, or ranges such as V(8000-8100). Requires V(tcp) or V(udp) as O(protocol).
    type: list
    elements: str
  destination_ports:
    description:
      - Destination ports, or ranges such as V(8000-8100). Requires V(tcp) or V(udp) as O(protocol).
    type: list
    elements: str
  target:
    description:
      - With O(action=route), the address of the next router.
      - With an outgoing translation, an address replaces the source address (source NAT). The
        address must be in the O(tunnelwright.ipsec.ipsec_phase2#module:local_network) of a phase 2,
        because the tunnel carries that network. The rule applies only to traffic to the remote
        networks of these phase 2 objects.
      - With an outgoing translation, a network of the same size as O(source) translates one to one
        (BINAT). Every host keeps the host part of its address. Connections from the remote side to
        a translated address reach the host. The translation applies to all protocols.
      - With an incoming translation, the address of the host that receives the connections to
        O(destination) (destination NAT).
      - While the tunnel is down, its traffic does not leave the gateway, neither translated nor
        untranslated. Connections that are older than the rule are not translated; they are stopped.
      - The gateway needs no address in the translated network. Without one, the gateway must have a
        route to the remote network, for example its default route. With the userspace data plane,
        the tunnel comes up only if the gateway has an address in the translated network.
        O(tunnelwright.ipsec.vpn_network#module:network_address) is a good choice for the translated
        network.
    type: str
  target_port:
    description:
      - With an incoming translation of V(tcp) or V(udp), the new destination port of the
        connection. Default is the port of the connection.
    type: int
  interface:
    description:
      - With O(action=route), the outgoing interface of the route. Default is the interface through
        which O(target) is reached.
    type: str
  order:
    description:
      - The position among the rules of the network, V(1) to V(65535). Lower numbers come first.
        Rules with the same number are ordered by name, in ASCII order.
    type: int
    default: 100
  log:
    description:
      - Write each new connection that the rule matches to the log of the kernel, at most ten per
        second. The line begins with C(tunnelwright-NETWORK NAME).
    type: bool
    default: false
  cleartext:
    description:
      - With O(action=accept), the rule admits connections outside the tunnels, in cleartext.
        Without such a rule, the network drops these connections between the networks of its phase 2
        objects, and from the gateway to the remote networks.
      - O(source) and O(destination) are the addresses of the first packet of the connection, on the
        side that opens the connection. At least one of them is required. Replies pass too.
      - While the tunnel is up, the kernel data plane still drops packets that arrive in cleartext
        from the remote network for the local network. It encrypts packets in the other direction.
      - While the nftables rules are missing, all traffic between the hosts of the rule may pass in
        cleartext. The ports of the rule then have no effect.
    type: bool
    default: false
  state:
    description:
      - V(present) ensures that the rule exists with these options and is in force.
      - V(disabled) keeps the record of the rule, but the rule is not in force.
      - V(absent) removes the rule.
    type: str
    choices:
      - present
      - disabled
      - absent
    default: present
notes:
  - V(drop) is final, V(accept) is not. Other nftables tables of the host still see accepted traffic
    and may drop it.
  - A route has the protocol 116 and the metric 84. It does not replace another route of the host to
    the same destination. The route with the lower metric is used. In IPv4, a route without a metric
    has the metric 0, and is used. In IPv6, a route without a metric has the metric 1024, and the
    route of this module is used.
seealso:
  - module: tunnelwright.ipsec.vpn_network
  - module: tunnelwright.ipsec.ipsec_phase2
extends_documentation_fragment:
  - tunnelwright.ipsec._attributes
  - tunnelwright.ipsec._attributes.alike
  - tunnelwright.ipsec._attributes.group
  - tunnelwright.ipsec._host.needed
  - tunnelwright.ipsec._host
author:
  - The tunnelwright.ipsec authors (@tunnelwright)
"""

EXAMPLES = r"""
- name: Admit the remote side to the web servers of this side
  tunnelwright.ipsec.vpn_rule:
    name: web
    network: site-a
    action: accept
    direction: incoming
    protocol: tcp
    destination: 10.1.0.80
    destination_ports:
      - 80
      - 443

- name: Admit ping from the remote side
  tunnelwright.ipsec.vpn_rule:
    name: ping
    network: site-a
    action: accept
    direction: incoming
    protocol: icmp

- name: Reject and log everything else from the remote side
  tunnelwright.ipsec.vpn_rule:
    name: nothing-else
    network: site-a
    action: reject
    direction: incoming
    order: 900
    log: true

- name: Stop printers from reaching the remote side
  tunnelwright.ipsec.vpn_rule:
    name: printers
    network: site-a
    action: drop
    direction: outgoing
    source:
      - 10.1.0.240/28
      - fd00:1::f0/124

- name: Translate hosts of another LAN to one address of the local network
  tunnelwright.ipsec.vpn_rule:
    name: workshop
    network: site-a
    action: translate
    direction: outgoing
    source: 192.168.7.0/24
    target: 10.1.0.7

- name: Translate local addresses one to one, because both sides use the same addresses
  tunnelwright.ipsec.vpn_rule:
    name: one-to-one
    network: site-a
    action: translate
    direction: outgoing
    source: 192.168.10.0/24
    target: 10.1.0.0/24

- name: Make a server in another LAN reachable under an address of the tunnel
  tunnelwright.ipsec.vpn_rule:
    name: build-server
    network: site-a
    action: translate
    direction: incoming
    protocol: tcp
    destination: 10.1.0.9
    destination_ports: 443
    target: 192.168.7.20
    target_port: 8443

- name: Add a route to a LAN behind another router of the local network
  tunnelwright.ipsec.vpn_rule:
    name: warehouse
    network: site-a
    action: route
    destination: 10.55.0.0/16
    target: 10.1.0.254

- name: Admit the log of the gateway to a remote collector in cleartext while the tunnel is down
  tunnelwright.ipsec.vpn_rule:
    name: syslog
    network: site-a
    action: accept
    direction: outgoing
    cleartext: true
    protocol: tcp
    source: 203.0.113.1
    destination: 10.2.0.5
    destination_ports: 6514

- name: Put a rule out of force and keep its configuration
  tunnelwright.ipsec.vpn_rule:
    name: printers
    network: site-a
    state: disabled

- name: Remove a rule
  tunnelwright.ipsec.vpn_rule:
    name: web
    network: site-a
    state: absent
"""

RETURN = r"""
vpn_rule:
  description:
    - The configuration of the rule after the run, or as it would be in check mode, under the names
      of the options. Addresses of hosts are written as networks.
    - With O(state=absent), only the name, the network and the state.
  returned: success
  type: dict
  sample:
    name: web
    network: site-a
    action: accept
    description: ''
    direction: incoming
    protocol: tcp
    source: []
    destination:
      - 10.1.0.80/32
    source_ports: []
    destination_ports:
      - '80'
      - '443'
    target: null
    target_port: null
    interface: null
    order: 100
    log: false
    cleartext: false
    state: present
actions:
  description:
    - The steps of the run in order, or in check mode the steps that a run would take. Empty if
      there is nothing to do.
  returned: success
  type: list
  elements: str
  sample:
    - write /etc/tunnelwright/site-a.nft
    - replace the nftables rules of network site-a
    - write /etc/tunnelwright/site-a.json
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
  sample: none
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
      sample: /etc/tunnelwright/site-a.nft
    after_header:
      description: The same as C(before_header).
      returned: always
      type: str
      sample: /etc/tunnelwright/site-a.nft
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
        # Managed by the Ansible collection tunnelwright.ipsec: its next run replaces this file.
        table inet tunnelwright-site-a
        ...
"""

from ..module_utils._module.flow import run
from ..module_utils._module.rule import RuleResource


def main() -> None:
    run(RuleResource())


if __name__ == "__main__":
    main()
