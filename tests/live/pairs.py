# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Random pairs of the two ends of a tunnel. Most pairs differ in one or two values."""

from __future__ import annotations

import copy
import random
import typing as t
from dataclasses import dataclass, field

Options = dict[str, t.Any]

PSK = "the key that both ends should have"
OTHER_PSK = "the key that one of the ends has"
PPK = "the post-quantum key that both ends should have"
OTHER_PPK = "the post-quantum key that one of the ends has"

GROUPS = (14, 19, 31)
IKEV1_IKE: tuple[Options, ...] = (
    {"algorithm": "aes", "key_length": 256, "hash": "sha256"},
    {"algorithm": "aes", "key_length": 128, "hash": "sha1"},
    {"algorithm": "aes", "key_length": 192, "hash": "sha512"},
    {"algorithm": "camellia", "key_length": 256, "hash": "sha384"},
)
IKEV2_IKE: tuple[Options, ...] = (
    *IKEV1_IKE,
    {"algorithm": "aes-gcm", "key_length": 256, "prf": "sha384"},
    {"algorithm": "aes-gcm", "key_length": 128, "prf": "sha256"},
    {"algorithm": "chacha20-poly1305", "prf": "sha256"},
    {"algorithm": "aes", "key_length": 256, "hash": "sha256", "prf": "sha512"},
)
IKEV1_ESP: tuple[Options, ...] = (
    {"algorithm": "aes", "key_length": 256, "hash": "sha256"},
    {"algorithm": "aes", "key_length": 128, "hash": "sha1"},
    {"algorithm": "aes", "key_length": 128, "hash": "sha512"},
    {"algorithm": "aes-gcm", "key_length": 256},
)
IKEV2_ESP: tuple[Options, ...] = (
    *IKEV1_ESP,
    {"algorithm": "chacha20-poly1305"},
    {"algorithm": "aes-gcm", "key_length": 128},
)
# The networks of each side, by its number and the number of the phase 2, and networks of a twist.
_LAN4, _LAN6 = "10.{}{}.{}.0/20", "fd00:{}{}::/64"
_ELSEWHERE, _MORE = "10.77.0.0/24", "10.55.0.0/24"
_BOTH = [(side, number) for side in (1, 2) for number in (0, 1)]
LANS = (
    *(_LAN4.format(*which, third) for which in _BOTH for third in (0, 16)),
    *(_LAN6.format(*which) for which in _BOTH),
    _ELSEWHERE,
    _MORE,
)
IDENTITIES = ("{}.example.org", "{}@example.org", "@#{:x}", "C=CH, O=Example, CN={}")


@dataclass
class Ends:
    """Both ends as variables of the role. ``twists`` names the values that do not fit."""

    seed: int
    local: Options
    remote: Options
    twists: list[str] = field(default_factory=list)

    def phase1(self, side: str) -> Options:
        return t.cast("Options", getattr(self, side)["gateway_phase1"][0])


class Pairs:
    """A maker of pairs.

    ``addresses`` holds the addresses of local, of remote and of no host, by IP version.
    """

    def __init__(self, addresses: t.Sequence[t.Mapping[int, str]]) -> None:
        self.addresses = addresses

    def draw(self, seed: int) -> Ends:
        maker = _Maker(random.Random(seed), self.addresses)
        ends = maker.ends(seed)
        for _number in range(maker.random.choice((0, 1, 1, 1, 2))):
            twist = maker.random.choice(TWISTS)
            side = maker.random.choice(("local", "remote"))
            if twist(maker, ends, side):
                ends.twists.append(f"{twist.__name__.strip('_')} {side}")
        return ends


