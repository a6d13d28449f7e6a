# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every package that pip installs for this checkout has a version and hashes in a lock file."""

from __future__ import annotations

import re
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
CORES = sorted(path.stem for path in (ROOT / "tools/core").glob("*.in"))
SANITY_LOCKS = ["tools/sanity.lock", *(f"tools/core/{name}.sanity.lock" for name in CORES)]
LOCKS = ["constraints.txt", *(f"tools/core/{name}.txt" for name in CORES), *SANITY_LOCKS]
# Packages that ansible-test would install without a hash.
DATA = Path(sysconfig.get_path("purelib")) / "ansible_test/_data/requirements"


def pins(*paths: Path) -> dict[str, str]:
    """Return the versions by the names that pip compares."""
    text = "".join(path.read_text(encoding="utf-8") for path in paths)
    found = re.findall(r"^([A-Za-z0-9_.-]+) *== *([^\s;\\]+)", text, re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def hashes(lock: str) -> dict[str, set[str]]:
    """Return the hashes by name. Every line except comments must belong to a pin."""
    found: dict[str, set[str]] = {}
    name = ""
    for line in (ROOT / lock).read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        match = re.fullmatch(
            r"([a-z0-9.-]+)==[^ ]+ \\| {4}--hash=sha256:([0-9a-f]{64})( \\)?", line
        )
        assert match, line
        name = match[1] or name
        found.setdefault(name, set()).update({match[2]} - {None})
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_the_hashes_of_a_whole_release(lock):
    """Each pin has two files at least, and a compiled package has a wheel for each platform."""
    known = hashes(lock)
    assert known.keys() == pins(ROOT / lock).keys()
    assert not [name for name, found in known.items() if not found]
    compiled = {"constraints.txt": ("cryptography", "ruff", "mypy")}
    compiled.update(dict.fromkeys(SANITY_LOCKS, ("pyyaml",)))
    assert not [name for name in compiled.get(lock, ()) if len(known[name]) < 10]


@pytest.mark.parametrize("lock", LOCKS)
def test_no_index_is_named(lock):
    assert "://" not in (ROOT / lock).read_text(encoding="utf-8")


def test_what_is_required_is_pinned_alike():
    required = pins(ROOT / "requirements.txt", ROOT / "requirements-dev.txt")
    assert required
    assert required.items() <= pins(ROOT / "constraints.txt").items()


@pytest.mark.parametrize("core", CORES)
def test_the_packages_of_another_core_are_pinned_alike(core):
    """The lock has exactly the packages of its input, and the file is named after the release."""
    required = pins(ROOT / f"tools/core/{core}.in")
    assert required == pins(ROOT / f"tools/core/{core}.txt")
    assert required["ansible-core"].startswith(f"{core}.")


def test_what_ansible_test_installs_is_pinned_alike():
    """The lock has all pins of ansible-test. ``make lock`` adds pins of a newer ansible-core."""
    files = [DATA / "ansible-test.txt", *DATA.glob("sanity.*.txt")]
    assert len(files) > 5
    assert pins(*files).items() <= pins(ROOT / "tools/sanity.lock").items()


@pytest.mark.parametrize("path", ["tools/venv", "tools/sanity"])
def test_nothing_is_installed_without_its_hash(path):
    text = (ROOT / path).read_text(encoding="utf-8").replace("\\\n", " ")
    calls = re.findall(r"^.*bin/pip (?:install|download) .*$", text, re.MULTILINE)
    assert calls
    for call in calls:
        assert "--require-hashes" in call
        assert "--only-binary :all:" in call


def test_ansible_test_finds_nothing_but_what_was_fetched():
    text = (ROOT / "tools/sanity").read_text(encoding="utf-8")
    assert "no-index = true" in text
