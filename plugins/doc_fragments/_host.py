# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Requirements on the managed host, and notes about the state that modules keep there."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
notes:
  - Files on the managed host are the only state. The configuration of the last run stays in force
    after a reboot, after a restart of the IKE daemon, and after C(swanctl --load-all).
  - The module is declarative. An option that is left out has its default, even if the existing
    object has another value. The documentation of an option names each exception.
  - With V(absent) as the state, only the options that name the object have an effect.
  - The module never changes unmanaged connections, secrets, nftables tables, interfaces, routes and
    files. Unmanaged means that this collection did not make them.
  - strongSwan reads all its files as one configuration, and one fault makes C(swanctl --load-all)
    unload everything. Therefore the module warns, with file and line, about each text that
    strongSwan would misread. It checks C(/etc/swanctl/swanctl.conf), C(/etc/strongswan.conf) and
    every file that they include. A run that requires a restart of the IKE daemon fails beside such
    a file.
  - A connection or secret with the name of one in an unmanaged file is an error, because strongSwan
    would merge both. An object with such a name can still be disabled or removed.
  - Only one run at a time works on a host, including runs in check mode. A second run waits for the
    lock C(/run/tunnelwright.lock), for at most 120 seconds.
  - If a step fails, the module undoes the previous steps in reverse order.
"""

    # Also for modules that change nothing.
    NEEDED = r"""
options: {}
requirements:
  - strongSwan 5.9.8 or later with vici (Debian packages C(charon-systemd) and
    C(strongswan-swanctl))
  - nftables 1.0.6 or later and iproute2
  - systemd
  - The Python library vici for the Python of the managed host. No Debian release has a package of
    it. The role P(tunnelwright.ipsec.gateway#role) installs it with all other requirements.
notes:
  - The module must run as root (C(become=true)).
"""
