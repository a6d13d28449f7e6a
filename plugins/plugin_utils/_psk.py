# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Pre-shared keys that are made once for each pair of gateways, and stored on the controller."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
import string
import tempfile
import typing as t

from ..module_utils._errors import HostError, ModelError

LENGTH = 43
_ALPHABET = string.ascii_letters + string.digits
# strongSwan reads 0x and 0s at the beginning of a secret as the prefix of an encoding.
_FIRST = _ALPHABET.replace("0", "")
_KEY = re.compile(rf"[{_FIRST}][{_ALPHABET}]{{{LENGTH - 1}}}")

# Two names with "+" and ".psk" fit into the name of a file.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,99}")
_NAME_FORM = (
    "Use 1 to 100 characters of A-Z, a-z, 0-9, '_', '.', ':', '@' and '-', of which the first is a "
    "letter, a digit or '_'."
)
_FORM = "Write the names of two gateways in one text, such as 'gw-a gw-b'."
_SHOWN = 100

_ENCRYPTED = b"$ANSIBLE_VAULT;"
# In bytes. Far more than a key has, encrypted or not.
_MOST = 65536
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)

Pair = tuple[str, str]


def pair_of(term: object) -> Pair:
    """Return the two names in alphabetical order, or raise ModelError."""
    names = term.split() if isinstance(term, str) else []
    if len(names) != 2:
        raise ModelError("term", _shown(term), "does not name two gateways", _FORM)
    for name in names:
        if not _NAME.fullmatch(name):
            raise ModelError("term", _shown(name), "is not a valid name", _NAME_FORM)
    one, other = sorted(map(str, names))
    if one == other:
        raise ModelError("term", _shown(term), "names one gateway twice", _FORM)
    return one, other


def _shown(value: object) -> object:
    return value[:_SHOWN] if isinstance(value, str) else type(value).__name__


def directory_of(directory: object, sources: t.Iterable[object]) -> str:
    """Return the absolute path of ``directory``, which is relative to the inventory.

    ``sources`` are the sources of the inventory. Raises ModelError if they are not in one
    directory, or if Ansible would read the keys as a part of the inventory.
    """
    if not isinstance(directory, str) or not directory.strip():
        fix = "Give the path of a directory on the controller."
        raise ModelError("directory", _shown(directory), "is not a path", fix)
    paths = [os.path.abspath(str(item)) for item in sources if "," not in str(item)]
    path = os.path.expanduser(directory)
    if not os.path.isabs(path):
        homes = {item if os.path.isdir(item) else os.path.dirname(item) for item in paths}
        if len(homes) != 1:
            found = ", ".join(sorted(homes)) or "none"
            problem = (
                "is relative to the directory of the inventory, and this run does not have exactly "
                f"one such directory ({found})"
            )
            fix = "Give an absolute path, as directory or in the variable gateway_psk_directory."
            raise ModelError("directory", _shown(directory), problem, fix)
        path = os.path.join(*homes, path)
    path = os.path.normpath(path)
    for item in filter(os.path.isdir, paths):
        inside = os.path.relpath(path, item).split(os.sep)
        # Ansible ignores names that begin with a point. ".." is outside of the inventory.
        if not any(part.startswith(".") and part != "." for part in inside):
            problem = f"is inside the inventory {item}: Ansible would read the keys as host names"
            fix = "Use a directory whose name begins with '.', or a directory elsewhere."
            raise ModelError("directory", _shown(directory), problem, fix)
    return path


def kept_key(
    directory: str, pair: Pair, decrypt: t.Callable[[str], str], scratch: str | None = None
) -> str:
    """Return the key of two gateways, and make it if it does not exist. Raises HostError.

    With ``scratch`` a missing key is made in this directory instead of ``directory``.
    ``decrypt`` returns the text of a file that ansible-vault has encrypted.
    """
    path = os.path.join(directory, file_name(pair))
    _check_directory(directory, path)
    if scratch is not None and not os.path.lexists(path):
        path = os.path.join(scratch, file_name(pair))
    if not os.path.lexists(path):
        _make(path)
    text = _content(path, decrypt).strip()
    if not _KEY.fullmatch(text):
        raise _fault(path, f"it does not hold a key of {LENGTH} letters and digits", _RESTORE)
    return text


_RESTORE = (
    "Restore the file from a backup. Or move it away: the next run makes a new key, which both "
    "gateways need."
)


def file_name(pair: Pair) -> str:
    """Return ``<name>+<name>.psk``."""
    return f"{'+'.join(pair)}.psk"


def new_key() -> str:
    """Return a random key of 43 letters and digits."""
    first = secrets.choice(_FIRST)
    return first + "".join(secrets.choice(_ALPHABET) for _index in range(LENGTH - 1))


def _check_directory(directory: str, path: str) -> None:
    """Raise HostError if other users may write to the directory, because they could set the key."""
    try:
        mode = os.stat(directory).st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise _fault(path, f"{directory} cannot be read: {error.strerror}") from None
    if stat.S_ISDIR(mode) and mode & _OTHERS_WRITE:
        why = f"other users may write to {directory}"
        raise _fault(path, why, f"Run `chmod 700 {directory}`.")


def _make(path: str) -> None:
    """Create the file with a new key in one step. An existing file is kept."""
    directory = os.path.dirname(path)
    new = ""
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(directory, 0o700)
        descriptor, new = tempfile.mkstemp(prefix=".new-", dir=directory)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{new_key()}\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(new, path)
        _sync(directory)
    except OSError as error:
        raise _fault(path, f"the file cannot be created: {error.strerror}") from None
    finally:
        if new:
            os.unlink(new)


def _sync(directory: str) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _content(path: str, decrypt: t.Callable[[str], str]) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | _NONBLOCK)
    except OSError as error:
        if os.path.islink(path):
            raise _fault(path, "it is a symbolic link", _LINK) from None
        raise _fault(path, f"the file cannot be read: {error.strerror}") from None
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise _fault(path, "it is not a regular file")
        data = os.read(descriptor, _MOST)
    finally:
        os.close(descriptor)
    if data.startswith(_ENCRYPTED):
        return decrypt(path)
    if mode & _OTHERS:
        why = f"other users may read or write the file (mode {mode & 0o777:04o})"
        raise _fault(path, why, f"Run `chmod 600 {path}`.")
    return data.decode("ascii", "replace")


_LINK = "Put the file itself there, or give the directory that holds it."


def _fault(path: str, why: str, advice: str = "") -> HostError:
    return HostError(f"use the pre-shared key {path}", why, advice)
