# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import HostError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.vici.client import Vici
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.vici.transport import (
    DaemonTimeout,
    charon_socket,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import (
    DEBIAN,
    Platform,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.scripted_vici import (
    RESPONSE,
    encoded,
    packet,
)


def listening_at(path: str) -> Platform:
    return replace(DEBIAN, vici_socket=path)


def test_nobody_listens(tmp_path: Path) -> None:
    path = str(tmp_path / "charon.vici")
    with pytest.raises(HostError) as raised:
        Vici(lambda: charon_socket(listening_at(path)))
    assert raised.value.operation == f"reach the IKE daemon at {path}"
    assert "No such file or directory" in raised.value.detail
    assert "Check that strongswan.service is running" in raised.value.advice


def test_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "charon.vici")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    with pytest.raises(HostError, match="Connection refused"):
        charon_socket(listening_at(path))


def test_daemon_accepts_no_one(tmp_path: Path) -> None:
    path = str(tmp_path / "charon.vici")
    with socket.socket(socket.AF_UNIX) as hung:
        hung.bind(path)
        hung.listen(0)
        with charon_socket(listening_at(path), 0.3):  # fills the queue
            started = time.monotonic()
            with pytest.raises(DaemonTimeout, match="did not answer in time"):
                charon_socket(listening_at(path), 0.3)
    assert 0.2 < time.monotonic() - started < 5


def test_the_library_can_speak_over_it(tmp_path: Path) -> None:
    path = str(tmp_path / "charon.vici")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        with Vici(lambda: charon_socket(listening_at(path))) as vici:
            peer, _address = listener.accept()
            with peer:
                peer.sendall(packet(RESPONSE, encoded({"version": "6.0.1"})))
                assert vici.version() == {"version": "6.0.1"}
