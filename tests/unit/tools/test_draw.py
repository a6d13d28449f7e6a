# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Six consecutive runs see every deep test, because each number draws another sample."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import draw
import pytest
from ansible_collections.tunnelwright.ipsec.tests.live.failures import FAILURES

ROOT = Path(__file__).resolve().parents[3]
SUITES = ("tests/live", "tests/kernel")
DRAWN_BY = ("SEED", "PART", "FEW", "FIRST", "KILL_SEED", "FIELDS", "LIVE", "INTEROP", "SCORECARD")

# Plugins that a collection does not need. It takes half of the time without them.
WITHOUT = [
    f"-pno:{plugin}" for plugin in ("cacheprovider", "hypothesispytest", "xdist", "testinfra")
]


def script(name: str) -> ModuleType:
    """Return a Python script of tools/ as a module."""
    loader = importlib.machinery.SourceFileLoader(name, str(ROOT / "tools" / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


def collected(suite: str, **variables: str) -> list[str]:
    """Return the node ids of the tests that are run with these environment variables."""
    plain = {name: value for name, value in os.environ.items() if name not in DRAWN_BY}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", *WITHOUT, suite],
        cwd=ROOT,
        env={**plain, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if line.startswith(f"{suite}/")]


@pytest.fixture(autouse=True)
def _unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in DRAWN_BY:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("suite", SUITES)
def test_six_consecutive_runs_see_every_test(suite: str) -> None:
    """The runs see all tests, including each event and each failure. 481 is no multiple of six."""
    everything = {"FIELDS": "all", "LIVE": "all", "INTEROP": "all", "SCORECARD": "1"}
    whole = collected(suite, SEED="1", PART="0/1", **everything)
    runs = [
        collected(suite, SEED=str(number), PART=str(draw.part_of(number)))
        for number in range(481, 487)
    ]
    missing = set(whole) - set().union(*runs)
    # The sample of INTEROP takes more runs. tests/unit/tools/test_interop_docs.py tests this.
    assert not {test for test in missing if "test_interoperability[" not in test}
    assert max(map(len, runs)) < len(whole) / 3
    assert {test.partition("::")[0] for test in whole} == modules(suite)


def modules(suite: str) -> set[str]:
    """Return every file of tests, including files about mutations and files without a test."""
    return {str(path.relative_to(ROOT)) for path in (ROOT / suite).rglob("test_*.py")}


def test_six_consecutive_runs_provoke_every_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set()
    for number in range(481, 487):
        monkeypatch.setenv("SEED", str(number))
        monkeypatch.setenv("PART", str(draw.part_of(number)))
        seen.update(str(failure) for failure in draw.sample(FAILURES, draw.PARTS))
    assert seen == {str(failure) for failure in FAILURES}


@pytest.mark.parametrize("count", [0, 1, 5, 6, 41])
def test_samples_of_consecutive_numbers_are_disjoint_and_everything(
    monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Six samples contain every item once. The kill points of a scenario are drawn in this way."""
    found: list[int] = []
    for number in range(100, 106):
        monkeypatch.setenv("SEED", str(number))
        found += draw.sample(range(count), draw.PARTS)
    assert sorted(found) == list(range(count))


def test_a_part_does_not_depend_on_other_functions() -> None:
    tests = [f"{name}[{case}]" for name in ("a", "b") for case in range(7)]
    together = dict(zip(tests, draw.in_part(tests, draw.Part(1, 3)), strict=True))
    assert draw.in_part(tests[7:], draw.Part(1, 3)) == [together[test] for test in tests[7:]]


def test_a_few_of_each_function(monkeypatch: pytest.MonkeyPatch) -> None:
    tests = ["alone", *(f"many[{case}]" for case in range(40))]
    monkeypatch.setenv("FEW", "3")
    samples = []
    for number in ("1", "2"):
        monkeypatch.setenv("SEED", number)
        chosen = draw.chosen(tests, [False] * len(tests))
        assert chosen[0]
        assert sum(chosen) == 4
        samples.append(chosen)
    assert samples[0] != samples[1]


@pytest.mark.parametrize("text", ["6/6", "-1/6", "six"])
def test_a_part_that_does_not_exist(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("PART", text)
    with pytest.raises(ValueError, match=r"there is no such part|invalid literal|not enough"):
        draw.part()


def test_consecutive_numbers_share_no_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEED", "7")
    first = draw.first_seed()
    monkeypatch.setenv("SEED", "8")
    assert draw.first_seed() - first == 1000
    monkeypatch.setenv("FIRST", "3")
    assert draw.first_seed() == 3


def git(checkout: Path, *words: str) -> None:
    who = ("-c", "user.name=test", "-c", "user.email=test@example.com")
    subprocess.run(["git", "-C", str(checkout), *who, *words], check=True, capture_output=True)


def test_the_number_of_a_commit(tmp_path: Path) -> None:
    whole, shallow = tmp_path / "whole", tmp_path / "shallow"
    whole.mkdir()
    assert draw.number_of_commit(whole) == 0
    git(whole, "init", "-q")
    numbers = []
    for text in ("one", "two", "three"):
        git(whole, "commit", "-q", "--allow-empty", "-m", text)
        numbers.append(draw.number_of_commit(whole))
    assert numbers == [1, 2, 3]
    git(tmp_path, "clone", "-q", "--depth=1", whole.as_uri(), str(shallow))
    before = draw.number_of_commit(shallow)
    # The count of commits in a shallow clone would always be 1.
    assert before > 1000
    git(shallow, "commit", "-q", "--allow-empty", "-m", "four")
    assert draw.number_of_commit(shallow) != before


def test_no_number_is_constant() -> None:
    """No file has a constant seed, which would always draw the same sample."""
    constant = re.compile(
        r"""(?:SEED|FIRST)["'],\s*["']?\d|^(?:export )?SEED\s*[?:]?=\s*["']?\d""", re.MULTILINE
    )
    files = [ROOT / "Makefile", ROOT / ".ci/run", *(ROOT / "tools").glob("*")]
    files += [
        path for folder in ("live", "kernel") for path in (ROOT / "tests" / folder).rglob("*.py")
    ]
    found = [str(path) for path in files if path.is_file() and constant.search(path.read_text())]
    assert found == []


def test_every_deep_stage_has_its_turn() -> None:
    runs = [script("rotation").lanes(number) for number in range(481, 487)]
    assert all(run[0][0] == "kernel-test" and run[1][0] == "live" for run in runs)
    stages = {stage for run in runs for lane in run for stage in lane}
    scenarios = {f"molecule-{path.parent.name}" for path in ROOT.glob("molecule/*/molecule.yml")}
    cores = {f"core-{path.stem}" for path in ROOT.glob("tools/core/*.in")}
    whole = {"kernel-test", "live", "sanity", "first-hour", "thousand-info", "netns-debian14"}
    assert stages == whole | scenarios | cores
