#!/usr/bin/python

# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipsec_phase2
short_description: Manage a phase 2 (Child SA configuration) of an IPsec tunnel
version_added: 0.1.0
description:
  - A phase 2 defines the networks of both sides that a tunnel carries, and the protection of their
    packets. A phase 1 without a phase 2 carries no traffic.
  - RFC 7296 calls a phase 2 a Child SA. In strongSwan it is a section C(children.NAME) of the
    connection of its phase 1. The text below names, in parentheses, the strongSwan setting of an
    option.
  - The phase 1 defines when a phase 2 comes up, when it is brought up again, and how its SAs are
    replaced. See M(tunnelwright.ipsec.ipsec_phase1).
options:
  name:
    description:
      - Name of the phase 2, unique within its phase 1. 1 to 64 of the characters C(A-Z), C(a-z),
        C(0-9), C(_) and C(-).
    type: str
    required: true
  network:
    description:
      - Name of the VPN network of the phase 1, made with M(tunnelwright.ipsec.vpn_network).
    type: str
    required: true
  phase1:
    description:
      - Name of the phase 1 that negotiates this phase 2, made with
        M(tunnelwright.ipsec.ipsec_phase1). It must exist in O(network). If it does not, the error
        lists the phase 1 objects of that network.
    type: str
    required: true
  description:
    description:
      - Free text for people, one line of up to 255 characters.
    type: str
  mode:
    description:
      - V(tunnel) carries the packets of whole networks inside a new IP header (C(mode)). Use it for
        site-to-site tunnels.
      - V(transport) protects the traffic between the two gateways themselves, without a new header.
        Leave out O(local_network) and O(remote_network) with it. Set it on both sides. With IKEv2,
        a peer in tunnel mode silently turns it into tunnel mode.
    type: str
    choices:
      - tunnel
      - transport
    default: tunnel
  local_network:
    description:
      - Networks of this side that the tunnel carries, in CIDR form with no host bits set
        (C(local_ts)). Required with O(mode=tunnel).
      - IKEv2 carries several networks in one phase 2, IPv4 together with IPv6. IKEv1 carries one
        network. With IKEv1, and with O(tunnelwright.ipsec.ipsec_phase1#module:key_exchange=auto),
        make a separate phase 2 for each pair of networks.
      - An entry may restrict the traffic of the network in brackets. The brackets hold a protocol,
        as an IANA name or number. For C(tcp), C(udp), C(sctp), C(dccp) and C(udplite) they may also
        hold a port or a range of ports. Examples are V(10.1.0.0/24[tcp/443]),
        V(10.1.0.0/24[udp/5000-5010]) and V(192.0.2.1/32[gre]). The port is the port of the hosts on
        this side. The peer must configure the same protocol and ports.
      - In the kernel data plane, other traffic of these networks leaves as if there were no tunnel.
        The kernel extends a range of ports to the smallest block of a power of two that contains
        the range. In the userspace data plane, the whole remote network is behind the tunnel, and
        other traffic to it is dropped.
      - Entries that overlap each other, or entries of another phase 2, are refused, and the error
        names both. A disabled phase 1 carries no traffic. Use one to prepare the replacement of a
        tunnel.
      - A network that is also in O(remote_network) is refused, because packets to it stay on this
        side. If both sides use the same addresses, each side translates its networks to other
        addresses for the tunnel. See C(translate) in M(tunnelwright.ipsec.vpn_rule).
    type: list
    elements: str
  remote_network:
    description:
      - Networks of the side of the peer, in the same form (C(remote_ts)). The peer must configure
        the same two lists with local and remote exchanged. Required with O(mode=tunnel).
      - A remote network may contain networks of this side, as V(0.0.0.0/0) does. The local network
        stays reachable with O(tunnelwright.ipsec.ipsec_settings#module:exclude_my_network). A
        remote network with a prefix of V(16) or shorter, or V(48) or shorter for IPv6, counts as
        large. With a large remote network, the networks of other interfaces, the peer, and the
        connections of the gateway itself keep their routes.
      - The module refuses a network that is also in O(local_network), and all addresses on both
        sides at once. It refuses a network that contains the local network while
        O(tunnelwright.ipsec.ipsec_settings#module:exclude_my_network=false). If both sides have the
        same networks, a M(tunnelwright.ipsec.vpn_rule) with C(action=translate) gives the hosts of
        this side other addresses.
      - A network that would capture the SSH connection of the running task is refused, unless
        M(tunnelwright.ipsec.ipsec_checkpoint) was started. Check mode warns about such a network.
      - If an unmanaged connection of the IKE daemon carries the same networks, a warning names it.
    type: list
    elements: str
  protocol:
    description:
      - V(esp) encrypts and authenticates packets. It is recommended.
      - V(ah) authenticates packets only, and they stay readable. AH cannot pass NAT, cannot be sent
        in UDP, and requires the kernel data plane.
    type: str
    choices:
      - esp
      - ah
    default: esp
  lifetime:
    description:
      - Time until the keys expire, in O(lifetime_unit) (C(life_time)). New keys replace them before
        that time, see O(tunnelwright.ipsec.ipsec_phase1#module:margintime).
      - The lifetimes of the two sides may differ.
    type: int
    default: 1
  lifetime_unit:
    description:
      - Unit of O(lifetime). A year has 365 days.
      - V(forever) never replaces the keys, and ignores O(lifetime). An SA has 4294967295 sequence
        numbers, and carries no more packets after that number. Therefore use V(forever) only for
        tunnels with little traffic.
    type: str
    choices:
      - seconds
      - minutes
      - hours
      - days
      - years
      - forever
    default: hours
  state:
    description:
      - V(present) ensures that the phase 2 exists with these options.
      - V(disabled) ensures that the phase 2 exists and is not loaded. Its SA is closed if it is up.
        Other phase 2 objects of the same phase 1 stay up.
      - With V(disabled), a task for an existing phase 2 may leave out the networks and
        O(mode=transport). Such a task changes only the options that it gives, even to their
        defaults. Every other option keeps its value.
      - Traffic between the networks of a phase 2 does not leave in cleartext while the phase 2 is
        disabled, or present and down. In V(transport) mode this concerns traffic between the two
        gateways, if the address of the peer is known.
      - V(absent) closes and removes the phase 2. A warning names each network whose traffic leaves
        in cleartext afterwards, if there is a route for it. A phase 2 whose phase 1 does not exist
        counts as absent.
    type: str
    choices:
      - present
      - disabled
      - absent
    default: present
notes:
  - With IKEv2, a Diffie-Hellman group that differs from the group of the peer has no effect at
    first. The tunnel comes up, because the first keys come from phase 1. It goes down when the keys
    are replaced for the first time. Compare O(encryption) on both sides.
  - While the tunnel is down, the rules of the VPN network drop traffic from a local network to a
    remote network. Such traffic does not leave in cleartext.
seealso:
  - module: tunnelwright.ipsec.vpn_network
  - module: tunnelwright.ipsec.ipsec_phase1
  - name: RFC 7296
    link: https://www.rfc-editor.org/rfc/rfc7296
    description: Internet Key Exchange Protocol Version 2.
  - name: RFC 8221
    link: https://www.rfc-editor.org/rfc/rfc8221
    description: Algorithms to use with ESP and AH, and algorithms to avoid.
  - name: swanctl.conf
    link: https://docs.strongswan.org/docs/latest/swanctl/swanctlConf.html
    description: The strongSwan settings named here in parentheses.
extends_documentation_fragment:
  - tunnelwright.ipsec._attributes
  - tunnelwright.ipsec._attributes.alike
  - tunnelwright.ipsec._attributes.phases
  - tunnelwright.ipsec._host.needed
  - tunnelwright.ipsec._host
  - tunnelwright.ipsec._phase
author:
  - The tunnelwright.ipsec authors (@tunnelwright)
"""

EXAMPLES = r"""
- name: Carry one network of each side
  tunnelwright.ipsec.ipsec_phase2:
    name: lan
    phase1: site-b
    network: site-a
    local_network: 10.1.0.0/24
    remote_network: 10.2.0.0/24

- name: Carry several networks, IPv4 and IPv6, with IKEv2
  tunnelwright.ipsec.ipsec_phase2:
    name: all
    phase1: site-c
    network: site-a-v6
    local_network:
      - 10.1.0.0/24
      - fd00:1::/64
    remote_network:
      - 10.3.0.0/24
      - 10.3.8.0/22
      - fd00:3::/64
    encryption:
      - algorithm: aes-gcm
        key_length: 256
        dh_group: 20
    weak_crypto: refuse

- name: Route all traffic of the local network to the peer
  tunnelwright.ipsec.ipsec_phase2:
    name: default
    phase1: site-d
    network: office
    local_network: 192.168.10.0/25
    remote_network: 0.0.0.0/0
    lifetime: 8

- name: Carry a network of an old Cisco router with IKEv1, without PFS
  tunnelwright.ipsec.ipsec_phase2:
    name: vlan20
    phase1: legacy-cisco
    network: office
    local_network: 192.168.10.128/25
    remote_network: 172.16.20.0/24
    encryption:
      - algorithm: aes
        key_length: 128
        hash: sha1
    lifetime: 3600
    lifetime_unit: seconds
    weak_crypto: allow

- name: Carry the traffic of one web server behind the peer only
  tunnelwright.ipsec.ipsec_phase2:
    name: web
    phase1: site-b
    network: site-a
    local_network: 10.1.9.0/24
    remote_network: "10.2.8.80/32[tcp/443]"

- name: Protect a GRE tunnel between the two gateways
  tunnelwright.ipsec.ipsec_phase2:
    name: gre
    phase1: site-e
    network: site-a
    mode: transport
    local_network: "192.0.2.1/32[gre]"
    remote_network: "192.0.2.5/32[gre]"

- name: Authenticate packets with AH, without encryption
  tunnelwright.ipsec.ipsec_phase2:
    name: ah
    phase1: site-b
    network: site-a
    protocol: ah
    local_network: 10.1.9.0/24
    remote_network: 10.2.9.0/24
    encryption:
      - hash: sha256
        dh_group: 19

- name: Protect the traffic between the two gateways themselves
  tunnelwright.ipsec.ipsec_phase2:
    name: gateways
    phase1: site-b
    network: site-a
    mode: transport

- name: Switch a phase 2 off and keep its configuration
  tunnelwright.ipsec.ipsec_phase2:
    name: lan
    phase1: site-b
    network: site-a
    state: disabled

- name: Remove a phase 2
  tunnelwright.ipsec.ipsec_phase2:
    name: lan
    phase1: site-b
    network: site-a
    state: absent
"""

RETURN = r"""
ipsec_phase2:
  description:
    - The configuration of the phase 2 after the run, or as it would be in check mode, under the
      names of the options.
    - With O(state=absent), only the name, the phase 1, the network and the state.
  returned: success
  type: dict
  sample:
    name: lan
    phase1: site-b
    network: site-a
    description: ''
    mode: tunnel
    local_network:
      - 10.1.0.0/24
    remote_network:
      - 10.2.0.0/24
    protocol: esp
    lifetime: 1
    lifetime_unit: hours
    encryption:
      - algorithm: aes
        key_length: 256
        hash: sha256
        dh_group: 14
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
    - "change the nftables sets of network site-a: add site-b/lan"
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
        connections {
            site-b {
                version = 2
                children {
                    lan {
                        mode = tunnel
                    }
                }
            }
        }
"""

from ..module_utils._module.flow import run
from ..module_utils._module.phase2 import Phase2Resource


def main() -> None:
    run(Phase2Resource())


if __name__ == "__main__":
    main()
