# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Failures between two gateways, and how to provoke each.

In texts, ``{caller}`` and ``{peer}`` are the addresses of initiator and peer. `provoke.py` sets
them up.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.tunnelwright.ipsec.tests.live.host import Options

PSK = "the key that both sides should have"
OTHER_PSK = "the key that one side has in its place"
PPK = "the post-quantum key that both sides should have"
OTHER_PPK = "the post-quantum key that one side has in its place"

AES, STRONGER = "aes256-sha256-modp2048", "aes128gcm16-prfsha384-ecp384"
AES128 = [{"algorithm": "aes", "key_length": 128}]
V1, V2 = {"key_exchange": "ikev1"}, {"key_exchange": "ikev2"}
AGGRESSIVE = {**V1, "negotiation_mode": "aggressive", "local_address": "{caller}"}
HAS_PPK = {"ppk": PPK, "ppk_id": "ppk-us"}
NEEDS_PPK = {**HAS_PPK, "ppk_required": True}
NAMED = {"identifier": "us.example"}
WRONG = "wrong.example"
SILENT = {"timeout": 6}

# strongSwan only responds to Aggressive Mode with a PSK if this option is set.
CARELESS = """
echo 'charon {{ i_dont_care_about_security_and_use_aggressive_mode_psk = yes }}' \
    >/etc/strongswan.d/careless.conf
swanctl --reload-settings
"""
CAREFUL = """
rm -f /etc/strongswan.d/careless.conf
swanctl --reload-settings
"""


def drop(hook: str, rule: str) -> str:
    """Return commands that make this host drop packets."""
    return f"""
    nft add table inet lossy
    nft add chain inet lossy {hook} '{{{{ type filter hook {hook} priority -400; }}}}'
    nft add rule inet lossy {hook} {rule}
    """


def python(statement: str) -> str:
    """Return a vici request of the test as a command, with doubled braces."""
    return f'python3 -c "import vici; s = vici.Session(); {statement}"'


def transport(version: str) -> str:
    """Return a command that loads a tunnel in transport mode.

    The module refuses transport mode in this data plane.
    """
    return python(
        "s.request('load-conn', {{'site-b': {{'version': '"
        + version
        + "', 'remote_addrs': ['{peer}'], 'proposals': ['aes256-sha256-modp2048'], "
        "'local': {{'auth': 'psk'}}, 'remote': {{'auth': 'psk', 'id': '{peer}'}}, "
        "'children': {{'net': {{'mode': 'transport', 'esp_proposals': ['aes256-sha256'], "
        "'local_ts': ['10.1.0.0/24'], 'remote_ts': ['10.2.0.0/24']}}}}}}}})"
    )


# The tunnel comes up with another encryption than its file has. Then charon loads the file again.
OLD_VALUES = """
sed /esp_proposals/s/aes256/aes128/ /etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf \
    >/etc/swanctl/old.conf
swanctl --load-conns --file /etc/swanctl/old.conf
swanctl --initiate --child net --timeout 5
rm /etc/swanctl/old.conf
swanctl --load-all --noprompt
"""
# The initiator's connection with an identity that its certificate lacks. The module refuses it.
UNHELD = python(
    "c = next(iter(s.list_conns()))['site-b']; "
    "pem = lambda kind: [open('/etc/swanctl/' + kind + '/tunnelwright.site-b.pem', 'rb').read()]; "
    "s.request('load-conn', {{'site-b': {{'version': c['version'].decode()[-1], "
    "'remote_addrs': ['{peer}'], 'proposals': ['aes256-sha256-modp2048'], "
    "'local': {{'auth': 'pubkey', 'id': 'wrong.example', 'certs': pem('x509')}}, "
    "'remote': {{'auth': 'pubkey', 'id': 'peer.example', 'cacerts': pem('x509ca')}}, "
    "'children': {{'net': {{'esp_proposals': ['aes256-sha256-modp2048'], "
    "'local_ts': ['10.1.0.0/24'], 'remote_ts': ['10.2.0.0/24']}}}}}}}})"
)
NO_PPK = python("s.request('unload-shared', {{'id': 'ppk-site-b'}})")
NO_KEY = python("[s.request('unload-key', {{'id': key}}) for key in s.request('get-keys')['keys']]")


NOTHING_LOST = "nft delete table inet lossy"


