# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Choice of the data plane for ESP: the kernel if a trial succeeds, else the daemon."""

from __future__ import annotations

import os

from ..._errors import HostError, ModelError
from ..._model.gateway import Gateway
from ..._model.network import VpnNetwork
from ..._render.strongswan_conf import LIBIPSEC, loads_userspace
from ..files.files import Files
from ..host import Host


def was_userspace(host: Host) -> bool:
    """Return whether the last run chose the userspace data plane, according to the drop-in."""
    return chose_userspace(host.files)


def chose_userspace(files: Files) -> bool:
    """Return whether the file of the daemon-wide settings loads the userspace data plane."""
    file = files.look(files.platform.daemon_file)
    return file is not None and loads_userspace(file.data.decode("utf-8", "replace"))


def uses_userspace(host: Host, gateway: Gateway, *, before: bool) -> bool:
    """Return whether the networks need the userspace data plane. `auto` tries the kernel.

    With ``auto``, a trial on the kernel decides. ``before`` is the choice of the last run. Raises
    ModelError, or HostError with the name of the package.
    """
    if not gateway.networks:
        return False
    userspace = _choose(host, gateway, before=before)
    platform = host.platform
    # Check mode also predicts for a host whose packages are installed later.
    if userspace and not host.missing and not os.path.exists(platform.plugin_path(LIBIPSEC)):
        package = platform.plugin_packages["charon-extra"]
        raise HostError(
            "use the userspace data plane",
            f"the plugin {LIBIPSEC} of strongSwan is missing",
            f"Install the {platform.name} package {package}.",
        )
    return userspace


def _choose(host: Host, gateway: Gateway, *, before: bool) -> bool:
    asked = {network.dataplane: network for network in gateway.networks.values()}
    if "userspace" in asked:
        return True
    if "kernel" in asked:
        _require_kernel(host, asked["kernel"])
        return False
    if LIBIPSEC in host.vici.plugins() and not before:
        # Another administrator has loaded the plugin, and it handles every SA.
        return True
    return not _kernel_has_esp(host)


def _require_kernel(host: Host, network: VpnNetwork) -> None:
    if not _kernel_has_esp(host):
        raise ModelError(
            "dataplane",
            "kernel",
            "cannot be used, because the kernel of this host refuses ESP",
            "Set dataplane to auto or userspace.",
            network.subject,
        )


def _kernel_has_esp(host: Host) -> bool:
    """Return whether the kernel can do ESP. True if this can't be tried on an incomplete host."""
    try:
        return host.link.kernel_has_esp()
    except HostError:
        if host.missing:
            return True
        raise
