# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The kind of a host: its places, units and packages, and its firewall.

No other file of ``module_utils`` names a path, a unit or a package of Debian. A second kind of host
is a second ``Platform``, and a branch in ``_host/platform.py``.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

# The options of a phase 1 that name PEM files, and the folder of swanctl for the copies of each.
_CREDENTIAL_FOLDERS = {"certificate": "x509", "private_key": "private", "ca": "x509ca"}


@dataclass(frozen=True)
class Platform:
    """The places, units and packages of one kind of host. All paths are absolute.

    ``strongswan_conf`` is the file that the daemon reads first. ``packages`` has the package of
    each program, and ``plugin_packages`` the package of each group of strongSwan's plugins.
    ``firewall_unit`` is the unit that flushes the rules of the host when it starts or reloads.
    ``watched_packages`` are patterns of the packages whose versions ipsec_info reports.
    """

    name: str
    record_dir: str
    state_dir: str
    run_dir: str
    unit_dir: str
    swanctl_dir: str
    strongswan_conf: str
    strongswan_dir: str
    plugin_dir: str
    vici_socket: str
    daemon_unit: str
    firewall_unit: str
    os_release: str
    watched_packages: tuple[str, ...]
    packages: t.Mapping[str, str] = field(repr=False)
    plugin_packages: t.Mapping[str, str] = field(repr=False)

    # The files of strongSwan

    @property
    def swanctl_conf(self) -> str:
        return f"{self.swanctl_dir}/swanctl.conf"

    @property
    def conf_dir(self) -> str:
        return f"{self.swanctl_dir}/conf.d"

    @property
    def credential_dirs(self) -> dict[str, str]:
        """Return the folders of the copies that charon and swanctl read, by option."""
        return {
            option: f"{self.swanctl_dir}/{folder}" for option, folder in _CREDENTIAL_FOLDERS.items()
        }

    @property
    def certificate_dir(self) -> str:
        return self.credential_dirs["certificate"]

    @property
    def key_dir(self) -> str:
        return self.credential_dirs["private_key"]

    @property
    def ca_dir(self) -> str:
        return self.credential_dirs["ca"]

    @property
    def read_whole(self) -> tuple[str, ...]:
        """Return the folders from which swanctl loads every file, of any name.

        From each file, swanctl loads the first certificate or key.
        """
        return self.certificate_dir, self.key_dir, self.ca_dir

    @property
    def daemon_file(self) -> str:
        """Return the file of the daemon-wide settings."""
        return f"{self.strongswan_dir}/tunnelwright.conf"

    @property
    def advanced_prefix(self) -> str:
        """Return the beginning of the path of each file that holds a ``swanctl_conf``."""
        return f"{self.conf_dir}/tunnelwright.advanced."

    def connection_path(self, name: str) -> str:
        """Return the file of a phase 1; ``*`` gives a shell pattern."""
        return f"{self.conf_dir}/tunnelwright.phase1.{name}.conf"

    def bypass_path(self, network: str) -> str:
        """Return the file of the shunt of ``exclude_my_network``."""
        return f"{self.conf_dir}/tunnelwright.bypass.{network}.conf"

    def advanced_path(self, network: str) -> str:
        """Return the file of ``swanctl_conf``."""
        return f"{self.advanced_prefix}{network}.conf"

    def advanced_daemon_path(self, network: str) -> str:
        """Return the file of ``strongswan_conf``."""
        return f"{self.strongswan_dir}/tunnelwright.advanced.{network}.conf"

    def plugin_path(self, plugin: str) -> str:
        return f"{self.plugin_dir}/libstrongswan-{plugin}.so"

    # The files of networks

    def record_path(self, network: str) -> str:
        return f"{self.record_dir}/{network}.json"

    def rules_path(self, network: str) -> str:
        return f"{self.record_dir}/{network}.nft"

    def script_path(self, network: str) -> str:
        return f"{self.record_dir}/{network}.sh"

    def unit_path(self, unit: str) -> str:
        return f"{self.unit_dir}/{unit}"

    # The files of checkpoints, and notes of runs

    @property
    def checkpoint_dir(self) -> str:
        return f"{self.state_dir}/checkpoint"

    @property
    def checkpoint_file(self) -> str:
        return f"{self.checkpoint_dir}/state.json"

    @property
    def rollback_program(self) -> str:
        return f"{self.checkpoint_dir}/rollback.pyz"

    @property
    def rollback_record(self) -> str:
        return f"{self.state_dir}/rolled-back.json"

    @property
    def trace_file(self) -> str:
        # tcpdump's profile of AppArmor lets it write to a name that ends like this.
        return f"{self.state_dir}/trace.pcap"

    @property
    def trace_lock(self) -> str:
        return f"{self.run_dir}/tunnelwright.trace.lock"

    @property
    def lock(self) -> str:
        return f"{self.run_dir}/tunnelwright.lock"

    @property
    def unfinished_note(self) -> str:
        return f"{self.run_dir}/tunnelwright.unfinished"

    @property
    def outdated_note(self) -> str:
        return f"{self.run_dir}/tunnelwright.pending"

    @property
    def known_gateway(self) -> str:
        return f"{self.run_dir}/tunnelwright.known"

    # Directories by their owner

    @property
    def own_dirs(self) -> tuple[str, ...]:
        """Return the directories in which the collection alone has files, subdirectories first."""
        return self.record_dir, self.checkpoint_dir, self.state_dir

    @property
    def shared_dirs(self) -> tuple[str, ...]:
        """Return the directories in which our files have names that begin with tunnelwright."""
        return self.conf_dir, *self.read_whole, self.strongswan_dir, self.unit_dir


DEBIAN = Platform(
    name="Debian",
    record_dir="/etc/tunnelwright",
    state_dir="/var/lib/tunnelwright",
    run_dir="/run",
    unit_dir="/etc/systemd/system",
    swanctl_dir="/etc/swanctl",
    strongswan_conf="/etc/strongswan.conf",
    strongswan_dir="/etc/strongswan.d",
    plugin_dir="/usr/lib/ipsec/plugins",
    vici_socket="/run/charon.vici",
    daemon_unit="strongswan.service",
    firewall_unit="nftables.service",
    os_release="/etc/os-release",
    watched_packages=("libstrongswan*", "libcharon*", "strongswan*", "charon*", "nftables"),
    packages={
        "awk": "mawk",
        "cat": "coreutils",
        "grep": "grep",
        "ip": "iproute2",
        "journalctl": "systemd",
        "nft": "nftables",
        "ping": "iputils-ping",
        "sed": "sed",
        "sh": "dash",
        "swanctl": "strongswan-swanctl",
        "systemctl": "systemd",
        "tcpdump": "tcpdump",
        "timeout": "coreutils",
        "unshare": "util-linux",
    },
    # On Debian 13 nearly every algorithm is in the first already, with the openssl plugin.
    plugin_packages={
        "base": "libstrongswan",
        "standard": "libstrongswan-standard-plugins",
        "extra": "libstrongswan-extra-plugins",
        "charon-extra": "libcharon-extra-plugins",
    },
)
