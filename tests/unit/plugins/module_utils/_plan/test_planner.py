# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The laws of the planner, on random gateways and on a host that carries out every step."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.daemon import ALL_DAEMONS
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.gateway import Gateway
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.network import VpnNetwork
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import DEBIAN
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan import steps
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.observed import (
    DaemonState,
    NetworkState,
    Observed,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.planner import make_plan
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.scope import (
    Scope,
    files_in,
    touched,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.artefacts import (
    Artefacts,
    artefacts,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.file import File
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.simulated_host import (
    carried_out,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.strategies import gateways
from hypothesis import given, settings
from hypothesis import strategies as st

FOREIGN = Observed(
    files={"/etc/swanctl/conf.d/admin.conf": File("/etc/swanctl/conf.d/admin.conf", b"x")},
    daemon=DaemonState(
        version="5.9.8",
        connections={"admin": {"children": {}}},
        secrets=frozenset({"ike-admin"}),
        established={"admin": frozenset({"net"})},
        traps=frozenset({("admin", "net")}),
    ),
)


def rendered(gateway: Gateway, userspace: bool = False) -> Artefacts:
    return artefacts(gateway, DEBIAN, userspace=userspace, credentials={})


def everything(before: Artefacts, after: Artefacts) -> Scope:
    return Scope(
        frozenset({*before.networks, *after.networks}),
        frozenset({*before.swanctl, *after.swanctl}),
        daemons=ALL_DAEMONS,
    )


def brought_to(before: Artefacts, after: Artefacts, host: Observed) -> Observed:
    host = looked_at(before, after, host)
    plan = make_plan(before, after, host, everything(before, after))
    return carried_out(plan, host, after)


def looked_at(before: Artefacts, after: Artefacts, host: Observed) -> Observed:
    """Return the observed host. A network with a new device is observed on the new device."""
    states = dict(host.networks)
    for name, parts in after.networks.items():
        if name in before.networks and before.networks[name].network.device != parts.network.device:
            state = states.get(name, NetworkState())
            states[name] = replace(state, device_exists=False, device_up=False, addresses=())
    return replace(host, networks=states)


@settings(max_examples=60, deadline=None)
@given(gateways(), st.booleans())
def test_once_applied_there_is_nothing_left_to_do(gateway, userspace):
    nothing, wanted = rendered(Gateway()), rendered(gateway, userspace)
    host = brought_to(nothing, wanted, FOREIGN)
    again = make_plan(wanted, wanted, host, everything(wanted, wanted))
    assert not again, again.actions
    assert again.impact == "none"
    assert again.diff == []


@settings(max_examples=60, deadline=None)
@given(gateways(), gateways())
def test_whatever_came_before_the_host_ends_as_a_fresh_one(first, second):
    nothing, before, after = (rendered(item) for item in (Gateway(), first, second))
    changed = brought_to(before, after, brought_to(nothing, before, FOREIGN))
    fresh = brought_to(nothing, after, FOREIGN)
    assert changed.files == fresh.files
    assert changed.daemon.connections == fresh.daemon.connections
    assert changed.daemon.secrets == fresh.daemon.secrets
    assert {str(route) for route in changed.routes} == {str(route) for route in fresh.routes}
    for name in after.networks:
        states = (host.networks.get(name, NetworkState()) for host in (changed, fresh))
        attached = after.networks[name].network.attached
        first_state, second_state = (live(state, attached=attached) for state in states)
        assert first_state == second_state


def live(state: NetworkState, *, attached: bool) -> NetworkState:
    """Return a state without parts that a network keeps: forwarding, MTU, unmanaged interface."""
    state = replace(state, mtu=None, forwarding=frozenset())
    return replace(state, device_exists=True, device_up=True) if attached else state


@settings(max_examples=60, deadline=None)
@given(gateways())
def test_what_is_not_ours_survives_everything(gateway):
    nothing, wanted = rendered(Gateway()), rendered(gateway)
    host = brought_to(wanted, nothing, brought_to(nothing, wanted, FOREIGN))
    assert host.files == FOREIGN.files
    assert host.daemon == FOREIGN.daemon
    for state in host.networks.values():
        assert not any((state.enabled, state.active, state.rules_present))


@settings(max_examples=60, deadline=None)
@given(gateways(), st.data())
def test_every_drift_is_found_and_repaired(gateway, data):
    wanted = rendered(gateway)
    host = brought_to(rendered(Gateway()), wanted, FOREIGN)
    drifts = list(possible_drifts(wanted, host))
    if not drifts:
        return
    drifted = data.draw(st.sampled_from(drifts))
    plan = make_plan(wanted, wanted, drifted, everything(wanted, wanted))
    assert plan
    assert plan.diff
    repaired = carried_out(plan, drifted, wanted)
    assert not make_plan(wanted, wanted, repaired, everything(wanted, wanted))


def possible_drifts(wanted: Artefacts, host: Observed):
    for path in sorted(files_in(wanted, wanted, everything(wanted, wanted))):
        yield replace(host, files={key: host.files[key] for key in host.files if key != path})
        changed = replace(host.files[path], data=b"edited")
        yield replace(host, files={**host.files, path: changed})
        for other in ({"mode": 0o640}, {"owner": (0, 7)}, {"owner": (7, 0)}, {"link": "/x"}):
            yield replace(host, files={**host.files, path: replace(host.files[path], **other)})
    for parts in wanted.swanctl.values():
        for name in parts.connections:
            left = {key: item for key, item in host.daemon.connections.items() if key != name}
            yield replace(host, daemon=replace(host.daemon, connections=left))
            other = {**host.daemon.connections[name], "remote_addrs": ("203.0.113.9",)}
            loaded = {**host.daemon.connections, name: other}
            yield replace(host, daemon=replace(host.daemon, connections=loaded))
        for shared in parts.secrets:
            secrets = host.daemon.secrets - {shared.id}
            yield replace(host, daemon=replace(host.daemon, secrets=secrets))
    for name, parts in wanted.networks.items():
        if parts.network.started:
            state = host.networks[name]
            for drift in (
                {"device_exists": False},
                {"device_up": False},
                {"addresses": ()},
                {"rules_match": False},
                {"rules_present": False, "rules_match": False},
                {"enabled": False},
                {"active": False},
                {"forwarding": frozenset()},
            ):
                yield replace(host, networks={**host.networks, name: replace(state, **drift)})


@settings(max_examples=60, deadline=None)
@given(gateways())
def test_an_edit_of_nothing_touches_nothing(gateway):
    wanted = rendered(gateway)
    scope = touched(wanted, wanted, Scope())
    assert not make_plan(wanted, wanted, FOREIGN, scope)


@settings(max_examples=60, deadline=None)
@given(gateways())
def test_every_step_says_what_it_does_and_can_be_taken_back(gateway):
    nothing, wanted = rendered(Gateway()), rendered(gateway)
    plan = make_plan(nothing, wanted, FOREIGN, everything(nothing, wanted))
    host = carried_out(plan, FOREIGN, wanted)
    assert all(plan.actions)
    for step in reversed(plan.steps):
        back = step.undo()
        assert back is not None or isinstance(step, steps.LoadKey)
        if isinstance(back, (steps.RemoveFile, steps.UnloadConnection, steps.UnloadSecret)):
            host = carried_out(type(plan)((back,)), host, wanted)
    assert host.files == FOREIGN.files
    assert host.daemon.connections == FOREIGN.daemon.connections
    assert host.daemon.secrets == FOREIGN.daemon.secrets


def test_networks_on_one_interface_leave_each_other_their_addresses():
    lan = VpnNetwork.from_options(
        {"name": "lan", "ip_address": "10.1.0.1", "network_address": "10.1.0.0/24"}
    )
    lan6 = VpnNetwork.from_options(
        {
            "name": "lan6",
            "interface_network": lan.device,
            "ip_address": "fd00:1::1",
            "network_address": "fd00:1::/64",
        }
    )
    wanted = rendered(Gateway().with_network(lan).with_network(lan6))
    host = brought_to(rendered(Gateway()), wanted, FOREIGN)
    both = {
        name: replace(state, addresses=(lan.router, lan6.router))
        for name, state in host.networks.items()
    }
    assert not make_plan(
        wanted, wanted, replace(host, networks=both), everything(wanted, wanted)
    ).steps
