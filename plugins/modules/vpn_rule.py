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
  - A rule of a VPN network lets traffic of its tunnels through or not, translates addresses before
    they enter the tunnel, or adds a route to the gateway.
  - The rules that IPsec needs are made by M(tunnelwright.ipsec.vpn_network) on its own, and hold
    whatever rules are added. Without a rule everything passes between the networks of a phase 2.
  - Rules about traffic are in the network's own nftables table, C(inet tunnelwright-NETWORK), each
    with its name as the comment. Without O(cleartext) they concern nothing but the traffic of the
    tunnels of this network. What a tunnel carries is found in the phase 2 objects of mode
    V(tunnel), whether they are made before or after the rule. Tunnels of an
    O(tunnelwright.ipsec.ipsec_settings#module:swanctl_conf) are not known to it.
  - A rule with O(action=accept), V(drop) or V(reject) is about who opens a connection. What answers
    passes, so that O(direction=incoming) with V(drop) still lets the local side open connections to
    the far one. The first rule that matches decides.
  - They see the addresses of the local side, which are those before an outgoing translation and
    after an incoming one.
  - No SA is touched by a rule, so that RV(impact) is always V(none).
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
        the network is started, and goes with it. A rule with O(cleartext) is in force while the
        network is stopped, too.
    type: str
    required: true
  description:
    description:
      - Free text for people, one line of up to 255 characters.
    type: str
  action:
    description:
      - V(accept) lets traffic pass that a later rule would stop. In a chain of the host's own input
        or output hook that is in O(tunnelwright.ipsec.vpn_network#module:firewall_chains), it is
        let pass as well. That is how a service of the gateway is opened to the far side where the
        host's own firewall drops by default.
      - V(drop) stops it without a word.
      - V(reject) stops it, and tells the sender with a TCP reset, or else with an ICMP
        "administratively prohibited".
      - V(translate) changes addresses, see O(target).
      - V(route) adds a route to the main table of the gateway, to O(destination) by way of
        O(target), O(interface) or both.
      - Required with O(state=present). With O(state=disabled), and for a rule that exists, it may
        be left out. The task then changes what it gives, also to a default, and every other option
        keeps its value.
    type: str
    choices:
      - accept
      - drop
      - reject
      - translate
      - route
  direction:
    description:
      - V(incoming) is what comes out of a tunnel, for hosts behind the gateway or for the gateway
        itself. V(outgoing) is what hosts behind the gateway, or the gateway itself, send into a
        tunnel.
      - Required with every action but V(route), which has none.
    type: str
    choices:
      - incoming
      - outgoing
  protocol:
    description:
      - The protocol that the rule is for. V(icmp) is ICMPv6 as well.
    type: str
    choices:
      - any
      - tcp
      - udp
      - icmp
    default: any
  source:
    description:
      - Networks in CIDR form, or addresses, that the traffic comes from. IPv4 and IPv6 may stand
        side by side. Left out, all that the tunnels carry.
      - Required with an outgoing translation, where it is what is translated.
    type: list
    elements: str
  destination:
    description:
      - The same for where the traffic goes. Required with an incoming translation, where it is the
        address in the tunnel, and with O(action=route).
      - With O(action=route), networks that contain a peer or the controller are refused if the
        route would lead elsewhere than the present one. So is V(0.0.0.0/0) or V(::/0) if it would
        take the place of the default route. A route to the address of a peer alone is accepted.
    type: list
    elements: str
  source_ports:
    description:
      - Ports, or ranges such as V(8000-8100). Needs V(tcp) or V(udp) as O(protocol).
    type: list
    elements: str
  destination_ports:
    description:
      - The same for the port that the connection is opened to.
    type: list
    elements: str
  target:
    description:
      - With O(action=route), the address of the next router.
      - With an outgoing translation, an address is what the source becomes (source NAT). It must
        lie in the O(tunnelwright.ipsec.ipsec_phase2#module:local_network) of a phase 2, since that
        is what the tunnel carries. The rule applies to what goes to the remote networks of these
        phase 2 objects, and to no other traffic.
      - With an outgoing translation, a network as large as O(source) makes it one to one (BINAT).
        Every host keeps its part of the address, and connections from the far side to the
        translated address are translated back to the host. It is for all protocols.
      - With an incoming translation, the address of the host that connections to O(destination) go
        to instead (destination NAT).
      - While the tunnel is down, what is for it does not leave the gateway, neither translated nor
        untranslated. Connections that are older than the rule are not translated, and stopped.
      - A translated network needs no address on the gateway, but then the gateway must have a route
        to the remote network, for example its default route. With the userspace data plane the
        tunnel does not come up unless the gateway has an address in the translated network. The
        O(tunnelwright.ipsec.vpn_network#module:network_address) is a good choice for it.
    type: str
  target_port:
    description:
      - With an incoming translation of V(tcp) or V(udp), the port that the connection goes to. Left
        out, the port stays.
    type: int
  interface:
    description:
      - With O(action=route), the interface that the route leads out of. Left out, the one by which
        O(target) is reached.
    type: str
  order:
    description:
      - The place among the rules of the network, V(1) to V(65535). Lower ones come first. Of those
        with the same number the names decide, in the order of ASCII.
    type: int
    default: 100
  log:
    description:
      - Log each new connection that the rule matches to the kernel's log, not more than ten in a
        second. The line begins with C(tunnelwright-NETWORK NAME).
    type: bool
    default: false
  cleartext:
    description:
      - With O(action=accept), the rule admits connections outside of the tunnels, in cleartext. The
        network drops such connections otherwise, between the networks of its phase 2 objects, and
        from the gateway to the remote networks.
      - O(source) and O(destination) are the addresses that the first packet of the connection has
        on the side where it is opened. At least one of them is required. Answers pass as well.
      - While the tunnel is up, the kernel's data plane still drops what arrives in cleartext from
        the remote network to the local network, and encrypts what goes the other way.
      - Where the nftables rules are gone, everything between the hosts that the rule names may pass
        in cleartext, and not only the ports that the rule names.
    type: bool
    default: false
  state:
    description:
      - V(present) makes the rule, or changes it to what the options say.
      - V(disabled) keeps its record, out of force.
      - V(absent) removes it.
    type: str
    choices:
      - present
      - disabled
      - absent
    default: present
notes:
  - V(drop) is final, V(accept) is not. The host's own nftables tables still see the traffic
    and may drop it.
  - A route is marked by the protocol 116 and the metric 84. It stands beside a route of the host's
    own to the same destination and does not replace it. In IPv4, where that has the metric 0, the
    host's own is used. In IPv6, where it has the metric 1024, this one is.
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
- name: The far side may use our web servers
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

- name: It may ping everything
  tunnelwright.ipsec.vpn_rule:
    name: ping
    network: site-a
    action: accept
    direction: incoming
    protocol: icmp

- name: And no more than that
  tunnelwright.ipsec.vpn_rule:
    name: nothing-else
    network: site-a
    action: reject
    direction: incoming
    order: 900
    log: true

- name: Printers have no business at the far side
  tunnelwright.ipsec.vpn_rule:
    name: printers
    network: site-a
    action: drop
    direction: outgoing
    source:
      - 10.1.0.240/28
      - fd00:1::f0/124

- name: Hosts of another LAN go through the tunnel under one address of its local network
  tunnelwright.ipsec.vpn_rule:
    name: workshop
    network: site-a
    action: translate
    direction: outgoing
    source: 192.168.7.0/24
    target: 10.1.0.7

- name: Both sides use the same addresses, so that ours are seen as 10.1.0.0/24, host by host
  tunnelwright.ipsec.vpn_rule:
    name: one-to-one
    network: site-a
    action: translate
    direction: outgoing
    source: 192.168.10.0/24
    target: 10.1.0.0/24

- name: The far side reaches a server in another LAN under an address of the tunnel
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

- name: A LAN behind another router of the local network
  tunnelwright.ipsec.vpn_rule:
    name: warehouse
    network: site-a
    action: route
    destination: 10.55.0.0/16
    target: 10.1.0.254

- name: The gateway sends its log to a collector at the far side, also while the tunnel is down
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

- name: Out of force, but not forgotten
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
    - The rule as it is configured after the module has run, or would be in check mode, under the
      names of the options. Addresses of hosts are written as networks.
    - With O(state=absent), the name, the network and the state alone.
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
    - What was done, step by step and in order, or in check mode what would be done. Empty when
      there was nothing to do.
  returned: success
  type: list
  elements: str
  sample:
    - write /etc/tunnelwright/site-a.nft
    - replace the nftables rules of network site-a
    - write /etc/tunnelwright/site-a.json
impact:
  description:
    - The worst that the change does to an SA that is up, of those in RV(impacts).
    - V(none) leaves them alone, or there are none.
    - V(pending) leaves them as they are. The new values are loaded, and are used when the SA is
      established anew. A rekeying is not enough for that.
    - V(child) closes the SA of a phase 2, or replaces it by a new one.
    - V(ike) does so with the whole tunnel, and every phase 2 in it.
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
    - What the change does to each SA that is up, and why. The same in check mode and in a real run,
      and shown with the diff.
    - Replaced is an SA only if the peer takes the new values. If it does not, the old SA stays up,
      with a warning.
    - Empty where the change does not reach the IKE daemon.
  returned: success
  type: list
  elements: dict
  contains:
    sa:
      description: The IKE SA, by the name of its phase 1, with all that is on it, or the Child SA
        of a phase 2, as phase 1 and phase 2.
      returned: always
      type: str
      sample: site-b/lan
    impact:
      description: One of the values of RV(impact).
      returned: always
      type: str
      sample: child
    reason:
      description: What has changed, under the names of strongSwan, and what follows.
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
    - The managed configuration before and after, a file or a live object each. Every secret is
      masked.
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
      description: The same.
      returned: always
      type: str
      sample: /etc/tunnelwright/site-a.nft
    before:
      description: What it was. Empty where there was nothing.
      returned: always
      type: str
      sample: ''
    after:
      description: What it is then. Empty where there is nothing left.
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
