# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tunnels between two gateways, one after the other: configured algorithms and negotiated SAs.

The renderer makes the configuration of the IKE daemons from the model. The algorithms of an SA are
read from the daemon and from the kernel, at both ends.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import subprocess
import threading
import time
import typing as t
from dataclasses import replace

from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.algorithms import (
    DH,
    ENCRYPTIONS,
    HASHES,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.child import ChildSa
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.connection import (
    IkeConnection,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.proposal import (
    DEFAULT_ESP,
    DEFAULT_IKE,
    Proposal,
    Use,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.settings import (
    IpsecSettings,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.connection import (
    connection_section,
)
from ansible_collections.tunnelwright.ipsec.tests.kernel.combinations import Case, Refusal
from ansible_collections.tunnelwright.ipsec.tests.kernel.machine import PATIENCE, Machine

Sa = dict[str, t.Any]
Section = dict[str, t.Any]

PSK = "the key of every tunnel of this test"
PACKETS = 2
AS_ASKED = "as asked"
OTHER = {"a": "b", "b": "a"}

# The name in the kernel, and the bits of salt or parity that the kernel adds to the key length.
CIPHERS = {
    "aes": ("enc cbc(aes)", 0),
    "aes-gcm": ("aead rfc4106(gcm(aes))", 32),
    "aes-ctr": ("enc rfc3686(ctr(aes))", 32),
    "aes-ccm": ("aead rfc4309(ccm(aes))", 24),
    "chacha20-poly1305": ("aead rfc7539esp(chacha20,poly1305)", 32),
    "camellia": ("enc cbc(camellia)", 0),
    "3des": ("enc cbc(des3_ede)", 24),
    "blowfish": ("enc cbc(blowfish)", 0),
    "cast128": ("enc cbc(cast5)", 0),
}
# The name in the kernel, the bits of the key, and the bits of the hash that are sent.
DIGESTS = {
    "md5": ("hmac(md5)", 128, 96),
    "sha1": ("hmac(sha1)", 160, 96),
    "sha256": ("hmac(sha256)", 256, 128),
    "sha384": ("hmac(sha384)", 384, 192),
    "sha512": ("hmac(sha512)", 512, 256),
    "aesxcbc": ("xcbc(aes)", 128, 96),
    "aescmac": ("cmac(aes)", 128, 96),
}


class Failed(Exception):
    """An error: an IKE daemon did not carry out a command."""


class NotLoaded(Failed):
    """An error: the IKE daemon does not know a keyword, or refuses it."""


class NotNegotiated(Failed):
    """An error: the responder accepts none of the proposals."""


def told_by_daemon(proposal: Proposal) -> dict[str, str]:
    """Return ``proposal`` in the words of ``list-sas``."""
    words = {}
    if proposal.algorithm is not None:
        words["encr-alg"] = ENCRYPTIONS[proposal.algorithm].charon
    if proposal.key_length is not None and not _is_fixed(proposal):
        words["encr-keysize"] = str(proposal.key_length)
    if proposal.hash is not None:
        words["integ-alg"] = HASHES[proposal.hash].integrity
    if proposal.prf is not None:
        words["prf-alg"] = HASHES[proposal.prf].prf
    if proposal.dh_group is not None:
        words["dh-group"] = DH[proposal.dh_group].charon
    return words


def _is_fixed(proposal: Proposal) -> bool:
    """Return whether the key length is fixed, so that it is neither negotiated nor shown."""
    fixed = {"3des": 168, "chacha20-poly1305": 256}
    return fixed.get(proposal.algorithm or "") == proposal.key_length


def told_by_kernel(proposal: Proposal) -> set[str]:
    """Return ``proposal`` in the words of ``ip xfrm state``."""
    words = set()
    if proposal.algorithm is not None:
        assert proposal.key_length is not None
        name, more = CIPHERS[proposal.algorithm]
        bits = f"({proposal.key_length + more} bits)"
        words.add(f"{name} {bits} 128" if name.startswith("aead") else f"{name} {bits}")
    if proposal.hash is not None:
        digest, size, sent = DIGESTS[proposal.hash]
        words.add(f"auth-trunc {digest} ({size} bits) {sent}")
    return words


class Kernel:
    """The algorithms of the SAs in the kernel of a gateway, from its messages about new SAs."""

    def __init__(self, machine: Machine) -> None:
        # The end of its input ends the script, because the script has no terminal.
        script = "ip xfrm monitor SA & read -r _end || true; kill $!"
        self._monitor = subprocess.Popen(
            [*machine.reach, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._states: dict[str, set[str]] = {}
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def close(self) -> None:
        assert self._monitor.stdin is not None
        assert self._monitor.stdout is not None
        self._monitor.stdin.close()
        self._monitor.wait(PATIENCE)
        self._listener.join(PATIENCE)
        self._monitor.stdout.close()

    def state(self, spi: str) -> set[str]:
        """Return encryption and authentication of the SA, with the length of their keys in bits."""
        deadline = time.monotonic() + PATIENCE
        while spi not in self._states and time.monotonic() < deadline:
            time.sleep(0.05)
        return self._states.get(spi, set())

    def _listen(self) -> None:
        lines: set[str] = set()
        assert self._monitor.stdout is not None
        for line in self._monitor.stdout:
            words = line.split()
            if words[:1] == ["proto"]:
                spi = words[words.index("spi") + 1].removeprefix("0x")
                lines = self._states.setdefault(spi, set())
            elif words[:1] in (["enc"], ["auth"], ["auth-trunc"], ["aead"]):
                lines.add(re.sub(r"0x([0-9a-f]*)", _bits, line.strip()))


def _bits(key: re.Match[str]) -> str:
    return f"({4 * len(key[1])} bits)"


class Lane:
    """Addresses on both gateways for one tunnel. Several lanes test tunnels at the same time."""

    def __init__(
        self, number: int, machines: dict[str, Machine], kernels: dict[str, Kernel]
    ) -> None:
        self.name, self._kernels = f"lane-{number}", kernels
        self._ends = {name: machines[name] for name in ("a", "b")}
        self._inside = {
            name: {4: f"10.{index}.0.{number}", 6: f"fd00:{index}::{number}"}
            for index, name in enumerate(self._ends, start=1)
        }

    def prepare(self) -> None:
        for name, end in self._ends.items():
            # Without this setting, the kernel opens no socket for pings.
            end.sh("sysctl -q net.ipv4.ping_group_range='0 0'")
            end.sh(self._addresses(name, "replace", "nodad"))
            end.vici("load-shared", {"type": "IKE", "id": self.name, "data": PSK})

    def close(self) -> None:
        """Remove every trace of the tunnels from both ends."""
        for name, end in self._ends.items():
            end.ask("request", command="unload-conn", message={"name": self.name})
            end.vici("unload-shared", {"id": self.name})
            end.sh(self._addresses(name, "delete"))
            end.close()

    def _addresses(self, name: str, verb: str, flag: str = "") -> str:
        return "\n".join(
            f"ip address {verb} {self._outside(name, version)}/{length} dev eth1 {flag}\n"
            f"ip address {verb} {self._inside[name][version]} dev lo {flag}"
            for version, length in ((4, 24), (6, 64))
        )

    def negotiate(self, case: Case) -> str:
        """Bring a tunnel up, send traffic, and compare. Return the error, or an empty text."""
        try:
            self._load({name: self._section(name, case) for name in self._ends})
            self._initiate(case.initiator)
            if case.version == 2 and case.child.dh_group is not None:
                # The keys of the first Child SA derive from the IKE SA, without PFS.
                self._ends[case.initiator].vici("rekey", {"child": "net", "ike": self.name})
                self._sa(case.initiator, case.child)
            self._ping(case)
            for name in self._ends:
                self._compare(name, case)
        except (Failed, AssertionError) as error:
            return str(error)
        finally:
            self._end(case.initiator)
        return ""

    def try_out(self, refusal: Refusal, initiator: str) -> str:
        """Give the daemons an entry that the model refuses, and return the result.

        The result is "unknown" or "not negotiated". It is AS_ASKED if the SA has the whole entry,
        and "lost: ..." if the SA lacks a part of the entry. After any other failure it is
        "undecided: ...".
        """
        proposal = refusal.proposal()
        try:
            self._load({name: self._refused_section(name, refusal) for name in self._ends})
            self._initiate(initiator)
            sa = self._sa(initiator)
        except NotLoaded:
            return "unknown"
        except NotNegotiated:
            return "not negotiated"
        except Failed as error:
            return f"undecided: {error}"
        finally:
            self._end(initiator)
        found = _told(sa if refusal.use is Use.IKE else sa["child"])
        wanted = told_by_daemon(proposal)
        if wanted.items() <= found.items():
            return AS_ASKED
        return f"lost: {proposal.keyword()} becomes {found}"

    # --- Configuration of the daemons

    def _outside(self, name: str, version: int) -> str:
        end = self._ends[name]
        return end.ipv4 if version == 4 else end.ipv6

    def _section(self, name: str, case: Case) -> Section:
        networks = {}
        if case.mode == "tunnel":
            networks = {
                f"{side}_network": [str(ipaddress.ip_network(self._inside[end][case.inside]))]
                for side, end in (("local", name), ("remote", OTHER[name]))
            }
        child = {
            "name": "net",
            "phase1": self.name,
            "network": "lan",
            "mode": case.mode,
            "protocol": case.use.name.lower(),
            "encryption": [case.child.to_options()],
            **networks,
        }
        connection = {
            "name": self.name,
            "network": "lan",
            "key_exchange": f"ikev{case.version}",
            "local_address": self._outside(name, case.outside),
            "remote_gateway": self._outside(OTHER[name], case.outside),
            "encryption": [case.ike.to_options()],
            "psk": PSK,
            "connection_behavior": "responder_only",
        }
        versions = frozenset({case.version})
        whole = IkeConnection.from_options(connection).with_child(
            ChildSa.from_options(child, versions)
        )
        return connection_section(whole, IpsecSettings("lan"))

    def _refused_section(self, name: str, refusal: Refusal) -> Section:
        use = Use.ESP if refusal.use is Use.IKE else refusal.use
        (ike,), (esp,) = DEFAULT_IKE, DEFAULT_ESP
        if use is Use.ESP:
            # IKEv1 has a group in the first Child SA, too.
            child = replace(esp, dh_group=None)
        else:
            child = Proposal(None, None, "sha256", None, None)
        case = Case(refusal.version, ike, use, child, "tunnel", 4, 4, "a")
        section = self._section(name, case)
        keyword = (refusal.proposal().keyword(),)
        if refusal.use is Use.IKE:
            return {**section, "proposals": keyword}
        children = section["children"]
        changed = {**children["net"], f"{use.name.lower()}_proposals": keyword}
        return {**section, "children": {"net": changed}}

    def _load(self, sections: dict[str, Section]) -> None:
        for name, section in sections.items():
            try:
                self._ask(name, "load-conn", {self.name: section})
            except Failed as error:
                raise NotLoaded(str(error)) from None

    def _initiate(self, initiator: str) -> None:
        answer = self._ends[initiator].ask("initiate", child="net", ike=self.name, seconds=PATIENCE)
        if "refused" in answer:
            log = "; ".join(answer["log"])
            kind = NotNegotiated if "NO_PROPOSAL_CHOSEN" in log else Failed
            raise kind(f"from {initiator}: {answer['refused']}: {log}")

    def _ask(self, name: str, command: str, message: dict[str, t.Any]) -> None:
        answer = self._ends[name].ask("request", command=command, message=message)
        if "refused" in answer:
            raise Failed(f"{name}: {answer['refused']}")

    def _end(self, initiator: str) -> None:
        """Close the SAs of both ends. In IKEv1 the peer does not acknowledge a deletion."""
        message = {"ike": self.name, "timeout": "5000"}
        with contextlib.suppress(Failed):
            self._ask(initiator, "terminate", message)
        for name in (OTHER[initiator], initiator):
            deadline = time.monotonic() + 2
            while self._listed(name):
                if time.monotonic() > deadline:
                    with contextlib.suppress(Failed):
                        self._ask(name, "terminate", {**message, "force": "yes"})
                time.sleep(0.02)

    def _listed(self, name: str) -> list[Sa]:
        return [sa for sa in self._ends[name].ask("sas")["sas"] if sa["name"] == self.name]

    # --- Results

    def _ping(self, case: Case) -> None:
        source, target = case.initiator, OTHER[case.initiator]
        if case.mode == "tunnel":
            ends = self._inside[source][case.inside], self._inside[target][case.inside]
        else:
            ends = self._outside(source, case.outside), self._outside(target, case.outside)
        # The other end of IKEv1 may still be loading the cipher when the initiator is ready.
        echo = {"source": ends[0], "target": ends[1], "count": PACKETS, "seconds": PATIENCE}
        assert self._ends[source].ask("ping", **echo) == {"lost": 0}, "no traffic"

    def _sa(self, name: str, wanted: Proposal | None = None) -> Sa:
        """Return the IKE SA, with ``child``, as soon as its only Child SA has the wanted group."""
        group = told_by_daemon(wanted).get("dh-group") if wanted else None
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for sa in self._listed(name):
                children = sa.get("child-sas", {}).values()
                # A replaced Child SA is listed for some seconds more.
                live = [child for child in children if child["state"] != "DELETED"]
                if [(child["state"], child.get("dh-group")) for child in live] == [
                    ("INSTALLED", group)
                ]:
                    return {**sa, "child": live[0]}
            time.sleep(0.05)
        raise Failed(f"{name}: there is no such Child SA")

    def _compare(self, name: str, case: Case) -> None:
        wanted = {"ike": told_by_daemon(case.ike), "child": told_by_daemon(case.child)}
        sa = self._sa(name, case.child)
        child = sa["child"]
        found = {"ike": _told(sa), "child": _told(child)}
        assert found == wanted, f"{name}: {found}"
        manner = (child["protocol"], child["mode"])
        assert manner == (case.use.name, case.mode.upper()), f"{name}: {manner}"
        moved = [int(child[f"packets-{way}"]) for way in ("in", "out")]
        assert min(moved) >= PACKETS, f"{name}: packets in and out: {moved}"
        for way in ("in", "out"):
            state = self._kernels[name].state(child[f"spi-{way}"])
            assert state == told_by_kernel(case.child), f"{name}: {way}: {state}"


def _told(sa: Sa) -> dict[str, str]:
    kinds = ("encr-alg", "encr-keysize", "integ-alg", "prf-alg", "dh-group")
    return {kind: sa[kind] for kind in kinds if kind in sa}
