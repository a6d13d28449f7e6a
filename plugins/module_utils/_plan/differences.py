# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Before and after of one thing, fit to be shown: every secret masked."""

from __future__ import annotations

import typing as t

from .._model.platform import Platform
from .._model.secret import MASK
from .._render.file import PRIVATE, Directory, File
from .._render.pem_blocks import shown
from .._render.records import masked
from .plan import Difference

# What was found, and what is wanted, in words, each with what it is about.
_Words = t.Sequence[tuple[str, str, str]]


def file_difference(before: File | None, after: File | None, platform: Platform) -> Difference:
    """A file that comes, changes or goes. A secret that changes shows as masked on both sides.

    Where owner or mode alone differ, nothing else is shown.
    """
    path = (after or before or File("", b"")).path
    now, then = _shown(before, platform), _shown(after, platform)
    if before and after:
        words = _attributes(before, after)
        found, wanted = _instead(words), _wanted(words)
        if words and before.data == after.data:
            return Difference(path, f"{found}\n", f"{wanted}\n")
        if now == then:
            found = found or f"mode {before.mode:04o}"
            wanted = f"{wanted or f'mode {after.mode:04o}'}, another hidden content"
        if found:
            now, then = f"{now}({found})\n", f"{then}({wanted})\n"
    return Difference(path, now, then)


def directory_difference(before: Directory, after: Directory) -> Difference:
    """A directory that gets its owner and its mode."""
    words = _access(before, after)
    return Difference(before.path, f"{_instead(words)}\n", f"{_wanted(words)}\n")


def access_in_words(found: File, wanted: File) -> str:
    """``mode 0644 instead of 0600, owner 1000:1000 instead of 0:0``; empty where both are right."""
    return _instead(_attributes(found, wanted))


def state_difference(header: str, before: str, after: str) -> Difference:
    """Something live, in a word or two each."""
    return Difference(header, f"{before}\n", f"{after}\n")


def _attributes(found: File, wanted: File) -> _Words:
    links = ("", _link(found), _link(wanted))
    return [*_access(found, wanted), *([links] if found.link != wanted.link else [])]


def _access(found: File | Directory, wanted: File | Directory) -> _Words:
    modes = ("mode ", f"{found.mode:04o}", f"{wanted.mode:04o}")
    owners = ("owner ", "{}:{}".format(*found.owner), "{}:{}".format(*wanted.owner))
    return [words for words in (modes, owners) if words[1] != words[2]]


def _link(file: File) -> str:
    target = file.link if file.link.isprintable() else repr(file.link)
    return f"a symbolic link to {target}" if file.link else "a file"


def _instead(words: _Words) -> str:
    return ", ".join(f"{what}{found} instead of {wanted}" for what, found, wanted in words)


def _wanted(words: _Words) -> str:
    return ", ".join(f"{what}{wanted}" for what, _found, wanted in words)


def _shown(file: File | None, platform: Platform) -> str:
    if file is None:
        return ""
    text = file.data.decode("utf-8", "replace")
    # By its path in the first place: a file that was found may have any mode.
    if file.path.endswith(".conf"):
        return shown(masked(text))
    if file.mode == PRIVATE or file.directory == platform.key_dir:
        return f"{MASK}\n"
    return shown(text, certificates_only=file.directory in platform.read_whole)
