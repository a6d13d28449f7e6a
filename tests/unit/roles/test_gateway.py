# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Role gateway: its variables, the installation of vici, and unmanaged packages."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import types
import venv
from pathlib import Path

import pytest
import vici
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.algorithms import (
    ENCRYPTIONS,
    HASHES,
)
from ansible_collections.tunnelwright.ipsec.plugins.plugin_utils._validation import (
    LISTS,
    PLAYBOOK_VARIABLES,
    ROLE_VARIABLES,
)

ROLE = Path(__file__).resolve().parents[3] / "roles/gateway"
REPORT = ROLE / "files/vici_report.py"
INSTALL = ROLE / "files/vici_install.py"


def test_extra_plugins_are_installed_for_the_algorithms_that_need_them():
    variables = yaml.safe_load((ROLE / "vars/main.yml").read_text())
    package = "libstrongswan-extra-plugins"
    needing = {
        row.name for row in (*ENCRYPTIONS.values(), *HASHES.values()) if row.package == package
    }
    assert set(variables["gateway__extra_algorithms"]) == needing


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return a Python with its own site directory and without vici."""
    venv.create(tmp_path, with_pip=False)
    return tmp_path / "bin/python"


def report(python: str | Path) -> dict:
    done = subprocess.run([python, "-c", REPORT.read_text()], check=True, capture_output=True)
    return json.loads(done.stdout)


def digest_of(files: dict[str, str]) -> str:
    """Return the digest that ``sha256sum *.py | sha256sum`` prints."""
    lines = [
        f"{hashlib.sha256(files[name].encode()).hexdigest()}  {name.removeprefix('vici/')}\n"
        for name in sorted(files)
        if name.endswith(".py")
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def install(python: Path, files: dict[str, str], digest: str = "") -> int:
    """Install the files and return the exit status."""
    argv = [python, "-c", INSTALL.read_text(), digest or digest_of(files)]
    return subprocess.run(argv, input=json.dumps(files).encode(), check=False).returncode


def contents(controller: dict) -> dict[str, str]:
    return {name: Path(path).read_text() for name, path in controller["files"].items()}


def test_a_delivered_vici_is_the_one_of_the_controller(target):
    controller = report(sys.executable)
    assert controller["version"]
    assert str(Path(vici.__file__)) in controller["files"].values()
    assert report(target)["digest"] != controller["digest"]

    assert install(target, contents(controller)) == 0
    delivered = report(target)
    assert delivered["digest"] == controller["digest"]
    assert delivered["version"] == controller["version"]
    subprocess.run([target, "-c", "import vici; vici.Session"], check=True)


def test_a_damaged_vici_is_replaced(target):
    controller = report(sys.executable)
    files = contents(controller)
    install(target, {**files, "vici/session.py": files["vici/session.py"] + "#"})
    assert report(target)["digest"] != controller["digest"]
    install(target, files)
    assert report(target)["digest"] == controller["digest"]


def test_an_older_record_is_told(target):
    files = contents(report(sys.executable))
    record = "vici.dist-info/METADATA"
    version = report(sys.executable)["version"]
    install(target, {**files, record: files[record].replace(version, "5.9.0")})
    assert report(target)["version"] == "5.9.0"


def test_the_digest_is_what_people_can_compute():
    found = report(sys.executable)
    (source,) = {Path(path).parent for name, path in found["files"].items() if ".py" in name}
    done = subprocess.run(
        "LC_ALL=C sha256sum *.py | sha256sum",
        shell=True,
        cwd=source,
        check=True,
        capture_output=True,
        text=True,
    )
    assert found["digest"] == done.stdout.split()[0]


def test_the_pinned_release_is_known():
    variables = yaml.safe_load((ROLE / "vars/main.yml").read_text())
    found = report(sys.executable)
    assert variables["gateway__vici_digests"][found["version"]] == found["digest"]


def test_what_arrives_otherwise_is_not_installed(target):
    files = contents(report(sys.executable))
    expected = digest_of(files)
    moved = {**files, "vici/x.py": "", "vici/session.py": files["vici/session.py"] + "#"}
    for other in (moved, {**files, "vici/session.py": ""}, {}):
        assert install(target, other, expected) != 0
    assert report(target)["version"] == ""
    assert report(target)["files"] == {}


PLAY = """
- hosts: gw
  gather_facts: false
  tasks:
    - ansible.builtin.include_role:
        name: tunnelwright.ipsec.gateway
        tasks_from: vici
