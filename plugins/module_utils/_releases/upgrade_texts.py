# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The effects of an upgrade on connections in texts of strongSwan. Pure.

The texts are conf texts of the settings, and files of other administrators. Secrets in them may be
masked.
"""

from __future__ import annotations

import fnmatch
import posixpath
import re
import typing as t
from dataclasses import dataclass

from .._model.platform import DEBIAN
from .._model.secret import MASK
from .._render.strongswan.reader import PlacedSection, ReadResult, read
from .judgement import CHANGES, DEPENDS, Facts, Upgrade, UpgradeFinding
from .proposal_words import of_words
from .releases import RELEASES
from .upgrade_phase1 import VersionWords, proposal_findings, version_findings

# The options of a phase 1 for the values of `version`.
_VERSIONS = {"0": "auto", "1": "ikev1", "2": "ikev2"}
WORDS = VersionWords("version", "1", "0", "2")
_NO_WORDS = VersionWords("version", "1", "not set", "2")
_DEFAULT = "default"
_INCLUDE = re.compile(r"[ \t]*include[ \t]")


@dataclass(frozen=True)
class TextConnection:
    """A connection of a text, with the file in which it begins."""

    name: str
    path: str
    findings: tuple[UpgradeFinding, ...]


def text_connections(
    upgrade: Upgrade, files: t.Mapping[str, str], phase1: t.Mapping[str, Facts]
) -> tuple[list[TextConnection], list[str]]:
    """Return the connections of texts, and the faults of files that strongSwan refuses.

    ``files`` are the texts by path. ``phase1`` are the known objects of the host, by name. A
    phase 1 of the collection is left out, except for the connections of conf texts.
    """
    reading = _read(files, DEBIAN.swanctl_conf)
    found = []
    root = reading.tree
    for name, section in _sections(root, "connections").items():
        known = phase1.get(name)
        own = name.startswith("tunnelwright-") or (known is not None and not known["advanced"])
        if not own:
            findings = tuple(_findings(upgrade, _Inherited(root, section), known))
            found.append(TextConnection(name, section.place.path, findings))
    return found, [f"{fault.place}: {fault.why}" for fault in reading.faults]


def daemon_findings(upgrade: Upgrade, files: t.Mapping[str, str]) -> list[UpgradeFinding]:
    """Return the effects on the settings of the daemon in strongswan.conf."""
    root = _read(files, DEBIAN.strongswan_conf).tree
    charon = _sections(root, "charon")
    plugins = charon["plugins"].sections if "plugins" in charon else {}
    gone = [name for name in plugins if name in plugins_gone(upgrade)]
    return [
        UpgradeFinding(
            "plugin_gone",
            CHANGES,
            f"charon.plugins.{name} in {plugins[name].place}",
            f"{upgrade.target.title} has no plugin {name}, so that its settings have no effect.",
            "Remove the section.",
        )
        for name in gone
    ]


def plugins_gone(upgrade: Upgrade) -> set[str]:
    """Return the plugins of earlier releases that no package of the target has."""
    earlier = (item for item in RELEASES.values() if item.number < upgrade.target.number)
    before = {name for item in earlier for names in item.plugins.values() for name in names}
    return before - {name for names in upgrade.target.plugins.values() for name in names}


class _Inherited:
    """Sections in which a value is searched: a section, then the sections that it inherits from."""

    def __init__(self, root: PlacedSection, *sections: PlacedSection) -> None:
        self._root = root
        self._sections: list[PlacedSection] = []
        waiting = list(reversed(sections))
        while waiting:
            section = waiting.pop()
            if not any(section is known for known in self._sections):
                self._sections.append(section)
                referenced = map(self._referenced, section.references)
                waiting += reversed([item for item in referenced if item is not None])

    def value(self, name: str) -> str | None:
        found = (item.values[name].value for item in self._sections if name in item.values)
        return next(found, None)

    def children(self) -> dict[str, _Inherited]:
        found: dict[str, list[PlacedSection]] = {}
        for section in self._sections:
            for name, child in _sections(section, "children").items():
                found.setdefault(name, []).append(child)
        return {name: _Inherited(self._root, *sections) for name, sections in found.items()}

    def _referenced(self, reference: str) -> PlacedSection | None:
        found: PlacedSection | None = self._root
        for part in reference.split("."):
            found = found.sections.get(part) if found is not None else None
        return found


def _findings(
    upgrade: Upgrade, section: _Inherited, known: Facts | None
) -> t.Iterator[UpgradeFinding]:
    written = section.value("version")
    version = _VERSIONS.get(written or "0", "auto")
    words = WORDS if written is not None else _NO_WORDS
    yield from version_findings(upgrade, version, known, words)
    proposals = _items(section.value("proposals"))
    entries = [of_words(item) for item in proposals]
    yield from proposal_findings(upgrade, entries, "proposals")
    for name, child in section.children().items():
        yield from _child_findings(upgrade, name, child)


def _child_findings(upgrade: Upgrade, name: str, child: _Inherited) -> t.Iterator[UpgradeFinding]:
    if str(child.value("mode") or "").lower() in ("pass", "drop"):
        return
    for key in ("esp_proposals", "ah_proposals"):
        proposals = _items(child.value(key))
        if upgrade.userspace:
            entries = [of_words(item) for item in proposals]
            yield from proposal_findings(upgrade, entries, f"child {name}: {key}")
    esp = _items(child.value("esp_proposals"))
    relies = _DEFAULT in esp or not (esp or _items(child.value("ah_proposals")))
    if relies and upgrade.crosses(6, 0, 2):
        yield UpgradeFinding(
            "default_esp_proposals",
            CHANGES,
            f"child {name}: esp_proposals default",
            "From strongSwan 6.0.2 on, the default proposals also offer each key exchange, so "
            "that a rekey may use PFS.",
            "Write esp_proposals, if the peer must not use PFS.",
        )


def _items(value: str | None) -> list[str]:
    return [item.strip() for item in (value or "").split(",") if item.strip()]


def _sections(section: PlacedSection, name: str) -> dict[str, PlacedSection]:
    return section.sections[name].sections if name in section.sections else {}


def _read(files: t.Mapping[str, str], path: str) -> ReadResult:
    """Return the statements that strongSwan would read from the texts, beginning with ``path``."""
    # The line of the mask in a hidden text is no statement.
    texts = {
        name: text.replace(MASK, "") if _is_hidden(text) else text for name, text in files.items()
    }

    def include(pattern: str) -> list[tuple[str, str]]:
        # As in a shell, a * matches neither a slash nor the dot of a hidden file.
        folder = posixpath.dirname(pattern)
        return [
            (path, text)
            for path, text in sorted(texts.items())
            if fnmatch.fnmatchcase(path, pattern)
            and posixpath.dirname(path) == folder
            and not posixpath.basename(path).startswith(".")
        ]

    return read(path, texts.get(path, ""), include)


def hidden(files: t.Mapping[str, str]) -> list[UpgradeFinding]:
    """Return a finding for each text of which only the mask is left.

    A text that may hold a secret in an unknown place is masked as a whole. Such a text is
    incomplete, or has sections that inherit from others.
    """
    return [
        UpgradeFinding(
            "file_hidden",
            DEPENDS,
            path,
            "The text is masked as a whole, because it is incomplete, or because its sections "
            "inherit from others. This check does not know its connections.",
            "Check version and proposals in the file.",
        )
        for path, text in sorted(files.items())
        if _is_hidden(text)
    ]


def _is_hidden(text: str) -> bool:
    lines = [line for line in text.splitlines() if line.strip()]
    return MASK in lines and all(line == MASK or _INCLUDE.match(line) for line in lines)


def unseen(upgrade: Upgrade, names: t.Container[str]) -> list[UpgradeFinding]:
    """Return a finding for the connections in the daemon that are in no text."""
    missing = [name for name in upgrade.info["unmanaged"] if name not in names]
    if not missing:
        return []
    return [
        UpgradeFinding(
            "connection_without_file",
            DEPENDS,
            f"connections {', '.join(missing)} in the IKE daemon",
            "They are in no text that this check can read, so that it does not know their values.",
            "Check their version and proposals with `swanctl --list-conns`.",
        )
    ]
