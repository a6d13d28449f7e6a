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
  - Connects, disconnects or reconnects one phase 2, every phase 2 of a phase 1, or every tunnel of
    a VPN network. In VergeOS this is the plug icon.
  - O(state=connected) succeeds only when the Child SA of every selected phase 2 is installed in the
    data plane. If the data plane is the kernel, the module asks the kernel. Otherwise the task
    fails.
  - A tunnel that carries only a part of its networks does not count as connected. A tunnel whose
    values differ from its configuration does not count as connected either. The task fails with the
    cause C(selectors_narrowed) or C(outdated), names the networks or the values, and does not touch
    the tunnel. M(tunnelwright.ipsec.ipsec_info) reports the same conditions as states.
  - The module explains each failure. Each entry of RV(failures) has a stable code and an
    explanation. It names the options to check on both sides, the log lines that prove the cause,
    and the next step. Some causes are visible to the peer only. The entry then describes the
    observation of this side, and lists candidates. For each candidate it gives the line that proves
    it in the log of the peer. With O(peer_log), the module reads the log of the peer too.
    C(docs/troubleshooting.md) of the collection lists all causes.
options:
  network:
    description:
      - Name of the VPN network, made with M(tunnelwright.ipsec.vpn_network).
      - Without O(phase1), the module selects every tunnel of the network that is not disabled.
    type: str
    required: true
  phase1:
    description:
      - Name of a phase 1 in the network, made with M(tunnelwright.ipsec.ipsec_phase1). Without
        O(phase2), the module selects every phase 2 of this phase 1 that is not disabled.
      - It may also be the name of a connection in
        O(tunnelwright.ipsec.ipsec_settings#module:swanctl_conf) of the network. The children of
        that connection are the phase 2 objects.
    type: str
  phase2:
    description:
      - Name of one phase 2 of O(phase1), made with M(tunnelwright.ipsec.ipsec_phase2).
    type: str
  state:
    description:
      - V(connected) ensures that the tunnels are up. Tunnels that are up are not touched; the
        daemon only receives queries. Tunnels that are down are initiated, all at the same time. A
        tunnel that carries only a part of its networks, or that has old values, is not touched
        either. The task then fails, also in check mode.
      - V(disconnected) ensures that the tunnels are down. With O(phase2), it closes the Child SA of
        that phase 2. Without O(phase2), it closes each IKE SA with all its Child SAs. The module
        refuses to close a tunnel that carries the SSH connection of this task. A phase 1 with
        O(tunnelwright.ipsec.ipsec_phase1#module:connection_behavior) V(on_demand) or V(start) comes
        up again with the next packet for it. To keep it down, set its state to V(disabled).
      - V(reconnected) closes the tunnels and then initiates them, in any state. It interrupts
        traffic, and always reports a change.
    type: str
    choices:
      - connected
      - disconnected
      - reconnected
    default: connected
  timeout:
    description:
      - Seconds in which all tunnels together must come up, V(1) to V(600). The module notices a
        refusal by the peer within about one second. A peer that does not answer takes all of this
        time, and so does an IKEv1 peer with another pre-shared key.
      - O(check_rekey) may take the same time again. A probe of one address takes up to six seconds.
        Closing one SA takes up to five seconds if the peer does not confirm it.
    type: int
    default: 30
  probe:
    description:
      - Addresses behind the peer that must answer an echo request (ping) through the tunnel after
        it is up. Each address must be in O(tunnelwright.ipsec.ipsec_phase2#module:remote_network)
        of one of the tunnels. This host must have an address in the C(local_network) of the same
        tunnel, and sends the probe from it.
      - The option is refused with O(state=disconnected).
      - A probe succeeds if there is an answer and the counters of the Child SA increase in both
        directions. An answer outside the tunnel does not count.
      - The peer may accept only a part of the networks. If no Child SA carries an address for this
        reason, the module sends no probe and reports the cause.
      - The option requires the program C(ping) (Debian package C(iputils-ping)). Check mode sends
        no probe.
    type: list
    elements: str
  check_rekey:
    description:
      - Rekey each Child SA once after the tunnels are up, and fail if the peer refuses the rekey.
        With IKEv2, the first keys of a tunnel do not use the DH group of phase 2. If the two sides
        differ in PFS, the tunnel comes up, and goes down at the first rekey, typically an hour
        later.
      - This replaces the Child SA in the same way as a regular rekey, without a gap in the traffic.
        It does not count as a change.
      - After a refusal, the old Child SA stays up until it expires. The daemon repeats the rekey
        every few seconds, as after any refused rekey.
    type: bool
    default: false
  peer_log:
    description:
      - Lines of the log of the peer, if the peer runs strongSwan. The module uses them when a
        tunnel does not come up, to find causes that only the peer can see.
      - The lines may come from C(journalctl) in any of its formats, or from a log file of the
        daemon. Lines about other peers do no harm. The log should hold no lines older than the
        attempt. See the examples.
      - Only lines that prove the cause are returned as evidence.
    type: list
    elements: str
attributes:
  check_mode:
    details:
      - Check mode predicts which tunnels are closed and initiated. It cannot predict whether the
        peer agrees.
  diff_mode:
    details:
      - The diff shows which tunnels come up and go down.
requirements:
  - strongSwan 5.9.8 or later with vici (Debian packages C(charon-systemd) and
    C(strongswan-swanctl)), iproute2 and systemd
  - The Python library vici for the Python of the managed host. The role
    P(tunnelwright.ipsec.gateway#role) installs it
notes:
  - The module must run as root (C(become=true)).
  - The module never initiates a phase 1 with C(connection_behavior=responder_only) or
    C(remote_gateway=%any). If O(phase1) names it, the module waits until the peer has brought it
    up, at most for O(timeout). Without O(phase1), the module does not wait for it, and
    RV(ipsec_connection) shows whether it is up.
  - The module initiates a connection of a conf text if the connection names the address of its
    peer.
  - A failed attempt leaves no incomplete IKE SA. If the daemon is already negotiating on its own,
    the module waits two seconds for this attempt, then replaces it with a new attempt. If the new
    attempt also fails, the module starts the attempt of the daemon again.
  - Only one run at a time works on a host, including runs in check mode. A second run waits for the
    lock C(/run/tunnelwright.lock), for at most 120 seconds.
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
- name: Bring up every tunnel of a network
  tunnelwright.ipsec.ipsec_connection:
    network: site-a

- name: Bring up a tunnel, check a rekey, and probe a host at the other end
  tunnelwright.ipsec.ipsec_connection:
    network: site-a
    phase1: site-b
    phase2: lan
    timeout: 60
    check_rekey: true
    probe: 10.2.0.1

- name: Reconnect all tunnels of a peer
  tunnelwright.ipsec.ipsec_connection:
    network: site-a
    phase1: site-b
    state: reconnected

- name: Close all tunnels of a peer
  tunnelwright.ipsec.ipsec_connection:
    network: site-a
    phase1: site-b
    state: disconnected

- name: Connect, and explain a failure with the log of a managed peer
  block:
    - name: Try to connect
      tunnelwright.ipsec.ipsec_connection:
        network: site-a
        phase1: site-b
  rescue:
    - name: Read the recent log of the peer
      ansible.builtin.command: journalctl --unit strongswan --since -2min --output cat
      delegate_to: gw-b
      changed_when: false
      register: peer

    - name: Explain the failure with the logs of both sides
      tunnelwright.ipsec.ipsec_connection:
        network: site-a
        phase1: site-b
        peer_log: "{{ peer.stdout_lines }}"
"""

RETURN = r"""
ipsec_connection:
  description:
    - The options of the task, and each selected tunnel. C(state) is the current state, V(up),
      V(partial), V(outdated) or V(down) as in M(tunnelwright.ipsec.ipsec_info). C(up) is true if
      the state is V(up). C(initiates) is true if this side initiates the tunnel.
    - With O(check_rekey=true), C(rekeyed) lists the tunnels that were rekeyed. C(probes) lists the
      addresses of O(probe), with the packets that the Child SA counted during the probe.
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
    - The reasons why a tunnel is not up, carries only a part of its networks, or failed the check
      of a rekey or a probe. Empty on success.
    - A failure of a phase 1 has one entry for all its phase 2 objects, and C(phase2) is null in it.
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
      description: Name of the phase 2. Null if the phase 1 fails.
      returned: always
      type: str
      sample: lan
    cause:
      description: A code that stays the same in all releases. C(docs/troubleshooting.md) lists all
        codes.
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
      description: The places to check. Each has an option or another subject, and a side, V(ours)
        or V(theirs).
      returned: always
      type: list
      elements: dict
      sample:
        - side: ours
          option: ipsec_phase2 encryption[].dh_group
        - side: theirs
          option: ipsec_phase2 encryption[].dh_group
    ours:
      description: The value of this side, as in the log or the options.
      returned: always
      type: str
      sample: ESP:AES_CBC_256/HMAC_SHA2_256_128/MODP_2048/NO_EXT_SEQ
    theirs:
      description: The value of the peer, if a log shows it.
      returned: always
      type: str
      sample: ESP:AES_CBC_256/HMAC_SHA2_256_128/MODP_4096/NO_EXT_SEQ
    evidence:
      description: Lines of the log of this side (C(ours)) and of the peer (C(theirs)) that prove
        the cause.
      returned: always
      type: list
      elements: str
      sample:
        - 'ours: received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built'
        - 'theirs: no acceptable proposal found'
    next_step:
      description: The action to take next.
      returned: always
      type: str
      sample: >-
        Set dh_group in encryption of phase 2 to the same value on both sides, or remove it on
        both sides.
    candidates:
      description:
        - Possible causes that only the peer can distinguish. Each has C(cause), C(explanation),
          C(where) and C(ours). C(look_for) is the line in the log of the peer that proves it. Empty
          if the cause itself is known.
      returned: always
      type: list
      elements: dict
      sample: []
remarks:
  description:
    - Deviations of tunnels that the task does not bring up, in the form of RV(failures). These are
      tunnels that wait for their peers, in a task without O(phase1). Each remark is also a warning.
  returned: always, unless an option is wrong or the daemon does not answer
  type: list
  elements: dict
  sample: []
actions:
  description:
    - The steps of the run in order, or in check mode the steps that a run would take. Empty if
      there is nothing to do.
  returned: success
  type: list
  elements: str
  sample:
    - initiate site-b/lan
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
      sample: /etc/tunnelwright/lan.nft
    after_header:
      description: The same as C(before_header).
      returned: always
      type: str
      sample: /etc/tunnelwright/lan.nft
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
        table inet tunnelwright-lan {
        }
"""

from ..module_utils._module.connect import run


def main() -> None:
    run()


if __name__ == "__main__":
    main()
