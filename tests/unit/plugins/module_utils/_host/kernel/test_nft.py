# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import HostError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.kernel.nft import (
    BaseChain,
    Nft,
    normalised,
    rules_in,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.scripted_run import (
    ScriptedRun,
)

LIST = "nft -s -t -j list table inet"
TABLES = "nft list tables"
TRY = "unshare --net sh -c nft -f - && nft -s -j list ruleset"
BOTH = (
    'sh -c nft list tables & listed=$(nft -s -p list table inet "$1" 2>/dev/null); '
    'wait $! && printf "%s\\n" "$listed"'
)
ONE = 'listed=$(nft -s -p list table inet "$1") && printf "%s\\n" "$listed"'
METAINFO = {"metainfo": {"version": "1.0.6", "json_schema_version": 1}}


# Of Debian 12, 13 and testing.
VERSIONS = {
    "1.0.6": "nftables v1.0.6 (Lester Gooch #5)",
    "1.1.3": "nftables v1.1.3 (Commodore Bullmoose #4)",
    "1.1.7": "nftables v1.1.7 (Commodore Bullmoose #8)",
}
BUILD = "\n  cli:\t\teditline\n  json:\t\t{}\n  minigmp:\tno\n  libxtables:\tyes\n"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("said", "json"), [("yes", True), ("no", False)])
def test_features(run: ScriptedRun, version: str, said: str, json: bool) -> None:
    run.expect("nft -V", VERSIONS[version] + BUILD.format(said))
    assert Nft(run).features() == {"version": version, "json": json}


def test_unknown_features(run: ScriptedRun) -> None:
    run.expect("nft -V", "something else\n")
    with pytest.raises(HostError, match="version of nft"):
        Nft(run).features()


def table(name: str, family: str = "inet") -> dict[str, t.Any]:
    return {"table": {"family": family, "name": name, "handle": 4}}


def chain(name: str, of: str = "fw", **base: t.Any) -> dict[str, t.Any]:
    hook = {"type": "filter", "hook": "input", "prio": 0, "policy": "accept", **base}
    return {"chain": {"family": "inet", "table": of, "name": name, "handle": 7, **hook}}


def regular(name: str) -> dict[str, t.Any]:
    return {"chain": {"family": "inet", "table": "fw", "name": name, "handle": 8}}


def rule(of: str, *expr: t.Any, comment: str = "", in_table: str = "fw") -> dict[str, t.Any]:
    item = {"family": "inet", "table": in_table, "chain": of, "handle": 9, "expr": list(expr)}
    return {"rule": {**item, "comment": comment} if comment else item}


def listing(*entries: dict[str, t.Any]) -> dict[str, t.Any]:
    return {"nftables": [METAINFO, *entries]}


def without_handle(entry: dict[str, t.Any]) -> dict[str, t.Any]:
    return {
        kind: {key: value for key, value in item.items() if key != "handle"}
        for kind, item in entry.items()
    }


COUNTER = {"counter": {"packets": 3, "bytes": 90}}
ACCEPT: dict[str, t.Any] = {"accept": None}
DROP: dict[str, t.Any] = {"drop": None}


def test_handles_versions_and_counts_are_no_difference() -> None:
    old = listing(table("x"), rule("c", COUNTER, ACCEPT))
    new = {
        "nftables": [
            {"metainfo": {"version": "1.1.3"}},
            {"table": {"family": "inet", "name": "x", "handle": 55}},
            rule("c", {"counter": None}, ACCEPT),
        ]
    }
    assert normalised(old) == normalised(new)


@pytest.mark.parametrize(
    "other",
    [
        rule("c", ACCEPT),
        rule("c", DROP, COUNTER),
        rule("c", COUNTER, ACCEPT, comment="x"),
        rule("d", COUNTER, ACCEPT),
    ],
)
def test_everything_else_is_a_difference(other: dict[str, t.Any]) -> None:
    assert normalised(listing(rule("c", COUNTER, ACCEPT))) != normalised(listing(other))


