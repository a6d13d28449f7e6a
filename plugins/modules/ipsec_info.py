#!/usr/bin/python

# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipsec_info
short_description: See what is configured, loaded and up on an IPsec gateway
version_added: 0.1.0
description:
  - Tells in one call, and without changing anything, which VPN networks, phase 1 and phase 2
    objects are configured on the host, what the IKE daemon has loaded of them, which SAs are up
    and with which algorithms, when certificates expire, and what differs from what is configured.
  - The SAs are held against the configuration. A tunnel that carries only a part of its networks,
    or that goes on with values that are not those configured, is not V(up), see
    RV(ipsec_info.phase1[].phase2[].state).
  - Of a tunnel that is not up it says why, as M(tunnelwright.ipsec.ipsec_connection) does, from
    what the IKE daemon has written to the journal. Nothing is sent to the peer for it.
  - The connections of O(tunnelwright.ipsec.ipsec_settings#module:swanctl_conf) are among the
    phase 1 objects, as C(advanced).
  - Never returns a secret.
options:
  network:
    description:
      - Only this VPN network, with its phase 1 objects. It must exist on the host.
      - All networks, if it is left out.
    type: str
  phase1:
    description:
      - Only this phase 1, or this connection of
        O(tunnelwright.ipsec.ipsec_settings#module:swanctl_conf), with its network. It must exist on
        the host.
      - All phase 1 objects, if it is left out.
    type: str
  wait:
    description:
      - How many seconds to wait at most until the phase 2 objects of a phase 1 with
        C(connection_behavior=start) are up, V(0) to V(600). It ends earlier when all of them are
        up, or when nothing has been negotiated for 5 seconds.
      - In check mode it does not wait.
    type: int
    default: 0
notes:
  - It is no error if the IKE daemon does not run. RV(ipsec_info.daemon.running) says so, and so
    does a warning; every tunnel that is switched on is down then.
  - A call waits until a run of another module of this collection on the host is over, so that it
    never sees a change half done. It is no sign of life to M(tunnelwright.ipsec.ipsec_checkpoint),
    so it may be called from a monitoring system at any time.
  - Files of the collection belong to root, with the mode that they were written with, and so do its
    directories. Where a file with secrets can be read by others, a warning says which secrets may
    be known. Its module repairs the file, but the secrets must be replaced by you.
  - The IKE daemon does not tell everything that it was given. Drift in the algorithms, lifetimes or
    retries alone of a connection that somebody loaded by hand under the name of a managed one is
    not seen.
seealso:
  - module: tunnelwright.ipsec.vpn_network
  - module: tunnelwright.ipsec.ipsec_settings
  - module: tunnelwright.ipsec.ipsec_phase1
  - module: tunnelwright.ipsec.ipsec_phase2
  - module: tunnelwright.ipsec.ipsec_connection
  - module: tunnelwright.ipsec.ipsec_diagnostics
extends_documentation_fragment:
  - tunnelwright.ipsec._attributes.query
  - tunnelwright.ipsec._attributes.alike
  - tunnelwright.ipsec._attributes.group
  - tunnelwright.ipsec._host.needed
author:
  - The tunnelwright.ipsec authors (@tunnelwright)
"""

EXAMPLES = r"""
- name: Look at everything
  tunnelwright.ipsec.ipsec_info:
  register: vpn

- name: Every tunnel that should be up is up
  ansible.builtin.assert:
    that: item.state in ['up', 'idle', 'disabled']
    fail_msg: >-
      {{ item.name }} is {{ item.state }} since {{ item.since }}.
      {{ item.explanation.explanation | default('The log does not tell why.') }}
  loop: "{{ vpn.ipsec_info.phase1 }}"
  loop_control:
    label: "{{ item.name }}"

- name: Nobody has changed anything by hand
  ansible.builtin.assert:
    that: (vpn.ipsec_info.phase1 | map(attribute='drift') | flatten + vpn.ipsec_info.drift) == []

- name: Look at one tunnel, after it has had time to come up
  tunnelwright.ipsec.ipsec_info:
    phase1: site-b
    wait: 20
"""

RETURN = r"""
ipsec_info:
  description: What was found.
  returned: success
  type: dict
  contains:
    time:
      description: The time of the host at which it was found, in UTC.
      returned: always
      type: str
      sample: '2026-01-31T12:00:00+00:00'
    addresses:
      description: The addresses of the host, without those that are not known beyond a link of it.
      returned: always
      type: list
      elements: str
      sample: [10.1.0.1, 198.51.100.10]
    daemon:
      description: The IKE daemon.
      returned: always
      type: dict
      contains:
        running:
          description: Whether it answers.
          returned: always
          type: bool
          sample: true
        version:
          description: The version of strongSwan. Null if the daemon does not answer.
          returned: always
          type: str
          sample: 6.0.1
        dataplane:
          description: What carries ESP, V(kernel) or V(userspace) (kernel-libipsec). Null if the
            daemon does not answer.
          returned: always
          type: str
          sample: kernel
        plugins:
          description: The plugins that it has loaded.
          returned: always
          type: list
          elements: str
          sample: [aes, kernel-netlink, openssl, sha2, vici]
    networks:
      description: The VPN networks, by name.
      returned: always
      type: list
      elements: dict
      contains:
        name:
          description: Its name.
          returned: always
          type: str
          sample: lan
        state:
          description:
            - V(up), or V(stopped) if it is switched off.
            - V(down) if it is switched on, but its interface is not up, its unit is not active, or
              its nftables rules are not those that it should have. RV(ipsec_info.drift) has the
              details.
          returned: always
          type: str
          sample: up
        interface:
          description: Its interface.
          returned: always
          type: str
          sample: vpn-lan
        addresses:
          description: The addresses that the interface has, link-local ones left out.
          returned: always
          type: list
          elements: str
          sample: [10.1.0.1/24]
        mtu:
          description: The MTU that the interface has. Null if there is no such interface.
          returned: always
          type: int
          sample: 1500
        options:
          description: As it is configured, in the options of
            M(tunnelwright.ipsec.vpn_network).
          returned: always
          type: dict
          sample: {name: lan, ip_address: 10.1.0.1, network_address: 10.1.0.0/24}
        settings:
          description: As it is configured, in the options of
            M(tunnelwright.ipsec.ipsec_settings). Conf texts are left out.
          returned: always
          type: dict
          sample: {network: lan, unique_ids: 'yes', mss_clamp: 0}
        rules:
          description: Its rules in their order, in the options of M(tunnelwright.ipsec.vpn_rule).
          returned: always
          type: list
          elements: dict
          sample: []
    phase1:
      description: The phase 1 objects, by name.
      returned: always
      type: list
      elements: dict
      contains:
        name:
          description: Its name.
          returned: always
          type: str
          sample: site-b
        network:
          description: Its VPN network.
          returned: always
          type: str
          sample: lan
        advanced:
          description:
            - Whether it is a connection of
              O(tunnelwright.ipsec.ipsec_settings#module:swanctl_conf) and no phase 1. Then
              C(options) has what the text says in the options of a phase 1, and a difference from
              the text is in RV(ipsec_info.drift).
          returned: always
          type: bool
          sample: false
        state:
          description:
            - V(up) if its phase 2 objects are up, or at least none of them is down.
            - V(idle) if it waits for traffic or for the peer, as its C(connection_behavior) says,
              and the last attempt, if there was one, has not failed.
            - V(connecting) while it negotiates, V(partial) if some of its phase 2 objects are up
              and others are not, or if one of them is V(partial), V(down) if none is.
            - V(outdated) if all are up, and one of them goes on with values that are not those
              configured.
            - V(disabled) if it, or its network, is switched off.
            - An IKE SA alone carries nothing, so a phase 1 whose phase 2 was refused is V(down).
          returned: always
          type: str
          sample: up
        since:
          description:
            - When the oldest of its IKE SAs was established.
            - If there is none, when the last one ended, or the last attempt at one. Null if the
              journal does not tell.
          returned: always
          type: str
          sample: '2026-01-31T09:00:00+00:00'
        pending:
          description:
            - What is configured of the phase 1, and not in force in its IKE SAs. The tunnel is
              V(outdated) then. What makes a difference between the two is C(apply) of the modules,
              the connection behavior V(responder_only), or a peer that refused the new values.
            - An SA keeps its values through every rekeying and re-authentication, and when the IKE
              daemon restarts it after its peer was dead. Each value is told until the SA is closed,
              which M(tunnelwright.ipsec.ipsec_connection) does with C(state=reconnected).
            - A new pre-shared key, C(psk), is told without its value. It leaves the state as it is,
              because an SA needs the key only for the next authentication.
          returned: always
          type: list
          elements: dict
          contains:
            key:
              description: The option, under the name that strongSwan has for it.
              returned: always
              type: str
              sample: remote_addrs
            in_force:
              description: The value in the SA.
              returned: always
              type: str
              sample: 203.0.113.20
            configured:
              description: The value that is configured.
              returned: always
              type: str
              sample: 203.0.113.21
          sample: []
        options:
          description: As it is configured, in the options of
            M(tunnelwright.ipsec.ipsec_phase1), without the PSK.
          returned: always
          type: dict
          sample: {name: site-b, network: lan, remote_gateway: 203.0.113.20, key_exchange: ikev2}
        loaded:
          description: What the IKE daemon shows of the connection of this name, which is not all
            that it knows. Null if it has none.
          returned: always
          type: dict
          contains:
            version:
              description: V(IKEv1), V(IKEv2) or V(IKEv1/2).
              returned: always
              type: str
              sample: IKEv2
            local_address:
              description: The addresses of this end.
              returned: always
              type: list
              elements: str
              sample: ['%any']
            remote_gateway:
              description: The addresses of the peer.
              returned: always
              type: list
              elements: str
              sample: [203.0.113.20]
            identifier:
              description: The identity of this end. Null if it is the address in use.
              returned: always
              type: str
              sample: gw-a.example.com
            peer_identifier:
              description: The identity of the peer.
              returned: always
              type: str
              sample: 203.0.113.20
            phase2:
              description: Its children, by name, each with C(mode), C(local_network) and
                C(remote_network).
              returned: always
              type: dict
              sample:
                lan:
                  mode: tunnel
                  local_network: [10.1.0.0/24]
                  remote_network: [10.2.0.0/24]
        sas:
          description: Its IKE SAs, in whatever state.
          returned: always
          type: list
          elements: dict
          contains:
            id:
              description: By which the IKE daemon tells it from others.
              returned: always
              type: int
              sample: 7
            state:
              description: As strongSwan calls it. V(ESTABLISHED) and V(REKEYING) are up.
              returned: always
              type: str
              sample: ESTABLISHED
            since:
              description: When it was established. Null if it is not yet.
              returned: always
              type: str
              sample: '2026-01-31T09:00:00+00:00'
            version:
              description: Of IKE, 1 or 2.
              returned: always
              type: int
              sample: 2
            initiator:
              description: Whether this end began.
              returned: always
              type: bool
              sample: true
            local_host:
              description: The address of this end.
              returned: always
              type: str
              sample: 198.51.100.10
            local_port:
              description: Its UDP port, 500 or 4500.
              returned: always
              type: int
              sample: 4500
            local_id:
              description: The identity of this end.
              returned: always
              type: str
              sample: 198.51.100.10
            remote_host:
              description: The address of the peer.
              returned: always
              type: str
              sample: 203.0.113.20
            remote_port:
              description: Its UDP port.
              returned: always
              type: int
              sample: 4500
            remote_id:
              description: The identity of the peer. Null until it is known.
              returned: always
              type: str
              sample: 203.0.113.20
            nat:
              description: Whether one of the ends is behind a NAT, or ESP in UDP is forced.
              returned: always
              type: bool
              sample: false
            algorithms:
              description: Those really in use, in the words of strongSwan.
              returned: always
              type: str
              sample: AES_CBC-256 HMAC_SHA2_256_128 PRF_HMAC_SHA2_256 MODP_2048
            rekey_in:
              description: Seconds until it is rekeyed. Null if it is not to be.
              returned: always
              type: int
              sample: 8421
            reauth_in:
              description: Seconds until the peers authenticate anew. Null if they are not to.
              returned: always
              type: int
              sample: 8421
        phase2:
          description: Its phase 2 objects.
          returned: always
          type: list
          elements: dict
          contains:
            name:
              description: Its name.
              returned: always
              type: str
              sample: lan
            state:
              description:
                - One of V(up), V(idle), V(connecting), V(down) and V(disabled), as with the phase
                  1. V(up) means that Child SAs are installed, which carry all networks.
                - V(partial) means that they carry a part of the networks alone, because the peer
                  took no more. RV(ipsec_info.phase1[].phase2[].missing) has the others. If
                  C(remote_gateway) of the phase 1 is V(%any), each peer brings a part, so that a
                  part of each network is enough.
                - V(outdated) means that they go on with values that are not those configured. These
                  are in RV(ipsec_info.phase1[].phase2[].pending).
              returned: always
              type: str
              sample: up
            since:
              description: When the oldest of its Child SAs was installed, which is when it was
                rekeyed last. If there is none, as with the phase 1.
              returned: always
              type: str
              sample: '2026-01-31T11:20:00+00:00'
            options:
              description: As it is configured, in the options of
                M(tunnelwright.ipsec.ipsec_phase2).
              returned: always
              type: dict
              sample: {name: lan, phase1: site-b, remote_network: [10.2.0.0/24]}
            explanation:
              description: Why it is not up, in the form of RV(ipsec_info.phase1[].explanation).
                Null if it is up, or if the log does not tell.
              returned: always
              type: dict
              sample: null
            missing:
              description: The pairs of configured networks that no Child SA carries, if the
                state is V(partial) or V(outdated).
              returned: always
              type: list
              elements: dict
              contains:
                local_network:
                  description: The local network.
                  returned: always
                  type: str
                  sample: 10.1.0.0/24
                remote_network:
                  description: The remote network.
                  returned: always
                  type: str
                  sample: 10.3.0.0/24
              sample: []
            pending:
              description: What is configured, and not in force in its Child SAs and their IKE
                SAs, in the form of RV(ipsec_info.phase1[].pending).
              returned: always
              type: list
              elements: dict
              contains:
                key:
                  description: The option, under the name that strongSwan has for it.
                  returned: always
                  type: str
                  sample: remote_ts
                in_force:
                  description: The value in the SA.
                  returned: always
                  type: str
                  sample: 10.2.0.0/24
                configured:
                  description: The value that is configured.
                  returned: always
                  type: str
                  sample: 10.9.0.0/24
              sample: []
            loaded:
              description: Whether the connection that the IKE daemon has loaded has it.
              returned: always
              type: bool
              sample: true
            sas:
              description: Its Child SAs, without those that have been replaced.
              returned: always
              type: list
              elements: dict
              contains:
                id:
                  description: By which the IKE daemon tells it from others.
                  returned: always
                  type: int
                  sample: 12
                state:
                  description: As strongSwan calls it. V(INSTALLED), V(REKEYING) and V(UPDATING) are
                    up.
                  returned: always
                  type: str
                  sample: INSTALLED
                since:
                  description: When it was installed. Null if it is not yet.
                  returned: always
                  type: str
                  sample: '2026-01-31T11:20:00+00:00'
                mode:
                  description: V(tunnel) or V(transport).
                  returned: always
                  type: str
                  sample: tunnel
                protocol:
                  description: V(esp) or V(ah).
                  returned: always
                  type: str
                  sample: esp
                udp_encapsulation:
                  description: Whether ESP is encapsulated in UDP.
                  returned: always
                  type: bool
                  sample: false
                ipcomp:
                  description: Whether IPComp is in use.
                  returned: always
                  type: bool
                  sample: false
                local_network:
                  description: The traffic selectors of this end, as they were negotiated.
                  returned: always
                  type: list
                  elements: str
                  sample: [10.1.0.0/24]
                remote_network:
                  description: Those of the peer.
                  returned: always
                  type: list
                  elements: str
                  sample: [10.2.0.0/24]
                algorithms:
                  description: Those really in use. A group at the end is that of PFS; the first
                    Child SA of an IKE SA shows none, since it takes its keys from there.
                  returned: always
                  type: str
                  sample: AES_CBC-256 HMAC_SHA2_256_128 MODP_2048
                spi_in:
                  description: The SPI of what comes in.
                  returned: always
                  type: str
                  sample: c1a2b3c4
                spi_out:
                  description: The SPI of what goes out.
                  returned: always
                  type: str
                  sample: c5d6e7f8
                bytes_in:
                  description: Since it was installed.
                  returned: always
                  type: int
                  sample: 840
                bytes_out:
                  description: Since it was installed.
                  returned: always
                  type: int
                  sample: 840
                packets_in:
                  description: Since it was installed.
                  returned: always
                  type: int
                  sample: 10
                packets_out:
                  description: Since it was installed.
                  returned: always
                  type: int
                  sample: 10
                idle:
                  description: Seconds since the last packet, in or out. Null if there was none.
                  returned: always
                  type: int
                  sample: 3
                rekey_in:
                  description: Seconds until it is rekeyed. Null if it is not to be.
                  returned: always
                  type: int
                  sample: 1200
                expires_in:
                  description: Seconds until it is closed, unless it is rekeyed. Null if it is not
                    to be.
                  returned: always
                  type: int
                  sample: 1740
        certificates:
          description: The certificates of a phase 1 with C(authentication=pubkey).
          returned: always
          type: list
          elements: dict
          contains:
            option:
              description: V(certificate), which is ours, or V(ca), which has signed the peer's.
              returned: always
              type: str
              sample: certificate
            file:
              description: Where the copy lies that the IKE daemon reads.
              returned: always
              type: str
              sample: /etc/swanctl/x509/tunnelwright.site-b.pem
            subject:
              description: Whom it is for. Null, as the rest, if the file can't be read.
              returned: always
              type: str
              sample: C=CH, O=example, CN=gw-a.example.com
            issuer:
              description: Who has signed it.
              returned: always
              type: str
              sample: C=CH, O=example, CN=VPN CA
            not_before:
              description: From when on it is good.
              returned: always
              type: str
              sample: '2026-01-01T00:00:00+00:00'
            not_after:
              description: Until when it is good.
              returned: always
              type: str
              sample: '2027-01-01T00:00:00+00:00'
        drift:
          description: What of it is not as it is configured. A run of its module would put it
            right.
          returned: always
          type: list
          elements: dict
          contains:
            object:
              description: The file, or the live object.
              returned: always
              type: str
              sample: connection site-b in the IKE daemon
            actual:
              description: What it is. Of a file its content, with every secret masked, or
                V(mode 0644 instead of 0600), V(owner 1000:1000 instead of 0:0), V(a symbolic link
                to /x instead of a file) where nothing else differs.
              returned: always
              type: str
              sample: not loaded
            expected:
              description: What it should be.
              returned: always
              type: str
              sample: loaded
        explanation:
          description:
            - Why it is not up, as far as the log of the last attempt tells. Null if it is up, if it
              has just begun to negotiate, or if the log does not tell.
            - If it has several phase 2 objects, it is the explanation of the first of them that is
              down.
          returned: always
          type: dict
          contains:
            phase1:
              description: Name of the phase 1.
              returned: always
              type: str
              sample: site-b
            phase2:
              description: Name of the phase 2, null where it is the phase 1 that fails.
              returned: always
              type: str
              sample: lan
            cause:
              description: A code that stays the same from release to release. They are listed in
                C(docs/troubleshooting.md).
              returned: always
              type: str
              sample: peer_refused_authentication
            explanation:
              description: The cause in a sentence.
              returned: always
              type: str
              sample: >-
                The peer answers that it could not authenticate this side (AUTHENTICATION_FAILED).
            where:
              description: What to look at, an option mostly, and on which side, V(ours) or
                V(theirs).
              returned: always
              type: list
              elements: dict
              sample:
                - side: ours
                  option: ipsec_phase1 psk
            ours:
              description: What this side has, in the words of the log or of the options.
              returned: always
              type: str
              sample: ESP:AES_CBC_256/HMAC_SHA2_256_128/MODP_2048/NO_EXT_SEQ
            theirs:
              description: What the peer has, where the log tells.
              returned: always
              type: str
              sample: ESP:AES_CBC_256/HMAC_SHA2_256_128/MODP_4096/NO_EXT_SEQ
            evidence:
              description: Lines of the log that show it.
              returned: always
              type: list
              elements: str
              sample:
                - 'ours: received AUTHENTICATION_FAILED notify error'
            next_step:
              description: What to do.
              returned: always
              type: str
              sample: >-
                Read the log of the peer. It shows the reason, and the IKE protocol does not
                transmit it.
            candidates:
              description:
                - What may lie behind the cause where this side can't know, each with C(cause),
                  C(explanation), C(where), C(ours), and in C(look_for) the line of the peer's log
                  that proves it. Empty where the cause itself is known.
              returned: always
              type: list
              elements: dict
              sample: []
        log:
          description: The last lines of the IKE daemon about it, if it is not up.
          returned: always
          type: list
          elements: str
          sample:
            - '2026-01-31T11:59:58+00:00 [IKE] <site-b> retransmit 5 of request with message ID 0'
    unmanaged:
      description: The names of the connections that the IKE daemon has, and this collection did not
        make.
      returned: always
      type: list
      elements: str
      sample: [road-warriors]
    drift:
      description: What of the networks, of the settings of the IKE daemon, and of the directories
        and checkpoint of the collection, is not as it is configured, in the form of
        RV(ipsec_info.phase1[].drift).
      returned: always
      type: list
      elements: dict
      contains:
        object:
          description: The file, or the live object.
          returned: always
          type: str
          sample: 'network lan: nftables rules'
        actual:
          description: What it is.
          returned: always
          type: str
          sample: not loaded
        expected:
          description: What it should be.
          returned: always
          type: str
          sample: loaded
"""

from ..module_utils._module.flow import run_info as run


def main() -> None:
    run()


if __name__ == "__main__":
    main()
