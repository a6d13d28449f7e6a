# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Gateway that is read from the rendered files equals the original Gateway."""

from __future__ import annotations

import json
import tempfile
import typing as t
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.files.files import Files
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.files.read_back import (
    read_gateway,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.gateway import Gateway
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import DEBIAN
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.artefacts import artefacts
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.credentials import (
    Credentials,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.file import File
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.records import RecordFault
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    child,
    connection,
    gateway,
    network,
    settings,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.strategies import gateways
from hypothesis import given
from hypothesis import settings as profile

RECORD = "/etc/tunnelwright/lan.json"
PHASE1 = "/etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf"
ADVANCED = "/etc/swanctl/conf.d/tunnelwright.advanced.lan.conf"
ADVANCED_DAEMON = "/etc/strongswan.d/tunnelwright.advanced.lan.conf"
PEM = Credentials(
    (b"-----BEGIN CERTIFICATE-----",),
    b"-----BEGIN PRIVATE KEY-----",
    (b"-----BEGIN CERTIFICATE-----",),
)
TEXTS = settings(
    configuration_mode="advanced",
    swanctl_conf="connections {\n  road { }\n}\n",
    strongswan_conf="charon {\n}",
)


@pytest.fixture(name="files")
def _files(tmp_path: Path) -> Files:
    return Files(DEBIAN, str(tmp_path))


def install(files: Files, made: Gateway, pem: Credentials | None = None) -> None:
    credentials = dict.fromkeys(made.connections, pem) if pem else {}
    whole = artefacts(made, DEBIAN, userspace=False, credentials=t.cast(t.Any, credentials))
    for parts in whole.swanctl.values():
        for file in (parts.file, *parts.extra_files):
            files.write(file)
    for file in (*whole.records.values(), *whole.daemon.values()):
        files.write(file)


def spoil(files: Files, path: str, data: bytes) -> None:
    files.write(File(path, data))


class TestGateway:
    @profile(max_examples=15, deadline=None)
    @given(gateways())
    def test_round_trip(self, made: Gateway) -> None:
        with tempfile.TemporaryDirectory() as root:
            files = Files(DEBIAN, root)
            install(files, made)
            again = read_gateway(files)
        assert again.networks == made.networks
        assert again.connections == made.connections
        assert {name: made.settings_of(name) for name in made.networks} == again.settings

    def test_nothing(self, files: Files) -> None:
        assert read_gateway(files) == Gateway()

    @pytest.mark.parametrize("power", ["started", "stopped"])
    def test_conf_texts(self, files: Files, power: str) -> None:
        install(files, gateway(network(state=power), TEXTS))
        found = read_gateway(files).settings_of("lan")
        assert found.swanctl_conf == TEXTS.swanctl_conf
        assert found.strongswan_conf == "charon {\n}\n"

    def test_files_of_others_are_not_read(self, files: Files) -> None:
        install(files, gateway(connection(child())))
        for path in (
            "/etc/swanctl/conf.d/admin.conf",
            "/etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf.bak",
            "/etc/swanctl/conf.d/.tunnelwright.phase1.x.conf",
            "/etc/tunnelwright/notes.txt",
            "/etc/tunnelwright/.lan.json.swp",
        ):
            spoil(files, path, b"\xff {")
        assert read_gateway(files).connections.keys() == {"site-b"}


class TestSpoilt:
    @pytest.mark.parametrize(
        ("path", "data", "why"),
        [
            (RECORD, b"", "Expecting value"),
            (RECORD, b"\xff", "is not UTF-8 text"),
            (PHASE1, b"\xff", "is not UTF-8 text"),
            (PHASE1, b"connections {\n}\n", "'# record' is missing"),
            (ADVANCED, b"\xff", "is not UTF-8 text"),
            (ADVANCED, b"connections {", "line 1"),
            (ADVANCED, b"connections = x", "where a section is expected"),
            (ADVANCED_DAEMON, b"\xff", "is not UTF-8 text"),
        ],
    )
    def test_named_with_its_path(self, files: Files, path: str, data: bytes, why: str) -> None:
        install(files, gateway(TEXTS, connection(child())))
        spoil(files, path, data)
        with pytest.raises(RecordFault) as raised:
            read_gateway(files)
        assert raised.value.path == path
        assert why in str(raised.value)

    @pytest.mark.parametrize(
        ("option", "value", "why"),
        [
            ("mss_clamp", 7, "mss_clamp 7: is less than 536. Restore"),
            ("unique_ids", "maybe", "unique_ids 'maybe': is not one of the choices. Restore"),
            ("configuration_mode", "normal", "configuration_mode normal"),
        ],
    )
    def test_settings(self, files: Files, option: str, value: object, why: str) -> None:
        install(files, gateway(TEXTS))
        record = json.loads((files.read(RECORD) or File("", b"")).data)
        record["ipsec_settings"][option] = value
        spoil(files, RECORD, json.dumps(record).encode())
        with pytest.raises(RecordFault) as raised:
            read_gateway(files)
        assert raised.value.path == RECORD
        assert why in str(raised.value)

    @pytest.mark.parametrize("options", [[], "x", None, 7])
    def test_settings_of_another_form(self, files: Files, options: object) -> None:
        install(files, gateway())
        record = json.loads((files.read(RECORD) or File("", b"")).data)
        spoil(files, RECORD, json.dumps({**record, "ipsec_settings": options}).encode())
        with pytest.raises(RecordFault) as raised:
            read_gateway(files)
        assert raised.value.path == RECORD

    @pytest.mark.parametrize(
        ("path", "copy"),
        [
            (RECORD, "/etc/tunnelwright/copy.json"),
            (PHASE1, "/etc/swanctl/conf.d/tunnelwright.phase1.site-b.old.conf"),
            (PHASE1, "/etc/swanctl/conf.d/tunnelwright.phase1.a.conf"),
        ],
    )
    def test_a_copy_is_not_taken_for_the_file(self, files: Files, path: str, copy: str) -> None:
        install(files, gateway(connection(child())))
        spoil(files, copy, (files.read(path) or File("", b"")).data)
        with pytest.raises(RecordFault) as raised:
            read_gateway(files)
        assert raised.value.path == copy
        assert path in str(raised.value)