@pytest.mark.parametrize("output", ["no json", "[]", '{"nftables": 5}', "{}", '{"nftables": [5]}'])
def test_output_that_is_not_understood_is_an_error(run: ScriptedRun, output: str) -> None:
    run.expect(TABLES, "table inet fw\n")
    run.expect(f"{LIST} fw", output)
    with pytest.raises(HostError):
        Nft(run).foreign_chains()


@pytest.mark.parametrize("output", ["no table\n", "table inet\n", "table inet fw {\n"])
def test_names_that_are_not_understood_are_an_error(run: ScriptedRun, output: str) -> None:
    run.expect(TABLES, output)
    with pytest.raises(HostError, match="unknown form"):
        Nft(run).foreign_chains()


def test_table(run: ScriptedRun) -> None:
    names = "table inet other\ntable inet mine\ntable ip mine\n"
    run.expect(f"{BOTH} sh mine", f"{names}table inet mine {{\n}}\n")
    nft = Nft(run)
    assert nft.table("mine") == "table inet mine {\n}\n"
    assert nft.tables() == (("inet", "other"), ("inet", "mine"), ("ip", "mine"))


def test_a_table_that_can_not_be_listed(run: ScriptedRun) -> None:
    run.expect(f"{BOTH} sh mine", "table inet mine\n\n")
    with pytest.raises(HostError, match="does not list table"):
        Nft(run).table("mine")


def test_rules_of_others_are_listed_once_until_they_may_have_changed(run: ScriptedRun) -> None:
    nft = Nft(run)
    run.expect(f"{BOTH} sh other", "table inet fw\ntable inet tunnelwright-lan\n")
    run.expect(f"{LIST} fw", listing(table("fw")))
    assert nft.table("other") == ""
    assert nft.own_rules_by_chain("x") == {}
    assert nft.foreign_chains() == ()
    nft.forget()
    run.expect(TABLES, "table ip fw\n")
    run.expect("nft -s -t -j list table ip fw", listing(table("fw", "ip"), chain("input")))
    assert nft.own_rules_by_chain("x") == {}
    assert [item.chain for item in nft.foreign_chains()] == ["input"]


def test_no_table(run: ScriptedRun) -> None:
    run.expect(f"{BOTH} sh mine", "table inet mine-2\ntable ip mine\n")
    assert Nft(run).table("mine") == ""


def test_the_error_names_what_was_tried_and_what_nft_said(run: ScriptedRun) -> None:
    run.expect(f"{BOTH} sh mine", status=1, errors="Operation not permitted\n")
    with pytest.raises(HostError) as raised:
        Nft(run).table("mine")
    assert str(raised.value) == "could not list the nftables rules: Operation not permitted."


def test_expected_text_comes_by_standard_input(run: ScriptedRun) -> None:
    run.expect(TRY, listing(table("x")))
    assert Nft(run).expected("$(reboot) table") == (without_handle(table("x")),)
    assert run.stdin == ["$(reboot) table"]


def test_of_one_table_it_is_a_text(run: ScriptedRun) -> None:
    run.expect(f"unshare --net sh -c nft -f - && {ONE} sh x", "table inet x {\n}\n")
    assert Nft(run).expected_table("$(reboot) table", "x") == "table inet x {\n}\n"
    assert run.stdin == ["$(reboot) table"]


def test_text_that_is_refused(run: ScriptedRun) -> None:
    run.expect(TRY, status=1, errors="".join(f"line {number}\n" for number in range(20)))
    with pytest.raises(HostError) as raised:
        Nft(run).expected("nonsense")
    assert raised.value.detail == "line 17; line 18; line 19"


def test_silent_failure_has_its_exit_status(run: ScriptedRun) -> None:
    run.expect(TRY, status=3)
    with pytest.raises(HostError, match="exit status 3"):
        Nft(run).expected("")


