# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The report of one gateway in lines: tunnels, and objects that are not in the variables. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ..module_utils._model.settings import IpsecSettings
from ._fleet import ORDER

Facts = t.Mapping[str, t.Any]
Made = dict[str, t.Any]

_WELL = ("up", "idle", "disabled")
_WAITS = {"responder_only": "waiting for the peer", "on_demand": "waiting for traffic"}
_WORDS = {"connecting": "being negotiated", "disabled": "switched off", "idle": "waiting"}
# The number of names in each list.
_MOST = 20


def report(info: Facts, definition: Facts) -> Made:
    """Return the report of a gateway.

    ``info`` is the result of ipsec_info, ``definition`` the variables of the role.
    """
    tunnels = sorted(_tunnels(info), key=lambda item: ORDER.index(item["rank"]))
    bad = [item for item in tunnels if item["state"] not in _WELL]
    return {
        "tunnels": _lines(bad, [item for item in tunnels if item["state"] in _WELL]),
        "down": [item["name"] for item in bad],
        "unlisted": _bounded(_unlisted(info, definition)),
        "removal_order": _removal_order(info["networks"]),
    }


def _tunnels(info: Facts) -> t.Iterator[Made]:
    """Yield a tunnel for each phase 2, and for each phase 1 without a phase 2."""
    running = info["daemon"]["running"]
    for phase1 in info["phase1"]:
        if not phase1["phase2"]:
            yield _tunnel(phase1, phase1, f"{phase1['name']} (no phase 2)", running=running)
        for phase2 in phase1["phase2"]:
            name = f"{phase1['name']}/{phase2['name']}"
            yield _tunnel(phase1, phase2, name, running=running)


def _tunnel(phase1: Facts, it: Facts, name: str, *, running: bool) -> Made:
    state = str(it["state"])
    words = _WORDS.get(state, state)
    if state == "idle":
        words = _WAITS.get(phase1["options"].get("connection_behavior", ""), words)
    return {
        "name": name,
        "phase1": phase1["name"],
        "state": state,
        # A state that this file does not know counts as a problem.
        "rank": state if state in ORDER else "down",
        "words": words,
        "why": _why(phase1, it, state, running=running),
    }


def _why(phase1: Facts, it: Facts, state: str, *, running: bool) -> str:
    why = it.get("explanation") or phase1.get("explanation")
    if why:
        candidates = ", ".join(item["cause"] for item in why["candidates"])
        text = f" {why['explanation']} [{why['cause']}] {why['next_step']}"
        return f"{text} Candidates: {candidates}." if candidates else text
    if state != "down":
        return ""
    return " The log shows no reason." if running else " The IKE daemon does not answer."


def _lines(bad: t.Sequence[Facts], well: t.Sequence[Facts]) -> list[str]:
    """Return a line for each phase 1 with a problem and each cause, and for each good state."""
    lines = [
        f"{words}: {', '.join(_bounded(names))}.{why}"
        for (_phase1, words, why), names in _grouped(bad, "phase1", "words", "why").items()
    ]
    lines = _bounded(lines)
    for (words,), names in _grouped(well, "words").items():
        lines.append(f"{words}: {', '.join(_bounded(names))}")
    return lines or ["no tunnel is configured"]


def _grouped(tunnels: t.Iterable[Facts], *keys: str) -> dict[tuple[str, ...], list[str]]:
    groups: dict[tuple[str, ...], list[str]] = {}
    for item in tunnels:
        groups.setdefault(tuple(item[key] for key in keys), []).append(item["name"])
    return groups


def _bounded(items: list[str]) -> list[str]:
    more = len(items) - _MOST
    return [*items[:_MOST], f"and {more} more"] if more > 0 else items


# --- Objects that are not in the variables


def _unlisted(info: Facts, definition: Facts) -> list[str]:
    """Return the objects of the collection on the host without an entry.

    The phase 2 objects of such a phase 1 are not listed.
    """
    networks = _named(definition, "gateway_networks", "name")
    settings = _named(definition, "gateway_settings", "network")
    phase1 = {str(item.get("name")): item for item in _entries(definition, "gateway_phase1")}
    rules = {
        (str(item.get("network")), str(item.get("name")))
        for item in _entries(definition, "gateway_rules")
    }
    objects = []
    for network in info["networks"]:
        name = network["name"]
        if name not in networks:
            objects.append(f"network {name}")
        elif name not in settings and _changed(network["settings"]):
            objects.append(f"IPsec settings of network {name}: {_changed(network['settings'])}")
        objects += [
            f"rule {rule['name']} of network {name}"
            for rule in network["rules"]
            if (name, rule["name"]) not in rules
        ]
    for item in info["phase1"]:
        if item["name"] not in phase1:
            objects.append(f"phase 1 {item['name']} of network {item['network']}")
            continue
        listed = _named(phase1[item["name"]], "phase2", "name")
        objects += [
            f"phase 2 {child['name']} of phase 1 {item['name']}"
            for child in item["phase2"]
            if child["name"] not in listed
        ]
    return objects


def _named(definition: Facts, variable: str, option: str) -> set[str]:
    return {str(item.get(option)) for item in _entries(definition, variable)}


def _entries(definition: Facts, variable: str) -> list[Facts]:
    return [item for item in definition.get(variable) or () if isinstance(item, Mapping)]


def _changed(settings: Facts) -> str:
    """Return the names of the options that are not at their defaults."""
    standard = IpsecSettings(settings["network"]).to_options()
    return ", ".join(key for key in sorted(settings) if settings[key] != standard.get(key))


# --- The order of a removal


def _removal_order(networks: t.Iterable[Facts]) -> list[Made]:
    """Return the networks in the order of removal, each after its ``attached_networks``."""
    remaining = {item["name"]: _attached(item, networks) for item in networks}
    ordered: list[Made] = []
    while remaining:
        done = {item["name"] for item in ordered}
        free = [name for name, attached in remaining.items() if attached <= done]
        # A circle exists only if files were changed by hand.
        for name in free or [*remaining]:
            ordered.append({"name": name, "attached_networks": sorted(remaining.pop(name))})
    return ordered


def _attached(network: Facts, networks: t.Iterable[Facts]) -> set[str]:
    """Return the names of the networks that are attached to the interface of a network."""
    options = network["options"]
    if options.get("layer2_type", "none") == "none" and options.get("interface_network"):
        # The network itself is attached to the interface of another network.
        return set()
    return {
        item["name"]
        for item in networks
        if item["options"].get("interface_network") == network["interface"]
        and item["name"] != network["name"]
    }
