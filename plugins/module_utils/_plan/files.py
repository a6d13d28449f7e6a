# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Files that are to be there, and files that are to be gone."""

from __future__ import annotations

import typing as t

from .._render.file import File
from .differences import file_difference
from .observed import Observed
from .plan import Plan, joined
from .steps import RemoveFile, WriteFile


def written(files: t.Iterable[File], observed: Observed) -> Plan:
    """Write those that are not there as they should be, in content, mode and owner."""
    return joined(
        Plan((WriteFile(file, found),), (file_difference(found, file, observed.platform),))
        for file in files
        for found in [observed.files.get(file.path)]
        if found != file
    )


def removed(files: t.Iterable[File], observed: Observed) -> Plan:
    """Remove those that are there, in whatever state."""
    return joined(
        Plan((RemoveFile(found),), (file_difference(found, None, observed.platform),))
        for file in files
        for found in [observed.files.get(file.path)]
        if found is not None
    )
