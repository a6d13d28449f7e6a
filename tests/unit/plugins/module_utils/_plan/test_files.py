# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan import steps
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.files import (
    removed,
    written,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.observed import Observed
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.plan import (
    Difference,
    Plan,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.file import File
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.pki import GATEWAY

FILE, OTHER = File("/a", b"new\n"), File("/b", b"new\n")


def host(*files: File) -> Observed:
    return Observed({file.path: file for file in files})


@pytest.mark.parametrize(
    ("found", "before"),
    [
        (File("/a", b"old\n"), ("old\n", "new\n")),
        (None, ("", "new\n")),
        (File("/a", b"new\n", 0o600), ("mode 0600 instead of 0644\n", "mode 0644\n")),
        (
            File("/a", b"new\n", owner=(5, 7)),
            ("owner 5:7 instead of 0:0\n", "owner 0:0\n"),
        ),
        (
            File("/a", b"new\n", link="/x"),
            ("a symbolic link to /x instead of a file\n", "a file\n"),
        ),
    ],
)
def test_written_with_what_was_there_before(found: File | None, before: tuple[str, str]) -> None:
    plan = written((FILE,), host(*([found] if found else [])))
    assert plan.steps == (steps.WriteFile(FILE, found),)
    assert plan.differences == (Difference("/a", *before),)


@pytest.mark.parametrize("kind", ["x509", "x509ca"])
@pytest.mark.parametrize(
    "found",
    [
        GATEWAY.certificate + GATEWAY.key,
        GATEWAY.certificate + b"password\n",
        GATEWAY.certificate + b"".join(GATEWAY.key.splitlines()[1:-1]) + b"\n",
    ],
)
def test_among_certificates_nothing_else_is_shown(kind: str, found: bytes) -> None:
    path = f"/etc/swanctl/{kind}/tunnelwright.site-b.pem"
    plan = written([File(path, GATEWAY.certificate)], host(File(path, found)))
    shown = GATEWAY.certificate.decode()
    assert plan.differences == (Difference(path, f"{shown}********\n", shown),)


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_private_key_is_not_shown_whatever_its_mode(mode: int) -> None:
    path = "/etc/swanctl/private/tunnelwright.site-b.pem"
    plan = removed([File(path, b"")], host(File(path, GATEWAY.key, mode)))
    assert plan.differences == (Difference(path, "********\n", ""),)


def test_not_written_again() -> None:
    assert written((FILE, OTHER), host(FILE, OTHER)) == Plan()


def test_removed_as_it_was_found() -> None:
    """The step keeps the found file, so that it can be restored."""
    found = File("/a", b"edited\n", 0o640)
    plan = removed((FILE, OTHER), host(found))
    assert plan.steps == (steps.RemoveFile(found),)
    assert plan.differences == (Difference("/a", "edited\n", ""),)


def test_one_after_the_other() -> None:
    assert written((OTHER, FILE), host()).actions == ["write /b", "write /a"]
    assert removed((OTHER, FILE), host(FILE, OTHER)).actions == ["remove /b", "remove /a"]
