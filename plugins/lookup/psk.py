# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: psk
short_description: Make the pre-shared key of two IPsec gateways once, and keep it
version_added: 0.1.0
description:
  - Returns a random key of 43 letters and digits, about 256 bits, for two gateways. The first
    character is not V(0), because strongSwan takes V(0x) and V(0s) for the beginning of a number.
  - The key is made in the first run that needs it, and kept in a file of the controller. Every
    later run returns the same key, for both gateways, in either order of the names, with any
    C(--limit), and also while a gateway can't be reached.
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
      - The directory of the controller that keeps the keys, one file for each two gateways, such as
        C(gw-a+gw-b.psk). It is made with the mode 0700 if it does not exist, and the files have the
        mode 0600.
      - A relative path counts from the directory of the inventory. If a run has inventories in
        several directories, the path must be absolute.
      - If the inventory is a directory, Ansible reads every file in it as an inventory, unless the
        name begins with a point. So the name of this directory begins with a point there.
      - Keep this directory as you keep the inventory, but out of git unless its files are
        encrypted. If it is lost, the next run makes new keys. A controller that is made for one
        run, as in CI or AWX, needs encrypted files in git, or encrypted variables.
    type: str
    default: .psk
    vars:
      - name: gateway_psk_directory
notes:
  - Give the result to the option O(tunnelwright.ipsec.ipsec_phase1#module:psk) or to a variable
    that goes there. Ansible does not show this option. A task that would show the key for another
    reason, such as M(ansible.builtin.debug), needs C(no_log=true).
  - The lookup shows no key, at any verbosity. An error names the file, and not what it holds.
  - A file may be encrypted with C(ansible-vault encrypt .psk/*.psk). The lookup decrypts it with
    the password of the run, as Ansible does with variables. Encrypted files may be committed to
    git.
  - In check mode no file is made. A key that does not exist yet is a random one for this run, the
    same for both gateways. C(--syntax-check) evaluates no lookup, so it makes no file either.
  - It is an error if the file is a symbolic link, can be read by others, or does not hold such a
    key. A key that you have agreed on with a third party goes to a variable, and not to this
    directory.
  - To get a new key for two gateways, remove its file and run the playbook on both gateways.
  - The file system of the directory must know modes and hard links, as those of Linux and macOS do.
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

- name: On each gateway of a group, where the variable peer names the other one
  tunnelwright.ipsec.ipsec_phase1:
    name: "{{ peer }}"
    network: lan
    remote_gateway: "{{ hostvars[peer].ansible_host }}"
    psk: "{{ lookup('tunnelwright.ipsec.psk', inventory_hostname ~ ' ' ~ peer) }}"

- name: With the keys of one environment in a directory of their own
  tunnelwright.ipsec.ipsec_phase1:
    name: gw-b
    network: lan
    remote_gateway: 203.0.113.20
    psk: "{{ lookup('tunnelwright.ipsec.psk', 'gw-a gw-b', directory='/srv/vpn/production') }}"

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
        known = variables or {}
        self.set_options(var_options=known, direct=kwargs)
        # A directory of this run alone, which Ansible removes at its end.
        scratch = constants.DEFAULT_LOCAL_TMP if known.get("ansible_check_mode") else None
        try:
            pairs = [pair_of(term) for term in terms]
            given = self._templar.template(self.get_option("directory"))
            directory = directory_of(given, known.get("ansible_inventory_sources") or ())
            return [kept_key(directory, pair, self._decrypted, scratch) for pair in pairs]
        except TunnelwrightError as error:
            raise AnsibleError(str(error)) from None

    def _decrypted(self, path: str) -> str:
        return str(self._loader.get_text_file_contents(path))
