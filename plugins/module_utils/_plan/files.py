# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Plan files that must exist or must be removed, and show their differences with secrets masked."""

from __future__ import annotations

import typing as t

from .._model.platform import Platform
from .._model.secret import MASK
from .._render.file import PRIVATE, Directory, File
from .._render.masking import masked
from .._render.pem_blocks import shown
from .observed import Observed
from .plan import Difference, LateDifference, Plan
from .steps import RemoveFile, Step, WriteFile

# An attribute, its value as found, and its wanted value.
_Words = t.Sequence[tuple[str, str, str]]


def written(files: t.Iterable[File], observed: Observed) -> Plan:
    """Return the plan that writes the files that differ in content, mode, owner or kind."""
    pairs = [(observed.files.get(file.path), file) for file in files]
    pairs = [(found, file) for found, file in pairs if found != file]
    steps: tuple[Step, ...] = tuple(WriteFile(file, found) for found, file in pairs)
    return Plan(
        steps, tuple(file_difference(found, file, observed.platform) for found, file in pairs)
    )


def removed(files: t.Iterable[File], observed: Observed) -> Plan:
    """Return the plan that removes the files that exist, with any content."""
    present = [observed.files[file.path] for file in files if file.path in observed.files]
    return Plan(
        tuple(RemoveFile(file) for file in present),
        tuple(file_difference(file, None, observed.platform) for file in present),
    )


def file_difference(before: File | None, after: File | None, platform: Platform) -> Difference:
    """Return the difference of a file that is added, changed or removed, with secrets masked.

    Only owner and mode are shown when only these differ.
    """
    path = (after or before or File("", b"")).path
    return LateDifference(path, lambda: _texts(before, after, platform))


def _texts(before: File | None, after: File | None, platform: Platform) -> tuple[str, str]:
    """Return the texts of a difference before and after."""
    old, new = shown_file(before, platform), shown_file(after, platform)
    if before and after:
        words = _attributes(before, after)
        found, wanted = _instead(words), _wanted(words)
        if words and before.data == after.data:
            return f"{found}\n", f"{wanted}\n"
        if old == new:
            found = found or f"mode {before.mode:04o}"
            wanted = f"{wanted or f'mode {after.mode:04o}'}, different hidden content"
        if found:
            old, new = f"{old}({found})\n", f"{new}({wanted})\n"
    return old, new


def directory_difference(before: Directory, after: Directory) -> Difference:
    """Return the difference of a directory that gets another owner or mode."""
    words = _access(before, after)
    return Difference(before.path, f"{_instead(words)}\n", f"{_wanted(words)}\n")


def access_in_words(found: File, wanted: File) -> str:
    """Return ``mode 0644 instead of 0600, owner 1000:1000 instead of 0:0``, or an empty text."""
    return _instead(_attributes(found, wanted))


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


def shown_file(file: File | None, platform: Platform) -> str:
    """Return the text of a file with every secret masked, or an empty text for None."""
    if file is None:
        return ""
    text = file.data.decode("utf-8", "replace")
    # The path decides first, because a file on the host may have any mode.
    if file.path.endswith(".conf"):
        return shown(masked(text))
    if file.mode == PRIVATE or file.directory == platform.key_dir:
        return f"{MASK}\n"
    return shown(text, certificates_only=file.directory in platform.read_whole)
