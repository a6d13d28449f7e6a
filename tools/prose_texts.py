# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The texts that people read in a file of this repository, each with its kind and its lines."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path
from typing import NamedTuple

import yaml


class Kind(Enum):
    """A kind of text. The rules of ``prose_rules`` differ by it."""

    PROSE = "prose"
    HEADING = "heading"
    MESSAGE = "message"
    STRING = "string"
    COMMENT = "comment"
    FUNCTION = "docstring.function"
    TEST = "docstring.test"
    PROPERTY = "docstring.property"
    CLASS = "docstring.class"


class Text(NamedTuple):
    """A paragraph, with the numbers of its first and last line in the file."""

    kind: Kind
    words: str
    first: int
    last: int


# Scalars of YAML that are for a reader, by their key.
READ_KEYS = {
    "name", "msg", "fail_msg", "success_msg", "description", "short_description", "notes",
    "details", "requirements", "why", "alternative", "choices",
}  # fmt: skip
# Values that are data in any text of YAML.
DATA_KEYS = {"sample", "default"}
FUNCTION_WORDS = re.compile(
    r"(?i)\b(?:the|a|an|is|are|was|be|has|have|does|of|to|in|for|by|not|no|and|or|with|that|what"
    r"|whatever|nobody|cannot|can't|must|may|will|its?|anew)\b"
)
WORD = re.compile(r"[('\"]*[A-Za-z][A-Za-z'-]*[)'\"]*[.,:;!?]?")
MARKS = re.compile(
    r"noqa|type:|fmt:|pragma|yamllint|mypy:|prose:|SPDX|Copyright|GNU General|!/|-\*-"
)


def read(path: Path, relative: str) -> Iterator[Text]:
    """Yield the texts of the file ``path``, which is ``relative`` within its repository."""
    try:
        source = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return
    suffix = path.suffix
    if suffix == ".md":
        yield from markdown(source)
    elif suffix == ".py" or re.match(r"#!.*python", source):
        yield from python(source, relative)
    elif suffix in {".yml", ".yaml"} or path.name.startswith((".yamllint", ".ansible-lint")):
        user_visible = (
            Kind.PROSE if not relative.startswith(("molecule/", "tests/")) else Kind.STRING
        )
        yield from yaml_texts(source, 1, user_visible, "changelogs/fragments/" in relative)
    elif suffix == ".j2":
        yield from template(source, is_page=".html" in path.name)
    else:
        yield from comments_by_line(source)


def markdown(source: str) -> Iterator[Text]:
    """Yield paragraphs, list items, headings and cells of tables, without blocks of code."""
    source = re.sub(r"<!--.*?-->", _blank, source, flags=re.DOTALL)
    lines: list[str] = []
    fence = ""
    for number, line in enumerate([*source.splitlines(), ""], 1):
        stripped = line.strip()
        mark = re.match(r"(?:[-*] +|\d+\. +|> *)?(```+|~~~+)", stripped)
        is_code = bool(fence) or bool(mark) or (line.startswith("    ") and not lines)
        if mark and (not fence or stripped.startswith(fence)):
            fence = "" if fence else mark[1]
        starts_new = not stripped or is_code or re.match(r"[-*] |\d+\. |\||#|>", stripped)
        if starts_new and lines:
            yield _paragraph(Kind.PROSE, lines, number - len(lines))
            lines = []
        if not stripped or is_code:
            continue
        if stripped[0] == "#":
            yield Text(Kind.HEADING, stripped.lstrip("# "), number, number)
        elif stripped[0] == "|":
            for cell in re.split(r"(?<!\\)\|", stripped):
                yield Text(Kind.PROSE, cell.strip(" -"), number, number)
        else:
            lines.append(stripped)


def python(source: str, relative: str) -> Iterator[Text]:
    """Yield comments, docstrings, strings that are sentences, and the YAML of documentation."""
    yield from _python_comments(source)
    tree = ast.parse(source)
    is_documented = re.search(r"plugins/(modules|lookup|filter|doc_fragments)/", relative)
    message = Kind.MESSAGE if relative.startswith(("plugins/", "tools/")) else Kind.STRING
    done: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from _docstring(node, done)
        elif isinstance(node, ast.Assign) and is_documented and _is_yaml(node.value):
            done.add(node.value)
            block = ast.literal_eval(node.value)
            yield from yaml_texts(block, node.value.lineno, Kind.PROSE, False)
        elif isinstance(node, (ast.Constant, ast.JoinedStr)) and node not in done:
            done.update(ast.walk(node))
            last = node.end_lineno or node.lineno
            for text in _paragraphs(message, _value(node), node.lineno, last):
                if is_sentence(text.words):
                    yield text


