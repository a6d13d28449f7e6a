# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The note of the last Gateway is the same as a reading of the files, or it does not count."""

from __future__ import annotations

import base64
import os
import pickle
import tempfile
import time
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.files import known_gateway
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.files.files import Files
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.files.known_gateway import (
    KnownGateway,
    forget,
    recall,
    remember,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.files.read_back import (
    read_gateway,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.gateway import Gateway
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import DEBIAN
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render import records
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.artefacts import (
    Artefacts,
    artefacts,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.file import File
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    PSK,
    PUBKEY,
    child,
    connection,
    gateway,
    settings,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.strategies import gateways
from hypothesis import given
from hypothesis import settings as profile

PHASE1 = "/etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf"
LONG = 2 * known_gateway._QUIET / 1e9

Reads = list[str]


def files_in(place: Path) -> Files:
    (place / "run").mkdir()
    return Files(replace(DEBIAN, run_dir=str(place / "run")), str(place / "root"))


@pytest.fixture(name="files")
def _files(tmp_path: Path) -> Files:
    return files_in(tmp_path)


@pytest.fixture(name="note")
def _note(tmp_path: Path) -> Path:
    return tmp_path / "run/tunnelwright.known"


@pytest.fixture(name="phase1")
def _phase1(tmp_path: Path) -> Path:
    return Path(f"{tmp_path}/root{PHASE1}")


@pytest.fixture(name="reads")
def _reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    """Return the names of the phase 1 files that are parsed."""
    found: Reads = []
    original = records.read_connection

    def read_connection(path: str, text: str) -> t.Any:
        found.append(path)
        return original(path, text)

    monkeypatch.setattr(records, "read_connection", read_connection)
    return found


def rendered(
    files: Files, made: Gateway, known: tuple[Gateway, Artefacts] | None = None
) -> Artefacts:
    return artefacts(made, files.platform, userspace=False, credentials={}, known=known)


def install(files: Files, made: Gateway) -> Artefacts:
    rendering = rendered(files, made)
    written: list[File] = [*rendering.records.values()]
    written += [parts.file for parts in rendering.swanctl.values()]
    for file in written:
        files.write(file)
    return rendering


def noted(files: Files, made: Gateway, known: KnownGateway | None = None) -> Artefacts:
    """Install the files of a Gateway, and note it when its files are old enough."""
    rendering = install(files, made)
    time.sleep(LONG)
    remember(files, made, rendering, known)
    return rendering


TUNNEL = gateway(connection(child()))


def test_it_spares_the_reading(files: Files, reads: Reads) -> None:
    rendering = noted(files, TUNNEL)
    known = recall(files)
    assert known is not None
    assert known.gateway.connections == TUNNEL.connections
    assert known.rendering.swanctl[PHASE1] == rendering.swanctl[PHASE1]
    assert known.rendering.networks == rendering.networks
    assert read_gateway(files, known) == read_gateway(files)
    assert reads == [PHASE1]


@given(made=gateways())
@profile(max_examples=25, deadline=None)
def test_it_is_what_was_noted(made: Gateway) -> None:
    with tempfile.TemporaryDirectory() as place:
        files = files_in(Path(place))
        quiet, known_gateway._QUIET = known_gateway._QUIET, 0
        try:
            rendering = install(files, made)
            remember(files, made, rendering, None)
        finally:
            known_gateway._QUIET = quiet
        known = recall(files)
        noted_bytes = Path(files.platform.known_gateway)
        if known is None:
            assert not noted_bytes.exists()
            return
        read = read_gateway(files)
        assert read_gateway(files, known) == read
        options: t.Any = {"userspace": False, "credentials": {}}
        assert artefacts(read, files.platform, known=known.rendered, **options) == artefacts(
            read, files.platform, **options
        )
        assert known.gateway.connections.items() <= made.connections.items()
        written = noted_bytes.read_bytes()
        assert NO_SECRET not in written
        for key in keys_in(made):
            assert key not in written


# The class of a key, which a pickle names.
NO_SECRET = b"module_utils._model.secret"


def keys_in(made: Gateway) -> t.Iterator[bytes]:
    """Yield the keys as their files have them. A short key may also be a part of another text."""
    for item in made.connections.values():
        if item.psk is not None and len(item.psk.reveal()) > 11:
            yield base64.b64encode(item.psk.reveal())


def by_content(path: Path) -> None:
    before = path.read_text()
    address = TUNNEL.connections["site-b"].remote_gateway
    after = before.replace(address, f"{address[:-1]}9")
    assert len(before) == len(after)
    assert before != after
    path.write_text(after)


def by_content_with_the_old_time(path: Path) -> None:
    before = path.stat()
    by_content(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def by_another_file(path: Path) -> None:
    beside = path.with_suffix(".other")
    beside.write_bytes(path.read_bytes())
    beside.chmod(0o600)
    beside.replace(path)


def by_a_link(path: Path) -> None:
    target = path.with_suffix(".target")
    path.rename(target)
    path.symlink_to(target)


@pytest.mark.parametrize(
    "change", [by_content, by_content_with_the_old_time, by_another_file, by_a_link]
)
def test_a_file_that_changed_is_read(
    files: Files, phase1: Path, reads: Reads, change: t.Callable[[Path], None]
) -> None:
    noted(files, TUNNEL)
    change(phase1)
    known = recall(files)
    assert known is not None
    assert read_gateway(files, known) == read_gateway(files)
    assert reads == [PHASE1, PHASE1]


def test_a_file_that_has_just_changed_is_not_noted(files: Files) -> None:
    """A second change within the same tick of the kernel would leave the same times."""
    rendering = install(files, TUNNEL)
    remember(files, TUNNEL, rendering, None)
    assert recall(files) is None


def test_a_file_with_other_content_is_not_noted(files: Files, phase1: Path) -> None:
    rendering = install(files, TUNNEL)
    by_content(phase1)
    time.sleep(LONG)
    remember(files, TUNNEL, rendering, None)
    assert recall(files) is None


def test_one_changed_tunnel_leaves_the_others_noted(files: Files, reads: Reads) -> None:
    far = child(phase1="site-c", remote_network=["10.3.0.0/24"])
    more = connection(far, name="site-c", remote_gateway="192.0.2.3")
    both = gateway(connection(child()), more)
    rendering = noted(files, both)
    known = recall(files)
    changed = both.with_connection(replace(more, description="x"))
    after = artefacts(
        changed, files.platform, userspace=False, credentials={}, known=(both, rendering)
    )
    files.write(after.swanctl[DEBIAN.connection_path("site-c")].file)
    remember(files, changed, after, known)
    assert read_gateway(files, recall(files)).connections == changed.connections
    assert reads == [DEBIAN.connection_path("site-c")]


def test_the_same_again_is_not_written(files: Files, note: Path) -> None:
    rendering = noted(files, TUNNEL)
    before = note.stat()
    remember(files, TUNNEL, rendering, recall(files))
    assert note.stat() == before


def test_it_has_no_key(files: Files, note: Path) -> None:
    # Values that the model derives from the key, and keeps.
    assert TUNNEL.names_by_psk
    assert TUNNEL.connections["site-b"].key
    noted(files, TUNNEL)
    written = note.read_bytes()
    assert b"site-b" in written
    assert NO_SECRET not in written
    for key in (PSK.encode(), *keys_in(TUNNEL)):
        assert key not in written


def test_what_may_have_keys_is_not_noted(files: Files, note: Path) -> None:
    texts = settings(configuration_mode="advanced", swanctl_conf="secrets {\n}\n")
    noted(files, gateway(texts, connection(child())))
    assert not note.exists()
    certified = connection(child(), **PUBKEY)
    noted(files, gateway(certified))
    assert not note.exists()


def test_a_certificate_beside_a_key_is_read_again(files: Files, reads: Reads, note: Path) -> None:
    certified = connection(name="site-c", remote_gateway="192.0.2.3", **PUBKEY)
    both = gateway(connection(child()), certified)
    rendering = noted(files, both)
    before = note.stat()
    known = recall(files)
    assert read_gateway(files, known).connections == both.connections
    assert reads == [DEBIAN.connection_path("site-c")]
    assert known is not None
    assert known.rendering.networks == {}, "the rules of a tunnel that may go without a trace"
    remember(files, both, rendering, known)
    assert note.stat() == before


def test_it_goes_with_the_last_tunnel(files: Files, note: Path) -> None:
    noted(files, TUNNEL)
    assert note.stat().st_mode & 0o777 == 0o600
    remember(
        files,
        gateway(),
        rendered(files, gateway()),
        None,
    )
    assert not note.exists()
    forget(files)


def shortened(note: Path) -> None:
    note.write_bytes(note.read_bytes()[:-100])


def emptied(note: Path) -> None:
    note.write_bytes(b"")


def made_readable(note: Path) -> None:
    note.chmod(0o640)


def moved_behind_a_link(note: Path) -> None:
    note.rename(note.with_suffix(".moved"))
    note.symlink_to(note.with_suffix(".moved"))


def turned_into_a_pipe(note: Path) -> None:
    note.unlink()
    os.mkfifo(note)


def written_by_other_code(note: Path) -> None:
    with note.open("rb") as stream:
        code, rest = pickle.load(stream), stream.read()
    note.write_bytes(pickle.dumps({**code, "._model.connection": 1}) + rest)


@pytest.mark.parametrize(
    "damage",
    [
        shortened,
        emptied,
        made_readable,
        moved_behind_a_link,
        turned_into_a_pipe,
        written_by_other_code,
    ],
)
def test_a_doubtful_note_does_not_count(
    files: Files, note: Path, damage: t.Callable[[Path], None]
) -> None:
    noted(files, TUNNEL)
    assert recall(files) is not None
    damage(note)
    assert recall(files) is None


class _Harmful:
    def __reduce__(self) -> tuple[t.Any, ...]:
        return os.mkdir, ("harmful",)


@pytest.mark.parametrize("place", ["code", "note"])
def test_a_note_runs_no_code(
    files: Files, note: Path, place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    harmful = pickle.dumps(_Harmful())
    code = b"" if place == "code" else pickle.dumps(known_gateway._code())
    note.write_bytes(code + harmful)
    note.chmod(0o600)
    assert recall(files) is None
    assert not Path("harmful").exists()


def test_a_note_that_cannot_be_written_is_no_error(files: Files, note: Path) -> None:
    note.parent.rmdir()
    noted(files, TUNNEL)
    assert recall(files) is None
