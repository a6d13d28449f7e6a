# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the files of vici, ``{name: text}`` as JSON on standard input, to the site directory.

The only argument is the digest that the files must have, as ``vici_report.py`` computes it.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import sys
import sysconfig

files: dict[str, str] = json.load(sys.stdin)
digest = hashlib.sha256()
for name in sorted(name for name in files if name.endswith(".py")):
    own = hashlib.sha256(files[name].encode()).hexdigest()
    digest.update(f"{own}  {name.rpartition('/')[2]}\n".encode())
if [digest.hexdigest()] != sys.argv[1:]:
    expected = " ".join(sys.argv[1:])
    sys.exit(f"vici: the received files have the digest {digest.hexdigest()} instead of {expected}")

os.umask(0o022)
site_directory = pathlib.Path(sysconfig.get_path("purelib"))
for name, text in files.items():
    path = site_directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)