def yaml_texts(source: str, first: int, kind: Kind, is_all: bool) -> Iterator[Text]:
    """Yield the comments of YAML, and the scalars that are for a reader (``is_all``: every scalar).

    ``first`` is the line of the file on which ``source`` begins.
    """
    scalars: list[yaml.ScalarNode] = []
    try:
        for document in yaml.compose_all(source, yaml.SafeLoader):
            yield from _scalars(document, "", kind, is_all, first, scalars)
    except yaml.YAMLError:
        pass
    inside = {
        number
        for scalar in scalars
        for number in range(scalar.start_mark.line + 1, scalar.end_mark.line)
    }
    lines = source.splitlines()
    for scalar in scalars:
        mark = scalar.end_mark
        if scalar.style in {"|", ">"}:
            inside.add(scalar.start_mark.line + 1)
        elif mark.line < len(lines):
            line = lines[mark.line]
            lines[mark.line] = " " * mark.column + line[mark.column :]
    kept = ["" if number in inside else line for number, line in enumerate(lines)]
    for text in comments_by_line("\n".join(kept), echoes=False):
        yield text._replace(first=text.first + first - 1, last=text.last + first - 1)


def template(source: str, is_page: bool) -> Iterator[Text]:
    """Yield comments of Jinja and, of a page, the text between its tags."""
    for match in re.finditer(r"{#-?(.*?)-?#}", source, re.DOTALL):
        first = source.count("\n", 0, match.start()) + 1
        yield from _paragraphs(Kind.COMMENT, match[1], first, first + match[0].count("\n"))
    if not is_page:
        return
    shown = re.sub(
        r"(?s){#.*?#}|{%.*?%}|<(style|script)\b.*?</\1>|<!--.*?-->|</?(?:b|i|em|code|a)\b[^>]*>",
        _blank,
        source,
    )
    shown = re.sub(r"(?s){{.*?}}", lambda match: "X" + _blank(match)[1:], shown)
    for match in re.finditer(r"[^<>]*[A-Za-z][^<>]*", re.sub(r"(?s)<[^>]*>", _tag, shown)):
        first = shown.count("\n", 0, match.start()) + 1
        if is_sentence(match[0]):
            yield from _paragraphs(Kind.PROSE, match[0], first, first + match[0].count("\n"))


def comments_by_line(source: str, echoes: bool = True) -> Iterator[Text]:
    """Yield comments that begin with ``#``, and what a shell script prints with ``echo``."""
    comments: list[tuple[int, int, str]] = []
    for number, line in enumerate(source.splitlines(), 1):
        match = re.match(r"(.*?)(?:^|(?<=\s))#+(?: |$)(.*)", line)
        if match and match[1].count("'") % 2 == 0 and match[1].count('"') % 2 == 0:
            comments.append((number, len(match[1]) if not match[1].strip() else -number, match[2]))
        if echoes and (said := re.match(r'\s*@?echo "([^"]+)"', line)) and is_sentence(said[1]):
            yield Text(Kind.STRING, said[1], number, number)
    yield from _joined(comments)


def is_sentence(words: str) -> bool:
    """Return whether ``words`` read as a sentence, not as a command, a rule or a setting."""
    words = re.sub(r"{\w*}|``.*?``|\b[A-Z]{1,2}\([^()]*\)", "X", words)
    if re.search(r"[{}=$\\]|;\s*$|\bcounter\b|^\s*[-/#<|]", words):
        return False
    tokens = words.split()
    plain = sum(1 for token in tokens if WORD.fullmatch(token))
    return len(tokens) >= 3 and plain >= len(tokens) * 0.6 and bool(FUNCTION_WORDS.search(words))


