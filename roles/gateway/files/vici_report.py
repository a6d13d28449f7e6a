# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Report, as JSON, which vici the running interpreter has, and where an administrator's would go.

Run on the controller and on the target: equal digests mean that nothing has to be delivered.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import pathlib
import sysconfig

# (path, directory below the site directory) of each file that makes up the library.
files: list[tuple[pathlib.Path, str]] = []
version = ""

spec = importlib.util.find_spec("vici")
if spec is not None and spec.origin:
    sources = sorted(pathlib.Path(spec.origin).parent.glob("*.py"))
    files = [(source, "vici") for source in sources]
    try:
        record = importlib.metadata.distribution("vici")
        version = record.version
        # What pip and importlib.metadata read the version from.
        paths = [path for path in record.files or () if path.name == "METADATA"]
        files += [(pathlib.Path(str(path.locate())), "vici.dist-info") for path in paths]
    except importlib.metadata.PackageNotFoundError:
        pass  # the sources without their record

digest = hashlib.sha256(version.encode())
for path, directory in files:
    if directory == "vici":
        digest.update(path.name.encode() + b"\0" + path.read_bytes())

print(
    json.dumps(
        {
            "version": version,
            "files": [{"path": str(path), "directory": directory} for path, directory in files],
            "digest": digest.hexdigest(),
            "site_directory": sysconfig.get_path("purelib"),
        }
    )
)
