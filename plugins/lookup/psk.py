# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: psk
short_description: Make the pre-shared key of two IPsec gateways once, and store it
version_added: 0.1.0
description:
  - Returns a random key of 43 letters and digits, about 256 bits, for two gateways. The first
    character is not V(0), because strongSwan reads V(0x) and V(0s) as the prefix of an encoding.
  - The first run that needs the key makes it, and stores it in a file on the controller. Every
    later run returns the same key for both gateways. The order of the names, C(--limit), and a
    gateway that can't be reached make no difference.
  - Two runs may need a new key at the same time. Both get the same key.
options:
  _terms:
    description:
      - The names of the two gateways, with a blank between them. Their order does not matter.
      - A name has 1 to 100 of the characters V(A-Z), V(a-z), V(0-9), V(_), V(.), V(:), V(@) and
        V(-). The first is a letter, a digit or V(_).
      - Several terms give several keys. Use C(query) for them.
    type: list
    elements: str
    required: true
  directory:
    description:
      - The directory on the controller with the keys, one file for each pair of gateways, such as
        C(gw-a+gw-b.psk). The lookup creates a missing directory with mode 0700. The files have
        mode 0600.
      - A relative path is relative to the directory of the inventory. If a run has inventories in
        several directories, the path must be absolute.
      - If the inventory is a directory, Ansible reads every file in it as an inventory, unless the
        name begins with a point. The name of this directory must begin with a point there.
      - Back up this directory with the inventory. Keep it out of git unless its files are
        encrypted. If the directory is lost, the next run makes new keys.
      - A controller that exists only for one run, as in CI or AWX, needs encrypted files in git, or
        encrypted variables.
    type: str
    default: .psk
    vars:
      - name: gateway_psk_directory
notes:
  - Use the result in the options O(tunnelwright.ipsec.ipsec_phase1#module:psk) and
    O(tunnelwright.ipsec.ipsec_phase1#module:ppk), or in a variable for these options.
  - A PPK needs a directory of its own, because it must be another key than the PSK.
  - Ansible does not show these options. Other tasks with the key, such as
    M(ansible.builtin.debug), need C(no_log=true).
  - The lookup shows no key, at any verbosity. An error names the file, but not its content.
  - A file may be encrypted with C(ansible-vault encrypt .psk/*.psk). The lookup decrypts it with
    the password of the run, as Ansible does with variables. Encrypted files may be committed to
    git.
  - Check mode makes no file. A missing key is a random key for this run, the same for both
    gateways. C(--syntax-check) evaluates no lookup, so it also makes no file.
  - The lookup fails if the file is a symbolic link, can be read by other users, or does not contain
    a key of this lookup. Store a key that you have agreed on with a third party in a variable, and
    not in this directory.
  - To get a new key for two gateways, remove its file and run the playbook on both gateways.
  - The file system of the directory must support modes and hard links, as on Linux and macOS.
seealso:
  - module: tunnelwright.ipsec.ipsec_phase1
author:
  - The tunnelwright.ipsec authors (@tunnelwright)
"""

EXAMPLES = r"""
- name: On gateway gw-a
  tunnelwright.ipsec.ipsec_phase1:
    name: gw-b
    network: lan
    remote_gateway: 203.0.113.20
    psk: "{{ lookup('tunnelwright.ipsec.psk', 'gw-a gw-b') }}"

- name: On each gateway of a group, with the name of the other gateway in the variable peer
  tunnelwright.ipsec.ipsec_phase1:
    name: "{{ peer }}"
    network: lan
    remote_gateway: "{{ hostvars[peer].ansible_host }}"
    psk: "{{ lookup('tunnelwright.ipsec.psk', inventory_hostname ~ ' ' ~ peer) }}"

- name: With the keys of one environment in a separate directory
  tunnelwright.ipsec.ipsec_phase1:
    name: gw-b
    network: lan
    remote_gateway: 203.0.113.20
    psk: "{{ lookup('tunnelwright.ipsec.psk', 'gw-a gw-b', directory='/srv/vpn/production') }}"

- name: With a PPK too, from a directory of its own, because it must be another key
  tunnelwright.ipsec.ipsec_phase1:
    name: gw-b
    network: lan
    remote_gateway: 203.0.113.20
    psk: "{{ lookup('tunnelwright.ipsec.psk', 'gw-a gw-b') }}"
    ppk: "{{ lookup('tunnelwright.ipsec.psk', 'gw-a gw-b', directory='/srv/vpn/ppk') }}"
    ppk_id: gw-a-gw-b

# The same key as an encrypted variable, for people who keep all secrets in group_vars:
#
#   ansible-vault encrypt_string --stdin-name vault_psk < .psk/gw-a+gw-b.psk
#
# Put the output into group_vars, use psk: "{{ vault_psk | trim }}", and remove the file.
"""

RETURN = r"""
_raw:
  description: One key for each term.
  type: list
  elements: str
"""

import typing as t

from ansible import constants
from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

from ..module_utils._errors import TunnelwrightError
from ..plugin_utils._psk import directory_of, kept_key, pair_of


class LookupModule(LookupBase):  # type: ignore[misc]  # Ansible has no types.
    def run(self, terms: t.Sequence[t.Any], variables: t.Any = None, **kwargs: t.Any) -> list[str]:
        """Return one key for each term."""
        variables = variables or {}
        self.set_options(var_options=variables, direct=kwargs)
        # A directory of this run, which Ansible removes at its end.
        scratch = constants.DEFAULT_LOCAL_TMP if variables.get("ansible_check_mode") else None
        try:
            pairs = [pair_of(term) for term in terms]
            option = self._templar.template(self.get_option("directory"))
            directory = directory_of(option, variables.get("ansible_inventory_sources") or ())
            return [kept_key(directory, pair, self._decrypted, scratch) for pair in pairs]
        except TunnelwrightError as error:
            raise AnsibleError(str(error)) from None

    def _decrypted(self, path: str) -> str:
        return str(self._loader.get_text_file_contents(path))
