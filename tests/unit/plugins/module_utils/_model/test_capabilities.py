# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.capabilities import (
    Capabilities,
    derivable,
)


@pytest.mark.parametrize(
    ("version", "release"),
    [("6.1.0", (6, 1, 0)), ("5.9.8", (5, 9, 8)), ("6.1.0rc1", (6, 1, 0)), ("", ()), ("dr", ())],
)
def test_release(version: str, release: tuple[int, ...]) -> None:
    assert Capabilities(version).release == release


def test_an_unknown_daemon_refuses_nothing() -> None:
    unknown = Capabilities()
    assert not unknown.known
    assert unknown.ikev1


def test_key_exchanges() -> None:
    assert Capabilities("6.1.0", algorithms={"ke": frozenset({"ML_KEM_768"})}).key_exchanges == {
        "ML_KEM_768"
    }


class TestKeyDerivation:
    """The plugin aesni of Debian 13 lists functions with which only the plugin kdf derives keys."""

    FUNCTIONS: t.ClassVar[t.Any] = {"prf": frozenset({"PRF_HMAC_SHA1", "PRF_AES128_XCBC"})}

    def test_without_kdf(self) -> None:
        found = derivable(self.FUNCTIONS, lambda: {"aesni", "openssl"})
        assert found == {"prf": {"PRF_HMAC_SHA1"}}

    def test_with_kdf(self) -> None:
        assert derivable(self.FUNCTIONS, lambda: {"kdf", "xcbc"}) == self.FUNCTIONS

    def test_plugins_are_asked_only_for_these_functions(self) -> None:
        def plugins() -> frozenset[str]:
            raise AssertionError

        hmac = {"prf": frozenset({"PRF_HMAC_SHA1"}), "ke": frozenset({"MODP_2048"})}
        assert derivable(hmac, plugins) == hmac
        assert derivable({}, plugins) == {}
