#!/usr/bin/python

# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vpn_network
short_description: Manage the VPN networks of an IPsec gateway
version_added: 0.1.0
description:
  - A VPN network is the local end of site-to-site tunnels on a Linux gateway. It consists of an
    interface that carries the router address, of IP forwarding, of an nftables table of its own
    with the rules that IPsec needs, and of a systemd unit that brings all of it back after a
    reboot.
  - It is the first of the objects that make a tunnel. The daemon is then tuned with
    M(tunnelwright.ipsec.ipsec_settings) where the defaults do not fit, each peer is described with
    M(tunnelwright.ipsec.ipsec_phase1), and the networks that the tunnel carries with
    M(tunnelwright.ipsec.ipsec_phase2).
  - The network's nftables table is called C(inet tunnelwright-NAME) and holds, each with a comment
    that names it, rules that accept incoming IKE (UDP 500), NAT traversal (UDP 4500), ESP and AH,
    from the peers of the network where their addresses are known. Without an enabled phase 1 the
    network has no peer, and nothing is accepted. The table keeps traffic that enters a tunnel from
    being masqueraded by another table.
  - The table also guards the networks of each phase 2 against cleartext. Packets to the remote
    network that would leave in cleartext are dropped, whatever their source. Packets in cleartext
    that claim to come from the remote network to the local network are dropped. This holds while
    the tunnel is up or down, disabled, or its network stopped. A M(tunnelwright.ipsec.vpn_rule)
    with C(cleartext) admits what it names. Where the remote network is the internet (a prefix
    shorter than /8), connections of the gateway itself from other addresses are not dropped.
  - Policies or routes of the kernel block the same traffic of the local network while the nftables
    rules are gone, for example while nftables is restarted. In the kernel's data plane they are
    IPsec policies with the lowest precedence. In the userspace data plane they are unreachable
    routes in the routing table 116. The unit C(tunnelwright-NAME.guard) loads rules and blocks at
    boot before the network of the host comes up. A shutdown withdraws nothing.
