# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The keys of ``children.<phase 2>``, and the options of ``ipsec_phase2`` that become them.

Some options of ``ipsec_phase1`` and ``ipsec_settings`` are keys of each child.
"""

from __future__ import annotations

import ipaddress
import typing as t

from ..._model.connection import BEHAVIORS
from ..._model.proposal import Use
from ..._model.selector import TrafficSelector
from ..strongswan.section import Value
from .table import (
    Options,
    Phase2,
    Sections,
    Setting,
    items,
    keywords,
    meaning,
    number,
    proposals,
    switch,
    unreadable,
)

# A pure `start` is never tried again after a reject or a delete by the peer. The trap heals that.
# `close_action = start` would too. But with `unique = replace` on both sides, two SAs that meet
# replace each other without end.
_START_ACTION = {"responder_only": "none", "on_demand": "trap", "start": "trap|start"}
# All words that vici accepts, several of them joined by `|`.
_START_ACTIONS = {
    **{"none": "responder_only", "clear": "responder_only"},
    **{"trap": "on_demand", "route": "on_demand"},
    **{"start": "start", "restart": "start"},
}
_DPD_ACTION = {"clear": "clear", "hold": "trap", "restart": "restart", "none": "clear"}
# Modes of children that have no peer: traffic passes or is dropped.
SHUNTS = ("pass", "drop")
# The meaning of each text; `clear` may stand for other values too, see ``_dpd_action``.
_DPD_ACTIONS = {"clear": "clear", "none": "clear", "trap": "hold", "restart": "restart"}


def _mode(text: Value, _sections: Sections) -> Options:
    option = "ipsec_phase2.mode"
    return {option: meaning(option, text, {"tunnel": "tunnel", "transport": "transport"})}


def selector(option: str, text: str) -> TrafficSelector:
    """Return a traffic selector of charon, which drops host bits. Raises ModelError.

    No option holds ``dynamic`` or a range of addresses.
    """
    address, bracket, service = text.partition("[")
    try:
        network = ipaddress.ip_network(address, strict=False)
    except ValueError:
        raise unreadable(option, text, "Use networks in CIDR form.") from None
    return TrafficSelector.parse(option, f"{network}{bracket}{service}")


def _selectors(option: str) -> t.Callable[[Value, Sections], Options]:
    return lambda text, _sections: {option: tuple(selector(option, item) for item in items(text))}


def _life_time(text: Value, _sections: Sections) -> Options:
    """Return the lifetime in seconds, 0 for forever."""
    return {"ipsec_phase2.lifetime": number("ipsec_phase2.lifetime", text)}


def _life_time_text(model: Phase2) -> str:
    return str(model.child.lifetime_seconds)


def _is_rekeyed(model: Phase2) -> bool:
    return model.connection.rekey and model.child.lifetime_seconds != 0


# All three times are written always: a rekey_time of 0 with charon's default rand_time rekeys
# without end.
def _rekey_time(model: Phase2) -> str:
    renewal = model.child.lifetime_seconds - model.connection.margin_seconds
    return str(renewal) if _is_rekeyed(model) else "0"


def _rand_time(model: Phase2) -> str:
    return str(model.connection.margin_seconds) if _is_rekeyed(model) else "0"


def _rekey(text: Value, sections: Sections) -> Options:
    if sections.child.get("life_time", "0") == "0":
        return {}
    return {"ipsec_phase1.rekey": number("ipsec_phase1.rekey", text) != 0}


def _margintime(text: Value, _sections: Sections) -> Options:
    seconds = number("ipsec_phase1.margintime", text)
    return {"ipsec_phase1.margintime": seconds} if seconds else {}


def _connection_behavior(text: Value, _sections: Sections) -> Options:
    option = "ipsec_phase1.connection_behavior"
    words = str(text).split("|")
    behaviors = [meaning(option, word.strip(), _START_ACTIONS) for word in words]
    return {option: max(behaviors, key=BEHAVIORS.index)}


def _dpd_action_text(model: Phase2) -> str:
    if model.connection.connection_behavior == "responder_only":
        # Restarting or trapping would make an initiator of it.
        return "clear"
    return _DPD_ACTION[model.connection.dpd_action]


def _dpd_action(text: Value, sections: Sections) -> Options:
    option = "ipsec_phase1.dpd_action"
    action = meaning(option, text, _DPD_ACTIONS)
    if sections.connection.get("dpd_delay", "0") == "0":
        # DPD is off, which the row of dpd_delay reads.
        return {}
    start_action = str(sections.child.get("start_action", "none"))
    is_responder = _START_ACTIONS.get(start_action) == "responder_only"
    return {} if is_responder and action == "clear" else {option: action}


# In the order in which the keys are written.
PHASE2: tuple[Setting[Phase2], ...] = (
    Setting(
        "ipsec_phase2.mode",
        "mode",
        lambda x: x.child.mode,
        _mode,
        texts={"tunnel": "tunnel", "transport": "transport"},
    ),
    # Without a selector, charon takes `dynamic`, the addresses of the two peers.
    Setting(
        "ipsec_phase2.local_network",
        "local_ts",
        lambda x: tuple(item.by_number for item in x.child.local_network),
        _selectors("ipsec_phase2.local_network"),
        lambda x: bool(x.child.local_network),
    ),
    Setting(
        "ipsec_phase2.remote_network",
        "remote_ts",
        lambda x: tuple(item.by_number for item in x.child.remote_network),
        _selectors("ipsec_phase2.remote_network"),
        lambda x: bool(x.child.remote_network),
    ),
    Setting(
        "ipsec_phase2.encryption",
        "esp_proposals",
        lambda x: keywords(x.child.encryption),
        proposals("ipsec_phase2.encryption", Use.ESP),
        lambda x: x.child.protocol == "esp",
        also=("ipsec_phase2.protocol",),
    ),
    Setting(
        "ipsec_phase2.encryption",
        "ah_proposals",
        lambda x: keywords(x.child.encryption),
        proposals("ipsec_phase2.encryption", Use.AH),
        lambda x: x.child.protocol == "ah",
        also=("ipsec_phase2.protocol",),
    ),
    Setting("ipsec_phase2.lifetime", "life_time", _life_time_text, _life_time),
    Setting(
        "ipsec_phase1.rekey",
        "rekey_time",
        _rekey_time,
        _rekey,
        also=("ipsec_phase1.margintime", "ipsec_phase2.lifetime"),
    ),
    Setting(
        "ipsec_phase1.margintime",
        "rand_time",
        _rand_time,
        _margintime,
        also=("ipsec_phase1.rekey", "ipsec_phase2.lifetime"),
    ),
    Setting(
        "ipsec_phase1.connection_behavior",
        "start_action",
        lambda x: _START_ACTION[x.connection.connection_behavior],
        _connection_behavior,
        texts=_START_ACTION,
    ),
    Setting(
        "ipsec_phase1.dpd_action",
        "dpd_action",
        _dpd_action_text,
        _dpd_action,
        # `none` becomes dpd_delay = 0.
        texts={value: text for value, text in _DPD_ACTION.items() if value != "none"},
        also=("ipsec_phase1.connection_behavior",),
    ),
    switch("ipsec_settings.ipcomp", "ipcomp", lambda x: x.settings.ipcomp),
)