"""


def play(tmp_path: Path, target: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the task file of the role, for a Python of this machine."""
    playbook = tmp_path / "play.yml"
    playbook.write_text(PLAY)
    digest = environment.pop("digest", "")
    return subprocess.run(
        [
            Path(sys.executable).parent / "ansible-playbook",
            *("-i", "gw,", "-c", "local", "-e", f"ansible_python_interpreter={target}"),
            *("-e", f"gateway_vici_digest={digest}", playbook),
        ],
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_role_delivers_a_known_release(tmp_path, target):
    first, again = play(tmp_path, target), play(tmp_path, target)
    assert first.returncode == 0, first.stdout
    assert "changed=1" in first.stdout
    assert "changed=0" in again.stdout
    assert report(target)["digest"] == report(sys.executable)["digest"]


def test_the_role_delivers_nothing_else_unless_it_is_told(tmp_path, target):
    found = report(sys.executable)
    for name, text in contents(found).items():
        path = tmp_path / "tampered" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + ("\n#" if name == "vici/session.py" else ""))
    place = {"PYTHONPATH": str(tmp_path / "tampered")}
    refused = play(tmp_path, target, **place)
    assert refused.returncode != 0
    assert f"instead of {found['digest']}" in refused.stdout
    (digest,) = set(re.findall(r"has the digest ([0-9a-f]{64})", refused.stdout))
    assert digest != found["digest"]
    assert "set gateway_vici_digest to their digest" in refused.stdout
    assert not list(tmp_path.glob("lib/*/site-packages/vici"))
    allowed = play(tmp_path, target, digest=digest.upper(), **place)
    assert allowed.returncode == 0, allowed.stdout


def test_an_unknown_release_is_refused(tmp_path, target):
    for name, text in contents(report(sys.executable)).items():
        path = tmp_path / "newer" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("Version: 6", "Version: 99"))
    refused = play(tmp_path, target, PYTHONPATH=str(tmp_path / "newer"))
    assert refused.returncode != 0
    assert "and is an unknown release" in refused.stdout


SECRET = "the key that stands under a misspelt option"
# Each entry has an unknown option, so that its module refuses the entry before any change.
MISSPELT = {
    "gateway_networks": [{"name": "lan", "pks": SECRET}],
    "gateway_settings": [{"network": "lan", "swanctl_config": SECRET}],
    "gateway_phase1": [{"name": "b", "network": "lan", "remote_gateway": "x", "pks": SECRET}],
    "gateway_rules": [{"name": "r", "network": "lan", "action": "drop", "pks": SECRET}],
}
EMPTY: dict[str, list] = {name: [] for name in MISSPELT}


@pytest.mark.parametrize("name", MISSPELT)
def test_the_value_of_a_misspelt_option_is_not_shown(tmp_path, name):
    """Neither the output of Ansible with -vvv nor the JSON of a callback shows the value."""
    playbook, variables = tmp_path / "play.yml", tmp_path / "vars.yml"
    playbook.write_text(PLAY.replace("tasks_from: vici", "tasks_from: configure"))
    variables.write_text(yaml.safe_dump({**EMPTY, name: MISSPELT[name]}))
    argv = [
        Path(sys.executable).parent / "ansible-playbook",
        *("-i", "gw,", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}"),
        *("-e", f"@{variables}", playbook, "-vvv"),
    ]
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "is not an option. " in done.stdout
    assert SECRET not in done.stdout + done.stderr


# --- Variables of the role


SPECS = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text())["argument_specs"]
ROOT = ROLE.parents[1]


