# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules report and repair the changes that another administrator made to their objects."""

from __future__ import annotations

import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from ansible_collections.tunnelwright.ipsec.tests.live.host import Host, Run
from ansible_collections.tunnelwright.ipsec.tests.live.impact import seen, told
from ansible_collections.tunnelwright.ipsec.tests.live.rig import Rig

RECORD = "/etc/tunnelwright/lan.json"
FILE = "/etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf"
UP = ("site-b/net", "site-b/more")
# Loads an edited copy of the collection's file, as an administrator at a shell would.
BY_HAND = f"sed -i.bak '{{}}' {FILE}; swanctl --load-conns >/dev/null; mv {FILE}.bak {FILE}"


@dataclass(frozen=True)
class Drift:
    """A drift, made by the script ``by_hand``.

    ``module`` reports ``header`` and does ``actions``.
    """

    name: str
    by_hand: str
    header: str
    actions: tuple[str, ...]
    module: str = "ipsec_phase1"

    def __str__(self) -> str:
        return self.name


def on_all(rigs: dict[str, Rig], test: t.Callable[[Rig], None]) -> None:
    with ThreadPoolExecutor() as pool:
        list(pool.map(test, rigs.values()))


def both(device: Host, module: str, options: dict[str, t.Any]) -> Run:
    """Run a module in check mode, without check mode, and again. Return the second run.

    The check mode must predict the second run, and the third run must change nothing.
    """
    predicted = device.run(module, options, check=True)
    done = device.run(module, options)
    assert not done.failed, done.result["msg"]
    for key in ("changed", "actions", "diff", "impact", "impacts"):
        assert predicted.result[key] == done.result[key], key
    again = device.run(module, options)
    assert not again.changed, again.result["actions"]
    assert again.writing == ()
    return done


POLICIES = (
    Drift(
        "trap uninstalled",
        "swanctl --uninstall --child net --ike site-b",
        "policy of site-b/net",
        ("install the policy of site-b/net",),
    ),
    Drift(
        "all policies flushed from the kernel",
        "ip xfrm policy flush",
        "policy of site-b/net in the kernel",
        ("install the policy of site-b/net",),
    ),
    Drift(
        "shunt uninstalled",
        "swanctl --uninstall --child lan --ike tunnelwright-bypass-lan",
        "policy of tunnelwright-bypass-lan/lan",
        ("install the policy of tunnelwright-bypass-lan/lan",),
        "ipsec_settings",
    ),
    Drift(
        "shunt flushed from the kernel",
        "ip xfrm policy flush",
        "policy of tunnelwright-bypass-lan/lan in the kernel",
        (
            "uninstall the trap of tunnelwright-bypass-lan/lan",
            "install the policy of tunnelwright-bypass-lan/lan",
        ),
        "ipsec_settings",
    ),
    Drift(
        "a trap of a child that is not configured",
        f"""
        sed -i.bak 's/ net {{/ stray {{/' {FILE}; swanctl --load-conns >/dev/null
        swanctl --install --child stray --ike site-b >/dev/null
        mv {FILE}.bak {FILE}; swanctl --load-conns >/dev/null
        """,
        "site-b/stray in the IKE daemon",
        ("uninstall the trap of site-b/stray",),
    ),
    Drift(
        "unit file touched",
        "sleep 1; touch /etc/systemd/system/tunnelwright-lan.service",
        "units of network lan in systemd",
        ("reload systemd's unit files",),
        "vpn_network",
    ),
    Drift(
        "the unit of the rules touched",
        "sleep 1; touch /etc/systemd/system/tunnelwright-lan.guard.service",
        "units of network lan in systemd",
        ("reload systemd's unit files",),
        "vpn_network",
    ),
    Drift(
        "the unit of the rules switched off",
        "systemctl --quiet disable --now tunnelwright-lan.guard",
        "unit tunnelwright-lan.guard.service",
        ("start tunnelwright-lan.guard.service", "enable tunnelwright-lan.guard.service"),
        "vpn_network",
    ),
    Drift(
        "blocks against cleartext without the rules",
        "ip xfrm policy deleteall priority 4294967295 dir out",
        "network lan: blocks against cleartext",
        ("replace the nftables rules of network lan",),
        "vpn_network",
    ),
    Drift(
        "all rules flushed",
        "nft flush ruleset",
        "network lan: nftables rules",
        ("load the nftables rules of network lan",),
        "vpn_network",
    ),
    Drift("key readable by all", f"chmod 644 {FILE}", FILE, (f"write {FILE}",)),
    Drift(
        "file of another user behind a link",
        f"mv {FILE} /root/x; chown 1000:1000 /root/x; ln -s /root/x {FILE}",
        FILE,
        (f"write {FILE}",),
    ),
    Drift(
        "record of another user",
        f"chown 1000:1000 {RECORD}",
        RECORD,
        (f"write {RECORD}",),
        "vpn_network",
    ),
    Drift(
        "directory of the collection that all may write",
        "chmod 777 /etc/tunnelwright",
        "/etc/tunnelwright",
        ("set owner root and mode 0755 of /etc/tunnelwright",),
    ),
)


def objects_of(rig: Rig) -> dict[str, dict[str, t.Any]]:
    return {
        "vpn_network": rig.network(),
        "ipsec_settings": {"network": "lan"},
        "ipsec_phase1": rig.phase1(connection_behavior="on_demand"),
    }


def kernel(device: Host) -> list[str]:
    return sorted(device.sh("ip xfrm policy list dir out | grep ^src").splitlines())


