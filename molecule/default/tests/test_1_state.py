# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The reports of charon, nft, ip and systemd after the playbook."""

from __future__ import annotations

import re

import pytest
from gateway import SCENARIO, Gateway

pytestmark = pytest.mark.usefixtures("tunnel")


def test_installed(near: Gateway) -> None:
    for package in ("charon-systemd", "strongswan-swanctl", "libstrongswan-standard-plugins"):
        assert near.host.package(package).is_installed
    # This package holds the userspace data plane, for a kernel without ESP.
    assert near.host.package("libcharon-extra-plugins").is_installed == userspace(near)
    assert not near.host.package("libstrongswan-extra-plugins").is_installed
    assert near.sh("python3 -c 'import vici; print(vici.Session.__name__)'") == "Session"


def userspace(gateway: Gateway) -> bool:
    return "ipsec0" in gateway.sh("ip link show")


def test_services(near: Gateway) -> None:
    for unit in ("strongswan", "tunnelwright-lan", "tunnelwright-lan6"):
        assert near.host.service(unit).is_running
        assert near.host.service(unit).is_enabled


def test_interface(near: Gateway) -> None:
    router4 = f"{near.lan4.network[1]}/24"
    router6 = f"{near.lan6.network[1]}/64"
    assert "state UP" in near.sh("ip -o link show vpn-lan")
    listed = near.sh("ip -o address show dev vpn-lan scope global")
    assert re.findall(r"inet6? (\S+)", listed) == [router4, router6]
    for setting in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
        assert near.host.sysctl(setting) == 1


def test_connection(near: Gateway, far: Gateway) -> None:
    connection = near.connections()[far.name]
    assert connection["version"] == "IKEv2"
    assert connection["local_addrs"] == [near.wan]
    assert connection["remote_addrs"] == [far.wan]
    assert connection["remote-1"]["id"] == far.wan
    assert connection["unique"] == "UNIQUE_REPLACE"
    selectors = {
        name: (child["mode"], child["local-ts"], child["remote-ts"])
        for name, child in connection["children"].items()
    }
    assert selectors == {
        "ipv4": ("TUNNEL", [str(near.lan4.network)], [str(far.lan4.network)]),
        "ipv6": ("TUNNEL", [str(near.lan6.network)], [str(far.lan6.network)]),
    }


def test_algorithms_in_use(near: Gateway, far: Gateway) -> None:
    for sa in near.ike_sas():
        assert sa["name"] == far.name
        assert (sa["encr-alg"], sa["encr-keysize"]) == ("AES_GCM_16", "256")
        assert (sa["prf-alg"], sa["dh-group"]) == ("PRF_HMAC_SHA2_384", "ECP_384")
    for child in near.child_sas().values():
        assert child["protocol"] == "ESP"
        assert (child["encr-alg"], child["encr-keysize"]) == ("AES_GCM_16", "256")


def test_files(near: Gateway, far: Gateway) -> None:
    file = near.host.file(f"/etc/swanctl/conf.d/tunnelwright.phase1.{far.name}.conf")
    assert (file.user, file.group, file.mode) == ("root", "root", 0o600)
    assert file.content_string.startswith("# Managed by the Ansible collection")


def test_rules(near: Gateway, far: Gateway) -> None:
    table = near.table()
    for comment in ("IKE", "NAT traversal", "ESP", "AH"):
        (rule,) = re.findall(rf'(.*) comment "{comment}"\n', table.split("chain nat_exemption")[0])
        assert rule.strip().startswith("ip saddr @peers4 ")
        assert rule.endswith(" accept")
    assert f"elements = {{ {far.wan} }}" in table
    for version, local, remote in ((4, near.lan4, far.lan4), (6, near.lan6, far.lan6)):
        out, back = f"{local.network} . {remote.network}", f"{remote.network} . {local.network}"
        label = f'comment "{far.name}/ipv{version}"'
        # For the guard with a counter, and for NAT exemption and MSS clamp without a counter.
        assert table.count(f"{out} counter {label}") == table.count(f"{out} {label}") == 1
        assert table.count(f"{back} counter {label}") == table.count(f"{back} {label}") == 1
        drops = re.findall(rf"@guard_out{version} counter drop", table)
        assert len(drops) == 2, "forwarded, and of the gateway itself"
        for name in ("out", "in"):
            assert len(re.findall(rf"@{name}{version} .* size set 1300", table)) == 1


def test_rules_of_the_operator(near: Gateway) -> None:
    (rule,) = re.findall(r'(.*) comment "no-telnet"\n', near.table())
    assert "dport 23 " in rule
    assert rule.endswith("reject with tcp reset")


def test_rules_hooked_into_a_firewall_that_drops(near: Gateway, far: Gateway) -> None:
    firewall = near.firewall()
    inputs, forwards = firewall.split("chain forward")[0], firewall.split("chain forward")[1]
    forwards = forwards.split("chain output")[0]
    # The rules of the networks stand above the rules of the administrator.
    assert "ct state" not in inputs[: inputs.index('comment "tunnelwright-lan: IKE"')]
    assert "vpn-lan" not in forwards[: forwards.rindex("tunnelwright-lan: tunnels")]
    for local, remote in ((near.lan4, far.lan4), (near.lan6, far.lan6)):
        for ends in ((local.network, remote.network), (remote.network, local.network)):
            pair = rf"saddr . ip6? daddr \{{ {ends[0]} . {ends[1]} \}} .*"
            accepts = re.findall(f'{pair}accept comment "tunnelwright-lan: tunnels"', forwards)
            assert len(accepts) == 1


def test_what_others_made_is_untouched(near: Gateway, far: Gateway) -> None:
    assert near.connections().keys() == {far.name, "handmade"}
    assert near.secrets() == [f"ike-{far.name}", "ike-handmade"]
    made = [path for path in (SCENARIO / "files").rglob("*") if path.is_file()]
    assert len(made) == 3
    for path in made:
        there = near.host.file(f"/{path.relative_to(SCENARIO / 'files')}")
        assert there.content_string == path.read_text()
    assert "masquerade" in near.sh("nft list table inet nat")