def test_every_variable_of_the_role_is_known() -> None:
    """The check knows all variables of role and playbooks, and reports other names as misspelt."""
    documented = {name for spec in SPECS.values() for name in spec["options"]}
    assert {*ROLE_VARIABLES} == {*documented, "gateway_psk_directory"}
    assert {*yaml.safe_load((ROLE / "defaults/main.yml").read_text())} == documented
    books = "\n".join(path.read_text() for path in (ROOT / "playbooks").glob("*.yml"))
    used = {*re.findall(r"\bgateway_[a-z][a-z0-9_]*", books)} - {*ROLE_VARIABLES}
    assert used == {*PLAYBOOK_VARIABLES}
    readme = (ROLE / "README.md").read_text()
    for name in ROLE_VARIABLES:
        assert f"`{name}`" in readme, name


@pytest.mark.parametrize("empty", [None, []])
def test_an_empty_list_of_entries_passes_the_specification(empty: object) -> None:
    given = dict.fromkeys(LISTS, empty)
    result = ArgumentSpecValidator(SPECS["main"]["options"]).validate(given)
    assert result.error_messages == []
    assert result.validated_parameters["gateway_verify"] == "report"


def test_defaults_are_those_of_the_specification() -> None:
    defaults = yaml.safe_load((ROLE / "defaults/main.yml").read_text())
    for spec in SPECS.values():
        for name, option in spec["options"].items():
            assert defaults[name] == option.get("default", []), name


