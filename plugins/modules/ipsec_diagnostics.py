#!/usr/bin/python

# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipsec_diagnostics
short_description: Read log and configuration of the IKE daemon, or trace packets of a gateway
version_added: 0.1.0
description:
  - With O(query=logs) it returns what the IKE daemon has written to the journal, all of it or what
    is about one VPN network or one phase 1.
  - With O(query=tcpdump) it listens on the interface towards the peers, or on that of a VPN
    network, counts who has sent what to whom, and leaves the packets in a file to be fetched.
  - With O(query=configuration) it returns the files that the IKE daemon reads, and those from which
    networks come up, with every secret masked, so that they can be handed on.
  - All are bounded in time and in size. Nothing on the host changes but that file, whose place is
    always the same, and which the next trace replaces.
options:
  query:
    description: What to look at.
    type: str
    choices:
      - logs
      - tcpdump
      - configuration
    required: true
  network:
    description: Only this VPN network. It must exist on the host.
    type: str
  phase1:
    description:
      - Only this phase 1. It must exist on the host.
      - Of the log, these are the lines about its SAs, and about attempts of its peer that the IKE
        daemon could assign to no phase 1.
      - Of the configuration, the files of other phase 1 objects are left out.
    type: str
  since:
    description:
      - With O(query=logs), how far to go back. A number with V(s), V(m), V(h) or V(d), up to
        V(31d). An hour, if it is left out.
    type: str
  grep:
    description:
      - With O(query=logs), only lines that hold this text, in upper or lower case. It is a text,
        not a regular expression.
    type: str
  lines:
    description:
      - How many lines are returned, V(1) to V(10000). Of the log they are the last ones, of a trace
        the first ones. It has no use with O(query=configuration).
    type: int
    default: 200
  interface:
    description:
      - With O(query=tcpdump), where to listen.
      - V(wan) is the interface by which the peer of O(phase1) is reached, or that of
        C(ike_interfaces) of O(network). All interfaces, if these don't tell. Only IKE, ESP and AH
        are traced there, of O(phase1) only what comes from or goes to its peer.
      - V(inside) is the interface of O(network), or of the network of O(phase1). What is traced
        there is the traffic of the network, or what O(phase1) is to carry.
      - Any other value is the name of an interface. What is traced there is the same as with
        V(inside).
      - V(wan), if it is left out.
    type: str
  filter:
    description:
      - With O(query=tcpdump), an expression of C(pcap-filter(7)) that packets must match besides.
        It is tried with C(tcpdump -d) before anything else is done.
    type: str
  seconds:
    description:
      - With O(query=tcpdump), how long to listen, V(1) to V(300). It has no use with another query.
    type: int
    default: 10
  count:
    description:
      - With O(query=tcpdump), how many packets to wait for, V(1) to V(10000). Whichever comes first
        ends the trace, O(count) or O(seconds). It has no use with another query.
      - Of a packet 1600 bytes are kept, so that the file has 16 MB at most.
    type: int
    default: 1000
requirements:
  - tcpdump, for O(query=tcpdump)
notes:
  - In check mode O(query=tcpdump) listens to nothing. It says where it would listen and for what.
  - A trace of what is not encrypted is what its users have sent. Keep it accordingly. In the result
    there is no more of it than addresses, ports and protocols. On the host root alone can read it.
  - Where ESP is done by the kernel, packets that came out of a tunnel show on the interface by
    which they came in, too. They are not traced with V(wan).
  - Where ESP is done in user space, the inside of a tunnel shows on the interface C(ipsec0).
  - One trace at a time is made on a host.
seealso:
  - module: tunnelwright.ipsec.ipsec_info
  - module: tunnelwright.ipsec.ipsec_phase1
extends_documentation_fragment:
  - tunnelwright.ipsec._attributes.query
  - tunnelwright.ipsec._attributes.alike
  - tunnelwright.ipsec._attributes.group
  - tunnelwright.ipsec._host.needed
author:
  - The tunnelwright.ipsec authors (@tunnelwright)
