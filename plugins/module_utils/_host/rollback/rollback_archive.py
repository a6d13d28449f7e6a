# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The program of the rollback as one file, which runs on the host without a controller.

It holds the code of the version that made the checkpoint.
"""

from __future__ import annotations

import io
import sys
import typing as t
import zipfile
from types import ModuleType

from ..._errors import HostError

# The package above the rooms, here and in the program.
_COLLECTION = __name__.rpartition("._host.")[0]
_PACKAGE = "tunnelwright"
# The room of the Ansible side is not needed.
_ROOMS = ("_errors", "_model", "_render", "_plan", "_host")


def program(main: ModuleType) -> bytes:
    """Return a zip file for Python with every loaded module of the collection, and vici.

    It runs the function ``main`` of the module with the arguments of the command line.
    """
    sources = {f"vici{rest}": source for rest, source in _sources("vici")}
    for rest, source in _sources(_COLLECTION):
        if rest.partition(".")[2].partition(".")[0] in _ROOMS:
            sources[f"{_PACKAGE}{rest}"] = source
    packages = {name.rpartition(".")[0] for name in sources} - {""}
    files = {"__main__.py": _entry(main)}
    for name in (_PACKAGE, *sources, *packages):
        folder = name.replace(".", "/")
        path = f"{folder}/__init__.py" if name in packages else f"{folder}.py"
        files[path] = sources.get(name, "")
    return _zip(files)


def _zip(files: t.Mapping[str, str]) -> bytes:
    """Return a zip file without dates, so that the same files give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(files):
            archive.writestr(zipfile.ZipInfo(path), files[path], zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _entry(main: ModuleType) -> str:
    name = f"{_PACKAGE}{main.__name__[len(_COLLECTION) :]}"
    return f"import sys\n\nfrom {name} import main\n\nsys.exit(main(sys.argv))\n"


def _sources(package: str) -> t.Iterator[tuple[str, str]]:
    """Yield the rest of the name after the package, and the source, of each loaded module."""
    for name, module in sorted(sys.modules.items()):
        if name == package or name.startswith(f"{package}."):
            source = _source(name, module)
            if source is not None:
                yield name[len(package) :], source


def _source(name: str, module: t.Any) -> str | None:
    """Return the source of a module, or None for a namespace package."""
    if getattr(module, "__file__", None) is None:
        return None
    try:
        return str(module.__loader__.get_source(name))
    except (AttributeError, ImportError, OSError) as error:
        raise HostError("build the rollback program", f"{name}: {error}") from None
