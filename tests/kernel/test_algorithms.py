# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of algorithms is neither too lax nor too strict.

Allowed combinations are negotiated between two releases, with traffic. Refused combinations are
given to both IKE daemons, which must not negotiate them, or negotiate other algorithms.
``ALGORITHMS`` is the time in seconds for each of the two tests. ``SEED`` draws the combinations.
``ALGORITHMS=all`` tests every combination, and with ``PART`` this part of them.
"""

from __future__ import annotations

import collections
import ipaddress
import os
import queue
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

import draw
import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.proposal import Use
from ansible_collections.tunnelwright.ipsec.tests.kernel.combinations import (
    Refusal,
    all_cases,
    all_refusals,
)
from ansible_collections.tunnelwright.ipsec.tests.kernel.machine import Machine
from ansible_collections.tunnelwright.ipsec.tests.kernel.negotiation import (
    AS_ASKED,
    Kernel,
    Lane,
)
from ansible_collections.tunnelwright.ipsec.tests.live.rig import speaks_ikev1

GATEWAYS = ("a", "b")
LANES = 2
SECONDS = os.environ.get("ALGORITHMS", "60")
SEED = draw.seed()

# The modules have AES-CTR in phase 2 only, although IKEv2 has a number for it (RFC 5930).
LEFT_OUT = {Refusal(2, Use.IKE, (("algorithm", "aes-ctr"),))}

Item = t.TypeVar("Item")

pytestmark = pytest.mark.drawn


@pytest.fixture(name="gateways", scope="module")
def _gateways(machines: dict[str, Machine]) -> dict[str, Machine]:
    return {name: machines[name] for name in GATEWAYS}


@pytest.fixture(name="lanes", scope="module")
def _lanes(machines: dict[str, Machine]) -> t.Iterator[list[Lane]]:
    kernels = {name: Kernel(machines[name]) for name in GATEWAYS}
    lanes = [
        Lane(number, {name: _beside(machines[name], number) for name in GATEWAYS}, kernels)
        for number in range(1, LANES + 1)
    ]
    try:
        for lane in lanes:
            lane.prepare()
        yield lanes
    finally:
        for lane in lanes:
            lane.close()
        for kernel in kernels.values():
            kernel.close()


def _beside(machine: Machine, number: int) -> Machine:
    """Return the same machine under other addresses: .111, .121 for .11."""
    ipv4, ipv6 = (
        str(ipaddress.ip_address(address) + 90 + 10 * number)
        for address in (machine.ipv4, machine.ipv6)
    )
    return Machine(machine.name, machine.testbed, ipv4, ipv6, machine.image)


def _sampled(
    items: list[Item], lanes: list[Lane], attempt: t.Callable[[Lane, Item], str]
) -> dict[Item, str]:
    """Return the results of as many ``items`` as the time allows, in random order."""
    waiting: queue.SimpleQueue[Item] = queue.SimpleQueue()
    chosen = draw.sample(items, 1) if SECONDS == "all" else draw.shuffled(items, "algorithms")
    for item in chosen:
        waiting.put(item)
    deadline = float("inf") if SECONDS == "all" else time.monotonic() + float(SECONDS)
    found: dict[Item, str] = {}

    def work(lane: Lane) -> None:
        while time.monotonic() < deadline and not waiting.empty():
            try:
                item = waiting.get_nowait()
            except queue.Empty:
                return
            found[item] = attempt(lane, item)

    with ThreadPoolExecutor(len(lanes)) as pool:
        list(pool.map(work, lanes))
    return found


def common_versions(gateways: dict[str, Machine]) -> set[int]:
    """Return the versions of IKE that both daemons have."""
    return {1, 2} if all(map(speaks_ikev1, gateways.values())) else {2}


def test_what_is_allowed_is_negotiated(
    gateways: dict[str, Machine], lanes: list[Lane], summarize: t.Callable[[str], None]
) -> None:
    versions = common_versions(gateways)
    cases = [case for case in all_cases() if case.version in versions]
    started = time.monotonic()
    found = _sampled(cases, lanes, Lane.negotiate)
    took = time.monotonic() - started
    initiated = collections.Counter(case.initiator for case, said in found.items() if not said)
    summarize(
        f"algorithms: {initiated.total()} of {len(cases)} combinations negotiated in {took:.0f} s, "
        f"{initiated['a']} from a and {initiated['b']} from b, SEED={SEED}"
    )
    failed = [f"{case}: {said}" for case, said in found.items() if said]
    assert not failed, "\n".join(failed)
    assert found


def test_what_is_refused_is_illegal(
    gateways: dict[str, Machine], lanes: list[Lane], summarize: t.Callable[[str], None]
) -> None:
    versions = common_versions(gateways)
    trials = [
        (refusal, name)
        for refusal in all_refusals()
        for name in GATEWAYS
        if refusal.version in versions
    ]
    started = time.monotonic()
    found = _sampled(trials, lanes, lambda lane, trial: lane.try_out(*trial))
    took = time.monotonic() - started
    verdicts = collections.Counter(said.split(":")[0] for said in found.values())
    told = ", ".join(f"{count} {word}" for word, count in sorted(verdicts.items()))
    summarize(
        f"algorithms: {len(found)} of {len(trials)} trials of refused combinations "
        f"in {took:.0f} s: {told}, SEED={SEED}"
    )
    undecided = [f"{trial[0]}: {said}" for trial, said in found.items() if "undecided" in said]
    assert not undecided, "\n".join(undecided)
    too_strict = {trial[0] for trial, said in found.items() if said == AS_ASKED}
    assert too_strict <= LEFT_OUT, "\n".join(map(str, too_strict - LEFT_OUT))
