"""Passwords and authorized keys, in an /etc and homes of our own."""

from __future__ import annotations

import base64
import fcntl
import os
import random
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from agent_process import Agent, wait_until
from conftest import StartAgent
from namespace import in_namespace
from qga import AgentError, Client

UID, GID = 12345, 23456
HASH = "$6$salt$" + "x" * 86
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI one@example"
OTHER = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAB two@example"
LIMIT_BYTES = 49152  # of the agent's buffer


@dataclass
class Machine:
    """An agent for which a folder of ours is /etc."""

    agent: Agent
    client: Client
    etc: Path
    home: Path
    bin: Path

    def call(self, command: str, **arguments: Any) -> Any:
        return self.client.call(command, **arguments)

    def failure(self, command: str, **arguments: Any) -> str:
        with pytest.raises(AgentError) as caught:
            self.client.call(command, **arguments)
        assert caught.value.error_class == "GenericError"
        return caught.value.desc

    @property
    def ssh(self) -> Path:
        return self.home / ".ssh"

    @property
    def keys(self) -> Path:
        return self.ssh / "authorized_keys"

    def put_keys(self, content: bytes) -> None:
        self.ssh.mkdir(mode=0o700, exist_ok=True)
        self.keys.write_bytes(content)
        for path in (self.ssh, self.keys):
            os.chown(path, UID, GID)

    def get(self) -> list[str]:
        keys: list[str] = self.call("guest-ssh-get-authorized-keys", username="bob")["keys"]
        return keys

    def add(self, *keys: str, **more: bool) -> None:
        reply = self.call("guest-ssh-add-authorized-keys", username="bob", keys=[*keys], **more)
        assert reply == {}

    def remove(self, *keys: str) -> None:
        assert self.call("guest-ssh-remove-authorized-keys", username="bob", keys=[*keys]) == {}

    def set_hash(self, user: str, value: str) -> None:
        assert self.call("guest-set-user-password", username=user, password=encode(value),
                         crypted=True) == {}

    def hash_failure(self, user: str, value: str = HASH) -> str:
        return self.failure("guest-set-user-password", username=user, password=encode(value),
                            crypted=True)