def played(
    tmp_path: Path, tasks: list[dict], *options: str, **variables: object
) -> tuple[int, str]:
    """Run a play with the role's own variables. Return its exit status and its output."""
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": sys.executable},
        "tasks": tasks,
    }
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    (tmp_path / "given.json").write_text(json.dumps(variables))
    argv = ["ansible-playbook", "-i", "localhost,", *options, "-e", "@given.json", "play.yml"]
    done = subprocess.run(
        argv,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


def part(name: str) -> dict:
    """Import one task file of the role."""
    return {
        "ansible.builtin.import_role": {"name": "tunnelwright.ipsec.gateway", "tasks_from": name}
    }


def test_mistakes_are_told_before_anything_is_touched(tmp_path: Path) -> None:
    """Each mistake is reported once, with its entry. The values of secrets are not shown."""
    status, said = played(
        tmp_path,
        [part("validate"), {"ansible.builtin.debug": {"msg": "on it goes"}}],
        gateway_networks=[{"name": "lan", "ip_address_type": "none"}],
        gateway_phase_1=[],
        gateway_rules=None,
        gateway_phase1=[
            {"name": "a", "network": "lann", "remote_gateway": "192.0.2.1", "psk": "k" * 30},
            {"network": "lan"},
            {"name": "c", "network": "lan", "encryption": "aes256-sha256", "pks": "hidden secret"},
        ],
    )
    assert status == 2
    (message,) = re.findall(
        r"^\[ERROR\]: Task failed: Action failed: (.*?)^Origin", said, re.S | re.M
    )
    assert [line.partition(". ")[0] for line in message.splitlines()] == [
        "gateway_phase1[0] a: network 'lann': does not exist on this host",
        "gateway_phase1[1]: name: is missing",
        "gateway_phase1[2] c: encryption 'aes256-sha256': is not a list of combinations of "
        "algorithms",
        "gateway_phase_1: is not a variable of the role",
    ]
    assert "kkk" not in said
    assert "hidden secret" not in said
    assert "on it goes" not in said
    assert "changed=0" in said


def test_legal_variables_are_not_remarked_on(tmp_path: Path) -> None:
    network = {"name": "lan", "ip_address_type": "none"}
    tasks = [part("validate"), {"ansible.builtin.debug": {"var": "gateway__checked"}}]
    status, said = played(
        tmp_path, tasks, gateway_networks=[network], gateway_phase1=None, gateway_address="x"
    )
    assert status == 0, said
    assert '"summary": "1 network, 0 phase 1, 0 phase 2, 0 rules"' in said
    assert "gateway_address: is not a variable of the role" in said


FILES = [
    "/etc/tunnelwright/lan.json",
    "/etc/tunnelwright/lan.nft",
    "/etc/tunnelwright/lan.sh",
    "/etc/tunnelwright/.new.json.new",
    "/etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf",
    "/etc/swanctl/conf.d/.tunnelwright.phase1.site-c.conf.new",
    "/etc/swanctl/conf.d/tunnelwright.bypass.lan.conf",
    "/etc/swanctl/conf.d/handmade.conf",
    "/etc/systemd/system/tunnelwright-lan.service",
    "/etc/systemd/system/tunnelwright-lan.guard.service",
    "/etc/systemd/system/tunnelwright-old-one.service",
    "/etc/systemd/system/tunnelwright.rollback.service",
    "/etc/systemd/system/other.service",
]
HERE = {"version": "6.0.3", "digest": "x", "files": {}}


def expressions(tmp_path: Path, *names: str, **variables: object) -> dict:
    """Return the values of variables of the role."""
    files = {"ansible.builtin.include_vars": str(ROLE / "vars/main.yml")}
    shown = {name: f"{{{{ {name} }}}}" for name in names}
    copy = {"content": "{{ shown | to_json }}", "dest": str(tmp_path / "shown"), "mode": "0600"}
    tasks = [files, {"ansible.builtin.copy": copy, "vars": {"shown": shown}, "check_mode": False}]
    status, said = played(tmp_path, tasks, "--check", **variables)
    assert status == 0, said
    return json.loads((tmp_path / "shown").read_text())


def test_what_is_on_a_host_is_known_by_its_files(tmp_path: Path) -> None:
    shown = expressions(tmp_path, "gateway__made", gateway__files={"stdout_lines": FILES})
    assert shown["gateway__made"] == {
        "networks": ["lan"],
        "remains": ["old-one"],
        "phase1": ["site-b"],
    }


LACKING = ("gateway__lacks", "gateway__first")
INSTALLED = [
    f"installed:{name}"
    for name in yaml.safe_load((ROLE / "vars/main.yml").read_text())["gateway__packages"]
]
BARE, NO_RULES, NO_VICI, STOPPED = (
    "strongSwan is not installed on this host.",
    "nftables is not installed on this host.",
    "The Python library vici is not on this host.",
    "The IKE daemon does not run.",
)
INSTALLS, STARTS = "A run would install ", "A run would start the IKE daemon."


@pytest.mark.parametrize(
    ("packages", "vici", "daemon", "lacks", "first"),
    [
        (INSTALLED, "6.0.3", 0, [], [INSTALLS]),
        ([], "", 3, [BARE, NO_RULES, NO_VICI], [INSTALLS, STARTS]),
        (INSTALLED, "6.0.3", 3, [STOPPED], [INSTALLS, STARTS]),
        (INSTALLED, "", 0, [NO_VICI], [INSTALLS]),
    ],
)
def test_check_mode_says_what_a_host_lacks(
    tmp_path: Path, packages: list[str], vici: str, daemon: int, lacks: list[str], first: list[str]
) -> None:
    shown = expressions(
        tmp_path,
        *LACKING,
        gateway_networks=[],
        gateway_settings=None,
        gateway_phase1=None,
        gateway__dpkg={"stdout_lines": packages},
        gateway__vici_target_report={"stdout": json.dumps({**HERE, "version": vici})},
        gateway__daemon={"rc": daemon},
        gateway__kernel_esp={"rc": 1},
        gateway__checked={"summary": "0 networks"},
    )
    assert shown["gateway__lacks"] == lacks
    said = [line for line in shown["gateway__first"] if line]
    assert "The variables are valid: 0 networks." in said
    assert [line[: len(start)] for line, start in zip(said, first, strict=False)] == first
    # The trial showed that the kernel can't do ESP.
    assert "libcharon-extra-plugins" in said[0]


# --- Unmanaged objects of strongSwan


@pytest.fixture
def unmanaged(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """Return the script for a host on which dpkg-query and apt-get print ``outputs``."""
    spec = importlib.util.spec_from_file_location("unmanaged", ROLE / "files/unmanaged.py")
    assert spec
    assert spec.loader
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    script.outputs = {"dpkg-query": [], "apt-get": []}
    monkeypatch.setattr(script, "output", lambda *command: script.outputs[command[0]])
    return script


def digest(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def test_files_that_no_package_has_brought_are_named(
    unmanaged: types.ModuleType, tmp_path: Path
) -> None:
    files = {
        "/etc/strongswan.conf": "as packaged",
        "/etc/swanctl/swanctl.conf": "as packaged, and a line of an administrator",
        "/etc/swanctl/conf.d/handmade.conf": "connections {}",
        "/etc/swanctl/conf.d/tunnelwright.phase1.a.conf": "ours",
        "/etc/swanctl/x509/gw.pem": "a certificate",
        "/etc/swanctl/x509/.hidden.pem": "swanctl loads it as well",
        "/etc/swanctl/private/tunnelwright.a.pem": "ours",
        "/etc/strongswan.d/charon/aes.conf": "as packaged",
        "/etc/strongswan.d/charon/openssl.conf": "of the second package",
        "/etc/strongswan.d/admin.conf": "charon {}",
        "/etc/ipsec.secrets": "# a secret",
        "/etc/other.conf": "no matter",
    }
    for path, text in files.items():
        (tmp_path / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path[1:]).write_text(text)
    (tmp_path / "etc/swanctl/x509ca").mkdir()
    (tmp_path / "etc/swanctl/x509ca/linked.pem").symlink_to("/nowhere")
    unmanaged.outputs["dpkg-query"] = [
        "",
        f" /etc/strongswan.conf {digest('as packaged')}",
        f" /etc/swanctl/swanctl.conf {digest('as packaged')}",
        f" /etc/strongswan.d/charon/aes.conf {digest('as packaged')}",
        f" /etc/strongswan.d/charon/openssl.conf {digest('of the second package')}",
        " /etc/strongswan.d/charon/openssl.conf newconffile remove-on-upgrade",
    ]
    found = [line.replace(str(tmp_path), "") for line in unmanaged.files(str(tmp_path))]
    assert sorted(found) == [
        "file /etc/ipsec.secrets",
        "file /etc/strongswan.d/admin.conf",
        "file /etc/swanctl/conf.d/handmade.conf",
        "file /etc/swanctl/swanctl.conf, which was changed",
        "file /etc/swanctl/x509/.hidden.pem",
        "file /etc/swanctl/x509/gw.pem",
        "file /etc/swanctl/x509ca/linked.pem",
    ]


def test_packages_that_would_go_as_well_are_named(unmanaged: types.ModuleType) -> None:
    unmanaged.outputs["apt-get"] = [
        "The following packages will be REMOVED:",
        "Remv charon-systemd [6.0.1-6]",
        "Remv strongswan-starter [6.0.1-6] [network-manager-strongswan:amd64 ]",
        "Remv network-manager-strongswan [1.6]",
    ]
    assert list(unmanaged.packages(["charon-systemd"])) == [
        "package strongswan-starter",
        "package network-manager-strongswan",
    ]


def test_what_the_daemon_still_has_is_named(
    unmanaged: types.ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Session:
        def list_conns(self) -> list[dict]:
            return [{"handmade": {}}, {"road": {}}]

        def list_sas(self) -> list[dict]:
            return [{"handmade": {}}, {"gone": {}}]

        def get_shared(self) -> dict:
            return {"keys": [b"ike-handmade"]}

    monkeypatch.setitem(sys.modules, "vici", types.SimpleNamespace(Session=Session))
    monkeypatch.setattr(unmanaged, "files", lambda: ["file /etc/swanctl/conf.d/handmade.conf"])
    unmanaged.main(["charon-systemd"])
    assert json.loads(capsys.readouterr().out) == [
        "file /etc/swanctl/conf.d/handmade.conf",
        "connection handmade in the IKE daemon",
        "connection road in the IKE daemon",
        "SA handmade that is up",
        "SA gone that is up",
        "secret ike-handmade in the IKE daemon",
    ]
    monkeypatch.setenv("CHECK", "files")
    unmanaged.main([])
    assert "handmade in" not in capsys.readouterr().out


def test_a_daemon_that_does_not_run_has_nothing(
    unmanaged: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused() -> None:
        raise ConnectionRefusedError

    monkeypatch.setitem(sys.modules, "vici", types.SimpleNamespace(Session=refused))
    assert list(unmanaged.daemon()) == []
    monkeypatch.setitem(sys.modules, "vici", None)
    assert list(unmanaged.daemon()) == []