class TestKernelPolicies:
    """Drift with the data plane of the kernel, which accepts policies here, but no SAs."""

    @pytest.fixture(name="rigs", scope="class")
    @classmethod
    def _rigs(cls, rigs: dict[str, Rig]) -> t.Iterator[dict[str, Rig]]:
        for rig in rigs.values():
            rig.device.wipe()
            rig.device.ask("kernel", esp=True)
            for module, options in objects_of(rig).items():
                rig.device.apply(module, options)
            rig.device.apply("ipsec_phase2", rig.phase2())
        yield rigs
        for rig in rigs.values():
            rig.device.ask("kernel", esp=False)
            rig.device.wipe()

    @pytest.mark.parametrize("drift", POLICIES, ids=str)
    def test_found_and_put_right(self, rigs: dict[str, Rig], drift: Drift) -> None:
        def found(rig: Rig) -> None:
            device, objects = rig.device, objects_of(rig)
            right = device.state(), kernel(device)
            device.sh(drift.by_hand)
            done = both(device, drift.module, objects[drift.module])
            headers = [item["before_header"] for item in done.result["diff"]]
            assert drift.header in headers, headers
            assert set(drift.actions) <= set(done.result["actions"]), done.result["actions"]
            assert done.result["impact"] == "none"
            # Another module repairs the rest.
            for module, options in objects.items():
                device.apply(module, options)
            assert (device.state(), kernel(device)) == right

        on_all(rigs, found)


# The impact is by the major release of strongSwan.
USURPERS = {
    "another peer timeout": ("s/dpd_delay = .*/dpd_delay = 77/", {"5": "ike", "6": "ike"}),
    "another child": (
        "s/remote_ts = 10.2.0.0.*/remote_ts = 10.2.0.0\\/25/",
        {"5": "child", "6": "child"},
    ),
    "all children otherwise": (
        "/^ *children/,$ s/rekey_time = .*/rekey_time = 1777/",
        {"5": "ike", "6": "child"},
    ),
}


def brought_up(device: Host, *children: str) -> None:
    """Bring children up, after a pause of one second.

    strongSwan 5.9.8 loses the children that it initiates on an IKE SA that is being closed.
    """
    time.sleep(1)
    for child in children or UP:
        connection, name = child.split("/")
        message = {"ike": connection, "child": name, "timeout": "5000"}
        device.ask("request", command="initiate", message=message)
    device.wait_for(*(children or UP))


class TestUsurper:
    """Another administrator loaded a connection under the name of a phase 1 whose SAs are up."""

    @pytest.fixture(name="rigs", scope="class")
    @classmethod
    def _rigs(cls, rigs: dict[str, Rig]) -> dict[str, Rig]:
        for rig in rigs.values():
            rig.device.wipe()
            rig.device.apply("vpn_network", rig.network())
            rig.device.apply("ipsec_phase1", rig.phase1())
            rig.device.apply("ipsec_phase2", rig.phase2())
            rig.device.apply("ipsec_phase2", rig.phase2("more", remote_network=["10.3.0.0/24"]))
            rig.device.wait_for(*UP)
        return rigs

    @pytest.mark.parametrize("name", USURPERS)
    def test_gives_way(self, rigs: dict[str, Rig], name: str) -> None:
        edit, impact = USURPERS[name]

        def gives_way(rig: Rig) -> None:
            device = rig.device
            right = device.state()
            device.sh(BY_HAND.format(edit))
            brought_up(device)
            before = device.sas()
            options = rig.phase1()
            predicted = device.run("ipsec_phase1", options, check=True)
            with device.listening(after=1.0) as events:
                done = both(device, "ipsec_phase1", options)
            assert predicted.result["impacts"] == done.result["impacts"]
            assert done.result["impact"] == impact[rig.version[0]], rig.release
            happened = seen(before, device.sas(), events)
            assert told(done, before) == happened, (rig.release, str(happened))
            device.wait_for(*UP)
            assert device.state() == right

        on_all(rigs, gives_way)

    def test_an_sa_of_a_child_that_is_not_configured_is_closed(self, rigs: dict[str, Rig]) -> None:
        def closed(rig: Rig) -> None:
            device = rig.device
            right = device.state()
            device.sh(BY_HAND.format("s/ more {/ stray {/; s/10.3.0.0/10.8.0.0/"))
            brought_up(device, "site-b/net", "site-b/stray")
            both(device, "ipsec_phase1", rig.phase1())
            found = device.wait_for(*UP)
            assert "site-b/stray" not in found.child
            assert device.state() == right

        on_all(rigs, closed)

    def test_other_algorithms_are_found_if_the_daemon_shows_them(
        self, rigs: dict[str, Rig]
    ) -> None:
        """strongSwan 6.0.7 and later show the proposals of a connection."""

        def found(rig: Rig) -> None:
            device = rig.device
            shows = "proposals" in device.sh("swanctl --list-conns --raw")
            assert shows is (rig.release not in ("5.9.8", "6.0.1"))
            if not shows:
                return
            right = device.state()
            device.sh(BY_HAND.format("s/proposals = aes[0-9]*/proposals = aes192/"))
            brought_up(device)
            done = both(device, "ipsec_phase1", rig.phase1())
            assert done.changed
            assert "AES_CBC_192" in str(done.result["diff"])
            device.wait_for(*UP)
            assert device.state() == right

        on_all(rigs, found)

    def test_unloaded_it_is_loaded_again(self, rigs: dict[str, Rig]) -> None:
        def loaded(rig: Rig) -> None:
            device = rig.device
            right = device.state()
            device.vici("unload-conn", {"name": "site-b"})
            while device.sas().ike:
                time.sleep(0.1)
            done = both(device, "ipsec_phase1", rig.phase1())
            assert done.result["actions"] == ["load connection site-b"]
            device.wait_for(*UP)
            assert device.state() == right

        on_all(rigs, loaded)