@dataclass(frozen=True)
class Failure:
    """A failure. ``cause`` is its code, or empty for a tunnel that comes up.

    ``phase1`` and ``phase2`` override the options of the initiator, ``conn`` and ``child`` the
    connection of the peer. ``psk`` is the key of the peer, and ``ppks`` are its PPKs by identity.
    Scripts ``at_caller`` and ``at_peer`` run after the setup.
    """

    label: str
    cause: str
    phase1: Options = field(default_factory=dict)
    phase2: Options = field(default_factory=dict)
    conn: Options = field(default_factory=dict)
    child: Options = field(default_factory=dict)
    psk: str = PSK
    ppks: t.Mapping[str, str] = field(default_factory=dict)
    loaded: bool = True
    at_caller: str = ""
    at_peer: str = ""
    mend_caller: str = ""
    mend_peer: str = ""
    options: Options = field(default_factory=dict)
    # The CA certificates and CRLs that the peer knows, for a failure with certificates. The files
    # are in `PKI`.
    certified: tuple[str, ...] = ()
    # The certificates of each side, its own first.
    ours: tuple[str, ...] = ("first",)
    theirs: tuple[str, ...] = ("peer",)
    # The causes that the initiator's files show without a log, see `own_certificate.py`.
    faults: tuple[str, ...] = ()
    # The side whose strongSwan must be older than release 6, if the failure needs it.
    old: str = ""
    # The side on which the modules assume ESP in the kernel, although the kernel lacks ESP.
    kernel: str = ""

    def __str__(self) -> str:
        return self.label

    @property
    def ikev1(self) -> bool:
        return self.phase1.get("key_exchange") == "ikev1"


def _versions(
    label: str, cause: str, *, v1: str = "", options: Options | None = None, **more: t.Any
) -> tuple[Failure, Failure]:
    """Return the failure with IKEv2 and with IKEv1. ``v1`` is a different cause with IKEv1."""
    first = {**more, "phase1": {**V1, **more.get("phase1", {})}}
    first["conn"] = {"version": "1", **more.get("conn", {})}
    given = options or {}
    return (
        Failure(f"{label}, IKEv2", cause, options=given, **more),
        Failure(f"{label}, IKEv1", v1 or cause, options=given or SILENT, **first),
    )


_NEEDS = {"ppk_id": "ppk-us", "ppk_required": "yes"}
_ANOTHER = {"ppk-another": OTHER_PPK}

AUTHENTICATION = (
    *_versions("other PSK", "psk_mismatch", psk=OTHER_PSK),
    Failure(
        "other PSK, Aggressive Mode",
        "psk_mismatch",
        phase1=AGGRESSIVE,
        conn={"version": "1", "aggressive": "yes"},
        psk=OTHER_PSK,
        at_peer=CARELESS,
        mend_peer=CAREFUL,
        options=SILENT,
    ),
    *_versions(
        "no PSK at the initiator",
        "psk_missing",
        at_caller=python(
            "[s.request('unload-shared', {{'id': key}}) for key in s.request('get-shared')['keys']]"
        ),
    ),
    *_versions("no PSK at the peer", "psk_missing_at_peer", psk=""),
    *(
        Failure(label, cause, phase1=phase1, conn=conn, ppks=ppks)
        for label, cause, phase1, conn, ppks in (
            ("other PPK", "ppk_mismatch", HAS_PPK, {"ppk_id": "ppk-us"}, {"ppk-us": OTHER_PPK}),
            ("other PPK, required", "ppk_mismatch", NEEDS_PPK, _NEEDS, {"ppk-us": OTHER_PPK}),
            ("other ppk_id", "ppk_id_mismatch", HAS_PPK, {"ppk_id": "ppk-them"}, {"ppk-them": PPK}),
            ("PPK required, none at the peer", "ppk_missing_at_peer", NEEDS_PPK, {}, {}),
            ("PPK required, another at the peer", "ppk_missing_at_peer", NEEDS_PPK, {}, _ANOTHER),
            (
                "PPK required by both, another at the peer",
                *("ppk_missing_at_peer", NEEDS_PPK, _NEEDS, _ANOTHER),
            ),
            ("PPK required by the peer", "ppk_required_by_peer", {}, _NEEDS, {"ppk-us": PPK}),
            ("PPK required by the peer, not loaded there", "ppk_not_loaded", HAS_PPK, _NEEDS, {}),
        )
    ),
    Failure(
        "other PSK, and another PPK at the peer",
        "psk_mismatch",
        phase1=HAS_PPK,
        psk=OTHER_PSK,
        ppks=_ANOTHER,
    ),
    Failure(
        "PPK required, not loaded at the initiator",
        "ppk_missing",
        phase1=NEEDS_PPK,
        conn=_NEEDS,
        ppks={"ppk-us": PPK},
        at_caller=NO_PPK,
    ),
    Failure(
        "PPK required by the peer, not loaded at the initiator",
        "ppk_not_loaded",
        phase1=HAS_PPK,
        conn=_NEEDS,
        ppks={"ppk-us": PPK},
        at_caller=NO_PPK,
    ),
    Failure(
        "other PPK, certificates",
        "ppk_mismatch",
        phase1=HAS_PPK,
        conn={"ppk_id": "ppk-us"},
        ppks={"ppk-us": OTHER_PPK},
        certified=("ca.pem",),
    ),
    *_versions(
        "initiator expects another identity",
        "identities_unknown_to_peer",
        v1="peer_identity_mismatch",
        phase1={"peer_identifier": WRONG},
    ),
    *_versions(
        "peer has another identity",
        "identities_unknown_to_peer",
        v1="peer_identity_mismatch",
        conn={"local": {"auth": "psk", "id": WRONG}},
    ),
    *_versions(
        "peer expects another identity",
        "identities_unknown_to_peer",
        v1="our_identity_unknown",
        conn={"remote": {"auth": "psk", "id": WRONG}},
    ),
    Failure(
        "Aggressive Mode refused",
        "aggressive_mode_refused",
        phase1=AGGRESSIVE,
        conn={"version": "1", "aggressive": "yes"},
    ),
    Failure(
        "Aggressive Mode against Main Mode",
        "negotiation_mode_mismatch",
        phase1=AGGRESSIVE,
        conn={"version": "1"},
        at_peer=CARELESS,
        mend_peer=CAREFUL,
    ),
    Failure(
        "Main Mode against Aggressive Mode",
        "negotiation_mode_mismatch",
        phase1=V1,
        conn={"version": "1", "aggressive": "yes"},
        at_peer=CARELESS,
        mend_peer=CAREFUL,
        options=SILENT,
    ),
)

