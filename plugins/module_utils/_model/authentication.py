# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The values of the option ``authentication``, and the options for certificates."""

from __future__ import annotations

AUTHENTICATIONS = PSK, PUBKEY = ("psk", "pubkey")

# The options that name the files of certificates.
CREDENTIALS = ("certificate", "private_key", "ca")
