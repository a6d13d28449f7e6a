# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images are built from the mirror of the machine, in each format of the files of apt."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import debian
import pytest
from machine import Failure

ROOT = Path(__file__).resolve().parents[3]

DEB822 = """\
# The mirror of this site.
Types: deb deb-src
# A comment between two fields.
URIs:
 http://mirror.test/debian/
Suites: bookworm
 bookworm-updates
Components: main non-free-firmware
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.test/debian-security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""
ONE_LINE = """\
# deb http://old.test/debian bookworm main
deb-src http://sources.test/debian bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/vendor.gpg] https://vendor.test/debian bookworm main
deb https://vendor.test/linux/debian bookworm stable
deb cdrom:[Debian]/ bookworm main
deb http://mirror.test/debian/ bookworm main contrib # the mirror of this site
deb http://mirror.test/debian-security bookworm-security main
"""
FROM_A_KEY = """\
Types: deb
URIs: http://mirror.test/copy-of-debian
Suites: bookworm
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""
DISABLED = """\
Types: deb
Enabled: no
URIs: http://disabled.test/debian
Suites: bookworm
Components: main
"""


def mirrors(apt: Path) -> tuple[str, str]:
    found = debian.sources_of_machine(apt)
    return debian.mirror_in(found, security=False), debian.mirror_in(found, security=True)


@pytest.fixture(name="apt")
def _apt(tmp_path):
    (tmp_path / "sources.list.d").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sources.list", ONE_LINE),
        ("sources.list.d/debian.list", ONE_LINE),
        ("sources.list.d/debian.sources", DEB822),
        ("sources.list.d/debian.sources", f"{DISABLED}\n\n{DEB822}"),
    ],
)
def test_the_first_archive_of_debian_in_each_format(apt, name, text):
    (apt / name).write_text(text)
    assert mirrors(apt) == ("http://mirror.test/debian", "http://mirror.test/debian-security")


def test_the_key_of_debian_proves_an_archive_with_another_path(apt):
    (apt / "sources.list.d/a.sources").write_text(FROM_A_KEY)
    assert mirrors(apt) == ("http://mirror.test/copy-of-debian", "")


def test_files_have_the_order_of_apt(apt):
    (apt / "sources.list.d/b.list").write_text("deb http://b.test/debian trixie main")
    (apt / "sources.list.d/a.list").write_text("deb http://a.test/debian trixie main")
    assert mirrors(apt)[0] == "http://a.test/debian"
    (apt / "sources.list").write_text("deb http://first.test/debian trixie main")
    assert mirrors(apt)[0] == "http://first.test/debian"


def test_files_that_apt_ignores_have_no_archive(apt):
    (apt / "sources.list.d/debian.sources.disabled").write_text(DEB822)
    (apt / "sources.list.d/disabled.sources").write_text(DISABLED)
    assert mirrors(apt) == ("", "")


def test_a_list_of_mirrors_is_read(apt):
    listed = apt / "mirrors"
    listed.write_text("# mirrors\nhttp://one.test/debian\tpriority:1\nhttp://two.test/debian\n")
    line = f"deb mirror+file://{listed} bookworm main"
    (apt / "sources.list").write_text(line)
    assert mirrors(apt)[0] == "http://one.test/debian"


def test_variables_come_before_the_files_of_apt(monkeypatch):
    monkeypatch.setattr(debian, "sources_of_machine", list)
    monkeypatch.setattr(debian, "is_reachable", lambda *_: True)
    named = {"DEBIAN_MIRROR": "http://m.test/debian", "DEBIAN_SECURITY_MIRROR": "http://s.test/s"}
    assert debian.sources("trixie", named) == [
        "deb http://m.test/debian trixie main",
        "deb http://m.test/debian trixie-updates main",
        "deb http://s.test/s trixie-security main",
    ]


def test_a_machine_without_an_archive_gets_the_name_of_the_variable(monkeypatch):
    monkeypatch.setattr(debian, "sources_of_machine", list)
    with pytest.raises(Failure, match="Set DEBIAN_MIRROR"):
        debian.sources("trixie", {})


def test_an_image_is_built_without_security_updates_that_are_out_of_reach(monkeypatch, capsys):
    monkeypatch.setattr(debian, "sources_of_machine", list)
    monkeypatch.setattr(debian, "is_reachable", lambda *_: False)
    named = {"DEBIAN_MIRROR": "http://m.test/debian", "DEBIAN_SECURITY_MIRROR": "http://s.test/s"}
    assert len(debian.sources("bookworm", named)) == 2
    assert capsys.readouterr().err == "no security updates of bookworm are within reach\n"


def test_only_a_moving_suite_may_be_past_its_date():
    assert debian.SUITES.keys() > debian.MOVING
    for release, suite in debian.SUITES.items():
        found = debian.lines(suite, "http://m.test/debian", "http://s.test/s")
        assert ("[check-valid-until=no]" in found[0]) == (release in debian.MOVING)
        assert (len(found) == 1) == (release in debian.MOVING)


def test_the_suites_of_all_images_are_known():
    for path in (ROOT / "tools/vm-image/packages").iterdir():
        if path.name != "base":
            suite = path.read_text().splitlines()[0]
            assert suite == debian.SUITES[path.name.rpartition("-")[2]]


def test_no_file_names_the_host_of_a_mirror():
    """The host is a setting of the machine."""
    host = re.compile(r"\b(deb|ftp[.\w]*|security|snapshot|archive)\.debian\.org\b")
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    paths = [ROOT / name for name in names.stdout.decode().split("\0") if name]
    found = [
        path.name
        for path in paths
        if path.is_file() and host.search(path.read_text(errors="replace"))
    ]
    assert not found
