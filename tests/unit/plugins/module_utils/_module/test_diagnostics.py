# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole runs of ipsec_diagnostics, with the real AnsibleModule and scripted tools.

tests/live/test_info.py tests the commands with the real tools.
"""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.command import (
    with_packages,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.kernel import trace
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._module.spec import (
    DIAGNOSTIC_QUERIES,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.documents import returned
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    NETWORK,
    PHASE1,
    PHASE2,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.machine import Machine

IPSEC = "(udp port 500 or udp port 4500 or esp or ah)"
TRACE = """\
2026-01-31 12:00:00.000001 IP 198.51.100.1.500 > 192.0.2.2.500: isakmp: parent_sa ikev2_init[I]
2026-01-31 12:00:01.000001 IP 198.51.100.1.500 > 192.0.2.2.500: isakmp: parent_sa ikev2_init[I]
2026-01-31 12:00:02.000001 IP 192.0.2.2 > 198.51.100.1: ESP(spi=0x00000007,seq=0x1), length 68
2026-01-31 12:00:02.000001 eth0  In  IP6 ::2.4500 > ::1.4500: UDP-encap: ESP(spi=0x7,seq=0x1)
2026-01-31 12:00:02.000001 eth0  Out IP6 ::1.4500 > ::2.4500: NONESP-encap: isakmp: child_sa
2026-01-31 12:00:02.000001 IP 10.1.0.1 > 10.2.0.1: ICMP echo request, id 1, seq 1, length 64
2026-01-31 12:00:02.000001 ARP, Request who-has 10.1.0.1 tell 10.1.0.2, length 28
"""


class Tools:
    """Scripted tcpdump and ip. ``asked`` holds their arguments."""

    def __init__(self, root: Path) -> None:
        self.asked: list[list[str]] = []
        self.status = 0
        # The mode of the file of the trace when tcpdump is started.
        self.mode = 0
        self.errors = (
            "7 packets captured\n9 packets received by filter\n2 packets dropped by kernel"
        )
        self._root = root

    def __call__(self, argv: list[str], _stdin: str) -> tuple[int, str, str]:
        self.asked.append(argv)
        if argv[0] == "ip":
            return 0, '[{"dst":"192.0.2.2","dev":"eth7","prefsrc":"198.51.100.1"}]', ""
        if "-w" in argv and self.status in (0, 124):
            path = self._root / argv[argv.index("-w") + 1][1:]
            self.mode = path.stat().st_mode & 0o7777
            path.write_bytes(b"pcap")
        if "-r" in argv:
            return 0, TRACE, ""
        return self.status, "", self.errors

    @property
    def listening(self) -> list[str]:
        (found,) = [argv for argv in self.asked if "-w" in argv]
        return found


@pytest.fixture(name="tools")
def _tools(machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    machine.prepare(("vpn_network", NETWORK), ("ipsec_phase1", PHASE1), ("ipsec_phase2", PHASE2))
    tools = Tools(machine.host.root)
    monkeypatch.setattr(machine.host, "run", with_packages(tools))
    tmp_path.joinpath("root.run").mkdir()
    return tools


def entry(text: str, **more: str) -> dict[str, str]:
    return {"__REALTIME_TIMESTAMP": "1769860800000000", "MESSAGE": text, **more}


class TestLogs:
    @pytest.fixture(autouse=True)
    def _log(self, machine: Machine) -> None:
        machine.prepare(("vpn_network", NETWORK), ("ipsec_phase1", PHASE1))
        machine.host.journalctl = [
            entry("initiating", GROUP="IKE", IKE_SA_NAME="site-b", IKE_SA_UNIQUE_ID="1"),
            entry("received PROPOSALS", IKE_SA_UNIQUE_ID="1"),
            entry("initiating", IKE_SA_NAME="road", IKE_SA_UNIQUE_ID="2"),
        ]

    def lines(self, machine: Machine, **options: t.Any) -> list[str]:
        result = machine.run("ipsec_diagnostics", query="logs", **options)
        assert result["changed"] is False
        return [line.partition(" ")[2] for line in result["ipsec_diagnostics"]["lines"]]

    def test_all(self, machine: Machine) -> None:
        assert self.lines(machine) == [
            "[IKE] <site-b> initiating",
            "received PROPOSALS",
            "<road> initiating",
        ]

    @pytest.mark.parametrize("option", [{"phase1": "site-b"}, {"network": "lan"}])
    def test_of_something(self, machine: Machine, option: dict[str, str]) -> None:
        assert self.lines(machine, **option) == ["[IKE] <site-b> initiating", "received PROPOSALS"]

    def test_grep_is_a_text(self, machine: Machine) -> None:
        assert self.lines(machine, grep="proposals") == ["received PROPOSALS"]
        assert self.lines(machine, grep="initiating.*") == []

    def test_the_last_of_them(self, machine: Machine) -> None:
        result = machine.run("ipsec_diagnostics", query="logs", lines=1)["ipsec_diagnostics"]
        assert (result["total_lines"], len(result["lines"])) == (3, 1)
        assert result["lines"][0].endswith("<road> initiating")


class TestTrace:
    def test_root_alone_can_read_it(self, machine: Machine, tools: Tools) -> None:
        """Only root can read the trace from the first packet on, even if an older trace exists."""
        place = machine.host.root / machine.host.platform.trace_file[1:]
        for _again in range(2):
            machine.run("ipsec_diagnostics", query="tcpdump")
            assert tools.mode == 0o600
            assert place.stat().st_mode & 0o7777 == 0o600
            place.chmod(0o666)

    def test_towards_the_peer(self, machine: Machine, tools: Tools) -> None:
        result = machine.run("ipsec_diagnostics", query="tcpdump", phase1="site-b", seconds=3)
        found = result["ipsec_diagnostics"]
        assert found["interface"] == "eth7"
        assert found["filter"] == f"host 192.0.2.2 and {IPSEC}"
        assert (found["packets"], found["dropped"], found["size"]) == (7, 2, 4)
        argv = tools.listening
        assert argv[:4] == ["timeout", "--signal=INT", "--kill-after=5", "3"]
        assert argv[-2:] == ["--", found["filter"]]

    def test_flows(self, machine: Machine, tools: Tools) -> None:
        found = machine.run("ipsec_diagnostics", query="tcpdump", lines=2)["ipsec_diagnostics"]
        assert [tuple(flow.values()) for flow in found["flows"]] == [
            ("198.51.100.1.500", "192.0.2.2.500", "ike", 2),
            ("192.0.2.2", "198.51.100.1", "esp", 1),
            ("::2.4500", "::1.4500", "esp in udp", 1),
            ("::1.4500", "::2.4500", "ike", 1),
            ("10.1.0.1", "10.2.0.1", "icmp", 1),
        ]
        assert len(found["lines"]) == 2

    def test_every_interface(self, machine: Machine, tools: Tools) -> None:
        found = machine.run("ipsec_diagnostics", query="tcpdump")["ipsec_diagnostics"]
        assert (found["interface"], found["filter"]) == ("any", IPSEC)

    def test_the_one_interface_of_ike(self, machine: Machine, tools: Tools) -> None:
        machine.prepare(("vpn_network", {**NETWORK, "ike_interfaces": ["eth0"]}))
        found = machine.run("ipsec_diagnostics", query="tcpdump", network="lan")
        assert found["ipsec_diagnostics"]["interface"] == "eth0"

    def test_inside(self, machine: Machine, tools: Tools) -> None:
        options = {"query": "tcpdump", "interface": "inside", "filter": "icmp or udp"}
        found = machine.run("ipsec_diagnostics", phase1="site-b", **options)["ipsec_diagnostics"]
        assert found["interface"] == "vpn-lan"
        assert found["filter"] == "((net 10.1.0.0/24 and net 10.2.0.0/24)) and (icmp or udp)"
        found = machine.run("ipsec_diagnostics", network="lan", **options)["ipsec_diagnostics"]
        assert found["filter"] == "net 10.1.0.0/24 and (icmp or udp)"

    def test_what_is_not_encrypted_is_told_quietly(self, machine: Machine, tools: Tools) -> None:
        machine.run("ipsec_diagnostics", query="tcpdump", interface="eth0")
        machine.run("ipsec_diagnostics", query="tcpdump")
        quiet = ["-q" in argv for argv in tools.asked if "-r" in argv]
        assert quiet == [True, False]

    def test_check_mode_listens_to_nothing(self, machine: Machine, tools: Tools) -> None:
        options = {"query": "tcpdump", "phase1": "site-b", "filter": "esp"}
        real = machine.run("ipsec_diagnostics", **options)["ipsec_diagnostics"]
        tools.asked.clear()
        checked = machine.run("ipsec_diagnostics", check=True, **options)["ipsec_diagnostics"]
        assert not any("-w" in argv for argv in tools.asked)
        assert checked.keys() == real.keys()
        assert (checked["filter"], checked["pcap"]) == (real["filter"], None)


class TestConfiguration:
    @pytest.fixture(autouse=True)
    def _gateway(self, machine: Machine) -> None:
        other = {**PHASE1, "name": "site-c", "remote_gateway": "192.0.2.3"}
        machine.prepare(("vpn_network", NETWORK), ("ipsec_phase1", PHASE1), ("ipsec_phase1", other))

    def files(self, machine: Machine, **options: str) -> dict[str, str]:
        result = machine.run("ipsec_diagnostics", query="configuration", **options)
        return t.cast("dict[str, str]", result["ipsec_diagnostics"]["files"])

    def test_secrets_are_masked(self, machine: Machine) -> None:
        found = self.files(machine)
        text = found["/etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf"]
        assert "remote_addrs = 192.0.2.2" in text
        assert "secret = ********" in text
        assert "/etc/tunnelwright/lan.nft" in found

    def test_a_pipe_is_not_waited_for(self, machine: Machine) -> None:
        path = "/etc/swanctl/conf.d/road.conf"
        os.mkfifo(machine.host.root / path[1:])
        assert (
            self.files(machine)[path] == f"could not read {path}: it is a pipe, not a regular file."
        )

    def test_files_of_others(self, machine: Machine) -> None:
        path = machine.host.root / "etc/swanctl/conf.d/road.conf"
        path.write_text("# psk hunter2\nsecrets {\n  ike-r {\n    secret = hunter2\n  }\n}\n")
        spoilt = path.with_name("spoilt.conf")
        spoilt.write_text("secrets {\n  ike-r {\n    secret = hunter2\n")
        found = self.files(machine)
        assert "ike-r" in found["/etc/swanctl/conf.d/road.conf"]
        assert found["/etc/swanctl/conf.d/spoilt.conf"] == "********\n"
        assert "hunter2" not in str(found)

    def test_includes_are_no_reason_to_hide_a_file(self, machine: Machine) -> None:
        found = self.files(machine)
        assert found["/etc/strongswan.conf"] == "include strongswan.d/*.conf\ncharon {\n}\n"

    def test_of_one_phase1(self, machine: Machine) -> None:
        found = self.files(machine, phase1="site-b")
        assert [path for path in found if "phase1" in path] == [
            "/etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf"
        ]


class TestRefusals:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"query": "logs", "since": "1 day"}, "since '1 day': is not a period of time"),
            ({"query": "logs", "since": "32d"}, "up to 31d"),
            ({"query": "logs", "lines": 0}, "lines 0: is less than 1"),
            ({"query": "logs", "grep": "a\nb"}, "grep 'a\\nb': is not one line"),
            ({"query": "logs", "filter": "esp"}, "filter 'esp': has no effect with query logs"),
            # The options are refused at their defaults, too.
            ({"query": "logs", "seconds": 10}, "seconds 10: has no effect with query logs"),
            ({"query": "logs", "count": 5}, "Remove count, or set query to tcpdump."),
            ({"query": "configuration", "count": 1000}, "no effect with query configuration"),
            (
                {"query": "configuration", "lines": 200},
                "lines 200: has no effect with query configuration. Remove lines, or set query to "
                "logs or tcpdump.",
            ),
            ({"query": "tcpdump", "since": "1h"}, "Remove since, or set query to logs."),
            ({"query": "logs", "phase1": "nobody"}, "Use one of: site-b"),
            ({"query": "tcpdump", "grep": "x"}, "grep 'x': has no effect with query tcpdump"),
            ({"query": "tcpdump", "seconds": 301}, "seconds 301: is more than 300"),
            ({"query": "tcpdump", "count": 10001}, "count 10001: is more than 10000"),
            ({"query": "tcpdump", "interface": "$(id)"}, "interface '$(id)': is not a valid name"),
            ({"query": "tcpdump", "interface": "eth9"}, "Use one of: wan, inside, eth0, vpn-lan"),
            ({"query": "tcpdump", "interface": "inside"}, "network: is missing"),
            (
                {"query": "tcpdump", "network": "dmz", "phase1": "site-b"},
                "network 'dmz': does not have phase 1 site-b. Set network to lan",
            ),
        ],
    )
    def test_before_anything(
        self, machine: Machine, tools: Tools, options: dict[str, t.Any], message: str
    ) -> None:
        machine.prepare(("vpn_network", {"name": "dmz", "ip_address_type": "none"}))
        tools.asked.clear()
        result = machine.run("ipsec_diagnostics", **options)
        assert result["failed"]
        assert message in result["msg"]
        assert not tools.asked

    def test_a_filter_that_tcpdump_does_not_understand(
        self, machine: Machine, tools: Tools
    ) -> None:
        tools.status, tools.errors = 1, "tcpdump: can't parse filter expression: syntax error"
        result = machine.run("ipsec_diagnostics", query="tcpdump", filter="-w /etc/passwd")
        assert "filter '-w /etc/passwd': is not a filter of tcpdump" in result["msg"]
        (argv,) = tools.asked
        assert argv[-4:] == ["-y", "EN10MB", "--", "-w /etc/passwd"]

    def test_no_tcpdump(self, machine: Machine, tools: Tools) -> None:
        tools.status = 127
        tools.errors = "timeout: failed to run command 'tcpdump': No such file or directory\n"
        result = machine.run("ipsec_diagnostics", query="tcpdump")
        assert result["msg"] == (
            "could not run tcpdump: it is not installed. Install the Debian package tcpdump."
        )

    def test_one_at_a_time(self, machine: Machine, tools: Tools) -> None:
        with trace.exclusive("ipsec_diagnostics", path=machine.host.platform.trace_lock):
            result = machine.run("ipsec_diagnostics", query="tcpdump")
        assert "held for 0 s and more by ipsec_diagnostics" in result["msg"]


def test_results_are_as_documented(machine: Machine, tools: Tools) -> None:
    document = returned("ipsec_diagnostics")["ipsec_diagnostics"]["contains"]
    for query in DIAGNOSTIC_QUERIES:
        found = machine.run("ipsec_diagnostics", query=query)["ipsec_diagnostics"]
        told = {
            name
            for name, value in document.items()
            if value["returned"] == "always" or f"O(query={query})" in value["returned"]
        }
        assert found.keys() == told
        for flow in found.get("flows", ()):
            assert set(flow) == set(document["flows"]["contains"])
