# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The texts of files of strongSwan with every secret masked."""

from __future__ import annotations

import re
import typing as t

from .._errors import SyntaxFault
from .._model.secret import MASK
from .records import split_head, switched_off, switched_on
from .strongswan.section import Section, Value
from .strongswan.strict import parse
from .strongswan.writer import render

# Keys of strongswan.conf(5) whose values are masked. The URI of a database holds a password too. In
# the section `secrets` of swanctl.conf(5), only identities and file names are shown.
_HIDDEN = re.compile(r"secret|password|passphrase|preshared|^psk|^pin\b|database")
_OF_SECRETS = ("secret", "id", "file", "handle", "slot", "module", "pin")


def masked(text: str) -> str:
    """Return a file's text with every secret masked. A text that can't be parsed is masked whole.

    Comments of another administrator are left out, because they may hold earlier secrets.
    """
    head, body = split_head(text)
    on = switched_on(body)
    try:
        shown = render(_mask(parse(on)))
    except (SyntaxFault, ValueError):
        return f"{head}{MASK}\n"
    return head + (shown if on == body else switched_off(shown))


def _mask(section: Section, *, secrets: bool = False) -> Section:
    """Return a section with every secret masked. ``secrets``: it is in the section `secrets`."""
    return {
        key: _masked_value(key, value, secrets=secrets or key == "secrets")
        for key, value in section.items()
    }


def _masked_value(key: str, value: Value, *, secrets: bool) -> Value:
    if isinstance(value, t.Mapping):
        return _mask(value, secrets=secrets)
    if secrets and not key.startswith(_OF_SECRETS):
        # The key may be a secret that was written into the next line.
        raise ValueError("no key of the section secrets")
    # The value may hold the next line, where its end was forgotten.
    hidden = _HIDDEN.search(f"{key} {value}".lower())
    return MASK if hidden or (secrets and not key.startswith(("id", "file"))) else value
