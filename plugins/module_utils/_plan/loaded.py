# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Whether charon has loaded what we mean it to: the part of a connection that list-conns shows.

list-conns leaves out proposals, most lifetimes and start actions, so equality here is necessary,
not sufficient; our own file tells the rest. A conf text may be written in ways that list-conns does
not repeat; what it would show otherwise stays open.
"""

from __future__ import annotations

import functools
import ipaddress
import re
import typing as t

from .._model.identity import Identity
from .._render.pem import certificate
from .._render.settings_file import Section, Value

_VERSIONS = {"0": "IKEv1/2", "1": "IKEv1", "2": "IKEv2"}
# An action as it may be written, and as list-conns shows it.
_CHILD_ACTIONS = {
    "clear": "none",
    "none": "none",
    "trap": "trap",
    "route": "trap",
    "restart": "start",
    "start": "start",
}

_TIME = re.compile(r"(0|[1-9][0-9]*)([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}

View = t.Mapping[str, t.Any]


def expected_view(section: Section) -> View:
    """The visible part of a connection as it was rendered."""
    children = t.cast(t.Mapping[str, Section], section.get("children", {}))
    return {
        "version": _VERSIONS.get(str(section.get("version", "0"))),
        "local_addrs": _list(section.get("local_addrs", ("%any",))),
        "remote_addrs": _list(section.get("remote_addrs", ("%any",))),
        "rekey_time": _seconds(section, "rekey_time"),
        "dpd_delay": _seconds(section, "dpd_delay"),
        "dpd_timeout": _seconds(section, "dpd_timeout"),
        "local_id": _simple_identity(_end(section, "local")),
        "remote_id": _simple_identity(_end(section, "remote")),
        "certs": _subjects(section, "local", "certs"),
        "cacerts": _subjects(section, "remote", "cacerts"),
        "children": {name: _expected_child(child) for name, child in children.items()},
    }


def actual_view(conn: View, expected: View) -> View:
    """The same part of what list-conns says; what ``expected`` leaves open stays open here."""
    seen = {
        "version": conn.get("version"),
        "local_addrs": _list(conn.get("local_addrs", ())),
        "remote_addrs": _list(conn.get("remote_addrs", ())),
        "rekey_time": str(conn.get("rekey_time", "0")),
        "dpd_delay": str(conn.get("dpd_delay", "0")),
        "dpd_timeout": str(conn.get("dpd_timeout", "0")),
        "local_id": Identity.parse(conn.get("local-1", {}).get("id", "")).exact,
        "remote_id": Identity.parse(conn.get("remote-1", {}).get("id", "")).exact,
        "certs": _list(conn.get("local-1", {}).get("certs", ())),
        "cacerts": _list(conn.get("remote-1", {}).get("cacerts", ())),
    }
    view = {key: value if expected[key] else expected[key] for key, value in seen.items()}
    view["children"] = {
        name: _actual_child(child, expected["children"].get(name, {}))
        for name, child in conn.get("children", {}).items()
    }
    return view


def is_loaded(section: Section, conn: View | None) -> bool:
    """Whether the daemon has a connection, and it looks as it should."""
    if conn is None:
        return False
    expected = expected_view(section)
    return actual_view(conn, expected) == expected


def _expected_child(child: Section) -> View:
    mode = str(child.get("mode", "tunnel")).upper()
    # A shunt's dpd and lifetimes mean nothing.
    shunt = mode in ("PASS", "DROP")
    return {
        "mode": mode,
        "local-ts": _networks(child.get("local_ts", ("dynamic",))),
        "remote-ts": _networks(child.get("remote_ts", ("dynamic",))),
        "rekey_time": "" if shunt else _seconds(child, "rekey_time"),
        "dpd_action": "" if shunt else _CHILD_ACTIONS.get(str(child.get("dpd_action", "")), ""),
    }


def _actual_child(child: View, expected: View) -> View:
    seen = {
        "mode": child.get("mode"),
        "local-ts": _list(child.get("local-ts", ())),
        "remote-ts": _list(child.get("remote-ts", ())),
        "rekey_time": str(child.get("rekey_time", "0")),
        "dpd_action": child.get("dpd_action", "none"),
    }
    return {key: value if expected.get(key, True) else expected[key] for key, value in seen.items()}


def _seconds(section: Section, key: str) -> str:
    """A time as list-conns shows it; empty where it is left out, or not a decimal number."""
    match = _TIME.fullmatch(str(section.get(key, "")))
    return str(int(match[1]) * _SECONDS[match[2]]) if match else ""


def _networks(value: Value) -> tuple[str, ...]:
    """Traffic selectors as list-conns shows them; none if one is more than a plain network."""
    items = _list(value)
    return items if all(map(_is_plain, items)) else ()


@functools.cache
def _is_plain(selector: str) -> bool:
    try:
        return selector == "dynamic" or str(ipaddress.ip_network(selector)) == selector
    except ValueError:
        return False


def _list(value: Value | t.Sequence[str]) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(str(item) for item in value)


def _end(section: Section, name: str) -> str:
    end = section.get(name, {})
    return str(end.get("id", "")) if isinstance(end, t.Mapping) else ""


def _subjects(section: Section, end: str, key: str) -> tuple[str, ...]:
    """The subjects of certificates as list-conns shows them; none if one may show otherwise."""
    pems = t.cast("t.Mapping[str, t.Sequence[object]]", section.get(end, {})).get(key, ())
    found = [certificate(pem) if isinstance(pem, bytes) else None for pem in pems]
    shown = [str(item.subject) if item and item.subject.shown_as_it_is else "" for item in found]
    return tuple(shown) if all(shown) else ()


def _simple_identity(text: str) -> str:
    """An identity as charon shows it; empty where it is not known how that is."""
    identity = Identity.parse(text)
    simple = identity.kind in ("address", "fqdn") and not identity.is_wildcard
    return identity.exact if simple else ""
