# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules of docs/architecture.md about imports, and about code in one place only."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import DEBIAN

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"
SOURCES = sorted(PLUGINS.rglob("*.py"))
PRIVATE_NOTE = (
    "# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice."
)

# Each room, and the other rooms that it may import from.
ROOMS: dict[str, set[str]] = {
    "_errors": set(),
    "_model": {"_errors"},
    "_render": {"_errors", "_model"},
    "_plan": {"_errors", "_model", "_render"},
    "_diagnose": {"_errors", "_model"},
    "_releases": {"_errors", "_model", "_render"},
    "_compare": {"_errors", "_model", "_render"},
    "_host": {"_errors", "_model", "_render", "_plan", "_releases"},
    "_module": {"_errors", "_model", "_render", "_plan", "_diagnose", "_releases", "_host"},
    "modules": {"_module"},
    "plugin_utils": {"_errors", "_model", "_compare", "_module", "_releases"},
    "filter": {"_compare", "plugin_utils"},
    "lookup": {"_errors", "plugin_utils"},
    "doc_fragments": set(),
}
PURE = ("_errors", "_model", "_render", "_plan", "_diagnose", "_compare", "_releases")

# Modules of the standard library for the pure core. No module has an effect outside the process.
PURE_LIBRARY = {
    "base64",
    "bisect",
    # calendar only converts dates to numbers. `datetime` and `time` can read the clock.
    "calendar",
    "collections",
    "dataclasses",
    # fnmatch and posixpath only compare and split texts.
    "fnmatch",
    "functools",
    "enum",
    "hashlib",
    "ipaddress",
    "itertools",
    "json",
    "posixpath",
    "re",
    "shlex",
    "string",
    "typing",
}
IMPURE_CALLS = {"open", "print", "input", "exec", "eval", "__import__"}

# Third-party packages, and the files that may import them.
THIRD_PARTY = {
    "ansible": {"_module/task.py", "plugin_utils/_definition.py", "lookup/psk.py"},
    "vici": {"_host/vici/client.py", "_host/vici/log_events.py"},
    "jinja2": {"plugin_utils/_page.py"},
}

LONGEST_FUNCTION = 55
LONGEST_FILE = 300


class Import(t.NamedTuple):
    """An import. ``room`` is empty for a package outside of this collection."""

    room: str
    package: str


def room_of(path: Path) -> str:
    parts = path.relative_to(PLUGINS).parts
    return parts[1].removesuffix(".py") if parts[0] == "module_utils" else parts[0]


def place_of(path: Path) -> str:
    """Return the place of a file, such as ``_host/vici/client.py``."""
    return path.relative_to(PLUGINS).as_posix().removeprefix("module_utils/")


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path, tree: ast.Module) -> t.Iterator[Import]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield _absolute(name.name.split("."))
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield _absolute((node.module or "").split("."))
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(PLUGINS).with_suffix("").parts[: -node.level]
            target = [*package, *(node.module or "").split(".")]
            # `from . import x` imports the module x, not the package.
            names = [name.name for name in node.names] if not node.module else []
            for name in names or [""]:
                yield _ours([part for part in [*target, name] if part])


def _absolute(parts: list[str]) -> Import:
    if parts[:3] == ["ansible_collections", "tunnelwright", "ipsec"]:
        return _ours(parts[4:])
    return Import("", parts[0])


def _ours(parts: list[str]) -> Import:
    return Import(parts[1] if parts[0] == "module_utils" else parts[0], "")


def functions(tree: ast.Module) -> t.Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


every_source = pytest.mark.parametrize("path", SOURCES, ids=place_of)


def test_there_is_something_to_look_at() -> None:
    assert {room_of(path) for path in SOURCES} == ROOMS.keys()


@every_source
def test_imports_keep_to_the_rooms(path: Path) -> None:
    room = room_of(path)
    wrong = {
        item.room
        for item in imports(path, tree_of(path))
        if item.room and item.room not in {room, *ROOMS[room]}
    }
    assert not wrong, f"{room} must not import from {wrong}"


