# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Headless Chromium, for tests of the behaviour and the look of a page."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest

SHOTS = Path(__file__).resolve().parents[2] / ".cache" / "status"
# Without these options, Chromium sends requests to its vendor.
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--hide-scrollbars", "--allow-file-access-from-files"),
)


class Browser:
    """A browser with a page in a frame, because a window can't be as narrow as a phone."""

    def __init__(self, program: str, directory: Path) -> None:
        self._argv = [program, *QUIET, f"--user-data-dir={directory / 'profile'}"]
        self._directory = directory

    def run(self, page: str, script: str, width: int = 1320) -> t.Any:
        """Run a script in the loaded page and return its result."""
        told = f"document.documentElement.dataset.told = JSON.stringify((() => {{{script}}})())"
        end = "</body>"
        assert page.count(end) == 1
        framed = self._framed(page.replace(end, f"<script>{told}</script>{end}"), width, 900)
        reader = (
            "<script>onload = () => document.body.textContent = 'told:' + "
            "document.querySelector('iframe').contentDocument.documentElement.dataset.told"
            "</script>"
        )
        framed.write_text(framed.read_text(encoding="utf-8") + reader, encoding="utf-8")
        done = self._chromium("--dump-dom", str(framed))
        found = re.search(r"told:(.*?)</body>", done, re.DOTALL)
        assert found, done
        return json.loads(html.unescape(found[1]))

    def shoot(self, page: str, name: str, width: int, height: int, *, dark: bool) -> Path:
        """Take a picture of the page in a light or dark colour scheme, and return its path."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        picture = SHOTS / f"{name}.png"
        scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
        size = f"--window-size={max(width, 500)},{height}"
        framed = self._framed(page, width, height)
        self._chromium(scheme, size, f"--screenshot={picture}", str(framed))
        return picture

    def _framed(self, page: str, width: int, height: int) -> Path:
        (self._directory / "page.html").write_text(page, encoding="utf-8")
        frame = self._directory / "frame.html"
        style = f"border:0;width:{width}px;height:{height}px"
        text = f'<body style="margin:0"><iframe src="page.html" style="{style}"></iframe>'
        frame.write_text(f"<!DOCTYPE html>{text}", encoding="utf-8")
        return frame

    def _chromium(self, *arguments: str) -> str:
        argv = [*self._argv, *arguments]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(name="browser")
def _browser(tmp_path: Path) -> Browser:
    program = shutil.which("chromium")
    assert program, "install the Debian package chromium"
    return Browser(program, tmp_path)
