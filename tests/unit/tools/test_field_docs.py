# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._module import spec
from ansible_collections.tunnelwright.ipsec.tests.kernel import fields, test_mutations
from ansible_collections.tunnelwright.ipsec.tools import field_docs

SPECS = {
    "vpn_network": spec.VPN_NETWORK,
    "ipsec_settings": spec.IPSEC_SETTINGS,
    "ipsec_phase1": spec.IPSEC_PHASE1,
    "ipsec_phase2": spec.IPSEC_PHASE2,
}
# The option that only names the network of the settings.
WHOSE = {"ipsec_settings.network"}
# Tests that no virtual machine has run yet. The page names no release for their rows.
UNSEEN = {"test_ppks", "test_rounds", "test_quantum_safe"}


def test_the_page_is_up_to_date() -> None:
    assert field_docs.PAGE.read_text(encoding="utf-8") == field_docs.page()


def test_the_table_of_options_and_the_tests_name_the_same_keys() -> None:
    texts = field_docs.texts()
    rows = {(row.field, row.value): row.becomes for row in field_docs.rows()}
    assert texts.keys() <= rows.keys()
    assert [field for field, text in texts.items() if rows[field] not in text] == []


def test_each_option_with_keys_is_proven_by_one_of_them() -> None:
    """At least one row about an option names a key of this option."""
    words = {}
    for row in field_docs.rows():
        words.setdefault(row.field, []).append(row.becomes)
    options = {row.option for table in field_docs.TABLES.values() for row in table}
    for option in options:
        keys = {
            row.key.rpartition(".")[2]
            for table in field_docs.TABLES.values()
            for row in table
            if row.option == option
        }
        assert any(key in text for key in keys for text in words[option]), option


def test_every_value_was_seen_on_both_releases() -> None:
    outcomes = fields.read(fields.SEEN)
    both = [*fields.RELEASES.values()]
    wanted = {test: [] if test in UNSEEN else both for test in field_docs.rows().values()}
    # Forky moves, and some values do not exist there.
    seen = {
        test: [item for item in fields.releases(outcomes, test) if item != fields.MOVING]
        for test in wanted
    }
    assert seen == wanted


def test_one_outcome_of_a_kind_is_not_enough() -> None:
    outcomes = {
        "test_x[one-a]": fields.Outcome("a", passed=True),
        "test_x[two-a]": fields.Outcome("a", passed=False),
        "test_x[one-b]": fields.Outcome("b", passed=True),
        "test_y": fields.Outcome("", passed=True),
    }
    assert fields.releases(outcomes, "test_x") == ["6.0.1"]
    assert fields.releases(outcomes, "test_y") == ["5.9.8", "6.0.1"]
    assert fields.releases(outcomes, "test_z") == []


def test_outcomes_with_forky_in_the_place_of_an_end() -> None:
    outcomes = {
        "test_x[a]": fields.Outcome("a", passed=False),
        "test_x[a] on forky": fields.Outcome("a", passed=True),
        "test_x[b] on forky": fields.Outcome("b", passed=True),
        "test_y on forky": fields.Outcome("", passed=True),
        "test_z on forky": fields.Outcome("", passed=False),
    }
    assert fields.releases(outcomes, "test_x") == ["6.0.1", "forky"]
    assert fields.releases(outcomes, "test_y") == ["6.0.1", "forky"]
    assert fields.releases(outcomes, "test_z") == []


@pytest.mark.parametrize("module", SPECS)
def test_every_value_of_every_option_is_proven(module: str) -> None:
    proven = {(row.field, row.value) for row in field_docs.rows()}
    fields = {field for field, _value in proven}
    wanted: set[tuple[str, str]] = set()
    for name, option in SPECS[module].argument_spec.items():
        field = f"{module}.{name}"
        values = option.get("choices", ())
        if option.get("type") == "bool":
            values = ("true", "false")
        wanted |= {(field, str(value)) for value in values}
        assert field in fields | WHOSE, f"no test proves {field}"
    assert wanted <= proven
    unknown = {field for field in fields if field.startswith(f"{module}.")}
    assert unknown <= {f"{module}.{name}" for name in SPECS[module].argument_spec}


@pytest.mark.parametrize("mutation", test_mutations.MUTATIONS, ids=lambda item: item.label)
def test_each_mutation_finds_its_text(mutation: test_mutations.Mutation) -> None:
    files = (field_docs.ROOT / "plugins/module_utils").glob(mutation.file)
    assert any(mutation.old in file.read_text(encoding="utf-8") for file in files)
