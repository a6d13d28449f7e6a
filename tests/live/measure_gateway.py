# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The time and memory of ipsec_gateway with many tunnels, beside the usual ways without it.

``make thousand`` runs this measurement and writes docs/performance.md. Each value is the time of a
whole ``ansible-playbook``, with one task for all tunnels. The baselines are an empty task, a
template of the same connections with ``swanctl --load-all``, and a role of the usual kind: a
template for each tunnel, and a restart. ``NUMBERS`` has the numbers of tunnels.
"""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import time
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.tests.live.conftest import TESTBED, Present
from ansible_collections.tunnelwright.ipsec.tests.live.host import ROOT, SITE, Host, Options
from ansible_collections.tunnelwright.ipsec.tests.live.measurements import note
from ansible_collections.tunnelwright.ipsec.tests.live.rig import DEVICES, PSK, Rig

NUMBERS = tuple(map(int, os.environ.get("NUMBERS", "10,100,1000,5000").split(",")))
# Limits for 1,000 tunnels.
FIRST, UNCHANGED, ONE_UNCHANGED, ONE_CHANGED = 2.0, 1.5, 1.15, 1.3
# The usual role has a loop over all tunnels. With more of them it takes minutes.
MOST_IN_A_LOOP = 100
# The peer has ten addresses, each of which is another remote gateway.
UP = 10

TEMPLATE = """\
connections {
{% for item in phase1 %}
    {{ item.name }} {
        version = 2
        remote_addrs = {{ item.remote_gateway }}
        proposals = aes256-sha256-modp2048
        dpd_delay = 30s
        local {
            auth = psk
        }
        remote {
            auth = psk
            id = {{ item.remote_gateway }}
        }
        children {
            net {
                local_ts = 10.1.0.0/24
                remote_ts = {{ item.phase2[0].remote_network[0] }}
                esp_proposals = aes256-sha256-modp2048
                start_action = {{ action }}
            }
        }
    }
{% endfor %}
}
secrets {
{% for item in phase1 %}
    ike-{{ item.name }} {
        id-1 = {{ item.remote_gateway }}
        secret = "{{ item.psk }}"
    }
{% endfor %}
}
"""
# A task and a handler of a usual role, which writes a file for each tunnel.
USUAL = {
    "loop": "{{ phase1 }}",
    "vars": {"one": "{{ item }}"},
    "loop_control": {"label": "{{ item.name }}"},
    "notify": "restart strongswan",
}
RESTART = {
    "name": "restart strongswan",
    "ansible.builtin.systemd_service": {"name": "strongswan", "state": "restarted"},
}
LOAD = {"ansible.builtin.command": "swanctl --load-all --noprompt"}
FOLDER = "/etc/swanctl/conf.d"
CONF = f"{FOLDER}/template.conf"
# Containers have no ESP in the kernel. The collection writes this setting itself.
USERSPACE = "/etc/strongswan.d/usual.conf"
# strongSwan 5.9.8 closes a Child SA without a local address in the network of the tunnel.
LAN = "10.1.0.1/32"
LOAD_USERSPACE = "charon {\n plugins {\n kernel-libipsec {\n load = yes\n }\n }\n}\n"
# Runs Python and notes its largest memory, in KiB.
PYTHON = """\
#!/usr/bin/python3
import resource, subprocess, sys
status = subprocess.run(["/usr/bin/python3", *sys.argv[1:]]).returncode
with open("/run/measured", "w") as file:
    file.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(status)