class _Maker:
    def __init__(self, source: random.Random, addresses: t.Sequence[t.Mapping[int, str]]) -> None:
        self.random = source
        self.addresses = addresses

    def ends(self, seed: int) -> Ends:
        """Return two ends that fit."""
        key_exchange = self.random.choices(("ikev2", "ikev1", "auto"), (6, 3, 1))[0]
        old = key_exchange != "ikev2"
        version = self.random.choices((4, 6), (4, 1))[0]
        common: Options = {
            "network": "lan",
            "key_exchange": key_exchange,
            "psk": PSK,
            "encryption": self._ike(old),
        }
        if key_exchange == "ikev1" and self.random.random() < 0.3:
            common["negotiation_mode"] = "aggressive"
        phase1 = [
            {
                "name": name,
                **copy.deepcopy(common),
                "remote_gateway": self.addresses[1 - index][version],
                "local_address": self.addresses[index][version],
                "connection_behavior": self.random.choice(
                    ("start", "on_demand", "on_demand", "responder_only")
                ),
            }
            for index, name in enumerate(("to-remote", "to-local"))
        ]
        self._identify(phase1)
        for number in range(self.random.choice((1, 1, 2))):
            for item, child in zip(phase1, self._children(number, old), strict=True):
                item.setdefault("phase2", []).append(child)
        for item in phase1:
            # The option is only needed in Aggressive Mode.
            if "negotiation_mode" not in item and self.random.random() < 0.5:
                del item["local_address"]
        return Ends(seed, *(_variables(item) for item in phase1))

    def _identify(self, phase1: list[Options]) -> None:
        if self.random.random() < 0.5:
            for index, form in enumerate(self.random.choices(IDENTITIES, k=2)):
                name = form.format(index + 17)
                phase1[index]["identifier"] = phase1[1 - index]["peer_identifier"] = name

    def _ike(self, old: bool) -> list[Options]:
        kinds = self.random.sample(IKEV1_IKE if old else IKEV2_IKE, self.random.randint(1, 3))
        return [{**kind, "dh_group": self.random.choice(GROUPS)} for kind in kinds]

    def _esp(self, old: bool) -> list[Options]:
        kinds = self.random.sample(IKEV1_ESP if old else IKEV2_ESP, self.random.randint(1, 3))
        groups: list[Options] = [{}, *({"dh_group": group} for group in GROUPS)]
        group = self.random.choice(groups)
        mixed = self.random.random() < 0.2
        return [{**kind, **(self.random.choice(groups) if mixed else group)} for kind in kinds]

    def _children(self, number: int, old: bool) -> tuple[Options, Options]:
        count = 1 if old else self.random.choice((1, 1, 2, 3))
        lans = [[self._lan(side, number, index) for index in range(count)] for side in (1, 2)]
        encryption = self._esp(old)

        def end(name: str, local: list[str], remote: list[str]) -> Options:
            return {
                "name": f"{name}{number}",
                "local_network": list(local),
                "remote_network": list(remote),
                "encryption": copy.deepcopy(encryption),
            }

        return end("net", lans[0], lans[1]), end("lan", lans[1], lans[0])

    def _lan(self, side: int, number: int, index: int) -> str:
        if index == 2:
            return _LAN6.format(side, number)
        return _LAN4.format(side, number, 16 * index)


def _variables(phase1: Options) -> Options:
    # The kernel of a container has no ESP.
    return {
        "gateway_networks": [
            {
                "name": "lan",
                "ip_address": "10.99.0.1",
                "network_address": "10.99.0.0/24",
                "dataplane": "userspace",
            }
        ],
        "gateway_phase1": [phase1],
    }


Twist = t.Callable[[_Maker, Ends, str], bool]


def _key(maker: _Maker, ends: Ends, side: str) -> bool:
    ends.phase1(side)["psk"] = OTHER_PSK
    return True


def _ppk(maker: _Maker, ends: Ends, side: str) -> bool:
    """Give one end a PPK, and mostly the other end the same, another one, or another identity."""
    sides = [ends.phase1(side), ends.phase1("remote" if side == "local" else "local")]
    if any(item["key_exchange"] != "ikev2" for item in sides):
        return False
    for item in sides[: maker.random.choice((1, 2, 2))]:
        item.update(ppk=PPK, ppk_id="ppk-of-both", ppk_required=maker.random.random() < 0.5)
    sides[0].update(maker.random.choice(({}, {}, {"ppk": OTHER_PPK}, {"ppk_id": "ppk-of-one"})))
    return True


