# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""A note in /run, as JSON: there whole or not at all, and gone with a reboot."""

from __future__ import annotations

import contextlib
import json
import os
import typing as t

from .files import regular


def read_note(path: str) -> t.Any:
    """What was noted. Raises OSError or ValueError where there is no note that can be read."""
    with open(regular(path), encoding="utf-8") as stream:
        return json.load(stream)


def write_note(path: str, note: object) -> None:
    """Replace the note in one step. Raises OSError."""
    temporary = f"{path}.new"
    # A pipe that was put there would be waited for.
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with open(os.open(temporary, flags, 0o600), "w", encoding="utf-8") as stream:
        json.dump(note, stream)
    os.replace(temporary, path)