"""

EXAMPLES = r"""
- name: What has the IKE daemon said of this tunnel in the last ten minutes?
  tunnelwright.ipsec.ipsec_diagnostics:
    query: logs
    phase1: site-b
    since: 10m

- name: Which proposals did peers send?
  tunnelwright.ipsec.ipsec_diagnostics:
    query: logs
    grep: received proposals
    lines: 20

- name: Does anything come back from the peer?
  tunnelwright.ipsec.ipsec_diagnostics:
    query: tcpdump
    phase1: site-b
    seconds: 30
  register: trace

- name: The packets, for Wireshark
  ansible.builtin.fetch:
    src: "{{ trace.ipsec_diagnostics.pcap }}"
    dest: "{{ inventory_hostname }}.pcap"
    flat: true

- name: Fetch goes by the umask of the controller
  ansible.builtin.file:
    path: "{{ inventory_hostname }}.pcap"
    mode: '0600'
  delegate_to: localhost
  become: false

- name: What is configured, fit to be mailed
  tunnelwright.ipsec.ipsec_diagnostics:
    query: configuration
    phase1: site-b

- name: Do pings arrive that are to go through the tunnel?
  tunnelwright.ipsec.ipsec_diagnostics:
    query: tcpdump
    phase1: site-b
    interface: inside
    filter: icmp or icmp6
    count: 20
"""

RETURN = r"""
ipsec_diagnostics:
  description: What was found.
  returned: success
  type: dict
  contains:
    query:
      description: As given.
      returned: always
      type: str
      sample: tcpdump
    lines:
      description: The last lines of the log that were asked for, oldest first, with the time in
        UTC; or the first packets of the trace in the words of tcpdump, with the time of the host.
      returned: with O(query=logs) and O(query=tcpdump)
      type: list
      elements: str
      sample:
        - '2026-01-31T11:59:58+00:00 [IKE] <site-b> retransmit 5 of request with message ID 0'
    files:
      description: The text of each file by its path, with every secret masked. Comments in files of
        others are left out, and one that strongSwan could not parse is hidden whole.
      returned: with O(query=configuration)
      type: dict
      sample:
        /etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf: |
          connections {
              site-b {
                  remote_addrs = 203.0.113.20
              }
          }
          secrets {
              ike-site-b {
                  secret = ********
              }
          }
    total_lines:
      description: How many lines of the log were asked for, whether they are returned or not.
      returned: with O(query=logs)
      type: int
      sample: 1
    interface:
      description: Where it was listened. V(any) means all interfaces.
      returned: with O(query=tcpdump)
      type: str
      sample: eth0
    filter:
      description: The expression that packets had to match.
      returned: with O(query=tcpdump)
      type: str
      sample: host 203.0.113.20 and (udp port 500 or udp port 4500 or esp or ah)
    packets:
      description: How many did.
      returned: with O(query=tcpdump)
      type: int
      sample: 24
    dropped:
      description: How many were lost because they came too fast.
      returned: with O(query=tcpdump)
      type: int
      sample: 0
    flows:
      description: Who has sent how many packets of what kind to whom, the 50 with most of them.
      returned: with O(query=tcpdump)
      type: list
      elements: dict
      contains:
        source:
          description: The address, and after a dot the port if there is one.
          returned: always
          type: str
          sample: 198.51.100.10.500
        destination:
          description: The same of the receiver.
          returned: always
          type: str
          sample: 203.0.113.20.500
        kind:
          description: V(ike), V(esp), V(esp in udp), V(ah), or another protocol.
          returned: always
          type: str
          sample: ike
        packets:
          description: How many.
          returned: always
          type: int
          sample: 12
    pcap:
      description: The file with the packets on the host, for root alone. Null in check mode.
      returned: with O(query=tcpdump)
      type: str
      sample: /var/lib/tunnelwright/trace.pcap
    size:
      description: Its size in bytes.
      returned: with O(query=tcpdump)
      type: int
      sample: 4711
"""

from ..module_utils._module.flow import run_diagnostics as run


def main() -> None:
    run()


if __name__ == "__main__":
    main()