def _version(maker: _Maker, ends: Ends, side: str) -> bool:
    """Change the version of IKE, if the algorithms suit both versions."""
    phase1 = ends.phase1(side)
    if phase1["key_exchange"] == "ikev2" or "negotiation_mode" in phase1:
        return False
    others = [item for item in ("ikev1", "ikev2", "auto") if item != phase1["key_exchange"]]
    phase1["key_exchange"] = maker.random.choice(others)
    return True


def _mode(maker: _Maker, ends: Ends, side: str) -> bool:
    return ends.phase1(side).pop("negotiation_mode", None) is not None


def _ike_order(maker: _Maker, ends: Ends, side: str) -> bool:
    maker.random.shuffle(ends.phase1(side)["encryption"])
    return True


def _ike_list(maker: _Maker, ends: Ends, side: str) -> bool:
    """Change the proposals. Both sides may share some of them."""
    ends.phase1(side)["encryption"] = maker._ike(ends.phase1(side)["key_exchange"] != "ikev2")
    return True


def _ike_group(maker: _Maker, ends: Ends, side: str) -> bool:
    item = maker.random.choice(ends.phase1(side)["encryption"])
    item["dh_group"] = maker.random.choice([group for group in GROUPS if group != item["dh_group"]])
    return True


def _identifier(maker: _Maker, ends: Ends, side: str) -> bool:
    """Change the identity, or remove it."""
    phase1 = ends.phase1(side)
    if "identifier" in phase1 and "negotiation_mode" not in phase1 and maker.random.random() < 0.5:
        del phase1["identifier"]
    else:
        phase1["identifier"] = maker.random.choice(IDENTITIES).format(99)
    return True


def _peer_identifier(maker: _Maker, ends: Ends, side: str) -> bool:
    phase1 = ends.phase1(side)
    if "peer_identifier" in phase1 and maker.random.random() < 0.3:
        del phase1["peer_identifier"]
    else:
        names = (*(item.format(99) for item in IDENTITIES), "*.example.org", "%any")
        phase1["peer_identifier"] = maker.random.choice(names)
    return True


def _anybody(maker: _Maker, ends: Ends, side: str) -> bool:
    phase1 = ends.phase1(side)
    phase1.update(remote_gateway="%any", connection_behavior="responder_only")
    return True


def _address(maker: _Maker, ends: Ends, side: str) -> bool:
    """Set the address of no host as the peer. The other end sets its own address explicitly."""
    phase1, other = ends.phase1(side), ends.phase1("remote" if side == "local" else "local")
    version = 6 if ":" in other["remote_gateway"] else 4
    if other["remote_gateway"] == "%any" or phase1["remote_gateway"] == "%any":
        return False
    other["local_address"] = phase1["remote_gateway"]
    phase1["remote_gateway"] = maker.addresses[2][version]
    return True


def _silence(maker: _Maker, ends: Ends, side: str) -> bool:
    for each in ("local", "remote"):
        ends.phase1(each)["connection_behavior"] = "responder_only"
    return True


def _esp_order(maker: _Maker, ends: Ends, side: str) -> bool:
    maker.random.shuffle(_child(maker, ends, side)["encryption"])
    return True


def _esp_list(maker: _Maker, ends: Ends, side: str) -> bool:
    old = ends.phase1(side)["key_exchange"] != "ikev2"
    _child(maker, ends, side)["encryption"] = maker._esp(old)
    return True


def _pfs(maker: _Maker, ends: Ends, side: str) -> bool:
    item = maker.random.choice(_child(maker, ends, side)["encryption"])
    group = maker.random.choice([None, *GROUPS])
    if group == item.pop("dh_group", None):
        group = None if group else 19
    if group:
        item["dh_group"] = group
    return True


def _wider(maker: _Maker, ends: Ends, side: str) -> bool:
    """Make one network larger or smaller than on the other side."""
    networks = _networks(maker, ends, side)
    if ":" in networks[0]:
        return False
    address = networks[0].partition("/")[0]
    networks[0] = f"{address}/{maker.random.choice((21, 24, 26))}"
    return True


