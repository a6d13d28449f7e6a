# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Packet traces with tcpdump: bounded in time, in packets and in bytes of each."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ..._errors import HostError, ModelError
from ..._render.file import PRIVATE, File
from ..command import Run, last_words, output
from ..files.files import Files
from ..run.lock import exclusive

# A whole packet of an ordinary link, so that IKE can be read.
SNAP_LENGTH = 1600
# For a filter that names a host, and so asks name servers; and to print a trace.
_PATIENCE = 20
_TIMED_OUT = 124

_COUNTS = re.compile(r"^(\d+) packets? (dropped by kernel)", re.MULTILINE)
# The time, on `any` the interface and the direction, and the two ends.
_PACKET = re.compile(r"^\S+ \S+ (?:\S+ +(?:In|Out|B|M|P) +)?IP6? (\S+) > (\S+): (.*)$")


@dataclass(frozen=True)
class Trace:
    """``flows`` count packets by source, destination and kind, most packets first."""

    packets: int
    dropped: int
    size: int
    flows: tuple[tuple[str, str, str, int], ...]
    lines: tuple[str, ...]


def check_filter(run: Run, text: str) -> None:
    """Have tcpdump compile a filter, for Ethernet, without listening to anything.

    Raises ModelError for one that it does not understand; with ``--`` none is taken for an option.
    """
    status, _printed, errors = run(_bounded(["tcpdump", "-d", "-y", "EN10MB", "--", text]), "")
    if status != 0:
        problem = f"is not a filter of tcpdump: {last_words(errors, status)}"
        fix = "Write an expression as pcap-filter(7) describes it."
        raise ModelError("filter", text, problem, fix)


def device_to(run: Run, address: str) -> str | None:
    """Return the interface for packets to an address, or None without a route."""
    status, printed, _errors = run(["ip", "-j", "route", "get", address], "")
    found = re.search(r'"dev":"([^"]+)"', printed) if status == 0 else None
    return found[1] if found else None


@dataclass(frozen=True)
class Listening:
    """A trace to make. ``clear``: of unencrypted traffic, of which the result holds no content.

    ``told`` is the number of packets that are printed.
    """

    device: str
    expression: str
    seconds: int
    count: int
    told: int
    clear: bool


def capture(run: Run, files: Files, what: Listening) -> Trace:
    """Listen, and leave the packets in ``trace_file``. One at a time, for they share the file."""
    platform = files.platform
    path = platform.trace_file
    with exclusive("ipsec_diagnostics", path=platform.trace_lock, patience=0):
        files.make_private_directory(platform.state_dir)
        # tcpdump goes by the umask, but keeps the mode of a file that is there.
        files.write(File(path, b"", PRIVATE))
        # On SIGINT it ends like after its limit.
        argv = ["timeout", "--signal=INT", "--kill-after=5", str(what.seconds)]
        argv += ["tcpdump", "-n", "-p", "-i", what.device, "-s", str(SNAP_LENGTH)]
        argv += ["-c", str(what.count), "-Z", "root", "-w", path, "--", what.expression]
        status, printed, errors = run(argv, "")
        if status not in (0, _TIMED_OUT):
            why = last_words(errors or printed, status)
            raise HostError(f"trace packets on {what.device}", why)
        counts = {kind: int(number) for number, kind in _COUNTS.findall(errors)}
        lines = _read(run, path, quiet=what.clear).splitlines()
        file = files.read(path)
        return Trace(
            len(lines),
            counts.get("dropped by kernel", 0),
            len(file.data) if file is not None else 0,
            _flows(lines),
            tuple(lines[: what.told]),
        )


def _read(run: Run, path: str, *, quiet: bool) -> str:
    """Return the lines of tcpdump. ``quiet`` shows only the protocol of a payload."""
    argv = ["tcpdump", *(["-q"] if quiet else []), "-nn", "-tttt", "-r", path]
    return output(run, "read the trace", _bounded(argv))


def _flows(lines: t.Iterable[str]) -> tuple[tuple[str, str, str, int], ...]:
    counted: dict[tuple[str, str, str], int] = {}
    for line in lines:
        match = _PACKET.match(line)
        if match:
            flow = (match[1], match[2], _kind(match[1], match[2], match[3]))
            counted[flow] = counted.get(flow, 0) + 1
    return tuple((*flow, counted[flow]) for flow in sorted(counted, key=lambda key: -counted[key]))


def _kind(source: str, destination: str, told: str) -> str:
    for sign, kind in (("UDP-encap", "esp in udp"), ("isakmp", "ike"), ("ESP(", "esp")):
        if sign in told:
            return kind
    if told.startswith("AH("):
        return "ah"
    if {source.rpartition(".")[2], destination.rpartition(".")[2]} & {"500", "4500"}:
        return "ike"
    return told.split(maxsplit=1)[0].strip(",:").lower() if told else "ip"


def _bounded(argv: list[str]) -> list[str]:
    return ["timeout", str(_PATIENCE), *argv]
