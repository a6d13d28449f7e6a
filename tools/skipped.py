# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images of moving releases that cannot be built today. The tests on them are skipped by name."""

from __future__ import annotations

import time
from pathlib import Path

from machine import say

# The next run after this time tries to build the image again.
RETRY_SECONDS = 3600


def note(cache: Path, image: str, reason: str) -> None:
    """Record that an image cannot be built, so that later commands of a run do not try again."""
    _file(cache, image).write_text(reason)


def first_error(output: str) -> str:
    """Return the first line of an error in the output of mmdebstrap, or else its last line."""
    lines = output.splitlines() or ["no output"]
    return next((line for line in lines if line.startswith("E: ")), lines[-1])


def forget(cache: Path, image: str) -> None:
    _file(cache, image).unlink(missing_ok=True)


def reason(cache: Path, image: str) -> str:
    """Return why an image was not built lately, or an empty text."""
    file = _file(cache, image)
    if not file.exists() or time.time() - file.stat().st_mtime > RETRY_SECONDS:
        return ""
    return file.read_text()


def warn(name: str, image: str, why: str) -> None:
    say(f"WARNING: SKIPPED: {name}: no image of {image}: {why}")


def _file(cache: Path, image: str) -> Path:
    return cache / f"{image}.skipped"
