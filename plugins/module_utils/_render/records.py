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
from .._model.connection import KEY_EXCHANGES, IkeConnection
from .._model.network import VpnNetwork
from .._model.secret import MASK, Secret
from .._model.settings import IpsecSettings
from .settings_file import Section, parse, render, secret_bytes, secret_text

MANAGED = "# Managed by the Ansible collection tunnelwright.ipsec: its next run replaces this file."
_RECORD = "# record "
_OFF = "#off "
_PSK = re.compile(r"^(\s*secret = ).*$", re.MULTILINE)


class RecordFault(TunnelwrightError):
    """A file of ours can't be read any more: the operator must restore or remove it."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(path, why)
        self.path = path
        self.why = why

    def __str__(self) -> str:
        return f"{self.path}: {self.why}; restore the file, or remove it and run the module again"


def network_record(network: VpnNetwork, settings: IpsecSettings) -> str:
    """JSON of a network and its settings; read back by ``read_network``."""
    record = {"vpn_network": network.to_options(), "ipsec_settings": settings.to_options()}
    return json.dumps(record, indent=2, sort_keys=True) + "\n"


def read_network(path: str, text: str) -> tuple[VpnNetwork, t.Mapping[str, t.Any]]:
    """The network and the options of its settings, whose conf texts lie in files of their own."""
    try:
        record = json.loads(text)
        return VpnNetwork.from_options(record["vpn_network"]), record["ipsec_settings"]
    except (ValueError, KeyError, TypeError, ModelError) as error:
        raise RecordFault(path, _why(error)) from None


def connection_text(connection: IkeConnection, body: Section, *, loaded: bool) -> str:
    """The file of a phase 1. ``body`` holds the sections ``connections`` and ``secrets``."""
    options = connection.to_options()
    options["children"] = [child.to_options() for child in connection.children]
    record = json.dumps(options, sort_keys=True)
    text = render(body)
    if not loaded:
        text = "".join(f"{_OFF}{line}" for line in text.splitlines(keepends=True))
    return f"{MANAGED}\n{_RECORD}{record}\n{text}"


def read_connection(path: str, text: str) -> IkeConnection:
    """The inverse of ``connection_text``."""
    try:
        options = json.loads(_record_line(text))
        children = options.pop("children")
        options["psk"] = _psk(text)
        connection = IkeConnection.from_options(options)
        for item in children:
            versions = KEY_EXCHANGES[connection.key_exchange]
            connection = connection.with_child(ChildSa.from_options(item, versions))
        return connection
    except (ValueError, KeyError, TypeError, AttributeError, TunnelwrightError) as error:
        raise RecordFault(path, _why(error)) from None


def conf_text(text: str) -> str:
    """A conf text of ``configuration_mode: advanced`` as it is installed."""
    return f"{MANAGED}\n{text}" + ("" if text.endswith("\n") else "\n")


def read_conf(text: str) -> str:
    """The inverse of ``conf_text``, but for a newline added at the end."""
    return text.split("\n", 1)[1] if text.startswith(MANAGED) else text


def secrets_section(name: str, owners: t.Sequence[str], secret: Secret) -> Section:
    """``secrets`` of a connection; base64, so that no byte of it means anything to the parser."""
    section = {f"id-{index}": owner for index, owner in enumerate(owners, 1)}
    section["secret"] = secret_text(secret.reveal())
    return {secret_id(name): section}


def secret_id(name: str) -> str:
    """The name of a connection's secret, in the file and over vici alike."""
    return f"ike-{name}"


def masked(text: str) -> str:
    """A file's text with every secret replaced; one that can't be parsed is hidden whole."""
    lines = text.splitlines(keepends=True)
    comments = [line for line in lines if line.startswith("#") and not line.startswith(_OFF)]
    off = any(line.startswith(_OFF) for line in lines)
    try:
        body = render(_mask(parse(_switched_on(text))))
    except (SyntaxFault, ValueError):
        return "".join(comments) + f"{MASK}\n"
    if off:
        body = "".join(f"{_OFF}{line}" for line in body.splitlines(keepends=True))
    return "".join(comments) + body


def _mask(section: Section) -> Section:
    # secret and secret-1 are PSKs and passwords, handle and pin those of tokens (swanctl.conf(5)).
    hidden = ("secret", "pin", "handle")
    return {
        key: MASK if key.startswith(hidden) and isinstance(value, str) else _masked_value(value)
        for key, value in section.items()
    }


def _masked_value(value: t.Any) -> t.Any:
    return _mask(value) if isinstance(value, t.Mapping) else value


def _switched_on(text: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(line[len(_OFF) :] if line.startswith(_OFF) else line for line in lines)


def _record_line(text: str) -> str:
    for line in text.splitlines():
        if line.startswith(_RECORD):
            return line[len(_RECORD) :]
    raise ValueError("the line '# record' is missing")


def _psk(text: str) -> Secret | None:
    secrets = parse(_switched_on(text)).get("secrets")
    if not isinstance(secrets, t.Mapping):
        return None
    for section in secrets.values():
        if isinstance(section, t.Mapping) and isinstance(section.get("secret"), str):
            return Secret(secret_bytes(str(section["secret"])))
    return None


def _why(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"the entry {error} is missing"
    return str(error)
