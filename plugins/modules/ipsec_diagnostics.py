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
  - O(query=logs) returns lines that the IKE daemon has written to the journal, all lines or the
    lines about one VPN network or one phase 1.
  - O(query=tcpdump) traces packets on the interface towards the peers or on the interface of a VPN
    network. It counts packets by sender, receiver and kind, and writes them to a file on the host.
  - O(query=configuration) returns the files that the IKE daemon reads, and the files of the VPN
    networks. Every secret is masked, so the result can be given to others.
  - All queries are limited in time and size. They change nothing on the host except the trace file,
    which has a fixed path. The next trace replaces it.
options:
  query:
    description: The subject of the query.
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
      - In the log, these are the lines about its SAs. Lines about attempts of its peer that the IKE
        daemon could not assign to a phase 1 are included.
      - In the configuration, the files of other phase 1 objects are left out.
    type: str
  since:
    description:
      - With O(query=logs), the age of the oldest lines. A number with V(s), V(m), V(h) or V(d), up
        to V(31d). Default is one hour.
    type: str
  grep:
    description:
      - With O(query=logs), only lines that contain this text, in upper or lower case. It is a plain
        text, not a regular expression.
    type: str
  lines:
    description:
      - Number of lines that are returned, V(1) to V(10000). These are the last lines of the log, or
        the first lines of a trace. It is refused with O(query=configuration).
    type: int
    default: 200
  interface:
    description:
      - With O(query=tcpdump), the interface to trace.
      - V(wan) is the interface through which the peer of O(phase1) is reached, else the single
        interface in C(ike_interfaces) of O(network), else all interfaces. It traces IKE, ESP and AH
        only. With O(phase1), it traces only packets from and to the peer.
      - V(inside) is the interface of O(network), or of the network of O(phase1). It traces the
        traffic of the network, or the traffic that O(phase1) carries.
      - Any other value is the name of an interface. It traces the same traffic as V(inside).
      - Default is V(wan).
    type: str
  filter:
    description:
      - With O(query=tcpdump), an additional expression of C(pcap-filter(7)) that packets must
        match. The module first checks it with C(tcpdump -d).
    type: str
  seconds:
    description:
      - With O(query=tcpdump), the longest time of the trace in seconds, V(1) to V(300). It is
        refused with another query.
    type: int
    default: 10
  count:
    description:
      - With O(query=tcpdump), the largest number of packets, V(1) to V(10000). The trace ends when
        it reaches O(count) or O(seconds). It is refused with another query.
      - The trace keeps 1600 bytes of each packet, so the file has 16 MB at most.
    type: int
    default: 1000
requirements:
  - tcpdump, for O(query=tcpdump)
notes:
  - In check mode O(query=tcpdump) traces nothing. It returns the interface and the filter that it
    would use.
  - A trace of unencrypted traffic holds the data of its users. Protect it accordingly. The result
    holds only addresses, ports and protocols. Only root can read the file on the host.
  - If the kernel handles ESP, packets from a tunnel also appear on the interface through which they
    arrived. V(wan) does not trace them.
  - If ESP is handled in user space, the traffic inside a tunnel appears on the interface C(ipsec0).
  - Only one trace at a time runs on a host.
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
- name: Show the log of a tunnel of the last ten minutes
  tunnelwright.ipsec.ipsec_diagnostics:
    query: logs
    phase1: site-b
    since: 10m

- name: Show the proposals that peers sent
  tunnelwright.ipsec.ipsec_diagnostics:
    query: logs
    grep: received proposals
    lines: 20

- name: Trace the packets between this gateway and a peer
  tunnelwright.ipsec.ipsec_diagnostics:
    query: tcpdump
    phase1: site-b
    seconds: 30
  register: trace

- name: Fetch the packets for Wireshark
  ansible.builtin.fetch:
    src: "{{ trace.ipsec_diagnostics.pcap }}"
    dest: "{{ inventory_hostname }}.pcap"
    flat: true

- name: Protect the fetched file, because fetch uses the umask of the controller
  ansible.builtin.file:
    path: "{{ inventory_hostname }}.pcap"
    mode: '0600'
  delegate_to: localhost
  become: false

- name: Show the configuration with masked secrets
  tunnelwright.ipsec.ipsec_diagnostics:
    query: configuration
    phase1: site-b

- name: Trace pings that arrive for the tunnel
  tunnelwright.ipsec.ipsec_diagnostics:
    query: tcpdump
    phase1: site-b
    interface: inside
    filter: icmp or icmp6
    count: 20
"""

RETURN = r"""
ipsec_diagnostics:
  description: The result of the query.
  returned: success
  type: dict
  contains:
    query:
      description: The query of the task.
      returned: always
      type: str
      sample: tcpdump
    lines:
      description: The last selected lines of the log, oldest first, with the time in UTC. Or the
        first packets of the trace as tcpdump prints them, with the time of the host.
      returned: with O(query=logs) and O(query=tcpdump)
      type: list
      elements: str
      sample:
        - '2026-01-31T11:59:58+00:00 [IKE] <site-b> retransmit 5 of request with message ID 0'
    files:
      description: The text of each file by its path, with every secret masked. Comments in
        unmanaged files are left out. A file that strongSwan could not parse is hidden completely.
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
      description: Number of lines of the log that match the query, including lines that are not
        returned.
      returned: with O(query=logs)
      type: int
      sample: 1
    interface:
      description: The traced interface. V(any) means all interfaces.
      returned: with O(query=tcpdump)
      type: str
      sample: eth0
    filter:
      description: The expression that packets had to match.
      returned: with O(query=tcpdump)
      type: str
      sample: host 203.0.113.20 and (udp port 500 or udp port 4500 or esp or ah)
    packets:
      description: Number of packets that matched.
      returned: with O(query=tcpdump)
      type: int
      sample: 24
    dropped:
      description: Number of packets that were lost because they arrived too fast.
      returned: with O(query=tcpdump)
      type: int
      sample: 0
    flows:
      description: The packets by sender, receiver and kind. The list holds the 50 flows with the
        most packets.
      returned: with O(query=tcpdump)
      type: list
      elements: dict
      contains:
        source:
          description: The address of the sender, followed by a dot and the port if there is one.
          returned: always
          type: str
          sample: 198.51.100.10.500
        destination:
          description: The address of the receiver, in the same form.
          returned: always
          type: str
          sample: 203.0.113.20.500
        kind:
          description: V(ike), V(esp), V(esp in udp), V(ah), or another protocol.
          returned: always
          type: str
          sample: ike
        packets:
          description: Number of packets.
          returned: always
          type: int
          sample: 12
    pcap:
      description: The file with the packets on the host, readable by root only. Null in check mode.
      returned: with O(query=tcpdump)
      type: str
      sample: /var/lib/tunnelwright/trace.pcap
    size:
      description: Size of the file in bytes.
      returned: with O(query=tcpdump)
      type: int
      sample: 4711
"""

from ..module_utils._module.diagnostics import run


def main() -> None:
    run()


if __name__ == "__main__":
    main()
