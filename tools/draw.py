# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Draw the tests of a run by a number that changes with every commit.

Two environment variables decide. ``SEED`` is the number, and random values derive from it. ``PART``
is the part of a suite that is run, ``2/6`` for the third sixth. Without ``PART`` a suite draws its
own sample by ``SEED``. All parts together are the whole suite.
"""

from __future__ import annotations

import os
import random
import subprocess
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

# The number of runs with consecutive numbers in which each test runs at least once.
PARTS = 6
# With this salt, the sixths of tests/live took 570 to 587 s, and 435 to 668 s without a salt. The
# duration of every test was measured on a busy machine.
SALT = "4264"
# The distance between the first seeds of consecutive numbers, which share no sequence and no pair.
SPACING = 1000

_Item = TypeVar("_Item")


class Part(NamedTuple):
    """The part ``number``, counted from 0, of ``parts`` parts."""

    number: int
    parts: int

    def __str__(self) -> str:
        return f"{self.number}/{self.parts}"


def seed() -> int:
    """Return ``SEED``, or the number of the commit that is checked out."""
    given = os.environ.get("SEED")
    return int(given) if given else number_of_commit(Path(__file__).resolve().parents[1])


def number_of_commit(checkout: Path) -> int:
    """Return a number that no other commit has.

    In a whole clone the number is the count of commits. Consecutive commits have consecutive
    numbers, so six runs in a row cover every test. A shallow clone does not have all commits, so
    the number derives from the hash of the commit. This number is the same when a commit is tested
    again, but six runs in a row may draw a part twice. A CI with shallow clones can pass the count
    of its own runs: ``SEED=123 .ci/run``. A CI that tests every second commit must do the same,
    because otherwise it only draws every second part.
    """
    if _git(checkout, "rev-parse", "--is-shallow-repository") == "false":
        return int(_git(checkout, "rev-list", "--count", "HEAD"))
    # A tree without a history has the number 0.
    return int(_git(checkout, "rev-parse", "HEAD")[:7] or "0", 16)


def _git(checkout: Path, *words: str) -> str:
    """Return the output of git, or an empty text without git or without a commit."""
    try:
        done = subprocess.run(
            ("git", "-C", str(checkout), *words), capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def first_seed() -> int:
    """Return the first of the many seeds of a test: ``FIRST``, or a seed that derives from SEED.

    Up to ten parts have different seeds, a hundred in each part.
    """
    place = wanted.number % 10 if (wanted := part()) else 0
    return int(os.environ.get("FIRST") or seed() * SPACING + place * SPACING // 10)


def part() -> Part | None:
    """Return the part that ``PART`` names, if it names one."""
    given = os.environ.get("PART")
    if not given:
        return None
    number, _slash, parts = given.partition("/")
    found = Part(int(number), int(parts))
    if not 0 <= found.number < found.parts:
        raise ValueError(f"PART {given}: there is no such part. Write 0/{parts} to ...")
    return found


def part_of(number: int) -> Part:
    """Return the part that the run with ``number`` is for."""
    return Part(number % PARTS, PARTS)


def sample(items: Sequence[_Item], every: int) -> list[_Item]:
    """Return one in ``every`` items, beginning with an item that SEED selects.

    If ``PART`` is set, return the items of the part instead.
    """
    chosen = part() or Part(seed() % every, every)
    return list(items[chosen.number :: chosen.parts])


def turn() -> int:
    """Return the number of complete turns of all parts, from which one test can draw its cases.

    A test belongs to one part, so all its runs have the same remainder of SEED by 2, 3 and 6.
    """
    return seed() // PARTS


def shuffled(items: Iterable[_Item], what: str) -> list[_Item]:
    """Return the items in a random order that follows from SEED and ``what``."""
    found = list(items)
    random.Random(f"{seed()} {what}").shuffle(found)
    return found


def half(name: str) -> bool:
    """Return whether a case is in the half of the cases that SEED draws."""
    return (zlib.crc32(name.encode()) + seed()) % 2 == 0


def chosen(tests: Sequence[str], drawn: Sequence[bool]) -> list[bool]:
    """Return whether PART and FEW choose each test. A test is a node id of pytest.

    Every part has the tests that are ``drawn``, because these tests draw their own samples.
    """
    wanted, few = part(), int(os.environ.get("FEW") or 0)
    found = in_part(tests, wanted) if wanted else [True] * len(tests)
    found = [is_in or is_drawn for is_in, is_drawn in zip(found, drawn, strict=True)]
    for function in {function_of(test) for test in tests} if few else ():
        cases = [number for number, test in enumerate(tests) if function_of(test) == function]
        for number in shuffled(cases, function)[few:]:
            found[number] = False
    return found


def function_of(test: str) -> str:
    """Return the node id of the function to which a test belongs as a case."""
    return test.partition("[")[0]


def in_part(tests: Sequence[str], wanted: Part) -> list[bool]:
    """Return whether each test belongs to the part. A test is a node id of pytest.

    The parts get the cases of one function in turn. The cases take about the same time, so the
    parts do too. The name of the function and SALT decide which part gets the first case. So not
    all functions with one case fall into one part, and a new function moves no test of another
    function. SALT was chosen by measured durations.
    """
    numbers: dict[str, int] = {}
    found = []
    for test in tests:
        function = function_of(test)
        number = numbers[function] = (
            numbers.get(function, zlib.crc32(f"{SALT}{function}".encode()) - 1) + 1
        )
        found.append(number % wanted.parts == wanted.number)
    return found
