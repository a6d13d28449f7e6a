#!/usr/bin/python

# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipsec_phase1
short_description: Manage the phase 1 (IKE SA configuration) of an IPsec tunnel
version_added: 0.1.0
description:
  - A phase 1 says who the peer is, how both sides prove who they are, and how the channel in which
    they negotiate is protected. It carries no traffic until it has at least one phase 2, see
    M(tunnelwright.ipsec.ipsec_phase2).
  - RFC 7296 calls it an IKE SA; in strongSwan it is a section C(connections.NAME) of
    C(swanctl.conf), together with its secret. The text below names, in parentheses, the strongSwan
    setting that an option becomes.
  - Each phase 1 is one file, C(/etc/swanctl/conf.d/tunnelwright.phase1.NAME.conf), with the phase 2
    objects in it, readable by root alone. Only this connection is loaded into the running daemon,
    never everything.
options:
  name:
    description:
      - Name of the phase 1, unique on the host. 1 to 64 of the characters C(A-Z), C(a-z), C(0-9),
        C(_) and C(-), not starting with C(tunnelwright-).
    type: str
    required: true
  network:
    description:
      - Name of the VPN network that the phase 1 belongs to, made with
        M(tunnelwright.ipsec.vpn_network). While that network is switched off, the phase 1 is not
        loaded.
    type: str
    required: true
  description:
    description:
      - Free text for people, one line of up to 255 characters.
    type: str
  key_exchange:
    description:
      - Version of the key exchange protocol (C(version)).
      - V(ikev2) is highly recommended.
      - V(auto) initiates IKEv2 and answers the version that the peer initiates. It does not fall
        back to IKEv1 by itself, so that for a peer that speaks IKEv1 only, either the peer must
        initiate or V(ikev1) must be set.
      - With V(ikev1), and with V(auto) since it may come to that, the limits of IKEv1 apply. Phase
        1 takes no AEAD algorithm, and each phase 2 carries one local and one remote network.
    type: str
    choices:
      - auto
      - ikev1
      - ikev2
    default: ikev2
  remote_gateway:
    description:
      - WAN address of the peer, as an IPv4 or IPv6 address or a fully qualified domain name
        (C(remote_addrs)).
      - V(%any) answers a peer at whatever address, and needs O(connection_behavior=responder_only),
        since there is nobody to call. Set O(peer_identifier) with it, or any peer that knows the
        key is accepted, under any identity. The module warns of that, and refuses it beside another
        phase 1 with a key, see O(psk).
      - C(0.0.0.0), C(::) and numbers such as C(0x0) are refused, because strongSwan takes them for
        V(%any) without a word.
      - Required with O(state=present), and for a phase 1 that does not exist yet.
    type: str
  local_address:
    description:
      - WAN address of this gateway to use (C(local_addrs)). Left out, the one that routing selects.
        C(0.0.0.0) and C(::) are refused, because that is what leaving it out means.
    type: str
  lifetime:
    description:
      - Time after which the IKE SA has to have been replaced by a new one, in O(lifetime_unit).
      - The two sides need not agree.
    type: int
    default: 3
  lifetime_unit:
    description:
      - Unit of O(lifetime). A year has 365 days.
    type: str
    choices:
      - seconds
      - minutes
      - hours
      - days
      - years
    default: hours
  authentication:
    description:
      - How both sides prove who they are (C(auth), both local and remote).
      - V(psk) is a pre-shared key. It needs O(psk).
      - V(pubkey) is a certificate on each side. It needs O(certificate), O(private_key) and O(ca).
    type: str
    choices:
      - psk
      - pubkey
    default: psk
  psk:
    description:
      - The pre-shared key. 20 random characters or more, or else the module warns. Only for
        O(authentication=psk).
      - Left out, a phase 1 that exists keeps the key it has. A new one with O(authentication=psk)
        needs it.
      - Any characters are possible; the key is handed to the daemon byte by byte.
      - Keep it in a vault. It is never shown in logs, diffs or results.
      - A changed key does not disturb an SA that is up. It is used from the next authentication on.
      - strongSwan looks for a key by identities, in all keys of the host. The module keeps each key
        for the identity of its peer alone (O(peer_identifier)). With IKEv1 Main Mode and without
        O(identifier), it keeps the key for O(remote_gateway) too.
      - Two phase 1 objects that are enabled, with different keys, are refused where the holder of
        one key could pass for the peer of the other. The error names both and the way out. That is
        the case if one key is for every peer (V(%any) without O(peer_identifier)), if the
        identities of the peers are the same or one is a pattern of the other, if the identity of a
        peer is our own O(identifier) elsewhere, if IKEv1 Main Mode has two keys between the same
        addresses, and if a phase 1 without O(identifier) answers at an address that the other peer
        may have. The keys in O(tunnelwright.ipsec.ipsec_settings#module:swanctl_conf) count as
        well.
      - Peers with the same key can always pass for each other. The module warns of it. Use a key of
        its own for each peer.
    type: str
  certificate:
    description:
      - Path of this gateway's certificate, a PEM file on the managed host (C(certs)). Only for
        O(authentication=pubkey).
      - The module copies its certificates, like O(private_key) and O(ca), into the directories of
        strongSwan. When a file changes, the next run of the module installs the new one.
      - Only certificates are copied, loaded and shown in a diff, in the order of the file. The
        daemon takes the first one as that of this gateway. The copy is readable by every user of
        the host. A warning names what else the file holds, a private key for example, and the
        module leaves it alone. A file without a certificate is refused.
      - The files of O(certificate), O(private_key) and O(ca) are regular files of up to 1 MiB, or
        symbolic links to such files. A pipe, a device, a socket and a directory are refused.
    type: path
  private_key:
    description:
      - Path of the private key that belongs to O(certificate), a PEM file on the managed host. Only
        for O(authentication=pubkey).
      - It may be the same file as O(certificate). Only the private key is copied, readable by root
        alone, and a warning names what else the file holds.
      - The file holds one private key, of the kind C(PRIVATE KEY), C(RSA PRIVATE KEY) or C(EC
        PRIVATE KEY). An encrypted key is refused, because the daemon could not ask for the
        passphrase when it starts. Several keys are refused, because strongSwan would load the first
        one alone.
    type: path
  ca:
    description:
      - Path of the CA certificate that the certificate of the peer must be issued by, a PEM file on
        the managed host (C(cacerts)). Only for O(authentication=pubkey).
      - Only certificates are copied, as with O(certificate).
      - This phase 1 accepts certificates of this CA alone, also if the host has other CAs.
      - strongSwan trusts a CA for all connections of the host, and can't keep it for one of them.
        A connection that the collection did not make, or one of
        O(tunnelwright.ipsec.ipsec_settings#module:swanctl_conf), accepts certificates of this CA,
        too, unless its section C(remote) has C(cacerts), C(ca_id) or C(certs). The module and
        M(tunnelwright.ipsec.ipsec_info) warn of each such connection by name. The CA of a phase 1
        that is disabled is trusted, too.
    type: path
  negotiation_mode:
    description:
      - V(main) protects the identities of both sides, and is the one to use.
      - V(aggressive) exists in IKEv1 only (C(aggressive)). It sends the identity in clear, which
        lets a peer at a changing address use a pre-shared key, and it gives an eavesdropper what is
        needed to guess that key. The module makes the daemon answer it, see O(weak_crypto) for the
        warning.
      - With a pre-shared key, V(aggressive) needs O(identifier) or O(local_address), unless the
        peer is the one to call (O(connection_behavior=responder_only)). Without, C(charon) crashes
        when there is no route to the peer.
    type: str
    choices:
      - main
      - aggressive
    default: main
  identifier:
    description:
      - The identity that this gateway presents, as an address, a fully qualified domain name, an
        e-mail address or a distinguished name (C(local.id)).
      - Left out, the address in use. Behind NAT set what the peer expects, usually the public
        address.
      - Left out, an IKEv2 peer may call this gateway by any name when it connects, and strongSwan
        then tries the key that is for this name as well. A peer that can use the address of another
        peer can pass for it in this way. Set it wherever several peers may connect from one
        address, or from any. With V(%any) in O(remote_gateway) beside another phase 1 with
        a key it is required.
      - One identity, no pattern. C(docs/identities.md) has the form of each kind, and of
        distinguished names as OpenSSL prints them.
      - With O(authentication=pubkey) it must be in the certificate. Left out, the subject of the
        certificate.
    type: str
  peer_identifier:
    description:
      - The identity that the peer must prove (C(remote.id)). Left out, O(remote_gateway).
      - A leading C(*) stands for the rest of a name, C(*) in a distinguished name for a part of it,
        and a network for its addresses. V(%any) accepts any identity; with O(psk) that is every
        peer that knows the key. What strongSwan reads in the same way, such as C(*), C(0.0.0.0),
        C(::) and C(%any6), is refused in favour of V(%any).
      - When O(remote_gateway) is a name, the peer has to present that name, unless this is set to
        what it does present.
      - With O(authentication=pubkey) it must be in the certificate of the peer, which seldom holds
        an address.
    type: str
  connection_behavior:
    description:
      - What happens when the phase 1 is loaded (C(start_action) of each phase 2).
      - V(responder_only) waits for the peer to call.
      - V(on_demand) brings the tunnel up when there is traffic for it. The first packets are lost
        meanwhile. It needs the kernel data plane, see
        O(tunnelwright.ipsec.vpn_network#module:dataplane).
      - V(start) connects at once, and heals itself (C(trap|start) in strongSwan). Should the tunnel
        go down for any reason, the next packet for it brings it up again.
    type: str
    choices:
      - responder_only
      - on_demand
      - start
    default: on_demand
  force_udp_encapsulation:
    description:
      - Send ESP in UDP even where no NAT is detected (C(encap)), for paths that let only UDP pass.
        Impossible with a phase 2 of protocol AH.
    type: bool
    default: false
  keying_tries:
    description:
      - How often to try to reach a peer that does not answer before giving up (C(keyingtries)).
        Each try takes almost three minutes with the retransmission settings of strongSwan. V(0)
        never gives up.
      - A peer that refuses ends it at once. Relevant locally only.
    type: int
    default: 3
  rekey:
    description:
      - Replace the SAs of this phase 1, and those of its phase 2 objects, before they expire.
      - V(false) leaves that to the peer, which is answered in any case. An IKE SA then has no
        lifetime on this side, and a phase 2 that the peer has not replaced by the end of its
        lifetime is closed and made anew.
    type: bool
    default: true
  reauth:
    description:
      - Replace the IKE SA by authenticating anew rather than by rekeying (C(reauth_time) for
        C(rekey_time)).
      - It checks credentials again, and it interrupts traffic unless
        O(tunnelwright.ipsec.ipsec_settings#module:make_before_break=true). IKEv1 knows no rekeying
        and always does this.
    type: bool
    default: false
  mobike:
    description:
      - Let the IKE SA move to another address of either side (C(mobike), RFC 4555, IKEv2 only). It
        moves to UDP port 4500 at once.
      - Site-to-site tunnels between fixed addresses do not need it. With it, the rules of the
        network accept IKE from any address.
    type: bool
    default: false
  margintime:
    description:
      - How long before an SA expires its replacement is negotiated, in O(margintime_unit). It holds
        for phase 1 and phase 2.
      - Up to as much again is subtracted at random, so that the two sides do not begin at the same
        moment. Twice this must therefore be less than each lifetime. At least a second.
      - Relevant locally only.
    type: int
    default: 9
  margintime_unit:
    description:
      - Unit of O(margintime).
    type: str
    choices:
      - seconds
      - minutes
      - hours
      - days
      - years
    default: minutes
  dpd_action:
    description:
      - What to do when dead peer detection finds the peer gone (C(dpd_action) of each phase 2).
      - V(clear) closes the tunnel.
      - V(hold) closes it, and brings it up again when there is traffic for it (C(trap)).
      - V(restart) tries to bring it up again at once.
      - V(none) sends no DPD messages at all (C(dpd_delay=0)).
      - With O(connection_behavior=responder_only) the tunnel is closed, whichever of the first
        three is set, since the peer is to call.
    type: str
    choices:
      - clear
      - hold
      - restart
      - none
    default: restart
  dpd_delay:
    description:
      - Seconds without traffic from the peer after which it is asked for a sign of life
        (C(dpd_delay)), V(1) to V(86400).
    type: int
    default: 30
  dpd_failures:
    description:
      - Number of unanswered messages after which an IKEv1 peer is taken for dead (C(dpd_timeout),
        this number and one more times O(dpd_delay)).
      - No effect with IKEv2, which gives a peer up after the retransmissions of the message, in
        almost three minutes.
    type: int
    default: 5
  state:
    description:
      - V(present) makes sure that the phase 1 exists as described. It keeps the phase 2 objects it
        has.
      - V(disabled) makes sure that it exists and is not loaded. A tunnel that is up is closed.
        Everything stays configured in the file, and V(present) loads it again. Where the phase 1
        exists and O(remote_gateway) is left out, the task changes what it gives, also to a default,
        and every other option keeps its value. Traffic between the networks of its phase 2 objects
        does not leave in cleartext meanwhile.
      - V(absent) closes the tunnel and removes the phase 1, its phase 2 objects and its key. A
        warning names the networks whose traffic leaves in cleartext from then on, where there is a
        route.
    type: str
    choices:
      - present
      - disabled
      - absent
    default: present
notes:
  - Two phase 1 objects with the same addresses and the same identities are refused, since a daemon
    that answers could not tell them apart. Further networks behind the same peer are further phase
    2 objects of the one phase 1.
  - An earlier version accepted phase 1 objects whose keys let in the peers of others. Such a host
    is read as it is. The next task on one of the two says it, and so does one that starts their
    network. A task on anything else is carried out, and so is one that removes or disables one of
    the two.
  - Before anything is changed, the connection is loaded into the running daemon on trial, and the
    daemon is asked whether it has the algorithms. A package that is missing is named.
seealso:
  - module: tunnelwright.ipsec.vpn_network
  - module: tunnelwright.ipsec.ipsec_settings
  - module: tunnelwright.ipsec.ipsec_phase2
  - name: RFC 7296
    link: https://www.rfc-editor.org/rfc/rfc7296
    description: Internet Key Exchange Protocol Version 2.
  - name: RFC 8247
    link: https://www.rfc-editor.org/rfc/rfc8247
    description: Which algorithms to use with IKEv2, and which no more.
  - name: swanctl.conf
    link: https://docs.strongswan.org/docs/latest/swanctl/swanctlConf.html
    description: The strongSwan settings named here in parentheses.
extends_documentation_fragment:
  - tunnelwright.ipsec._attributes
  - tunnelwright.ipsec._attributes.alike
  - tunnelwright.ipsec._attributes.phases
  - tunnelwright.ipsec._host.needed
  - tunnelwright.ipsec._host
  - tunnelwright.ipsec._phase
author:
  - The tunnelwright.ipsec authors (@tunnelwright)
"""

EXAMPLES = r"""
- name: A peer with a pre-shared key, connected at once and kept connected
  tunnelwright.ipsec.ipsec_phase1:
    name: site-b
    network: site-a
    description: Branch office B
    remote_gateway: 203.0.113.20
    psk: "{{ vault_psk_site_b }}"
    connection_behavior: start

- name: A peer over IPv6, with modern algorithms in order of preference
  tunnelwright.ipsec.ipsec_phase1:
    name: site-c
    network: site-a-v6
    remote_gateway: 2001:db8:c::1
    local_address: 2001:db8:a::1
    psk: "{{ vault_psk_site_c }}"
    encryption:
      - algorithm: aes-gcm
        key_length: 256
        prf: sha384
        dh_group: 20
      - algorithm: chacha20-poly1305
        prf: sha256
        dh_group: 31
      - algorithm: aes
        key_length: 256
        hash: sha256
        dh_group: 14
    weak_crypto: refuse

- name: Certificates on both sides
  tunnelwright.ipsec.ipsec_phase1:
    name: site-d
    network: office
    remote_gateway: gw.site-d.example.com
    authentication: pubkey
    certificate: /etc/ssl/ipsec/gw-a.pem
    private_key: /etc/ssl/ipsec/gw-a.key
    ca: /etc/ssl/ipsec/ca.pem
    identifier: gw.site-a.example.com
    peer_identifier: gw.site-d.example.com

- name: An old Cisco router that speaks IKEv1
  tunnelwright.ipsec.ipsec_phase1:
    name: legacy-cisco
    network: office
    key_exchange: ikev1
    remote_gateway: 198.51.100.7
    psk: "{{ vault_psk_legacy }}"
    encryption:
      - algorithm: aes
        key_length: 128
        hash: sha1
        dh_group: 5
    lifetime: 1
    lifetime_unit: days
    dpd_delay: 20
    dpd_failures: 3
    weak_crypto: allow

- name: A branch at a changing address, which calls us and proves who it is by its name
  tunnelwright.ipsec.ipsec_phase1:
    name: branch-7
    network: site-a
    remote_gateway: '%any'
    peer_identifier: branch-7.example.com
    identifier: hub.example.com
    psk: "{{ vault_psk_branch_7 }}"
    connection_behavior: responder_only
    dpd_action: clear

- name: Both gateways behind NAT, on a line that lets only UDP pass
  tunnelwright.ipsec.ipsec_phase1:
    name: site-e
    network: site-a
    remote_gateway: 198.51.100.44
    identifier: 203.0.113.10
    peer_identifier: 192.168.1.2
    psk: "{{ vault_psk_site_e }}"
    force_udp_encapsulation: true
    keying_tries: 0

- name: Switch a tunnel off without forgetting anything
  tunnelwright.ipsec.ipsec_phase1:
    name: site-b
    network: site-a
    state: disabled

- name: Remove a tunnel, its phase 2 objects and its key
  tunnelwright.ipsec.ipsec_phase1:
    name: site-b
    network: site-a
    state: absent
"""

RETURN = r"""
ipsec_phase1:
  description:
    - The phase 1 as it is configured after the module has run, or would be in check mode, under the
      names of the options. The pre-shared key is left out.
    - With O(state=absent), the name, the network and the state alone.
  returned: success
  type: dict
  sample:
    name: site-b
    network: site-a
    description: Branch office B
    key_exchange: ikev2
    remote_gateway: 203.0.113.20
    local_address: null
    encryption:
      - algorithm: aes
        key_length: 256
        hash: sha256
        dh_group: 14
        prf: sha256
    lifetime: 3
    lifetime_unit: hours
    authentication: psk
    certificate: null
    private_key: null
    ca: null
    negotiation_mode: main
    identifier: null
    peer_identifier: null
    connection_behavior: start
    force_udp_encapsulation: false
    keying_tries: 3
    rekey: true
    reauth: false
    mobike: false
    margintime: 9
    margintime_unit: minutes
    dpd_action: restart
    dpd_delay: 30
    dpd_failures: 5
    state: present
actions:
  description:
    - What was done, step by step and in order, or in check mode what would be done. Empty when
      there was nothing to do.
  returned: success
  type: list
  elements: str
  sample:
    - load secret ike-site-b
    - load connection site-b
    - write /etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf
impact:
  description:
    - The worst that the change does to an SA that is up, of those in RV(impacts).
    - V(none) leaves them alone, or there are none.
    - V(pending) leaves them as they are. The new values are loaded, and are used when the SA is
      established anew. A rekeying is not enough for that.
    - V(child) closes the SA of a phase 2, or replaces it by a new one.
    - V(ike) does so with the whole tunnel, and every phase 2 in it.
  returned: success
  type: str
  choices:
    - none
    - pending
    - child
    - ike
  sample: pending
impacts:
  description:
    - What the change does to each SA that is up, and why. The same in check mode and in a real run,
      and shown with the diff.
    - Replaced is an SA only if the peer takes the new values. If it does not, the old SA stays up,
      with a warning.
    - Empty where the change does not reach the IKE daemon.
  returned: success
  type: list
  elements: dict
  contains:
    sa:
      description: The IKE SA, by the name of its phase 1, with all that is on it, or the Child SA
        of a phase 2, as phase 1 and phase 2.
      returned: always
      type: str
      sample: site-b/lan
    impact:
      description: One of the values of RV(impact).
      returned: always
      type: str
      sample: child
    reason:
      description: What has changed, under the names of strongSwan, and what follows.
      returned: always
      type: str
      sample: "esp_proposals changed: a new Child SA is brought up, then the old Child SA is closed"
  sample:
    - sa: site-b/lan
      impact: child
      reason: >-
        esp_proposals changed: a new Child SA is brought up, then the old Child SA is closed
diff:
  description:
    - The managed configuration before and after, a file or a live object each. Every secret is
      masked.
  returned: when diff mode is on
  type: list
  elements: dict
  contains:
    before_header:
      description: The file, or the live object.
      returned: always
      type: str
      sample: /etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf
    after_header:
      description: The same.
      returned: always
      type: str
      sample: /etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf
    before:
      description: What it was. Empty where there was nothing.
      returned: always
      type: str
      sample: ''
    after:
      description: What it is then. Empty where there is nothing left.
      returned: always
      type: str
      sample: |
        secrets {
            ike-site-b {
                id-1 = 203.0.113.20
                secret = "********"
            }
        }
"""

from ..module_utils._module.flow import run
from ..module_utils._module.phase1 import Phase1Resource


def main() -> None:
    run(Phase1Resource())


if __name__ == "__main__":
    main()
