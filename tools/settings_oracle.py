# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare our readers of strongSwan's settings with the parser of a real swanctl.

    .venv/bin/python tools/settings_oracle.py [--swanctl COMMAND] [--rounds N] [--seed N]

The script needs swanctl (Debian package strongswan-swanctl) but no daemon. It is the vici server
for swanctl, on a socket in a temporary directory, and records each request to load something. When
AppArmor keeps swanctl from reading temporary files, use a copy of swanctl (dpkg-deb -x).

- Hostile values and random sections, written by ``render``, must arrive unchanged.
- ``parse`` must read the same values as swanctl in random texts, many of them broken. Texts that
  only ``parse`` refuses are counted by reason: these must be the refusals that ``strict.py`` lists.
- ``reader.read`` must read the same values as swanctl in these texts, where strongSwan finds
  every name. Texts that ``parse`` refuses are among them.
- The verdict of ``reader.read`` on random texts, and on the files that they include, must be
  the verdict of swanctl.

The readers are in plugins/module_utils/_render/strongswan/.

The script ends with status 1 at the first difference and prints the text. A hundred rounds take
about ten seconds.
"""

from __future__ import annotations

import argparse
import collections
import collections.abc
import contextlib
import os
import random
import re
import shlex
import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any

from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import SyntaxFault
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.strongswan import (
    reader,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.strongswan.reader import (
    PlacedSection,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.strongswan.section import (
    NAME,
    Section,
    secret_text,
    split_list,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.strongswan.strict import (
    parse,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.strongswan.writer import (
    render,
)
from vici.protocol import FiniteStream, Message, Packet, Transport

LIST_KEYS = ["proposals", "esp_proposals", "local_ts", "remote_ts", "local_addrs", "groups"]
KEYS = [*LIST_KEYS, "id", "k", "K-1", "x_y", "a@b", "+", "/", "0", "includes", "x" * 127]
SECTIONS = ["local", "remote-1", "children", "net", "secrets", "s" * 40]
SIGNS = list("ab 'x\"\\{}=#,;:.%$`()|&<>!\t\r\n\x01\x0b\x7f\x85\u00a0\u2028é\U0001f511\ufeff")
HOSTILE = [
    "",
    " a ",
    'x"\n}\n}\nevil {\n}\n',
    '"; k = v',
    "a }\nb { k = v",
    "ends in \\",
    "\\n\\",
    "{}",
    "# a",
    "$(reboot) `reboot` %s %n",
    "include /etc/passwd",
    "0xdeadbeef",
    "0sYWJj",
    "a,b, 'c,d'",
    "é" * 30_000,
]
STATEMENTS = [
    *(
        "k = v\n",
        "k=v\r\n",
        "id = a \t b # c\n",
        "id=#c\n",
        "k =\n",
        "0\n# c\n=\tv\n",
        "k = a = b\n",
    ),
    *(
        "proposals = a , 'b,c',,d\n",
        'groups = "\'a" b\n',
        'id = a"b"c\n',
        'k = "a\\\nb\\x\\n\nc"\n',
    ),
    *("net { k = v }\n", "net\n{\nk=w\nx_y = 1}", "local { }", "# c } {\n", " \t# c\n", "\n"),
]
NOISE = [
    *("{", "}", "=", "#", '"', "\\", "'", ":", ".", ",", "%", " ", "\t", "\n", "\r", "\0", "é"),
    *("include x\n", "k {}\n", "a.b = c\n", "net : local {}\n", "a,b\n", "a = 1 }\nd {\n", "x"),
]
# Pieces of files that may be broken anywhere, and pieces that are mostly correct.
SCRAPS = [
    *(
        "a",
        "b",
        "{",
        "}",
        "}",
        "=",
        ":",
        ",",
        ".",
        "\n",
        "\n",
        " ",
        "\t",
        "#",
        '"',
        "\\",
        "\r",
        "\0",
    ),
    *(
        "é",
        "\ufeff",
        "'",
        "%",
        "include x.conf",
        "include x.conf\n",
        "include ",
        "include",
        "a {\n",
    ),
    *("}\n", "a = b\n", "a : b {\n", "k=v # c\n", '"q\\""', "x { y = z }\n", "\\\n", "\\\r\n"),
    'include "x.conf"',
]
SOUND = [
    *("a {\n", "}\n", "a = b\n", "x { y = z }\n", "a : b, c {\n}\n", "# c\n", "include x.conf\n"),
]
# Exit status of swanctl when it refuses its strongswan.conf.
REFUSED = 64
Loaded = dict[str, Any]


class Swanctl:
    """A swanctl whose requests to charon are recorded."""

    def __init__(self, command: list[str], directory: Path) -> None:
        self._command = command
        self._file = directory / "swanctl.conf"
        self._socket = directory / "vici"
        self._requests: list[tuple[str, Loaded]] = []
        # An empty strongswan.conf, so that the file of the host has no effect.
        strongswan_conf = directory / "strongswan.conf"
        strongswan_conf.touch()
        self._environment = {**os.environ, "STRONGSWAN_CONF": str(strongswan_conf)}
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._socket))
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def load(self, text: str) -> dict[str, list[Loaded]]:
        """Return the load requests for ``text``, by command."""
        self._file.write_bytes(text.encode())
        self._requests.clear()
        options = ["--noprompt", "--file", str(self._file), "--uri", f"unix://{self._socket}"]
        subprocess.run(
            [*self._command, "--load-all", *options],
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )
        loaded = collections.defaultdict(list)
        for command, message in self._requests:
            loaded[command].append(message)
        return loaded

    def accepts(self, files: dict[str, str]) -> bool:
        """Return whether swanctl accepts ``main.conf`` and its includes as its strongswan.conf."""
        directory = self._file.parent / "verdict"
        directory.mkdir(exist_ok=True)
        for name, text in files.items():
            (directory / name).write_bytes(text.encode())
        run = subprocess.run(
            [*self._command, "--version"],
            env={**os.environ, "STRONGSWAN_CONF": str(directory / "main.conf")},
            capture_output=True,
            timeout=60,
            check=False,
        )
        # Without a daemon, an accepted file leads to another status than REFUSED.
        return run.returncode != REFUSED

    def _serve(self) -> None:
        while True:
            connection, _address = self._listener.accept()
            transport = Transport(connection)
            try:
                while True:
                    self._answer(transport, transport.receive())
            except OSError:
                connection.close()

    def _answer(self, transport: Transport, packet: bytes) -> None:
        if packet[0] != Packet.CMD_REQUEST:
            transport.send(bytes([Packet.EVENT_CONFIRM]))
            return
        name, body = packet[2 : 2 + packet[1]], packet[2 + packet[1] :]
        reply = {}
        if name.startswith(b"load-"):
            self._requests.append((name.decode(), Message.deserialize(FiniteStream(body))))
            reply = {"success": "yes"}
        transport.send(bytes([Packet.CMD_RESPONSE]) + Message.serialize(reply))


def expected(section: Section) -> Loaded:
    """Return ``section`` as vici carries it: bytes, and lists for the keys that swanctl splits."""
    message: Loaded = {}
    for name, value in section.items():
        if isinstance(value, collections.abc.Mapping):
            message[name] = expected(value)
        elif isinstance(value, tuple):
            message[name] = [item.encode() for item in value]
        elif name in LIST_KEYS:
            message[name] = [item.encode() for item in split_list(value)]
        else:
            message[name] = value.encode()
    return message


def connections(section: Section) -> list[Loaded]:
    found = section.get("connections", {})
    if isinstance(found, (str, tuple)):
        return []
    return [{name: expected(c)} for name, c in found.items() if not isinstance(c, (str, tuple))]


def random_section(dice: random.Random, depth: int = 0) -> Section:
    section: dict[str, Any] = {}
    for key in dice.sample(KEYS, dice.randrange(5)):
        section[key] = random_value(dice)
    if depth < 3:
        for name in dice.sample(SECTIONS, dice.randrange(3)):
            section[name] = random_section(dice, depth + 1)
    return section


def random_value(dice: random.Random) -> str:
    return "".join(dice.choices(SIGNS, k=dice.choice([1, 2, 5, 20, 200])))


def random_text(dice: random.Random) -> str:
    """Return a few correct statements, with signs at random places that may break them."""
    body = "".join(dice.choices(STATEMENTS, k=dice.randrange(1, 8)))
    for _time in range(dice.randrange(3)):
        at = dice.randrange(len(body) + 1)
        body = body[:at] + dice.choice(NOISE) + body[at:]
    return f"connections {{\nc {{\n{body}\n}}\n}}\n"


def check_render(swanctl: Swanctl, sections: dict[str, Section], secrets: dict[str, bytes]) -> None:
    """Raise ``SystemExit`` unless ``sections`` and ``secrets`` arrive unchanged."""
    written = {name: {"secret": secret_text(data)} for name, data in secrets.items()}
    text = render({"connections": sections, "secrets": written})
    loaded = swanctl.load(text)
    if loaded["load-conn"] != connections({"connections": sections}):
        raise SystemExit(f"render: swanctl reads other connections from:\n{text[:9999]}")
    if [message["data"] for message in loaded["load-shared"]] != list(secrets.values()):
        raise SystemExit(f"render: swanctl reads other secrets from:\n{text[:9999]}")


def values_of(section: PlacedSection) -> Section:
    """Return the values of a section. Raises ``ValueError`` if swanctl may not find every value."""
    values = {
        name: item.value.encode("latin-1").decode()
        for name, item in section.values.items()
        if item.value is not None
    }
    names = [*values, *section.sections]
    if section.references or len(set(names)) < len(names) or not all(map(NAME.fullmatch, names)):
        raise ValueError("a name that swanctl does not find, or finds elsewhere")
    return {**values, **{name: values_of(inner) for name, inner in section.sections.items()}}


def check_values(loaded: list[Loaded], text: str) -> None:
    """Raise ``SystemExit`` when ``reader.read`` and swanctl read different values."""
    if "\0" in text:
        # swanctl is written in C, where NUL ends a text.
        return
    found = reader.read("/x", text.encode().decode("latin-1"), lambda _pattern: ())
    with contextlib.suppress(ValueError):
        read = [] if found.faults else connections(values_of(found.tree))
        if loaded != read:
            raise SystemExit(f"values: {read}\nswanctl: {loaded}\nof: {text!r}")


def check_parse(swanctl: Swanctl, text: str) -> str:
    """Return the outcome for ``text``. Raise ``SystemExit`` when ``parse`` and swanctl differ."""
    loaded = swanctl.load(text)["load-conn"]
    check_values(loaded, text)
    try:
        section = parse(text)
    except SyntaxFault as fault:
        why = re.sub(r"\S+ is already in line \d+", "a name is there twice", fault.why)
        return f"only parse refuses: {why}" if loaded else "both refuse"
    if loaded != connections(section):
        raise SystemExit(f"parse: {connections(section)}\nswanctl: {loaded}\nof: {text!r}")
    return "both read the same"


def random_files(dice: random.Random) -> dict[str, str]:
    """Return a file, and a second file that it may include."""

    def text() -> str:
        if dice.random() < 0.6:
            return "".join(dice.choices(SCRAPS, k=dice.choice([1, 2, 3, 5, 8, 13, 20])))
        return "".join(dice.choices(SOUND, k=dice.randrange(6)))

    # swanctl never ends when a file includes itself twice.
    included = text().replace("x.conf", "y.conf") if dice.random() < 0.7 else ""
    return {"main.conf": text(), "x.conf": included}


def check_verdict(swanctl: Swanctl, files: dict[str, str]) -> str:
    """Return the outcome for ``files``. Raise ``SystemExit`` when ``read`` and swanctl differ."""
    texts = {f"/{name}": text.encode().decode("latin-1") for name, text in files.items()}

    def include(pattern: str) -> list[tuple[str, str]]:
        return [(path, text) for path, text in texts.items() if path == pattern]

    faults = reader.read("/main.conf", texts["/main.conf"], include).faults
    if bool(faults) == swanctl.accepts(files):
        raise SystemExit(f"read: {faults}\nswanctl: the contrary\nof: {files!r}")
    return "both refuse" if faults else "both accept"


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare our settings grammar with swanctl's.")
    parser.add_argument("--swanctl", default="swanctl", type=shlex.split, metavar="COMMAND")
    parser.add_argument("--rounds", default=100, type=int)
    parser.add_argument("--seed", default=random.randrange(10**6), type=int)
    options = parser.parse_args()
    dice = random.Random(options.seed)
    print(f"seed {options.seed}")
    with tempfile.TemporaryDirectory() as directory:
        swanctl = Swanctl(options.swanctl, Path(directory))
        # The longest name that swanctl looks up.
        hostile = {f"{i:x>127}": {"k": value, "end": "1"} for i, value in enumerate(HOSTILE)}
        check_render(
            swanctl, hostile, {f"ike-{i}": v.encode() for i, v in enumerate(HOSTILE, 1) if v}
        )
        for _round in range(options.rounds):
            sections = {name: random_section(dice) for name in ("a", "b-1", "c" * 64)}
            check_render(swanctl, sections, {"ike-x": dice.randbytes(dice.randrange(1, 99))})
        print(f"render: {len(HOSTILE)} hostile values and {options.rounds} files arrive unchanged")
        outcomes = collections.Counter(
            check_parse(swanctl, random_text(dice)) for _round in range(options.rounds)
        )
        verdicts = collections.Counter(
            check_verdict(swanctl, random_files(dice)) for _round in range(options.rounds)
        )
    for outcome, count in outcomes.most_common():
        print(f"parse: {count} texts: {outcome}")
    for outcome, count in verdicts.most_common():
        print(f"read: {count} configurations: {outcome}")


if __name__ == "__main__":
    main()
