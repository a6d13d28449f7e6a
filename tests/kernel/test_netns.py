# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tests that ``tests/netns`` skips without ESP or VLANs, on the kernels of the gateways."""

from __future__ import annotations

import io
import re
import subprocess
import tarfile

import draw
import pytest
from ansible_collections.tunnelwright.ipsec.tests.kernel import fields
from ansible_collections.tunnelwright.ipsec.tests.kernel.machine import Machine
from ansible_collections.tunnelwright.ipsec.tests.live.host import COLLECTION, LIBRARY, ROOT, SITE

PYTEST = ("pytest", "_pytest", "py.py", "pluggy", "iniconfig", "packaging", "pygments")


def packed() -> bytes:
    """Return pytest and the tests as an archive, for a host that only has Python."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for package in PYTEST:
            tar.add(SITE / package, package, filter=_source)
        tar.add(ROOT / "tools/draw.py", "draw.py")
        tar.add(ROOT / "tests/netns", f"{COLLECTION}/tests/netns", filter=_source)
    return archive.getvalue()


def _source(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "__pycache__" in member.name else member


# Eight minutes for each end on an emulated processor are too long for each run. A sample of the
# field matrix, which has these rules on the same kernels, is enough there.
@pytest.mark.skipif(not fields.ALL, reason="runs only with FIELDS=all or PART")
@pytest.mark.parametrize("name", ["a", "b"])
def test_rules_on_a_kernel_that_has_esp(machines: dict[str, Machine], name: str) -> None:
    machine = machines[name]
    subprocess.run([*machine.reach, f"tar -x -C {LIBRARY}"], input=packed(), check=True)
    told = machine.sh(
        f"cd {LIBRARY}/{COLLECTION}; export PYTHONPATH={LIBRARY} SEED={draw.seed()}; "
        "python3 -m pytest -q -p no:cacheprovider --import-mode=importlib tests/netns "
        "-k 'test_esp or kernel or vlan' 2>&1 || true"
    )
    print(told)
    assert "failed" not in told
    assert "error" not in told.splitlines()[-1]
    passed = re.search(r"(\d+) passed", told)
    assert passed, told
    assert int(passed[1]) >= 14
