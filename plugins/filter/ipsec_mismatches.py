# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: ipsec_mismatches
short_description: Compare the two ends of an IPsec tunnel before touching a host
version_added: 0.1.0
description:
  - Says of the definitions of two peers what they will negotiate, or why they will not. No host is
    asked.
  - It knows how strongSwan 5.9.8 and 6.0.1 choose, and says so for either side that calls, since
    the outcome may differ. It is the responder whose order of preference counts, for example, and
    whose identifier may be left out.
  - Some mistakes show hours later on the hosts, such as a different PFS group, which lets a tunnel
    come up and fail at its first rekeying. They are found here as well.
  - What depends on more than the two definitions is not known, such as a firewall on the way or the
    contents of certificates. NAT is assumed where a side has a private address and is called at
    another one.
positional: _input, remote
options:
  _input:
    description:
      - The definition of one peer, which the result calls C(local).
      - Either the variables of a host with role P(tunnelwright.ipsec.gateway#role), such as
        C(hostvars[host]), of which C(gateway_phase1), C(gateway_networks), C(gateway_settings),
        C(ansible_host) and C(inventory_hostname) count.
      - Or one tunnel, such as a third party's sheet in YAML. That is the options of
        M(tunnelwright.ipsec.ipsec_phase1), with C(phase2), a list of those of
        M(tunnelwright.ipsec.ipsec_phase2). Only C(remote_gateway) and C(phase2) are needed. What is
        left out has the default of its module, except for C(name), C(network), keys and
        certificates, which a sheet need not tell. It may say what the modules refuse and others
        configure, such as several networks with IKEv1.
      - In the place of C(psk) there may be C(psk_fingerprint), so that two parties can compare
        their keys and do not have to exchange them for it. One party makes it, see the examples,
        and the other party gives its C(psk). It is C(<salt>-<fingerprint>). The salt is 16 to 64
        hexadecimal digits, to be drawn at random for each comparison. The fingerprint is the first
        10 hexadecimal digits of PBKDF2 with HMAC-SHA-256, the digits of the salt as text, and
        200000 rounds.
      - Who has a C(psk_fingerprint) can try guesses of the key. A random key of 20 characters
        withstands that, and a word does not. Give it to the other party alone.
    type: dict
    required: true
  remote:
    description:
      - The definition of the other peer, in the same way.
    type: dict
    required: true
notes:
  - Host variables may hold several phase 1. Which of them belong together is told by addresses
    (C(remote_gateway) against C(local_address) or C(ansible_host)), identities, names (a phase 1
    with the name of the other host), and mirrored networks.
  - Variables of a host that refer to C(hostvars) themselves can't be had through C(hostvars). Let
    each host set a fact of them first, as the playbook C(tunnelwright.ipsec.compare) does, which
    compares all pairs of an inventory.
  - A key is never part of the result. A finding about keys that differ shows their fingerprints.
    The salt of these is random, the same for all that one run of C(ansible-playbook) compares, and
    in no file. So equal keys look equal within a run, and a fingerprint proves no guess of a key
    afterwards.
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
- name: Fail where two hosts of the inventory do not fit
  ansible.builtin.assert:
    that: result.verdict == 'up'
    fail_msg: "{{ result.findings | map(attribute='explanation') }}"
  vars:
    result: "{{ hostvars['gw-a'] | tunnelwright.ipsec.ipsec_mismatches(hostvars['gw-b']) }}"

- name: Compare a tunnel with the sheet of the other party
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
  description: What comes of it.
  type: dict
  contains:
    verdict:
      description:
        - V(up) if everything comes up as both sides want it, whoever calls.
        - V(degraded) if something comes up, and something is not as a side wants it.
        - V(down) if nothing comes up.
        - V(none) if neither of two hosts has a phase 1 for the other.
      type: str
      sample: degraded
    matched:
      description: Which phase 1 of the two peers are the ends of one tunnel.
      type: list
      elements: dict
      contains:
        local_phase1:
          description: That of the local side.
          type: str
          sample: site-b
        remote_phase1:
          description: That of the remote side.
          type: str
          sample: site-a
    negotiated:
      description:
        - What is negotiated, for each tunnel and each side that may call. Names and networks are
          those of local and remote, whoever calls.
      type: list
      elements: dict
      contains:
        initiator:
          description: The side that calls, V(local) or V(remote).
          type: str
          sample: local
        initiates:
          description: Whether it calls by itself, as its C(connection_behavior) says.
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
            - Whether the IKE SA comes up. Where a phase 2 fails on the data plane of the side that
              is called, strongSwan 6 there gives up the IKE SA too, and strongSwan 5 does not.
          type: bool
          sample: true
        version:
          description: The version of IKE that is begun with.
          type: int
          sample: 2
        proposal:
          description: The proposal that wins, null if there is no IKE SA.
          type: str
          sample: aes256-sha256-modp2048
        udp_encapsulation:
          description:
            - Whether the packets go in UDP, by C(force_udp_encapsulation), NAT or the userspace
              data plane.
          type: bool
          sample: false
        phase2:
          description: What becomes of each phase 2 of the side that calls.
          type: list
          elements: dict
          contains:
            local_phase2:
              description: The phase 2 of the local side, null if none answers.
              type: str
              sample: net
            remote_phase2:
              description: The phase 2 of the remote side, null if none answers.
              type: str
              sample: net
            up:
              description: Whether the Child SA comes up together with its IKE SA.
              type: bool
              sample: true
            local_state:
              description: What M(tunnelwright.ipsec.ipsec_info) would say of it on the local side,
                V(up), V(partial) if the Child SA carries only a part of the networks of that side,
                or V(down).
              type: str
              sample: up
            remote_state:
              description: The same on the remote side.
              type: str
              sample: up
            protocol:
              description: V(esp) or V(ah), null if it does not come up.
              type: str
              sample: esp
            mode:
              description: V(tunnel) or V(transport), null if it does not come up.
              type: str
              sample: tunnel
            proposal:
              description: The proposal that wins, null if it does not come up.
              type: str
              sample: aes256-sha256
            rekey_proposal:
              description: That of each rekeying, null if it fails.
              type: str
              sample: aes256-sha256-modp2048
            local_network:
              description: The networks on the local side that it carries.
              type: list
              elements: str
              sample: [10.1.0.0/24]
            remote_network:
              description: The networks on the remote side that it carries.
              type: list
              elements: str
              sample: [10.2.0.0/24]
    findings:
      description: What does not fit, and what is good to know, the worst first.
      type: list
      elements: dict
      contains:
        code:
          description: What it is, a code that stays the same.
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
            - ike_proposal_mismatch
            - ikev1_unsupported_algorithm
            - aggressive_mode_group_mismatch
            - negotiation_mode_mismatch
            - authentication_mismatch
            - psk_mismatch
            - psk_not_found
            - psk_not_found_for_wildcard
            - psk_accepts_another_peer
            - psk_not_compared
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
              tunnel can pass for the peer of another; V(warning) if a tunnel is not as a side wants
              it; V(info) otherwise.
          type: str
          choices: [error, warning, info]
          sample: error
        initiator:
          description: The side that meets it when it calls, V(local), V(remote) or V(both).
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
          description: The option to look at on the local side.
          type: str
          sample: encryption
        remote_option:
          description: The option to look at on the remote side.
          type: str
          sample: encryption
        ours:
          description: What the local side has there. Never a key.
          type: raw
          sample: [aes256-sha256-modp2048]
        theirs:
          description: What the remote side has there. Never a key.
          type: raw
          sample: [aes256-sha256]
        explanation:
          description: One sentence.
          type: str
          sample: >-
            The lists agree but for dh_group (PFS): this phase 2 comes up with the IKE SA, but it
            can't be rekeyed, nor come up on its own when the IKE SA is there already.
        next_step:
          description: What to do about it.
          type: str
          sample: Set dh_group in encryption of phase 2 to the same on both sides.
"""

import functools
import typing as t

from ..module_utils._compare.compare import compared
from ..plugin_utils._definition import name_of, read


def ipsec_mismatches(local: t.Any, remote: t.Any) -> dict[str, t.Any]:
    given = {"local": local, "remote": remote}
    names = {side: name_of(given[side], side) for side in given}
    return compared(
        names, {side: functools.partial(read, names[side], given[side]) for side in given}
    )


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"ipsec_mismatches": ipsec_mismatches}
