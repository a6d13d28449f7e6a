# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A test host: runs of modules on it, its state, and the events of its IKE daemon."""

from __future__ import annotations

import contextlib
import io
import json
import shlex
import subprocess
import sysconfig
import tarfile
import time
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.tunnelwright.ipsec.tests.live.faults import READING

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "tests/live"
SITE = Path(sysconfig.get_path("purelib"))
COLLECTION = "ansible_collections/tunnelwright/ipsec"
LIBRARY = "/opt/tunnelwright-live"

Options = dict[str, t.Any]


Event = dict[str, t.Any]


def in_container(name: str) -> tuple[str, ...]:
    """Return the ``reach`` of a host that is a container."""
    return ("podman", "exec", "--interactive", name, "sh", "-c")


@dataclass(frozen=True)
class Run:
    """A run of a module: its output, and its commands to the IKE daemon."""

    result: dict[str, t.Any]
    commands: tuple[str, ...]
    seconds: float
    # The effects on the host, if the run counted them.
    effects: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        return bool(self.result.get("failed"))

    @property
    def changed(self) -> bool:
        return bool(self.result["changed"])

    @property
    def warnings(self) -> list[str]:
        """Return the texts of the warnings, as Ansible shows them."""
        return [item["event"]["msg"] for item in self.result.get("warnings", ())]

    @property
    def writing(self) -> tuple[str, ...]:
        """Return the commands that change the IKE daemon."""
        return tuple(item for item in self.commands if item.split()[0] not in READING)


@dataclass
class Sas:
    """The unique ids of the SAs that are up.

    The keys are ``connection`` for IKE SAs, and ``connection/child`` for Child SAs.
    """

    ike: dict[str, frozenset[str]] = field(default_factory=dict)
    child: dict[str, frozenset[str]] = field(default_factory=dict)


