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
  - A phase 2 says which networks on both sides a tunnel carries, and how their packets are
    protected. A phase 1 without one carries no traffic.
  - RFC 7296 calls it a Child SA; in strongSwan it is a section C(children.NAME) of the phase 1's
    connection. The text below names, in parentheses, the strongSwan setting that an option becomes.
  - When it comes up, when it is brought up again and how it is renewed is set in the phase 1, see
    M(tunnelwright.ipsec.ipsec_phase1).
options:
  name:
    description:
      - Name of the phase 2, unique within its phase 1. 1 to 64 of the characters C(A-Z), C(a-z),
        C(0-9), C(_) and C(-).
    type: str
    required: true
  network:
    description:
      - Name of the VPN network that the phase 1 belongs to, made with
        M(tunnelwright.ipsec.vpn_network).
    type: str
    required: true
  phase1:
    description:
      - Name of the phase 1 that negotiates this phase 2, made with
        M(tunnelwright.ipsec.ipsec_phase1). It must exist in O(network); the error otherwise lists
        those that do.
    type: str
    required: true
  description:
    description:
      - Free text for people, one line of up to 255 characters.
    type: str
  mode:
    description:
      - V(tunnel) carries the packets of whole networks, wrapped in a new IP header (C(mode)). The
        one for site-to-site.
      - V(transport) protects the traffic between the two gateways themselves, with no new header.
        O(local_network) and O(remote_network) are then left out. Both sides must set it, since with
        IKEv2 a peer that is set to tunnel mode silently makes it a tunnel.
    type: str
    choices:
      - tunnel
      - transport
    default: tunnel
  local_network:
    description:
      - Networks on this side that the tunnel carries, in CIDR form with no host bits set
        (C(local_ts)). Required with O(mode=tunnel).
      - IKEv2 carries several networks in one phase 2, and IPv4 with IPv6. IKEv1 carries one
        network, so that with it, and with
        O(tunnelwright.ipsec.ipsec_phase1#module:key_exchange=auto), each pair of networks is a
        phase 2 of its own.
      - An entry may name the traffic of the network that is meant, in brackets. It is a protocol,
        and for C(tcp), C(udp), C(sctp), C(dccp) and C(udplite) also a port or a range of ports, as
        in V(10.1.0.0/24[tcp/443]), V(10.1.0.0/24[udp/5000-5010]) and V(192.0.2.1/32[gre]). A
        protocol is a name or a number of IANA. The port is that of the hosts on this side. The
        peer must have the same protocol and ports.
      - In the kernel data plane, other traffic of these networks leaves as if there were no tunnel.
        The kernel takes a range of ports as the smallest block of a power of two that contains
        the range. In the userspace data plane, the whole remote network lies behind the tunnel, and
        other traffic to it is dropped.
      - Entries that overlap, with each other or with those of another phase 2, are refused with
        the names of both. A phase 1 that is disabled carries nothing, so that a replacement for a
        tunnel may be prepared in one.
      - A network that is in O(remote_network) too is refused, since packets to it stay on this
        side. Where both sides have the same addresses, each gives its networks other addresses for
        the tunnel, see C(translate) in M(tunnelwright.ipsec.vpn_rule).
    type: list
    elements: str
  remote_network:
    description:
      - Networks on the side of the peer, in the same form (C(remote_ts)). The peer must have the
        same two lists the other way round. Required with O(mode=tunnel).
      - A remote network may contain networks of this side, as V(0.0.0.0/0) does. The local network
        stays reachable with O(tunnelwright.ipsec.ipsec_settings#module:exclude_my_network). The
        networks of other interfaces, the peer, and the connections of the gateway itself keep
        their routes if the remote network is a large one (a prefix of V(16) or less, V(48) or less
        for IPv6).
      - Refused are a network that is in O(local_network) as well, everything to everything, and a
        network that contains the local network while
        O(tunnelwright.ipsec.ipsec_settings#module:exclude_my_network=false). For networks that are
        the same on both sides, a M(tunnelwright.ipsec.vpn_rule) with C(action=translate) gives the
        hosts of this side other addresses.
      - Networks that would take the SSH connection of the running task are an error, unless
        M(tunnelwright.ipsec.ipsec_checkpoint) was started. Check mode warns of them.
      - An unmanaged connection of the IKE daemon that carries the same networks is named in a
        warning.
    type: list
    elements: str
  protocol:
    description:
      - V(esp) encrypts and authenticates. Recommended.
      - V(ah) authenticates only, the packets stay readable. It cannot pass NAT or be put in UDP,
        and needs the kernel data plane.
    type: str
    choices:
      - esp
      - ah
    default: esp
  lifetime:
    description:
      - Time after which the keys expire, in O(lifetime_unit) (C(life_time)). Before that they are
        replaced, see O(tunnelwright.ipsec.ipsec_phase1#module:margintime).
      - The two sides need not agree.
    type: int
    default: 1
  lifetime_unit:
    description:
      - Unit of O(lifetime). A year has 365 days.
      - V(forever) never replaces the keys, and O(lifetime) is ignored. The sequence numbers of an
        SA are used up after 4294967295 packets, and then it carries nothing more, so this is for
        tunnels with little traffic at most.
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
      - V(present) makes sure that the phase 2 exists as described.
      - V(disabled) makes sure that it exists and is not loaded. If it is up it is closed, and other
        phase 2 objects of the same phase 1 stay up. Where it exists and a task gives neither
        networks nor O(mode=transport), the task changes what it gives, also to a default, and every
        other option keeps its value.
      - Traffic between the networks of a phase 2 does not leave in cleartext while the phase 2 is
        disabled, or present and down. In V(transport) mode that is traffic between the two
        gateways, where the address of the peer is known.
      - V(absent) closes and removes it. A warning names the networks whose traffic leaves in
        cleartext from then on, where there is a route. A phase 2 whose phase 1 does not exist is
        absent.
    type: str
    choices:
      - present
      - disabled
      - absent
    default: present
notes:
  - With IKEv2, a Diffie-Hellman group that differs from that of the peer does not show at first.
    The tunnel comes up, because the first keys come from phase 1, and goes down when they are
    replaced for the first time. Compare O(encryption) on both sides.
  - While the tunnel is down, traffic from a local to a remote network is dropped by the rules of
    the VPN network and does not leave in clear.
seealso:
  - module: tunnelwright.ipsec.vpn_network
  - module: tunnelwright.ipsec.ipsec_phase1
  - name: RFC 7296
    link: https://www.rfc-editor.org/rfc/rfc7296
    description: Internet Key Exchange Protocol Version 2.
  - name: RFC 8221
    link: https://www.rfc-editor.org/rfc/rfc8221
    description: Which algorithms to use with ESP and AH, and which no more.
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
- name: One network on each side
  tunnelwright.ipsec.ipsec_phase2:
    name: lan
    phase1: site-b
    network: site-a
    local_network: 10.1.0.0/24
    remote_network: 10.2.0.0/24

- name: Several networks, IPv4 and IPv6, over IKEv2
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

- name: The gateway is the way to everything behind the peer
  tunnelwright.ipsec.ipsec_phase2:
    name: default
    phase1: site-d
    network: office
    local_network: 192.168.10.0/25
    remote_network: 0.0.0.0/0
    lifetime: 8

- name: An old Cisco router, IKEv1, without PFS
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

- name: One web server behind the peer, and no other service
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

- name: Authenticate only, with AH
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

- name: Switch a phase 2 off and keep it configured
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
    - The phase 2 as it is configured after the module has run, or would be in check mode, under the
      names of the options.
    - With O(state=absent), the name, the phase 1, the network and the state alone.
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
    - What was done, step by step and in order, or in check mode what would be done. Empty when
      there was nothing to do.
  returned: success
  type: list
  elements: str
  sample:
    - write /etc/tunnelwright/site-a.nft
    - replace the nftables rules of network site-a
    - load connection site-b
    - write /etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf
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
  sample: pending
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
      sample: /etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf
    after_header:
      description: The same.
      returned: always
      type: str
      sample: /etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf
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
