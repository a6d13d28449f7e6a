# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Attributes that the modules share."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying
      target.
    support: full
    details:
      - Check mode makes the same plan as a real run, and does not carry it out. It returns the
        result of a real run.
      - Check mode also loads connections into the IKE daemon on trial, under a temporary name, and
        unloads them at once. Thus the daemon validates them.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in
      C(check_mode)), when in diff mode.
    support: full
    details:
      - The diff shows the managed files before and after the change. Every secret in them is
        masked.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation
        indicates no change.
      - This assumes that the system controlled/queried by the module has not changed in a relevant
        way.
    support: full
    details:
      - The module compares the files, the running IKE daemon, nftables and the interfaces with the
        configuration. It finds and repairs drift, for example a daemon without its connections, or
        a rule that was removed by hand.
      - The IKE daemon does not report all values of a connection. Another administrator may load a
        connection under the name of a managed connection. The module does not see a difference in
        proposals, lifetimes or retries alone.
"""

    # For modules that change nothing.
    QUERY = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying
      target.
    support: full
    details:
      - The module does the same in check mode, because it changes nothing.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in
      C(check_mode)), when in diff mode.
    support: N/A
    details:
      - The module changes nothing.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation
        indicates no change.
    support: full
    details:
      - The module changes nothing, and always returns RV(ignore:changed=false).
"""

    # For all modules.
    ALIKE = r"""
options: {}
attributes:
  platform:
    description: Target OS/families that can be operated against.
    support: full
    platforms: debian
    details:
      - Tested on Debian 12 (strongSwan 5.9.8) and Debian 13 (strongSwan 6.0.1).
notes:
  - An option that is null counts as left out. An empty text and an empty list are values.
  - An option of the type text must be a text. The module refuses a number, a boolean or a list
    there, because YAML may have changed the value. For example, C(0123) without quotes is the
    number 83. Put such a text in quotes. A port may be a number.
"""

    # For the modules with the option network.
    GROUP = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/tunnelwright.ipsec.ipsec) in C(module_defaults) to set the option
      C(network) of all modules that have it.
    support: full
    membership:
      - tunnelwright.ipsec.ipsec
"""

    # For phase 1 and phase 2.
    PHASES = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/tunnelwright.ipsec.ipsec) in C(module_defaults) to set the option
      C(network) of all modules that have it. Use C(group/tunnelwright.ipsec.phases) to set
      C(network), C(apply), C(weak_crypto) or C(quantum_safe) of
      M(tunnelwright.ipsec.ipsec_phase1) and M(tunnelwright.ipsec.ipsec_phase2).
    support: full
    membership:
      - tunnelwright.ipsec.ipsec
      - tunnelwright.ipsec.phases
"""
