# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the step tables in ``steps/``, and evaluate them with the templating of Ansible.

A table is a list of scenarios, and a scenario has these keys:

- ``name``: the name of the scenario in the ids of the tests.
- ``objects``: the objects that the gateway has before the first row, by kind.
- ``module``: the module of the rows without a ``module``.
- ``when``: a condition on ``kernel_esp`` and ``kernel_vlan``, the features of the kernel, and on
  ``ikev1``, which the IKE daemon may lack. A row may have a ``when`` too.
- ``steps``, ``refused`` or ``drifts``: the rows. Each row is a test on each release.
- Each other key is a variable.

A row has ``options`` for the module. The rows of ``steps`` follow each other, and have these keys:

- ``name``.
- ``changed``: false if the step has nothing to change.
- ``prepare``: a command on the host that makes the step necessary.
- ``live``: conditions on ``before`` and ``after``, the state of the host before and after the
  run, on ``found`` and ``start``, the state without and with the objects of the scenario, on
  ``sas``, and on ``done``, the result of the run. ``gateway_state.py`` reports the state.
- ``warnings``: words of the warnings of the run, which may depend on the same features. Warnings
  about the data plane are left out, because they depend on the machine.

A row of ``refused`` has ``words`` for the message: object, option, value and remedy. The row needs
a ``name`` if another row has the same words.
A row of ``drifts`` has ``by_hand``, a command that changes the host. The module repairs the change.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.tunnelwright.ipsec.tests.live.host import HERE
from ansible_collections.tunnelwright.ipsec.tests.live.rig import DEVICES

STEPS = HERE / "steps"
TABLES = (
    "vpn_network",
    "ipsec_phase1",
    "ipsec_phase2",
    "ipsec_settings",
    "vpn_rule",
    "removal",
    "by_hand",
)
# The module of each kind of object, in the order in which the tests create objects.
KINDS = {
    "networks": "vpn_network",
    "settings": "ipsec_settings",
    "phase1": "ipsec_phase1",
    "rules": "vpn_rule",
    "phase2": "ipsec_phase2",
}

Values = t.Mapping[str, t.Any]

_LOADER = DataLoader()


def read(name: str) -> t.Any:
    """Return the content of ``steps/NAME.yml``, whose templates are not evaluated yet."""
    return _LOADER.load_from_file(str(STEPS / f"{name}.yml"), trusted_as_template=True)


_OBJECTS: Values = read("objects")


@dataclass(frozen=True, eq=False)
class Scenario:
    """An entry of a table: objects that a gateway has, and the steps that follow."""

    table: str
    entry: Values

    def __str__(self) -> str:
        return f"{self.table}, {self.entry['name']}"

    def rows(self, kind: str) -> list[Values]:
        """Return the ``steps``, ``refused`` or ``drifts`` of the scenario.

        No template adds rows, because the rows give the ids of the tests.
        """
        return list(self.entry.get(kind, ()))

    def value(self, template: t.Any, facts: Values) -> t.Any:
        """Return a value of the scenario with its templates evaluated, as plain JSON data."""
        made = self._templar(facts).template(template)
        return json.loads(json.dumps(made))

    def untrue(self, conditions: t.Iterable[str], facts: Values) -> list[str]:
        """Return the conditions that do not hold."""
        templar = self._templar(facts)
        return [item for item in conditions if not templar.evaluate_conditional(item)]

    def applies(self, row: Values, facts: Values) -> bool:
        """Return whether this host has the features that ``row`` needs."""
        conditions = [item["when"] for item in (self.entry, row) if "when" in item]
        return not self.untrue(conditions, facts)

    def _templar(self, facts: Values) -> Templar:
        return Templar(_LOADER, {**_OBJECTS, **self.entry, **facts})


SCENARIOS = tuple(Scenario(table, entry) for table in TABLES for entry in read(table))


def cases(kind: str) -> list[t.Any]:
    """Return a test case for each row of one kind and each release."""
    return [
        pytest.param(release, scenario, number, id=f"{scenario}, {_title(row)}, {release}")
        for scenario in SCENARIOS
        for release in DEVICES.values()
        for number, row in enumerate(scenario.rows(kind))
    ]


def _title(row: Values) -> str:
    return str(row["name"]) if "name" in row else " ".join(row["words"])
