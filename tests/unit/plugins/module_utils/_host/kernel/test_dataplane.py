# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import (
    HostError,
    ModelError,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.kernel.dataplane import (
    uses_userspace,
    was_userspace,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.gateway import Gateway
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import DEBIAN
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.file import File
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.strongswan_conf import (
    LIBIPSEC,
    daemon_text,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    gateway,
    network,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.memory_host import (
    MemoryHost,
)

OTHER = {"name": "dmz", "ip_address": "10.9.0.1", "network_address": "10.9.0.0/24"}


@pytest.fixture(name="host")
def _host(tmp_path: Path) -> t.Any:
    """Return a host with the plugin installed."""
    host = MemoryHost(tmp_path / "root")
    host.install(LIBIPSEC)
    return host


@pytest.mark.parametrize(
    ("asked", "esp", "loaded", "before", "userspace"),
    [
        (("auto",), True, False, False, False),
        (("auto",), False, False, False, True),
        # An earlier run chose this data plane. The kernel is tested again.
        (("auto",), True, True, True, False),
        (("auto",), False, True, True, True),
        # Another administrator loaded the plugin, and the plugin handles every SA.
        (("auto",), True, True, False, True),
        (("userspace",), True, False, False, True),
        (("kernel",), True, False, False, False),
        (("kernel",), True, True, False, False),
        (("auto", "userspace"), True, False, False, True),
        (("auto", "kernel"), True, True, False, False),
    ],
)
def test_choice(
    host: t.Any, asked: tuple[str, ...], esp: bool, loaded: bool, before: bool, userspace: bool
) -> None:
    host.link.esp = esp
    host.vici.loaded_plugins = {"kernel-libipsec"} if loaded else {"kernel-netlink"}
    networks = [network(**names, dataplane=item) for names, item in zip(({}, OTHER), asked)]
    assert uses_userspace(host, gateway(*networks), before=before) is userspace


def test_none_without_networks(host: t.Any) -> None:
    host.link.esp = False
    assert uses_userspace(host, Gateway(), before=True) is False


def test_a_kernel_that_can_not(host: t.Any) -> None:
    host.link.esp = False
    made = gateway(network(), network(**OTHER, dataplane="kernel"))
    with pytest.raises(ModelError) as raised:
        uses_userspace(host, made, before=False)
    assert (raised.value.option, raised.value.subject) == ("dataplane", "network dmz")


@pytest.mark.parametrize("asked", ["auto", "userspace"])
def test_the_package_that_is_missing_is_named(host: t.Any, asked: str) -> None:
    host.platform = replace(DEBIAN, plugin_dir="/nonexistent")
    host.link.esp = False
    with pytest.raises(HostError, match="Install the Debian package libcharon-extra-plugins"):
        uses_userspace(host, gateway(network(dataplane=asked)), before=False)


@pytest.mark.parametrize("userspace", [True, False])
def test_what_the_last_run_chose(host: t.Any, userspace: bool) -> None:
    host.files.write(File(DEBIAN.daemon_file, daemon_text(gateway(), userspace=userspace).encode()))
    assert was_userspace(host) is userspace


@pytest.mark.parametrize("data", [None, b"", b"\xff", b"charon {"])
def test_no_last_run(host: t.Any, data: bytes | None) -> None:
    if data is not None:
        host.files.write(File(DEBIAN.daemon_file, data))
    assert was_userspace(host) is False
