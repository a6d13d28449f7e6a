# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A search for secrets where no secret may be, in several encodings."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def forms(secret: str) -> list[bytes]:
    """Return the secret as it is, in hexadecimal, and in base64 at each of three offsets."""
    data = secret.encode()
    found = [data, data.hex().encode(), data.hex().upper().encode()]
    for before in range(3):
        encoded = base64.b64encode(b"?" * before + data).rstrip(b"=")
        # The first and the last character also depend on the bytes beside the secret.
        found.append(encoded[before + 1 if before else 0 : -1])
    return found


def shows(text: bytes, *secrets_: str) -> bool:
    return any(form in text for secret in secrets_ for form in forms(secret))


def telling(text: str, *secrets_: str) -> list[str]:
    """Return the lines that show a secret, shortened for the message of a failure."""
    return [line[:200] for line in text.splitlines() if shows(line.encode(), *secrets_)]


@contextmanager
def watched_processes(*secrets_: str) -> Iterator[set[str]]:
    """Collect the names of processes of this machine and its containers that show a secret.

    The watch reads arguments and environments many times a second.
    """
    seen: set[str] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    arguments = (process / "cmdline").read_bytes()
                    texts = arguments + (process / "environ").read_bytes()
                except OSError:
                    continue
                if shows(texts, *secrets_):
                    seen.add(arguments.split(b"\0")[0].decode())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()
