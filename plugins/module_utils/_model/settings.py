# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The IPsec settings of a network."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._errors import ModelError
from . import checks
from .options import Options, field_values, option_values
from .secret import MASK
from .subject import settings_subject

MODES = ("normal", "advanced")
UNIQUE_IDS = ("yes", "no", "never")
STRICT_CRL = ("yes", "ifuri", "no")

CONF_TEXTS = ("swanctl_conf", "strongswan_conf")

# The TCP MSS in bytes: the least that IPv4 hosts must accept (RFC 9293 section 3.7.1), and the
# greatest that fits a packet of 65535 bytes with IPv4 and TCP headers.
LEAST_MSS, GREATEST_MSS = 536, 65495


@dataclass(frozen=True)
class IpsecSettings:
    """The checked options of one ``ipsec_settings``; the defaults if the module never ran.

    ``repr`` leaves out ``swanctl_conf`` and ``strongswan_conf``, because they may hold secrets.
    """

    network: str
    configuration_mode: str = "normal"
    unique_ids: str = "yes"
    ipcomp: bool = False
    exclude_my_network: bool = True
    cisco_extensions: bool = False
    unencrypted_main_mode: bool = False
    mss_clamp: int = 0
    strict_crl: str = "no"
    make_before_break: bool = False
    swanctl_conf: str | None = field(default=None, repr=False)
    strongswan_conf: str | None = field(default=None, repr=False)

    @classmethod
    def from_options(cls, options: Options) -> IpsecSettings:
        """Return the object of checked options. Raise ModelError naming object and option."""
        name = checks.network_name("network", options.get("network"))
        try:
            settings = cls(**field_values(cls, options, _CONVERT))
            _check_mode(settings)
            return settings
        except ModelError as error:
            raise error.within(settings_subject(name)) from None

    @property
    def subject(self) -> str:
        """Return how errors and warnings name the IPsec settings."""
        return settings_subject(self.network)

    def to_options(self) -> dict[str, t.Any]:
        """Return every option except the conf texts, which have own files and may hold secrets."""
        return option_values(self, without=CONF_TEXTS)


def _check_mode(settings: IpsecSettings) -> None:
    for option in CONF_TEXTS:
        if getattr(settings, option) and settings.configuration_mode != "advanced":
            raise ModelError(
                option,
                MASK,
                "has no effect with configuration_mode normal",
                f"Remove {option}, or set configuration_mode to advanced.",
            )


def _mss(option: str, value: object) -> int:
    if value == 0 and not isinstance(value, bool):
        return 0
    try:
        return checks.number(option, value, LEAST_MSS, GREATEST_MSS)
    except ModelError as error:
        fix = f"Use 0 to switch it off, or {LEAST_MSS} to {GREATEST_MSS}."
        raise ModelError(option, value, error.problem, fix) from None


_CONVERT: dict[str, t.Callable[[str, t.Any], t.Any]] = {
    "configuration_mode": checks.choice(MODES),
    "unique_ids": checks.choice(UNIQUE_IDS),
    "mss_clamp": _mss,
    "strict_crl": checks.choice(STRICT_CRL),
}
