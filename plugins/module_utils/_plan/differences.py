# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Before and after of one thing, fit to be shown: every secret masked."""

from __future__ import annotations

from .._model.secret import MASK
from .._render.artefacts import KEY_DIR, PRIVATE, READ_WHOLE, File
from .._render.pem_blocks import shown
from .._render.records import masked
from .plan import Difference


def file_difference(before: File | None, after: File | None) -> Difference:
    """A file that comes, changes or goes. A secret that changes shows as masked on both sides."""
    path = (after or before or File("", b"")).path
    now, then = _shown(before), _shown(after)
    if before and after and now == then:
        hidden = "" if before.data == after.data else ", another hidden content"
        now += f"(mode {before.mode:04o})\n"
        then += f"(mode {after.mode:04o}{hidden})\n"
    return Difference(path, now, then)


def state_difference(header: str, before: str, after: str) -> Difference:
    """Something live, in a word or two each."""
    return Difference(header, f"{before}\n", f"{after}\n")


def _shown(file: File | None) -> str:
    if file is None:
        return ""
    text = file.data.decode("utf-8", "replace")
    # By its path in the first place: a file that was found may have any mode.
    if file.path.endswith(".conf"):
        return shown(masked(text))
    directory = file.path.rpartition("/")[0]
    if file.mode == PRIVATE or directory == KEY_DIR:
        return f"{MASK}\n"
    return shown(text, certificates_only=directory in READ_WHOLE)
