# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The systemd units of a network, which run its script at boot."""

from __future__ import annotations

from .._model.network import VpnNetwork
from .._model.platform import Platform
from .records import MANAGED


def unit_name(network: str) -> str:
    """Return the name of the unit of a network's interface."""
    return f"tunnelwright-{network}.service"


def guard_unit_name(network: str) -> str:
    """Return the name of the unit of a network's rules. No name of a network has a dot."""
    return f"tunnelwright-{network}.guard.service"


def unit(network: VpnNetwork, platform: Platform) -> str:
    """Render the service of the interface, which starts after the network of the host.

    The service has no ExecStop. A shutdown must leave interface and rules as they are, because
    other hosts still send.
    """
    command = f"/bin/sh {platform.script_path(network.name)}"
    guard = guard_unit_name(network.name)
    return f"""{MANAGED}
[Unit]
Description=VPN network {network.name}: interface, address, forwarding and routes
Wants={guard}
After=network.target {platform.firewall_unit} {guard}
Before={platform.daemon_unit}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={command} start
{_HARDENING}
[Install]
WantedBy=multi-user.target
"""


def guard_unit(network: VpnNetwork, platform: Platform) -> str:
    """Render the service of the rules and blocks, which starts before the network of the host.

    The service follows nftables.service, whose start, reload and stop flush every table. No
    shutdown stops the service, because it has no conflict with shutdown.target.
    """
    command = f"/bin/sh {platform.script_path(network.name)}"
    firewall = platform.firewall_unit
    return f"""{MANAGED}
[Unit]
Description=VPN network {network.name}: nftables rules and guard against cleartext
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target
After=local-fs.target {firewall}
PartOf={firewall}
ReloadPropagatedFrom={firewall}
# However often nftables is started.
StartLimitIntervalSec=0

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={command} rules
ExecReload={command} rules
{_HARDENING}
[Install]
WantedBy=sysinit.target {firewall}
"""


# Restrictions that the tools of the script allow: nft and ip need CAP_NET_ADMIN and netlink.
_HARDENING = """CapabilityBoundingSet=CAP_NET_ADMIN
LockPersonality=yes
MemoryDenyWriteExecute=yes
NoNewPrivileges=yes
ProtectHome=yes
ProtectSystem=full
RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK AF_UNIX
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
"""
