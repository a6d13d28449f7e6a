# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The files that are the only state: models to text, and back.

A phase 1 file is swanctl.conf text under a comment that holds the options it was made from, so that
charon and the next run of a module read the same file. The PSK stands in the ``secrets`` section
alone. A phase 1 that is not to be loaded is the same text commented out, which keeps
``swanctl --load-all`` from loading it.
"""

from __future__ import annotations

import json
import re
import typing as t

from .._errors import ModelError, SyntaxFault, TunnelwrightError
from .._model.child import ChildSa
from .._model.connection import IkeConnection
from .._model.network import VpnNetwork
from .._model.rule import VpnRule
from .._model.secret import MASK, Secret
from .._model.settings import IpsecSettings
from .shared_secrets import owners_of
from .strongswan.section import Section, Value, secret_bytes, split_list
from .strongswan.strict import parse
from .strongswan.writer import render

MANAGED = "# Managed by the Ansible collection tunnelwright.ipsec: its next run replaces this file."
_RECORD = "# record "
_OFF = "#off "
# The line with which we begin the section.
_SECRETS = "\nsecrets {\n"
_COPIES = re.compile(rf"^(?:{_OFF})? +(certs|cacerts) = (.+)$", re.MULTILINE)
# The comments that we begin a file with.
_HEAD = re.compile(f"(?:{re.escape(MANAGED)}\n|{_RECORD}.*\n)*")

# Keys of strongswan.conf(5) whose values are not to be shown; the URI of a database holds a
# password too. In the section `secrets` of swanctl.conf(5), only identities and file names are to.
_HIDDEN = re.compile(r"secret|password|passphrase|preshared|^psk|^pin\b|database")
_OF_SECRETS = ("secret", "id", "file", "handle", "slot", "module", "pin")


class RecordFault(TunnelwrightError):
    """A file of ours can't be read any more: the operator must restore or remove it."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(path, why)
        self.path = path
        self.why = why

    def __str__(self) -> str:
        return f"{self.path}: {self.why}; restore the file, or remove it and run the module again"


def network_record(
    network: VpnNetwork, settings: IpsecSettings, rules: t.Sequence[VpnRule] = ()
) -> str:
    """JSON of a network, its settings and its rules; read back by ``read_network``."""
    record: dict[str, t.Any] = {
        "vpn_network": network.to_options(),
        "ipsec_settings": settings.to_options(),
    }
    if rules:
        record["vpn_rules"] = [rule.to_options() for rule in rules]
    return json.dumps(record, indent=2, sort_keys=True) + "\n"


def read_network(
    path: str, text: str
) -> tuple[VpnNetwork, t.Mapping[str, t.Any], tuple[VpnRule, ...]]:
    """The network, its rules, and between them the options of its settings.

    The conf texts of the settings lie in files of their own.
    """
    try:
        record = json.loads(text)
        rules = tuple(VpnRule.from_record(item) for item in record.get("vpn_rules", ()))
        return VpnNetwork.from_record(record["vpn_network"]), record["ipsec_settings"], rules
    except (ValueError, KeyError, TypeError, AttributeError, ModelError) as error:
        raise RecordFault(path, _why(error)) from None


def connection_text(connection: IkeConnection, body: Section, *, loaded: bool) -> str:
    """The file of a phase 1. ``body`` holds the sections ``connections`` and ``secrets``."""
    options = connection.to_options()
    options["children"] = [child.to_options() for child in connection.children]
    record = json.dumps(options, sort_keys=True)
    text = render(body)
    return f"{MANAGED}\n{_RECORD}{record}\n{text if loaded else _switched_off(text)}"


def read_connection(path: str, text: str) -> IkeConnection:
    """The inverse of ``connection_text``."""
    try:
        options = json.loads(_record_line(_parted(text)[0]))
        children = options.pop("children")
        options["psk"] = _psk(text)
        connection = IkeConnection.from_record(options)
        return connection.with_children(
            ChildSa.from_record(item, connection.versions) for item in children
        )
    except (ValueError, KeyError, TypeError, AttributeError, TunnelwrightError) as error:
        raise RecordFault(path, _why(error)) from None


