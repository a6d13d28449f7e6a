# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The rehearsal of an upgrade of one gateway, as data and as a table. Pure."""

from __future__ import annotations

import typing as t

from ..module_utils._errors import ModelError, alternatives
from ..module_utils._releases.judgement import CONTINUES
from ..module_utils._releases.releases import RELEASES
from ..module_utils._releases.upgrade import rehearse

Facts = t.Mapping[str, t.Any]
Made = dict[str, t.Any]

_WIDTH = 11
# The number of names in each row.
_MOST = 20


def upgrade_check(info: Facts, files: t.Mapping[str, str], target: str) -> Made:
    """Return the effects of an upgrade. Raises ModelError for an unknown release.

    ``info`` is the result of ipsec_info. ``files`` are the files of ipsec_diagnostics with the
    query ``configuration``.
    """
    if target not in RELEASES:
        fix = f"Use {alternatives([*RELEASES])}."
        raise ModelError("upgrade_target", target, "is not a known release", fix)
    found = rehearse(info, files, target)
    return {**found, "table": list(_rows(found))}


def _rows(found: Facts) -> t.Iterator[str]:
    """Yield a row for each effect and its connections, then for each finding about the host."""
    yield f"{_release(found['current'])} to {_release(found['target'])}"
    if not found["connections"] and not found["host"]:
        yield "nothing changes"
    for (effect, findings), names in _grouped(found["connections"]).items():
        yield f"{effect:<{_WIDTH}}{', '.join(_bounded(names))}"
        if effect != CONTINUES:
            yield from _finding_rows(findings, where=True)
    for item in found["host"]:
        yield f"{item['effect']:<{_WIDTH}}{item['where']}"
        yield from _finding_rows([item], where=False)


def _release(release: Facts | None) -> str:
    if release is None:
        return "unknown release"
    versions = f"strongSwan {release['strongswan']}, nftables {release['nftables']}"
    return f"{release['title']} ({versions})"


def _grouped(connections: t.Iterable[Facts]) -> dict[tuple[str, t.Any], list[str]]:
    """Return the names of connections, by effect and equal findings."""
    groups: dict[tuple[str, t.Any], list[str]] = {}
    for item in connections:
        findings = tuple(tuple(sorted(finding.items())) for finding in item["findings"])
        groups.setdefault((item["effect"], findings), []).append(_name(item))
    return groups


def _name(item: Facts) -> str:
    kind = item["kind"] if item["file"] is None else f"{item['kind']} connection"
    state = f" ({item['state']})" if item["state"] else ""
    return f"{kind} {item['name']}{state}"


def _finding_rows(findings: t.Iterable[t.Any], *, where: bool) -> t.Iterator[str]:
    space = " " * _WIDTH
    for item in map(dict, findings):
        place = f"{item['where']}: " if where else ""
        yield f"{space}{item['cause']}: {place}{item['reason']}"
        yield f"{space}{item['action']}"


def _bounded(names: list[str]) -> list[str]:
    more = len(names) - _MOST
    return [*names[:_MOST], f"and {more} more"] if more > 0 else names
