# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The credentials that are read from the files of a task, and from the copies of these files."""

from __future__ import annotations

import os
import socket
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import ModelError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.files.credentials import (
    LARGEST,
    given_credentials,
    installed_credentials,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.files.files import Files
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.gateway import Gateway
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import DEBIAN
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.artefacts import artefacts
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.credentials import (
    Credentials,
    credential_paths,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.file import File
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    PUBKEY,
    connection,
    gateway,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.pki import (
    CA,
    GATEWAY,
    Pair,
    block,
)

PEM = Credentials((GATEWAY.certificate,), GATEWAY.key, (CA.certificate,))
OPTIONS = ("certificate", "private_key", "ca")
every_option = pytest.mark.parametrize("option", OPTIONS)
CURVE = Pair("curve.example", elliptic=True)
OTHER_CA = Pair("Other CA", ca=True)
MIDDLE = Pair("Intermediate", issuer=CA, ca=True)
LEAF = Pair("leaf.example", issuer=MIDDLE)


@pytest.fixture(name="files")
def _files(tmp_path: Path) -> Files:
    """Return the files of a host that has the files of all options."""
    files = Files(DEBIAN, str(tmp_path))
    for option in OPTIONS:
        content = getattr(PEM, option)
        files.write(File(named(option), content if option == "private_key" else content[0]))
    return files


def named(option: str) -> str:
    return t.cast("str", PUBKEY[option])


def refused(files: Files, option: str) -> str:
    """Return the problem in the error about a file."""
    with pytest.raises(ModelError) as raised:
        given_credentials(files, connection(**PUBKEY))
    error = raised.value
    assert (error.subject, error.option, error.value) == ("phase 1 site-b", option, named(option))
    assert error.fix
    return error.problem


class TestInstalled:
    def install(self, files: Files, pem: Credentials) -> Gateway:
        made = gateway(connection(**PUBKEY))
        whole = artefacts(made, DEBIAN, userspace=False, credentials={"site-b": pem})
        for parts in whole.swanctl.values():
            for file in parts.extra_files:
                files.write(file)
        return made

    def test_as_they_lie_there(self, files: Files) -> None:
        assert installed_credentials(files, self.install(files, PEM)) == {"site-b": PEM}

    def test_of_whole_files_what_they_are_for(self, files: Files) -> None:
        """Each copy is read for its own contents, because version 0.1.0 copied whole files."""
        both = Credentials(
            (GATEWAY.certificate + GATEWAY.key,),
            b"text\n" + GATEWAY.certificate + GATEWAY.key,
            (CA.key + CA.certificate,),
        )
        assert installed_credentials(files, self.install(files, both)) == {"site-b": PEM}

    def test_what_holds_nothing_of_the_kind_is_left_to_the_daemon(self, files: Files) -> None:
        odd = Credentials((b"certificate",), b"key", (b"ca",))
        assert installed_credentials(files, self.install(files, odd)) == {"site-b": odd}

    def test_none_with_a_psk(self, files: Files) -> None:
        self.install(files, PEM)
        assert installed_credentials(files, gateway(connection())) == {}

    @every_option
    def test_incomplete(self, files: Files, option: str) -> None:
        made = self.install(files, PEM)
        files.remove(credential_paths(made.connections["site-b"], DEBIAN)[option])
        assert installed_credentials(files, made) == {}

    def test_of_another_connection(self, files: Files) -> None:
        made = self.install(files, PEM)
        other = replace(made.connections["site-b"], name="site-c")
        assert installed_credentials(files, Gateway(connections={"site-c": other})) == {}


class TestGiven:
    def test_as_they_are(self, files: Files) -> None:
        assert given_credentials(files, connection(**PUBKEY)) == (PEM, ())

    @every_option
    def test_by_a_link(self, files: Files, tmp_path: Path, option: str) -> None:
        path = tmp_path / named(option)[1:]
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
        assert given_credentials(files, connection(**PUBKEY)) == (PEM, ())

    def test_a_bundle_is_taken_whole(self, files: Files) -> None:
        """Each certificate is a separate item, except the root, which strongSwan never sends."""
        bundle = LEAF.certificate + MIDDLE.certificate + CA.certificate
        files.write(File(named("certificate"), bundle))
        files.write(File(named("private_key"), LEAF.key))
        files.write(File(named("ca"), CA.certificate + OTHER_CA.certificate + CA.certificate))
        expected = Credentials(
            (LEAF.certificate, MIDDLE.certificate),
            LEAF.key,
            (CA.certificate, OTHER_CA.certificate),
        )
        assert given_credentials(files, connection(**PUBKEY)) == (expected, ())

    def test_a_curve_before_its_key(self, files: Files) -> None:
        """The key is read without the block of openssl ecparam, which strongSwan would not load."""
        key = CURVE.key_as("traditional")
        files.write(File(named("private_key"), block("EC PARAMETERS", b"\x06\x01\x01") + key))
        found, warnings = given_credentials(files, connection(**PUBKEY))
        assert (found.private_key, warnings) == (key, ())


def bind_socket(path: str) -> None:
    """Bind a socket by the relative path, because the length of this path is limited."""
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(path))


class TestNoFile:
    """Paths that are no readable file. A read of such a path must end without a wait."""

    @every_option
    def test_missing(self, files: Files, option: str) -> None:
        files.remove(named(option))
        assert refused(files, option) == "does not exist on this host"

    @every_option
    @pytest.mark.parametrize("data", [b"", b" "])
    def test_empty(self, files: Files, option: str, data: bytes) -> None:
        files.write(File(named(option), data))
        why = "is not a PEM file, because no line in it begins a block" if data else "is empty"
        assert refused(files, option) == why

    @every_option
    @pytest.mark.parametrize(
        ("make", "what"),
        [
            (os.mkfifo, "a pipe"),
            (os.mkdir, "a directory"),
            (lambda path: os.symlink("/dev/zero", path), "a device"),
            (bind_socket, "a socket"),
        ],
        ids=["pipe", "directory", "device", "socket"],
    )
    def test_another_kind(
        self,
        files: Files,
        tmp_path: Path,
        option: str,
        make: t.Callable[[str], None],
        what: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        files.remove(named(option))
        monkeypatch.chdir(tmp_path)
        make(str(tmp_path / named(option)[1:]))
        assert refused(files, option) == f"cannot be read: it is {what}, not a regular file"

    @every_option
    def test_a_link_to_itself(self, files: Files, tmp_path: Path, option: str) -> None:
        files.remove(named(option))
        path = tmp_path / named(option)[1:]
        path.symlink_to(path)
        assert refused(files, option) == "cannot be read: Too many levels of symbolic links"

    @every_option
    def test_without_end(self, files: Files, tmp_path: Path, option: str) -> None:
        """A file that is empty for stat(2) is refused. /proc/kmsg is such a file, with contents."""
        files.remove(named(option))
        (tmp_path / named(option)[1:]).symlink_to("/proc/self/maps")
        assert refused(files, option) == "is empty"

    @every_option
    def test_too_large(self, files: Files, tmp_path: Path, option: str) -> None:
        with (tmp_path / named(option)[1:]).open("ab") as stream:
            stream.truncate(LARGEST)
        given_credentials(files, connection(**PUBKEY))
        with (tmp_path / named(option)[1:]).open("ab") as stream:
            stream.truncate(10**12)
        assert refused(files, option) == "cannot be read: it is larger than 1 MiB"


class TestNothingToCopy:
    @pytest.mark.parametrize("option", ["certificate", "ca"])
    @pytest.mark.parametrize(
        ("data", "why"),
        [
            (GATEWAY.key, "holds no certificate, but PRIVATE KEY"),
            (GATEWAY.key + CA.crl, "holds no certificate, but PRIVATE KEY and X509 CRL"),
            (
                GATEWAY.certificate[:-40],
                "holds no certificate, but CERTIFICATE without its end",
            ),
            (
                GATEWAY.certificate + block("CERTIFICATE", b"MIIB"),
                "is damaged: its certificate 2 cannot be read",
            ),
            (b"\x30\x82\x01\x00", "is not a PEM file, because no line in it begins a block"),
        ],
    )
    def test_certificate(self, files: Files, option: str, data: bytes, why: str) -> None:
        files.write(File(named(option), data))
        assert refused(files, option) == why

    @pytest.mark.parametrize(
        ("data", "why"),
        [
            (GATEWAY.certificate, "holds no private key, but CERTIFICATE"),
            (block("EC PARAMETERS", b"x"), "holds no private key, but parameters of a key"),
            (GATEWAY.key + CURVE.key, "holds 2 private keys, of which strongSwan loads one"),
            (
                CURVE.key_as("traditional", b"xyzzy"),
                "holds an encrypted private key, and the IKE daemon cannot ask for the passphrase",
            ),
            (
                CURVE.key_as("pkcs8", b"xyzzy"),
                "holds an encrypted private key, and the IKE daemon cannot ask for the passphrase",
            ),
            (
                CURVE.key_as("openssh"),
                "holds a private key that strongSwan does not load: OPENSSH PRIVATE KEY",
            ),
            (
                b"-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----\n",
                "is damaged: its private key cannot be read",
            ),
        ],
    )
    def test_key(self, files: Files, data: bytes, why: str) -> None:
        files.write(File(named("private_key"), data))
        assert refused(files, "private_key") == why
