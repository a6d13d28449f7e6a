# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation of the filter ipsec_mismatches agrees with the results of the filter."""

from __future__ import annotations

import typing as t

import pytest
import yaml
from ansible_collections.tunnelwright.ipsec.plugins.filter import ipsec_mismatches as plugin
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._compare.causes import CAUSES
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._compare.mismatch_kind import (
    SEVERITIES,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.ends import (
    Compared,
    local,
    remote,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import PSK
from jinja2.nativetypes import NativeEnvironment

PFS = {"encryption": [{"algorithm": "aes", "key_length": 256, "hash": "sha256"}]}


@pytest.fixture(name="returned", scope="module")
def _returned() -> t.Any:
    return yaml.safe_load(plugin.RETURN)["_value"]["contains"]


def test_every_cause_is_documented(returned):
    assert returned["findings"]["contains"]["code"]["choices"] == list(CAUSES)
    assert returned["findings"]["contains"]["severity"]["choices"] == list(SEVERITIES)


def test_every_returned_value_is_documented(returned):
    result = Compared(local({}), remote({}, psk=None)).result
    documented(result, returned)


def documented(value, document):
    assert set(value) == set(document)
    for key, item in value.items():
        entry = document[key]
        assert "sample" in entry or "contains" in entry, key
        if entry["type"] == "list" and "contains" in entry:
            for one in item:
                documented(one, entry["contains"])


def test_samples_are_of_one_story(returned):
    """The samples of finding and verdict come from two hosts of which only one has PFS."""
    result = Compared(local({}, name="site-b"), remote({**PFS, "name": "net"})).result
    shown = {key: item["sample"] for key, item in returned["findings"]["contains"].items()}
    found = next(item for item in result["findings"] if item["code"] == shown["code"])
    assert found == shown
    call = returned["negotiated"]["contains"]
    child = call["phase2"]["contains"]
    fitting = Compared(local({}), remote({"name": "net"})).result["negotiated"][0]
    assert fitting["phase2"] == [{key: item["sample"] for key, item in child.items()}]
    samples = {key: item["sample"] for key, item in call.items() if key != "phase2"}
    assert {**fitting, "phase2": None} == {**samples, "phase2": None}
    assert result["verdict"] == returned["verdict"]["sample"]


def example(number: int) -> dict[str, t.Any]:
    """Return the variables of the example with this number."""
    task = yaml.safe_load(plugin.EXAMPLES)[number]
    return {"vault_psk": PSK, **task["vars"]}


def test_the_sheet_of_the_example_is_compared():
    given = example(1)
    given["ours"]["psk"] = PSK
    result = Compared(given["ours"], given["theirs"])
    assert result.verdict == "degraded"
    assert result.codes == {"pfs_mismatch", "selectors_narrowed"}


def test_hosts_of_the_example_are_compared():
    expression = example(0)["result"]
    hosts = {
        "gw-a": {"inventory_hostname": "gw-a", "gateway_phase1": [local({})]},
        "gw-b": {"inventory_hostname": "gw-b", "gateway_phase1": [remote({})]},
    }
    environment = NativeEnvironment()
    environment.filters["tunnelwright.ipsec.ipsec_mismatches"] = plugin.ipsec_mismatches
    assert environment.from_string(expression).render(hostvars=hosts)["verdict"] == "up"


def test_it_is_a_filter():
    assert plugin.FilterModule().filters() == {"ipsec_mismatches": plugin.ipsec_mismatches}
    document = yaml.safe_load(plugin.DOCUMENTATION)
    assert document["name"] == "ipsec_mismatches"
    assert set(document["options"]) == {"_input", "remote"}
