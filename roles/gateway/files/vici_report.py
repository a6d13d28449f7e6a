# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Print version, digest and files of the vici of the running interpreter, as JSON.

The script runs on the controller and on the target. Equal digests mean that no file has to be
delivered. The command ``LC_ALL=C sha256sum *.py | sha256sum`` in the directory of the package
prints the same digest.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import pathlib

version = ""
# The path of each file, by its name below a site directory.
files: dict[str, str] = {}
digest = hashlib.sha256()

spec = importlib.util.find_spec("vici")
if spec is not None and spec.origin:
    for source in sorted(pathlib.Path(spec.origin).parent.glob("*.py")):
        files[f"vici/{source.name}"] = str(source)
        line = f"{hashlib.sha256(source.read_bytes()).hexdigest()}  {source.name}\n"
        digest.update(line.encode())
    try:
        record = importlib.metadata.distribution("vici")
        version = record.version
        for path in record.files or ():
            if path.name == "METADATA":
                files["vici.dist-info/METADATA"] = str(path.locate())
    except importlib.metadata.PackageNotFoundError:
        pass  # Sources without a record have an unknown version.

print(json.dumps({"version": version, "digest": digest.hexdigest(), "files": files}))
