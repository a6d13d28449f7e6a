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
  - The settings that hold for every tunnel of a VPN network. They have defaults that fit most
    peers, so that this module is needed only where one of them has to differ.
  - Each network has exactly one set of settings. There is no state to make absent; a task that
    gives nothing but O(network) returns every setting to its default.
options:
  network:
    description:
      - Name of the network, made with M(tunnelwright.ipsec.vpn_network).
    type: str
    required: true
  configuration_mode:
    description:
      - V(normal) takes the options of the modules.
      - V(advanced) installs O(swanctl_conf) and O(strongswan_conf) as well, for what the modules do
        not offer.
      - B(V(advanced) amounts to root on the host.) The IKE daemon runs as root, and does what these
        texts say. With C(updown) in O(swanctl_conf), and C(start-scripts) or C(stop-scripts) in
        O(strongswan_conf), it runs programs. With C(load) it loads plugins, with C(filelog) it
        writes files anywhere, keys included at level 4, with C(vici.socket) it can be controlled
        over the network. Nothing of that is refused.
      - So who can write these two variables must be trusted as an administrator of the host is, be
        it in an inventory, a survey or a template. The other options of the collection run no
        program of the user's choice.
    type: str
    choices:
      - normal
      - advanced
    default: normal
  unique_ids:
    description:
      - What happens when a peer connects anew under an identity that has an IKE SA already
        (C(unique) of a connection in strongSwan).
      - V(yes) replaces the old IKE SA (C(replace) in strongSwan).
      - V(no) replaces it only when the peer sends INITIAL_CONTACT.
      - V(never) keeps it even then.
      - YAML booleans are understood as V(yes) and V(no).
    type: str
    choices:
      - 'yes'
      - 'no'
      - never
    default: 'yes'
  ipcomp:
    description:
      - Propose IPComp, the compression of packets before they are encrypted, in every phase 2
        (C(ipcomp) in strongSwan). It is used only if the peer proposes it too.
      - Packets that compression does not make smaller arrive as IPIP (IP protocol 4). The rules of
        the network accept these out of a tunnel.
      - Not available with the userspace data plane, which goes on without it.
    type: bool
    default: false
  exclude_my_network:
    description:
      - Traffic within the local network, its router address included, bypasses IPsec (a C(pass)
        shunt in strongSwan).
      - Needed where a remote network of a phase 2 covers the local one, V(10.0.0.0/8) over
        V(10.1.0.0/24) for example. Without it the gateway would lose its own hosts, so that such a
        remote network is refused while this is V(false).
      - A remote network within the local one is refused while this is V(true), because no packet
        would be sent to it.
    type: bool
    default: true
  cisco_extensions:
    description:
      - Announce the Cisco Unity extensions (C(charon.cisco_unity) in strongSwan). IKEv1 only. Leave
        it off unless a Cisco peer needs it.
      - Applied without a restart. The IKE daemon is shared, so that it is on as soon as one network
        of the host asks for it.
    type: bool
    default: false
  unencrypted_main_mode:
    description:
      - Accept ID and HASH payloads that come unencrypted in IKEv1 Main Mode
        (C(charon.accept_unencrypted_mainmode_messages) in strongSwan). A weakness, for peers that
        cannot do otherwise.
      - Applied without a restart. The IKE daemon is shared, so that it is on as soon as one network
        of the host asks for it.
    type: bool
    default: false
  mss_clamp:
    description:
      - Lower the TCP maximum segment size of traffic in the tunnels of this network, in both
        directions, to this many bytes. An nftables rule; other traffic is not touched, and a size
        that is smaller already stays.
      - V(0) switches it off. Else V(536) to V(65495); V(1360) fits most IPv4 tunnels over a path of
        1500 bytes.
    type: int
    default: 0
  strict_crl:
    description:
      - How certificates of peers are checked for revocation (C(revocation) in strongSwan). Matters
        with O(tunnelwright.ipsec.ipsec_phase1#module:authentication=pubkey) only.
      - V(no) accepts a certificate when no CRL and no OCSP answer can be had.
      - V(ifuri) refuses it then if it names a place to fetch one from.
      - V(yes) refuses it then in any case.
      - A certificate that is known to be revoked is refused with every value.
      - YAML booleans are understood as V(yes) and V(no).
    type: str
    choices:
      - 'yes'
      - ifuri
      - 'no'
    default: 'no'
  make_before_break:
    description:
      - When an IKEv2 SA is re-authenticated, make the new one before the old one is removed
        (C(charon.make_before_break) in strongSwan). Matters only with
        O(tunnelwright.ipsec.ipsec_phase1#module:reauth=true). The peer must be able to cope with
        two SAs at once.
      - Applied without a restart. The IKE daemon is shared, so that it is on as soon as one network
        of the host asks for it.
    type: bool
    default: false
  swanctl_conf:
    description:
      - Text in the format of C(swanctl.conf), installed and loaded in addition to the connections
        of the modules. Needs O(configuration_mode=advanced). Left out, a text installed before is
        removed.
      - It holds the sections C(connections) and C(secrets), and no other. Names of connections must
        differ from those of phase 1 objects and of the texts of other networks. Secrets are of the
        kinds C(ike), C(eap), C(xauth), C(ntlm) and C(ppk). It must be complete in itself, without
        C(include), and it cannot name certificate files.
      - A secret of kind C(ike) needs an C(id) that is the identity of its peer. Without one it is
        for every peer, of which the module warns. A text is refused where the holder of a key in it
        could pass for the peer of a phase 1 or of another text, or the other way round, see
        O(tunnelwright.ipsec.ipsec_phase1#module:psk).
      - A connection whose peer proves who it is by a certificate accepts the certificates of every
        CA on the host, unless C(ca_id) in its section C(remote) says which CA it means. The module
        warns where a phase 1 has a CA, see O(tunnelwright.ipsec.ipsec_phase1#module:ca).
      - While the network is switched off nothing of it is loaded, like a phase 1.
      - It is parsed, and each connection in it is loaded into the daemon on trial, before anything
        is changed. A text that fails is refused. So is one with the name of a connection or a
        secret that others have.
      - That is all that is checked. The meaning of the text is not. Weak algorithms and short keys
        are not warned about. Networks that another tunnel carries are not noticed. The rules of the
        network know nothing of its tunnels, so that nothing keeps their traffic from leaving in
        cleartext while they are down, and IKE, ESP and AH are accepted from any address.
      - M(tunnelwright.ipsec.ipsec_info) shows its tunnels. M(tunnelwright.ipsec.ipsec_connection)
        connects them and explains why one does not come up. The text itself is never shown, neither
        in logs nor in the result; in a diff its secrets are masked.
    type: str
  strongswan_conf:
    description:
      - Text in the format of C(strongswan.conf), installed under C(/etc/strongswan.d). Needs
        O(configuration_mode=advanced). Left out, a text installed before is removed.
      - It is parsed before anything is changed, without C(include), and the IKE daemon has to
        accept it when it is told to read its settings again. A text that fails is refused, and what
        was installed before stays.
      - That is all that is checked. Which settings it makes, and what they mean, is not.
      - What the daemon reads at its start only, C(load) of a plugin for example, holds from its
        next restart. The module does not restart the daemon for it, since that would interrupt
        every tunnel of the host.
      - Never shown, neither in logs nor in the result.
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
- name: Clamp the MSS of tunnelled TCP, and insist on revocation information
  tunnelwright.ipsec.ipsec_settings:
    network: site-a
    mss_clamp: 1360
    strict_crl: true

- name: For an old Cisco peer that speaks IKEv1
  tunnelwright.ipsec.ipsec_settings:
    network: office
    cisco_extensions: true
    unique_ids: false

- name: Allow a peer to keep several IKE SAs under one identity
  tunnelwright.ipsec.ipsec_settings:
    network: site-a
    unique_ids: never

- name: Everything as it was at first
  tunnelwright.ipsec.ipsec_settings:
    network: site-a

- name: Settings that the modules do not offer, as conf text
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
    - The settings as they are after the module has run, or would be in check mode, under the names
      of the options. A conf text is masked, and left out when there is none.
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
    - What was done, step by step and in order, or in check mode what would be done. Empty when
      there was nothing to do.
  returned: success
  type: list
  elements: str
  sample:
    - write /etc/tunnelwright/site-a.nft
    - replace the nftables rules of network site-a
    - write /etc/tunnelwright/site-a.json
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
  sample: none
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
      sample: /etc/strongswan.d/tunnelwright.conf
    after_header:
      description: The same.
      returned: always
      type: str
      sample: /etc/strongswan.d/tunnelwright.conf
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
