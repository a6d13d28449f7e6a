# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make ``ansible_collections.tunnelwright.ipsec`` importable from this checkout.

Plain pytest then needs no particular folder name and no installed collection. Under
``ansible-test units``, the collection loader has imported the collection before this file.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

from hypothesis import settings

# By default, hypothesis fails an example that takes 200 ms. This limit measures the machine, which
# runs several tests at once. test_growth.py checks how CPU time grows.
settings.register_profile("busy", deadline=None)
settings.load_profile("busy")

ROOT = Path(__file__).resolve().parents[2]


def _register(name: str, path: Path | None) -> None:
    """Register ``name`` as a package at ``path``.

    None keeps an installed package, or registers an empty package.
    """
    if name in sys.modules:
        return
    if path is None:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            pass
        else:
            return
    package = ModuleType(name)
    package.__path__ = [str(path)] if path else []
    sys.modules[name] = package
    parent, _dot, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, package)


_register("ansible_collections", None)
_register("ansible_collections.tunnelwright", None)
_register("ansible_collections.tunnelwright.ipsec", ROOT)
