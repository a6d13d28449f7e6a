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
  - A VPN network is the local end of site-to-site tunnels on a Linux gateway. A network has an
    interface with the router address, IP forwarding, and an nftables table with the rules that
    IPsec needs. A systemd unit restores all of these at boot.
  - A tunnel needs the network first, then one M(tunnelwright.ipsec.ipsec_phase1) for each peer,
    then one M(tunnelwright.ipsec.ipsec_phase2) for the networks that the tunnel carries.
    M(tunnelwright.ipsec.ipsec_settings) changes the IKE daemon where the defaults do not fit.
  - The nftables table of the network is called C(inet tunnelwright-NAME). Its rules accept incoming
    IKE (UDP 500), NAT traversal (UDP 4500), ESP and AH. They accept these from the peers of the
    network only, where the addresses of the peers are known. The table accepts nothing while the
    network has no enabled phase 1. The table also prevents another table from masquerading traffic
    that enters a tunnel. Each rule has a comment that names its purpose.
  - The table also guards the networks of each phase 2 against cleartext. It drops packets to the
    remote network that would leave in cleartext, from any source. It drops packets that arrive in
    cleartext from the remote network for the local network. The guard holds while the tunnel is up,
    down or disabled, and while the network is stopped. A M(tunnelwright.ipsec.vpn_rule) with
    C(cleartext) admits the traffic that it names. If the prefix of the remote network is shorter
    than /8, the remote network counts as the internet. The guard then admits connections of the
    gateway itself from other addresses.
  - Blocks of the kernel hold the same traffic of the local network while the nftables rules are
    missing, for example while nftables restarts. In the kernel data plane, a block is an IPsec
    policy with the lowest precedence. In the userspace data plane, it is an unreachable route in
    the routing table 116. The unit C(tunnelwright-NAME.guard) loads the rules and blocks at boot,
    before the network of the host comes up. A shutdown keeps the rules and blocks.
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
      - V(none) makes an isolated network on its own bridge. With O(interface_network) it attaches
        the network to an existing interface.
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
      - V(none) sets no address. The network then has its interface and its rules only.
    type: str
    choices:
      - static
      - none
    default: static
  ip_address:
    description:
      - The VPN router address, IPv4 or IPv6. Hosts of the local network use it as their gateway to
        the remote networks. Required with O(ip_address_type=static).
      - The address must be a host address inside O(network_address). The prefix length comes from
        O(network_address).
      - The gateway itself needs an address inside the local network of a phase 2 to send traffic
        through its tunnel. With the userspace data plane, the tunnel does not come up without such
        an address.
    type: str
  network_address:
    description:
      - The local network range, in CIDR form with no host bits set, for example V(10.1.0.0/24) or
        V(fd00:1::/64). Required with O(ip_address_type=static).
      - A network has one range. For IPv4 and IPv6, make two networks and attach the second network
        to the interface of the first. One phase 2 may still carry both ranges.
      - A range is refused if it overlaps the network of another interface or of another managed
        network. A range that contains the address of a peer, of the controller, or of the router of
        the default route is refused too. The host would lose its route to that address.
    type: str
  interface_network:
    description:
      - If left out, the network is separate, and routing (layer 3) alone connects it with other
        networks. This is the recommended way.
      - The name of an existing interface or bridge attaches the network to it (layer 2). The module
        adds the router address to that interface, and changes nothing else on it.
      - With O(layer2_type=vlan) this is the interface that carries the tagged frames.
    type: str
  interface:
    description:
      - Name of the interface that the module makes, 15 characters at most.
      - Default is C(vpn-) followed by O(name). A longer name is shortened with a digest.
      - Cannot be given when the network is attached to an existing interface.
    type: str
  mtu:
    description:
      - MTU in bytes of the interface that the module makes. Default is the default of the kernel.
      - To keep TCP packets small enough for a tunnel, use
        O(tunnelwright.ipsec.ipsec_settings#module:mss_clamp) instead.
    type: int
  firewall_chains:
    description:
      - Base chains of other nftables tables that also receive the accepting rules of the network.
        Each is written as C(family table chain), for example V(inet filter input).
      - In nftables, an accept in one table does not override a drop in another table. If the
        firewall of the host drops by default, list its input and forward chains here. The module
        warns, with the name, about such a chain that is not listed.
      - Each rule in these chains has a comment that names the network. The module does not touch
        other rules of these chains. The rules also work in a chain that iptables manages. However,
        iptables can no longer show such a table, and the module warns about this.
    type: list
    elements: str
  ike_interfaces:
    description:
      - Names of the WAN interfaces on which IKE, ESP and AH are accepted. Default is all
        interfaces.
    type: list
    elements: str
  dataplane:
    description:
      - The part of the system that encrypts the packets.
      - V(auto) tries whether the kernel can do ESP. If the kernel cannot, as in many containers,
        the module uses the strongSwan plugin C(kernel-libipsec) and warns about it.
      - V(kernel) requires ESP in the kernel. A production gateway should use it.
      - V(userspace) requires C(kernel-libipsec). This plugin carries ESP only in tunnel mode and
        only in UDP. It supports no AH, no transport mode and no IPComp. With strongSwan 5, traffic
        does not bring up a tunnel, so
        O(tunnelwright.ipsec.ipsec_phase1#module:connection_behavior=on_demand) has no effect.
      - All networks of a host have the same data plane, because one IKE daemon serves all of them.
    type: str
    choices:
      - auto
      - kernel
      - userspace
    default: auto
  state:
    description:
      - V(started) ensures that the network exists with these options and is switched on (Power On).
      - V(stopped) ensures that the network exists with these options and is switched off (Power
        Off). The module removes its interface and unloads its connections. The configuration stays
        in the files. The guard against cleartext stays in force; the other rules of the network do
        not.
      - V(present) ensures that the network exists with these options and leaves it switched on or
        off. A new network is switched on.
      - V(absent) removes the network and everything that the collection made for it, including its
        rules. A warning names each network whose traffic leaves in cleartext afterwards.
      - V(stopped) and V(absent) remove the interface that the module made for the network. The
        module refuses both while another network that is switched on uses that interface. It does
        so if it is attached to the interface, names it in its O(ike_interfaces), or has an enabled
        rule with it in O(tunnelwright.ipsec.vpn_rule#module:interface).
      - V(started) is refused if this host can't have an enabled object of the network. An example
        is a route through an interface that does not exist.
      - A reboot keeps the network switched on or off.
      - A task for an existing network may leave out O(ip_address), O(network_address) and
        O(ip_address_type) together. Such a task changes only the options that it gives, even to
        their defaults. Every other option keeps its value, except that O(state) is V(started) if
        left out.
    type: str
    choices:
      - started
      - stopped
      - present
      - absent
    default: started
  force:
    description:
      - With O(state=absent), also remove the phase 1 and phase 2 objects of the network. Without
        O(force), the module fails and lists these objects. The option has no effect with any other
        state.
    type: bool
    default: false
notes:
  - The module switches on IP forwarding for the IP versions that the network and its tunnels carry.
    Forwarding is a setting of the whole host, and stays on after the network is removed. With IPv6
    forwarding on, Linux drops a default route from router advertisements unless C(accept_ra) of
    that interface is 2. The module warns about such an interface.
  - The nftables table survives a start, a restart and a reload of C(nftables.service). The next run
    of the module restores a ruleset that was flushed by hand.
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
- name: Make a separate network that routing connects with other networks
  tunnelwright.ipsec.vpn_network:
    name: site-a
    description: Office network behind this gateway
    ip_address: 10.1.0.1
    network_address: 10.1.0.0/24

- name: Add the IPv6 range of the same network on its interface
  tunnelwright.ipsec.vpn_network:
    name: site-a-v6
    interface_network: vpn-site-a
    ip_address: fd00:1::1
    network_address: fd00:1::/64

- name: Attach a network to an existing bridge
  tunnelwright.ipsec.vpn_network:
    name: office
    interface_network: br-lan
    ip_address: 192.168.10.1
    network_address: 192.168.10.0/24

- name: Make a network on VLAN 120 of eth1
  tunnelwright.ipsec.vpn_network:
    name: plant
    layer2_type: vlan
    layer2_id: 120
    interface_network: eth1
    interface: plant
    mtu: 1500
    ip_address: 10.120.0.1
    network_address: 10.120.0.0/22

- name: Add the rules to a firewall that drops by default, and accept IPsec on eth0 only
  tunnelwright.ipsec.vpn_network:
    name: site-a
    ip_address: 10.1.0.1
    network_address: 10.1.0.0/24
    ike_interfaces:
      - eth0
    firewall_chains:
      - inet filter input
      - inet filter forward

- name: Switch a network off, also after a reboot
  tunnelwright.ipsec.vpn_network:
    name: plant
    state: stopped

- name: Let the module choose the data plane again and change nothing else
  tunnelwright.ipsec.vpn_network:
    name: plant
    dataplane: auto
    state: stopped

- name: Switch a network on
  tunnelwright.ipsec.vpn_network:
    name: plant
    state: started

- name: Remove a network and all its phase 1 and phase 2 objects
  tunnelwright.ipsec.vpn_network:
    name: plant
    state: absent
    force: true
"""

RETURN = r"""
vpn_network:
  description:
    - The configuration of the network after the run, or as it would be in check mode, under the
      names of the options. C(interface) is the interface that carries the address, even if its name
      was derived.
    - With O(state=absent), only the name and the state.
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
    - The steps of the run in order, or in check mode the steps that a run would take. Empty if
      there is nothing to do.
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
    - sa: site-b
      impact: ike
      reason: "no longer configured: the IKE SA is closed"
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
      sample: 'network site-a: address of vpn-site-a'
    after_header:
      description: The same as C(before_header).
      returned: always
      type: str
      sample: 'network site-a: address of vpn-site-a'
    before:
      description: The text before the change. Empty if the file or object did not exist.
      returned: always
      type: str
      sample: ''
    after:
      description: The text after the change. Empty if the file or object is removed.
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
