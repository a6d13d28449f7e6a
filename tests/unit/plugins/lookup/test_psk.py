# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lookup psk creates one key for each pair of gateways, and never shows the key."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import (
    HostError,
    ModelError,
)
from ansible_collections.tunnelwright.ipsec.plugins.plugin_utils import _psk
from ansible_collections.tunnelwright.ipsec.plugins.plugin_utils._psk import (
    directory_of,
    file_name,
    kept_key,
    new_key,
    pair_of,
)

KEY = re.compile(r"[1-9A-Za-z][0-9A-Za-z]{42}")
PAIR = ("gw-a", "gw-b")
FILE = "gw-a+gw-b.psk"


def never(path: str) -> str:
    raise AssertionError(f"{path} is not encrypted")


def key(directory: Path, term: str = "gw-a gw-b", **options: t.Any) -> str:
    return kept_key(str(directory), pair_of(term), never, **options)


def test_a_key_is_43_letters_and_digits_and_begins_with_no_zero() -> None:
    keys = [new_key() for _index in range(5000)]
    assert all(KEY.fullmatch(item) for item in keys)
    assert len({*keys}) == 5000
    assert {item[0] for item in keys} == {*_psk._ALPHABET} - {"0"}
    assert {letter for item in keys for letter in item} == {*_psk._ALPHABET}


def test_it_is_the_same_in_either_order_and_in_every_later_run(tmp_path: Path) -> None:
    made = key(tmp_path / "keys")
    assert KEY.fullmatch(made)
    assert key(tmp_path / "keys", "gw-b gw-a") == made
    assert key(tmp_path / "keys", "  gw-b\n gw-a ") == made
    assert key(tmp_path / "keys", "gw-a gw-c") != made
    assert sorted(os.listdir(tmp_path / "keys")) == [FILE, "gw-a+gw-c.psk"]
    assert (tmp_path / "keys" / FILE).read_text() == f"{made}\n"


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_file_and_directory_are_for_the_owner_alone(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        key(tmp_path / "keys")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "keys" / FILE).stat().st_mode) == 0o600


def test_twenty_processes_at_once_get_one_key(tmp_path: Path) -> None:
    """Twenty processes that start with the file ``go`` get one key, and leave no other file."""
    root = Path(_psk.__file__).parents[1]
    script = (
        "import os, sys, time\n"
        "from plugins.plugin_utils._psk import kept_key, pair_of\n"
        "while not os.path.exists(sys.argv[1] + '/go'): time.sleep(0.001)\n"
        "print(kept_key(sys.argv[1] + '/keys', pair_of(sys.argv[2]), str))\n"
    )
    terms = ["gw-a gw-b", "gw-b gw-a"] * 10
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path), term],
            cwd=root.parent,
            stdout=subprocess.PIPE,
            text=True,
        )
        for term in terms
    ]
    (tmp_path / "go").touch()
    keys = {run.communicate()[0] for run in runs}
    assert [run.returncode for run in runs] == [0] * 20
    (made,) = keys
    assert KEY.fullmatch(made.strip())
    assert os.listdir(tmp_path / "keys") == [FILE]