def line_of(text: Text, offset: int, lines: list[str]) -> int:
    """Return the line of the file that holds the word at ``offset`` of a text.

    Strings and scalars are joined from pieces, so the search for each word begins after the last
    word that was found.
    """
    number, column = text.first, 0
    for match in re.finditer(r"\S+", text.words[: offset + 1]):
        word = match[0] if match.end() <= offset else text.words[match.start() :].split()[0]
        for candidate in range(number, text.last + 1):
            found = lines[candidate - 1].find(word, column if candidate == number else 0)
            if found >= 0:
                number, column = candidate, found + len(word)
                break
    return number


def _docstring(
    node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, done: set[ast.AST]
) -> Iterator[Text]:
    words = ast.get_docstring(node)
    if not words:
        return
    statement = node.body[0]
    assert isinstance(statement, ast.Expr)
    done.add(statement.value)
    last = statement.end_lineno or statement.lineno
    for index, text in enumerate(_paragraphs(Kind.COMMENT, words, statement.lineno, last)):
        yield text._replace(kind=_docstring_kind(node)) if index == 0 else text


def _docstring_kind(node: ast.AST) -> Kind:
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return Kind.CLASS
    if any("property" in ast.unparse(decorator) for decorator in node.decorator_list):
        return Kind.PROPERTY
    return Kind.TEST if node.name.startswith("test_") else Kind.FUNCTION


def _python_comments(source: str) -> Iterator[Text]:
    lines = source.splitlines()
    comments = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            number, column = token.start
            is_alone = not lines[number - 1][:column].strip()
            comments.append(
                (number, column if is_alone else -number, token.string.lstrip("#").strip())
            )
    return _joined(comments)


def _joined(comments: Iterable[tuple[int, int, str]]) -> Iterator[Text]:
    """Yield the paragraphs of comments. Consecutive lines in the same column are one paragraph."""
    group: list[str] = []
    first = column = 0
    for number, place, words in comments:
        is_mark = bool(MARKS.match(words.strip()))
        if group and (number != first + len(group) or place != column or not words or is_mark):
            yield _paragraph(Kind.COMMENT, group, first)
            group = []
        if words and not is_mark:
            first, column = (first, column) if group else (number, place)
            group.append(words)
    if group:
        yield _paragraph(Kind.COMMENT, group, first)


def _scalars(
    node: yaml.Node | None,
    key: str,
    kind: Kind,
    is_all: bool,
    first: int,
    seen: list[yaml.ScalarNode],
) -> Iterator[Text]:
    if isinstance(node, yaml.ScalarNode):
        seen.append(node)
        if (is_all or key in READ_KEYS) and is_sentence(re.sub(r"{[{%].*?[%}]}", "X", node.value)):
            start, end = node.start_mark.line, node.end_mark.line
            yield from _paragraphs(kind, node.value, start + first, max(start, end) + first)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _scalars(item, key, kind, is_all, first, seen)
    elif isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            yield from _scalars(name, "", kind, False, first, seen)
            below = str(name.value)
            if key == "choices" and isinstance(value, yaml.ScalarNode):
                below = key
            yield from _scalars(value, below, kind, is_all and below not in DATA_KEYS, first, seen)


def _is_yaml(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and bool(re.search(r"^\s*[\w-]+:|^\s*- ", node.value, re.MULTILINE))
        and "\n" in node.value
    )


def _value(node: ast.Constant | ast.JoinedStr) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    return "".join(
        str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values
    )


def _paragraphs(kind: Kind, words: str, first: int, last: int) -> Iterator[Text]:
    for paragraph in re.split(r"\n\s*\n", words):
        for item in re.split(r"\n\s*(?=[-*] )", paragraph):
            if item.strip():
                yield Text(kind, _plain(item), first, last)


def _paragraph(kind: Kind, lines: list[str], first: int) -> Text:
    return Text(kind, _plain(" ".join(lines)), first, first + len(lines) - 1)


def _plain(words: str) -> str:
    """Return ``words`` on one line, without the mark of a list item or a quotation."""
    return re.sub(r"^(?:[-*>]|\d+\.) ", "", " ".join(words.split()))


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match[0])


def _tag(match: re.Match[str]) -> str:
    return "<" + _blank(match)[2:] + ">"