EDITING = ("vpn_network", "ipsec_settings", "ipsec_phase1", "ipsec_phase2", "vpn_rule")
# The files with the run of a module that is not in EDITING.
RUNS = ("gateway", "checkpoint", "connect", "diagnostics", "info")


@pytest.mark.parametrize("module", [*EDITING, "ipsec_gateway"])
def test_a_module_that_edits_brings_no_file_of_the_others(module: str) -> None:
    """Ansible reads and sends each file that a module can import, wherever the import stands."""
    found = reached(PLUGINS / f"modules/{module}.py")
    names = {place_of(path) for path in found}
    others = {f"_module/{name}.py" for name in RUNS} - {f"_module/{module[6:]}.py"}
    assert not names & others
    assert not {
        name for name in names if name.startswith(("_diagnose/", "_compare/", "_releases/"))
    }


def reached(path: Path) -> set[Path]:
    """Return the files that a file imports, and those that these import, and so on."""
    found: set[Path] = set()
    waiting = [path]
    while waiting:
        item = waiting.pop()
        if item not in found and item.exists():
            found.add(item)
            waiting += _imported(item)
    return found


def _imported(path: Path) -> t.Iterator[Path]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ImportFrom) and node.level:
            package = path.parents[node.level - 1]
            target = package.joinpath(*(node.module or "").split("."))
            yield target.with_suffix(".py")
            yield from (target / f"{name.name}.py" for name in node.names)


@every_source
def test_third_party_packages_stay_in_their_place(path: Path) -> None:
    for item in imports(path, tree_of(path)):
        if item.package in THIRD_PARTY:
            assert place_of(path) in THIRD_PARTY[item.package], item.package
        elif item.package and hasattr(sys, "stdlib_module_names"):
            assert item.package in sys.stdlib_module_names


@pytest.mark.parametrize("path", [path for path in SOURCES if room_of(path) in PURE], ids=place_of)
def test_pure_core_reaches_nothing(path: Path) -> None:
    tree = tree_of(path)
    used = {item.package for item in imports(path, tree) if item.package} - {"__future__"}
    assert used <= PURE_LIBRARY
    called = {node.func.id for node in _calls(tree) if isinstance(node.func, ast.Name)}
    assert not called & IMPURE_CALLS


def _calls(tree: ast.Module) -> t.Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def test_pure_core_runs_under_bare_python() -> None:
    """The folders of the pure core are enough, without site-packages and collection loader."""
    names = [
        ".".join(path.relative_to(PLUGINS).with_suffix("").parts)
        for path in SOURCES
        if room_of(path) in PURE
    ]
    script = (
        "import importlib, json, sys\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "for name in json.loads(sys.argv[2]): importlib.import_module(name)\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))\n"
    )
    argv = [sys.executable, "-S", "-I", "-B", "-c", script, str(PLUGINS), json.dumps(names)]
    run = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert not {"ansible", "vici", "socket", "subprocess"} & set(json.loads(run.stdout))


@every_source
def test_only_the_driver_ends_a_module(path: Path) -> None:
    if place_of(path) == "_module/task.py":
        return
    ends = {"fail_json", "exit_json", "warn", "AnsibleModule"}
    named = {node.attr for node in ast.walk(tree_of(path)) if isinstance(node, ast.Attribute)}
    assert not named & ends


@every_source
def test_functions_and_files_stay_short(path: Path) -> None:
    tree = tree_of(path)
    long = {
        node.name: (node.end_lineno or 0) - node.lineno + 1
        for node in functions(tree)
        if (node.end_lineno or 0) - node.lineno >= LONGEST_FUNCTION
    }
    assert not long
    # Files of documentation have no limit.
    if room_of(path) not in ("modules", "filter", "doc_fragments"):
        reasoned = "longer than 300 lines" in (ast.get_docstring(tree) or "")
        length = len(path.read_text(encoding="utf-8").splitlines())
        assert (length > LONGEST_FILE) == reasoned


