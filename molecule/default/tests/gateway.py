# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gateways of the scenario: reports of their daemons, LAN hosts, captures and playbooks."""

from __future__ import annotations

import ipaddress
import json
import os
import socket
import subprocess
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import testinfra
import vici
import yaml

SCENARIO = Path(__file__).resolve().parents[1]
ROOT = SCENARIO.parents[1]
EXAMPLES = ROOT / "examples"
INVENTORIES = (EXAMPLES / "inventory.yml", SCENARIO / "inventory.yml")
TESTBED = ROOT / "tools/testbed"

TUNNEL_SECONDS = 60
PINGS = 5

_T = TypeVar("_T")


def wait_for(what: str, look: Callable[[], _T], seconds: float = TUNNEL_SECONDS) -> _T:
    """Return the first result of ``look`` that is true."""
    deadline = time.monotonic() + seconds
    while not (result := look()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.2)
    return result


# --- Hosts


class Gateway:
    """A gateway of the scenario, with a host on its LAN.

    ``lan4`` and ``lan6`` are the addresses of the host on the LAN. ``wan`` and ``wan6`` are the
    addresses of the gateway.
    """

    def __init__(self, name: str) -> None:
        topology = tomllib.loads((SCENARIO / "testbed.toml").read_text())["hosts"][name]
        self.name = name
        self.container = f"tw-{SCENARIO.name}-{name}"
        self.host = testinfra.get_host(f"podman://{self.container}")
        self.wan, self.wan6 = topology["ipv4"], topology["ipv6"]
        self.lan4 = ipaddress.IPv4Interface(topology["lan"]["addr4"])
        self.lan6 = ipaddress.IPv6Interface(topology["lan"]["addr6"])

    def __repr__(self) -> str:
        return self.name

    def sh(self, command: str) -> str:
        """Return the output of a command line, which must succeed."""
        return str(self.host.check_output(command))

    def on_lan(self, command: str) -> str:
        """Return the command line that runs ``command`` on the host on the LAN."""
        return f"ip netns exec lan {command}"

    def ping(self, address: object, *options: str) -> int:
        """Return how many of PINGS from the host on the LAN were answered."""
        line = " ".join(("ping -n -q -i 0.2 -W 1 -c", str(PINGS), *options, str(address)))
        output = self.host.run(self.on_lan(line)).stdout
        return int(output.split(" received")[0].split()[-1])

    def table(self, name: str = "tunnelwright-lan") -> str:
        """Return the nftables table of a network, without counters."""
        return self.sh(f"nft --stateless list table inet {name}")

    def firewall(self) -> str:
        """Return the table of the administrator's firewall, into which rules are hooked."""
        return self.table("filter")

    def restart(self) -> None:
        subprocess.run([TESTBED, "restart", self.container], check=True, capture_output=True)

    # --- charon

    @contextmanager
    def charon(self) -> Iterator[vici.Session]:
        """Open a session with the IKE daemon, through the file system of its process."""
        pid = subprocess.check_output(
            ["podman", "inspect", "--format={{.State.Pid}}", self.container], text=True
        ).strip()
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(f"/proc/{pid}/root/run/charon.vici")
            yield vici.Session(control)

    def ike_sas(self) -> list[dict[str, Any]]:
        """Return the IKE SAs that are up, each with its ``name``."""
        with self.charon() as charon:
            listed = _plain(list(charon.list_sas()))
        found = [{"name": name, **sa} for item in listed for name, sa in item.items()]
        return [sa for sa in found if sa["state"] == "ESTABLISHED"]

    def child_sas(self) -> dict[str, dict[str, Any]]:
        """Return the newest Child SA of each phase 2 that is up, by name of the phase 2."""
        found = [child for sa in self.ike_sas() for child in sa["child-sas"].values()]
        found.sort(key=lambda child: int(child["uniqueid"]))
        return {child["name"]: child for child in found if child["state"] == "INSTALLED"}

    def connections(self) -> dict[str, Any]:
        with self.charon() as charon:
            listed = _plain(list(charon.list_conns()))
        return {name: conn for item in listed for name, conn in item.items()}

    def secrets(self) -> list[str]:
        with self.charon() as charon:
            return sorted(_plain(charon.get_shared())["keys"])

    def traffic(self) -> dict[str, tuple[int, int]]:
        """Return the bytes in and the bytes out of each phase 2."""
        return {
            name: (int(child["bytes-in"]), int(child["bytes-out"]))
            for name, child in self.child_sas().items()
        }

    # --- The wire

    @contextmanager
    def capture(self, interface: str, arguments: str = "", *, lan: bool = False) -> Iterator[Tap]:
        """Capture with tcpdump on an interface. ``Tap.text`` has the output after the context.

        ``lan`` captures on the host on the LAN.
        """
        line = f"tcpdump -n -l -A -s 0 --immediate-mode -i {interface} {arguments}"
        line = self.on_lan(line) if lan else line
        process = subprocess.Popen(
            ["podman", "exec", self.container, "sh", "-c", f"echo $$; exec {line}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        assert process.stdout
        assert process.stderr
        pid = process.stdout.readline().strip()
        assert any("listening on" in said for said in process.stderr), f"no tcpdump: {line}"
        tap = Tap()
        try:
            yield tap
        finally:
            self.sh(f"kill -INT {pid}")
            tap.text = process.communicate(timeout=10)[0]


@dataclass
class Tap:
    text: str = ""


def _plain(value: Any) -> Any:
    """Return a vici message with text in the place of bytes."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.decode() if isinstance(value, bytes) else value


def up(gateways: Mapping[str, Gateway]) -> bool:
    """Return whether both phase 2 are up on both ends."""
    try:
        return all(gateway.child_sas().keys() == {"ipv4", "ipv6"} for gateway in gateways.values())
    except OSError:
        # charon does not answer yet.
        return False


# --- Playbooks


@dataclass
class Run:
    """The outcome of a playbook.

    ``changed`` holds the number of changed tasks of each host. ``results`` holds the results of the
    collection's modules, by host, task and item (empty without a loop). ``messages`` holds the
    messages of tasks of the role, by host and task.
    """

    failures: list[str]
    changed: dict[str, int]
    results: dict[tuple[str, str, str], dict[str, Any]]
    messages: dict[tuple[str, str], Any]


def playbook(
    name: str, *options: str, variables: Mapping[str, Any] | None = None, scratch: Path
) -> Run:
    """Run a playbook of the collection as a user would, with extra ``variables``.

    A path names another playbook.
    """
    file = write_variables(variables or {}, scratch)
    done = subprocess.run(
        ansible_playbook(name, *options, f"--extra-vars=@{file}"),
        env={**os.environ, "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"},
        cwd=ROOT,
        text=True,
        capture_output=True,
    )
    assert "{\n" in done.stdout, done.stdout + done.stderr
    report = json.loads(done.stdout[done.stdout.index("{\n") :])
    changed = {host: int(counts["changed"]) for host, counts in report["stats"].items()}
    failures = [f"{host}: {task}: {said}" for (host, task, said) in _failures(report)]
    if done.returncode != 0 and not failures:
        failures = [done.stderr]
    return Run(failures, changed, dict(_results(report)), dict(_messages(report)))


def ansible_playbook(name: str, *options: str) -> list[str]:
    inventories = [f"--inventory={path}" for path in INVENTORIES]
    book = name if "/" in name else f"tunnelwright.ipsec.{name}"
    return ["ansible-playbook", *inventories, *options, book]


def write_variables(variables: Mapping[str, Any], scratch: Path) -> Path:
    """Write a file for ``--extra-vars`` that only its owner can read, and return its path."""
    file = scratch / "variables.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(variables))
    return file


def _results(report: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str, str], dict[str, Any]]]:
    for host, task, result in _tasks(report):
        for item in result.get("results", [result]):
            if "actions" in item:
                yield (host, task, item.get("item", "")), item


def _messages(report: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], Any]]:
    for host, task, result in _tasks(report):
        if "msg" in result and "results" not in result:
            yield (host, task.removeprefix("tunnelwright.ipsec.gateway : ")), result["msg"]


def _failures(report: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for host, task, result in _tasks(report):
        for item in result.get("results", [result]):
            if item.get("failed") or item.get("unreachable"):
                yield host, task, f"{item.get('msg')} {item.get('module_stderr', '')}".strip()


def _tasks(report: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for play in report["plays"]:
        for task in play["tasks"]:
            for host, result in task["hosts"].items():
                yield host, task["task"]["name"], result


def example_variables() -> dict[str, Any]:
    """Return the variables of both ends in examples/."""
    return dict(yaml.safe_load((EXAMPLES / "group_vars/gateways/vpn.yml").read_text()))