def encode(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


@pytest.fixture
def machine(start_agent: StartAgent, tmp_path: Path) -> Iterator[Machine]:
    etc, home, programs = tmp_path / "etc", tmp_path / "bob", tmp_path / "bin"
    for folder in (etc, home, programs):
        folder.mkdir()
    os.chown(home, UID, GID)
    (etc / "passwd").write_text(
        f"root:x:0:0:root:{tmp_path}/root:/bin/sh\nbobby:x:1:1::/nowhere:/bin/sh\n# bob:x:\nbob\n"
        f"bob:x:{UID}:{GID}:Bob,,,:{home}:/bin/sh\nbob:x:7:7::/second:/bin/sh\n"
        "home:x:5:5::/no/such/home:/bin/sh\nbad:x:-1:5::/:\nshort:x:5:5\n+::::::\n"
    )
    (etc / "shadow").write_text(
        "root:*:19000:0:99999:7:::\nbobby:!:1:0:99999:7:::\nbob:old:19000:0:99999:7:::\nlast:"
    )
    (etc / "shadow").chmod(0o640)
    os.chown(etc / "shadow", 0, 42)
    agent = start_agent(wrapper=in_namespace({etc: "/etc"}))
    with agent.client() as client:
        yield Machine(agent, client, etc, home, programs)


# The crypted password


@pytest.mark.ours
def test_shadow(machine: Machine) -> None:
    """The account's hash and the day of its change are replaced, and every other byte, the owner
    and the mode stay."""
    path = machine.etc / "shadow"
    before = path.read_bytes()
    passwd = (machine.etc / "passwd").read_bytes()
    machine.set_hash("bob", HASH)
    day = int(time.time()) // 86400
    assert path.read_bytes() == before.replace(b"bob:old:19000:", f"bob:{HASH}:{day}:".encode())
    state = path.stat()
    assert (state.st_uid, state.st_gid, stat.S_IMODE(state.st_mode)) == (0, 42, 0o640)
    assert (machine.etc / "passwd").read_bytes() == passwd
    assert {entry.name for entry in machine.etc.iterdir()} == {"passwd", "shadow", ".pwd.lock"}


@pytest.mark.ours
def test_last_line(machine: Machine) -> None:
    """A last line without its newline or its other fields gets a hash all the same."""
    machine.set_hash("last", HASH)
    assert (machine.etc / "shadow").read_text().endswith(f"\nlast:{HASH}")


def test_empty_hash(machine: Machine) -> None:
    """An empty hash is what was asked for: no password."""
    machine.set_hash("bob", "")
    assert "\nbob::" in (machine.etc / "shadow").read_text()


@pytest.mark.ours
def test_passwd_without_shadow(machine: Machine) -> None:
    """Where there is no shadow file, or it does not know the user, passwd has the hash; the day of
    the change has no place there, and of two lines the first counts."""
    before = (machine.etc / "passwd").read_text()
    machine.set_hash("short", HASH)
    after = before.replace("\nshort:x:", f"\nshort:{HASH}:")
    assert (machine.etc / "passwd").read_text() == after
    (machine.etc / "shadow").unlink()
    machine.set_hash("bob", HASH)
    after = after.replace(f"bob:x:{UID}:", f"bob:{HASH}:{UID}:")
    assert (machine.etc / "passwd").read_text() == after


@pytest.mark.ours
def test_shadow_that_lacks_a_line(machine: Machine) -> None:
    """A hash that passwd keeps in shadow goes there, also where shadow has no line for it yet."""
    passwd = (machine.etc / "passwd").read_bytes()
    machine.set_hash("home", HASH)
    day = int(time.time()) // 86400
    lines = (machine.etc / "shadow").read_text().splitlines()
    assert lines[-1] == f"home:{HASH}:{day}:0:99999:7:::"
    assert (machine.etc / "passwd").read_bytes() == passwd
    machine.set_hash("home", "other")
    lines[-1] = lines[-1].replace(HASH, "other")
    assert (machine.etc / "shadow").read_text().splitlines() == lines


@pytest.mark.ours
def test_unknown_user(machine: Machine) -> None:
    """A user whom nobody knows is an error, and no file is touched or left behind."""
    before = {path: (path.stat().st_ino, path.read_bytes()) for path in machine.etc.iterdir()}
    for user in ("nobody-there", "bo", "bobb", ""):
        assert machine.hash_failure(user) == (
            "child process has failed to set user password: no such user"
        )
    (machine.etc / ".pwd.lock").unlink()
    assert before == {
        path: (path.stat().st_ino, path.read_bytes()) for path in machine.etc.iterdir()
    }


@pytest.mark.ours
def test_long_shadow(machine: Machine, rng: random.Random) -> None:
    """Lines and files longer than any buffer, with NULs and without newlines, stay as they are."""
    path = machine.etc / "shadow"
    for size in (4095, 4096, LIMIT_BYTES - 5, LIMIT_BYTES, 3 * LIMIT_BYTES, 1_000_001):
        before = bytes(rng.choice(b"ab:\0\xff") for _ in range(997)) * (size // 997 + 1)
        head, tail = before[:size] + b"\n", b"\nbob:later:5:\n" + before[:size]
        path.write_bytes(head + b"bob:old:19000:0:" + before[:size] + tail)
        machine.set_hash("bob", HASH)
        day = int(time.time()) // 86400
        assert path.read_bytes() == (
            head + f"bob:{HASH}:{day}:0:".encode() + before[:size] + tail
        )


@pytest.mark.ours
def test_long_hash(machine: Machine) -> None:
    """A value of any length goes in as it is."""
    machine.set_hash("bob", "h" * 100_000)
    assert f"\nbob:{'h' * 100_000}:" in (machine.etc / "shadow").read_text()


@pytest.mark.ours
def test_forbidden_characters(machine: Machine) -> None:
    """What would make another field or line of the file is refused, each in its words."""
    def desc(user: str, password: bytes, crypted: bool) -> str:
        return machine.failure("guest-set-user-password", username=user,
                               password=encode(password), crypted=crypted)

    for crypted in (False, True):
        assert desc("a:b", b"x", crypted) == "forbidden characters in username"
        assert desc("a\nb", b"x", crypted) == "forbidden characters in username"
    assert desc("bob", b"x\ny", False) == "forbidden characters in raw password"
    failed = "child process has failed to set user password: it has a NUL character"
    assert desc("bob", b"x\0y", False) == failed
    for password in (b"x\ny", b"x:y", b"x\0y", b"\0"):
        assert desc("bob", password, True) == "forbidden characters in crypted password"
    assert "bob:old:" in (machine.etc / "shadow").read_text()


@pytest.mark.ours
@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
def test_shadow_of_another_kind(machine: Machine, kind: str) -> None:
    """A shadow file that is none is neither followed, replaced nor waited for."""
    path = machine.etc / "shadow"
    path.rename(machine.etc / "real")
    if kind == "link":
        path.symlink_to("real")
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    before = (machine.etc / "real").read_bytes()
    assert machine.hash_failure("bob").startswith("child process has failed to set user password: ")
    assert (machine.etc / "real").read_bytes() == before
    assert path.is_symlink() == (kind == "link")


def test_lock_is_waited_for(machine: Machine) -> None:
    """While somebody holds the lock of the files nothing is written; the change comes after."""
    with (machine.etc / ".pwd.lock").open("w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        machine.client.send(
            b'{"execute":"guest-set-user-password","arguments":{"username":"bob","crypted":true,'
            b'"password":"' + encode(HASH).encode() + b'"}}'
        )
        wait_until(lambda: len(machine.agent.children()) == 1, "the child waits")
        with pytest.raises(TimeoutError):
            machine.client.line(0.5)
        assert "bob:old:" in (machine.etc / "shadow").read_text()
    assert machine.client.line() == b'{"return": {}}\n'
    assert HASH in (machine.etc / "shadow").read_text()


def test_left_temporary_file(machine: Machine) -> None:
    """What an agent that was killed has left, or somebody put there, is replaced, not followed."""
    trap = machine.etc / "trap"
    trap.write_text("untouched")
    (machine.etc / ".shadow.tinyqga").symlink_to(trap)
    machine.set_hash("bob", HASH)
    assert trap.read_text() == "untouched"
    assert not (machine.etc / "shadow").is_symlink()


# The raw password


def fake_chpasswd(machine: Machine, script: str) -> None:
    """Make a script the first chpasswd that PATH has."""
    path = machine.bin / "chpasswd"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def scripted(start_agent: StartAgent, tmp_path: Path) -> Iterator[Machine]:
    """An agent that finds our chpasswd first."""
    programs = tmp_path / "bin"
    programs.mkdir()
    env = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    agent = start_agent(env=env)
    with agent.client() as client:
        yield Machine(agent, client, tmp_path, tmp_path, programs)


def test_chpasswd(scripted: Machine) -> None:
    """chpasswd gets name and password on its stdin, nothing of them in its arguments."""
    out = scripted.bin / "out"
    fake_chpasswd(scripted, f'{{ echo "$#"; cat; }} > {out}')
    password = "pä ss:w'ord\\$x"
    assert scripted.call("guest-set-user-password", username="someone", password=encode(password),
                         crypted=False) == {}
    assert out.read_text() == f"0\nsomeone:{password}\n"


def test_chpasswd_fails(scripted: Machine) -> None:
    """Its words are the reason; without words, how it ended."""
    beginning = "child process has failed to set user password"
    arguments: dict[str, Any] = {"username": "x", "password": encode("y"), "crypted": False}
    fake_chpasswd(scripted, "echo not today >&2; exit 1")
    desc = scripted.failure("guest-set-user-password", **arguments)
    assert desc.startswith(beginning)
    if not scripted.agent.is_reference:
        assert desc == f"{beginning}: not today"
        fake_chpasswd(scripted, "exit 3")
        desc = scripted.failure("guest-set-user-password", **arguments)
        assert desc == f"{beginning}: exit status 3"


@pytest.mark.ours
def test_chpasswd_long_password(scripted: Machine) -> None:
    """A password that no pipe takes at once is an error, not a shorter password."""
    out = scripted.bin / "out"
    fake_chpasswd(scripted, f"cat > {out}")
    for size in (60_000, 70_000):
        arguments: dict[str, Any] = {
            "username": "x", "password": encode("y" * size), "crypted": False}
        if size < 65_000:
            assert scripted.call("guest-set-user-password", **arguments) == {}
            assert out.stat().st_size == size + 3
        else:
            assert scripted.failure("guest-set-user-password", **arguments).endswith("too long")


@pytest.mark.ours
def test_no_chpasswd(start_agent: StartAgent, tmp_path: Path) -> None:
    """Without the program the error names it."""
    (tmp_path / "none").mkdir()
    wrapper = in_namespace({tmp_path / "none": "/usr/sbin"})
    agent = start_agent(wrapper=["/usr/bin/env", *wrapper[:3], "-c", wrapper[4].replace(
        'exec "$@"', f'export PATH={tmp_path}/none; exec "$@"'), "sh"])
    with agent.client() as client, pytest.raises(AgentError) as caught:
        client.call("guest-set-user-password", username="x", password="eA==", crypted=False)
    assert "chpasswd" in caught.value.desc
    assert "No such file or directory" in caught.value.desc


# The keys


def test_life_of_keys(machine: Machine) -> None:
    """Add makes folder and file for the user alone; get lists, remove takes, reset replaces."""
    machine.add(KEY)
    for path, mode in ((machine.ssh, 0o700), (machine.keys, 0o600)):
        state = path.stat()
        assert (state.st_uid, state.st_gid, stat.S_IMODE(state.st_mode)) == (UID, GID, mode)
    assert machine.keys.read_text().splitlines() == [KEY]
    machine.add(OTHER, KEY, OTHER)
    assert machine.keys.read_text().splitlines() == [KEY, OTHER]
    assert sorted(machine.get()) == sorted([KEY, OTHER])
    machine.remove(KEY, "not there")
    assert machine.get() == [OTHER]
    machine.add(KEY, reset=True)
    assert machine.get() == [KEY]
    machine.add(reset=True)
    assert machine.get() == []
    assert machine.keys.read_bytes() == b""
    assert [entry.name for entry in machine.ssh.iterdir()] == ["authorized_keys"]


@pytest.mark.ours
def test_comments_and_blanks(machine: Machine) -> None:
    """They are kept by add and remove and left out by get; keys match as whole lines, every copy
    goes, and a last line without its newline is not glued to the next."""
    content = f"# {KEY}\n\n  \t\n{KEY}\n {KEY} \r\nno-pty {KEY}\n{KEY}x\n{KEY[:-1]}\n{KEY}"
    machine.put_keys(content.encode())
    assert machine.get() == [KEY, KEY, f"no-pty {KEY}", f"{KEY}x", KEY[:-1], KEY]
    machine.add(OTHER)
    assert machine.keys.read_bytes().decode() == f"{content}\n{OTHER}\n"
    machine.remove(KEY)
    assert machine.keys.read_bytes().decode() == (
        f"# {KEY}\n\n  \t\n {KEY} \r\nno-pty {KEY}\n{KEY}x\n{KEY[:-1]}\n{OTHER}\n"
    )


@pytest.mark.ours
def test_get_is_in_order_and_ascii(machine: Machine) -> None:
    """Bytes that are no text come as replacements, and no empty file is an error."""
    machine.put_keys("größe 𝄞\n".encode() + b"\xff\0x\n")
    assert machine.get() == ["größe 𝄞", "\ufffd\0x"]
    machine.put_keys(b"")
    assert machine.get() == []


def test_without_a_file(machine: Machine) -> None:
    """get names the file that is missing; remove succeeds, and makes nothing."""
    desc = machine.failure("guest-ssh-get-authorized-keys", username="bob")
    assert desc.startswith(f"failed to read '{machine.keys}': ")
    if not machine.agent.is_reference:
        assert desc.endswith(": No such file or directory")
        machine.remove(KEY)
        assert not machine.ssh.exists()
        machine.ssh.mkdir()
        os.chown(machine.ssh, UID, GID)
        machine.remove(KEY)
        assert list(machine.ssh.iterdir()) == []


@pytest.mark.ours
def test_without_a_home(machine: Machine) -> None:
    """No home is made."""
    desc = machine.failure("guest-ssh-add-authorized-keys", username="home", keys=[KEY])
    assert "/no/such/home" in desc and desc.endswith("No such file or directory")
    assert machine.call("guest-ssh-remove-authorized-keys", username="home", keys=[KEY]) == {}


@pytest.mark.ours
def test_unknown_user_of_keys(machine: Machine) -> None:
    """A user that passwd has not, or badly, is an error of each command that names the user."""
    for user in ("nobody-there", "bob:x", "bad", "short", "bo", "+"):
        every: list[tuple[str, dict[str, Any]]] = [
            ("get", {}), ("add", {"keys": [KEY]}), ("remove", {"keys": [KEY]})]
        for command, more in every:
            desc = machine.failure(f"guest-ssh-{command}-authorized-keys", username=user, **more)
            assert desc == f"failed to lookup user '{user}': no such user"


@pytest.mark.ours
def test_keys_that_are_none(machine: Machine) -> None:
    """They are refused before the user is looked up, and nothing is written."""
    for key in ("", "#", "# comment", "a\nb", "a\n"):
        for command in ("add", "remove"):
            for user in ("bob", "nobody-there"):
                desc = machine.failure(f"guest-ssh-{command}-authorized-keys", username=user,
                                       keys=[KEY, key])
                assert desc == f"invalid OpenSSH public key: '{key}'"
    assert not machine.ssh.exists()


@pytest.mark.ours
def test_many_and_long_keys(machine: Machine) -> None:
    """Files, lines and lists that are longer than any buffer work, at its very edges too."""
    long_keys = ["x" * size + "é" for size in
                 (LIMIT_BYTES - 3, LIMIT_BYTES - 2, LIMIT_BYTES - 1, LIMIT_BYTES, 200_000)]
    many = [f"key-{n} {'x' * (n % 700)}." for n in range(2000)]
    machine.put_keys("\n".join(many + long_keys).encode())
    found = machine.get()
    assert found[:2000] == many
    # A character may be split where a line is longer than the buffer.
    assert [key.rstrip("é\ufffd") for key in found[2000:]] == [key[:-1] for key in long_keys]
    machine.add(*long_keys, many[7], KEY)
    assert machine.keys.read_text() == "\n".join([*many, *long_keys, KEY, ""])
    machine.remove(*long_keys, *many[::2])
    assert machine.get() == [*many[1::2], KEY]


@pytest.mark.ours
def test_random_files(machine: Machine, rng: random.Random) -> None:
    """Add and remove do to random files of few different lines what Python does."""
    pool = ["a", "aa", "ab", "aab", "b", "ba", "#a", "", " a", "a\0", "\0"]
    usable = ["a", "aa", "ab", "aab", "b", "ba", " a"]
    for _ in range(60):
        lines = [rng.choice(pool) for _ in range(rng.randint(0, 12))]
        text = "\n".join(lines) + rng.choice(["", "\n"])
        machine.put_keys(text.encode())
        expected = text.split("\n")
        if expected[-1] == "":
            expected.pop()
        keys = [rng.choice(usable) for _ in range(rng.randint(0, 4))]
        if rng.random() < 0.5:
            machine.remove(*keys)
            kept = [line for line in expected if line not in keys]
            if kept == expected:
                kept = []
                assert machine.keys.read_text() == text
                continue
        else:
            machine.add(*keys)
            kept = expected + [key for key in dict.fromkeys(keys) if key not in expected]
        assert machine.keys.read_text() == "".join(f"{line}\n" for line in kept), (text, keys)


# A user who wants the agent to do what only root can


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A folder of root's with a secret in it, outside of the home."""
    folder = tmp_path / "secret"
    folder.mkdir(mode=0o700)
    (folder / "authorized_keys").write_text("root-secret line\n")
    (folder / "authorized_keys").chmod(0o600)
    return folder


def outcome(machine: Machine) -> None:
    """Let every command loose on bob; errors are fine."""
    every: list[tuple[str, dict[str, Any]]] = [
        ("get", {}), ("add", {"keys": [KEY]}), ("remove", {"keys": ["root-secret line"]}),
        ("add", {"keys": [KEY], "reset": True}),
    ]
    for command, more in every:
        try:
            reply = machine.call(f"guest-ssh-{command}-authorized-keys", username="bob", **more)
        except AgentError as error:
            assert "root-secret" not in error.desc
        else:
            assert "root-secret" not in str(reply)


def untouched(secret: Path) -> None:
    assert (secret / "authorized_keys").read_text() == "root-secret line\n"
    assert [entry.name for entry in secret.iterdir()] == ["authorized_keys"]
    for path in (secret, secret / "authorized_keys"):
        assert path.stat().st_uid == 0


@pytest.mark.ours
def test_link_as_folder(machine: Machine, secret: Path) -> None:
    """A link in place of .ssh is not followed, wherever it leads."""
    machine.ssh.symlink_to(secret)
    outcome(machine)
    untouched(secret)
    machine.ssh.unlink()
    own = machine.home / "own"
    own.mkdir()
    os.chown(own, UID, GID)
    machine.ssh.symlink_to("own")
    outcome(machine)
    assert list(own.iterdir()) == []


@pytest.mark.ours
@pytest.mark.parametrize("kind", ["link", "dangling", "hard link", "fifo", "folder", "device"])
def test_foreign_file(machine: Machine, secret: Path, kind: str) -> None:
    """What stands in place of the file gives nothing away and hangs nobody."""
    machine.put_keys(b"")
    machine.keys.unlink()
    if kind == "link":
        machine.keys.symlink_to(secret / "authorized_keys")
    elif kind == "dangling":
        machine.keys.symlink_to(secret / "new")
    elif kind == "hard link":
        os.link(secret / "authorized_keys", machine.keys)
    elif kind == "fifo":
        os.mkfifo(machine.keys)
    elif kind == "folder":
        machine.keys.mkdir()
    else:
        os.mknod(machine.keys, 0o666 | stat.S_IFCHR, os.makedev(1, 5))
    outcome(machine)
    untouched(secret)
    if kind == "hard link":
        assert "root-secret" not in (machine.keys.read_text() if machine.keys.stat().st_uid else "")


@pytest.mark.ours
def test_temporary_file_as_trap(machine: Machine, secret: Path) -> None:
    """The name under which a new file is written leads nowhere, either."""
    machine.put_keys(b"")
    (machine.ssh / ".authorized_keys.tinyqga").symlink_to(secret / "authorized_keys")
    machine.add(KEY)
    untouched(secret)
    assert machine.keys.read_text() == f"{KEY}\n"
    assert not machine.keys.is_symlink()


@pytest.mark.ours
def test_folder_of_roots(machine: Machine, secret: Path) -> None:
    """A folder of root's that the user moved to where .ssh should be is not written in."""
    secret.rename(machine.ssh)
    for command in ("add", "remove"):
        desc = machine.failure(f"guest-ssh-{command}-authorized-keys", username="bob",
                               keys=["root-secret line"])
        assert desc.endswith("Permission denied")
    untouched(machine.ssh)


@pytest.mark.ours
def test_home_of_others(machine: Machine, secret: Path, tmp_path: Path) -> None:
    """A home that is a link is the user's if what it leads to is; a home of root's is one if no
    link leads there; a home of another user's is none."""
    passwd = (machine.etc / "passwd").read_text()
    link = tmp_path / "link"
    link.symlink_to(machine.home)
    (machine.etc / "passwd").write_text(passwd.replace(str(machine.home), str(link)))
    machine.add(KEY)
    assert machine.keys.read_text() == f"{KEY}\n"
    link.unlink()
    link.symlink_to(secret)
    outcome(machine)
    untouched(secret)
    link.unlink()
    link.mkdir(mode=0o755)
    machine.add(KEY)
    state = (link / ".ssh" / "authorized_keys").stat()
    assert (state.st_uid, stat.S_IMODE(state.st_mode)) == (UID, 0o600)
    assert (link / ".ssh").stat().st_uid == UID
    assert machine.get() == [KEY]
    for owner, mode in ((0, 0o777), (UID + 1, 0o755)):
        os.chown(link, owner, 0)
        link.chmod(mode)
        desc = machine.failure("guest-ssh-add-authorized-keys", username="bob", keys=[OTHER])
        assert desc.endswith("Operation not permitted")


@pytest.mark.ours
def test_read_only_folder(machine: Machine) -> None:
    """The agent has no more rights there than the user."""
    machine.put_keys(f"{KEY}\n".encode())
    machine.ssh.chmod(0o500)
    desc = machine.failure("guest-ssh-add-authorized-keys", username="bob", keys=[OTHER])
    assert desc == f"failed to write '{machine.keys}': Permission denied"
    assert machine.get() == [KEY]


@pytest.mark.ours
def test_huge_file(machine: Machine) -> None:
    """A file of holes does not keep the agent busy."""
    machine.put_keys(b"")
    os.truncate(machine.keys, 1 << 40)
    assert "File too large" in machine.failure("guest-ssh-get-authorized-keys", username="bob")
    desc = machine.failure("guest-ssh-add-authorized-keys", username="bob", keys=[KEY])
    assert "File too large" in desc
    assert [entry.name for entry in machine.ssh.iterdir()] == ["authorized_keys"]
