# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each option is read back from its strongSwan key."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import ModelError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.child import ChildSa
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.connection import (
    IkeConnection,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.options import (
    field_names,
    plain,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.settings import (
    IpsecSettings,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.connection import (
    connection_section,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.options.daemon import (
    DAEMON,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.options.phase1 import (
    PHASE1,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.options.phase2 import (
    PHASE2,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.options.table import (
    Options,
    Phase1,
    Phase2,
    Sections,
    read,
    value_at,
    write,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    PPK,
    PUBKEY,
    child,
    connection,
    settings,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.strategies import (
    gateways,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.strategies import (
    settings as random_settings,
)
from hypothesis import assume, given
from hypothesis import settings as profile
from hypothesis import strategies as st

# Rows with an option that only the record of this collection has.
UNREAD = {
    "local.certs",
    "remote.cacerts",
    "charon.i_dont_care_about_security_and_use_aggressive_mode_psk",
}


@st.composite
def connections(draw: st.DrawFn) -> IkeConnection:
    """Draw a phase 1 with any value of each option, and up to two children."""

    def any_of(*values: t.Any) -> t.Any:
        return draw(st.sampled_from(values))

    version = any_of("auto", "ikev1", "ikev2")
    options = {
        "name": "x",
        "network": "lan",
        "remote_gateway": any_of("192.0.2.2", "2001:db8::2", "gw.example.org", "%any"),
        "local_address": any_of(None, "192.0.2.1", "2001:db8::1"),
        "key_exchange": version,
        "negotiation_mode": any_of("main", "aggressive") if version == "ikev1" else "main",
        "identifier": any_of(None, "a.example", "C=CH, O=x"),
        "peer_identifier": any_of(None, "b.example", "%any", 'quo"te'),
        "connection_behavior": any_of("responder_only", "on_demand", "start"),
        "keying_tries": any_of(0, 1, 3),
        "lifetime": any_of(1, 3, 24),
        "margintime": any_of(1, 9),
        "dpd_action": any_of("clear", "hold", "restart", "none"),
        "dpd_delay": any_of(1, 30, 3600),
        "dpd_failures": any_of(1, 5, 100),
        "encryption": any_of(None, [{"algorithm": "aes-gcm", "dh_group": 31}, {}], ROUNDS),
        **(any_of(PUBKEY, {"psk": "x" * 20})),
    }
    for switch in ("force_udp_encapsulation", "rekey", "reauth", "mobike"):
        options[switch] = draw(st.booleans())
    try:
        made = IkeConnection.from_options(options)
        for number in range(draw(st.integers(0, 2))):
            made = made.with_child(ChildSa.from_options(child_options(draw, number), made.versions))
    except ModelError:
        assume(False)
    return made


ROUNDS = [{"dh_group": 20, "additional_key_exchange": [["mlkem768", "none"], "mlkem1024"]}]


def child_options(draw: st.DrawFn, number: int) -> dict[str, t.Any]:
    options = {
        "name": f"net{number}",
        "phase1": "x",
        "network": "lan",
        "protocol": draw(st.sampled_from(("esp", "ah"))),
        "lifetime": draw(st.integers(1, 3)),
        "lifetime_unit": draw(st.sampled_from(("hours", "days", "forever"))),
        "encryption": draw(st.sampled_from((None, [{"hash": "sha512"}, {"dh_group": 14}], ROUNDS))),
    }
    if draw(st.booleans()):
        return {**options, "mode": "transport"}
    local = draw(st.sampled_from(("10.1.0.0/24", "10.1.0.0/24[tcp/443]", "10.1.0.0/24[gre]")))
    return {**options, "local_network": [local], "remote_network": [f"10.2.{number}.0/24"]}


def value_of(option: str, *models: t.Any) -> t.Any:
    """Return the value of an option, with times in seconds."""
    module, _dot, name = option.partition(".")
    kinds = {
        "ipsec_phase1": IkeConnection,
        "ipsec_phase2": ChildSa,
        "ipsec_settings": IpsecSettings,
    }
    model = next(item for item in models if isinstance(item, kinds[module]))
    seconds = {"lifetime": "lifetime_seconds", "margintime": "margin_seconds"}
    return getattr(model, seconds.get(name, name))


@profile(max_examples=60, deadline=None)
@given(connections(), random_settings("lan"))
def test_each_row_of_a_phase_1_is_read_back(made: IkeConnection, options: IpsecSettings) -> None:
    model = Phase1(made, options)
    sections = Sections(write(PHASE1, model), {})
    for row in PHASE1:
        if row.when(model):
            for option, value in row.from_text(row.to_text(model), sections).items():
                assert value == value_of(option, made, options), row.key
        assert (value_at(sections.connection, row.key) is not None) == row.when(model)


@profile(max_examples=60, deadline=None)
@given(connections(), random_settings("lan"))
def test_each_row_of_a_phase_2_is_read_back(made: IkeConnection, options: IpsecSettings) -> None:
    section = write(PHASE1, Phase1(made, options))
    for item in made.children:
        model = Phase2(item, made, options)
        sections = Sections(section, write(PHASE2, model))
        for row in PHASE2:
            if row.when(model):
                for option, value in row.from_text(row.to_text(model), sections).items():
                    assert value == value_of(option, item, made, options), row.key


@profile(max_examples=50, deadline=None)
@given(gateways())
def test_each_row_of_the_daemon_is_read_back(gateway: t.Any) -> None:
    read_back = read(DAEMON, Sections({}, {}), write(DAEMON, gateway))
    for option, value in read_back.items():
        name = option.partition(".")[2]
        assert value == any(getattr(gateway.settings_of(item), name) for item in gateway.networks)
    assert {row.option for row in DAEMON if row.key not in UNREAD} == read_back.keys()


@profile(max_examples=60, deadline=None)
@given(connections(), random_settings("lan"))
def test_what_is_read_back_is_written_the_same(made: IkeConnection, options: IpsecSettings) -> None:
    section: t.Any = connection_section(made, options)
    found = read(PHASE1, Sections(section, {}), section)
    children = {}
    for name, inner in section["children"].items():
        of_child = read(PHASE2, Sections(section, inner), inner)
        children[name] = model_options("ipsec_phase2", of_child)
        found.update(of_child)
    again = IkeConnection.from_options(
        {
            # Only a child shows which end initiates.
            "connection_behavior": made.connection_behavior,
            **{key: getattr(made, key) for key in ("name", "network", "psk", *PUBKEY)},
            **model_options("ipsec_phase1", found),
        }
    )
    for name, of_child in children.items():
        same = {"name": name, "phase1": made.name, "network": made.network}
        again = again.with_child(ChildSa.from_options({**same, **of_child}, again.versions))
    settings_again = {"network": "lan", **model_options("ipsec_settings", found)}
    assert connection_section(again, IpsecSettings.from_options(settings_again)) == section


def model_options(module: str, options: Options) -> dict[str, t.Any]:
    """Return the options of one module as in a task."""
    made = {
        option.partition(".")[2]: plain_option(value)
        for option, value in options.items()
        if option.startswith(f"{module}.")
    }
    if module == "ipsec_phase2" and made.get("lifetime") == 0:
        return {**made, "lifetime": 1, "lifetime_unit": "forever"}
    units = {f"{name}_unit": "seconds" for name in ("lifetime", "margintime") if name in made}
    return {**made, **units}


def plain_option(value: t.Any) -> t.Any:
    if isinstance(value, tuple) and value and hasattr(value[0], "dh_group"):
        return [{key: getattr(item, key) for key in field_names(type(item))} for item in value]
    return plain(value)


def test_every_row_is_read_back_from_some_model() -> None:
    """Every row returns its option for some model.

    A row that returns nothing also passes the laws above.
    """
    seen: dict[str, Options] = {}
    aggressive = {
        "key_exchange": "ikev1",
        "negotiation_mode": "aggressive",
        "identifier": "a.example",
    }
    for options in (aggressive, PUBKEY, {"peer_identifier": "b.example"}, PPK, {"mobike": True}):
        for protocol in ("esp", "ah"):
            made = connection(child(protocol=protocol), **options)
            section: t.Any = connection_section(made, settings())
            inner = section["children"]["net"]
            for table, place in ((PHASE1, section), (PHASE2, inner)):
                for row in t.cast(t.Any, table):
                    text = value_at(place, row.key)
                    if text is not None:
                        key = f"{row.option} {row.key}"
                        seen.setdefault(key, {}).update(
                            row.from_text(text, Sections(section, inner))
                        )
    rows = [*PHASE1, *PHASE2]
    unread = {row.key for row in rows if row.option not in seen[f"{row.option} {row.key}"]}
    assert unread == UNREAD & {row.key for row in rows}


CHANGES = [
    {"key_exchange": "ikev1"},
    {"local_address": "192.0.2.1"},
    {"remote_gateway": "192.0.2.3"},
    {"encryption": [{"key_length": 128}]},
    {"lifetime": 5},
    {"margintime": 10},
    {"rekey": False},
    {"reauth": True},
    {"mobike": True},
    {"force_udp_encapsulation": True},
    {"keying_tries": 9},
    {"identifier": "b.example"},
    {"peer_identifier": "c.example"},
    {"connection_behavior": "responder_only"},
    {"dpd_action": "none"},
    {"dpd_action": "hold"},
    {"dpd_delay": 7},
    {"dpd_failures": 9},
]
CHANGES_OF_CHILD = [
    {"local_network": ["10.7.0.0/24"]},
    {"remote_network": ["10.7.0.0/24"]},
    {"encryption": [{"key_length": 128}]},
    {"lifetime": 9},
    {"lifetime_unit": "forever"},
    {"protocol": "ah"},
]
BASES = [
    {},
    {"key_exchange": "auto"},
    {"reauth": True},
    {"rekey": False},
    {"connection_behavior": "responder_only"},
]


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize(
    ("module", "change"),
    [
        *(("ipsec_phase1", change) for change in CHANGES),
        *(("ipsec_phase2", change) for change in CHANGES_OF_CHILD),
        *(("ipsec_settings", change) for change in ({"unique_ids": "no"}, {"ipcomp": True})),
    ],
)
def test_a_key_depends_on_the_options_of_its_row_alone(
    base: dict[str, t.Any], module: str, change: dict[str, t.Any]
) -> None:
    changes: dict[str, dict[str, t.Any]] = {"ipsec_phase1": {}, "ipsec_phase2": {}, module: change}
    before = written(connection(child(), **base), settings())
    after = written(
        connection(child(**changes["ipsec_phase2"]), **{**base, **changes["ipsec_phase1"]}),
        settings(**(change if module == "ipsec_settings" else {})),
    )
    (option,) = change
    option = option.removesuffix("_unit")
    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    rows = {row.key: row for row in PHASE1}
    rows_of_child = {f"child.{row.key}": row for row in PHASE2}
    for key in changed:
        row: t.Any = {**rows, **rows_of_child}[key]
        assert f"{module}.{option}" in {row.option, *row.also}, key


def written(made: IkeConnection, options: IpsecSettings) -> dict[str, t.Any]:
    """Return the text of each key of a phase 1 and its only phase 2."""
    section: t.Any = connection_section(made, options)
    inner = section["children"]["net"]
    return {
        **{row.key: value_at(section, row.key) for row in PHASE1},
        **{f"child.{row.key}": value_at(inner, row.key) for row in PHASE2},
    }


@pytest.mark.parametrize(
    ("table", "section", "found"),
    [
        (PHASE1, {"version": "2", "mobike": "ENABLED"}, {"key_exchange": "ikev2", "mobike": True}),
        (
            PHASE1,
            {"encap": "0", "aggressive": "true"},
            {"force_udp_encapsulation": False, "negotiation_mode": "aggressive"},
        ),
        (
            PHASE1,
            {"local_addrs": ("%any",), "remote_addrs": "a.example"},
            {"local_address": None, "remote_gateway": "a.example"},
        ),
        (PHASE1, {"rekey_time": "3h", "over_time": "10m"}, {"lifetime": 11400, "margintime": 600}),
        (PHASE1, {"dpd_delay": "1m", "dpd_timeout": "360"}, {"dpd_delay": 60, "dpd_failures": 5}),
        (PHASE1, {"dpd_delay": "0"}, {"dpd_action": "none"}),
        (
            PHASE1,
            {"remote_addrs": ("192.0.2.2",), "remote": {"id": "192.0.2.2"}},
            {"remote_gateway": "192.0.2.2"},
        ),
        (PHASE2, {"start_action": "route"}, {"connection_behavior": "on_demand"}),
        (PHASE2, {"start_action": "start|trap"}, {"connection_behavior": "start"}),
    ],
)
def test_texts_that_others_may_write(table: t.Any, section: t.Any, found: t.Any) -> None:
    options = read(table, Sections(section, section), section)
    names = {option.partition(".")[2]: value for option, value in options.items()}
    assert {key: names.get(key) for key in found} == found


@pytest.mark.parametrize(
    ("table", "section", "option"),
    [
        (PHASE1, {"version": "3"}, "ipsec_phase1.key_exchange"),
        (PHASE1, {"mobike": "perhaps"}, "ipsec_phase1.mobike"),
        (PHASE1, {"unique": "keep"}, "ipsec_settings.unique_ids"),
        (PHASE1, {"remote_addrs": ("a.example", "b.example")}, "ipsec_phase1.remote_gateway"),
        (PHASE1, {"rekey_time": "010", "reauth_time": "0"}, "ipsec_phase1.rekey_time"),
        (PHASE1, {"keyingtries": "-1"}, "ipsec_phase1.keying_tries"),
        (PHASE1, {"dpd_delay": "30", "dpd_timeout": "100"}, "ipsec_phase1.dpd_failures"),
        (PHASE1, {"remote": {"auth": "eap-tls"}}, "ipsec_phase1.authentication"),
        (PHASE2, {"mode": "beet"}, "ipsec_phase2.mode"),
        (PHASE2, {"local_ts": ("dynamic",)}, "ipsec_phase2.local_network"),
        (PHASE2, {"start_action": "hold"}, "ipsec_phase1.connection_behavior"),
        (PHASE2, {"life_time": "1w"}, "ipsec_phase2.lifetime"),
    ],
)
def test_texts_that_no_option_becomes_are_refused(
    table: t.Any, section: t.Any, option: str
) -> None:
    with pytest.raises(ModelError) as raised:
        read(table, Sections(section, section), section)
    assert raised.value.option == option
