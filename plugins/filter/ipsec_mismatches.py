# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: ipsec_mismatches
short_description: Compare the two ends of an IPsec tunnel before touching a host
version_added: 0.1.0
description:
  - Shows which tunnels two peers will negotiate by their definitions, or why they will not. The
    filter contacts no host.
  - The choices are the choices of strongSwan 5.9.8 and 6.0.1. The result covers both sides as the
    initiator, because the outcomes may differ. For example, the preference of the responder counts,
    and the responder may have no identifier.
  - The filter also finds mistakes that hosts show hours later. With different PFS groups, for
    example, a tunnel comes up and fails at its first rekeying.
  - The filter does not check facts outside the two definitions, such as a firewall on the way or
    the contents of certificates. It assumes NAT if a side has a private address and the other side
    initiates to another address.
positional: _input, remote
options:
  _input:
    description:
      - The definition of one peer. In the result this is the side C(local).
      - It can be the variables of a host with role P(tunnelwright.ipsec.gateway#role), such as
        C(hostvars[host]). The filter reads C(gateway_phase1), C(gateway_networks),
        C(gateway_settings), C(ansible_host) and C(inventory_hostname).
      - It can also be one tunnel, such as the data sheet of a third party in YAML. It has the
        options of M(tunnelwright.ipsec.ipsec_phase1), and in C(phase2) a list with the options of
        M(tunnelwright.ipsec.ipsec_phase2). Only C(remote_gateway) and C(phase2) are required. Other
        options have the defaults of the modules. C(name), C(network), keys and certificates may be
        missing.
      - One tunnel may have values that the modules refuse and other products accept, such as
        several networks with IKEv1.
      - C(psk_fingerprint) can replace C(psk), so that two parties can compare their keys without
        exchanging them. One party makes the fingerprint as in the examples, and the other party
        gives its C(psk).
      - A C(psk_fingerprint) is C(<salt>-<fingerprint>). The salt is 16 to 64 hexadecimal digits,
        drawn at random for each comparison. The fingerprint is the first 10 hexadecimal digits of
        PBKDF2 with HMAC-SHA-256, the digits of the salt as text, and 200000 rounds.
      - C(ppk_fingerprint) replaces C(ppk) in the same way.
      - C(gateway_capabilities) of a host, or C(capabilities) of one tunnel, describes the IKE
        daemon of this peer. It can be C(capabilities) of M(tunnelwright.ipsec.ipsec_info), or a
        dictionary with the release alone, as text in C(version). Debian builds strongSwan 6.1 and
        later without IKEv1, so a tunnel that needs IKEv1 is then a finding. Without this
        dictionary, the filter assumes a daemon with both IKE versions.
      - A holder of a C(psk_fingerprint) can test guesses of the key. A random key of 20 characters
        withstands this, but a word does not. Give the fingerprint only to the other party.
    type: dict
    required: true
  remote:
    description:
      - The definition of the other peer, in the same way.
    type: dict
    required: true
notes:
  - Host variables may have several phase 1. The filter matches them by addresses
    (C(remote_gateway) against C(local_address) or C(ansible_host)), by identities, by names (a
    phase 1 with the name of the other host), and by mirrored networks.
  - Host variables that refer to C(hostvars) can't be read through C(hostvars). Let each host set
    them as a fact first. The playbook C(tunnelwright.ipsec.compare) does so, and compares all
    pairs of an inventory.
  - A key is never part of the result. A finding about different keys shows their fingerprints. The
    salt of these fingerprints is random, the same for all comparisons in one run of
    C(ansible-playbook), and stored in no file. So equal keys have equal fingerprints within a run,
    and a fingerprint proves no guess of a key afterwards.
  - The tunnels of one side are also compared with each other. The finding
    C(psk_accepts_another_peer) names two tunnels if the peer of one tunnel can authenticate as the
    peer of the other tunnel. The modules refuse such a pair, see
    M(tunnelwright.ipsec.ipsec_phase1). Tunnels with equal keys, or without a given key, are not
    compared.
seealso:
  - module: tunnelwright.ipsec.ipsec_phase1
  - module: tunnelwright.ipsec.ipsec_phase2
author:
  - The tunnelwright.ipsec authors (@tunnelwright)
"""

EXAMPLES = r"""
- name: Fail if two hosts of the inventory do not match
  ansible.builtin.assert:
    that: result.verdict == 'up'
    fail_msg: "{{ result.findings | map(attribute='explanation') }}"
  vars:
    result: "{{ hostvars['gw-a'] | tunnelwright.ipsec.ipsec_mismatches(hostvars['gw-b']) }}"

- name: Compare a tunnel with the data sheet of the other party
  ansible.builtin.debug:
    msg: "{{ ours | tunnelwright.ipsec.ipsec_mismatches(theirs) }}"
  vars:
    ours:
      remote_gateway: 203.0.113.20
      local_address: 198.51.100.7
      psk: "{{ vault_psk }}"
      encryption:
        - {algorithm: aes-gcm, key_length: 256, dh_group: 20}
        - {algorithm: aes, key_length: 256, hash: sha256, dh_group: 14}
      phase2:
        - local_network: [10.1.0.0/24]
          remote_network: [10.2.0.0/16]
    theirs:
      remote_gateway: 198.51.100.7
      local_address: 203.0.113.20
      # python3 -c "import getpass, hashlib, secrets; salt = secrets.token_hex(16); print(salt
      #   + '-' + hashlib.pbkdf2_hmac('sha256', getpass.getpass('psk: ').encode(),
      #   salt.encode(), 200000).hex()[:10])"
      psk_fingerprint: 5b1e7c0d94f2a6384e9bd0c71f63a82d-3cfc55944e
      encryption:
        - {algorithm: aes, key_length: 256, hash: sha256, dh_group: 14}
      phase2:
        - local_network: [10.2.0.0/24]
          remote_network: [10.1.0.0/24]
          encryption:
            - {algorithm: aes, key_length: 256, hash: sha256}
"""

RETURN = r"""
_value:
  description: The result of the comparison.
  type: dict
  contains:
    verdict:
      description:
        - V(up) if every tunnel comes up as both sides define it, with either side as the initiator.
        - V(degraded) if a tunnel comes up, but differs from the definition of a side.
        - V(down) if no tunnel comes up.
        - V(none) if neither of two hosts has a phase 1 for the other.
      type: str
      sample: degraded
    matched:
      description: The pairs of phase 1 objects that are the two ends of one tunnel.
      type: list
      elements: dict
      contains:
        local_phase1:
          description: The phase 1 of the local side.
          type: str
          sample: site-b
        remote_phase1:
          description: The phase 1 of the remote side.
          type: str
          sample: site-a
    negotiated:
      description:
        - The negotiation of each tunnel, with each side that can initiate. C(local) and C(remote)
          in the keys are independent of the initiator.
      type: list
      elements: dict
      contains:
        initiator:
          description: The side that initiates, V(local) or V(remote).
          type: str
          sample: local
        initiates:
          description: Whether its C(connection_behavior) lets this side initiate the tunnel.
          type: bool
          sample: true
        local_phase1:
          description: The phase 1 of the local side.
          type: str
          sample: site-b
        remote_phase1:
          description: The phase 1 of the remote side.
          type: str
          sample: site-a
        up:
          description:
            - Whether the IKE SA comes up. A phase 2 can fail on the data plane of the responder.
              Then strongSwan 6 on the responder also closes the IKE SA, and strongSwan 5 does not.
          type: bool
          sample: true
        version:
          description: The IKE version of the initiator.
          type: int
          sample: 2
        proposal:
          description: The chosen proposal, null if the IKE SA does not come up.
          type: str
          sample: aes256-sha256-modp2048
        udp_encapsulation:
          description:
            - Whether the tunnel uses UDP encapsulation, because of C(force_udp_encapsulation), NAT
              or the userspace data plane.
          type: bool
          sample: false
        phase2:
          description: The negotiation of each phase 2 of the initiator.
          type: list
          elements: dict
          contains:
            local_phase2:
              description: The phase 2 of the local side, null if it has no counterpart there.
              type: str
              sample: net
            remote_phase2:
              description: The phase 2 of the remote side, null if it has no counterpart there.
              type: str
              sample: net
            up:
              description: Whether the Child SA comes up together with its IKE SA.
              type: bool
              sample: true
            local_state:
              description: The state that M(tunnelwright.ipsec.ipsec_info) would report on the local
                side. V(partial) means that the Child SA carries only a part of the networks of this
                side.
              type: str
              sample: up
            remote_state:
              description: The state on the remote side.
              type: str
              sample: up
            protocol:
              description: V(esp) or V(ah), null if the Child SA does not come up.
              type: str
              sample: esp
            mode:
              description: V(tunnel) or V(transport), null if the Child SA does not come up.
              type: str
              sample: tunnel
            proposal:
              description: The chosen proposal, null if the Child SA does not come up.
              type: str
              sample: aes256-sha256
            rekey_proposal:
              description: The proposal of each rekeying, null if the rekeying fails.
              type: str
              sample: aes256-sha256-modp2048
            local_network:
              description: The networks on the local side that the Child SA carries.
              type: list
              elements: str
              sample: [10.1.0.0/24]
            remote_network:
              description: The networks on the remote side that the Child SA carries.
              type: list
              elements: str
              sample: [10.2.0.0/24]
    findings:
      description: The mismatches and other useful facts, the most severe first.
      type: list
      elements: dict
      contains:
        code:
          description: The code of the finding. It stays the same from release to release.
          type: str
          choices:
            - definition_invalid
            - phase1_missing
            - phase1_disabled
            - phase2_missing
            - no_initiator
            - address_mismatch
            - address_family_mismatch
            - nat_assumed
            - ike_version_mismatch
            - ikev1_not_supported
            - ike_proposal_mismatch
            - additional_key_exchange_mismatch
            - additional_key_exchange_unknown
            - ikev1_unsupported_algorithm
            - aggressive_mode_group_mismatch
            - negotiation_mode_mismatch
            - authentication_mismatch
            - psk_mismatch
            - psk_not_found
            - psk_not_found_for_wildcard
            - psk_accepts_another_peer
            - psk_not_compared
            - ppk_mismatch
            - ppk_id_mismatch
            - ppk_missing
            - ppk_unused
            - ppk_not_in_ikev1
            - ppk_not_compared
            - certificate_not_compared
            - identity_mismatch
            - requested_identity_mismatch
            - identity_unknown
            - selector_mismatch
            - selectors_not_mirrored
            - selectors_narrowed
            - selectors_split
            - ikev1_first_selector
            - protocol_mismatch
            - mode_mismatch
            - mode_becomes_tunnel
            - esp_proposal_mismatch
            - pfs_mismatch
            - ah_through_nat
            - dataplane_incapable
            - ipcomp_one_sided
            - mss_too_large
            - mss_not_clamped
            - lifetime_differs
          sample: pfs_mismatch
        severity:
          description:
            - V(error) if traffic will not flow, now or after a rekeying, or if the peer of one
              tunnel can authenticate as the peer of another.
            - V(warning) if a tunnel differs from the definition of a side.
            - V(info) otherwise.
          type: str
          choices: [error, warning, info]
          sample: error
        initiator:
          description: The finding occurs if this side initiates, V(local), V(remote) or V(both).
          type: str
          sample: both
        local_object:
          description: The phase 1 or phase 2 of the local side.
          type: str
          sample: phase 2 net of phase 1 site-b
        remote_object:
          description: The phase 1 or phase 2 of the remote side.
          type: str
          sample: phase 2 net of phase 1 site-a
        local_option:
          description: The option to check on the local side.
          type: str
          sample: encryption
        remote_option:
          description: The option to check on the remote side.
          type: str
          sample: encryption
        ours:
          description: The value of the option on the local side. Never a key.
          type: raw
          sample: [aes256-sha256-modp2048]
        theirs:
          description: The value of the option on the remote side. Never a key.
          type: raw
          sample: [aes256-sha256]
        explanation:
          description: The finding in one or two sentences.
          type: str
          sample: >-
            The encryption lists of phase 2 differ only in dh_group (PFS). The Child SA comes up
            together with the IKE SA. It can't be rekeyed, and it can't come up later on the
            existing IKE SA.
        next_step:
          description: The action that resolves the finding.
          type: str
          sample: Set dh_group in encryption of phase 2 to the same value on both sides.
"""

import functools
import typing as t

from ..module_utils._compare.compare import compare_definitions
from ..plugin_utils._definition import name_of, read


def ipsec_mismatches(local: t.Any, remote: t.Any) -> dict[str, t.Any]:
    """Return the result of the comparison of two definitions."""
    definitions = {"local": local, "remote": remote}
    names = {side: name_of(definition, side) for side, definition in definitions.items()}
    readers = {
        side: functools.partial(read, names[side], definition)
        for side, definition in definitions.items()
    }
    return compare_definitions(names, readers)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"ipsec_mismatches": ipsec_mismatches}
