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

from .._errors import ModelError, SyntaxFault, TunnelwrightError, sentence
from .._model.child import ChildSa
from .._model.connection import IkeConnection
from .._model.network import VpnNetwork
from .._model.rule import VpnRule
from .._model.secret import MASK, Secret
from .._model.settings import IpsecSettings
from .network_interface import INTERFACES, interfaces_of, record_text
from .strongswan.section import Section, Value, secret_bytes, secret_text, split_list
from .strongswan.strict import parse
from .strongswan.writer import render

MANAGED = "# Managed by the Ansible collection tunnelwright.ipsec: its next run replaces this file."
_RECORD = "# record "
_OFF = "#off "
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
    """The network, its rules, and between them the options of its settings.

    The conf texts of the settings lie in files of their own.
    """
    try:
        record = json.loads(text)
        rules = tuple(VpnRule.from_record(item) for item in record.get("vpn_rules", ()))
        return VpnNetwork.from_record(record["vpn_network"]), record["ipsec_settings"], rules
    except (ValueError, KeyError, TypeError, AttributeError, ModelError) as error:
        raise RecordFault(path, reason(error)) from None


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
        head, body = _parted(text)
        options = json.loads(_record_line(head))
        children = options.pop("children")
        options["psk"] = _psk(body)
        connection = IkeConnection.from_record(options)
        return connection.with_children(
            ChildSa.from_record(item, connection.versions) for item in children
        )
    except (ValueError, KeyError, TypeError, AttributeError, TunnelwrightError) as error:
        raise RecordFault(path, reason(error)) from None


def conf_text(text: str, *, loaded: bool = True) -> str:
    """A conf text of ``configuration_mode: advanced`` as it is installed."""
    text = text if text.endswith("\n") else f"{text}\n"
    return f"{MANAGED}\n{text if loaded else _switched_off(text)}"


def read_conf(text: str) -> str:
    """The inverse of ``conf_text``, but for a newline added at the end."""
    return _switched_on(text[len(MANAGED) + 1 :] if text.startswith(MANAGED) else text)


def secrets_section(name: str, owners: t.Sequence[str], secret: Secret) -> Section:
    """``secrets`` of a connection; base64, so that no byte of it means anything to the parser."""
    section = {f"id-{index}": owner for index, owner in enumerate(owners, 1)}
    section["secret"] = secret_text(secret.reveal())
    return {secret_id(name): section}


def owners_in(text: str) -> dict[str, tuple[str, ...]]:
    """The owners of each secret in the file of a phase 1, by its name."""
    secrets = _secrets(_parted(text)[1])
    return {
        name: tuple(str(value) for key, value in section.items() if key.startswith("id"))
        for name, section in secrets.items()
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


def secret_id(name: str) -> str:
    """The name of a connection's secret, in the file and over vici alike."""
    return f"ike-{name}"


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


def _secrets(body: str) -> Section:
    # As we write it, in a line of its own, there is no need to parse what stands before.
    text = _switched_on(body)
    secrets = parse(text[text.find(_SECRETS) + 1 :]).get("secrets")
    return secrets if isinstance(secrets, t.Mapping) else {}


def _psk(body: str) -> Secret | None:
    for section in _secrets(body).values():
        if isinstance(section, t.Mapping) and isinstance(section.get("secret"), str):
            return Secret(secret_bytes(str(section["secret"])))
    return None


def reason(error: Exception) -> str:
    """Return why the content of a file is not readable."""
    if isinstance(error, KeyError):
        return f"the entry {error} is missing"
    # The fix of a ModelError is about options, and these are the contents of a file.
    return error.fault if isinstance(error, ModelError) else str(error)
