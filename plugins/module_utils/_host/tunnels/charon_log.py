# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The log of charon in the journal, with the SA of each line.

Source: src/charon-systemd/charon-systemd.c of strongSwan, which sets the fields of the journal.
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass

from ..._errors import HostError
from ..command import Run, last_words
from ..vici.facts import moment

# The time limit for a journal on a slow disk, in seconds, and the most lines for a result.
PATIENCE = 20
MOST = 10000

# charon writes keys at level 4, "private". Such lines are in a journal only by mistake.
_TELLS_SECRETS = 4
_FIELDS = ("MESSAGE", "GROUP", "LEVEL", "IKE_SA_NAME", "IKE_SA_UNIQUE_ID", "_PID")


@dataclass(frozen=True)
class LogLine:
    """A line of the log. ``sa`` identifies an IKE SA, also across daemons, and ``pid`` a daemon.

    ``group`` (IKE, CFG, NET ...) and ``sa`` are empty for a line without one. ``connection`` is
    empty until charon has selected a connection.
    """

    time: str
    text: str
    group: str = ""
    connection: str = ""
    sa: str = ""
    pid: int = 0

    def __str__(self) -> str:
        where = f"[{self.group}] " if self.group else ""
        about = f"<{self.connection}> " if self.connection else ""
        return f"{self.time} {where}{about}{self.text}"


def read_log(
    run: Run,
    unit: str,
    *,
    since: int | None = None,
    lines: int = MOST,
    connections: t.Iterable[str] = (),
) -> tuple[LogLine, ...]:
    """Return the last ``lines`` of the IKE daemon's unit, oldest first.

    ``since`` is the largest age of a line in seconds. With ``connections``, it returns only lines
    about IKE SAs of these connections.
    """
    argv = [
        *("timeout", str(PATIENCE), "journalctl", f"--unit={unit}", "--quiet"),
        *("--no-pager", "--output=json", f"--output-fields={','.join(_FIELDS)}"),
        # In reverse, because systemd 252 returns the first lines if --since is given.
        *(f"--lines={lines}", "--reverse"),
    ]
    if since is not None:
        argv.append(f"--since=-{since}s")
    argv += [f"IKE_SA_NAME={name}" for name in connections]
    status, printed, errors = run(argv, "")
    if status != 0:
        raise HostError("read the journal of the IKE daemon", last_words(errors, status))
    found = (_line(text) for text in reversed(printed.splitlines()))
    return tuple(line for line in found if line is not None)


def _line(text: str) -> LogLine | None:
    try:
        entry = json.loads(text)
        level = int(entry.get("LEVEL") or 0)
        when = int(entry["__REALTIME_TIMESTAMP"]) / 1e6
        pid = int(entry.get("_PID") or 0)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    message = entry.get("MESSAGE")
    if isinstance(message, list):
        # A message with bytes that are not UTF-8.
        message = bytes(message).decode("utf-8", "backslashreplace")
    if not isinstance(message, str) or level >= _TELLS_SECRETS:
        return None
    unique = entry.get("IKE_SA_UNIQUE_ID")
    return LogLine(
        moment(when),
        message,
        entry.get("GROUP") or "",
        entry.get("IKE_SA_NAME") or "",
        f"{pid}/{unique}" if unique else "",
        pid,
    )


class Log:
    """An index of lines by connection and SA, for queries about a thousand connections."""

    def __init__(self, lines: t.Sequence[LogLine]) -> None:
        self._lines = lines
        names: dict[str, set[str]] = {}
        for line in lines:
            names.setdefault(line.sa, set()).add(line.connection)
        self._of_sa: dict[str, set[int]] = {}
        self._sas: dict[str, set[str]] = {}
        self._mentioning: dict[str, set[int]] = {}
        for at, line in enumerate(lines):
            self._of_sa.setdefault(line.sa, set()).add(at)
            self._sas.setdefault(line.connection, set()).add(line.sa)
            if not line.sa or names[line.sa] == {""}:
                for word in _words(line.text):
                    self._mentioning.setdefault(word, set()).add(at)

    def about(self, *tunnels: tuple[str, str]) -> tuple[LogLine, ...]:
        """Return the lines about the SAs of the tunnels, and about attempts without a connection.

        A tunnel is a connection and its peer. The address or name of the peer identifies attempts
        that charon could not assign to a connection.
        """
        found: set[int] = set()
        # Many tunnels may have the same peer.
        for word in {word for tunnel in tunnels for word in tunnel}:
            found |= self._mentioning.get(word, set())
        sas = {self._lines[at].sa for at in found}
        for connection, _peer in tunnels:
            sas |= self._sas.get(connection, set())
        for sa in sas - {""}:
            found |= self._of_sa[sa]
        return tuple(self._lines[at] for at in sorted(found))


def since_loaded(
    lines: t.Sequence[LogLine], connection: str, pid: int, *, at_all: bool
) -> tuple[LogLine, ...]:
    """Return the lines of the daemon ``pid`` since it loaded the connection.

    ``at_all`` includes a load that changed nothing.
    """
    what = "added|replaced|updated" if at_all else "added|replaced"
    loaded = re.compile(rf"(?:{what}) vici connection: {re.escape(connection)}")
    own = [line for line in lines if line.pid == pid]
    begun = [at for at, line in enumerate(own) if loaded.fullmatch(line.text)]
    return tuple(own[begun[-1] :] if begun else own)


def last_attempt(lines: t.Sequence[LogLine]) -> tuple[LogLine, ...]:
    """Return the lines of the last IKE SA, and the later lines without an IKE SA."""
    last = next((line.sa for line in reversed(lines) if line.sa), None)
    if last is None:
        return tuple(lines)
    begun = next(at for at, line in enumerate(lines) if line.sa == last)
    return tuple(line for line in lines[begun:] if line.sa in ("", last))


# The end of an SA, or of an attempt at one.
_END = re.compile(
    r"^(?:closing CHILD_SA|deleting IKE_SA|received DELETE for|giving up after|"
    r"establishing (?:IKE|CHILD)_SA failed|IKE_SA deleted|unable to)|failed"
)


def ended(lines: t.Sequence[LogLine]) -> str | None:
    """Return the time of the last line about an end, or None without one."""
    return next((line.time for line in reversed(lines) if _END.search(line.text)), None)


_WORD = re.compile(r"[\w:%-]+(?:\.[\w:%-]+)*")


def _words(text: str) -> set[str]:
    """Return addresses and names in ``no IKE config found for 192.0.2.1...192.0.2.2`` and so on."""
    return {word.strip(":") for word in _WORD.findall(text)}
