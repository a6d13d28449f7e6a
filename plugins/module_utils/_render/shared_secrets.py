# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Pre-shared keys and other shared secrets, for the section ``secrets`` and for vici."""

from __future__ import annotations

from dataclasses import dataclass

from .._errors import ModelError
from .._model.secret import MASK, Secret
from .strongswan.section import Section, secret_bytes, secret_text

# swanctl reads the kind of a secret from the beginning of its name (load_creds.c).
_KINDS = ("ike", "eap", "xauth", "ntlm", "ppk")


@dataclass(frozen=True)
class SharedSecret:
    """A secret of the daemon. ``kind`` is in the words of ``load-shared``.

    ``owners`` are the identities that the secret is for.
    """

    id: str
    kind: str
    owners: tuple[str, ...]
    secret: Secret


def secret_id(name: str) -> str:
    """Return the name of a connection's secret, in the file and over vici alike."""
    return f"ike-{name}"


def ppk_secret_id(name: str) -> str:
    """Return the name of a connection's PPK, in the file and over vici alike."""
    return f"ppk-{name}"


def secret_section(shared: SharedSecret) -> Section:
    """Return the section of a secret within ``secrets``.

    The secret is in base64, so that no byte of it means anything to the parser.
    """
    section = {f"id-{index}": owner for index, owner in enumerate(shared.owners, 1)}
    section["secret"] = secret_text(shared.secret.reveal())
    return section


def owners_of(section: Section) -> tuple[str, ...]:
    """Return the identities that a secret is for."""
    return tuple(str(value) for key, value in section.items() if key.startswith("id"))


def shared_secret(name: str, section: Section) -> SharedSecret:
    """Return the secret that a section of a conf text holds. Raises ModelError."""
    path = f"secrets.{name}"
    kind = next((kind for kind in _KINDS if name.startswith(kind)), None)
    if kind is None:
        problem = "is not a kind of secret that this collection can load"
        fix = f"Begin the name of the secret with one of: {', '.join(_KINDS)}."
        raise ModelError("swanctl_conf", path, problem, fix)
    text = section.get("secret")
    try:
        data = secret_bytes(text) if isinstance(text, str) else b""
    except ValueError as error:
        problem = f"has an invalid secret in {path}: {error}"
        raise ModelError("swanctl_conf", MASK, problem, "Correct this secret.") from None
    if not data:
        raise ModelError("swanctl_conf", path, "has no secret", "Add a line secret = ... to it.")
    return SharedSecret(name, kind.upper(), owners_of(section), Secret(data))
