# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""What every module needs on the managed host, and where it leaves its state there."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
notes:
  - Files on the managed host are the only state. After a reboot, after a restart of the IKE daemon
    and after C(swanctl --load-all) the host does what the modules last made it do.
  - The module is declarative. An option that is left out takes its default, also where the object
    exists already with another value; the few exceptions are named with the options.
  - With V(absent) as the state, the options that name the object count, and no others.
  - Connections, secrets, nftables tables, interfaces, routes and files that were not made by this
    collection are never changed.
  - strongSwan reads all its files as one. What it will not read as it looks, be it in
    C(/etc/swanctl/swanctl.conf), C(/etc/strongswan.conf) or a file that one of them includes, is
    warned about by file and line, because one fault makes C(swanctl --load-all) unload everything.
    A run that would have to restart the IKE daemon beside such a file fails.
  - A name of a connection or secret that a file of others has too is an error, because strongSwan
    would merge the two. What has such a name can be disabled or removed.
  - One run at a time works on a host, check mode included. Another one waits for it, for 120
    seconds at most, with C(/run/tunnelwright.lock).
  - When a step fails, those before it are taken back in reverse order.
"""

    # Of modules that only look too.
    NEEDED = r"""
options: {}
requirements:
  - strongSwan 5.9.8 or later with vici (Debian packages C(charon-systemd) and
    C(strongswan-swanctl))
  - nftables 1.0.6 or later and iproute2
  - systemd
  - The Python library vici for the Python of the managed host. No Debian release packages it; the
    role P(tunnelwright.ipsec.gateway#role) brings it along with everything else that is needed
    here.
notes:
  - The module must run as root (C(become=true)).
"""
