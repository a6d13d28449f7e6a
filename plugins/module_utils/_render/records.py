# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The files that are the only state: models to text, and back.

A phase 1 file is swanctl.conf text under a comment that holds its options. charon and the next run
of a module therefore read the same file. Only the section ``secrets`` holds the keys. The text of a
disabled phase 1 is commented out, which keeps ``swanctl --load-all`` from loading it.
"""

from __future__ import annotations

import json
import re
import typing as t

from .._errors import ModelError, TunnelwrightError, sentence
from .._model.child import ChildSa
from .._model.connection import IkeConnection
from .._model.network import VpnNetwork
from .._model.options import defaults
from .._model.rule import VpnRule
from .._model.secret import Secret
from .._model.settings import IpsecSettings
from .network_interface import INTERFACES, interfaces_of, record_text
from .shared_secrets import owners_of, ppk_secret_id
from .strongswan.section import Section, secret_bytes, split_list
from .strongswan.strict import parse
from .strongswan.writer import render

MANAGED = "# Managed by the Ansible collection tunnelwright.ipsec: its next run replaces this file."
_RECORD = "# record "
_OFF = "#off "
# Options that the record names only with another value than the default. So the files of an earlier
# version stay as they are.
_LATER = ("ppk_id", "ppk_required")
_DEFAULTS = defaults(IkeConnection)
# The line with which we begin the section.
_SECRETS = "\nsecrets {\n"
_COPIES = re.compile(rf"^(?:{_OFF})? +(certs|cacerts) = (.+)$", re.MULTILINE)
# The comments at the beginning of our files.
_HEAD = re.compile(f"(?:{re.escape(MANAGED)}\n|{_RECORD}.*\n)*")


class RecordFault(TunnelwrightError):
    """A file of this collection is damaged: the user must restore or remove it."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(path, why)
        self.path = path
        self.why = why

    def __str__(self) -> str:
        fix = "Restore the file, or remove it and run the module again."
        return f"{self.path}: {sentence(self.why)} {fix}"


def network_record(
    network: VpnNetwork,
    settings: IpsecSettings,
    rules: t.Sequence[VpnRule] = (),
    forwarding: t.Sequence[int] = (),
) -> str:
    """Return JSON of a network, its settings and its rules; ``read_network`` reads it back.

    The record also names the interface that the network brings up, and the IP versions that the
    kernel forwards for it.
    """
    record: dict[str, t.Any] = {
        INTERFACES: [item.to_record() for item in interfaces_of(network)],
        "forwarding": list(forwarding) if network.started else [],
        "vpn_network": network.to_options(),
        "ipsec_settings": settings.to_options(),
    }
    if rules:
        record["vpn_rules"] = [rule.to_options() for rule in rules]
    return record_text(record)


def read_network(
    path: str, text: str
) -> tuple[VpnNetwork, t.Mapping[str, t.Any], tuple[VpnRule, ...]]:
    """Return the network, the options of its settings, and its rules. Raises RecordFault.

    The conf texts of the settings are in files of their own.
    """
    try:
        record = json.loads(text)
        rules = tuple(VpnRule.from_record(item) for item in record.get("vpn_rules", ()))
        return VpnNetwork.from_record(record["vpn_network"]), record["ipsec_settings"], rules
    except (ValueError, KeyError, TypeError, AttributeError, ModelError) as error:
        raise RecordFault(path, reason(error)) from None


def connection_text(connection: IkeConnection, body: Section, *, loaded: bool) -> str:
    """Return the file of a phase 1. ``body`` holds the sections ``connections`` and ``secrets``."""
    options = connection.to_options()
    for option in _LATER:
        if options[option] == _DEFAULTS[option]:
            del options[option]
    options["children"] = [child.to_options() for child in connection.children]
    record = json.dumps(options, sort_keys=True)
    text = render(body)
    return f"{MANAGED}\n{_RECORD}{record}\n{text if loaded else switched_off(text)}"


def read_connection(path: str, text: str) -> IkeConnection:
    """Return the phase 1 that ``connection_text`` wrote. Raises RecordFault."""
    try:
        options = json.loads(_record_line(split_head(text)[0]))
        children = options.pop("children")
        options.update(_keys(text, options["name"]))
        connection = IkeConnection.from_record(options)
        return connection.with_children(
            ChildSa.from_record(item, connection.versions) for item in children
        )
    except (ValueError, KeyError, TypeError, AttributeError, TunnelwrightError) as error:
        raise RecordFault(path, reason(error)) from None


def conf_text(text: str, *, loaded: bool = True) -> str:
    """Return a conf text of ``configuration_mode: advanced`` as it is installed."""
    text = text if text.endswith("\n") else f"{text}\n"
    return f"{MANAGED}\n{text if loaded else switched_off(text)}"


def read_conf(text: str) -> str:
    """Return the conf text that ``conf_text`` wrote, with a newline at the end."""
    return switched_on(text[len(MANAGED) + 1 :] if text.startswith(MANAGED) else text)


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
    """Return the names of certificates in the file of a phase 1, by option of the phase 1.

    A damaged file is searched too.
    """
    found = {match[1]: split_list(match[2]) for match in _COPIES.finditer(text)}
    return {
        option: found[key]
        for option, key in (("certificate", "certs"), ("ca", "cacerts"))
        if key in found
    }


def split_head(text: str) -> tuple[str, str]:
    """Return the comments of this collection, and the text behind them."""
    head = t.cast("re.Match[str]", _HEAD.match(text)).group()
    return head, text[len(head) :]


def switched_off(text: str) -> str:
    return re.sub(r"^(?!\Z)", _OFF, text, flags=re.MULTILINE)


def switched_on(text: str) -> str:
    """Return the text that ``switched_off`` made this of. Any other text stays as it is."""
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

    All else is in the record. Only the text from the secrets on is parsed, so that a file that was
    damaged before its secrets is read nevertheless.
    """
    head, body = split_head(text)
    whole = head + switched_on(body)
    start = whole.find(_SECRETS) + 1
    # The lines keep their numbers.
    sections = parse("\n" * whole.count("\n", 0, start) + whole[start:])
    secrets = sections.get("secrets")
    return secrets if isinstance(secrets, t.Mapping) else {}


def _keys(text: str, name: str) -> dict[str, Secret]:
    """Return the keys in the file of a phase 1, by their options."""
    return {
        "ppk" if key == ppk_secret_id(name) else "psk": Secret(secret_bytes(str(section["secret"])))
        for key, section in _secrets(text).items()
        if isinstance(section, t.Mapping) and isinstance(section.get("secret"), str)
    }


def reason(error: Exception) -> str:
    """Return why the content of a file is not readable."""
    if isinstance(error, KeyError):
        return f"the entry {error} is missing"
    # The fix of a ModelError is about options, and these are the contents of a file.
    return error.fault if isinstance(error, ModelError) else str(error)
