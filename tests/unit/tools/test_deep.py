# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The suites of ``make test-deep``, a resumed run, and the file that a run writes."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]


def load() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("deep", str(ROOT / "tools/deep"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("deep", loader))
    loader.exec_module(module)
    return module


deep = load()


def outcome(passed: bool = True, commit: str = "c" * 12) -> object:
    return deep.Outcome(commit, "2026-11-30", 7, passed, 60)


@pytest.fixture(name="made", autouse=True)
def _made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Return the commands that were run. The commands in ``FAILING`` fail."""
    commands: list[list[str]] = []

    def make(words: list[str], log: Path) -> int:
        commands.append(words)
        log.write_text("== 3 passed, 1 skipped in 2.00s ==\n\033[32m4 passed\033[0m in 1.00s\n")
        return int(words[2] in FAILING)

    FAILING.clear()
    monkeypatch.setattr(deep, "ROOT", tmp_path)
    for name in ("STATE", "PAGE", "LOGS"):
        monkeypatch.setattr(deep, name, tmp_path / name)
    monkeypatch.setattr(deep, "_make", make)
    monkeypatch.setattr(deep, "current_commit", lambda: "c" * 12)
    monkeypatch.setattr(deep.sys, "argv", ["deep"])
    return commands


FAILING: set[str] = set()


def test_the_page_is_of_the_form_that_is_written() -> None:
    text = (ROOT / "docs/verified.md").read_text(encoding="utf-8")
    result = r"passed|failed|not run|\d+ of \d+ (?:failed|not run)"
    form = rf"\| (.+?) \| (?:\d+ )?\| (?:{result}) \| (?:[0-9a-f, ]+ )?\| (?:\d{{4}}-\d\d-\d\d )?\|"
    rows = text.partition("| --- | ---: | --- | --- | --- |\n")[2].splitlines()
    found = [re.fullmatch(form, row) for row in rows]
    assert all(found), rows
    assert [match[1] for match in found] == [suite.name for suite in deep.SUITES]
    assert text.startswith(deep.page({}).partition("| unit |")[0])


def test_every_target_of_the_tests_is_a_suite() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+): venv(?: image)? ##", text, re.MULTILINE))
    others = {"demo", "test", "rotating", "test-deep", "format", "lock"}
    # Samples and parts of a suite, and the scenarios of Molecule.
    others |= {"sanity-one", "live-smoke", "molecule-smoke", "molecule", "thousand-info"}
    assert {suite.target for suite in deep.SUITES} >= targets - others
    scenarios = {path.parent.name for path in ROOT.glob("molecule/*/molecule.yml")}
    assert set(deep.SCENARIOS) == scenarios
    assert set(deep.CORES) == {path.stem for path in ROOT.glob("tools/core/*.in")}


def test_it_continues_with_what_has_not_passed(made: list[list[str]]) -> None:
    FAILING.add("lint")
    assert deep.main() == 1
    assert len(made) == len(deep.pieces())
    made.clear()
    FAILING.clear()
    assert deep.main() == 0
    assert made == [["make", "--no-print-directory", "lint"]]


def test_all_again(made: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    deep.main()
    made.clear()
    monkeypatch.setattr(deep.sys, "argv", ["deep", "--again"])
    deep.main()
    assert len(made) == len(deep.pieces())


def test_another_commit_is_verified_from_the_beginning(
    made: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    deep.main()
    made.clear()
    monkeypatch.setattr(deep, "current_commit", lambda: "d" * 12)
    deep.main()
    assert len(made) == len(deep.pieces())


def test_the_parts_of_a_suite_are_named_to_it(made: list[list[str]]) -> None:
    deep.main()
    parts = [words[-1] for words in made if words[2] == "live"]
    assert parts == [f"PART={number}/6" for number in range(6)]


def test_tests_are_counted(made: list[list[str]]) -> None:
    deep.main()
    assert deep.read_state()["unit"].tests == 7


@pytest.mark.parametrize(
    ("outcomes", "text"),
    [
        ([True] * 6, "| live | 42 | passed | cccccccccccc | 2026-11-30 |"),
        ([True] * 5 + [False], "| live | 42 | 1 of 6 failed | cccccccccccc | 2026-11-30 |"),
        ([True] * 4, "| live | 28 | 2 of 6 not run | cccccccccccc | 2026-11-30 |"),
        ([], "| live | | not run | | |"),
    ],
)
def test_a_row(outcomes: list[bool], text: str) -> None:
    (live,) = (suite for suite in deep.SUITES if suite.name == "live")
    state = {deep.key(live, number): outcome(item) for number, item in enumerate(outcomes)}
    assert text in deep.page(state).splitlines()
