#!/usr/bin/python

# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipsec_settings
short_description: Manage the general IPsec settings of a VPN network
version_added: 0.1.0
description:
  - The settings apply to every tunnel of a VPN network. Their defaults fit most peers, so this
    module is needed only where a setting must differ.
  - Each network has exactly one set of settings, which cannot be removed. A task that gives only
    O(network) returns every setting to its default.
options:
  network:
    description:
      - Name of the network, made with M(tunnelwright.ipsec.vpn_network).
    type: str
    required: true
  configuration_mode:
    description:
      - V(normal) uses the options of the modules only.
      - V(advanced) also installs O(swanctl_conf) and O(strongswan_conf), for settings that the
        modules do not offer.
      - B(V(advanced) gives root on the host.) The IKE daemon runs as root and obeys these texts.
        C(updown) in O(swanctl_conf) runs programs, and so do C(start-scripts) and C(stop-scripts)
        in O(strongswan_conf). C(load) loads plugins. C(filelog) writes files anywhere, including
        keys at level 4. C(vici.socket) can open the control socket to the network. The module
        refuses none of these.
      - A user who can write these two options can do the same as an administrator of the host.
        Protect the inventory, survey or template that holds them. No other option of the collection
        runs a program that the user chooses.
    type: str
    choices:
      - normal
      - advanced
    default: normal
  unique_ids:
    description:
      - Defines what happens when a peer connects again under an identity that already has an IKE SA
        (C(unique) of a connection in strongSwan).
      - V(yes) replaces the old IKE SA (C(replace) in strongSwan).
      - V(no) replaces it only when the peer sends INITIAL_CONTACT.
      - V(never) keeps the old IKE SA even then.
      - YAML booleans are accepted as V(yes) and V(no).
    type: str
    choices:
      - 'yes'
      - 'no'
      - never
    default: 'yes'
  ipcomp:
    description:
      - Propose IPComp in every phase 2 (C(ipcomp) in strongSwan). IPComp compresses packets before
        encryption. It is used only if the peer proposes it too.
      - Packets that compression does not make smaller arrive as IPIP (IP protocol 4). The rules of
        the network accept such packets from a tunnel.
      - The userspace data plane does not support IPComp, and carries packets without it.
    type: bool
    default: false
  exclude_my_network:
    description:
      - Traffic within the local network, including the router address, bypasses IPsec (a C(pass)
        shunt in strongSwan).
      - This is needed where a remote network of a phase 2 contains the local network, for example
        V(10.0.0.0/8) and V(10.1.0.0/24). Such a remote network is refused while this is V(false),
        because the gateway would lose the hosts of its local network.
      - A remote network inside the local network is refused while this is V(true), because no
        packet would reach it.
    type: bool
    default: true
  cisco_extensions:
    description:
      - Announce the Cisco Unity extensions (C(charon.cisco_unity) in strongSwan). They apply to
        IKEv1 only. Leave this off unless a Cisco peer needs it. A host without IKEv1 refuses it.
      - The module applies it without a restart. All networks share one IKE daemon, so it is on for
        all networks when one network of the host has it on.
    type: bool
    default: false
  unencrypted_main_mode:
    description:
      - Accept unencrypted ID and HASH payloads in IKEv1 Main Mode
        (C(charon.accept_unencrypted_mainmode_messages) in strongSwan). This weakens security. Use
        it only for a peer that cannot encrypt them. A host without IKEv1 refuses it.
      - The module applies it without a restart. All networks share one IKE daemon, so it is on for
        all networks when one network of the host has it on.
    type: bool
    default: false
  mss_clamp:
    description:
      - Lower the TCP maximum segment size (MSS) in the tunnels of this network to this number of
        bytes, in both directions. An nftables rule does this. It does not touch other traffic, and
        does not raise a smaller MSS.
      - V(0) switches it off. Other values are V(536) to V(65495). V(1360) fits most IPv4 tunnels
        over a path of 1500 bytes.
    type: int
    default: 0
  strict_crl:
    description:
      - Defines how certificates of peers are checked for revocation (C(revocation) in strongSwan).
        It has an effect with O(tunnelwright.ipsec.ipsec_phase1#module:authentication=pubkey) only.
      - V(no) accepts a certificate when neither a CRL nor an OCSP response is available.
      - V(ifuri) refuses such a certificate if the certificate names a URI for a CRL or OCSP.
      - V(yes) refuses such a certificate in any case.
      - Every value refuses a certificate that is known to be revoked.
      - YAML booleans are accepted as V(yes) and V(no).
    type: str
    choices:
      - 'yes'
      - ifuri
      - 'no'
    default: 'no'
  make_before_break:
    description:
      - Make the new IKEv2 SA before the old SA is removed when an SA is re-authenticated
        (C(charon.make_before_break) in strongSwan). It has an effect only with
        O(tunnelwright.ipsec.ipsec_phase1#module:reauth=true). The peer must accept two SAs at the
        same time.
      - The module applies it without a restart. All networks share one IKE daemon, so it is on for
        all networks when one network of the host has it on.
    type: bool
    default: false
  swanctl_conf:
    description:
      - Text in the format of C(swanctl.conf). The module installs and loads it beside the
        connections of the modules. It requires O(configuration_mode=advanced). If left out, an
        installed text is removed.
      - The text may hold the sections C(connections) and C(secrets) only. The name of a connection
        must differ from the names of phase 1 objects and of connections in the texts of other
        networks. Secrets may be of the kinds C(ike), C(eap), C(xauth), C(ntlm) and C(ppk). The text
        must not use C(include), and cannot name certificate files.
      - A secret of kind C(ike) needs the identity of its peer as C(id). A secret without C(id) is
        valid for every peer, and the module warns about it. A text is refused if the holder of a
        key in it could authenticate as the peer of a phase 1 or of another text. The reverse case
        is refused too. See O(tunnelwright.ipsec.ipsec_phase1#module:psk).
      - A connection that authenticates its peer by certificate accepts the certificates of every CA
        on the host. C(ca_id) in its section C(remote) limits it to one CA. The module warns about
        this if a phase 1 has a CA. See O(tunnelwright.ipsec.ipsec_phase1#module:ca).
      - While the network is switched off, the text is not loaded. The same is true of a phase 1.
      - Before any change, the module parses the text and loads each of its connections into the
        daemon on trial. A text that fails is refused. A text is also refused if an unmanaged
        connection or secret has the same name.
      - A host without IKEv1 refuses a connection with C(version = 1).
      - The module makes no other check. It does not warn about weak algorithms and short keys, and
        does not notice networks that another tunnel carries. The rules of the network do not cover
        the tunnels of the text. Their traffic leaves in cleartext while they are down, and IKE, ESP
        and AH are accepted from any address.
      - M(tunnelwright.ipsec.ipsec_info) shows the tunnels of the text.
        M(tunnelwright.ipsec.ipsec_connection) connects them and explains why a tunnel does not come
        up. The text itself never appears in logs or in the result. A diff shows it with its secrets
        masked.
    type: str
  strongswan_conf:
    description:
      - Text in the format of C(strongswan.conf). The module installs it under C(/etc/strongswan.d).
        It requires O(configuration_mode=advanced). If left out, an installed text is removed.
      - Before any change, the module parses the text, which must not use C(include). The IKE daemon
        must also accept the text when it reloads its settings. A text that fails is refused, and
        the text installed before stays.
      - The module makes no other check. It does not check which settings the text sets, nor their
        meaning.
      - Settings that the daemon reads only at its start, for example C(load) of a plugin, apply
        after its next restart. The module does not restart the daemon for them, because a restart
        interrupts every tunnel of the host.
      - The text never appears in logs or in the result.
    type: str
seealso:
  - module: tunnelwright.ipsec.vpn_network
  - module: tunnelwright.ipsec.ipsec_phase1
extends_documentation_fragment:
  - tunnelwright.ipsec._attributes
  - tunnelwright.ipsec._attributes.alike
  - tunnelwright.ipsec._attributes.group
  - tunnelwright.ipsec._host.needed
  - tunnelwright.ipsec._host
author:
  - The tunnelwright.ipsec authors (@tunnelwright)
"""

EXAMPLES = r"""
- name: Clamp the MSS of TCP in tunnels, and require revocation information
  tunnelwright.ipsec.ipsec_settings:
    network: site-a
    mss_clamp: 1360
    strict_crl: true

- name: Set the network up for an old Cisco peer with IKEv1
  tunnelwright.ipsec.ipsec_settings:
    network: office
    cisco_extensions: true
    unique_ids: false

- name: Allow a peer to keep several IKE SAs under one identity
  tunnelwright.ipsec.ipsec_settings:
    network: site-a
    unique_ids: never

- name: Return every setting to its default
  tunnelwright.ipsec.ipsec_settings:
    network: site-a

- name: Add settings that the modules do not offer as conf text
  tunnelwright.ipsec.ipsec_settings:
    network: site-a
    configuration_mode: advanced
    strongswan_conf: |
      charon {
        retransmit_tries = 3
        retransmit_timeout = 2.0
      }
    swanctl_conf: |
      connections {
        lab {
          version = 2
          remote_addrs = 203.0.113.77
          proposals = aes256gcm16-prfsha384-ecp384
          local {
            auth = psk
          }
          remote {
            auth = psk
            id = lab.example.com
          }
          children {
            lab {
              local_ts = 10.1.0.0/24
              remote_ts = 10.77.0.0/16
              start_action = trap
            }
          }
        }
      }
      secrets {
        ike-lab {
          id-1 = lab.example.com
          secret = "{{ lab_psk }}"
        }
      }
"""

RETURN = r"""
ipsec_settings:
  description:
    - The settings after the run, or as they would be in check mode, under the names of the options.
      A conf text is masked. It is left out if there is none.
  returned: success
  type: dict
  sample:
    network: site-a
    configuration_mode: normal
    unique_ids: 'yes'
    ipcomp: false
    exclude_my_network: true
    cisco_extensions: false
    unencrypted_main_mode: false
    mss_clamp: 1360
    strict_crl: 'yes'
    make_before_break: false
actions:
  description:
    - The steps of the run in order, or in check mode the steps that a run would take. Empty if
      there is nothing to do.
  returned: success
  type: list
  elements: str
  sample:
    - write /etc/tunnelwright/site-a.nft
    - replace the nftables rules of network site-a
    - write /etc/tunnelwright/site-a.json
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
  sample: none
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
      sample: /etc/strongswan.d/tunnelwright.conf
    after_header:
      description: The same as C(before_header).
      returned: always
      type: str
      sample: /etc/strongswan.d/tunnelwright.conf
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
        charon {
            cisco_unity = yes
        }
"""

from ..module_utils._module.flow import run
from ..module_utils._module.settings import SettingsResource


def main() -> None:
    run(SettingsResource())


if __name__ == "__main__":
    main()