"""


def tunnels(number: int, **options: t.Any) -> list[Options]:
    """Return entries for phase 1 objects, each with a phase 2 to its own network."""
    found = []
    for index in range(number):
        high, low = divmod(index, 250)
        child = {
            "name": "net",
            "local_network": ["10.1.0.0/24"],
            "remote_network": [f"10.{100 + high}.{low}.0/24"],
        }
        entry = {
            "name": f"site-{index:04}",
            "network": "lan",
            "remote_gateway": f"198.51.{high}.{low + 1}",
            "psk": f"{PSK}, number {index}",
            "phase2": [child],
        }
        found.append({**entry, **options})
    return found


@dataclass
class Controller:
    """Plays on one device. ``seconds`` and ``result`` belong to the last play."""

    rig: Rig
    device: Host
    scratch: Path
    seconds: float = 0.0
    result: dict[str, t.Any] = field(default_factory=dict)

    def play(
        self,
        *tasks: Options,
        python: str = "/usr/bin/python3",
        handlers: t.Sequence[Options] = (),
        **variables: t.Any,
    ) -> float:
        """Run tasks as one play, and return the seconds of ``ansible-playbook``."""
        book, values = self.scratch / "play.yml", self.scratch / "variables.json"
        play = {"hosts": "all", "gather_facts": False, "tasks": tasks, "handlers": handlers}
        book.write_text(json.dumps([play]))
        values.write_text(json.dumps(variables))
        container = f"tw-{TESTBED}-{self.device.name}"
        begun = time.monotonic()
        done = subprocess.run(
            [
                Path(sys.executable).parent / "ansible-playbook",
                *("-i", f"{container},", "-e", "ansible_connection=testbed"),
                *("-e", f"ansible_python_interpreter={python}", "-e", f"@{values}", book),
            ],
            env={
                **os.environ,
                "ANSIBLE_CONNECTION_PLUGINS": str(ROOT / "molecule/connection_plugins"),
                "ANSIBLE_COLLECTIONS_PATH": str(SITE),
                "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        self.seconds = time.monotonic() - begun
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
        shown = json.loads(done.stdout[done.stdout.index("{\n") :])
        self.result = shown["plays"][0]["tasks"][-1]["hosts"][container]
        return self.seconds

    def best(self, *tasks: Options, times: int = 3, **variables: t.Any) -> float:
        return min(self.play(*tasks, **variables) for _attempt in range(times))

    def gateway(self, entries: list[Options], **options: t.Any) -> float:
        """Run one task with all entries."""
        task = {"networks": [self.rig.network()], "phase1": "{{ phase1 }}", **options}
        return self.play({"tunnelwright.ipsec.ipsec_gateway": task}, phase1=entries)


@pytest.fixture(name="controllers", scope="module")
def _controllers(
    rigs: dict[str, Rig], tmp_path_factory: pytest.TempPathFactory
) -> t.Iterator[dict[str, Controller]]:
    found = Present[Controller]()
    for release, rig in rigs.items():
        rig.device.wipe()
        # Ansible looks for vici where the role would install it.
        rig.device.sh(f"ln -sfn {LIBRARY_OF_VICI} /usr/lib/python3/dist-packages/vici")
        rig.device.sh("cat >/usr/local/bin/measured-python", PYTHON)
        rig.device.sh("chmod 755 /usr/local/bin/measured-python")
        found[release] = Controller(rig, rig.device, tmp_path_factory.mktemp("plays"))
    yield found
    for rig in rigs.values():
        rig.device.sh(f"rm -f /usr/lib/python3/dist-packages/vici {CONF}")
        rig.device.wipe()


LIBRARY_OF_VICI = "/opt/tunnelwright-live/vici"


def template(controller: Controller, number: int) -> float:
    """Return the time of a template with all connections and ``swanctl --load-all``."""
    source = controller.scratch / "template.conf.j2"
    source.write_text(TEMPLATE)
    write = {"ansible.builtin.template": {"src": str(source), "dest": CONF, "mode": "0600"}}
    seconds = controller.play(write, LOAD, phase1=tunnels(number), action="trap")
    controller.device.sh(f"rm {CONF}; swanctl --load-all --noprompt")
    return seconds


def usual_role(controller: Controller, entries: list[Options], action: str = "trap") -> float:
    """Return the time of a loop that writes a file for each tunnel, with a restart at its end."""
    source = controller.scratch / "usual.conf.j2"
    source.write_text("{% set phase1 = [one] %}\n" + TEMPLATE)
    write = {"src": str(source), "dest": f"{FOLDER}/usual.{{{{ item.name }}}}.conf", "mode": "0600"}
    task = {"ansible.builtin.template": write, **USUAL}
    return controller.play(task, handlers=[RESTART], phase1=entries, action=action)


def without_usual_role(controller: Controller) -> None:
    controller.device.sh(f"rm -f {FOLDER}/usual.* {USERSPACE}; ip address flush to {LAN} dev lo")
    controller.device.sh("systemctl restart strongswan")


def measured(controller: Controller, number: int) -> dict[str, float]:
    """Return seconds, and MB of memory, for a number of tunnels."""
    entries = tunnels(number)
    one = {"name": "site-0001", "network": "lan"}
    phase1 = {**{key: entries[1][key] for key in ("remote_gateway", "psk")}, **one}
    phase2 = {**entries[1]["phase2"][0], "phase1": "site-0001", "network": "lan"}
    # The variables are the same in each play, because Ansible reads them for each.
    found = {"empty": controller.best({"ansible.builtin.ping": {}}, phase1=entries)}
    found["template"] = template(controller, number)
    if number <= MOST_IN_A_LOOP:
        found["usual"] = usual_role(controller, entries)
        found["usual unchanged"] = usual_role(controller, entries)
        without_usual_role(controller)
    controller.gateway([])
    found["first"] = controller.gateway(entries)
    assert controller.result["summary"]["made"] == 2 * number
    found["unchanged"] = min(controller.gateway(entries) for _attempt in range(3))
    assert not controller.result["changed"]
    for name, module, options, other in (
        ("phase1", "ipsec_phase1", phase1, {"dpd_delay": 20}),
        ("phase2", "ipsec_phase2", phase2, {"lifetime": 2}),
    ):
        task = {f"tunnelwright.ipsec.{module}": options}
        found[f"{name} unchanged"] = controller.best(task)
        changes = [{f"tunnelwright.ipsec.{module}": {**options, **other}}, task]
        found[f"{name} changed"] = min(controller.play(change) for change in changes * 2)
    changed = tunnels(number)
    changed[1]["phase2"][0]["remote_network"] = ["10.99.0.0/24"]
    found["one changed"] = controller.gateway(changed)
    steps = controller.result["actions"]
    loaded = {step.split()[2] for step in steps if step.startswith("load connection")}
    assert loaded == {"site-0001"}, steps
    assert not any("load the nftables rules" in step for step in steps), steps
    found["all changed"] = controller.gateway(tunnels(number, dpd_delay=20))
    assert controller.result["summary"]["changed"] >= number
    task = {"networks": [controller.rig.network()], "phase1": "{{ phase1 }}"}
    controller.play(
        {"tunnelwright.ipsec.ipsec_gateway": task},
        python="/usr/local/bin/measured-python",
        phase1=tunnels(number, dpd_delay=20),
    )
    found["MB, host"] = int(controller.device.sh("cat /run/measured")) / 1024
    found["MB, controller"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    found["removed"] = controller.gateway([], state="overridden", purge_all=True, networks=[])
    return found


@pytest.mark.parametrize("release", DEVICES.values())
def test_gateway(controllers: dict[str, Controller], release: str, capsys: t.Any) -> None:
    values = {number: measured(controllers[release], number) for number in NUMBERS}
    note("gateway", {release: {str(number): found for number, found in values.items()}})
    with capsys.disabled():
        for name in values[NUMBERS[0]]:
            shown = {number: found[name] for number, found in values.items() if name in found}
            row = ", ".join(f"{number}: {value:.2f}" for number, value in shown.items())
            sys.stdout.write(f"\n{release} {name}: {row}")
    if {10, 1000} <= values.keys():
        few, many = values[10], values[1000]
        assert many["first"] <= FIRST * many["template"]
        assert many["unchanged"] <= many["empty"] + UNCHANGED
        for name in ("phase1", "phase2"):
            assert many[f"{name} unchanged"] <= ONE_UNCHANGED * few[f"{name} unchanged"]
            assert many[f"{name} changed"] <= ONE_CHANGED * few[f"{name} changed"]


@pytest.mark.parametrize("release", DEVICES.values())
def test_closed_sas(controllers: dict[str, Controller], release: str, capsys: t.Any) -> None:
    """A change of one of ten tunnels closes the SAs of this tunnel alone. A restart closes all."""
    controller = controllers[release]
    addresses = [controller.rig.address(number) for number in range(UP)]
    entries = [
        {**entry, "remote_gateway": address, "psk": PSK}
        for entry, address in zip(tunnels(UP), addresses, strict=True)
    ]
    changed = [{**entry} for entry in entries]
    changed[1]["phase2"] = [{**entries[1]["phase2"][0], "remote_network": ["10.99.0.0/24"]}]
    own = {"connection_behavior": "start"}
    controller.device.sh(f"cat >{USERSPACE}; ip address add {LAN} dev lo", LOAD_USERSPACE)
    found = {
        "usual": _closed(
            controller,
            lambda: usual_role(controller, entries, action="start"),
            lambda: usual_role(controller, changed, action="start"),
        )
    }
    without_usual_role(controller)
    found["gateway"] = _closed(
        controller,
        lambda: controller.gateway([{**entry, **own} for entry in entries]),
        lambda: controller.gateway([{**entry, **own} for entry in changed]),
    )
    controller.gateway([], state="overridden", purge_all=True, networks=[])
    note("closed", {release: found})
    with capsys.disabled():
        sys.stdout.write(f"\n{release} SAs closed by a change of one of {UP} tunnels: {found}")
    assert found == {"usual": UP, "gateway": 1}


def _closed(
    controller: Controller, make: t.Callable[[], object], change: t.Callable[[], object]
) -> int:
    """Return how many of ten tunnels lose their Child SA in a change."""
    make()
    before = _established(controller, UP)
    change()
    return len(before - _established(controller, UP))


def _established(controller: Controller, number: int) -> set[str]:
    """Return the SPIs of the Child SAs when this number of tunnels is up. Wait for a minute."""
    for _attempt in range(60):
        listed = controller.device.sh("swanctl --list-sas")
        found = set(re.findall(r"^ +in +(\w+)", listed, re.MULTILINE))
        if len(found) == number:
            return found
        time.sleep(1)
    raise AssertionError(f"{len(found)} of {number} tunnels are up:\n{listed}")
