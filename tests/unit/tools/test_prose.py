# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each rule of tools/prose fails on a bad sentence, and passes on a good one."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import re
import typing as t
from pathlib import Path
from types import ModuleType

import prose_rules
import pytest
import tomllib

ROOT = Path(__file__).resolve().parents[3]
CASES = tomllib.loads((Path(__file__).parent / "prose_cases.toml").read_text(encoding="utf-8"))


def load() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("prose", str(ROOT / "tools/prose"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("prose", loader))
    loader.exec_module(module)
    return module


prose = load()


class Place(t.NamedTuple):
    """A file that holds a sentence at ``{}``, on the line ``line``."""

    path: str
    text: str
    line: int


READ_KEYS = (
    *("name", "msg", "fail_msg", "success_msg", "description", "short_description", "notes"),
    *("details", "requirements", "why", "alternative", "choices"),
)
# User-visible texts, where long sentences are findings.
VISIBLE = {
    "Markdown": Place("docs/page.md", "# Page\n\n{}\n", 3),
    "list of Markdown": Place("docs/page.md", "1. First\n2. {}\n", 2),
    "table": Place("docs/page.md", "| a | b |\n| --- | --- |\n| {} | x |\n", 3),
    "module documentation": Place(
        "plugins/modules/x.py",
        "DOCUMENTATION = r'''\nmodule: x\noptions:\n  a:\n    description:\n      - >-\n"
        "        {}\n'''\n",
        7,
    ),
    "RETURN": Place(
        "plugins/modules/x.py",
        "RETURN = r'''\na:\n  description: >-\n    {}\n  sample: whatever\n'''\n",
        4,
    ),
    "error": Place("plugins/module_utils/x.py", "import x\nraise x.Error('''{}''')\n", 2),
    "name of a task": Place("playbooks/x.yml", "- hosts: all\n- name: >-\n    {}\n", 3),
    "changelog": Place("changelogs/fragments/x.yml", "bugfixes:\n  - >-\n    {}\n", 3),
    "page": Place("playbooks/templates/x.html.j2", "<html>\n<p>{}</p>\n</html>\n", 2),
}
OTHER = {
    "docstring": Place("plugins/module_utils/x.py", '"""A module.\n\n{}\n"""\n', 3),
    "comment": Place("plugins/module_utils/x.py", "x = 1\n# {}\n", 2),
    "comment beside code": Place("plugins/module_utils/x.py", "y = 2\nx = 1  # {}\n", 2),
    "comment of an example": Place(
        "plugins/modules/x.py", "EXAMPLES = r'''\n# {}\n- name: x\n'''\n", 2
    ),
    "comment of YAML": Place("roles/x.yml", "---\n# {}\na: b\n", 2),
    "f-string of a test": Place("tests/x.py", "a = 'b'\nassert a, f'''{}'''\n", 2),
    "shell": Place("tools/x.sh", "#!/bin/sh\n# {}\ntrue\n", 2),
    "Makefile": Place("Makefile", "all: x\nunit: ## {}\n\t@true\n", 2),
    "template": Place("x/a.conf.j2", "a = 1\n{{# {} #}}\n", 2),
}
PLACES = {**VISIBLE, **OTHER}


def findings(tmp_path: Path, place: Place, sentence: str) -> list[t.Any]:
    path = tmp_path / Path(place.path).name
    path.write_text(place.text.format(sentence), encoding="utf-8")
    return prose.findings(path, place.path)


@pytest.mark.parametrize("name", [*PLACES])
@pytest.mark.parametrize("rule", ["words", "because", "subject"])
def test_words_are_found_in_each_kind_of_text(tmp_path: Path, rule: str, name: str) -> None:
    for bad, _good in CASES[rule]:
        found = findings(tmp_path, PLACES[name], bad)
        assert [item.line for item in found], bad
        assert {item.line for item in found} == {PLACES[name].line}, bad
    good = " ".join(good for _bad, good in CASES[rule])
    assert not findings(tmp_path, PLACES[name], good)


@pytest.mark.parametrize("name", [*PLACES])
def test_words_that_only_look_alike_are_not_found(tmp_path: Path, name: str) -> None:
    assert not findings(tmp_path, PLACES[name], " ".join(CASES["allowed"]))


def test_each_pattern_finds_its_words(tmp_path: Path) -> None:
    """Each pattern finds its own bad sentence, which another pattern may find too."""
    bad = "\n\n".join(bad for bad, _good in CASES["words"])
    found = [item.message.split("'")[1] for item in findings(tmp_path, PLACES["Markdown"], bad)]
    patterns = {**prose_rules.WORDS["noun"], **prose_rules.WORDS["vocabulary"]}
    unseen = [
        pattern
        for pattern in patterns
        if not any(re.fullmatch(pattern, words, re.IGNORECASE) for words in found)
    ]
    assert not unseen


@pytest.mark.parametrize("name", [*PLACES])
def test_long_sentences_are_found_where_users_read(tmp_path: Path, name: str) -> None:
    for bad, good in CASES["length"]:
        assert bool(findings(tmp_path, PLACES[name], bad)) == (name in VISIBLE)
        assert not findings(tmp_path, PLACES[name], good)


def test_a_list_of_names_is_one_word(tmp_path: Path) -> None:
    names = ", ".join(f"`name{number}`" for number in range(30))
    assert not findings(tmp_path, PLACES["Markdown"], f"The options are {names} and `last`.")


def test_headings_hold_no_finite_verb(tmp_path: Path) -> None:
    place = Place("docs/page.md", "text\n\n## {}\n", 3)
    for bad, good in CASES["heading"]:
        assert {item.line for item in findings(tmp_path, place, bad)} == {3}
        assert not findings(tmp_path, place, good)


DOCSTRINGS = {
    "function": 'def x():\n    """{}"""\n',
    "method": 'class X:\n    def x(self):\n        """{}"""\n',
    "test": 'def test_x():\n    """{}"""\n',
    "property": 'class X:\n    @cached_property\n    def x(self):\n        """{}"""\n',
    "class": 'class X:\n    """{}"""\n',
    "module": '"""{}"""\n',
}


FIRST_WORDS = {
    "function": "no verb",
    "test": "no subject",
    "property": "no 'Return'",
    "class": "no noun",
}


@pytest.mark.parametrize("name", [*DOCSTRINGS])
def test_first_words_of_docstrings(tmp_path: Path, name: str) -> None:
    kind = {"method": "function", "module": "class"}.get(name, name)
    text = DOCSTRINGS[name]
    place = Place("plugins/module_utils/x.py", text, text.count("\n"))
    for bad, good in CASES["docstring"][kind]:
        (finding,) = findings(tmp_path, place, bad)
        assert finding.line == place.line
        assert FIRST_WORDS[kind] in finding.message
        assert not findings(tmp_path, place, good), good


@pytest.mark.parametrize(("path", "text"), CASES["code"])
def test_code_is_not_read(tmp_path: Path, path: str, text: str) -> None:
    file = tmp_path / Path(path).name
    file.write_text(text, encoding="utf-8")
    assert not prose.findings(file, path)


@pytest.mark.parametrize("key", READ_KEYS)
def test_scalars_for_a_reader_are_read(tmp_path: Path, key: str) -> None:
    bad, _good = CASES["words"][0]
    for text in (f"{key}: {{}}\n", f"- {key}:\n    - {{}}\n"):
        place = Place("roles/x.yml", text, text.count("\n"))
        assert {item.line for item in findings(tmp_path, place, bad)} == {place.line}


def test_lines_within_joined_strings_are_named(tmp_path: Path) -> None:
    file = tmp_path / "x.py"
    file.write_text(CASES["joined"]["text"], encoding="utf-8")
    found = prose.findings(file, "plugins/x.py")
    assert [item.line for item in found] == CASES["joined"]["lines"]


def test_a_finding_is_allowed_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "x.py"
    file.write_text("# nobody is here\n\n# nobody is here  prose: allow\n", encoding="utf-8")
    assert [item.line for item in prose.findings(file, "plugins/x.py")] == [1]


def test_checks_of_proselint_are_on(tmp_path: Path) -> None:
    found = findings(tmp_path, PLACES["Markdown"], CASES["proselint"])
    assert len(found) == 2
    assert all("proselint:" in item.message for item in found)


@pytest.mark.parametrize(
    ("arguments", "line"), [((), "page.md:1: 'somebody else': "), (("--count",), "1 ")]
)
def test_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], line: str
) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"{CASES['words'][6][0]}\n", encoding="utf-8")
    assert prose.main([*arguments, str(page)]) == 1
    assert capsys.readouterr().out.lstrip().startswith(line)
    page.write_text(f"{CASES['words'][6][1]}\n", encoding="utf-8")
    assert prose.main([*arguments, str(page)]) == 0


def test_messages_say_what_to_write() -> None:
    for check in prose_rules.OURS:
        assert re.search(r"\. Write .+ instead\.$", check.message), check.path
    assert len({check.path for check in prose_rules.OURS}) == len(prose_rules.OURS)