@every_source
def test_no_statement_that_python_may_skip(path: Path) -> None:
    assert not [node.lineno for node in ast.walk(tree_of(path)) if isinstance(node, ast.Assert)]


@every_source
def test_a_switch_is_named_where_it_is_thrown(path: Path) -> None:
    """A call passes a boolean by keyword, because a bare True does not show its meaning."""
    bare = [
        node.lineno
        for node in _calls(tree_of(path))
        for argument in node.args
        if isinstance(argument, ast.Constant)
        and isinstance(argument.value, bool)
        # The key of a look-up explains the default of the look-up.
        and ast.unparse(node.func).rpartition(".")[2] not in ("get", "getattr")
    ]
    assert not bare


# Folders, units and packages that depend on the platform.
PLACES = ("/etc/", "/run/", "/var/lib/", "/usr/lib/")
UNITS = (DEBIAN.daemon_unit, DEBIAN.firewall_unit)
# A package with the name of a program, or of systemd, can't be distinguished from the program.
PACKAGES = {
    package
    for package in (*DEBIAN.packages.values(), *DEBIAN.plugin_packages.values())
    if package not in {*DEBIAN.packages, "systemd", "nftables"}
}
# These texts are about the peer, whose platform is not known.
ABOUT_THE_PEER = "_diagnose"
# Tables of the releases of Debian.
ABOUT_DEBIAN = "_releases"


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in SOURCES
        if path.is_relative_to(PLUGINS / "module_utils")
        and place_of(path) != "_model/platform.py"
        and room_of(path) not in (ABOUT_THE_PEER, ABOUT_DEBIAN)
    ],
    ids=place_of,
)
def test_one_file_knows_the_places_of_a_platform(path: Path) -> None:
    """Only ``_model/platform.py`` has the paths, units and packages of Debian."""
    tree = tree_of(path)
    wrong = [
        text
        for text in texts(tree)
        if any(name in text for name in (*PLACES, *UNITS)) or PACKAGES & {*text.split()}
    ]
    assert not wrong


def texts(tree: ast.Module) -> t.Iterator[str]:
    """Yield each string of the code, without docstrings."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and id(node) not in docstrings:
            yield text


def test_modules_are_alike() -> None:
    """Each module only contains documentation, and a main that runs one resource."""
    for path in (PLUGINS / "modules").glob("*.py"):
        (main,) = functions(tree_of(path))
        assert main.name == "main"
        (statement,) = main.body
        assert ast.unparse(statement).startswith("run(")


@pytest.mark.parametrize(
    "path",
    [*SOURCES, *sorted((ROOT / "tests").rglob("*.py"))],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_every_file_names_its_licence(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    head = [line for line in lines[:6] if line and not line.startswith("#!")][:3]
    assert head == [
        "# Copyright (c) the tunnelwright.ipsec authors",
        "# GNU General Public License v3.0+ "
        "(see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)",
        "# SPDX-License-Identifier: GPL-3.0-or-later",
    ]
    if path.is_relative_to(PLUGINS) and room_of(path) not in ("modules", "filter", "lookup"):
        assert lines[4] == PRIVATE_NOTE


def test_plugins_are_namespace_packages() -> None:
    assert not list(PLUGINS.rglob("__init__.py"))


def test_a_class_name_exists_once() -> None:
    """A search for a public class finds one definition."""
    places: dict[str, list[str]] = {}
    for path in SOURCES:
        if path.is_relative_to(PLUGINS / "module_utils") or room_of(path) == "plugin_utils":
            for node in ast.walk(tree_of(path)):
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    places.setdefault(node.name, []).append(place_of(path))
    shared = {name: files for name, files in places.items() if len(files) > 1}
    assert not shared
