# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import HostError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.packages import installed
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import (
    DEBIAN,
    Platform,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._releases.packages import (
    Installed,
    Package,
)

# Output of dpkg-query on Debian 13. The package libstrongswan is a rebuild.
PRINTED = """\
installed\tcharon-systemd\t6.0.1-6+deb13u7\tstrongswan\t6.0.1-6+deb13u7
not-installed\tlibcharon-extauth-plugins\t\tlibcharon-extauth-plugins\t
half-configured\tlibstrongswan\t6.0.1-6+deb13u7+b1\tstrongswan\t6.0.1-6+deb13u7
config-files\tstrongswan-starter\t5.9.8-5\tstrongswan\t5.9.8-5
installed\tnftables\t1.1.3-1\tnftables\t1.1.3-1
"""


@pytest.fixture(name="platform")
def _platform(tmp_path: Path) -> Platform:
    path = tmp_path / "os-release"
    path.write_text(
        'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nID=debian\nVERSION_CODENAME=trixie\n'
    )
    return replace(DEBIAN, os_release=str(path))


def test_packages(platform: Platform) -> None:
    asked: list[list[str]] = []

    def run(argv: list[str], _stdin: str) -> tuple[int, str, str]:
        asked.append(argv)
        return 1, PRINTED, "dpkg-query: no packages found matching charon*\n"

    assert installed(run, platform) == Installed(
        "debian",
        "trixie",
        (
            Package("charon-systemd", "6.0.1-6+deb13u7", "strongswan"),
            Package("libstrongswan", "6.0.1-6+deb13u7", "strongswan"),
            Package("nftables", "1.1.3-1", "nftables"),
        ),
    )
    ((program, *arguments),) = asked
    assert program == "dpkg-query"
    assert "libstrongswan*" in arguments


def test_a_host_without_dpkg(platform: Platform) -> None:
    def run(_argv: list[str], _stdin: str) -> tuple[int, str, str]:
        raise HostError("run dpkg-query", "it is not installed")

    assert installed(run, platform) == Installed("debian", "trixie")


@pytest.mark.parametrize("text", [None, "ID='unclosed\n"])
def test_no_readable_os_release(platform: Platform, text: str | None) -> None:
    path = Path(platform.os_release)
    path.unlink() if text is None else path.write_text(text)
    assert installed(lambda _argv, _stdin: (0, "", ""), platform) == Installed()
