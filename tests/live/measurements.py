# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file with the measurements of ``make thousand``, from which docs/performance.md is made."""

from __future__ import annotations

import datetime
import json
import os
import platform
import re
import typing as t
from pathlib import Path

FILE = Path(__file__).resolve().parent / "performance.json"


def note(kind: str, values: t.Mapping[str, t.Any]) -> None:
    """Add values of one kind (``gateway``, ``packets``), and the machine and day."""
    known = json.loads(FILE.read_text()) if FILE.exists() else {}
    known[kind] = {**known.get(kind, {}), **values}
    known["machine"] = machine()
    FILE.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")


def machine() -> str:
    """Return the day and the machine: processors and kernel."""
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    name = model[1] if model else platform.machine()
    today = datetime.datetime.now(tz=datetime.UTC).date()
    kernel = ".".join(platform.release().split(".")[:2])
    return f"{today}, {os.cpu_count()} processors ({name}), Linux {kernel}"
