# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""What one gateway says of itself, in lines: tunnels, and what the variables do not have. Pure."""

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
# How many are named, in each list.
_MOST = 20


def report(info: Facts, definition: Facts) -> Made:
    """``info`` is what ipsec_info returns, ``definition`` the variables of the role."""
    tunnels = sorted(_tunnels(info), key=lambda item: ORDER.index(item["rank"]))
    bad = [item for item in tunnels if item["state"] not in _WELL]
    return {
        "tunnels": _lines(bad, [item for item in tunnels if item["state"] in _WELL]),
        "down": [item["name"] for item in bad],
        "unlisted": _bounded(_unlisted(info, definition)),
        "removal_order": _removal_order(info["networks"]),
    }


def _tunnels(info: Facts) -> t.Iterator[Made]:
    """One for each phase 2, and for a phase 1 without any."""
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
        # A state that is new here is none to be content with.
        "rank": state if state in ORDER else "down",
        "words": words,
        "why": _why(phase1, it, state, running=running),
    }


def _why(phase1: Facts, it: Facts, state: str, *, running: bool) -> str:
    why = it.get("explanation") or phase1.get("explanation")
    if why:
        behind = ", ".join(item["cause"] for item in why["candidates"])
        told = f" {why['explanation']} [{why['cause']}] {why['next_step']}"
        return f"{told} Candidates: {behind}." if behind else told
    if state != "down":
        return ""
    return " The log does not tell why." if running else " The IKE daemon does not answer."


def _lines(bad: t.Sequence[Facts], well: t.Sequence[Facts]) -> list[str]:
    """A line for each phase 1 that is not well, with each cause, and one for each good state."""
    lines = [
        f"{words}: {', '.join(_bounded(names))}.{why}"
        for (_phase1, words, why), names in _grouped(bad, "phase1", "words", "why").items()
    ]
    lines = _bounded(lines)
    for (words,), names in _grouped(well, "words").items():
        lines.append(f"{words}: {', '.join(_bounded(names))}")
    return lines or ["no tunnel is configured"]


def _grouped(tunnels: t.Iterable[Facts], *keys: str) -> dict[tuple[str, ...], list[str]]:
    found: dict[tuple[str, ...], list[str]] = {}
    for item in tunnels:
        found.setdefault(tuple(item[key] for key in keys), []).append(item["name"])
    return found


def _bounded(items: list[str]) -> list[str]:
    more = len(items) - _MOST
    return [*items[:_MOST], f"and {more} more"] if more > 0 else items


# --- What the variables do not have


def _unlisted(info: Facts, definition: Facts) -> list[str]:
    """What the collection has on the host and no entry names; what is in a phase 1 goes with it."""
    networks = _named(definition, "gateway_networks", "name")
    settings = _named(definition, "gateway_settings", "network")
    phase1 = {str(item.get("name")): item for item in _entries(definition, "gateway_phase1")}
    rules = {
        (str(item.get("network")), str(item.get("name")))
        for item in _entries(definition, "gateway_rules")
    }
    found = []
    for network in info["networks"]:
        name = network["name"]
        if name not in networks:
            found.append(f"network {name}")
        elif name not in settings and _changed(network["settings"]):
            found.append(f"IPsec settings of network {name}: {_changed(network['settings'])}")
        found += [
            f"rule {rule['name']} of network {name}"
            for rule in network["rules"]
            if (name, rule["name"]) not in rules
        ]
    for item in info["phase1"]:
        if item["name"] not in phase1:
            found.append(f"phase 1 {item['name']} of network {item['network']}")
            continue
        listed = _named(phase1[item["name"]], "phase2", "name")
        found += [
            f"phase 2 {child['name']} of phase 1 {item['name']}"
            for child in item["phase2"]
            if child["name"] not in listed
        ]
    return found


def _named(given: Facts, variable: str, option: str) -> set[str]:
    return {str(item.get(option)) for item in _entries(given, variable)}


def _entries(given: Facts, variable: str) -> list[Facts]:
    return [item for item in given.get(variable) or () if isinstance(item, Mapping)]


def _changed(settings: Facts) -> str:
    """The options that are not at their defaults."""
    standard = IpsecSettings(settings["network"]).to_options()
    return ", ".join(key for key in sorted(settings) if settings[key] != standard.get(key))


# --- What is removed, and in which order


def _removal_order(networks: t.Iterable[Facts]) -> list[Made]:
    """Return the networks in the order of removal, each after its ``attached_networks``."""
    left = {item["name"]: _guests(item, networks) for item in networks}
    ordered: list[Made] = []
    while left:
        done = {item["name"] for item in ordered}
        free = [name for name, guests in left.items() if guests <= done]
        # There is no circle, unless files were changed by hand.
        for name in free or [*left]:
            ordered.append({"name": name, "attached_networks": sorted(left.pop(name))})
    return ordered


def _guests(network: Facts, networks: t.Iterable[Facts]) -> set[str]:
    options = network["options"]
    if options.get("layer2_type", "none") == "none" and options.get("interface_network"):
        # Attached itself: the interface is not its own.
        return set()
    return {
        item["name"]
        for item in networks
        if item["options"].get("interface_network") == network["interface"]
        and item["name"] != network["name"]
    }