def test_hooked_rules_are_those_with_the_prefix(run: ScriptedRun) -> None:
    ours = [
        rule("input", DROP, comment="tunnelwright-lan: AH"),
        rule("forward", ACCEPT, comment="tunnelwright-lan: a/b"),
        rule("input", ACCEPT, comment="tunnelwright-lan: IKE"),
    ]
    others = [
        rule("input", ACCEPT),
        rule("input", ACCEPT, comment="tunnelwright-lan-2: IKE"),
        rule("input", ACCEPT, comment="not tunnelwright-lan: IKE"),
    ]
    run.expect(TABLES, "table inet fw\n")
    run.expect(f"{LIST} fw", listing(table("fw"), *others, *ours))
    assert Nft(run).own_rules_by_chain("tunnelwright-lan: ") == {
        "inet fw input": (without_handle(ours[0]), without_handle(ours[2])),
        "inet fw forward": (without_handle(ours[1]),),
    }


def foreign(run: ScriptedRun, *entries: dict[str, t.Any]) -> tuple[BaseChain, ...]:
    run.expect(TABLES, "table inet fw\ntable inet tunnelwright-lan\n")
    run.expect(f"{LIST} fw", listing(table("fw"), *entries))
    return Nft(run).foreign_chains()


def test_tables_of_ours_and_regular_chains_are_not_foreign(run: ScriptedRun) -> None:
    found = foreign(run, regular("b"), chain("c", hook="output"))
    assert found == (BaseChain("inet", "fw", "c", "output", "accept", drops=False),)
    assert str(found[0]) == "inet fw c"


@pytest.mark.parametrize(
    ("rules", "drops"),
    [
        ([], False),
        ([rule("c", DROP)], True),
        ([rule("c", COUNTER, {"log": None}, DROP)], True),
        ([rule("c", {"reject": {"type": "icmpx"}})], True),
        ([rule("c", DROP), rule("c", ACCEPT)], False),
        ([rule("c", {"limit": {"rate": 5}}, DROP)], False),
        ([rule("c", {"match": {}}, DROP)], False),
        ([rule("c", COUNTER)], False),
        ([rule("c", {"jump": {"target": "end"}}), rule("end", DROP)], True),
        ([rule("c", {"goto": {"target": "end"}}), rule("end", COUNTER, DROP)], True),
        ([rule("c", {"jump": {"target": "end"}}), rule("end", ACCEPT)], False),
        ([rule("c", {"match": {}}, {"jump": {"target": "end"}}), rule("end", DROP)], False),
    ],
)
def test_a_chain_drops_if_its_last_rule_does(
    run: ScriptedRun, rules: list[dict[str, t.Any]], drops: bool
) -> None:
    (found,) = foreign(run, chain("c"), regular("end"), *rules)
    assert found.drops == drops


def test_a_chain_drops_by_policy_even_where_it_accepts_much(run: ScriptedRun) -> None:
    (found,) = foreign(run, chain("c", policy="drop"), rule("c", ACCEPT))
    assert found.drops


@pytest.mark.parametrize(
    ("family", "of", "name", "iptables"),
    [
        ("ip", "filter", "INPUT", True),
        ("ip6", "mangle", "FORWARD", True),
        ("inet", "filter", "INPUT", False),
        ("ip", "filter", "input", False),
        ("ip", "firewall", "INPUT", False),
    ],
)
def test_chains_of_iptables_are_known(family: str, of: str, name: str, iptables: bool) -> None:
    assert BaseChain(family, of, name, "input", "accept", drops=False).iptables == iptables


def test_parts_of_a_ruleset() -> None:
    entries = [table("x"), chain("c", "x"), rule("c", DROP, in_table="x"), table("y")]
    other = [table("x", "ip"), rule("c", ACCEPT), chain("c", "y")]
    ruleset = normalised(listing(*entries, *other))
    assert rules_in(ruleset, "inet", "x", "c") == (without_handle(entries[2]),)
    assert rules_in(ruleset, "ip", "x", "c") == ()
