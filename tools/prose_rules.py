# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules of the section "Language" of CONTRIBUTING, as checks of proselint.

A message names the rule and the words to write instead. tests/unit/tools/prose_cases.toml holds a
bad and a good sentence for each rule.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from prose_texts import Kind
from proselint.checks import __register__ as OF_PROSELINT
from proselint.registry import CheckRegistry
from proselint.registry.checks import Check, CheckResult, Padding
from proselint.registry.checks.engine import Fancy
from proselint.registry.checks.types import ExistenceSimple, PreferredForms

LONGEST_SENTENCE = 25

# Stands between the paragraphs of a document, so that no pattern matches across two paragraphs.
BORDER = "\n|\n"

WORDS = tomllib.loads((Path(__file__).parent / "prose.toml").read_text(encoding="utf-8"))

CONJUNCTION = (
    r", as (?:it|its|they|their|there|this|these|that|those|no|each|all|every|both|neither"
    r"|nothing|we|you|one|only|otherwise|else|some|most|the)\b"
    r"(?! (?:was|were|is|are) (?:found|given|written|before|shown|listed|loaded|read)\b)"
    r"(?! (?:[\w'-]+ ){0,6}?(?:do|does|did|would|says|reads?|sees|shows)\b)"
    r"|, since (?!then|version|boot|\d|IKEv|strongSwan|Debian|X\b"
    r"|the (?:last|first|start|previous))"
)
SUBJECT = (
    r"(?:\A|(?<=\|\n)|(?<=[.!?:] ))(?:What|Whose|Whom|Who|Why|That which|Those who|Those which"
    r"|Ones? (?:that|which|who|whose))\b"
    r"(?![^.!?\n]*\?)"
)
FINITE = (
    r"\b(?:is|are|was|were|has|have|had|does|did|can|can't|cannot|may|must|will|would|should"
    r"|stays?|comes?|goes|says?|lets?)\b"
)
NO_VERBS, VERBS, NO_SUBJECTS = (
    frozenset(WORDS["docstring"][name]) for name in ("no_verbs", "verbs", "no_subjects")
)

# Checks of proselint itself that help in this kind of text.
BORROWED = (
    "archaism",
    "lexical_illusions",
    "malapropisms",
    "nonwords",
    "redundancy",
    "spelling",
    "needless_variants",
)


def sentences(words: str) -> Iterator[tuple[int, str]]:
    """Yield each sentence of a paragraph with its offset. Colons and dashes end a sentence too."""
    start = 0
    for match in re.finditer(r"(?<!e\.g)(?<!i\.e)[.!?:][)'\"*_]*(?=\s|$)| - |$", words):
        if words[start : match.end()].strip():
            yield start, words[start : match.end()]
        start = match.end()


def long_sentences(document: str, check: Check) -> Iterator[CheckResult]:
    """Yield each sentence of more than ``LONGEST_SENTENCE`` words. A list of names is one word."""
    for paragraph in re.finditer(r"[^\n]{2,}", document):
        for start, sentence in sentences(paragraph[0]):
            spoken = re.sub(r"\([^()]*\)", "", sentence)
            spoken = re.sub(r"\bX+(?:,? (?:and |or )?X+)+", "X", spoken)
            count = len(re.findall(r"[^\W_][\w'-]*", spoken))
            if count > LONGEST_SENTENCE:
                place = paragraph.start() + start + len(sentence) - len(sentence.lstrip())
                yield _result(check, place, sentence.lstrip(), check.message.format(count))


def docstring_starts(document: str, check: Check) -> Iterator[CheckResult]:
    """Yield each docstring that does not begin as the docstrings of its kind must."""
    kind = check.path.rpartition(".")[2]
    for paragraph in re.finditer(r"[^\n]{2,}", document):
        word, following = (*paragraph[0].split(maxsplit=2), "")[:2]
        if not _may_begin(kind, word.rstrip(".,:;"), following):
            yield _result(check, paragraph.start(), paragraph[0], check.message)