def test_a_key_that_another_run_makes_meanwhile_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run returns the key of another run that creates the file just before this run."""
    other = "k" * 43
    real = os.link

    def late(source: str, target: str) -> None:
        Path(target).write_text(other)
        Path(target).chmod(0o600)
        real(source, target)

    monkeypatch.setattr(os, "link", late)
    assert key(tmp_path / "keys") == other
    assert os.listdir(tmp_path / "keys") == [FILE]


@pytest.mark.parametrize(
    ("term", "said"),
    [
        ("gw-a", "term 'gw-a': does not name two gateways"),
        ("gw-a gw-b gw-c", "does not name two gateways"),
        ("", "term '': does not name two gateways"),
        (None, "term 'NoneType': does not name two gateways"),
        (["gw-a", "gw-b"], "term 'list': does not name two gateways"),
        ("gw-a gw-a", "names one gateway twice"),
        ("gw-a ../gw-b", "'../gw-b': is not a valid name"),
        ("gw-a /etc/passwd", "'/etc/passwd': is not a valid name"),
        ("gw-a .", "'.': is not a valid name"),
        ("gw-a -rf", "'-rf': is not a valid name"),
        ("gw-a gw+b", "'gw+b': is not a valid name"),
        ("gw-a gw\x00b", r"'gw\x00b': is not a valid name"),
        ("gw-a gw\x1b[31mb", r"'gw\x1b[31mb': is not a valid name"),
        ("gw-a gẃ-b", "is not a valid name"),
        ("gw-a $(id)", "'$(id)': is not a valid name"),
        (f"gw-a {'b' * 101}", f"'{'b' * 100}': is not a valid name"),
    ],
)
def test_terms_that_are_no_two_names(term: object, said: str) -> None:
    with pytest.raises(ModelError) as caught:
        pair_of(term)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "name", ["b" * 100, "2001:db8::1", "gw-b.example.com", "_b", "fw@site", "9"]
)
def test_names_that_hosts_have(tmp_path: Path, name: str) -> None:
    assert KEY.fullmatch(key(tmp_path / "keys", f"{'a' * 100} {name}"))


def put(directory: Path, content: bytes, mode: int = 0o600) -> Path:
    directory.mkdir(mode=0o700)
    path = directory / FILE
    path.write_bytes(content)
    path.chmod(mode)
    return path


GOOD = b"k" * 43 + b"\n"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        GOOD[:20],
        b"0" + GOOD[1:],
        GOOD + GOOD,
        b"k" * 44,
        b"k" * 42 + "ä".encode(),
        b"k" * 42 + b"-",
        b"\x00" * 43,
        b"k" * 100000,
    ],
)
def test_a_spoilt_file_is_named_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = put(tmp_path / "keys", content)
    with pytest.raises(HostError) as caught:
        key(tmp_path / "keys")
    said = str(caught.value)
    assert said.startswith(
        f"could not use the pre-shared key {path}: it does not hold a key of 43 letters and digits"
    )
    assert "kkk" not in said
    assert path.read_bytes() == content


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602, 0o644, 0o777, 0o610])
def test_a_file_for_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = put(tmp_path / "keys", GOOD, mode)
    with pytest.raises(HostError, match="other users may read or write the file") as caught:
        key(tmp_path / "keys")
    assert str(path) in str(caught.value)
    assert f"mode {mode:04o}" in str(caught.value)


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o700])
def test_a_file_for_the_owner_alone_is_good(tmp_path: Path, mode: int) -> None:
    put(tmp_path / "keys", GOOD, mode)
    assert key(tmp_path / "keys") == "k" * 43


@pytest.mark.parametrize("target", ["there", "nowhere"])
def test_a_symbolic_link_is_refused(tmp_path: Path, target: str) -> None:
    (tmp_path / "there").write_bytes(GOOD)
    (tmp_path / "there").chmod(0o600)
    (tmp_path / "keys").mkdir(mode=0o700)
    (tmp_path / "keys" / FILE).symlink_to(tmp_path / target)
    with pytest.raises(HostError, match=r"gw-a\+gw-b\.psk: it is a symbolic link"):
        key(tmp_path / "keys")
    assert not (tmp_path / "nowhere").exists()


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir(mode=0o700)
    (tmp_path / "keys" / FILE).mkdir()
    with pytest.raises(HostError, match=r"gw-a\+gw-b\.psk: it is not a regular file"):
        key(tmp_path / "keys")
    (tmp_path / "keys" / FILE).rmdir()
    os.mkfifo(tmp_path / "keys" / FILE, 0o600)
    with pytest.raises(HostError, match=r"gw-a\+gw-b\.psk: it is not a regular file"):
        key(tmp_path / "keys")


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o1777])
def test_a_directory_that_others_write_to_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys").chmod(mode)
    with pytest.raises(
        HostError, match=f"other users may write to {tmp_path}/keys. Run `chmod 700"
    ):
        key(tmp_path / "keys")
    assert os.listdir(tmp_path / "keys") == []


def test_where_nothing_can_be_made_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        HostError, match=r"gw-a\+gw-b\.psk: the file cannot be created: No such file"
    ):
        key(tmp_path / "not" / "there")
    (tmp_path / "file").touch()
    with pytest.raises(
        HostError, match=r"gw-a\+gw-b\.psk: the file cannot be created: Not a directory"
    ):
        key(tmp_path / "file")


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(HostError, match="the file cannot be created: No space left on device"):
        key(tmp_path / "keys")
    assert os.listdir(tmp_path / "keys") == []


# --- Check mode


def test_in_check_mode_a_new_key_is_kept_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    first = key(tmp_path / "keys", scratch=str(tmp_path / "scratch"))
    assert key(tmp_path / "keys", "gw-b gw-a", scratch=str(tmp_path / "scratch")) == first
    assert not (tmp_path / "keys").exists()


def test_in_check_mode_a_key_that_is_there_is_the_key(tmp_path: Path) -> None:
    made = key(tmp_path / "keys")
    (tmp_path / "scratch").mkdir()
    assert key(tmp_path / "keys", scratch=str(tmp_path / "scratch")) == made
    assert os.listdir(tmp_path / "scratch") == []


# --- The directory of the keys


def test_a_relative_directory_counts_from_the_inventory(tmp_path: Path) -> None:
    (tmp_path / "prod").mkdir()
    hosts = str(tmp_path / "prod" / "hosts.yml")
    assert directory_of(".psk", [hosts]) == f"{tmp_path}/prod/.psk"
    assert directory_of(".psk", [hosts, f"{tmp_path}/prod/more.ini"]) == f"{tmp_path}/prod/.psk"
    assert directory_of(".psk", [str(tmp_path / "prod")]) == f"{tmp_path}/prod/.psk"
    assert directory_of("../keys", [hosts]) == f"{tmp_path}/keys"
    assert directory_of("/srv/keys/", ["a,b,"]) == "/srv/keys"
    assert directory_of("~/keys", []) == os.path.expanduser("~/keys")


@pytest.mark.parametrize("sources", [[], ["gw-a,gw-b,"], ["/one/hosts", "/two/hosts"]])
def test_without_one_directory_of_the_inventory_it_must_be_absolute(sources: list[str]) -> None:
    with pytest.raises(ModelError, match="is relative to the directory of the inventory") as caught:
        directory_of(".psk", sources)
    assert "gateway_psk_directory" in str(caught.value)


@pytest.mark.parametrize("directory", ["psk", "group_vars/psk", ".", "/{}/keys", "../prod/keys"])
def test_ansible_must_not_read_keys_as_an_inventory(tmp_path: Path, directory: str) -> None:
    """Ansible reads every file in a directory of an inventory, and each key would be a host."""
    (tmp_path / "prod").mkdir()
    given = f"{tmp_path}/prod/keys" if "{}" in directory else directory
    with pytest.raises(ModelError, match="Ansible would read the keys as host names"):
        directory_of(given, [str(tmp_path / "prod")])


@pytest.mark.parametrize("directory", [None, "", " ", 7])
def test_a_directory_is_a_path(directory: object) -> None:
    with pytest.raises(ModelError, match=r"directory .*: is not a path"):
        directory_of(directory, ["/one/hosts"])


# --- Plays of Ansible


PLAY = """
- hosts: gateways
  gather_facts: false
  tasks:
    - name: Copy the key of this host to a file
      ansible.builtin.copy:
        content: "{{ site_psk }}"
        dest: "{{ out }}/{{ inventory_hostname }}"
        mode: "0600"
      no_log: true
    - name: Print the key of this host, also in check mode
      ansible.builtin.command: cat
      args:
        stdin: "{{ [inventory_hostname, site_psk] | to_json }}"
      check_mode: false
      when: shown | default(false)
