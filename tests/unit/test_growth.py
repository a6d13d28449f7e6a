# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An input of eight times the length takes about eight times as long, even a hostile one.

The tests compare CPU times as a ratio, which holds on a machine of any speed. The ratio of a sort
is 8 to 11. The ratio of a comparison of all pairs is 64.
"""

from __future__ import annotations

import base64
import contextlib
import gc
import json
import time
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.filter.ipsec_fleet_mismatches import (
    ipsec_fleet_mismatches,
)
from ansible_collections.tunnelwright.ipsec.plugins.filter.ipsec_mismatches import (
    ipsec_mismatches,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._diagnose.explain import (
    Attempt,
    explain,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._diagnose.signs import (
    OUR_SIGNS,
    PEER_SIGNS,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import SyntaxFault
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.kernel.nft import Nft
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.tunnels.charon_log import (
    Log,
    LogLine,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.daemon import ALL_DAEMONS
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.gateway import Gateway
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import DEBIAN
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.network_steps import (
    ReloadUnits,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.observed import Observed
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.plan import Plan, joined
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.planner import make_plan
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.scope import Scope
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render import (
    masking,
    nft_listing,
    nft_text,
    pem,
    records,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.artefacts import artefacts
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.strongswan import (
    reader,
    section,
    strict,
)
from ansible_collections.tunnelwright.ipsec.plugins.plugin_utils._fleet import fleet
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers import ends, examples, fleets

Work = t.Callable[[], object]
FACTOR, MOST = 8, 24
# Seconds. A shorter time is lost in the noise of the machine.
LEAST = 0.004
# A measurement begins at this size at most. Larger sizes allocate memory, which takes time.
_LARGEST = 16_384

CASES: dict[str, t.Callable[[int], Work]] = {}


def case(make: t.Callable[[int], Work]) -> t.Callable[[int], Work]:
    """Register a function that makes work of a given size."""
    CASES[make.__name__] = make
    return make


def spent(work: Work, tries: int = 3) -> float:
    """Return the CPU seconds of the fastest try."""
    found = []
    gc.disable()
    try:
        for _each in range(tries):
            start = time.process_time()
            work()
            found.append(time.process_time() - start)
    finally:
        gc.enable()
    return min(found)


def ratio(make: t.Callable[[int], Work], size: int = 16) -> float:
    """Return how many times longer ``FACTOR`` times the work takes: the least of eight tries.

    Other tests run at the same time, which slows down one of the two measurements. Quadratic work
    has a ratio of 64 in every try.
    """
    while size < _LARGEST and spent(make(size), 1) < LEAST:
        size *= 2
    found = FACTOR * FACTOR * 1.0
    for _each in range(8):
        found = min(found, spent(make(size * FACTOR)) / max(spent(make(size)), LEAST / 4))
        if found < MOST:
            break
    return found


# Lines of logs. A peer can make them long with its identity, and can cause many lines.

LINES = (
    *(
        "x",
        " ",
        "[",
        "'",
        "...",
        " === ",
        "1",
        "tried 1 shared key for ",
        "IDir 'a' does not match",
    ),
    *("looking for peer configs matching a[", "looking for x peer configs matching a...b["),
    *("looking for x ", "traffic selectors a === ", "traffic selectors ", "CHILD_SA ", "IKE_SA "),
    *("found 1 matching config, but none allows ", "constraint requires a authentication, but "),
    *("constraint requires ", "no matching CHILD_SA config found for ", "received proposals: IKE:"),
    *(
        "not establishing CHILD_SA ",
        "no shared key found for 'a' - ",
        "sending packet: from 1[5] to ",
    ),
    *("destroying duplicate IKE_SA for peer '", "unable to resolve ", "charon[1]: ", "[IKE] <"),
)


@pytest.mark.parametrize("text", LINES)
def test_a_line(text: str) -> None:
    def make(size: int) -> Work:
        line = text * (size // len(text) + 1)
        attempt = Attempt(CONNECTION, CHILD, (line,), (line,))

        def work() -> None:
            explain(attempt)
            for sign in (*OUR_SIGNS, *PEER_SIGNS):
                for pattern in (sign.pattern, *sign.context):
                    pattern.search(line)

        return work

    assert ratio(make) < MOST


@pytest.mark.parametrize(
    "text",
    [
        "received packet: from 192.0.2.2[500] to 198.51.100.1[500]",
        "retransmit 1 of request with message ID 1",
        "giving up after 5 retransmits",
        "sending DPD request",
        "received proposals: IKE:AES_CBC_256/MODP_2048",
        "CHILD_SA net{1} established with SPIs a_i b_o",
        "no peer config found",
    ],
)
def test_lines(text: str) -> None:
    def make(size: int) -> Work:
        attempt = Attempt(CONNECTION, CHILD, (text,) * size, (text,) * size)
        return lambda: explain(attempt)

    assert ratio(make) < MOST


CHILD = examples.child()
CONNECTION = examples.connection(CHILD)


@case
def log_of_many_tunnels_to_one_peer(size: int) -> Work:
    lines = [LogLine("t", "no answer of 192.0.2.2", "IKE", "", f"1/{at}", 1) for at in range(size)]
    tunnels = [(f"c{at}", "192.0.2.2") for at in range(size)]
    return lambda: Log(lines).about(*tunnels)


# Files of strongSwan.


def conf(files: dict[str, str]) -> Work:
    def include(pattern: str) -> list[tuple[str, str]]:
        if pattern.endswith("*"):
            return [(path, files[path]) for path in files if path != "/r"]
        return [(pattern, files[pattern])]

    return lambda: reader.read("/r", files["/r"], include)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "#",
            "#\r",
            " #",
            " ",
            "\t\r",
            "\n",
            "a {",
            "a ",
            "a = ",
            'a = "',
            'a = "\\',
            "\\",
            "a : b, ",
        ),
        *("include x ", 'include "', 'a = "b"', "a = b\n", "s {\n}\n", "k {\nv = 1\n}\n"),
    ],
)
def test_a_configuration(text: str) -> None:
    def make(size: int) -> Work:
        whole = text * (size // len(text) + 1)

        def work() -> None:
            reader.read("/r", whole, lambda _pattern: [])
            with contextlib.suppress(SyntaxFault):
                strict.parse(whole)
            masking.masked(whole)

        return work

    assert ratio(make) < MOST


@pytest.mark.parametrize("text", ["a {\n}\n", "}\n", "name\n", "a {\n", '"', "a : b\n", "# x"])
def test_many_files(text: str) -> None:
    """Many files take linear time, even if every file has a fault. Valid files are read once."""
    assert (
        ratio(lambda size: conf({"/r": "include *", **{f"/{at}": text for at in range(size)}}))
        < MOST
    )


@case
def a_chain_of_files(size: int) -> Work:
    files = {f"/{at}": f"include /{at + 1}\n" for at in range(size)}
    return conf({"/r": "include /0", **files, f"/{size}": ""})


@case
def a_late_key_that_comes_again(size: int) -> Work:
    text = "".join(f"k{at} = v\n" for at in range(size)) + f"k{size - 1} = v\n" * size
    return lambda: strict.parse(text)


@case
def a_list_of_blanks(size: int) -> Work:
    return lambda: section.split_list(" " * size)


@case
def a_list_of_quotes(size: int) -> Work:
    return lambda: section.split_list(" \" '" * size)


# Rules of nftables.


@case
def rules_of_a_table(size: int) -> Work:
    rules = tuple(nft_text.Rule("ip saddr 10.0.0.1 drop", f"c{at}") for at in range(size))
    table = nft_text.Table("x", (nft_text.Chain("c", "", rules),))
    return lambda: nft_text.render(table)


@case
def a_listing_of_a_table(size: int) -> Work:
    rules = tuple(nft_text.Rule("ip saddr 10.0.0.1 drop", f"c{at}") for at in range(size))
    elements = tuple(nft_text.SetElement(f"10.0.0.0/24 . {at}", f"c{at}") for at in range(size))
    sets = (nft_text.NftSet("s", "ip saddr . ip daddr", elements),)
    text = nft_text.render(nft_text.Table("x", (nft_text.Chain("c", "", rules),), sets))
    return lambda: nft_listing.read_listing(nft_text.body(text))


def listed(*entries: dict[str, t.Any]) -> Nft:
    def run(argv: list[str], _stdin: str) -> tuple[int, str, str]:
        if argv[-1] == "tables":
            return 0, "table inet t\n", ""
        return 0, json.dumps({"nftables": entries}), ""

    adapter = Nft(run)
    adapter.foreign()
    return adapter


@case
def rules_of_ours_in_a_chain_of_others(size: int) -> Work:
    rule = {"family": "inet", "table": "t", "chain": "input", "comment": "p: x", "expr": []}
    adapter = listed(*({"rule": rule} for _each in range(size)))
    return lambda: adapter.own_rules_by_chain("p: ")


@case
def chains_of_others(size: int) -> Work:
    place = {"family": "inet", "table": "t"}
    hooked = {"hook": "input", "policy": "accept", **place}
    chains = [{"chain": {**hooked, "name": f"c{at}"}} for at in range(size)]
    rules = [
        {"rule": {**place, "chain": f"c{at}", "expr": [{"accept": None}]}} for at in range(size)
    ]
    adapter = listed(*chains, *rules)
    return adapter.foreign_chains


# Options of modules and filters.


def network(at: int, first: int = 10) -> str:
    return f"{first + at // 65536}.{at // 256 % 256}.{at % 256}.0/24"


def address(at: int, first: int = 198) -> str:
    return f"{first}.{at // 65536 + 18}.{at // 256 % 256}.{at % 256}"


def children(size: int, local: int = 10, remote: int = 172) -> list[dict[str, t.Any]]:
    return [
        {
            "name": f"n{at}",
            "local_network": [network(at, local)],
            "remote_network": [network(at, remote)],
        }
        for at in range(size)
    ]


def connections(size: int) -> Gateway:
    known = examples.gateway()
    made = {}
    for at in range(size):
        child = examples.child(phase1=f"c{at}", remote_network=[network(at, 172)])
        made[f"c{at}"] = examples.connection(child, name=f"c{at}", remote_gateway=address(at))
    return Gateway(known.networks, {}, made)


@case
def networks_of_a_child(size: int) -> Work:
    networks = [network(at, 20) for at in range(size)]
    return lambda: examples.child(local_network=networks)


@case
def networks_of_two_children(size: int) -> Work:
    one = examples.child(local_network=[network(at, 20) for at in range(size)])
    networks = [network(at, 172) for at in range(size)]
    other = examples.child(name="other", local_network=networks, remote_network=["10.2.0.0/24"])
    known = examples.gateway(examples.connection(one))
    return lambda: known.with_child(other)


@case
def routes_of_two_rules(size: int) -> Work:
    route = {"action": "route", "target": "10.1.0.254", "direction": None}
    rules = [
        examples.rule(**route, name=name, destination=[network(at, first) for at in range(size)])
        for name, first in (("one", 20), ("other", 40))
    ]
    known = examples.gateway(rules[0])
    return lambda: known.with_rule(rules[1])


@case
def a_record_of_many_children(size: int) -> Work:
    made = [examples.child(**child) for child in children(size)]
    connection = examples.connection().with_children(made)
    secrets = {"ike-site-b": {"secret": "0sYWJj"}}
    text = records.connection_text(connection, {"secrets": secrets}, loaded=True)
    return lambda: records.read_connection("/x", text)


@case
def a_plan_of_many(size: int) -> Work:
    plans = [Plan((ReloadUnits(),)) for _each in range(size)]
    return lambda: joined(plans)


@case
def a_plan_for_many_connections(size: int) -> Work:
    made, nothing = (
        artefacts(gateway, DEBIAN, userspace=False, credentials={})
        for gateway in (connections(size), Gateway())
    )
    scope = Scope(frozenset(made.networks), frozenset(made.swanctl), daemons=ALL_DAEMONS)
    return lambda: make_plan(nothing, made, Observed(), scope)


@case
def a_certificate_of_many_fields(size: int) -> Work:
    def der(body: bytes) -> bytes:
        return b"\x30\x83" + len(body).to_bytes(3, "big") + body

    text = base64.b64encode(der(der(b"\x02\x01\x00" * size)))
    whole = b"-----BEGIN CERTIFICATE-----\n" + text + b"\n-----END CERTIFICATE-----\n"
    return lambda: (pem.certificate(whole), pem.key_id(whole))


def tunnel(name: str, here: str, there: str, local: str, remote: str) -> dict[str, t.Any]:
    """Return a tunnel in the variables of a host."""
    phase2 = [{"name": "net", "local_network": [local], "remote_network": [remote]}]
    peers = {"local_address": here, "remote_gateway": there}
    return {"name": name, "network": "lan", "psk": examples.PSK, "phase2": phase2, **peers}


def host(name: str, *tunnels: dict[str, t.Any]) -> dict[str, t.Any]:
    return {"inventory_hostname": name, "gateway_phase1": list(tunnels)}


@case
def hosts_whose_peers_are_elsewhere(size: int) -> Work:
    hosts = {
        f"s{at}": host(
            f"s{at}", tunnel("x", address(at), address(at, 203), network(at), network(at, 172))
        )
        for at in range(size)
    }
    return lambda: ipsec_fleet_mismatches(hosts)


@case
def a_hub_with_many_spokes(size: int) -> Work:
    hub, behind = "192.0.2.1", "192.168.0.0/24"
    spokes = {
        f"s{at}": host(f"s{at}", tunnel("hub", address(at), hub, network(at), behind))
        for at in range(size)
    }
    own = [tunnel(f"s{at}", hub, address(at), behind, network(at)) for at in range(size)]
    hosts = {"hub": host("hub", *own), **spokes}
    return lambda: ipsec_fleet_mismatches(hosts)


@case
def two_hosts_with_many_tunnels(size: int) -> Work:
    one = [
        tunnel(f"t{at}", address(at), address(at, 203), network(at), network(at, 172))
        for at in range(size)
    ]
    other = [
        tunnel(f"t{at}", address(at, 203), address(at), network(at, 172), network(at))
        for at in range(size)
    ]
    return lambda: ipsec_mismatches(host("a", *one), host("b", *other))


@case
def two_ends_with_many_children(size: int) -> Work:
    ours = {**ends.LOCAL, "phase2": children(size)}
    theirs = {**ends.REMOTE, "phase2": children(size, 172, 10)}
    return lambda: ipsec_mismatches(ours, theirs)


@case
def two_ends_whose_children_do_not_meet(size: int) -> Work:
    ours = {**ends.LOCAL, "phase2": children(size)}
    theirs = {**ends.REMOTE, "phase2": children(size, 40, 60)}
    return lambda: ipsec_mismatches(ours, theirs)


@case
def two_ends_with_many_networks(size: int) -> Work:
    networks = [network(at) for at in range(size)]
    ours = ends.local({"local_network": networks})
    theirs = ends.remote({"remote_network": networks[::-1]})
    return lambda: ipsec_mismatches(ours, theirs)


@case
def a_fleet_of_many_gateways(size: int) -> Work:
    told = {
        f"gw{at}": fleets.host(fleets.phase1("p", fleets.phase2("lan", "up"))) for at in range(size)
    }
    return lambda: fleet(told)


@case
def a_gateway_with_many_tunnels(size: int) -> Work:
    told = [fleets.phase1(f"p{at}", fleets.phase2("lan", "down")) for at in range(size)]
    gateway = {"gw": fleets.host(*told)}
    return lambda: fleet(gateway)


# First sizes of cases in which small sizes do not show faster growth, because the work on each
# item is very long or very short.
BEGIN = {
    "hosts_whose_peers_are_elsewhere": 64,
    "two_hosts_with_many_tunnels": 64,
    "a_fleet_of_many_gateways": 1024,
    "a_certificate_of_many_fields": 16_384,
}


@pytest.mark.parametrize("name", CASES)
def test_growth(name: str) -> None:
    assert ratio(CASES[name], BEGIN.get(name, 16)) < MOST


def test_includes_that_double_end() -> None:
    """The reader refuses forty files that each include the next file twice: 10^12 files."""
    files = {f"/{at}": f"include /{at + 1}\n" * 2 for at in range(40)}
    found = conf({"/r": "include /0", **files, "/40": ""})()
    assert isinstance(found, reader.ReadResult)
    (fault,) = found.faults
    assert str(fault.place) == "/r, line 1"
    assert fault.why == "it includes more than 100000 files"
