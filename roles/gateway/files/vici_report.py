# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Report, as JSON, which vici the running interpreter has.

Run on the controller and on the target: equal digests mean that nothing has to be delivered. The
digest is what ``LC_ALL=C sha256sum *.py | sha256sum`` prints in the directory of the package.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import pathlib

version = ""
# Where each file is, by the name that it is to have below a site directory.
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
        pass  # the sources without a record: the version stays unknown

print(json.dumps({"version": version, "digest": digest.hexdigest(), "files": files}))
