# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A daemon that refuses, hangs, breaks off or sends invalid data."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import traceback
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import HostError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.vici import client as adapter
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.vici.client import Vici
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.scripted_vici import (
    EVENT,
    RESPONSE,
    UNKNOWN,
    ScriptedVici,
    encoded,
    failed,
    packet,
)

SECRET = b"correct\x00horse\xffbattery"


class TestSecrecy:
    """Error messages, which never show the sent data."""

    @pytest.mark.parametrize(
        "answer",
        [
            {"reply": failed("shared key data missing")},
            {"answer": packet(RESPONSE, b"\xff")[:-1], "close": True},
            {"answer": packet(RESPONSE, encoded({"success": "no"}))},
        ],
    )
    def test_in_no_error(self, charon: ScriptedVici, vici: Vici, answer: t.Any) -> None:
        sent = {"id": "p1", "type": "IKE", "data": SECRET, "owners": []}
        charon.expect("load-shared", sent, **answer)
        with pytest.raises(HostError) as raised:
            vici.load_shared("p1", (), SECRET)
        shown = traceback.format_exception(raised.type, raised.value, raised.tb)
        assert "battery" not in "".join(shown)
        assert raised.value.operation == "load secret p1"

    def test_too_long(self, vici: Vici) -> None:
        with pytest.raises(
            HostError, match=r"^could not load secret p1: data: longer than 65535 bytes\.$"
        ):
            vici.load_shared("p1", (), bytes(65536))

    def test_refused_type_is_a_defect_of_ours(self, vici: Vici) -> None:
        with pytest.raises(TypeError, match=r"^site-b\.mobike: vici carries .*, not bool$"):
            vici.load_conn("site-b", {"mobike": True})


class TestBrokenDaemon:
    HALF: t.ClassVar = packet(RESPONSE, encoded({"version": "6.0.1"}))[:9]

    def quick(self, charon: ScriptedVici) -> Vici:
        return Vici(charon.connect, timeout=0.3)

    @pytest.mark.parametrize("answer", [b"", HALF[:2], HALF])
    @pytest.mark.parametrize("close", [True, False])
    def test_hangs_or_breaks_off(self, charon: ScriptedVici, answer: bytes, close: bool) -> None:
        reason = "closed the connection: Connection closed." if close else "did not answer in time."
        charon.expect("version", answer=answer, close=close)
        started = time.monotonic()
        with self.quick(charon) as vici, pytest.raises(HostError) as raised:
            vici.version()
        assert str(raised.value).endswith(reason)
        assert time.monotonic() - started < 5

    def test_hangs_amid_events(self, charon: ScriptedVici) -> None:
        event = packet(EVENT, b"\x09list-conn" + encoded({"a": {}}))
        charon.expect("list-conns", answer=event + event[:8])
        with self.quick(charon) as vici, pytest.raises(HostError, match="not answer in time"):
            vici.connections()

    def test_deadline_is_for_the_whole_command(self) -> None:
        """A daemon that sends some bytes now and then can't extend the deadline."""
        ours, theirs = socket.socketpair()

        def dribble() -> None:
            with theirs, contextlib.suppress(OSError):
                for byte in packet(RESPONSE, bytes(200)):
                    theirs.sendall(bytes([byte]))
                    time.sleep(0.05)

        thread = threading.Thread(target=dribble)
        thread.start()
        started = time.monotonic()
        with Vici(lambda: ours, timeout=0.5) as vici, pytest.raises(HostError, match="in time"):
            vici.version()
        assert 0.4 < time.monotonic() - started < 5
        thread.join()

    def test_terminate_may_take_as_long_as_it_was_told(self, charon: ScriptedVici) -> None:
        sa = {"uniqueid": "1", "state": "ESTABLISHED", "version": "2"}
        charon.expect("list-sas", {"ike": "site-b"}, events=("list-sa", [{"site-b": sa}]))
        charon.expect("terminate", {"ike-id": "1", "force": "yes", "timeout": "600"}, answer=b"")
        with self.quick(charon) as vici:
            started = time.monotonic()
            with pytest.raises(HostError, match="not answer in time"):
                vici.terminate_ike("site-b", timeout=0.6)
        assert 0.8 < time.monotonic() - started < 5

    def test_name_servers_may_be_out_of_reach(
        self, charon: ScriptedVici, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(adapter, "LOOKUP_TIMEOUT", 0.2)
        children = {"a": {"start_action": "trap|start"}, "b": {"start_action": "trap"}}
        charon.expect("load-conn", {"site-b": {"children": children}}, answer=b"")
        with self.quick(charon) as vici:
            started = time.monotonic()
            with pytest.raises(HostError, match="not answer in time"):
                vici.load_conn("site-b", {"children": children})
        assert 0.85 < time.monotonic() - started < 5

    def test_session_is_over_afterwards(self, charon: ScriptedVici) -> None:
        charon.expect("version", answer=b"")
        with self.quick(charon) as vici:
            with pytest.raises(HostError, match="not answer in time"):
                vici.version()
            with pytest.raises(HostError, match="session with the IKE daemon has ended"):
                vici.connection_names()

    @pytest.mark.parametrize(
        "answer",
        [
            packet(UNKNOWN),
            packet(RESPONSE, encoded({"success": "no"})),
            packet(RESPONSE, encoded({"success": "no", "errmsg": b"\xff"})),
            packet(RESPONSE, b"\x02"),
            packet(RESPONSE, b"\x03"),
            packet(RESPONSE, b"\x03\x01\xff\x00\x00"),
        ],
    )
    def test_nonsense(self, charon: ScriptedVici, answer: bytes) -> None:
        charon.expect("version", answer=answer)
        with self.quick(charon) as vici, pytest.raises(HostError, match="sent an invalid answer: "):
            vici.version()


def test_library_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "vici", None)
    with pytest.raises(HostError, match=r"Python library vici .* `pip install vici`\.$"):
        Vici(lambda: pytest.fail("Vici connects without the library"))