def conf_text(text: str, *, loaded: bool = True) -> str:
    """A conf text of ``configuration_mode: advanced`` as it is installed."""
    text = text if text.endswith("\n") else f"{text}\n"
    return f"{MANAGED}\n{text if loaded else _switched_off(text)}"


def read_conf(text: str) -> str:
    """The inverse of ``conf_text``, but for a newline added at the end."""
    return _switched_on(text[len(MANAGED) + 1 :] if text.startswith(MANAGED) else text)


def owners_in(text: str) -> dict[str, tuple[str, ...]]:
    """Return the owners of each secret in the file of a phase 1, by its name.

    Raises SyntaxFault.
    """
    return {
        name: owners_of(section)
        for name, section in _secrets(text).items()
        if isinstance(section, t.Mapping)
    }


def copies_in(text: str) -> dict[str, tuple[str, ...]]:
    """The names of the certificates in the file of a phase 1, by option of the phase 1."""
    found = {match[1]: split_list(match[2]) for match in _COPIES.finditer(text)}
    return {
        option: found[key]
        for option, key in (("certificate", "certs"), ("ca", "cacerts"))
        if key in found
    }


def masked(text: str) -> str:
    """A file's text with every secret replaced; one that can't be parsed is hidden whole.

    Comments that are not ours are left out: they may hold secrets of former days.
    """
    head, body = _parted(text)
    on = _switched_on(body)
    try:
        shown = render(_mask(parse(on)))
    except (SyntaxFault, ValueError):
        return f"{head}{MASK}\n"
    return head + (shown if on == body else _switched_off(shown))


def _mask(section: Section, *, secrets: bool = False) -> Section:
    """``secrets``: the section is, or stands in, the one of that name."""
    return {
        key: _masked_value(key, value, secrets=secrets or key == "secrets")
        for key, value in section.items()
    }


def _masked_value(key: str, value: Value, *, secrets: bool) -> Value:
    if isinstance(value, t.Mapping):
        return _mask(value, secrets=secrets)
    if secrets and not key.startswith(_OF_SECRETS):
        # Perhaps a secret that slipped into the next line.
        raise ValueError("no key of the section secrets")
    # The value may hold what should have been the next line.
    hidden = _HIDDEN.search(f"{key} {value}".lower())
    return MASK if hidden or (secrets and not key.startswith(("id", "file"))) else value


def _parted(text: str) -> tuple[str, str]:
    """Our own comments and the rest."""
    head = t.cast("re.Match[str]", _HEAD.match(text)).group()
    return head, text[len(head) :]


def _switched_off(text: str) -> str:
    return re.sub(r"^(?!\Z)", _OFF, text, flags=re.MULTILINE)


def _switched_on(text: str) -> str:
    """The inverse of ``_switched_off``; a text that is not switched off stays as it is."""
    if not all(line.startswith(_OFF) for line in text.split("\n") if line):
        return text
    return re.sub(f"^{_OFF}", "", text, flags=re.MULTILINE)


def _record_line(head: str) -> str:
    for line in head.split("\n"):
        if line.startswith(_RECORD):
            return line[len(_RECORD) :]
    raise ValueError("the line '# record' is missing")


def _secrets(text: str) -> Section:
    """Return the section ``secrets`` of the file of a phase 1. Raises SyntaxFault.

    All else is in the record. A file that was damaged before its secrets is read nevertheless.
    """
    head, body = _parted(text)
    whole = head + _switched_on(body)
    try:
        sections = parse(whole)
    except SyntaxFault:
        start = whole.find(_SECRETS) + 1
        # The lines keep their numbers.
        sections = parse("\n" * whole.count("\n", 0, start) + whole[start:])
    secrets = sections.get("secrets")
    return secrets if isinstance(secrets, t.Mapping) else {}


def _psk(text: str) -> Secret | None:
    for section in _secrets(text).values():
        if isinstance(section, t.Mapping) and isinstance(section.get("secret"), str):
            return Secret(secret_bytes(str(section["secret"])))
    return None


def _why(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"the entry {error} is missing"
    return str(error)
