#!/usr/bin/python

# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipsec_checkpoint
short_description: Take changes to IPsec gateways back unless they are confirmed
version_added: 0.1.0
description:
  - A change to tunnels, rules or addresses may cut off the very connection over which it was made.
    With a checkpoint it comes back by itself. Before the first change the last good state of
    everything that the collection has on the host is kept there. If nothing is heard of the
    controller any more, a timer of systemd on the host restores files, the IKE daemon, nftables,
    interfaces and units, without the controller.
  - The role P(tunnelwright.ipsec.gateway#role) does this around all that it configures. In a play
    of your own, put the tasks into a C(block) as in the examples.
  - The rollback takes the smallest steps that restore the state. Tunnels that were not changed
    since the checkpoint go on, and so do connections of others.
options:
  state:
    description:
      - V(started) keeps the state as it is now, and starts the timer. If there is an unconfirmed
        checkpoint already, that one is kept, since it is older and nobody has found good what came
        after it; only the timer starts anew.
      - V(confirmed) ends the checkpoint. The changes stay, and what was kept is removed. It fails
        if the timer has rolled back in the meantime, with when and why, since the play takes its
        changes to be in force. The next V(started) forgets about that.
      - V(rolled_back) restores the kept state now, instead of waiting for the timer.
      - Without a checkpoint V(confirmed) and V(rolled_back) change nothing.
    type: str
    choices:
      - started
      - confirmed
      - rolled_back
    default: started
  timeout:
    description:
      - How many seconds without a sign of life of the controller lead to the rollback, V(10) to
        V(86400). Matters with O(state=started) only.
      - Each run of a module of this collection on the host is a sign of life, at its beginning and
        at its end, except in check mode. So the time need not be that of a whole play, but only
        that of the longest pause between two of these tasks.
      - A run that is at work when the time is over is waited for as long as it gives signs of life.
        Its end starts the timer again.
      - A run that hangs is ended 15 seconds after the rollback is due, with the programs that it
        has started. If the first signal does not end it, the second does 5 seconds later. A run
        that waits for the IKE daemon or for systemd has up to 150 seconds from its last sign of
        life. If a run can't be ended, or another program holds the lock, the rollback does not wait
        for it.
      - After a reboot the time counts from the beginning. A change that nobody has confirmed does
        not survive it for longer than that.
    type: int
    default: 120
notes:
  - Confirm over a new connection, or it proves nothing. An SSH connection that was open before the
    change may go on where a new one is refused. C(meta=reset_connection) before the task makes
    Ansible open a new one.
  - The state is kept in C(/var/lib/tunnelwright/checkpoint), for root alone, since it holds the
    pre-shared keys and private keys of the tunnels. Nothing of it is left after the confirmation.
  - Someone on the console of the host rolls back at once with C(python3
    /var/lib/tunnelwright/checkpoint/rollback.pyz now).
  - What the rollback did is written to the journal, and to
    C(/var/lib/tunnelwright/rolled-back.json).
  - Tunnels that were changed since the checkpoint are interrupted by the rollback. Their SAs are
    closed before those of the kept state are negotiated, whatever the peer makes of it.
  - If the IKE daemon does not answer, or a step fails, the files are put back all the same and
    everything is loaded from them, with a restart of the daemon where nothing else helps.
  - Packages, files of others and the settings of the kernel that switch forwarding on are not part
    of it.
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
- name: Change a tunnel, and take it back if it cuts us off
  block:
    - name: Keep the last good state
      tunnelwright.ipsec.ipsec_checkpoint:
        timeout: 60

    - name: The change
      tunnelwright.ipsec.ipsec_phase2:
        name: lan
        phase1: site-b
        network: site-a
        local_network: 10.1.0.0/24
        remote_network: 10.2.0.0/16

    - name: A new connection, since an open one proves nothing
      ansible.builtin.meta: reset_connection

    - name: We are still here
      tunnelwright.ipsec.ipsec_checkpoint:
        state: confirmed
  rescue:
    - name: Back at once, where a task has failed
      tunnelwright.ipsec.ipsec_checkpoint:
        state: rolled_back

    - name: The play has failed all the same
      ansible.builtin.fail:
        msg: "{{ ansible_failed_task.name }}: {{ ansible_failed_result.msg }}"

- name: See what a rollback would do
  tunnelwright.ipsec.ipsec_checkpoint:
    state: rolled_back
  check_mode: true
  diff: true
"""

RETURN = r"""
ipsec_checkpoint:
  description:
    - The checkpoint, or just its state where there was none. C(since) is when it
      was taken, in UTC.
  returned: success
  type: dict
  sample:
    state: started
    timeout: 120
    since: '2026-01-31T12:00:00+00:00'
differs:
  description:
    - What of the collection's files, of the units and interfaces of its networks and of the IKE
      daemon differs from the checkpoint, one text for each. With O(state=confirmed) this is what
      was confirmed, with O(state=rolled_back) what was restored.
  returned: success
  type: list
  elements: str
  sample:
    - '/etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf: changed'
    - '/etc/tunnelwright/dmz.json: added'
    - 'tunnelwright-lan.service: was enabled, active, is disabled, inactive'
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

from ..module_utils._module.flow import run_checkpoint as run


def main() -> None:
    run()


if __name__ == "__main__":
    main()