def _everything(maker: _Maker, ends: Ends, side: str) -> bool:
    child = _child(maker, ends, side)
    if len(ends.phase1(side)["phase2"]) > 1 or child.get("mode") == "transport":
        return False
    child["remote_network"] = ["0.0.0.0/0"]
    return True


def _elsewhere(maker: _Maker, ends: Ends, side: str) -> bool:
    networks = _networks(maker, ends, side)
    if _ELSEWHERE in networks:
        # No peer accepts a network twice.
        return False
    if "mode" not in ends.phase1(side)["phase2"][0]:
        networks[maker.random.randrange(len(networks))] = _ELSEWHERE
    return True


def _fewer(maker: _Maker, ends: Ends, side: str) -> bool:
    networks = _networks(maker, ends, side)
    return len(networks) > 1 and bool(networks.pop())


def _several(maker: _Maker, ends: Ends, side: str) -> bool:
    """Set IKEv1 with several pairs, which the modules refuse and other products accept."""
    if ends.phase1(side)["key_exchange"] != "ikev1":
        return False
    networks = _networks(maker, ends, side)
    if _MORE in networks:
        return False
    networks.insert(maker.random.randrange(len(networks) + 1), _MORE)
    return True


def _unmirrored(maker: _Maker, ends: Ends, side: str) -> bool:
    child = _child(maker, ends, side)
    child["local_network"], child["remote_network"] = (
        child["remote_network"],
        child["local_network"],
    )
    return True


def _one_less(maker: _Maker, ends: Ends, side: str) -> bool:
    children = ends.phase1(side)["phase2"]
    return len(children) > 1 and bool(children.pop(maker.random.randrange(len(children))))


def _authenticated(maker: _Maker, ends: Ends, side: str) -> bool:
    """Set AH, which the data plane of the test can't carry."""
    child = _child(maker, ends, side)
    child.update(protocol="ah", encryption=[{"hash": "sha256", "dh_group": 14}])
    return True


def _transport(maker: _Maker, ends: Ends, side: str) -> bool:
    """Set gateway-to-gateway traffic, with transport mode on both ends or on one end."""
    both = maker.random.random() < 0.3
    for each in ("local", "remote"):
        phase1 = ends.phase1(each)
        if len(phase1["phase2"]) > 1 or phase1["remote_gateway"] == "%any":
            return False
    for index, each in enumerate(("local", "remote")):
        child = ends.phase1(each)["phase2"][0]
        version = 6 if ":" in ends.phase1(each)["remote_gateway"] else 4
        prefix = {4: 32, 6: 128}[version]
        hosts = [f"{item[version]}/{prefix}" for item in maker.addresses[:2]]
        child["local_network"], child["remote_network"] = [hosts[index]], [hosts[1 - index]]
        if both or each == side:
            child["mode"] = "transport"
    return True


def _encapsulated(maker: _Maker, ends: Ends, side: str) -> bool:
    ends.phase1(side)["force_udp_encapsulation"] = True
    return all(item.get("protocol") != "ah" for item in ends.phase1(side)["phase2"])


def _child(maker: _Maker, ends: Ends, side: str) -> Options:
    children = ends.phase1(side)["phase2"]
    return t.cast("Options", children[maker.random.randrange(len(children))])


def _networks(maker: _Maker, ends: Ends, side: str) -> list[str]:
    key = maker.random.choice(("local_network", "remote_network"))
    return t.cast("list[str]", _child(maker, ends, side)[key])


TWISTS: tuple[Twist, ...] = (
    _key,
    _ppk,
    _ppk,
    _version,
    _version,
    _mode,
    _ike_order,
    _ike_list,
    _ike_list,
    _ike_group,
    _identifier,
    _identifier,
    _peer_identifier,
    _peer_identifier,
    _anybody,
    _address,
    _silence,
    _esp_order,
    _esp_list,
    _esp_list,
    _pfs,
    _pfs,
    _pfs,
    _wider,
    _wider,
    _everything,
    _elsewhere,
    _fewer,
    _fewer,
    _several,
    _several,
    _unmirrored,
    _one_less,
    _authenticated,
    _transport,
    _encapsulated,
)