options:
  name:
    description:
      - Name of the network. 1 to 32 of the characters C(a-z), C(0-9) and C(-), not starting with
        C(-).
    type: str
    required: true
  description:
    description:
      - Free text for people, one line of up to 255 characters.
    type: str
  layer2_type:
    description:
      - V(none) makes an isolated network on a bridge of its own, or attaches the network to an
        existing interface when O(interface_network) is given.
      - V(vlan) makes a VLAN interface with the tag O(layer2_id) on O(interface_network).
    type: str
    choices:
      - none
      - vlan
    default: none
  layer2_id:
    description:
      - VLAN tag, V(1) to V(4094). Required with, and only with, O(layer2_type=vlan).
    type: int
  ip_address_type:
    description:
      - V(static) gives the network the router address O(ip_address).
      - V(none) sets no address. The network then only has its interface and its rules.
    type: str
    choices:
      - static
      - none
    default: static
  ip_address:
    description:
      - The VPN router address, IPv4 or IPv6, which hosts of the local network use as their gateway
        to the peers. Required with O(ip_address_type=static).
      - It must be a host address inside O(network_address), which supplies the prefix length.
      - A gateway without an address inside the local network of a phase 2 cannot itself send
        traffic through the tunnel, and with the userspace data plane the tunnel does not come up at
        all.
    type: str
  network_address:
    description:
      - The local network range, in CIDR form with no host bits set, for example V(10.1.0.0/24) or
        V(fd00:1::/64). Required with O(ip_address_type=static).
      - A network has one range. For IPv4 and IPv6 make two networks, the second one attached to the
        interface of the first. One phase 2 may still carry both.
      - A range is refused if it overlaps the network of another interface or of another managed
        network. It is refused too if it contains the address of a peer, of the controller, or of
        the router of the default route, because the host would lose the way to that address.
    type: str
  interface_network:
    description:
      - Left out, the network is separate and other networks are reached by routing (layer 3) only.
        This is the recommended way.
      - The name of an interface or bridge that exists attaches the network to it (layer 2). The
        router address is added to that interface, which is otherwise left as it is.
      - With O(layer2_type=vlan) this is the interface that carries the tagged frames.
    type: str
  interface:
    description:
      - Name of the interface that is made, 15 characters at most.
      - Defaults to C(vpn-) and O(name), shortened with a digest where that is too long.
      - Cannot be given when the network is attached to an existing interface.
    type: str
  mtu:
    description:
      - MTU of the interface that is made. Left out, the kernel's default holds.
      - To keep TCP from sending packets too big for a tunnel, use
        O(tunnelwright.ipsec.ipsec_settings#module:mss_clamp) rather.
    type: int
  firewall_chains:
    description:
      - Base chains of other nftables tables into which the accepting rules of the network are
        hooked too, each written as C(family table chain), for example V(inet filter input).
      - In nftables an accept in one table does not override a drop in another. A host whose own
        firewall drops by default needs its input and forward chains listed here. The module warns
        of such a chain by name when it is not listed.
      - The hooked rules bear a comment that names the network. Other rules of these chains are not
        touched. In a chain that iptables manages they work, but iptables itself cannot show such a
        table any more, of which the module warns.
    type: list
    elements: str
  ike_interfaces:
    description:
      - Names of the WAN interfaces on which IKE, ESP and AH are accepted. Left out, all interfaces.
    type: list
    elements: str
  dataplane:
    description:
      - What encrypts the packets.
      - V(auto) finds out, by trying, whether the kernel can do ESP, and uses strongSwan's own
        plugin C(kernel-libipsec) with a warning where it cannot, as in many containers.
      - V(kernel) insists on the kernel, which is what a production gateway should have.
      - V(userspace) insists on C(kernel-libipsec). It carries ESP in tunnel mode in UDP only. It
        knows no AH, no transport mode and no IPComp. With strongSwan 5, traffic does not bring a
        tunnel up, so that
        O(tunnelwright.ipsec.ipsec_phase1#module:connection_behavior=on_demand) has no effect.
      - One IKE daemon serves all networks of a host, so that they cannot differ in this.
    type: str
    choices:
      - auto
      - kernel
      - userspace
    default: auto
  state:
    description:
      - V(started) makes sure that the network exists as described and is switched on (Power On).
      - V(stopped) makes sure that it exists as described and is switched off (Power Off). Its
        interface and its connections are not in the system, and what is configured stays in the
        files. Of its rules only the guard against cleartext stays.
      - V(present) makes sure that it exists as described and leaves the power as it is. A new
        network is switched on.
      - V(absent) removes the network with everything that the collection made for it, its rules
        included. A warning names the networks whose traffic leaves in cleartext from then on.
      - With V(stopped) and V(absent) the interface that was made for the network goes. The module
        refuses it while another network that is switched on is attached to that interface.
      - The power state survives a reboot as it was left.
      - Where the network exists and a task gives neither O(ip_address) nor O(network_address) nor
        O(ip_address_type), the task changes what it gives, also to a default, and every other
        option keeps its value. O(state) is V(started) in such a task, too, if it is left out.
    type: str
    choices:
      - started
      - stopped
      - present
      - absent
    default: started
  force:
    description:
      - With O(state=absent), remove the phase 1 and phase 2 objects of the network with it. Without
        it the module fails and lists them. It has no effect with any other state.
    type: bool
    default: false
notes:
  - IP forwarding is switched on for the IP versions that the network and its tunnels carry. It is a
    setting of the whole host, and stays on when the network goes. With IPv6 forwarding on, Linux
    drops a default route learned from router advertisements unless C(accept_ra) of that interface
    is 2. The module warns where this is the case.
  - The nftables table survives a start, a restart and a reload of C(nftables.service). A ruleset
    that was flushed by hand is restored by the next run of the module.
seealso:
  - module: tunnelwright.ipsec.ipsec_settings
  - module: tunnelwright.ipsec.ipsec_phase1
  - module: tunnelwright.ipsec.ipsec_phase2
extends_documentation_fragment:
  - tunnelwright.ipsec._attributes
  - tunnelwright.ipsec._attributes.alike
  - tunnelwright.ipsec._host.needed
  - tunnelwright.ipsec._host
author:
  - The tunnelwright.ipsec authors (@tunnelwright)
"""

EXAMPLES = r"""
- name: A separate network, reached from other networks by routing
  tunnelwright.ipsec.vpn_network:
    name: site-a
    description: Office network behind this gateway
    ip_address: 10.1.0.1
    network_address: 10.1.0.0/24

- name: The IPv6 range of the same network, on the interface that was made above
  tunnelwright.ipsec.vpn_network:
    name: site-a-v6
    interface_network: vpn-site-a
    ip_address: fd00:1::1
    network_address: fd00:1::/64

- name: The local network is an existing bridge
  tunnelwright.ipsec.vpn_network:
    name: office
    interface_network: br-lan
    ip_address: 192.168.10.1
    network_address: 192.168.10.0/24

- name: The local network is VLAN 120 on eth1
  tunnelwright.ipsec.vpn_network:
    name: plant
    layer2_type: vlan
    layer2_id: 120
    interface_network: eth1
    interface: plant
    mtu: 1500
    ip_address: 10.120.0.1
    network_address: 10.120.0.0/22

- name: A gateway whose own firewall drops by default, with IPsec on its WAN interface only
  tunnelwright.ipsec.vpn_network:
    name: site-a
    ip_address: 10.1.0.1
    network_address: 10.1.0.0/24
    ike_interfaces:
      - eth0
    firewall_chains:
      - inet filter input
      - inet filter forward

- name: Power off, and stay off over reboots
  tunnelwright.ipsec.vpn_network:
    name: plant
    state: stopped

- name: Let the module choose the data plane again, and change nothing else
  tunnelwright.ipsec.vpn_network:
    name: plant
    dataplane: auto
    state: stopped

- name: Power on
  tunnelwright.ipsec.vpn_network:
    name: plant
    state: started

- name: Remove the network and every phase 1 and phase 2 of it
  tunnelwright.ipsec.vpn_network:
    name: plant
    state: absent
    force: true
"""

RETURN = r"""
vpn_network:
  description:
    - The network as it is configured after the module has run, or would be in check mode, under the
      names of the options. Its C(interface) is the one that carries the address, also where the
      name was derived.
    - With O(state=absent), the name and the state alone.
  returned: success
  type: dict
  sample:
    name: site-a
    description: Office network behind this gateway
    layer2_type: none
    layer2_id: null
    ip_address_type: static
    ip_address: 10.1.0.1
    network_address: 10.1.0.0/24
    interface_network: null
    interface: vpn-site-a
    mtu: null
    firewall_chains: []
    ike_interfaces:
      - eth0
    dataplane: auto
    state: started
actions:
  description:
    - What was done, step by step and in order, or in check mode what would be done. Empty when
      there was nothing to do.
  returned: success
  type: list
  elements: str
  sample:
    - write /etc/tunnelwright/site-a.nft
    - write /etc/tunnelwright/site-a.sh
    - write /etc/systemd/system/tunnelwright-site-a.service
    - reload systemd's unit files
    - start tunnelwright-site-a.service
    - enable tunnelwright-site-a.service
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
    - sa: site-b
      impact: ike
      reason: "no longer configured: the IKE SA is closed"
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
      sample: 'network site-a: address of vpn-site-a'
    after_header:
      description: The same.
      returned: always
      type: str
      sample: 'network site-a: address of vpn-site-a'
    before:
      description: What it was. Empty where there was nothing.
      returned: always
      type: str
      sample: ''
    after:
      description: What it is then. Empty where there is nothing left.
      returned: always
      type: str
      sample: "10.1.0.1/24\n"
"""

from ..module_utils._module.flow import run
from ..module_utils._module.network import NetworkResource


def main() -> None:
    run(NetworkResource())


if __name__ == "__main__":
    main()
