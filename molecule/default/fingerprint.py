# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Print the state of a host as JSON: one text for each file, interface, route, unit and setting.

The ruleset of nftables is one text. Files of Debian packages are only listed if they differ from
their package.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

# Folders of the kernel or of this run, caches and logs. Their files are not listed.
ASIDE = {
    *("/proc", "/sys", "/dev", "/run", "/tmp", "/var/tmp", "/root/.ansible"),
    *("/var/log", "/var/cache", "/var/lib/apt", "/var/lib/dpkg", "/var/lib/mirror"),
}
OF_THE_BOOT = ("systemd-", "ldconfig.")
MERGED = ("/bin/", "/sbin/", "/lib/", "/lib64/")


def run(*command: str) -> list[str]:
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return done.stdout.splitlines()


def packaged() -> set[str]:
    """Return the paths that packages own, with /bin and the like resolved to /usr."""
    paths = set()
    for listing in Path("/var/lib/dpkg/info").glob("*.list"):
        for path in listing.read_text().splitlines():
            paths.add(f"/usr{path}" if path.startswith(MERGED) else path)
    return paths


def files() -> Iterator[tuple[str, str]]:
    known = packaged()
    for folder, names, others in os.walk("/"):
        names[:] = [name for name in names if os.path.join(folder, name) not in ASIDE]
        for path in (os.path.join(folder, name) for name in (*names, *others)):
            if path not in known:
                yield f"file {path}", about(Path(path))


def about(path: Path) -> str:
    status = path.lstat()
    words = [stat.filemode(status.st_mode), str(status.st_uid), str(status.st_gid)]
    if path.is_symlink():
        words.append(os.readlink(path))
    elif path.is_file():
        words.append(hashlib.sha256(path.read_bytes()).hexdigest())
    return " ".join(words)


def links() -> Iterator[tuple[str, str]]:
    for link in json.loads("".join(run("ip", "-j", "-d", "address", "show"))):
        addresses = [
            f"{item['local']}/{item['prefixlen']}"
            for item in link["addr_info"]
            if item["scope"] == "global"
        ]
        words = [link["linkinfo"]["info_kind"]] if "linkinfo" in link else []
        words += [f"mtu {link['mtu']}", f"master {link.get('master')}", *addresses]
        yield f"link {link['ifname']}", " ".join(words)


def everything() -> Iterator[tuple[str, str]]:
    yield from files()
    yield from ((f"changed file {line}", "of a package") for line in run("dpkg", "--verify"))
    yield from links()
    yield "nftables", "\n".join(run("nft", "--stateless", "list", "ruleset"))
    for family in ("-4", "-6"):
        for route in run("ip", family, "route", "show", "table", "all"):
            if "proto kernel" not in route:
                yield f"route {family} {route.strip()}", "there"
    for unit in run("systemctl", "list-units", "--plain", "--no-legend", "--type=service"):
        name, _load, active, *_rest = unit.split()
        if not name.startswith(OF_THE_BOOT):
            yield f"unit {name}", active
    for path in Path("/proc/sys/net").glob("ipv[46]/**/*forward*"):
        yield f"setting {path}", path.read_text().strip()


print(json.dumps(dict(everything()), indent=1, sort_keys=True))