class Host:
    """A host with its driver, for one thread.

    ``reach`` is a command that runs its last word as a script in a shell on the host.
    """

    def __init__(self, name: str, reach: tuple[str, ...], ipv4: str, ipv6: str) -> None:
        self.name, self.reach, self.ipv4, self.ipv6 = name, reach, ipv4, ipv6
        # The environment variables of the driver, in the syntax of a shell.
        self.environment = ""
        self._driver: subprocess.Popen[str] | None = None

    def deliver(self) -> None:
        """Copy the modules, Ansible's library for modules, and vici to the host."""
        unpack = f"set -eu; rm -rf {LIBRARY}; mkdir {LIBRARY}; tar -x -C {LIBRARY}"
        subprocess.run([*self.reach, unpack], input=_library(), check=True)

    def ask(self, service: str, **arguments: t.Any) -> dict[str, t.Any]:
        """Send a request to the driver and return the answer. Raise when the request crashed."""
        driver = self._driver or self.start()
        assert driver.stdin is not None
        assert driver.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            driver.stdin.write(json.dumps({"do": service, **arguments}) + "\n")
            driver.stdin.flush()
        line = driver.stdout.readline()
        if not line:
            self.close()
            raise DriverGone(f"{self.name}: the driver ended with status {driver.returncode}")
        answer: dict[str, t.Any] = json.loads(line)
        assert "crash" not in answer, answer["crash"]
        return answer

    def start(self) -> subprocess.Popen[str]:
        """Start a new driver, which receives the next request."""
        self.close()
        self._driver = subprocess.Popen(
            [
                *self.reach,
                f"{self.environment} PYTHONPATH={LIBRARY} exec python3 {LIBRARY}/driver.py",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self._driver

    def close(self) -> None:
        """End the driver, if there is one."""
        if self._driver is not None:
            # The driver exits at the end of its input.
            self._driver.communicate(timeout=20)
            self._driver = None

    def run(self, module: str, options: Options, *, check: bool = False, diff: bool = True) -> Run:
        """Run a module, which may fail."""
        answer = self.ask("run", module=module, options=options, check=check, diff=diff)
        return Run(answer["result"], tuple(answer["commands"]), answer["seconds"])

    def apply(self, module: str, options: Options) -> Run:
        """Run a module, which must not fail."""
        run = self.run(module, options)
        assert not run.failed, f"{self.name}: {module} {options}: {run.result['msg']}"
        return run

    def counted(self, module: str, options: Options) -> Run:
        """Run a module and count its effects. The run must not fail."""
        run = self.befall(module, options)
        assert not run.failed, f"{self.name}: {module} {options}: {run.result['msg']}"
        return run

    def befall(self, module: str, options: Options, **mishap: t.Any) -> Run:
        """Run a module, count its effects, and cause a mishap at one of them.

        ``number`` is the number of the effect, ``when`` before or after it, ``script`` the mishap.
        """
        answer = self.ask("befall", module=module, options=options, mishap=mishap)
        assert "result" in answer, f"{self.name}: {mishap}: {answer}"
        effects = tuple(answer["effects"])
        return Run(answer["result"], tuple(answer["commands"]), answer["seconds"], effects)

    def killed(self, module: str, options: Options, **mishap: t.Any) -> bool:
        """Run a module, and return whether effect ``number`` or a ``script`` killed it."""
        answer = self.ask("befall", module=module, options=options, mishap=mishap)
        return "killed" in answer

    def sh(self, script: str, stdin: str = "") -> str:
        """Run lines of sh, which must all succeed. Return their output."""
        done = self.ask("shell", script=script, stdin=stdin)
        assert done["status"] == 0, f"{self.name}: {script}\n{done['output']}{done['errors']}"
        return str(done["output"])

    def vici(self, command: str, message: Options | None = None) -> dict[str, t.Any]:
        """Send a vici command of the test itself, and return the answer."""
        answer = self.ask("request", command=command, message=message or {})
        assert "refused" not in answer, f"{self.name}: {command} {message}: {answer['refused']}"
        return dict(answer["answer"])

    def state(self) -> dict[str, t.Any]:
        """Return the state without SAs: equal before and after a run that changes nothing."""
        return self.ask("state")

    def sas(self) -> Sas:
        found = Sas()
        for sa in self.ask("sas")["sas"]:
            if sa["state"] in ("ESTABLISHED", "REKEYING"):
                name = sa["name"]
                found.ike[name] = found.ike.get(name, frozenset()) | {sa["uniqueid"]}
                for item in sa.get("child-sas", {}).values():
                    if item["state"] in ("INSTALLED", "UPDATING", "REKEYING"):
                        key = f"{name}/{item['name']}"
                        known = found.child.get(key, frozenset())
                        found.child[key] = known | {item["uniqueid"]}
        return found

    def busy(self) -> bool:
        """Return whether the IKE daemon negotiates or deletes an SA."""
        return any(
            sa["state"] in ("CONNECTING", "DELETING")
            or sa.get("tasks-queued")
            or sa.get("tasks-active")
            for sa in self.ask("sas")["sas"]
        )

    @contextlib.contextmanager
    def listening(self, after: float = 0.0) -> t.Iterator[list[Event]]:
        """Record the events of the IKE daemon inside the block, and for ``after`` seconds more."""
        recorded: list[Event] = []
        self.ask("events", listen=True)
        try:
            yield recorded
            time.sleep(after)
        finally:
            recorded += self.ask("events", listen=False)["events"]

    def wait_for(self, *children: str, seconds: float = 15.0) -> Sas:
        """Wait until each ``connection/child`` has exactly one SA, and return all SAs."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = self.sas()
            if all(len(found.child.get(child, ())) == 1 for child in children):
                return found
            time.sleep(0.1)
        raise AssertionError(f"{self.name}: {children} are not up:\n{self.log()}")

    def lan(self, script: str) -> str:
        """Run lines of sh on the host behind this gateway. Return their output."""
        return self.sh(f"ip netns exec lan sh -euc {shlex.quote(script)}")

    @contextlib.contextmanager
    def capturing(self, device: str, expression: str, where: str = "") -> t.Iterator[list[str]]:
        """Record the packets inside the block: one line of tcpdump for each packet.

        The list is empty until the end of the block.

        ``where`` is a network namespace of the host.
        """
        inside = f"ip netns exec {where} " if where else ""
        # AppArmor only lets tcpdump write to files with such names.
        file = f"/run/{time.monotonic_ns()}.pcap"
        self.sh(
            f"{inside}tcpdump -Z root -U -n -i {device} -w {file} {shlex.quote(expression)} "
            f">{file}.said 2>&1 & echo $! >{file}.pid; for _ in $(seq 200); do "
            f"grep -q listening {file}.said && exit 0; sleep 0.05; done; cat {file}.said; exit 1"
        )
        lines: list[str] = []
        try:
            yield lines
        finally:
            # An emulated processor writes the packets late. Wait until the file stops growing, at
            # most ten seconds, because further packets may arrive.
            self.sh(
                f'old=; for _ in $(seq 10); do [ "$(stat -c %s {file})" != "$old" ] || break; '
                f"old=$(stat -c %s {file}); sleep 1; done; kill -INT $(cat {file}.pid); "
                f"while kill -0 $(cat {file}.pid) 2>/dev/null; do sleep 0.05; done"
            )
            told = self.sh(f"tcpdump -nn -tt -v -r {file} 2>/dev/null; rm -f {file}*")
            # Further lines of a packet are indented.
            lines += told.replace("\n    ", " ").splitlines()

    def log(self, lines: int = 40) -> str:
        """Return the last lines of the IKE daemon's log."""
        return self.sh(f"journalctl --unit strongswan --lines {lines} --output cat --no-pager")

    def wipe(self) -> None:
        """Remove every trace of the collection, and restart the IKE daemon."""
        self.sh(_WIPE)


class DriverGone(Exception):
    """The driver ended together with the module that it ran."""


_WIPE = """
systemctl stop 'tunnelwright-*.service'
# Also removes the rules in unmanaged tables.
for script in /etc/tunnelwright/*.sh; do [ ! -e "$script" ] || sh "$script" stop; done
rm -f /etc/systemd/system/tunnelwright-*.service /etc/systemd/system/*/tunnelwright-*.service
nft list tables inet | sed -n '/ tunnelwright-/s/^/delete /p' | nft -f -
for device in $(ip -o link | sed -nE 's/^[0-9]+: ([^:@]+).*alias VPN network .*/\\1/p'); do
    ip link delete dev "$device"
done
for version in -4 -6; do
    ip $version rule flush protocol 116
    ip $version route flush table all proto 116
done
for priority in 116 4294967294 4294967295; do ip xfrm policy deleteall priority $priority; done
rm -rf /etc/tunnelwright
find /etc/swanctl /etc/strongswan.d /etc/systemd/system -depth \
    '(' -name 'tunnelwright*' -o -name '.tunnelwright*' ')' -delete
rm -f /run/tunnelwright.unfinished* /run/tunnelwright.pending* /run/tunnelwright.known*
systemctl daemon-reload
# Resets the limit on starts in a short time.
systemctl reset-failed strongswan
systemctl restart strongswan
"""


def _library() -> bytes:
    """Return a tar archive with the files of AnsiballZ, the vici library and the driver."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        # Empty, because Ansible's own file is for controllers.
        archive.addfile(tarfile.TarInfo("ansible/__init__.py"))
        for path in ("ansible/release.py", "ansible/module_utils", "vici"):
            archive.add(SITE / path, path, filter=_source)
        place = f"{COLLECTION}/plugins/module_utils"
        archive.add(ROOT / "plugins/module_utils", place, filter=_source)
        for name in ("driver.py", "observed.py", "gateway_state.py", "faults.py"):
            archive.add(HERE / name, name)
    return packed.getvalue()


def _source(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "__pycache__" in member.name else member