PHASE1 = (
    Failure("IKEv2 against IKEv1", "config_unknown_to_peer", conn={"version": "1"}),
    Failure("IKEv1 against IKEv2", "config_unknown_to_peer", phase1=V1, conn={"version": "2"}),
    Failure(
        "auto against IKEv1",
        "config_unknown_to_peer",
        phase1={"key_exchange": "auto"},
        conn={"version": "1"},
    ),
    *_versions("peer has no connection", "config_unknown_to_peer", loaded=False),
    *_versions(
        "peer expects another address",
        "config_unknown_to_peer",
        conn={"remote_addrs": ["192.0.2.77"]},
    ),
    *_versions(
        "other encryption in phase 1",
        "ike_proposal_mismatch",
        conn={"proposals": ["aes128-sha256-modp2048"]},
    ),
    *_versions(
        "other hash in phase 1",
        "ike_proposal_mismatch",
        conn={"proposals": ["aes256-sha512-modp2048"]},
    ),
    *_versions(
        "other DH group in phase 1",
        "ike_proposal_mismatch",
        conn={"proposals": ["aes256-sha256-ecp384"]},
    ),
    Failure(
        "second DH group in common",
        "",
        phase1={"encryption": [{"dh_group": 15}, {"dh_group": 14}]},
    ),
)

