# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation agrees with the code: examples run on the model, and results are compared."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._diagnose.explain import (
    Attempt,
    explain,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.rollback.checkpoint import (
    Checkpoint,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.gateway import Gateway
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._module.checkpoint import (
    result_of,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._module.gateway_spec import (
    GATEWAY_STATES,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._module.selection import selected
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._module.spec import (
    CHECKPOINT_STATES,
    CONNECTION_STATES,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.plan import IMPACTS
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.documents import (
    ACTION_GROUPS,
    COLLECTION,
    RESOURCES,
    ROOT,
    SPECS,
    carry_out,
    documentation,
    examples,
    gateway_told,
    returned,
    task_lists,
    told,
    validated,
)

MODULES = tuple(RESOURCES)
# This module undoes the changes of the other modules, and has no object.
CHECKPOINT = "ipsec_checkpoint"
CONNECTION = "ipsec_connection"
GATEWAY = "ipsec_gateway"
# These modules change nothing.
QUERIES = ("ipsec_info", "ipsec_diagnostics")
ALL = (*MODULES, GATEWAY, CHECKPOINT, CONNECTION)
# Results of one module in addition to the results of every module.
MORE = {
    CHECKPOINT: {CHECKPOINT, "differences"},
    CONNECTION: {CONNECTION, "failures", "remarks"},
    GATEWAY: {"summary", "objects", "errors", "gathered", "rendered"},
}
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "roles/*/*.md", "examples/*.md")
    for page in ROOT.glob(pattern)
)

every_module = pytest.mark.parametrize("module", MODULES)
all_modules = pytest.mark.parametrize("module", ALL)


def before(module: str) -> Gateway:
    """Return the Gateway after the examples of the modules before ``module``."""
    gateway = Gateway()
    for name in MODULES[: ALL.index(module)] if module in MODULES else MODULES:
        gateway = told(examples(name), gateway, keep=True)
    return gateway


@every_module
def test_examples_are_legal_one_after_the_other(module: str) -> None:
    for task in examples(module):
        assert set(task) == {"name", f"{COLLECTION}.{module}"}
    told(examples(module), before(module))


@every_module
def test_examples_show_every_state(module: str) -> None:
    choices = RESOURCES[module].spec.argument_spec.get("state", {}).get("choices", [])
    shown = {task[f"{COLLECTION}.{module}"].get("state") for task in examples(module)}
    # An example without a state has the state `present` or `started`.
    assert {*choices} - {"present", "started"} <= shown


@every_module
def test_result_is_as_documented(module: str) -> None:
    sample = returned(module)[module]["sample"]
    options = {**sample, "psk": "x" * 20} if module == "ipsec_phase1" else sample
    edit = carry_out({f"{COLLECTION}.{module}": options}, before(module))
    assert edit.result == sample


@every_module
def test_absent_objects_are_returned_as_documented(module: str) -> None:
    for task in examples(module):
        options = task[f"{COLLECTION}.{module}"]
        if options.get("state") == "absent":
            named = {key: options[key] for key in ("name", "phase1", "network") if key in options}
            result = carry_out(task, told(examples(module), before(module), keep=True)).result
            assert result == {**named, "state": "absent"}


def test_examples_of_the_gateway_are_legal_one_after_the_other() -> None:
    gateway, shown = Gateway(), set()
    for task in examples(GATEWAY):
        options = task[f"{COLLECTION}.{GATEWAY}"]
        shown.add(options.get("state", "replaced"))
        if not any("{{" in entries for entries in options.values()):
            gateway = gateway_told(options, gateway)
    assert shown == set(GATEWAY_STATES)


def test_examples_of_the_checkpoint_are_legal() -> None:
    gateway = before(CHECKPOINT)
    shown = set()
    for task in flattened(examples(CHECKPOINT)):
        options = task.get(f"{COLLECTION}.{CHECKPOINT}")
        if options is not None:
            shown.add(validated(CHECKPOINT, options)["state"])
        elif any(key.startswith(COLLECTION) for key in task):
            told([task], gateway, keep=True)
    assert shown == set(CHECKPOINT_STATES)


def test_examples_of_connections_are_legal() -> None:
    gateway = before(CONNECTION)
    tasks = list(flattened(examples(CONNECTION)))
    given = [
        task[f"{COLLECTION}.{CONNECTION}"] for task in tasks if f"{COLLECTION}.{CONNECTION}" in task
    ]
    for options in given:
        assert selected(gateway, validated(CONNECTION, options))
    assert {options.get("state", "connected") for options in given} == set(CONNECTION_STATES)


def test_a_failure_is_as_documented() -> None:
    """The log lines in the sample lead to the cause in the sample."""
    document = returned(CONNECTION)["failures"]["contains"]
    sample = {key: value["sample"] for key, value in document.items()}
    gateway = before(CONNECTION)
    (tunnel,) = selected(gateway, {"network": "site-a", "phase1": "site-b", "phase2": "lan"})
    lists = {"received": sample["ours"], "configured": sample["theirs"]}
    finding = explain(
        Attempt(
            tunnel.connection,
            tunnel.child,
            ("received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built",),
            (
                *(f"{key} proposals: {value}" for key, value in lists.items()),
                "no acceptable proposal found",
            ),
        )
    ).to_result()
    evidence = finding["evidence"]
    assert {**finding, "evidence": [evidence[0], evidence[-1]]} == sample


def flattened(tasks: t.Iterable[dict[str, t.Any]]) -> t.Iterator[dict[str, t.Any]]:
    """Yield the tasks, and the tasks in their blocks."""
    for task in tasks:
        yield task
        for part in ("block", "rescue"):
            yield from flattened(task.get(part, ()))


def test_result_of_the_checkpoint_is_as_documented() -> None:
    sample = returned(CHECKPOINT)[CHECKPOINT]["sample"]
    kept = Checkpoint(sample["since"], sample["timeout"], {}, {}, {})
    assert result_of(kept, sample["state"]) == sample


@all_modules
def test_every_returned_value_is_documented(module: str) -> None:
    document = returned(module)
    more = MORE.get(module, {module})
    assert set(document) == {"actions", "impact", "impacts", "diff", *more}
    assert document["impact"]["choices"] == list(IMPACTS)
    assert document["impact"]["sample"] in IMPACTS
    assert all("sample" in value or "contains" in value for value in document.values())


@pytest.mark.parametrize("module", QUERIES)
def test_examples_of_queries_are_legal(module: str) -> None:
    asked = [task[f"{COLLECTION}.{module}"] for task in examples(module) if _asks(module, task)]
    assert asked
    for options in asked:
        validated(module, options or {})


def _asks(module: str, task: dict[str, t.Any]) -> bool:
    return f"{COLLECTION}.{module}" in task


@pytest.mark.parametrize("module", QUERIES)
def test_results_of_queries_have_samples(module: str) -> None:
    document = returned(module)
    assert set(document) == {module}
    _check_samples(document)


def _check_samples(document: dict[str, t.Any]) -> None:
    for name, value in document.items():
        assert "sample" in value or "contains" in value, name
        _check_samples(value.get("contains", {}))


def test_shared_values_are_described_alike() -> None:
    for key in ("actions", "impact", "impacts", "diff"):
        texts = {str(returned(module)[key]["description"]) for module in ALL}
        assert len(texts) == 1, key


@pytest.mark.parametrize("module", [*ALL, *QUERIES])
def test_documentation_names_its_neighbours(module: str) -> None:
    named = {entry["module"] for entry in documentation(module)["seealso"] if "module" in entry}
    assert named
    others = {*ALL, *QUERIES} - {module}
    assert named <= {f"{COLLECTION}.{other}" for other in others}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_tasks_in_pages_are_legal(page: t.Any) -> None:
    """The model accepts all tasks of a page, which begin on an empty host, one after the other."""
    gateway = Gateway()
    for tasks in task_lists(page.read_text(encoding="utf-8")):
        gateway = told(tasks, gateway)


@pytest.mark.parametrize("name", ["README.md", "roles/gateway/README.md"])
def test_readme_shows_a_whole_tunnel(name: str) -> None:
    blocks = task_lists((ROOT / name).read_text(encoding="utf-8"))
    gateway = told([task for tasks in blocks for task in tasks], Gateway())
    assert any(connection.children for connection in gateway.connections.values())


def test_every_module_is_known_here() -> None:
    found = {path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")}
    assert found == {*ALL, *QUERIES}


@pytest.mark.parametrize(
    ("group", "options"),
    [("ipsec", {"network"}), ("phases", {"network", "apply", "weak_crypto", "encryption"})],
)
def test_an_action_group_holds_the_modules_with_these_options(
    group: str, options: set[str]
) -> None:
    """No other module is in the group, because a default for an unknown option is an error."""
    fitting = {name for name, spec in SPECS.items() if options <= spec.argument_spec.keys()}
    assert set(ACTION_GROUPS[group]) == fitting


def test_every_action_group_is_documented_in_its_modules() -> None:
    assert ACTION_GROUPS.keys() == {"ipsec", "phases"}
    for module in (*ALL, *QUERIES):
        member_of = [name for name, members in ACTION_GROUPS.items() if module in members]
        attribute = documentation(module)["attributes"].get("action_group", {})
        assert attribute.get("membership", []) == [f"{COLLECTION}.{name}" for name in member_of]
        for name in member_of:
            assert f"C(group/{COLLECTION}.{name})" in attribute["description"]
