# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the modules as data, and functions that apply documented tasks to the model."""

from __future__ import annotations

import importlib
import re
import typing as t
from pathlib import Path

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.gateway import Gateway
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import DEBIAN
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._module.edit import Params
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._module.entries import read_entries
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._module.gateway_edit import (
    GatewayEdit,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._module.gateway_spec import (
    IPSEC_GATEWAY,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._module.network import (
    NetworkResource,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._module.phase1 import (
    Phase1Resource,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._module.phase2 import (
    Phase2Resource,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._module.rule import (
    RuleResource,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._module.settings import (
    SettingsResource,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._module.spec import (
    IPSEC_CHECKPOINT,
    IPSEC_CONNECTION,
    IPSEC_DIAGNOSTICS,
    IPSEC_INFO,
    Spec,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._module.task import Validation

if t.TYPE_CHECKING:
    from ansible_collections.tunnelwright.ipsec.plugins.module_utils._module.edit import Edit
    from ansible_collections.tunnelwright.ipsec.plugins.module_utils._module.resource import (
        Resource,
    )

ROOT = Path(__file__).resolve().parents[4]
COLLECTION = "tunnelwright.ipsec"
PLUGINS = f"ansible_collections.{COLLECTION}.plugins"

RESOURCES: dict[str, Resource] = {
    resource.key: resource
    for resource in (
        NetworkResource(),
        SettingsResource(),
        Phase1Resource(),
        Phase2Resource(),
        RuleResource(),
    )
}

# The argument specifications of all modules, including modules that edit nothing.
SPECS: dict[str, Spec] = {
    "ipsec_gateway": IPSEC_GATEWAY,
    "ipsec_checkpoint": IPSEC_CHECKPOINT,
    "ipsec_connection": IPSEC_CONNECTION,
    "ipsec_info": IPSEC_INFO,
    "ipsec_diagnostics": IPSEC_DIAGNOSTICS,
    **{name: resource.spec for name, resource in RESOURCES.items()},
}

Document = dict[str, t.Any]

# The modules of each action group, for module_defaults.
ACTION_GROUPS: dict[str, list[str]] = yaml.safe_load(
    (ROOT / "meta/runtime.yml").read_text(encoding="utf-8")
)["action_groups"]


def documentation(module: str) -> Document:
    """Return the DOCUMENTATION of a module, merged with its fragments as by ansible-doc."""
    document = yaml.safe_load(_module(module).DOCUMENTATION)
    for name in document["extends_documentation_fragment"]:
        for key, entries in _fragment(name).items():
            if isinstance(entries, dict):
                document[key] = {**entries, **document.get(key, {})}
            else:
                document[key] = [*document.get(key, []), *entries]
    return document


def examples(module: str) -> list[Document]:
    return yaml.safe_load(_module(module).EXAMPLES)


def returned(module: str) -> Document:
    return yaml.safe_load(_module(module).RETURN)


def _module(name: str) -> t.Any:
    return importlib.import_module(f"{PLUGINS}.modules.{name}")


def _fragment(name: str) -> Document:
    """Return the fragment with the name ``namespace.collection.file[.attribute]``."""
    file, _dot, attribute = name[len(COLLECTION) + 1 :].partition(".")
    fragment = importlib.import_module(f"{PLUGINS}.doc_fragments.{file}").ModuleDocFragment
    return yaml.safe_load(getattr(fragment, attribute.upper() or "DOCUMENTATION"))


def validated(module: str, options: Document) -> Params:
    """Return the validated parameters of a module. Fail for options that the module refuses."""
    spec = SPECS[module]
    validator = ArgumentSpecValidator(spec.argument_spec, required_if=list(spec.required_if))
    given = {name: value for name, value in options.items() if value is not None}
    result = validator.validate(given)
    assert not result.error_messages, result.error_messages
    return Params(result.validated_parameters, options)


def carry_out(task: Document, gateway: Gateway) -> Edit:
    """Return the edit of the Gateway that a task with one module makes, or raise ModelError."""
    ((name, options),) = ((key, task[key]) for key in task if key.startswith(f"{COLLECTION}."))
    module = name[len(COLLECTION) + 1 :]
    return RESOURCES[module].edit(gateway, validated(module, options), DEBIAN)


def gateway_told(options: Document, gateway: Gateway) -> Gateway:
    """Return the Gateway after a task of ipsec_gateway. Fail for options that it refuses."""
    outer = validated("ipsec_gateway", options)
    entries = read_entries(IPSEC_GATEWAY, options, Validation(outer["state"]))
    if outer["state"] in ("gathered", "rendered"):
        return gateway
    return GatewayEdit(gateway, Params({**outer, **entries}, options), DEBIAN).made().gateway


def told(tasks: t.Iterable[Document], gateway: Gateway, *, keep: bool = False) -> Gateway:
    """Return the Gateway after the tasks, in order. ``keep`` skips tasks that remove objects."""
    for task in tasks:
        if not (keep and _takes_away(task)):
            gateway = carry_out(task, gateway).gateway
    return gateway


def _takes_away(task: Document) -> bool:
    states = [options.get("state") for options in task.values() if isinstance(options, dict)]
    return bool({"absent", "stopped", "disabled"} & set(states))


_BLOCK = re.compile(r"^```ya?ml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def task_lists(text: str) -> list[list[Document]]:
    """Return the tasks of each YAML block of a Markdown text with plays or tasks."""
    found = []
    for block in _BLOCK.findall(text):
        content = yaml.safe_load(block)
        entries = content if isinstance(content, list) else []
        tasks = [task for entry in entries for task in _tasks(entry) if _is_ours(task)]
        if tasks:
            found.append(tasks)
    return found


def _tasks(entry: Document) -> list[Document]:
    """Return the tasks of a play and of its roles, or the entry if the entry is a task."""
    if "hosts" not in entry:
        return [entry]
    roles = [role for role in entry.get("roles", ()) if role["role"] == f"{COLLECTION}.gateway"]
    from_roles = [task for role in roles for task in _role_tasks(role.get("vars", {}))]
    return from_roles + [_with_defaults(task, entry) for task in entry.get("tasks", [])]


def _with_defaults(task: Document, play: Document) -> Document:
    """Return the task with the ``module_defaults`` of a group in the play."""
    made = {}
    for key, options in task.items():
        module = key[len(COLLECTION) + 1 :]
        defaults: Document = {}
        for group, members in ACTION_GROUPS.items():
            said = play.get("module_defaults", {}).get(f"group/{COLLECTION}.{group}", {})
            if key.startswith(f"{COLLECTION}.") and module in members:
                defaults.update(said)
        made[key] = {**defaults, **options} if defaults else options
    return made


def _role_tasks(variables: Document) -> list[Document]:
    """Return the tasks that roles/gateway/tasks/configure.yml runs for its variables."""
    tasks = [{"vpn_network": entry} for entry in variables.get("gateway_networks", ())]
    tasks += [{"ipsec_settings": entry} for entry in variables.get("gateway_settings", ())]
    peers = variables.get("gateway_phase1", ())
    for peer in peers:
        tasks.append({"ipsec_phase1": {key: peer[key] for key in peer if key != "phase2"}})
    for peer in peers:
        owner = {"phase1": peer["name"], "network": peer["network"]}
        tasks += [{"ipsec_phase2": {**owner, **entry}} for entry in peer.get("phase2", ())]
    tasks += [{"vpn_rule": entry} for entry in variables.get("gateway_rules", ())]
    return [{f"{COLLECTION}.{name}": task[name] for name in task} for task in tasks]


def _is_ours(task: Document) -> bool:
    return any(key[len(COLLECTION) + 1 :] in RESOURCES for key in task)
