#!/usr/bin/python

# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipsec_info
short_description: Show configuration, state and drift of an IPsec gateway
version_added: 0.1.0
description:
  - Returns the VPN networks, phase 1 and phase 2 objects that are configured on the host. It adds
    the connections that the IKE daemon has loaded, the SAs with their algorithms, the expiry of
    certificates, and all drift from the configuration. The module changes nothing.
  - The module compares the SAs with the configuration. A tunnel is not V(up) if it carries only a
    part of its networks, or if its values differ from the configuration. See
    RV(ipsec_info.phase1[].phase2[].state).
  - The module explains why a tunnel is not up, as M(tunnelwright.ipsec.ipsec_connection) does. The
    explanation comes from the lines of the IKE daemon in the journal. The module sends nothing to
    the peer.
  - The phase 1 objects include the connections of
    O(tunnelwright.ipsec.ipsec_settings#module:swanctl_conf), marked as C(advanced).
  - The module never returns a secret.
options:
  network:
    description:
      - Only this VPN network, with its phase 1 objects. It must exist on the host.
      - Default is all networks.
    type: str
  phase1:
    description:
      - Only this phase 1, or this connection of
        O(tunnelwright.ipsec.ipsec_settings#module:swanctl_conf), with its network. It must exist on
        the host.
      - Default is all phase 1 objects.
    type: str
  wait:
    description:
      - Longest time in seconds to wait until the phase 2 objects of each phase 1 with
        C(connection_behavior=start) are up, V(0) to V(600). The wait ends earlier when all of them
        are up, or after 5 seconds without a negotiation.
      - Check mode does not wait.
    type: int
    default: 0
notes:
  - An IKE daemon that does not run is not an error. RV(ipsec_info.daemon.running) is then false,
    and the module warns. Every tunnel that is switched on is then V(down).
  - The module waits for the end of another run of this collection on the host, so it never sees an
    incomplete change. It does not reset the checkpoint timer of
    M(tunnelwright.ipsec.ipsec_checkpoint). Therefore a monitoring system may run it at any time.
  - The files and directories of the collection belong to root, with a fixed mode. If other users
    can read a file with secrets, a warning names the secrets that may be known. The module of the
    object repairs the file. You must replace the secrets.
  - The IKE daemon does not report all values of a connection. Another administrator may load a
    connection under the name of a managed connection. The module does not see a difference in
    algorithms, lifetimes or retries alone.
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
- name: Read the state of the whole gateway
  tunnelwright.ipsec.ipsec_info:
  register: vpn

- name: Check that every tunnel is up, waits for traffic, or is disabled
  ansible.builtin.assert:
    that: item.state in ['up', 'idle', 'disabled']
    fail_msg: >-
      {{ item.name }} is {{ item.state }} since {{ item.since }}.
      {{ item.explanation.explanation | default('The log shows no reason.') }}
  loop: "{{ vpn.ipsec_info.phase1 }}"
  loop_control:
    label: "{{ item.name }}"

- name: Check that there is no drift
  ansible.builtin.assert:
    that: (vpn.ipsec_info.phase1 | map(attribute='drift') | flatten + vpn.ipsec_info.drift) == []

- name: Read the state of one tunnel, and give it up to 20 seconds to come up
  tunnelwright.ipsec.ipsec_info:
    phase1: site-b
    wait: 20
"""

RETURN = r"""
ipsec_info:
  description: The gateway as the module found it.
  returned: success
  type: dict
  contains:
    time:
      description: The time on the host when the module read the state, in UTC.
      returned: always
      type: str
      sample: '2026-01-31T12:00:00+00:00'
    addresses:
      description: The addresses of the host, without loopback and link-local addresses.
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
          description: True if the daemon answers.
          returned: always
          type: bool
          sample: true
        version:
          description: The version of strongSwan. Null if the daemon does not answer.
          returned: always
          type: str
          sample: 6.0.1
        dataplane:
          description: The data plane that carries ESP, V(kernel) or V(userspace) (kernel-libipsec).
            Null if the daemon does not answer.
          returned: always
          type: str
          sample: kernel
        plugins:
          description: The plugins that the daemon has loaded.
          returned: always
          type: list
          elements: str
          sample: [aes, kernel-netlink, openssl, sha2, vici]
        restart_needed:
          description:
            - True if files of the daemon were replaced or removed since it started, such as by an
              upgrade of its packages. The daemon is then older than the installed packages, and
              their security fixes are not in force. A restart of the daemon interrupts every
              tunnel.
            - Null if the daemon does not answer, or if its files are not known.
          returned: always
          type: bool
          sample: false
    capabilities:
      description:
        - The abilities of the running IKE daemon, of the kernel and of nft. The module asks each of
          them. No ability is inferred from a connection that the daemon has loaded.
        - The names of algorithms are the names of strongSwan, as in C(swanctl --list-algs).
      returned: always
      type: dict
      contains:
        version:
          description: The version of strongSwan. Null if the daemon does not answer. The lists are
            then empty.
          returned: always
          type: str
          sample: 6.1.0
        ike_versions:
          description: The IKE versions that the daemon can negotiate. Debian builds strongSwan 6.1
            and later without IKEv1.
          returned: always
          type: list
          elements: int
          sample: [2]
        encryption:
          description: The encryption algorithms of the daemon, without AEAD algorithms.
          returned: always
          type: list
          elements: str
          sample: [3DES_CBC, AES_CBC, AES_CTR, CAMELLIA_CBC]
        aead:
          description: The AEAD algorithms of the daemon.
          returned: always
          type: list
          elements: str
          sample: [AES_CCM_16, AES_GCM_16, CHACHA20_POLY1305]
        integrity:
          description: The integrity algorithms of the daemon.
          returned: always
          type: list
          elements: str
          sample: [HMAC_SHA1_96, HMAC_SHA2_256_128]
        prf:
          description: The pseudo-random functions of the daemon.
          returned: always
          type: list
          elements: str
          sample: [PRF_HMAC_SHA1, PRF_HMAC_SHA2_256]
        key_exchange:
          description: The key exchange methods of the daemon, with ML-KEM if the daemon has it.
          returned: always
          type: list
          elements: str
          sample: [CURVE_25519, ECP_384, ML_KEM_768, MODP_2048]
        plugins:
          description: The plugins that the daemon has loaded.
          returned: always
          type: list
          elements: str
          sample: [aes, kernel-netlink, openssl, sha2, vici]
        kernel:
          description: True for a protocol that the kernel can do, by a trial. Null for a protocol
            that was not tried. The module tries C(esp) and C(ah) if the kernel carries the tunnels
            of a network.
          returned: always
          type: dict
          sample: {esp: true, ah: true}
        nftables:
          description: The C(version) of nft, and whether nft was built with C(json). Null if nft
            does not answer.
          returned: always
          type: dict
          sample: {version: 1.1.7, json: true}
    packages:
      description: The distribution, and the packages of strongSwan and nftables.
      returned: always
      type: dict
      contains:
        distribution:
          description: The distribution, C(ID) in C(os-release). Null if it is not known.
          returned: always
          type: str
          sample: debian
        codename:
          description: The release of the distribution. Null if it is not known.
          returned: always
          type: str
          sample: trixie
        installed:
          description: The version of each installed package, by name. Empty on a host without
            C(dpkg-query).
          returned: always
          type: dict
          sample:
            charon-systemd: 6.0.1-6+deb13u6
            libstrongswan: 6.0.1-6+deb13u6
            nftables: 1.1.3-1
    advisories:
      description:
        - The security fixes of strongSwan that the installed packages lack, the newest first. They
          come from a table in the collection, which C(docs/advisories.md) shows. The module never
          uses the network for them. Fixes that are newer than the table are not reported.
        - A fix is reported if a package with the vulnerable component is installed. The component
          need not be in use.
        - Null if the table does not know the installed packages, such as the packages of other
          distributions. An empty list means that the packages have every fix of the table.
      returned: always
      type: list
      elements: dict
      contains:
        id:
          description: The number of the vulnerability.
          returned: always
          type: str
          sample: CVE-2026-78135
        component:
          description: The vulnerable part of strongSwan.
          returned: always
          type: str
          sample: libcharon
        text:
          description: The effect of the vulnerability.
          returned: always
          type: str
          sample: >-
            A CREATE_CHILD_SA request can create a usable Child SA before the authentication is
            complete.
        package:
          description: The package that lacks the fix.
          returned: always
          type: str
          sample: strongswan-libcharon
        installed:
          description: The installed version of the package.
          returned: always
          type: str
          sample: 6.0.1-6+deb13u6
        fixed_in:
          description: The first version with the fix in the same release of Debian.
          returned: always
          type: str
          sample: 6.0.1-6+deb13u7
        source:
          description: The source of this line of the table.
          returned: always
          type: str
          sample: Debian changelog of strongswan 6.0.1-6+deb13u7 (trixie-security, 2026-09-01)
        table_date:
          description: The day on which the table was made.
          returned: always
          type: str
          sample: '2026-11-30'
    networks:
      description: The VPN networks, by name.
      returned: always
      type: list
      elements: dict
      contains:
        name:
          description: Name of the object.
          returned: always
          type: str
          sample: lan
        state:
          description:
            - V(up) means that the network works. V(stopped) means that it is switched off.
            - V(down) means that the network is switched on but does not work. Its interface is not
              up, its unit is not active, or its nftables rules differ from the configuration.
              RV(ipsec_info.drift) has the details.
          returned: always
          type: str
          sample: up
        interface:
          description: Name of the interface of the network.
          returned: always
          type: str
          sample: vpn-lan
        addresses:
          description: The current addresses of the interface, without link-local addresses.
          returned: always
          type: list
          elements: str
          sample: [10.1.0.1/24]
        mtu:
          description: The current MTU of the interface in bytes. Null if the interface does not
            exist.
          returned: always
          type: int
          sample: 1500
        options:
          description: The configuration of the network, as options of
            M(tunnelwright.ipsec.vpn_network).
          returned: always
          type: dict
          sample: {name: lan, ip_address: 10.1.0.1, network_address: 10.1.0.0/24}
        settings:
          description: The settings of the network, as options of
            M(tunnelwright.ipsec.ipsec_settings). Conf texts are left out.
          returned: always
          type: dict
          sample: {network: lan, unique_ids: 'yes', mss_clamp: 0}
        rules:
          description: The rules of the network in their order, as options of
            M(tunnelwright.ipsec.vpn_rule).
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
          description: Name of the object.
          returned: always
          type: str
          sample: site-b
        network:
          description: Name of the VPN network of the phase 1.
          returned: always
          type: str
          sample: lan
        advanced:
          description:
            - True for a connection of O(tunnelwright.ipsec.ipsec_settings#module:swanctl_conf),
              which is not a phase 1. C(options) then holds the values of the text as options of a
              phase 1. RV(ipsec_info.drift) holds the drift from the text.
          returned: always
          type: bool
          sample: false
        state:
          description:
            - V(up) means that at least one phase 2 is up, and that each other phase 2 is up or
              idle.
            - V(idle) means that the phase 1 waits for traffic or for the peer, according to its
              C(connection_behavior). Its last attempt, if any, did not fail.
            - V(connecting) means that the phase 1 negotiates. V(partial) means that some phase 2
              objects are up and others are not, or that one of them is V(partial). V(down) means
              that no phase 2 is up.
            - V(outdated) means that all phase 2 objects are up, but the values of at least one
              differ from the configuration.
            - V(disabled) means that the phase 1 or its network is switched off.
            - An IKE SA alone carries no traffic. Therefore a phase 1 is V(down) if the peer refused
              its phase 2.
          returned: always
          type: str
          sample: up
        since:
          description:
            - The time at which the oldest IKE SA of the phase 1 was established.
            - Without an IKE SA, the time at which the last IKE SA or the last attempt ended. Null
              if the journal does not show it.
          returned: always
          type: str
          sample: '2026-01-31T09:00:00+00:00'
        quantum_safe:
          description:
            - Whether all IKE SAs of the phase 1 have used an additional key exchange with ML-KEM,
              or a PPK. The keys of their Child SAs then resist quantum computers. Null without an
              IKE SA.
            - With a PPK alone, the messages of the first IKE SA itself do not resist. They contain
              identities, networks and public keys.
          returned: always
          type: bool
          sample: false
        pending:
          description:
            - The configured values that are not in force in the IKE SAs of the phase 1. The tunnel
              is then V(outdated). Possible reasons are the option C(apply) of the modules, the
              connection behavior V(responder_only), and a peer that refused the new values.
            - An SA keeps its values through every rekey and re-authentication, and when the IKE
              daemon restarts it after a dead peer. The value is reported until the SA is closed.
              M(tunnelwright.ipsec.ipsec_connection) with C(state=reconnected) closes it.
            - A new key, C(psk) or C(ppk), is reported without its value. It does not change the
              state, because an SA needs the key only for the next authentication.
          returned: always
          type: list
          elements: dict
          contains:
            key:
              description: The strongSwan name of the option.
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
          description: The configuration of the phase 1, as options of
            M(tunnelwright.ipsec.ipsec_phase1), without the PSK.
          returned: always
          type: dict
          sample: {name: site-b, network: lan, remote_gateway: 203.0.113.20, key_exchange: ikev2}
        loaded:
          description: The values that the IKE daemon reports for the connection of this name. The
            daemon does not report all values. Null if the connection is not loaded.
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
            proposals:
              description: The proposals of the connection under their strongSwan names, the
                preferred one first. Null if the daemon does not report them, as strongSwan before
                6.0.7.
              returned: always
              type: list
              elements: str
              sample: [AES_CBC_256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_2048]
            phase2:
              description: The children of the connection, by name. Each has C(mode),
                C(local_network), C(remote_network) and C(proposals).
              returned: always
              type: dict
              sample:
                lan:
                  mode: tunnel
                  local_network: [10.1.0.0/24]
                  remote_network: [10.2.0.0/24]
                  proposals: ['ESP:AES_GCM_16_256/MODP_2048/NO_EXT_SEQ']
        sas:
          description: The IKE SAs of the phase 1, in any state.
          returned: always
          type: list
          elements: dict
          contains:
            id:
              description: Number of the SA in the IKE daemon.
              returned: always
              type: int
              sample: 7
            state:
              description: The state in strongSwan. V(ESTABLISHED) and V(REKEYING) count as up.
              returned: always
              type: str
              sample: ESTABLISHED
            since:
              description: The time at which the SA was established. Null if it is not established.
              returned: always
              type: str
              sample: '2026-01-31T09:00:00+00:00'
            version:
              description: The IKE version, 1 or 2.
              returned: always
              type: int
              sample: 2
            initiator:
              description: True if this end initiated the SA.
              returned: always
              type: bool
              sample: true
            local_host:
              description: The address of this end.
              returned: always
              type: str
              sample: 198.51.100.10
            local_port:
              description: The UDP port of this end, 500 or 4500.
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
              description: The UDP port of the peer.
              returned: always
              type: int
              sample: 4500
            remote_id:
              description: The identity of the peer. Null until it is known.
              returned: always
              type: str
              sample: 203.0.113.20
            nat:
              description: True if one of the ends is behind a NAT, or if ESP in UDP is forced.
              returned: always
              type: bool
              sample: false
            algorithms:
              description: The algorithms in use, under their strongSwan names.
              returned: always
              type: str
              sample: AES_CBC-256 HMAC_SHA2_256_128 PRF_HMAC_SHA2_256 MODP_2048
            ppk:
              description: True if the keys of the Child SAs of this IKE SA contain a PPK, see
                O(tunnelwright.ipsec.ipsec_phase1#module:ppk).
              returned: always
              type: bool
              sample: false
            rekey_in:
              description: Seconds until the rekey. Null if none is planned.
              returned: always
              type: int
              sample: 8421
            reauth_in:
              description: Seconds until the re-authentication. Null if none is planned.
              returned: always
              type: int
              sample: 8421
        phase2:
          description: The phase 2 objects of the phase 1.
          returned: always
          type: list
          elements: dict
          contains:
            name:
              description: Name of the object.
              returned: always
              type: str
              sample: lan
            state:
              description:
                - V(up), V(idle), V(connecting), V(down) and V(disabled) have the same meaning as
                  for a phase 1. V(up) means that the installed Child SAs carry all networks.
                - V(partial) means that the Child SAs carry only a part of the networks, because the
                  peer accepted only that part. RV(ipsec_info.phase1[].phase2[].missing) lists the
                  other networks. If C(remote_gateway) of the phase 1 is V(%any), a part of each
                  network is enough for V(up), because each peer brings its own part.
                - V(outdated) means that values of the Child SAs differ from the configuration.
                  RV(ipsec_info.phase1[].phase2[].pending) lists these values.
              returned: always
              type: str
              sample: up
            since:
              description: The time at which the oldest Child SA was installed. Each rekey installs
                a new Child SA. Without a Child SA, the same as for the phase 1.
              returned: always
              type: str
              sample: '2026-01-31T11:20:00+00:00'
            quantum_safe:
              description: Whether the keys of all Child SAs of the phase 2 resist quantum
                computers. They do because of their IKE SA, or of an additional key exchange of
                their own. Null without a Child SA.
              returned: always
              type: bool
              sample: false
            options:
              description: The configuration of the phase 2, as options of
                M(tunnelwright.ipsec.ipsec_phase2).
              returned: always
              type: dict
              sample: {name: lan, phase1: site-b, remote_network: [10.2.0.0/24]}
            explanation:
              description: The reason why the phase 2 is not up, in the form of
                RV(ipsec_info.phase1[].explanation). Null if it is up, or if the log shows no
                reason.
              returned: always
              type: dict
              sample: null
            missing:
              description: The pairs of configured networks that no Child SA carries, in the states
                V(partial) and V(outdated).
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
              description: The configured values that are not in force in the Child SAs of the phase
                2 and their IKE SAs, in the form of RV(ipsec_info.phase1[].pending).
              returned: always
              type: list
              elements: dict
              contains:
                key:
                  description: The strongSwan name of the option.
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
              description: True if the loaded connection in the IKE daemon has this child.
              returned: always
              type: bool
              sample: true
            sas:
              description: The Child SAs of the phase 2, without replaced Child SAs.
              returned: always
              type: list
              elements: dict
              contains:
                id:
                  description: Number of the SA in the IKE daemon.
                  returned: always
                  type: int
                  sample: 12
                state:
                  description: The state in strongSwan. V(INSTALLED), V(REKEYING) and V(UPDATING)
                    count as up.
                  returned: always
                  type: str
                  sample: INSTALLED
                since:
                  description: The time at which the SA was installed. Null if it is not installed.
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
                  description: True if ESP is encapsulated in UDP.
                  returned: always
                  type: bool
                  sample: false
                ipcomp:
                  description: True if IPComp is in use.
                  returned: always
                  type: bool
                  sample: false
                local_network:
                  description: The negotiated traffic selectors of this end.
                  returned: always
                  type: list
                  elements: str
                  sample: [10.1.0.0/24]
                remote_network:
                  description: The negotiated traffic selectors of the peer.
                  returned: always
                  type: list
                  elements: str
                  sample: [10.2.0.0/24]
                algorithms:
                  description: The algorithms in use. A group at the end is the group of PFS. The
                    first Child SA of an IKE SA shows no group, because its keys come from the IKE
                    SA.
                  returned: always
                  type: str
                  sample: AES_CBC-256 HMAC_SHA2_256_128 MODP_2048
                spi_in:
                  description: The SPI of incoming packets.
                  returned: always
                  type: str
                  sample: c1a2b3c4
                spi_out:
                  description: The SPI of outgoing packets.
                  returned: always
                  type: str
                  sample: c5d6e7f8
                bytes_in:
                  description: Received bytes since the SA was installed.
                  returned: always
                  type: int
                  sample: 840
                bytes_out:
                  description: Sent bytes since the SA was installed.
                  returned: always
                  type: int
                  sample: 840
                packets_in:
                  description: Received packets since the SA was installed.
                  returned: always
                  type: int
                  sample: 10
                packets_out:
                  description: Sent packets since the SA was installed.
                  returned: always
                  type: int
                  sample: 10
                idle:
                  description: Seconds since the last packet in any direction. Null if there was no
                    packet.
                  returned: always
                  type: int
                  sample: 3
                rekey_in:
                  description: Seconds until the rekey. Null if none is planned.
                  returned: always
                  type: int
                  sample: 1200
                expires_in:
                  description: Seconds until the SA expires, unless a rekey replaces it. Null if it
                    does not expire.
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
              description: V(certificate) for the certificate of this gateway, or V(ca) for the CA
                of the peer.
              returned: always
              type: str
              sample: certificate
            file:
              description: Path of the copy that the IKE daemon reads.
              returned: always
              type: str
              sample: /etc/swanctl/x509/tunnelwright.site-b.pem
            subject:
              description: The subject of the certificate. Null, like the next values, if the file
                cannot be read.
              returned: always
              type: str
              sample: C=CH, O=example, CN=gw-a.example.com
            issuer:
              description: The issuer of the certificate.
              returned: always
              type: str
              sample: C=CH, O=example, CN=VPN CA
            not_before:
              description: Start of its validity, in UTC.
              returned: always
              type: str
              sample: '2026-01-01T00:00:00+00:00'
            not_after:
              description: End of its validity, in UTC.
              returned: always
              type: str
              sample: '2027-01-01T00:00:00+00:00'
        drift:
          description: The drift of the phase 1 from its configuration. A run of its module repairs
            the drift.
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
              description: The actual state. For a file, its content with every secret masked. If
                only its mode, owner or kind differs, V(mode 0644 instead of 0600), V(owner
                1000:1000 instead of 0:0) or V(a symbolic link to /x instead of a file).
              returned: always
              type: str
              sample: not loaded
            expected:
              description: The configured state.
              returned: always
              type: str
              sample: loaded
        explanation:
          description:
            - The reason why the phase 1 is not up, from the log of the last attempt. Null if it is
              up, if it has just begun to negotiate, or if the log shows no reason.
            - With several phase 2 objects, the explanation of the first one that is down.
          returned: always
          type: dict
          contains:
            phase1:
              description: Name of the phase 1.
              returned: always
              type: str
              sample: site-b
            phase2:
              description: Name of the phase 2. Null if the phase 1 fails.
              returned: always
              type: str
              sample: lan
            cause:
              description: A code that stays the same in all releases. C(docs/troubleshooting.md)
                lists all codes.
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
              description: The places to check. Each has an option or another subject, and a side,
                V(ours) or V(theirs).
              returned: always
              type: list
              elements: dict
              sample:
                - side: ours
                  option: ipsec_phase1 psk
            ours:
              description: The value of this side, as in the log or the options.
              returned: always
              type: str
              sample: ESP:AES_CBC_256/HMAC_SHA2_256_128/MODP_2048/NO_EXT_SEQ
            theirs:
              description: The value of the peer, if the log shows it.
              returned: always
              type: str
              sample: ESP:AES_CBC_256/HMAC_SHA2_256_128/MODP_4096/NO_EXT_SEQ
            evidence:
              description: Lines of the log that prove the cause.
              returned: always
              type: list
              elements: str
              sample:
                - 'ours: received AUTHENTICATION_FAILED notify error'
            next_step:
              description: The action to take next.
              returned: always
              type: str
              sample: >-
                Read the log of the peer. It shows the reason, and the IKE protocol does not
                transmit it.
            candidates:
              description:
                - Possible causes that only the peer can distinguish. Each has C(cause),
                  C(explanation), C(where) and C(ours). C(look_for) is the line in the log of the
                  peer that proves it. Empty if the cause itself is known.
              returned: always
              type: list
              elements: dict
              sample: []
        log:
          description: The last log lines of the IKE daemon about the phase 1, if it is not up.
          returned: always
          type: list
          elements: str
          sample:
            - '2026-01-31T11:59:58+00:00 [IKE] <site-b> retransmit 5 of request with message ID 0'
    unmanaged:
      description: The names of the unmanaged connections in the IKE daemon. Unmanaged means that
        this collection did not make them.
      returned: always
      type: list
      elements: str
      sample: [road-warriors]
    drift:
      description: The drift of everything except the phase 1 objects, in the form of
        RV(ipsec_info.phase1[].drift). It covers the networks, the settings of the IKE daemon, and
        the directories and the checkpoint of the collection.
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
          description: The actual state.
          returned: always
          type: str
          sample: not loaded
        expected:
          description: The configured state.
          returned: always
          type: str
          sample: loaded
"""

from ..module_utils._module.info import run


def main() -> None:
    run()


if __name__ == "__main__":
    main()
