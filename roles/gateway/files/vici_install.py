# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the files of vici, ``{name: text}`` as JSON on standard input, to the site directory."""

from __future__ import annotations

import json
import os
import pathlib
import sys
import sysconfig

os.umask(0o022)
site_directory = pathlib.Path(sysconfig.get_path("purelib"))
for name, text in json.load(sys.stdin).items():
    path = site_directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)
