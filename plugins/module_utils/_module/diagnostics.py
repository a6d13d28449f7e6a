# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The module ipsec_diagnostics: log, configuration and packet traces."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._errors import HostError, ModelError
from .._host.files.read_back import read_gateway
from .._host.host import Host
from .._host.kernel.trace import Listening, capture, check_filter, device_to
from .._host.tunnels.charon_log import MOST, Log, read_log
from .._host.vici.facts import Facts
from .._model import checks
from .._model.connection import IkeConnection
from .._model.gateway import Gateway
from .._model.platform import Platform
from .._render.advanced_tunnels import advanced_tunnels
from .._render.masking import masked
from .._render.pem_blocks import shown
from .edit import Params
from .selection import not_on_this_host
from .spec import DIAGNOSTIC_QUERIES, IPSEC_DIAGNOSTICS
from .task import drive_look

LOGS, TCPDUMP, CONFIGURATION = DIAGNOSTIC_QUERIES
WAN, INSIDE = "wan", "inside"

_SINCE = re.compile(r"([1-9][0-9]{0,5})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST = 31 * 86400
# The encrypted and negotiation traffic of IPsec.
_IPSEC = "(udp port 500 or udp port 4500 or esp or ah)"
_FLOWS = 50


@dataclass(frozen=True)
class Subject:
    """The subject of a query: one phase 1, or all phase 1 objects of a network or of the host.

    ``known`` are all of the host, and the connections of conf texts.
    """

    gateway: Gateway
    known: t.Mapping[str, IkeConnection]
    network: str | None
    phase1: IkeConnection | None

    @property
    def connections(self) -> tuple[IkeConnection, ...]:
        if self.phase1 is not None:
            return (self.phase1,)
        return tuple(item for item in self.known.values() if self.network in (None, item.network))


def run() -> None:
    """Run ipsec_diagnostics, which changes nothing."""
    drive_look(IPSEC_DIAGNOSTICS, "ipsec_diagnostics", look)


def look(host: Host, params: Params, *, check: bool) -> tuple[Facts, list[str]]:
    """Return the result, without warnings. Raises ModelError before any program, and HostError."""
    query = params["query"]
    if query != TCPDUMP:
        _has_no_use(params, TCPDUMP, "filter", "interface", "seconds", "count")
    if query != LOGS:
        _has_no_use(params, LOGS, "grep", "since")
    if query == CONFIGURATION:
        _has_no_use(params, f"{LOGS} or {TCPDUMP}", "lines")
    if query == TCPDUMP:
        return _tcpdump(host, params, check=check), []
    return (_logs if query == LOGS else _configuration)(host, params), []


def _has_no_use(params: Params, queries: str, *options: str) -> None:
    for option in options:
        if option in params.given:
            problem = f"has no effect with query {params['query']}"
            fix = f"Remove {option}, or set query to {queries}."
            raise ModelError(option, params[option], problem, fix)


def _subject(host: Host, params: Params) -> Subject:
    gateway = read_gateway(host.files)
    connections = {**gateway.connections, **advanced_tunnels(gateway)}
    chosen: dict[str, str | None] = {}
    for option, known in (("network", gateway.networks), ("phase1", connections)):
        name = chosen[option] = params[option]
        if name is not None and name not in known:
            raise not_on_this_host(option, name, known)
    phase1 = connections[chosen["phase1"]] if chosen["phase1"] is not None else None
    network = chosen["network"]
    if phase1 is not None and network not in (None, phase1.network):
        fix = f"Set network to {phase1.network}, or remove it."
        raise ModelError("network", network, f"does not have {phase1.subject}", fix)
    network = phase1.network if phase1 is not None else network
    return Subject(gateway, connections, network, phase1)


def _logs(host: Host, params: Params) -> Facts:
    since = _since(params["since"] or "1h")
    count = checks.number("lines", params["lines"], 1, MOST)
    wanted = _line_of_text("grep", params["grep"]) if params["grep"] is not None else ""
    subject = _subject(host, params)
    found = read_log(host.run, host.platform.daemon_unit, since=since)
    if subject.network is not None:
        tunnels = ((item.name, item.remote_gateway) for item in subject.connections)
        found = Log(found).about(*tunnels)
    lines = [str(line) for line in found]
    lines = [line for line in lines if wanted.casefold() in line.casefold()]
    return {"query": LOGS, "total_lines": len(lines), "lines": lines[-count:]}


def _since(text: str) -> int:
    match = _SINCE.fullmatch(text)
    seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
    if not 0 < seconds <= _LONGEST:
        fix = "Write a number with s, m, h or d, such as 15m, up to 31d."
        raise ModelError("since", text, "is not a period of time", fix)
    return seconds


def _line_of_text(option: str, value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 1000 or not value.isprintable():
        problem = "is not one line of printable text"
        raise ModelError(option, value, problem, "Use one line of 1 to 1000 characters.")
    return value


def _configuration(host: Host, params: Params) -> Facts:
    """Return masked texts of files. With phase1, files of other phase 1 objects are left out."""
    subject = _subject(host, params)
    platform = host.platform
    asked = {platform.connection_path(item.name) for item in subject.connections}
    others = {*host.files.find(platform.connection_path("*"))} - asked
    patterns = _patterns(platform)
    paths = [
        path for pattern in patterns for path in host.files.find(pattern) if path not in others
    ]
    return {"query": CONFIGURATION, "files": {path: _shown(host, path) for path in paths}}


def _shown(host: Host, path: str) -> str:
    try:
        file = host.files.read(path)
    except HostError as error:
        return str(error)
    text = file.data.decode("utf-8", "replace") if file is not None else ""
    if not path.endswith(".conf"):
        return shown(text)
    # An incomplete text would be hidden completely.
    includes = "".join(f"{line}\n" for line in _INCLUDE.findall(text))
    return shown(includes + masked(_INCLUDE.sub("", text)))


_INCLUDE = re.compile(r"^[ \t]*include[ \t].*$", re.MULTILINE)


def _patterns(platform: Platform) -> tuple[str, ...]:
    """Return the shell patterns of the files that make up the configuration."""
    return (
        platform.swanctl_conf,
        f"{platform.conf_dir}/*.conf",
        platform.strongswan_conf,
        f"{platform.strongswan_dir}/*.conf",
        platform.record_path("*"),
        platform.rules_path("*"),
    )


def _tcpdump(host: Host, params: Params, *, check: bool) -> Facts:
    seconds = checks.number("seconds", params["seconds"], 1, 300)
    count = checks.number("count", params["count"], 1, MOST)
    told = checks.number("lines", params["lines"], 1, MOST)
    filters = []
    if params["filter"] is not None:
        own = _line_of_text("filter", params["filter"])
        check_filter(host.run, own)
        filters = [f"({own})"]
    subject = _subject(host, params)
    side = params["interface"] or WAN
    device = _device(host, subject, side)
    base = _outside(subject) if side == WAN else _in_the_clear(subject)
    expression = " and ".join([*([base] if base else []), *filters])
    facts: Facts = {"query": TCPDUMP, "interface": device, "filter": expression}
    if check:
        return {**facts, "packets": 0, "dropped": 0, "flows": [], "lines": [], **_NO_FILE}
    what = Listening(device, expression, seconds, count, told, clear=side != WAN)
    trace = capture(host.run, host.files, what)
    keys = ("source", "destination", "kind", "packets")
    return {
        **facts,
        "packets": trace.packets,
        "dropped": trace.dropped,
        "flows": [dict(zip(keys, flow)) for flow in trace.flows[:_FLOWS]],
        "lines": list(trace.lines),
        "pcap": host.platform.trace_file,
        "size": trace.size,
    }


_NO_FILE = {"pcap": None, "size": 0}


def _device(host: Host, subject: Subject, side: str) -> str:
    if side == WAN:
        return _wan(host, subject)
    if side == INSIDE:
        if subject.network is None:
            fix = "Give the name of a VPN network."
            raise ModelError("network", None, "is missing for interface inside", fix)
        return subject.gateway.networks[subject.network].device
    name = checks.interface_name("interface", side)
    existing = host.link.names()
    if name not in existing:
        fix = f"Use one of: {', '.join([WAN, INSIDE, *existing])}."
        raise ModelError("interface", name, "does not exist on this host", fix)
    return name


def _wan(host: Host, subject: Subject) -> str:
    """Return the interface towards the peer, or ``any`` if it is unknown."""
    if subject.phase1 is not None and subject.phase1.peer_address is not None:
        address = str(subject.phase1.peer_address)
        device = device_to(host.run, address)
        if device is None:
            operation = f"find the interface to {subject.phase1.subject}"
            advice = "Add a route to that address, or set the option interface."
            raise HostError(operation, f"the host has no route to {address}", advice)
        return device
    network = subject.gateway.networks.get(subject.network or "")
    if network is not None and len(network.ike_interfaces) == 1:
        return network.ike_interfaces[0]
    return "any"


def _outside(subject: Subject) -> str:
    peer = subject.phase1.peer_address if subject.phase1 is not None else None
    return f"host {peer} and {_IPSEC}" if peer is not None else _IPSEC


def _in_the_clear(subject: Subject) -> str:
    """Return a filter for the traffic of the tunnel or of the network."""
    if subject.phase1 is not None:
        pairs = [
            f"(net {local.network} and net {remote.network})"
            for child in subject.phase1.children
            for local, remote in child.selector_pairs
        ]
        return f"({' or '.join(pairs)})" if pairs else ""
    network = subject.gateway.networks.get(subject.network or "")
    inside = network.network_address if network is not None else None
    return f"net {inside}" if inside is not None else ""
