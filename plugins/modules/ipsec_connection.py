#!/usr/bin/python

# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipsec_connection
short_description: Connect and disconnect IPsec tunnels, and say why one does not come up
version_added: 0.1.0
description:
  - The plug icon. Brings up one phase 2, all that is on a phase 1, or all tunnels of a VPN network,
    closes them, or does the one after the other.
  - O(state=connected) is true. It is reached when the Child SA of every phase 2 that is meant is
    installed in the data plane, and not before; where the kernel is the data plane, it is the
    kernel that is asked. Otherwise the task fails.
  - A tunnel that is up and carries only a part of its networks is not connected, nor is one that
    goes on with values that are not those configured. The task fails with the cause
    C(selectors_narrowed) or C(outdated), names the networks or the values, and leaves the tunnel as
    it is. M(tunnelwright.ipsec.ipsec_info) has the same as states.
  - A failure is explained. Each entry of RV(failures) has a stable code, one sentence, the options
    to look at on both sides, the lines of the log that show it, and what to do next. Much of what
    goes wrong is known to the peer alone. Then the cause is what this side has seen, and
    the candidates are listed with the line of the peer's log that proves each. With O(peer_log)
    the peer's log is read too. All causes are in C(docs/troubleshooting.md) of the collection.
options:
  network:
    description:
      - Name of the VPN network, made with M(tunnelwright.ipsec.vpn_network).
      - Without O(phase1), all its tunnels are meant that are not disabled.
    type: str
    required: true
  phase1:
    description:
      - Name of a phase 1 in the network, made with M(tunnelwright.ipsec.ipsec_phase1). Without
        O(phase2), every phase 2 is meant that it has and that is not disabled.
      - Or name of a connection in O(tunnelwright.ipsec.ipsec_settings#module:swanctl_conf) of the
        network, whose children are the phase 2 objects.
    type: str
  phase2:
    description:
      - Name of one phase 2 of O(phase1), made with M(tunnelwright.ipsec.ipsec_phase2).
    type: str
  state:
    description:
      - V(connected) makes sure that the tunnels are up. What is up stays as it is, and nothing but
        questions is sent to the daemon. What is down is initiated, and all at the same time. What
        carries a part, or has old values, stays as it is too, and the task fails, in check mode
        too.
      - V(disconnected) makes sure that they are down. The tunnel by which the SSH connection of
        this task comes is not closed, which is an error. With O(phase2) its Child SA is closed,
        else each IKE SA with all that is on it. A phase 1 with
        O(tunnelwright.ipsec.ipsec_phase1#module:connection_behavior) V(on_demand) or V(start) comes
        up again with the next packet for it. To keep it down, set its state to V(disabled).
      - V(reconnected) closes them first and brings them up anew, whatever they were. It interrupts
        the traffic, and always reports a change.
    type: str
    choices:
      - connected
      - disconnected
      - reconnected
    default: connected
  timeout:
    description:
      - How many seconds all tunnels together may take to come up, V(1) to V(600). A peer that
        refuses is noticed within about a second. One that does not answer, and an IKEv1 peer with
        another pre-shared key, take all of this time.
      - O(check_rekey) may take as long again. An address that is probed takes up to six seconds,
        and each SA that is closed up to five, if the peer does not confirm it.
    type: int
    default: 30
  probe:
    description:
      - Addresses behind the peer that must answer an echo request (ping) through the tunnel once
        it is up. Each must be in O(tunnelwright.ipsec.ipsec_phase2#module:remote_network) of one of
        the tunnels, and this host must have an address in the C(local_network) of the same one,
        from which the probe is sent.
      - It has no use with O(state=disconnected).
      - It has succeeded if there was an answer, and the counters of the Child SA have moved both
        ways. An answer that came some other way does not count.
      - Where no Child SA is for an address, because the peer took only a part of the networks,
        nothing is sent, and that is the cause.
      - Needs the program C(ping) (Debian package C(iputils-ping)). Nothing is sent in check mode.
    type: list
    elements: str
  check_rekey:
    description:
      - Renew the keys of each Child SA once, after the tunnels are up, and fail if the peer refuses
        that. With IKEv2 the first keys of a tunnel are made without the DH group of phase 2, so
        that two sides that differ in PFS have a tunnel that dies an hour later.
      - This replaces the Child SA as the daemon does by itself from time to time, without a gap in
        the traffic, and does not count as a change.
      - After a refusal the old Child SA stays up, and the daemon tries again every few seconds
        until it expires, as it would have.
    type: bool
    default: false
  peer_log:
    description:
      - Lines of the log of the peer, if it runs strongSwan, to find out what it alone knows. Used
        when a tunnel does not come up.
      - In any of the forms of C(journalctl), or from a file of the daemon. Lines about other peers
        may be in it. Nothing in it should be older than the attempt. See the examples.
      - Only lines that tell of the cause are returned as evidence.
    type: list
    elements: str
attributes:
  check_mode:
    details:
      - What would be closed and initiated is predicted. Whether the peer will agree can't be.
  diff_mode:
    details:
      - Shows which tunnels come up and go down.
requirements:
  - strongSwan 5.9.8 or later with vici (Debian packages C(charon-systemd) and
    C(strongswan-swanctl)), iproute2 and systemd
  - The Python library vici for the Python of the managed host, which the role
    P(tunnelwright.ipsec.gateway#role) brings along
notes:
  - The module must run as root (C(become=true)).
  - A phase 1 with C(connection_behavior=responder_only), or with C(remote_gateway=%any), is never
    initiated. Named with O(phase1), it is waited for until the peer has brought it up, at most for
    O(timeout). In a whole network nobody waits for it; whether it is up is in RV(ipsec_connection).
  - A connection of a conf text is initiated if it names the address of its peer.
  - An attempt that fails leaves no IKE SA behind that is half done. One that the daemon was making
    by itself before is given two seconds, then replaced by a fresh one, and made again in the end
    if that fails too.
  - One run at a time works on a host, check mode included. Another one waits for it, for 120
    seconds at most, with C(/run/tunnelwright.lock).
seealso:
  - module: tunnelwright.ipsec.ipsec_phase1
  - module: tunnelwright.ipsec.ipsec_phase2
extends_documentation_fragment:
  - tunnelwright.ipsec._attributes
  - tunnelwright.ipsec._attributes.alike
  - tunnelwright.ipsec._attributes.group
author:
  - The tunnelwright.ipsec authors (@tunnelwright)
"""

EXAMPLES = r"""
- name: Everything of a network is up
  tunnelwright.ipsec.ipsec_connection:
    network: site-a

- name: A tunnel is up, its keys can be renewed, and a host at the other end answers
  tunnelwright.ipsec.ipsec_connection:
    network: site-a
    phase1: site-b
    phase2: lan
    timeout: 60
    check_rekey: true
    probe: 10.2.0.1

- name: Begin anew with a peer
  tunnelwright.ipsec.ipsec_connection:
    network: site-a
    phase1: site-b
    state: reconnected

- name: Close a tunnel
  tunnelwright.ipsec.ipsec_connection:
    network: site-a
    phase1: site-b
    state: disconnected

- name: Connect, and if that fails ask the peer why, where it is a host of ours
  block:
    - name: The first attempt
      tunnelwright.ipsec.ipsec_connection:
        network: site-a
        phase1: site-b
  rescue:
    - name: What the peer has logged since
      ansible.builtin.command: journalctl --unit strongswan --since -2min --output cat
      delegate_to: gw-b
      changed_when: false
      register: peer

    - name: The cause, from the logs of both sides
      tunnelwright.ipsec.ipsec_connection:
        network: site-a
        phase1: site-b
        peer_log: "{{ peer.stdout_lines }}"
"""

RETURN = r"""
ipsec_connection:
  description:
    - What was asked for, and each tunnel that it was about. C(state) is how it is now, V(up),
      V(partial), V(outdated) or V(down) as in M(tunnelwright.ipsec.ipsec_info), C(up) whether that
      is V(up), and C(initiates) whether this side initiates it.
    - C(rekeyed) are the tunnels whose keys were renewed, with O(check_rekey=true). C(probes) are
      the addresses of O(probe), with the packets that the Child SA has counted meanwhile.
  returned: always, unless an option is wrong or the daemon does not answer
  type: dict
  sample:
    network: site-a
    phase1: site-b
    phase2: lan
    state: connected
    tunnels:
      - phase1: site-b
        phase2: lan
        up: true
        state: up
        initiates: true
    rekeyed:
      - site-b/lan
    probes:
      - address: 10.2.0.1
        tunnel: site-b/lan
        answered: true
        packets_sent: 3
        packets_received: 3
failures:
  description:
    - Why a tunnel is not up, carries only a part, or failed the check of its keys or a probe. Empty
      on success.
    - What is wrong with a phase 1 is said once, with C(phase2) null, for all that is on it.
  returned: always, unless an option is wrong or the daemon does not answer
  type: list
  elements: dict
  contains:
    phase1:
      description: Name of the phase 1.
      returned: always
      type: str
      sample: site-b
    phase2:
      description: Name of the phase 2, null where it is the phase 1 that fails.
      returned: always
      type: str
      sample: lan
    cause:
      description: A code that stays the same from release to release. They are listed in
        C(docs/troubleshooting.md).
      returned: always
      type: str
      sample: pfs_mismatch
    explanation:
      description: The cause in a sentence.
      returned: always
      type: str
      sample: >-
        The PFS settings of the two sides differ: the DH groups of phase 2 are different, or only
        one side has a group.
    where:
      description: What to look at, an option mostly, and on which side, V(ours) or V(theirs).
      returned: always
      type: list
      elements: dict
      sample:
        - side: ours
          option: ipsec_phase2 encryption[].dh_group
        - side: theirs
          option: ipsec_phase2 encryption[].dh_group
    ours:
      description: What this side has, in the words of the log or of the options.
      returned: always
      type: str
      sample: ESP:AES_CBC_256/HMAC_SHA2_256_128/MODP_2048/NO_EXT_SEQ
    theirs:
      description: What the peer has, where a log tells.
      returned: always
      type: str
      sample: ESP:AES_CBC_256/HMAC_SHA2_256_128/MODP_4096/NO_EXT_SEQ
    evidence:
      description: Lines of the log of this side (C(ours)) and of the peer (C(theirs)) that show it.
      returned: always
      type: list
      elements: str
      sample:
        - 'ours: received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built'
        - 'theirs: no acceptable proposal found'
    next_step:
      description: What to do.
      returned: always
      type: str
      sample: >-
        Set dh_group in encryption of phase 2 to the same value on both sides, or remove it on
        both sides.
    candidates:
      description:
        - What may lie behind the cause where this side can't know, each with C(cause),
          C(explanation), C(where), C(ours), and in C(look_for) the line of the peer's log that
          proves it. Empty where the cause itself is known.
      returned: always
      type: list
      elements: dict
      sample: []
remarks:
  description:
    - In the same form, what is otherwise than it is configured of tunnels that the task does not
      bring up. These are tunnels of a whole network that wait for their peers. Each is a warning
      too.
  returned: always, unless an option is wrong or the daemon does not answer
  type: list
  elements: dict
  sample: []
actions:
  description:
    - What was done, step by step and in order, or in check mode what would be done. Empty when
      there was nothing to do.
  returned: success
  type: list
  elements: str
  sample:
    - keep 7 files in /var/lib/tunnelwright/checkpoint/state.json
    - start tunnelwright.rollback.timer, which rolls back after 120 s
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
      sample: "esp_proposals changed: a new Child SA is brought up beside it, then it is closed"
  sample:
    - sa: site-b
      impact: ike
      reason: "no longer configured: it is closed"
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
      sample: /etc/tunnelwright/lan.nft
    after_header:
      description: The same.
      returned: always
      type: str
      sample: /etc/tunnelwright/lan.nft
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
        table inet tunnelwright-lan {
        }
"""

from ..module_utils._module.flow import run_connection as run


def main() -> None:
    run()


if __name__ == "__main__":
    main()
