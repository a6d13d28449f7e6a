# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The interface of a module that edits."""

from __future__ import annotations

import typing as t

from .._host.host import Host
from .._model.gateway import Gateway
from .._model.platform import Platform
from .edit import Edit, Params, View
from .spec import Spec


class Resource(t.Protocol):
    """One module. ``key`` names its object in the result."""

    spec: t.ClassVar[Spec]
    key: t.ClassVar[str]

    def edit(self, current: Gateway, params: Params, platform: Platform) -> Edit:
        """Return the edit of a Gateway, without a look at the host. Raises ModelError."""

    def check_host(self, host: Host, view: View) -> list[str]:
        """Refuse what this host can't do, before anything is touched; returns warnings."""
