#!/usr/bin/python

# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipsec_checkpoint
"""

from ..module_utils._module.flow import run_checkpoint as run


def main() -> None:
    run()


if __name__ == "__main__":
    main()
