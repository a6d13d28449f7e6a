#!/usr/bin/python

# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipsec_checkpoint
short_description: Roll back changes to an IPsec gateway unless they are confirmed
version_added: 0.1.0
description:
  - A change to tunnels, rules or addresses may cut off the connection over which it is made. A
    checkpoint makes the host recover without help. It keeps the last good state of everything that
    the collection manages on the host, before the first change. A systemd timer on the host
    restores files, the IKE daemon, nftables, interfaces and units if the controller does not
    contact the host in time.
  - The role P(tunnelwright.ipsec.gateway#role) uses a checkpoint for its whole configuration. In
    another play, put the tasks into a C(block) as in the examples.
  - The rollback takes the smallest steps that restore the state. It does not touch tunnels that are
    unchanged since the checkpoint, nor unmanaged connections.
options:
  state:
    description:
      - V(started) keeps the current state, and starts the timer. If there is already an unconfirmed
        checkpoint, the module keeps it, because later changes are unconfirmed, and only restarts
        the timer.
      - V(confirmed) ends the checkpoint. The changes stay, and the kept state is removed. It fails,
        with time and reason, if the timer already rolled back. V(started) clears the record of that
        rollback.
      - V(rolled_back) restores the kept state at once.
      - Without a checkpoint V(confirmed) and V(rolled_back) change nothing.
    type: str
    choices:
      - started
      - confirmed
      - rolled_back
    default: started
  timeout:
    description:
      - Seconds without contact from the controller after which the host rolls back, V(10) to
        V(86400). It has an effect with O(state=started) only.
      - Each run of a module of this collection restarts the timer, at its start and at its end. A
        run in check mode does not restart it. Therefore this time must cover the longest pause
        between two such tasks, not the whole play.
      - If a run is at work when the time is over, the rollback waits as long as the run makes
        progress. The end of that run restarts the timer.
      - A run that hangs is terminated 15 seconds after the rollback is due, with all programs that
        it started. If the first signal does not end the run, a second signal follows 5 seconds
        later. A run that waits for the IKE daemon or for systemd has up to 150 seconds after its
        last progress. If the run cannot be ended, or another program holds the lock, the rollback
        proceeds without the lock.
      - After a reboot the time starts again. An unconfirmed change survives a reboot for this time
        at most.
    type: int
    default: 120
notes:
  - Confirm over a new connection. An SSH connection that was opened before the change may still
    work although a new connection is refused. C(meta=reset_connection) before the task makes
    Ansible open a new connection.
  - The state is kept in C(/var/lib/tunnelwright/checkpoint). Only root can read it, because it
    holds the pre-shared keys and private keys of the tunnels. The confirmation removes it
    completely.
  - To roll back at once on the console of the host, run C(python3
    /var/lib/tunnelwright/checkpoint/rollback.pyz now).
  - The rollback writes its result to the journal and to C(/var/lib/tunnelwright/rolled-back.json).
  - The rollback interrupts tunnels that were changed since the checkpoint. It closes their SAs
    before the restored SAs are negotiated, even if the peer rejects them.
  - If the IKE daemon does not answer, or a step fails, the rollback still restores the files and
    loads everything from them. It restarts the daemon only as the last resort.
  - A checkpoint does not include packages, unmanaged files, and the kernel settings that switch on
    IP forwarding.
seealso:
  - module: tunnelwright.ipsec.vpn_network
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
- name: Change a tunnel, and roll the change back if it cuts off the controller
  block:
    - name: Keep the last good state
      tunnelwright.ipsec.ipsec_checkpoint:
        timeout: 60

    - name: Change the remote network
      tunnelwright.ipsec.ipsec_phase2:
        name: lan
        phase1: site-b
        network: site-a
        local_network: 10.1.0.0/24
        remote_network: 10.2.0.0/16

    - name: Open a new connection
      ansible.builtin.meta: reset_connection

    - name: Confirm the change over the new connection
      tunnelwright.ipsec.ipsec_checkpoint:
        state: confirmed
  rescue:
    - name: Roll back at once after a failed task
      tunnelwright.ipsec.ipsec_checkpoint:
        state: rolled_back

    - name: Fail with the error of the failed task
      ansible.builtin.fail:
        msg: "{{ ansible_failed_task.name }}: {{ ansible_failed_result.msg }}"

- name: Show the effect of a rollback
  tunnelwright.ipsec.ipsec_checkpoint:
    state: rolled_back
  check_mode: true
  diff: true
"""

RETURN = r"""
ipsec_checkpoint:
  description:
    - The checkpoint, or only its state if there is none. C(since) is the time of the checkpoint, in
      UTC.
  returned: success
  type: dict
  sample:
    state: started
    timeout: 120
    since: '2026-01-31T12:00:00+00:00'
differences:
  description:
    - The differences from the checkpoint, one text for each. They cover the files of the
      collection, the units and interfaces of its networks, and the IKE daemon. With
      O(state=confirmed) these are the confirmed differences, with O(state=rolled_back) the restored
      ones.
  returned: success
  type: list
  elements: str
  sample:
    - '/etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf: changed'
    - '/etc/tunnelwright/dmz.json: added'
    - 'tunnelwright-lan.service: was enabled, active, is disabled, inactive'
actions:
  description:
    - The steps of the run in order, or in check mode the steps that a run would take. Empty if
      there is nothing to do.
  returned: success
  type: list
  elements: str
  sample:
    - keep 7 files in /var/lib/tunnelwright/checkpoint/state.json
    - start tunnelwright.rollback.timer, which rolls back after 120 s
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

from ..module_utils._module.checkpoint import run


def main() -> None:
    run()


if __name__ == "__main__":
    main()
