# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""What every module of the collection holds to."""

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
      - The same plan is made in check mode and in a real run; check mode does not carry it out.
        What is returned is what a real run would do.
      - Configurations that the IKE daemon has to judge are judged in check mode too, by a trial
        under a throw-away name that is taken back at once.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in
      C(check_mode)), when in diff mode.
    support: full
    details:
      - The managed files are shown before and after the change. Every secret in them is masked.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation
        indicates no change.
      - This assumes that the system controlled/queried by the module has not changed in a relevant
        way.
    support: full
    details:
      - What is loaded in the running IKE daemon, and what is live in nftables and on the
        interfaces, is compared as well as the files. A daemon that lost its connections, or a rule
        removed by hand, is found and put right.
      - The IKE daemon does not tell everything that it was given. Of a connection that somebody
        loaded by hand under the name of a managed one, a difference in its proposals, its lifetimes
        or its retries alone is not seen.
"""

    # Of modules that only look.
    QUERY = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying
      target.
    support: full
    details:
      - The module does the same in check mode, since it changes nothing.
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

    # Of all modules.
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
  - An option that is null counts as left out. An empty text or an empty list is a value.
  - A text must be a text. What YAML reads as a number, a boolean or a list is refused, because it
    may be another value than is written. C(0123) without quotes is the number 83, for example. Put
    such a text in quotes. A port may be a number.
"""

    # Of the modules with the option network.
    GROUP = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/tunnelwright.ipsec.ipsec) in C(module_defaults) to set the option
      C(network) of this module and of all others that have it.
    support: full
    membership:
      - tunnelwright.ipsec.ipsec
"""

    # Of phase 1 and phase 2.
    PHASES = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/tunnelwright.ipsec.ipsec) in C(module_defaults) to set the option
      C(network) of this module and of all others that have it, and
      C(group/tunnelwright.ipsec.phases) to set C(network), C(apply) or C(weak_crypto) of
      M(tunnelwright.ipsec.ipsec_phase1) and M(tunnelwright.ipsec.ipsec_phase2).
    support: full
    membership:
      - tunnelwright.ipsec.ipsec
      - tunnelwright.ipsec.phases
"""
