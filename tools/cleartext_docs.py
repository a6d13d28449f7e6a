# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write docs/cleartext.md from the packets in cleartext that the tests counted on the wire.

    .venv/bin/python tools/cleartext_docs.py [--check]

The script first copies the results of the latest runs from .cache into tests/live/cleartext.json.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.tunnelwright.ipsec.tests.live.cleartext import (
    EVENTS,
    OPEN,
    PLANES,
    RELEASES,
    SEEN,
    Seen,
    latest,
    merged,
    read,
    write,
)
from ansible_collections.tunnelwright.ipsec.tools.pages import table, write_or_check

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/cleartext.md"

INTRODUCTION = """\
# Packets in cleartext on the wire

Traffic between the networks of a phase 2 passes in the tunnel, or not at all. This page counts the
packets that pass in cleartext while something happens to a gateway.

Two gateways have a tunnel for IPv4 and IPv6. A host behind each gateway sends to the other host all
the time. With each IP version it sends 50 packets a second, or 10 on the virtual machines. Each
gateway has a default route to the other gateway and forwards from the first moment of its boot. So
each packet that the gateway lets through in cleartext reaches the wire. A service that takes four
seconds to stop delays each shutdown. The count lasts until the tunnel carries traffic again.

The userspace data plane was tested on containers, where the other gateway listens. The data plane
of the kernel was tested on virtual machines with stock Debian kernels, where a third host listens.
`make live TEST=cleartext` and `FIELDS=all make kernel-test TEST=cleartext` repeat it, and
`tools/cleartext_docs.py` writes this page. A cell has the packets of IPv4 and of IPv6.

"""

OPEN_TEXT = """
## Open on purpose

Traffic for no tunnel leaves by the route that the host has. The result of the task names
these networks in a warning, in check mode too.

"""

END = """
These gaps are known and accepted:

- Before the first run, and until the phase 2 exists, the traffic is for no tunnel.
- While the nftables rules are gone, the kernel blocks traffic of the local networks. The gateway's
  own packets from other addresses, and packets that claim to come from the remote network, are
  dropped by the nftables rules alone. The next run, the next boot, and a restart or reload of
  nftables load the rules again.
- Where the remote network is the internet (a prefix shorter than /8 of IPv4 or /7 of IPv6), the
  gateway's own connections from addresses outside of the local network are not dropped.
- A phase 2 with mode transport is guarded where the address of the peer is known.
- A `vpn_rule` with `cleartext: true` admits the traffic that it names.
- The guard does not know tunnels of a `swanctl_conf`.
"""


def page() -> str:
    """Return the text of docs/cleartext.md."""
    seen = read(SEEN)
    return "".join((INTRODUCTION, _rows(seen, [*EVENTS]), OPEN_TEXT, _rows(seen, [*OPEN]), END))


def _rows(seen: Seen, events: Sequence[str]) -> str:
    columns = [(plane, release) for plane in PLANES for release in RELEASES]
    head = ["event", *(f"{plane}, {release}" for plane, release in columns)]
    return table(
        head, ([event, *(_cell(seen, event, *column) for column in columns)] for event in events)
    )


def _cell(seen: Seen, event: str, plane: str, release: str) -> str:
    counts = seen.get(event, {}).get(plane, {}).get(release)
    return " / ".join(map(str, counts)) if counts else "not seen"


def main(arguments: Sequence[str] | None = None) -> int:
    return write_or_check(PAGE, page(), "tools/cleartext_docs.py", __doc__ or "", arguments)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    if "--check" not in sys.argv:
        seen = read(SEEN)
        for plane in PLANES:
            seen = merged(seen, read(latest(plane)))
        write(SEEN, seen)
    sys.exit(main())
