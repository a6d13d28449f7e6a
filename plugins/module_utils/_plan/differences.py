# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Before and after of one thing, fit to be shown: every secret masked."""

from __future__ import annotations

from .._model.secret import MASK
from .._render.artefacts import PRIVATE, File
from .._render.records import masked
from .plan import Difference


def file_difference(before: File | None, after: File | None) -> Difference:
    """A file that comes, changes or goes. A secret that changes shows as masked on both sides."""
    path = (after or before or File("", b"")).path
    texts = [_shown(before), _shown(after)]
    if before and after and texts[0] == texts[1]:
        texts = [f"{texts[0]}{_hidden(before)}", f"{texts[1]}{_hidden(after, 'another ')}"]
    return Difference(path, *texts)


def state_difference(header: str, before: str, after: str) -> Difference:
    """Something live, in a word or two each."""
    return Difference(header, f"{before}\n", f"{after}\n")


def _shown(file: File | None) -> str:
    if file is None:
        return ""
    text = file.data.decode("utf-8", "replace")
    if file.mode != PRIVATE:
        return text
    if file.path.endswith(".conf"):
        return masked(text)
    return f"{MASK}\n"


def _hidden(file: File, other: str = "") -> str:
    """What tells two files apart that look the same: their modes, or what is masked in them."""
    return f"(mode {file.mode:04o}, {other}hidden content)\n"
