# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The choice of a responder between its children, as charon makes it."""

from __future__ import annotations

from .._model.child import ChildSa
from .._model.child_text import selectors_text
from . import selectors
from .child_pair import configured
from .direction import Direction
from .mismatch import Mismatch
from .selectors import Index, Selectors

# Children of the other side that a mismatch lists.
_MOST = 20


class ResponderChildren:
    """The children of the responder, by their selectors."""

    def __init__(self, direction: Direction) -> None:
        children = direction.responder.children
        self._children = [(item, *configured(direction, item, offered=True)) for item in children]
        self._local = Index(local for _child, local, _remote in self._children)
        self._remote = Index(remote for _child, _local, remote in self._children)
        self._same = {(item.local_network, item.remote_network) for item in children}

    def best(self, ours: Selectors, theirs: Selectors) -> ChildSa | None:
        """Return the child whose selectors match best, the first of equals.

        charon compares only the selectors.
        """
        best, rating = None, 0
        for number in selectors.overlapping((self._local, theirs), (self._remote, ours)):
            child, local, remote = self._children[number]
            here, there = selectors.likeness(local, theirs), selectors.likeness(remote, ours)
            if here and there and here + there > rating:
                best, rating = child, here + there
        return best

    def no_counterpart(self, direction: Direction, child: ChildSa) -> Mismatch:
        """Return the mismatch of a child of the initiator without a counterpart."""
        same = (child.local_network, child.remote_network) in self._same
        code = "selectors_not_mirrored" if same else "selector_mismatch"
        texts = [selectors_text(item) for item, *_selectors in self._children[:_MOST]]
        more = len(self._children) - len(texts)
        return direction.no_counterpart(
            child, code, [*texts, *([f"and {more} more"] if more else [])]
        )