"""
HOSTS = {"gw-a": {"peer": "gw-b"}, "gw-b": {"peer": "gw-a"}}
LOOKUP = "{{ lookup('tunnelwright.ipsec.psk', inventory_hostname ~ ' ' ~ peer) }}"


class Site:
    """An inventory of two gateways on this machine, and the plays on this inventory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.keys = path / ".psk"
        (path / "out").mkdir()
        variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "site_psk": LOOKUP,
            "out": str(path / "out"),
        }
        inventory = {"gateways": {"hosts": HOSTS, "vars": variables}}
        (path / "hosts.yml").write_text(yaml.safe_dump(inventory))
        (path / "play.yml").write_text(PLAY)

    def start(self, *options: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["ansible-playbook", "-i", str(self.path / "hosts.yml"), *options, "play.yml"],
            cwd=self.path,
            env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def play(self, *options: str, status: int = 0) -> str:
        run = self.start(*options)
        said = run.communicate()[0]
        assert run.returncode == status, said
        return said

    @property
    def got(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in (self.path / "out").iterdir()}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_both_ends_get_one_key_whoever_is_reached(site: Site) -> None:
    site.play("--limit=gw-b")
    assert site.got.keys() == {"gw-b"}
    said = site.play("-vvvv", "--diff")
    made = (site.keys / FILE).read_text().strip()
    assert KEY.fullmatch(made)
    assert site.got == {"gw-a": made, "gw-b": made}
    assert made not in said
    # In this play, gw-a can't be reached.
    site.play("-e", '{"ansible_connection": "ssh", "ansible_port": 1}', "--limit=gw-a", status=4)
    site.play()
    assert site.got == {"gw-a": made, "gw-b": made}
    assert os.listdir(site.keys) == [FILE]


def test_two_plays_at_once_get_one_key(site: Site) -> None:
    runs = [site.start("--limit=gw-a"), site.start("--limit=gw-b")]
    said = [run.communicate()[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    assert len({*site.got.values()}) == 1


def test_check_mode_and_syntax_check_keep_nothing(site: Site) -> None:
    site.play("--syntax-check")
    assert not site.keys.exists()
    said = site.play("--check", "-v", "-e", '{"shown": true}')
    ends = [json.loads(json.loads(item)) for item in re.findall(r'"stdout": ("\[.*?\]")', said)]
    assert sorted(host for host, _key in ends) == ["gw-a", "gw-b"]
    assert KEY.fullmatch(ends[0][1])
    assert ends[0][1] == ends[1][1]
    assert not site.keys.exists()
    site.play()
    assert {*site.got.values()} != {ends[0][1]}


def test_a_file_may_be_encrypted(site: Site) -> None:
    site.play()
    before = site.got
    password = site.path / "password"
    password.write_text("a password")
    vault = ("--vault-password-file", str(password))
    subprocess.run(["ansible-vault", "encrypt", *vault, site.keys / FILE], check=True)
    # git checks out files with this mode.
    (site.keys / FILE).chmod(0o644)
    assert b"$ANSIBLE_VAULT" in (site.keys / FILE).read_bytes()
    site.play(*vault)
    assert site.got == before
    said = site.play(status=2)
    assert FILE in said
    assert not any(made in said for made in before.values())


def test_the_directory_may_be_a_variable(site: Site) -> None:
    site.play("-e", "gateway_psk_directory={{ playbook_dir }}/elsewhere")
    assert (site.path / "elsewhere" / FILE).read_text().strip() == site.got["gw-a"]
    assert not site.keys.exists()


def test_an_error_names_the_file(site: Site) -> None:
    site.play()
    (site.keys / FILE).write_text("spoilt")
    said = site.play(status=2)
    assert f"could not use the pre-shared key {site.keys / FILE}: it does not hold a key" in said
    assert "spoilt" not in said


# --- Documentation


def test_examples_are_carried_out(tmp_path: Path) -> None:
    """Ansible runs the lookups of the examples, and each lookup returns a key."""
    # An import would load the controller code of Ansible into the process of the other tests.
    source = Path(_psk.__file__).parents[1] / "lookup/psk.py"
    tasks = yaml.safe_load(source.read_text().split('EXAMPLES = r"""')[1].split('"""')[0])
    options = [task["tunnelwright.ipsec.ipsec_phase1"] for task in tasks]
    keys = [item[option] for item in options for option in ("psk", "ppk") if option in item]
    assert len(keys) == 5
    shown = [text.replace("/srv/vpn", str(tmp_path)) for text in keys]
    play = {
        "hosts": "gw-a",
        "gather_facts": False,
        "tasks": [
            {"ansible.builtin.debug": {"msg": "{{ keys | to_json }}"}, "vars": {"keys": shown}}
        ],
    }
    site = Site(tmp_path)
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    found = json.loads(re.search(r"\"msg\": \"(.*)\"", site.play())[1].replace('\\"', '"'))
    assert found[0] == found[1] == found[3]
    assert len({found[0], found[2], found[4]}) == 3
    assert all(KEY.fullmatch(item) for item in found)


def test_the_documented_variable_gives_the_key(site: Site) -> None:
    """A key file that is encrypted as a variable gives the same key after the filter trim."""
    site.play()
    made = site.got["gw-a"]
    password = site.path / "password"
    password.write_text("a password")
    vault = ("--vault-password-file", str(password))
    encrypted = subprocess.run(
        ["ansible-vault", "encrypt_string", *vault, "--stdin-name", "vault_psk"],
        input=(site.keys / FILE).read_text(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    (site.path / "group_vars").mkdir()
    (site.path / "group_vars" / "gateways.yml").write_text(encrypted)
    (site.keys / FILE).unlink()
    site.play(*vault, "-e", "site_psk={{ vault_psk | trim }}")
    assert site.got == {"gw-a": made, "gw-b": made}
    assert not (site.keys / FILE).exists()


def test_the_name_of_a_file_is_short_enough() -> None:
    assert len(file_name(("a" * 100, "b" * 100))) < 250
