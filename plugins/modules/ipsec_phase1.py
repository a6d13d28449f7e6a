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
  - A phase 1 defines the peer, the authentication of both sides, and the protection of the channel
    in which they negotiate. A phase 1 carries no traffic until it has at least one phase 2, see
    M(tunnelwright.ipsec.ipsec_phase2).
  - RFC 7296 calls a phase 1 an IKE SA. In strongSwan it is a section C(connections.NAME) of
    C(swanctl.conf), together with its secret. The text below names, in parentheses, the strongSwan
    setting of an option.
  - Each phase 1 is one file, C(/etc/swanctl/conf.d/tunnelwright.phase1.NAME.conf), which also holds
    its phase 2 objects. Only root can read the file. The module loads this one connection into the
    running daemon, never the whole configuration.
options:
  name:
    description:
      - Name of the phase 1, unique on the host. 1 to 64 of the characters C(A-Z), C(a-z), C(0-9),
        C(_) and C(-), not starting with C(tunnelwright-).
    type: str
    required: true
  network:
    description:
      - Name of the VPN network of the phase 1, made with M(tunnelwright.ipsec.vpn_network). While
        that network is switched off, the phase 1 is not loaded.
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
      - V(auto) initiates IKEv2, and accepts the version that the peer initiates. It does not fall
        back to IKEv1. If the peer supports IKEv1 only, let the peer initiate, or set V(ikev1).
      - The limits of IKEv1 apply with V(ikev1) and V(auto). Phase 1 supports no AEAD algorithm, and
        each phase 2 carries one local and one remote network.
      - Debian builds strongSwan 6.1 and later without IKEv1. Such a daemon loads a connection of
        IKEv1, and never brings it up. The module asks the daemon, and refuses V(ikev1) there, also
        in check mode. V(auto) then means V(ikev2), with a warning.
      - A phase 1 with V(ikev1) that was configured before an upgrade does not disturb tasks for
        other objects. M(tunnelwright.ipsec.ipsec_info) shows it as V(down) with the reason. To
        continue, set V(ikev2) here and at the peer, or remove the phase 1.
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
      - V(%any) accepts a peer at any address. It requires O(connection_behavior=responder_only),
        because there is no address to initiate to. Set O(peer_identifier) with it. Without
        O(peer_identifier), any peer that knows the key is accepted under any identity. The module
        warns about this, and refuses it beside another phase 1 with a key, see O(psk).
      - C(0.0.0.0), C(::) and numbers such as C(0x0) are refused, because strongSwan reads them as
        V(%any) without a warning.
      - Required with O(state=present), and for a phase 1 that does not exist yet.
    type: str
  local_address:
    description:
      - WAN address of this gateway (C(local_addrs)). Default is the address that routing selects.
        C(0.0.0.0) and C(::) are refused, because they mean the same as the default.
    type: str
  lifetime:
    description:
      - Time until the IKE SA expires, in O(lifetime_unit). A new IKE SA replaces it before that
        time.
      - The lifetimes of the two sides may differ.
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
      - The method by which both sides authenticate (C(auth), both local and remote).
      - V(psk) is a pre-shared key. It requires O(psk).
      - V(pubkey) is a certificate on each side. It requires O(certificate), O(private_key) and
        O(ca).
    type: str
    choices:
      - psk
      - pubkey
    default: psk
  psk:
    description:
      - The pre-shared key. Use 20 or more random characters; the module warns about a shorter key.
        Only for O(authentication=psk).
      - If left out, an existing phase 1 keeps its key. A new phase 1 with O(authentication=psk)
        requires this option.
      - The key may hold any characters. The daemon receives exactly its bytes.
      - Keep the key in a vault. The key never appears in logs, diffs or results.
      - A changed key does not disturb an SA that is up. The next authentication uses the new key.
      - strongSwan selects a key by identities, among all keys of the host. The module assigns each
        key only to the identity of its peer (O(peer_identifier)). With IKEv1 Main Mode and without
        O(identifier), it also assigns the key to O(remote_gateway).
      - Two enabled phase 1 objects with different keys are refused if the holder of one key could
        authenticate as the peer of the other. The error names both objects and the remedy.
      - This is so in five cases. One key is valid for every peer (V(%any) without
        O(peer_identifier)). The peers have the same identity, or one identity is a pattern that
        matches the other. The identity of one peer is the O(identifier) of this gateway in another
        phase 1. IKEv1 Main Mode has two keys between the same addresses. A phase 1 without
        O(identifier) accepts peers at an address that the other peer may have. The keys in
        O(tunnelwright.ipsec.ipsec_settings#module:swanctl_conf) count too.
      - Peers with the same key can always authenticate as each other, and the module warns about
        it. Use a separate key for each peer.
    type: str
  ppk:
    description:
      - A post-quantum pre-shared key, PPK (RFC 8784). The peers mix it into the keys of each Child
        SA, and into the keys of the IKE SA from its first rekey on. A quantum computer that breaks
        the key exchange then does not reveal the traffic of the tunnel. The PPK does not replace
        O(psk) or the certificates.
      - Use 32 or more random characters, about 256 bits. O(weak_crypto) decides whether a shorter
        PPK is accepted. The PPK must be another key than O(psk).
      - Requires O(ppk_id), and IKEv2. With O(key_exchange=ikev1) it is refused, because IKEv1 has
        no PPK.
      - If left out, an existing phase 1 with O(ppk_id) keeps its PPK. To remove the PPK, leave out
        O(ppk) and O(ppk_id).
      - The daemon receives exactly the bytes of this text. A PPK that a third party gives as raw
        bytes, in hexadecimal digits or base64, is not such a text.
      - Keep the PPK in a vault, or use the lookup P(tunnelwright.ipsec.psk#lookup) with a
        C(directory) of its own. The PPK never appears in logs, diffs or results.
      - A changed PPK does not disturb an SA that is up. The next authentication uses the new PPK.
        Until both sides have the same PPK, no new IKE SA comes up, even if O(ppk_required=false).
    type: str
  ppk_id:
    description:
      - The identity of O(ppk), the same on both sides (C(ppk_id)). The initiator sends it, and the
        responder finds the PPK by it. It is no secret.
      - 1 to 127 of the characters C(A-Z), C(a-z), C(0-9), C(.), C(_), C(@), C(+) and C(-), of which
        the first is a letter or a digit. It is not an address, because strongSwan sends an address
        in a form by which no peer finds a PPK. strongSwan ignores case in it, and other products do
        not.
      - A peer that sends another identity is refused, even if O(ppk_required=false).
      - strongSwan finds the PPK among all PPKs of the host. Two enabled phase 1 objects with the
        same identity and different PPKs are refused. With the same PPK they are accepted with a
        warning, because each of their peers knows the PPK of the others.
      - Requires O(ppk).
    type: str
  ppk_required:
    description:
      - Whether an IKE SA without O(ppk) is refused (C(ppk_required)).
      - With V(false), the tunnel comes up without the PPK if the peer has no PPK at all. Use
        V(false) while the two sides introduce the PPK, and then V(true).
        M(tunnelwright.ipsec.ipsec_info) shows whether an SA uses the PPK.
      - V(true) requires O(key_exchange=ikev2). With V(auto), strongSwan would accept a peer that
        initiates IKEv1, without a PPK.
    type: bool
    default: false
  certificate:
    description:
      - Path of the certificate of this gateway, a PEM file on the managed host (C(certs)). Only for
        O(authentication=pubkey).
      - The module copies the certificates, as well as O(private_key) and O(ca), into the
        directories of strongSwan. When a file changes, the next run of the module installs the new
        content.
      - Only certificates are copied, loaded and shown in a diff, in the order of the file. The
        first certificate is the certificate of this gateway. Every user of the host can read the
        copy. A warning names any other content of the file, for example a private key, and the
        module does not copy it. A file without a certificate is refused.
      - The files of O(certificate), O(private_key) and O(ca) are regular files of up to 1 MiB, or
        symbolic links to such files. A pipe, a device, a socket and a directory are refused.
    type: path
  private_key:
    description:
      - Path of the private key that belongs to O(certificate), a PEM file on the managed host. Only
        for O(authentication=pubkey).
      - It may be the same file as O(certificate). Only the private key is copied, and only root can
        read the copy. A warning names any other content of the file.
      - The file must hold exactly one private key of the kind C(PRIVATE KEY), C(RSA PRIVATE KEY) or
        C(EC PRIVATE KEY). An encrypted key is refused, because the daemon cannot ask for the
        passphrase when it starts. Several keys are refused, because strongSwan would load the first
        key only.
    type: path
  ca:
    description:
      - Path of the certificate of the CA that must have issued the certificate of the peer, a PEM
        file on the managed host (C(cacerts)). Only for O(authentication=pubkey).
      - Only certificates are copied, as with O(certificate).
      - This phase 1 accepts certificates of this CA only, even if the host has other CAs.
      - strongSwan trusts a CA for all connections of the host, and cannot limit it to one
        connection. An unmanaged connection, or a connection of
        O(tunnelwright.ipsec.ipsec_settings#module:swanctl_conf), also accepts certificates of this
        CA, unless its section C(remote) has C(cacerts), C(ca_id) or C(certs). The module and
        M(tunnelwright.ipsec.ipsec_info) warn about each such connection by name. The CA of a
        disabled phase 1 is trusted too.
    type: path
  negotiation_mode:
    description:
      - V(main) protects the identities of both sides, and is recommended.
      - V(aggressive) exists in IKEv1 only (C(aggressive)). It sends the identity in cleartext, so a
        peer with a changing address can use a pre-shared key. An eavesdropper can then try to guess
        that key offline. The module permits the daemon to accept aggressive mode, and warns
        according to O(weak_crypto).
      - With a pre-shared key, V(aggressive) requires O(identifier) or O(local_address), unless only
        the peer initiates (O(connection_behavior=responder_only)). Without one of them, C(charon)
        crashes when there is no route to the peer.
    type: str
    choices:
      - main
      - aggressive
    default: main
  identifier:
    description:
      - The identity that this gateway presents, as an address, a fully qualified domain name, an
        e-mail address or a distinguished name (C(local.id)).
      - Default is the address in use. Behind NAT, set the identity that the peer expects, usually
        the public address.
      - If left out, an IKEv2 peer may request any identity of this gateway, and strongSwan also
        tries the key of that identity. A peer that can use the address of another peer could
        authenticate as that peer in this way. Set this option if several peers may connect from one
        address, or from any address. It is required with V(%any) in O(remote_gateway) beside
        another phase 1 with a key.
      - It must be one identity, not a pattern. C(docs/identities.md) describes the form of each
        kind, and of distinguished names as OpenSSL prints them.
      - With O(authentication=pubkey) the identity must be in the certificate. The default is then
        the subject of the certificate.
    type: str
  peer_identifier:
    description:
      - The identity that the peer must authenticate as (C(remote.id)). Default is
        O(remote_gateway).
      - A pattern matches several identities. A leading C(*) matches the rest of a name, C(*) in a
        distinguished name matches one part of it, and a network matches its addresses. V(%any)
        accepts any identity. With O(psk), V(%any) accepts every peer that knows the key. C(*),
        C(0.0.0.0), C(::) and C(%any6) mean the same to strongSwan, and are refused in favour of
        V(%any).
      - If O(remote_gateway) is a name, the peer must present that name as its identity. If the peer
        presents another identity, set that identity here.
      - With O(authentication=pubkey) the identity must be in the certificate of the peer. Such a
        certificate seldom holds an address.
    type: str
  connection_behavior:
    description:
      - Defines what happens when the phase 1 is loaded (C(start_action) of each phase 2).
      - V(responder_only) waits for the peer to initiate.
      - V(on_demand) brings the tunnel up when there is traffic for it. The first packets are lost
        until it is up. It requires the kernel data plane, see
        O(tunnelwright.ipsec.vpn_network#module:dataplane).
      - V(start) initiates at once (C(trap|start) in strongSwan). If the tunnel goes down for any
        reason, the next packet for it brings it up again.
    type: str
    choices:
      - responder_only
      - on_demand
      - start
    default: on_demand
  force_udp_encapsulation:
    description:
      - Send ESP in UDP even if no NAT is detected (C(encap)), for paths that admit UDP only. It is
        refused with a phase 2 of protocol AH.
    type: bool
    default: false
  keying_tries:
    description:
      - Number of tries to reach a peer that does not answer (C(keyingtries)). Each try takes almost
        three minutes with the retransmission settings of strongSwan. V(0) tries without end.
      - A refusal by the peer ends the tries at once. The value matters on this side only.
    type: int
    default: 3
  rekey:
    description:
      - Replace the SAs of this phase 1 and of its phase 2 objects before they expire.
      - V(false) leaves the rekey to the peer. A rekey by the peer is accepted with either value.
        With V(false), an IKE SA has no lifetime on this side. An SA of a phase 2 that the peer has
        not replaced when its lifetime ends is closed and negotiated again.
    type: bool
    default: true
  reauth:
    description:
      - Replace the IKE SA by a re-authentication instead of a rekey (C(reauth_time) for
        C(rekey_time)).
      - A re-authentication checks the credentials again. It interrupts traffic unless
        O(tunnelwright.ipsec.ipsec_settings#module:make_before_break=true). IKEv1 has no rekey of
        the IKE SA, and always re-authenticates.
    type: bool
    default: false
  mobike:
    description:
      - Let the IKE SA move to another address of either side (C(mobike), RFC 4555, IKEv2 only). The
        IKE SA then uses UDP port 4500 from the start.
      - Site-to-site tunnels between fixed addresses do not need it. With it, the rules of the
        network accept IKE from any address.
    type: bool
    default: false
  margintime:
    description:
      - Time before the expiry of an SA at which its replacement is negotiated, in
        O(margintime_unit). It applies to phase 1 and phase 2.
      - strongSwan lengthens this time at random, by up to its own length, so that the two sides do
        not begin at the same moment. Therefore twice this time must be less than each lifetime. The
        minimum is one second.
      - The value matters on this side only.
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
      - The action when dead peer detection (DPD) finds that the peer does not answer (C(dpd_action)
        of each phase 2).
      - V(clear) closes the tunnel.
      - V(hold) closes the tunnel, and brings it up again when there is traffic for it (C(trap)).
      - V(restart) closes the tunnel, and tries to bring it up again at once.
      - V(none) sends no DPD messages at all (C(dpd_delay=0)).
      - With O(connection_behavior=responder_only), each of the first three values closes the
        tunnel, because only the peer initiates.
    type: str
    choices:
      - clear
      - hold
      - restart
      - none
    default: restart
  dpd_delay:
    description:
      - Seconds without traffic from the peer after which a DPD message is sent (C(dpd_delay)), V(1)
        to V(86400).
    type: int
    default: 30
  dpd_failures:
    description:
      - Number of unanswered DPD messages after which an IKEv1 peer counts as dead. C(dpd_timeout)
        becomes (O(dpd_failures) + 1) * O(dpd_delay).
      - It has no effect with IKEv2. There a peer counts as dead after all retransmissions of one
        message, which take almost three minutes. A host without IKEv1 refuses another value than
        V(5) beside O(key_exchange=auto).
    type: int
    default: 5
  state:
    description:
      - V(present) ensures that the phase 1 exists with these options. It keeps its phase 2 objects.
      - V(disabled) ensures that the phase 1 exists and is not loaded. A tunnel that is up is
        closed. The file keeps the whole configuration, and V(present) loads it again. Traffic
        between the networks of its phase 2 objects does not leave in cleartext while the phase 1 is
        disabled.
      - With V(disabled), a task for an existing phase 1 may leave out O(remote_gateway). Such a
        task changes only the options that it gives, even to their defaults. Every other option
        keeps its value.
      - V(absent) closes the tunnel and removes the phase 1, its phase 2 objects and its keys. A
        warning names each network whose traffic leaves in cleartext afterwards, if there is a route
        for it.
    type: str
    choices:
      - present
      - disabled
      - absent
    default: present
notes:
  - Two phase 1 objects with the same addresses and the same identities are refused, because the
    daemon as responder could not distinguish them. For further networks behind the same peer, add
    phase 2 objects to the one phase 1.
  - An earlier version accepted two phase 1 objects even if the key of one also admits the peer of
    the other. A host with such objects still works. The next task on one of the two objects fails
    with the reason, and so does a task that starts their network. Tasks on other objects succeed. A
    task that removes or disables one of the two succeeds too.
  - Before any change, the module loads the connection into the running daemon on trial, and asks
    the daemon for its algorithms. If a package is missing, the error names it.
seealso:
  - module: tunnelwright.ipsec.vpn_network
  - module: tunnelwright.ipsec.ipsec_settings
  - module: tunnelwright.ipsec.ipsec_phase2
  - name: RFC 7296
    link: https://www.rfc-editor.org/rfc/rfc7296
    description: Internet Key Exchange Protocol Version 2.
  - name: RFC 8247
    link: https://www.rfc-editor.org/rfc/rfc8247
    description: Algorithms to use with IKEv2, and algorithms to avoid.
  - name: RFC 8784
    link: https://www.rfc-editor.org/rfc/rfc8784
    description: Mixing preshared keys in IKEv2 for post-quantum security.
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
- name: Connect to a peer with a pre-shared key at once, and stay connected
  tunnelwright.ipsec.ipsec_phase1:
    name: site-b
    network: site-a
    description: Branch office B
    remote_gateway: 203.0.113.20
    psk: "{{ vault_psk_site_b }}"
    connection_behavior: start

- name: Connect to a peer over IPv6 with modern algorithms in order of preference
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

- name: Protect the traffic from a quantum computer that decrypts a record of it later
  tunnelwright.ipsec.ipsec_phase1:
    name: site-q
    network: office
    remote_gateway: 203.0.113.71
    psk: "{{ vault_psk_site_q }}"
    encryption:
      - algorithm: aes-gcm
        prf: sha384
        dh_group: 31
        additional_key_exchange: [mlkem768]
    quantum_safe: require

- name: Use ML-KEM with peers that have it, and accept peers that do not know RFC 9370
  tunnelwright.ipsec.ipsec_phase1:
    name: site-r
    network: office
    remote_gateway: 203.0.113.72
    psk: "{{ vault_psk_site_r }}"
    encryption:
      - algorithm: aes-gcm
        prf: sha384
        dh_group: 31
        additional_key_exchange: [[mlkem1024, mlkem768]]
      - algorithm: aes-gcm
        prf: sha384
        dh_group: 31
    quantum_safe: warn

- name: Use certificates on both sides
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

- name: Connect to an old Cisco router with IKEv1
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

- name: Accept a branch with a changing address, which initiates and authenticates by its name
  tunnelwright.ipsec.ipsec_phase1:
    name: branch-7
    network: site-a
    remote_gateway: '%any'
    peer_identifier: branch-7.example.com
    identifier: hub.example.com
    psk: "{{ vault_psk_branch_7 }}"
    connection_behavior: responder_only
    dpd_action: clear

- name: Connect two gateways behind NAT over a path that admits UDP only
  tunnelwright.ipsec.ipsec_phase1:
    name: site-e
    network: site-a
    remote_gateway: 198.51.100.44
    identifier: 203.0.113.10
    peer_identifier: 192.168.1.2
    psk: "{{ vault_psk_site_e }}"
    force_udp_encapsulation: true
    keying_tries: 0

- name: Switch a tunnel off and keep its configuration
  tunnelwright.ipsec.ipsec_phase1:
    name: site-b
    network: site-a
    state: disabled

- name: Remove a phase 1, its phase 2 objects and its key
  tunnelwright.ipsec.ipsec_phase1:
    name: site-b
    network: site-a
    state: absent

- name: Protect against quantum computers with a PPK, which both sides have
  tunnelwright.ipsec.ipsec_phase1:
    name: site-f
    network: site-a
    remote_gateway: 203.0.113.60
    psk: "{{ vault_psk_site_f }}"
    ppk: "{{ vault_ppk_site_f }}"
    ppk_id: ppk-site-a-site-f
    ppk_required: true
"""

RETURN = r"""
ipsec_phase1:
  description:
    - The configuration of the phase 1 after the run, or as it would be in check mode, under the
      names of the options. The keys are left out.
    - With O(state=absent), only the name, the network and the state.
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
    ppk_id: null
    ppk_required: false
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
    - The steps of the run in order, or in check mode the steps that a run would take. Empty if
      there is nothing to do.
  returned: success
  type: list
  elements: str
  sample:
    - load secret ike-site-b
    - load connection site-b
    - write /etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf
impact:
  description:
    - The worst effect of the change on an SA that is up. RV(impacts) lists all effects.
    - V(none) means that every SA stays as it is, or that no SA is up.
    - V(pending) means that the SA stays up with its old values. The new values are loaded, and
      apply when the SA is re-established. A rekey does not apply them.
    - V(child) means that the SA of a phase 2 is closed, or replaced by a new SA.
    - V(ike) means that the IKE SA and every SA of its phase 2 objects are closed or replaced.
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
    - The effect of the change on each SA that is up, with the reason. It is the same in check mode
      and in a real run. The diff shows it too.
    - An SA is replaced only if the peer accepts the new values. If the peer does not accept them,
      the old SA stays up, and the module warns.
    - Empty if the change does not concern the IKE daemon.
  returned: success
  type: list
  elements: dict
  contains:
    sa:
      description: The name of a phase 1, for its IKE SA with all Child SAs on it. Or the names of a
        phase 1 and a phase 2, joined by a slash, for one Child SA.
      returned: always
      type: str
      sample: site-b/lan
    impact:
      description: One of the values of RV(impact).
      returned: always
      type: str
      sample: child
    reason:
      description: The options that have changed, under their strongSwan names, and the consequence
        for the SA.
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
    - The managed configuration before and after, with one entry for each file or live object. Every
      secret is masked.
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
      description: The same as C(before_header).
      returned: always
      type: str
      sample: /etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf
    before:
      description: The text before the change. Empty if the file or object did not exist.
      returned: always
      type: str
      sample: ''
    after:
      description: The text after the change. Empty if the file or object is removed.
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