PHASE2 = (
    *_versions(
        "other algorithms in phase 2",
        "esp_proposal_mismatch",
        child={"esp_proposals": ["aes128-sha512-modp2048"]},
    ),
    *_versions(
        "ESP against AH",
        "protocol_mismatch",
        child={"esp_proposals": [], "ah_proposals": ["sha256-modp2048"]},
    ),
    Failure(
        "other PFS group, IKEv2",
        "pfs_mismatch",
        child={"esp_proposals": ["aes256-sha256-ecp384"]},
        options={"check_rekey": True},
    ),
    Failure(
        "PFS at the initiator only, IKEv2",
        "pfs_mismatch",
        child={"esp_proposals": ["aes256-sha256"]},
        options={"check_rekey": True},
    ),
    Failure(
        "PFS at the peer only, IKEv2",
        "pfs_mismatch",
        phase2={"encryption": [{"algorithm": "aes"}]},
        options={"check_rekey": True},
    ),
    Failure(
        "other PFS group, IKEv1",
        "pfs_mismatch",
        phase1=V1,
        conn={"version": "1"},
        child={"esp_proposals": ["aes256-sha256-ecp384"]},
    ),
    *_versions("other networks", "selector_mismatch", child={"remote_ts": ["10.9.0.0/24"]}),
    *_versions(
        "fewer networks at the peer",
        "selectors_narrowed",
        phase2={"remote_network": ["10.2.0.0/23"]},
    ),
    Failure(
        "one network of three at the peer, IKEv2",
        "selectors_narrowed",
        phase2={"remote_network": ["10.2.0.0/24", "10.3.0.0/24", "10.4.0.0/24"]},
    ),
    *_versions(
        "tunnel keeps old values",
        "outdated",
        child={"esp_proposals": [AES, "aes128-sha256-modp2048"]},
        at_caller=OLD_VALUES,
    ),
    # strongSwan 6 needs no own address in the local network of the tunnel.
    *_versions(
        "initiator can't install its policies",
        "kernel_refuses_policy",
        at_caller="ip address delete 10.1.0.1/24 dev vpn-lan",
        mend_caller="ip address replace 10.1.0.1/24 dev vpn-lan",
        old="caller",
    ),
    # strongSwan 6 needs no own address in the local network of the tunnel.
    *_versions(
        "peer can't install its policies",
        "peer_kernel_refuses_policy",
        at_peer="ip address delete 10.2.0.1/24 dev vpn-lan",
        mend_peer="ip address replace 10.2.0.1/24 dev vpn-lan",
        old="peer",
    ),
    Failure(
        "transport at the initiator against tunnel, IKEv2",
        "mode_mismatch",
        at_caller=transport("2"),
    ),
    Failure(
        "transport at the initiator against tunnel, IKEv1",
        "mode_mismatch",
        phase1=V1,
        conn={"version": "1"},
        at_caller=transport("1"),
    ),
    *_versions(
        "tunnel against transport at the peer",
        "selector_mismatch",
        child={"mode": "transport", "local_ts": ["dynamic"], "remote_ts": ["dynamic"]},
    ),
)

REACHING = (
    *_versions(
        "no host at that address",
        "request_lost",
        phase1={"remote_gateway": "{nobody}"},
        options=SILENT,
    ),
    *_versions(
        "UDP 500 dropped at the peer",
        "request_lost",
        at_peer=drop("input", "udp dport 500 drop"),
        mend_peer=NOTHING_LOST,
        options=SILENT,
    ),
    Failure(
        "UDP 500 rejected at the peer",
        "request_lost",
        at_peer=drop("input", "udp dport 500 reject"),
        mend_peer=NOTHING_LOST,
        options=SILENT,
    ),
    Failure(
        "answers from UDP 500 lost",
        "answer_lost",
        at_caller=drop("input", "udp sport 500 drop"),
        mend_caller=NOTHING_LOST,
        options=SILENT,
    ),
    Failure(
        "local address not on the host",
        "local_address_missing",
        phase1={"local_address": "192.0.2.99"},
        options=SILENT,
    ),
    Failure(
        "no route to the peer",
        "no_route",
        phase1={"remote_gateway": "192.0.2.98"},
        options=SILENT,
    ),
    *_versions(
        "UDP 4500 dropped at the peer",
        "udp_4500_blocked",
        at_peer=drop("input", "udp dport 4500 drop"),
        mend_peer=NOTHING_LOST,
        options={"timeout": 8},
    ),
    Failure(
        "name can't be resolved",
        "gateway_unresolvable",
        phase1={"remote_gateway": "gateway.invalid"},
        options={"timeout": 20},
    ),
)


