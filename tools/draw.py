# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Draw the tests of a run by a number that changes with every commit.

Two environment variables decide. ``SEED`` is the number: random values follow from it. ``PART`` is
the part of a suite that is run, ``2/6`` for the third sixth. Without ``PART`` a suite draws its own
sample by ``SEED``. All parts together are the whole suite.
"""

from __future__ import annotations

import os
import random
import subprocess
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

# After so many consecutive numbers each test has had its turn.
PARTS = 6
# With it, the sixths of tests/live took 570 to 587 s when every test was measured on a busy
# machine. Without it they took 435 to 668 s.
SALT = "4264"
# The distance between the first seeds of consecutive numbers: they share no sequence and no pair.
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
    """Return a number that another commit does not have.

    In a whole clone the number is the count of commits: consecutive commits have consecutive
    numbers, so that six runs in a row see everything. A shallow clone cannot count. There the
    number derives from the hash of the commit. It differs from commit to commit, and is the
    same when a commit is tested again, but six runs in a row may see a part twice. A CI with
    shallow clones that counts its runs hands that count over: ``SEED=123 .ci/run``. The same
    holds for a CI that tests every second commit, which would see every second part only.
    """
    if _git(checkout, "rev-parse", "--is-shallow-repository") == "false":
        return int(_git(checkout, "rev-list", "--count", "HEAD"))
    # Without git there is one number: the tree has no history.
    return int(_git(checkout, "rev-parse", "HEAD")[:7] or "0", 16)


def _git(checkout: Path, *words: str) -> str:
    """Return what git prints, empty where there is no git or no commit."""
    try:
        done = subprocess.run(
            ("git", "-C", str(checkout), *words), capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def first_seed() -> int:
    """Return the first seed of a test that has many: ``FIRST``, or one that follows from SEED.

    Each part has other ones, up to ten parts with a hundred each.
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
    """Return one of ``every`` items, others with another SEED. ``PART`` selects its own items."""
    chosen = part() or Part(seed() % every, every)
    return list(items[chosen.number :: chosen.parts])


def turn() -> int:
    """Return the number of complete turns of all parts, for the random choices of one test.

    Such a test sees the same remainder of SEED by 2, 3 and 6 in each of its runs.
    """
    return seed() // PARTS


def shuffled(items: Iterable[_Item], what: str) -> list[_Item]:
    """Return the items in a random order that follows from SEED and ``what``."""
    found = list(items)
    random.Random(f"{seed()} {what}").shuffle(found)
    return found


def chosen(tests: Sequence[str], drawn: Sequence[bool]) -> list[bool]:
    """Return for each test, a node id of pytest, whether PART and FEW choose it.

    Those that are ``drawn`` draw a sample of their own, so that every part has them.
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
    """Return the node id of the function that a test is a case of."""
    return test.partition("[")[0]


def in_part(tests: Sequence[str], wanted: Part) -> list[bool]:
    """Return for each test, a node id of pytest, whether it belongs to the part.

    The cases of one function are dealt out in turn: they take about equally long, so that the parts
    do too. Each function begins with another part, lest all functions of one case fall into one
    part. Its name decides about that, so that a new test moves no other one to another part; and
    SALT, which was chosen by the durations that were measured.
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