def _may_begin(kind: str, word: str, following: str) -> bool:
    if kind == "property":
        return word == "Return"
    if kind in {"class", "test"}:
        return word not in NO_SUBJECTS
    if not re.fullmatch(r"[A-Z][a-z]+(?:-[a-z]+)?", word) or word in NO_VERBS or following == "of":
        return False
    return word in VERBS or not word.endswith(("s", "ing", "ed", "ly"))


def _result(check: Check, start: int, sentence: str, message: str) -> CheckResult:
    """Return a result that spans the first six words of a sentence."""
    words = re.match(r"(?:\S+\s+){0,5}\S+", sentence)
    span = (start, start + (words.end() if words else 1))
    return CheckResult(check_path=check.path, message=message, span=span, replacements=None)


def _forms(path: str, rule: str, items: dict[str, str]) -> Check:
    return Check(
        check_type=PreferredForms(items=items, padding=Padding.STRICT_WORDS_IN_TEXT),
        engine=Fancy(), path=path, message=f"{rule}. Write {{0}} instead.",
    )  # fmt: skip


def _pattern(path: str, message: str, pattern: str) -> Check:
    return Check(
        check_type=ExistenceSimple(pattern=pattern, exceptions=("",)),
        engine=Fancy(), path=path, message=message,
    )  # fmt: skip


OURS = (
    *(
        Check(
            check_type=docstring_starts,
            path=f"house.docstring.{kind}",
            message=f"{rule}. Write {advice} instead.",
        )
        for kind, rule, advice in (
            ("function", "no verb at the beginning", "'Return ...', 'Render ...' or 'Raise ...'"),
            ("test", "no subject at the beginning", "a whole sentence or an imperative"),
            ("property", "no 'Return' at the beginning", "'Return ...' and a noun"),
            ("class", "no noun at the beginning", "'A ...' and a noun"),
        )
    ),
    _forms("house.noun", "a noun is avoided", WORDS["noun"]),
    _forms("house.vocabulary", "not in the vocabulary", WORDS["vocabulary"]),
    _pattern(
        "house.because",
        "a conjunction that also means a comparison or a time. Write 'because' instead.",
        CONJUNCTION,
    ),
    _pattern("house.subject", "a pronoun as the subject. Write the noun instead.", SUBJECT),
    _pattern(
        "house.heading",
        "a heading with a finite verb. Write a noun phrase or an imperative instead.",
        FINITE,
    ),
    Check(
        check_type=long_sentences,
        path="house.length",
        message=f"{{}} words in a sentence. Write sentences of at most {LONGEST_SENTENCE} instead.",
    ),
)
ENABLED = {
    Kind.PROSE: ("house.length",),
    Kind.HEADING: ("house.heading",),
    Kind.MESSAGE: ("house.length",),
    Kind.STRING: (),
    Kind.COMMENT: (),
    Kind.FUNCTION: ("house.docstring.function",),
    Kind.TEST: ("house.docstring.test",),
    Kind.PROPERTY: ("house.docstring.property",),
    Kind.CLASS: ("house.docstring.class",),
}
ALWAYS = ("house.noun", "house.vocabulary", "house.because", "house.subject", *BORROWED)

REGISTRY = CheckRegistry()
REGISTRY.register_many((*OURS, *OF_PROSELINT))


def checks(kind: Kind) -> list[Check]:
    """Return the checks for a kind of text."""
    enabled = dict.fromkeys((*ALWAYS, *ENABLED[kind]), True)
    return list(REGISTRY.get_all_enabled(enabled))


# Words that are no prose: code, options, quoted texts and addresses become one word of X.
CODE = re.compile(
    r"``[^`]+``|`[^`]+`|\b[A-Z]{1,2}\((?:[^()\\]|\\.|\([^()]*\))*\)|{{.*?}}|{\w*}"
    r"|\"[^\"]{1,100}\"|<[a-z/][^<>]*>|https?://\S+|\]\([^)]*\)|\$\([^)]*\)"
)


def masked(words: str) -> str:
    """Return ``words`` with every piece of code replaced, at the same length."""
    return CODE.sub(
        lambda match: " " * len(match[0]) if match[0].startswith("](") else "X" * len(match[0]),
        words,
    ).replace("[", " ")
