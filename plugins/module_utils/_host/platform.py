# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Find out which kind of host this is."""

from __future__ import annotations

from .._model.platform import DEBIAN, Platform


def detected() -> Platform:
    """Return the platform of this host.

    Debian is the only one that the collection knows, so that there is nothing to look at yet.
    """
    return DEBIAN