STRICT = {"auth": "pubkey", "id": "gw.example", "revocation": "strict"}
CERTIFICATES = (
    Failure("certificates in order", "", certified=("ca.pem",)),
    Failure("certificate revoked", "our_certificate_revoked", certified=("ca.pem", "revoked.crl")),
    Failure(
        "no CRL where one is wanted",
        "our_certificate_status_unknown",
        certified=("ca.pem",),
        conn={"remote": STRICT},
    ),
    Failure("CA unknown to the peer", "our_certificate_untrusted", certified=("nothing",)),
    *_versions("another CA at the peer", "our_certificate_untrusted", certified=("other-ca.pem",)),
    *_versions(
        "identity not in our certificate",
        "our_certificate_lacks_identity",
        v1="private_key_missing",
        certified=("ca.pem",),
        conn={"remote": {"auth": "pubkey", "id": WRONG}},
        at_caller=UNHELD,
    ),
    *_versions(
        "identity not in the certificate of the peer",
        "peer_certificate_lacks_identity",
        v1="private_key_missing_at_peer",
        certified=("ca.pem",),
        phase1={"peer_identifier": WRONG},
        conn={"local": {"auth": "pubkey", "id": WRONG}},
    ),
    *_versions(
        "no certificate of the peer",
        "peer_certificate_missing",
        certified=("ca.pem",),
        conn={"send_cert": "never"},
    ),
    *_versions(
        "our certificate expired",
        "our_certificate_expired",
        certified=("ca.pem",),
        ours=("expired",),
        faults=("our_certificate_expired",),
    ),
    Failure(
        "our certificate not valid yet",
        "our_certificate_expired",
        certified=("ca.pem",),
        ours=("early",),
        faults=("our_certificate_expired",),
    ),
    *_versions(
        "certificate of the peer expired",
        "peer_certificate_expired",
        certified=("ca.pem",),
        theirs=("peer-expired",),
    ),
    *_versions(
        "our intermediate CA expired",
        "our_certificate_issuer_expired",
        certified=("ca.pem",),
        ours=("deep", "middle-expired"),
        faults=("our_certificate_issuer_expired",),
    ),
    *_versions(
        "the peer's intermediate CA expired",
        "peer_certificate_issuer_expired",
        certified=("ca.pem",),
        theirs=("peer-deep", "middle-expired"),
    ),
    *_versions(
        "our intermediate CA not sent",
        "our_certificate_incomplete",
        certified=("ca.pem",),
        ours=("deep",),
        faults=("our_certificate_incomplete",),
    ),
    *_versions(
        "the peer's intermediate CA not sent",
        "peer_certificate_untrusted",
        certified=("ca.pem",),
        theirs=("peer-deep",),
    ),
    *_versions(
        "whole chains of both sides",
        "",
        certified=("ca.pem",),
        ours=("deep", "middle"),
        theirs=("peer-deep", "middle"),
    ),
    *_versions(
        "no private key at the initiator",
        "private_key_missing",
        certified=("ca.pem",),
        at_caller=NO_KEY,
    ),
    *_versions(
        "no private key at the peer",
        "private_key_missing_at_peer",
        certified=("ca.pem",),
        at_peer=NO_KEY,
    ),
    Failure(
        "certificate against PSK",
        "authentication_mismatch",
        certified=("ca.pem",),
        conn={"remote": {"auth": "psk", "id": "gw.example"}},
    ),
)

# A proposal with a key exchange that no plugin of Debian has.
_UNAVAILABLE = (
    "s.request('load-conn', {{'site-b': {{'version': '2', 'remote_addrs': ['{peer}'], "
    "'proposals': ['aes256-sha256-modpnull'], 'local': {{'auth': 'psk'}}, "
    "'remote': {{'auth': 'psk', 'id': '{peer}'}}, 'children': {{'net': "
    "{{'local_ts': ['10.1.0.0/24'], 'remote_ts': ['10.2.0.0/24']}}}}}}}})"
)
HOSTS = (
    Failure("algorithm of no plugin", "algorithm_unavailable", at_caller=python(_UNAVAILABLE)),
    Failure("no ESP in the initiator's kernel", "kernel_refuses_sa", kernel="caller"),
    *_versions("no ESP in the peer's kernel", "peer_kernel_refuses_sa", kernel="peer"),
)

FAILURES = (*REACHING, *PHASE1, *AUTHENTICATION, *CERTIFICATES, *PHASE2, *HOSTS)

# A phase 1 of before an upgrade: the modules refuse IKEv1 on a daemon without it.
_UPGRADED = """
sed -i 's/"key_exchange": "ikev2"/"key_exchange": "ikev1"/; s/version = 2/version = 1/' \
    /etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf
swanctl --load-conns
"""
# Failures with a daemon without IKEv1 on one side.
AT_CALLER = (
    Failure(
        "IKEv1 at an initiator without IKEv1",
        "ikev1_not_supported",
        conn={"version": "1"},
        at_caller=_UPGRADED,
    ),
)
AT_PEER = (
    Failure(
        "IKEv1 against a peer without IKEv1",
        "ikev1_not_supported_at_peer",
        phase1=V1,
        conn={"version": "0"},
        options=SILENT,
    ),
    Failure(
        "Aggressive Mode against a peer without IKEv1",
        "ikev1_not_supported_at_peer",
        phase1=AGGRESSIVE,
        conn={"version": "1", "aggressive": "yes"},
        options=SILENT,
    ),
)
