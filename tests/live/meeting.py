# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two gateways with the two ends of a tunnel, and their negotiation with each as initiator."""

from __future__ import annotations

import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.algorithms import (
    DH,
    ENCRYPTIONS,
    HASHES,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.proposal import Proposal
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.connection import (
    connection_section,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.swanctl_files import (
    secrets_of,
)
from ansible_collections.tunnelwright.ipsec.plugins.plugin_utils._definition import read
from ansible_collections.tunnelwright.ipsec.tests.live.host import Host
from ansible_collections.tunnelwright.ipsec.tests.live.pairs import Ends, Options

# Milliseconds. A peer with another key never answers in IKEv1. A missing peer never answers either.
PATIENCE = "6000"
# Seconds until every negotiation has ended.
SETTLED = 5.0

# Other products answer to Aggressive Mode with a PSK without a special option.
# The secrets that the test loads itself.
_LOADED = {"psk": "compared", "ppk": "ppk-compared"}
_FOREIGN = "/etc/strongswan.d/compared.conf"
_ANSWERS_AGGRESSIVE = """
charon {
    i_dont_care_about_security_and_use_aggressive_mode_psk = yes
}
"""

DOWN: Options = {
    "up": False,
    "protocol": None,
    "mode": None,
    "proposal": None,
    "rekey_proposal": None,
    "local_network": [],
    "remote_network": [],
}


@dataclass
class Side:
    """A gateway with its end of a tunnel."""

    host: Host
    label: str
    phase1: Options

    @property
    def name(self) -> str:
        return str(self.phase1["name"])

    @property
    def children(self) -> list[str]:
        return [item["name"] for item in self.phase1["phase2"]]

    @property
    def calls(self) -> bool:
        return self.phase1["connection_behavior"] != "responder_only"

    def configure(self, variables: Options) -> None:
        """Configure a gateway as the role does. The test chooses the initiator."""
        own = {key: item for key, item in self.phase1.items() if key != "phase2"}
        quiet = {**own, "connection_behavior": "responder_only", "weak_crypto": "allow"}
        if self._refused(quiet):
            self._load(variables)
            return
        for child in self.phase1["phase2"]:
            owner = {"phase1": self.name, "network": "lan"}
            run = self.host.run("ipsec_phase2", {**child, **owner, "weak_crypto": "allow"})
            if run.failed:
                # Another product accepts definitions that the modules refuse.
                self._load(variables)
                return

    def _refused(self, options: Options) -> bool:
        self.host.apply("ipsec_phase1", {"name": self.name, "network": "lan", "state": "absent"})
        return self.host.run("ipsec_phase1", options).failed

    def _load(self, variables: Options) -> None:
        """Load a definition that the modules refuse, as another product would."""
        self.host.apply("ipsec_phase1", {"name": self.name, "network": "lan", "state": "absent"})
        self.host.sh(f"cat >{_FOREIGN}", _ANSWERS_AGGRESSIVE)
        self.host.vici("reload-settings")
        (tunnel,) = read(self.label, variables).tunnels
        section = connection_section(tunnel.connection, tunnel.settings)
        for child in t.cast("dict[str, Options]", section["children"]).values():
            child["start_action"] = "none"
        self.host.vici("load-conn", {self.name: section})
        for item in secrets_of(tunnel.connection):
            option = {"IKE": "psk", "PPK": "ppk"}[item.kind]
            secret = {"type": item.kind, "data": self.phase1[option], "owners": item.owners}
            self.host.vici("load-shared", {"id": _LOADED[option], **secret})

    def forget(self) -> None:
        """Unload the definitions that were loaded without the modules."""
        self.host.ask("request", command="unload-conn", message={"name": self.name})
        for name in _LOADED.values():
            self.host.ask("request", command="unload-shared", message={"id": name})
        self.host.sh(f"rm -f {_FOREIGN}")
        self.host.vici("reload-settings")

    def hang_up(self) -> None:
        for sa in self.host.ask("sas")["sas"]:
            message = {"ike-id": sa["uniqueid"], "force": "yes", "timeout": "2000"}
            self.host.ask("request", command="terminate", message=message)

    def sa(self) -> Options:
        """Return the first established IKE SA of the tunnel, or an empty mapping."""
        for item in self.host.ask("sas")["sas"]:
            if item["state"] in ("ESTABLISHED", "REKEYING") and item["name"] == self.name:
                return dict(item)
        return {}

    def installed(self, name: str | None = None) -> list[Options]:
        """Return the Child SAs that are up. ``name`` limits them to one phase 2."""
        return [
            item
            for item in self.sa().get("child-sas", {}).values()
            if item["state"] == "INSTALLED" and name in (None, item["name"])
        ]


class Meeting:
    """The negotiations of a pair of ends. ``hosts`` are the local and the remote gateway."""

    def __init__(self, hosts: tuple[Host, Host], ends: Ends) -> None:
        self.variables = (ends.local, ends.remote)
        self.local = Side(hosts[0], "local", ends.phase1("local"))
        self.remote = Side(hosts[1], "remote", ends.phase1("remote"))

    def held(self) -> list[Options]:
        """Return the negotiation of each side that can initiate, in the form of the filter."""
        sides = (self.local, self.remote)
        with ThreadPoolExecutor() as pool:
            list(pool.map(Side.configure, sides, self.variables))
        try:
            return [
                self._called(caller, called)
                for caller, called in (sides, sides[::-1])
                if caller.phase1["remote_gateway"] != "%any"
            ]
        finally:
            for side in sides:
                side.forget()

    def _called(self, caller: Side, called: Side) -> Options:
        seen: Options = {"initiator": caller.label, "up": False, "proposal": None, "phase2": []}
        for name in caller.children:
            self._hung_up()
            child, ike = self._brought_up(caller, called, name)
            if ike:
                seen.update(up=True, version=int(ike["version"]), proposal=_ike_keyword(ike))
            seen["phase2"].append(child)
        for number, name in enumerate(caller.children[1:], 1):
            seen["phase2"][number]["later"] = self._added(caller, called, name)
        self._hung_up()
        return seen

    def _brought_up(self, caller: Side, called: Side, name: str) -> tuple[Options, Options]:
        """Initiate a phase 2 together with its IKE SA, and rekey it.

        Return the negotiated values of the phase 2, and the IKE SA.
        """
        self._initiate(caller, called, name)
        ike = caller.sa() if called.sa() else {}
        mine, theirs = caller.installed(name), called.installed()
        if not ike or not mine or not theirs:
            return {**DOWN, f"{caller.label}_phase2": name}, ike
        (sa,), (other,) = mine, theirs
        renewed = self._rekeyed(caller, called, sa)
        networks = sorted(sa["local-ts"]), sorted(sa["remote-ts"])
        return {
            "up": True,
            f"{caller.label}_phase2": name,
            f"{called.label}_phase2": other["name"],
            "protocol": sa["protocol"].lower(),
            "mode": sa["mode"].lower(),
            "proposal": _child_keyword(sa),
            "rekey_proposal": renewed and _child_keyword(renewed),
            f"{caller.label}_network": networks[0],
            f"{called.label}_network": networks[1],
        }, ike

    def _rekeyed(self, caller: Side, called: Side, sa: Options) -> Options | None:
        caller.host.ask("request", command="rekey", message={"child-id": sa["uniqueid"]})
        self._settle(caller, called)
        newer = [
            item
            for item in caller.installed(sa["name"])
            if item["uniqueid"] != sa["uniqueid"] and called.installed()
        ]
        return newer[0] if newer else None

    def _added(self, caller: Side, called: Side, name: str) -> str | None:
        """Return the proposal of a phase 2 beside the first one, or None if it does not come up."""
        self._hung_up()
        self._initiate(caller, called, caller.children[0])
        if not caller.sa() or not called.sa():
            return None
        self._initiate(caller, called, name)
        found = caller.installed(name)
        return _child_keyword(found[0]) if found else None

    def _initiate(self, caller: Side, called: Side, name: str) -> None:
        message = {"ike": caller.name, "child": name, "timeout": PATIENCE}
        caller.host.ask("request", command="initiate", message=message)
        self._settle(caller, called)

    def _settle(self, *sides: Side) -> None:
        """Wait until all sides are idle in two checks, because an answer may be on its way."""
        deadline, idle = time.monotonic() + SETTLED, 0
        while idle < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
            idle = 0 if any(side.host.busy() for side in sides) else idle + 1

    def _hung_up(self) -> None:
        for side in (self.local, self.remote):
            side.hang_up()
        deadline = time.monotonic() + SETTLED
        while time.monotonic() < deadline:
            if not any(side.host.ask("sas")["sas"] for side in (self.local, self.remote)):
                return
            time.sleep(0.05)
            for side in (self.local, self.remote):
                side.hang_up()
        raise AssertionError("some SAs are still there after a terminate")


_ENCRYPTION = {row.charon: row for row in ENCRYPTIONS.values()}
_INTEGRITY = {row.integrity: row.name for row in HASHES.values()}
_PRF = {row.prf: row.name for row in HASHES.values()}
_GROUP = {row.charon: row.number for row in DH.values()}


def _child_keyword(sa: Options) -> str:
    encryption = _ENCRYPTION[sa["encr-alg"]] if "encr-alg" in sa else None
    length = None
    if encryption:
        length = int(sa.get("encr-keysize") or encryption.default_key_length)
    return Proposal(
        encryption.name if encryption else None,
        length,
        _INTEGRITY[sa["integ-alg"]] if "integ-alg" in sa else None,
        _GROUP[sa["dh-group"]] if "dh-group" in sa else None,
        None,
    ).keyword()


def _ike_keyword(sa: Options) -> str:
    encryption = _ENCRYPTION[sa["encr-alg"]]
    return Proposal(
        encryption.name,
        int(sa.get("encr-keysize") or encryption.default_key_length),
        _INTEGRITY[sa["integ-alg"]] if "integ-alg" in sa else None,
        _GROUP[sa["dh-group"]],
        _PRF[sa["prf-alg"]],
    ).keyword()
