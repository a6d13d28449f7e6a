# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""A note in /run, written atomically and removed by a reboot. Most notes are JSON."""

from __future__ import annotations

import contextlib
import json
import os
import typing as t

from .regular import regular


def read_note(path: str) -> t.Any:
    """Return the content of a note. Raises OSError or ValueError without a readable note."""
    with open(regular(path), encoding="utf-8") as stream:
        return json.load(stream)


def write_note(path: str, note: object) -> None:
    """Replace the note in one step. Raises OSError."""
    write_private(path, json.dumps(note).encode())


def write_private(path: str, data: bytes) -> None:
    """Replace a file that only root can read, in one step. Raises OSError."""
    temporary = _temporary(path)
    # Writing to a pipe in this place would wait without end.
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with open(os.open(temporary, flags, 0o600), "wb") as stream:
        stream.write(data)
    os.replace(temporary, path)


def clean_note(path: str) -> None:
    """Remove the incomplete note of a run that was interrupted while it wrote the note."""
    with contextlib.suppress(OSError):
        os.unlink(_temporary(path))


def _temporary(path: str) -> str:
    return f"{path}.new"
