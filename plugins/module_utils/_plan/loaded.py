# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Compare a configured connection with the connection that charon shows in list-conns.

list-conns leaves out most lifetimes and start actions, and before strongSwan 6.0.7 the proposals.
Equality here is necessary, but not sufficient: the file has the rest. A conf text may be written in
a form that list-conns does not repeat. Such a value is not compared.
"""

from __future__ import annotations

import re
import typing as t

from .._model.identity import Identity
from .._render.options.table import YES
from .._render.pem import certificate
from .._render.strongswan.section import Section
from .children import children, is_shunt, mode, selector_texts, texts
from .loaded_proposals import Texts, configured, configured_child, shown, shown_child
from .selectors import DYNAMIC, canonical

_VERSIONS = {"0": "IKEv1/2", "1": "IKEv1", "2": "IKEv2"}
# The default version depends on the release: any before strongSwan 6.1, and IKEv2 since then.
_DEFAULT, _DEFAULTS = "default", ("IKEv1/2", "IKEv2")
# DPD actions as written, and as list-conns shows them.
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
    """Return the part of a rendered connection that list-conns shows."""
    return {
        "version": _VERSIONS.get(str(section["version"])) if "version" in section else _DEFAULT,
        "proposals": configured(section),
        "local_addrs": texts(section.get("local_addrs", ("%any",))),
        "remote_addrs": texts(section.get("remote_addrs", ("%any",))),
        "rekey_time": _seconds(section, "rekey_time"),
        "dpd_delay": _seconds(section, "dpd_delay"),
        "dpd_timeout": _seconds(section, "dpd_timeout"),
        "local_id": _simple_identity(_end(section, "local")),
        "remote_id": _simple_identity(_end(section, "remote")),
        "ppk": _ppk(section),
        "certs": _subjects(section, "local", "certs"),
        "cacerts": _subjects(section, "remote", "cacerts"),
        "children": {name: _expected_child(child) for name, child in children(section).items()},
    }


def actual_view(conn: View, expected: View) -> View:
    """Return the same part of an entry of list-conns, without values that ``expected`` lacks."""
    version = conn.get("version")
    open_version = expected["version"] == _DEFAULT and version in _DEFAULTS
    seen = {
        "version": _DEFAULT if open_version else version,
        "proposals": _known(shown(conn), expected),
        "local_addrs": texts(conn.get("local_addrs", ())),
        "remote_addrs": texts(conn.get("remote_addrs", ())),
        "rekey_time": str(conn.get("rekey_time", "0")),
        "dpd_delay": str(conn.get("dpd_delay", "0")),
        "dpd_timeout": str(conn.get("dpd_timeout", "0")),
        "local_id": Identity.parse(conn.get("local-1", {}).get("id", "")).exact,
        "remote_id": Identity.parse(conn.get("remote-1", {}).get("id", "")).exact,
        "ppk": (str(conn.get("ppk_id", "")), str(conn.get("ppk_required", "no"))),
        "certs": texts(conn.get("local-1", {}).get("certs", ())),
        "cacerts": texts(conn.get("remote-1", {}).get("cacerts", ())),
    }
    view = {key: value if expected[key] else expected[key] for key, value in seen.items()}
    view["children"] = {
        name: _actual_child(child, expected["children"].get(name, {}))
        for name, child in conn.get("children", {}).items()
    }
    return view


def is_loaded(section: Section, conn: View | None) -> bool:
    """Return whether charon shows a connection with the configured values."""
    if conn is None:
        return False
    expected = expected_view(section)
    return actual_view(conn, expected) == expected


def other_values(section: Section, conn: View) -> tuple[str, str]:
    """Return the values that differ, as charon shows them and as configured.

    Each text is ``dpd_delay 10; net mode TRANSPORT``.
    """
    expected = expected_view(section)
    sides = (actual_view(conn, expected), expected)
    actual, wanted = (dict(_values(side)) for side in sides)
    paths = [path for path in {**wanted, **actual} if actual.get(path) != wanted.get(path)]
    return _text(paths, actual), _text(paths, wanted)


def _values(view: View) -> t.Iterator[tuple[str, t.Any]]:
    yield from ((key, value) for key, value in view.items() if key != "children")
    for name, child in view["children"].items():
        yield from ((f"{name} {key}", value) for key, value in child.items())


def _text(paths: t.Iterable[str], values: View) -> str:
    found = ((path, values.get(path) or "none") for path in paths)
    return "; ".join(
        f"{path} {value if isinstance(value, str) else ', '.join(value)}" for path, value in found
    )


def _expected_child(child: Section) -> View:
    # The DPD options and the lifetimes of a shunt have no meaning.
    shunt = is_shunt(child)
    return {
        "mode": mode(child).upper(),
        "proposals": configured_child(child),
        "local-ts": canonical(selector_texts(child, "local", (DYNAMIC,))),
        "remote-ts": canonical(selector_texts(child, "remote", (DYNAMIC,))),
        "rekey_time": "" if shunt else _seconds(child, "rekey_time"),
        "dpd_action": "" if shunt else _CHILD_ACTIONS.get(str(child.get("dpd_action", "")), ""),
    }


def _actual_child(child: View, expected: View) -> View:
    seen = {
        "mode": child.get("mode"),
        "proposals": _known(shown_child(child), expected),
        "local-ts": texts(child.get("local-ts", ())),
        "remote-ts": texts(child.get("remote-ts", ())),
        "rekey_time": str(child.get("rekey_time", "0")),
        "dpd_action": child.get("dpd_action", "none"),
    }
    return {key: value if expected.get(key, True) else expected[key] for key, value in seen.items()}


def _known(proposals: Texts | None, expected: View) -> Texts:
    """Return the proposals, or the expected proposals if charon does not show its own."""
    if proposals is None:
        return t.cast("Texts", expected.get("proposals", ()))
    return proposals


def _seconds(section: Section, key: str) -> str:
    """Return a time in seconds as list-conns shows it, or an empty text when it is not known."""
    match = _TIME.fullmatch(str(section.get(key, "")))
    return str(int(match[1]) * _SECONDS[match[2]]) if match else ""


def _ppk(section: Section) -> tuple[str, str] | None:
    """Return the identity of the PPK and whether it is required; None when not known."""
    text = str(section.get("ppk_id", ""))
    shown = _simple_identity(text)
    if text and not shown:
        return None
    required = str(section.get("ppk_required", "no")).lower() in YES
    return shown, "yes" if required else "no"


def _end(section: Section, name: str) -> str:
    end = section.get(name, {})
    return str(end.get("id", "")) if isinstance(end, t.Mapping) else ""


def _subjects(section: Section, end: str, key: str) -> tuple[str, ...]:
    """Return the subjects of certificates as list-conns shows them; none when one is not known."""
    pems = t.cast("t.Mapping[str, t.Sequence[object]]", section.get(end, {})).get(key, ())
    certificates = (certificate(pem) if isinstance(pem, bytes) else None for pem in pems)
    shown = [
        str(item.subject) if item and item.subject.shown_as_it_is else "" for item in certificates
    ]
    return tuple(shown) if all(shown) else ()


def _simple_identity(text: str) -> str:
    """Return an identity as charon shows it, or an empty text when that is not known."""
    identity = Identity.parse(text)
    simple = identity.kind in ("address", "fqdn") and not identity.is_wildcard
    return identity.exact if simple else ""
