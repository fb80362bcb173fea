"""guest-get-fsinfo, and guest-fsfreeze-* with filesystems of our own. Nothing here may freeze the
machine's: guest-fsfreeze-freeze and guest-fstrim, which take all there are, are tried in VMs."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from agent_process import PATIENCE_S, Agent, wait_until
from conftest import StartAgent
from disks import FIFREEZE, Disks
from procfs import read_kib
from qga import AgentError, Client

MANY = 10_000
FREEZE_LIST = "guest-fsfreeze-freeze-list"
THAW = "guest-fsfreeze-thaw"
STATUS = "guest-fsfreeze-status"
SERVED = {
    "guest-ping", "guest-info", "guest-sync", "guest-sync-delimited", STATUS, THAW,
    "tinyqga-health",
}


@pytest.fixture
def disks(short_tmp: Path) -> Iterator[Disks]:
    made = Disks(short_tmp)
    try:
        yield made
    finally:
        made.close()


class Writer:
    """A program that writes to a file again and again, and counts in another place."""

    SCRIPT = (
        "import os, sys\n"
        "for count in range(1 << 30):\n"
        "    with open(sys.argv[1], 'w') as file:\n"
        "        file.write('x')\n"
        "    os.pwrite(1, b'%010d' % count, 0)\n"
    )

    def __init__(self, path: Path, counter: Path) -> None:
        self.counter = counter
        with counter.open("wb") as output:
            self.process = subprocess.Popen(
                ["/usr/bin/python3", "-c", self.SCRIPT, str(path)], stdout=output
            )

    @property
    def count(self) -> int:
        return int(self.counter.read_bytes() or b"-1")

    @property
    def waits(self) -> bool:
        """Whether the kernel lets it do nothing, and no signal wakes it."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] == "D"

    def writes_on(self) -> None:
        before = self.count
        wait_until(lambda: self.count > before + 1, "the writer writes")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


def rows_of(client: Client, folder: Path) -> list[dict[str, Any]]:
    """The rows of fsinfo for mounts in a folder."""
    rows: list[dict[str, Any]] = client.call("guest-get-fsinfo")
    for row in rows:
        assert {"name", "mountpoint", "type", "disk"} <= set(row)
    return [row for row in rows if row["mountpoint"].startswith(f"{folder}/")]


def freeze(client: Client, *points: Path) -> int:
    """Freeze these, and no others."""
    assert points
    count: int = client.call(FREEZE_LIST, mountpoints=[str(point) for point in points])
    return count


def error_of(client: Client, command: str, **arguments: Any) -> str:
    with pytest.raises(AgentError) as caught:
        client.call(command, **arguments)
    assert caught.value.error_class == "GenericError"
    return caught.value.desc


def make_hook(path: Path, *lines: str) -> str:
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return f"--fsfreeze-hook={path}"


# ---- guest-get-fsinfo ------------------------------------------------------------------------


@pytest.mark.ours
def test_fsinfo_figures(disks: Disks, start_agent: StartAgent) -> None:
    """A row has the kernel's name of the device, and what statvfs says in bytes."""
    point = disks.mount("disk")
    usage = os.statvfs(disks.inside(point))
    device = os.stat(disks.inside(point)).st_dev
    with start_agent(wrapper=disks.wrapper).client() as client:
        (row,) = rows_of(client, disks.folder)
    del row["disk"]
    used = usage.f_blocks - usage.f_bfree
    assert row == {
        "name": f"loop{os.minor(device)}",
        "mountpoint": str(point),
        "type": "ext4",
        "used-bytes": used * usage.f_frsize,
        "total-bytes": (used + usage.f_bavail) * usage.f_frsize,
        "total-bytes-privileged": usage.f_blocks * usage.f_frsize,
    }


@pytest.mark.ours
def test_fsinfo_has_one_row_a_filesystem(disks: Disks, start_agent: StartAgent) -> None:
    """Of several mounts of a filesystem the first is told; those that are on no disk are not."""
    first = disks.mount("z-first")
    second = disks.mount("a-second")
    for name, words in {
        "bind": ["--bind", str(first)], "tmpfs": ["-t", "tmpfs", "none"],
    }.items():
        (disks.folder / name).mkdir()
        disks.run("mount", *words, str(disks.folder / name))
    with start_agent(wrapper=disks.wrapper).client() as client:
        found = [row["mountpoint"] for row in rows_of(client, disks.folder)]
    assert found == [str(first), str(second)]


@pytest.mark.parametrize(
    "name", ["two words", "tab\tnew\nline", "back\\slash\\040", "größe 𝄞", "#hash", "-", "x" * 200]
)
def test_mount_points_are_decoded(disks: Disks, start_agent: StartAgent, name: str) -> None:
    """The kernel writes blanks and backslashes of a mount point in octal; the reply does not, and
    such a filesystem can be frozen."""
    point = disks.mount(name)
    with start_agent(wrapper=disks.wrapper).client() as client:
        (row,) = rows_of(client, disks.folder)
        assert row["mountpoint"] == str(point)
        assert freeze(client, point) == 1
        assert client.call(THAW) == 1


def test_mount_point_that_is_no_text(disks: Disks, start_agent: StartAgent) -> None:
    """Bytes that are no UTF-8 become U+FFFD."""
    disks.mount(os.fsdecode(b"n\xe9e"))
    with start_agent(wrapper=disks.wrapper).client() as client:
        (row,) = rows_of(client, disks.folder)
    assert row["mountpoint"] == f"{disks.folder}/n\ufffde"


MOUNT_MANY = """
import ctypes, os, sys
source, folder, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
mount = ctypes.CDLL(None, use_errno=True).mount
for number in range(count):
    point = os.path.join(folder, str(number))
    os.mkdir(point)
    if mount(source.encode(), point.encode(), None, 4096, None):
        raise OSError(ctypes.get_errno(), point)
"""


@pytest.mark.ours
def test_ten_thousand_mounts(disks: Disks, start_agent: StartAgent) -> None:
    """The last of very many mounts is told and frozen like the first, soon, and in the memory that
    the agent has anyway."""
    first = disks.mount("first")
    many = disks.folder / "many"
    many.mkdir()
    disks.run("mount", "-t", "tmpfs", "none", str(many))
    disks.run("/usr/bin/python3", "-c", MOUNT_MANY, str(first), str(many), str(MANY))
    last = disks.mount("last")
    agent = start_agent(wrapper=disks.wrapper)
    with agent.client() as client:
        peak = read_kib(agent.pid, "status", "VmHWM")
        began = time.monotonic()
        assert [row["mountpoint"] for row in rows_of(client, disks.folder)] == [
            str(first), str(last),
        ]
        assert freeze(client, last, first) == 2
        assert client.call(THAW) == 2
        assert time.monotonic() - began < PATIENCE_S
        if agent.program.parent.name != "asan":
            assert read_kib(agent.pid, "status", "VmHWM") - peak < 1024


@pytest.mark.ours
def test_without_proc(disks: Disks, start_agent: StartAgent) -> None:
    """The table of mounts is found where /proc is not mounted, also by what freezes and thaws."""
    point = disks.mount("disk")
    disks.run("umount", "-l", "/proc")
    try:
        agent = start_agent(wrapper=disks.wrapper)
        agent.may_hold_descriptors = True
        with agent.client() as client:
            assert [row["mountpoint"] for row in rows_of(client, disks.folder)] == [str(point)]
            assert freeze(client, point) == 1
            assert client.call(THAW) == 1
    finally:
        disks.run("mount", "-t", "proc", "proc", "/proc")


# ---- Freezing and thawing --------------------------------------------------------------------


def test_frozen_and_thawed(disks: Disks, start_agent: StartAgent) -> None:
    """What is frozen stands still, what is not goes on, and after the thaw both do."""
    point, other = disks.mount("disk"), disks.mount("other")
    writers = [
        Writer(disks.inside(path) / "file", disks.folder / f"count-{path.name}")
        for path in (point, other)
    ]
    try:
        with start_agent(wrapper=disks.wrapper).client() as client:
            assert client.call(STATUS) == "thawed"
            for writer in writers:
                writer.writes_on()
            assert freeze(client, point) == 1
            assert client.call(STATUS) == "frozen"
            wait_until(lambda: writers[0].waits, "the writer waits")
            before = writers[0].count
            writers[1].writes_on()
            assert writers[0].count == before
            assert client.call(THAW) == 1
            assert client.call(STATUS) == "thawed"
            for writer in writers:
                writer.writes_on()
            assert client.call(THAW) == 0
    finally:
        disks.thaw()
        for writer in writers:
            writer.close()


def test_lists_without_a_mount(agent: Agent) -> None:
    """An empty list, and mount points that are none, freeze nothing: the status stays thawed."""
    with agent.client() as client:
        for points in ([], ["/no/such/mount"], [""], ["no", "/mount/"]):
            assert client.call(FREEZE_LIST, mountpoints=points) == 0, points
            assert client.call(STATUS) == "thawed"
        assert not list(agent.state_dir.glob("*.isfrozen"))


def test_bad_lists(agent: Agent) -> None:
    """A list of strings without NUL is wanted."""
    kind = "Invalid parameter type for 'mountpoints%s, expected: %s"
    with agent.client() as client:
        for value in ("/x", 1, None, {}):
            assert error_of(client, FREEZE_LIST, mountpoints=value) == kind % ("'", "array")
        assert error_of(client, FREEZE_LIST, mountpoints=["/x", 1]) == kind % ("[1]'", "string")


@pytest.mark.ours
def test_nul_in_a_list(agent: Agent) -> None:
    """No mount point has a NUL, so none is cut there."""
    with agent.client() as client:
        text = error_of(client, FREEZE_LIST, mountpoints=["/x\0y"])
        assert text == "Parameter 'mountpoints[0]' has a NUL character"


def test_each_filesystem_once(disks: Disks, start_agent: StartAgent) -> None:
    """A filesystem that is mounted twice, or listed twice, is frozen and counted once."""
    point = disks.mount("disk")
    bind = disks.folder / "bind"
    bind.mkdir()
    disks.run("mount", "--bind", str(point), str(bind))
    with start_agent(wrapper=disks.wrapper).client() as client:
        assert freeze(client, point, bind, point) == 1
        assert client.call(THAW) == 1
        assert freeze(client, bind) == 1
        assert client.call(THAW) == 1


def test_last_mounted_first(disks: Disks, start_agent: StartAgent) -> None:
    """A filesystem in a file on another is frozen before it, whatever the list's order, and thawed
    after it: the other way round it would wait for ever."""
    outer = disks.mount("outer", disks.make_image(disks.folder / "large", 32 << 20))
    inner = disks.mount("inner", disks.make_image(disks.inside(outer) / "image"))
    with start_agent(wrapper=disks.wrapper).client() as client:
        for points in ((outer, inner), (inner, outer)):
            (disks.inside(inner) / "dirty").write_bytes(os.urandom(100_000))
            assert freeze(client, *points) == 2
            assert client.call(THAW) == 2


def test_frozen_by_another(disks: Disks, start_agent: StartAgent) -> None:
    """What another has frozen is not counted, alone it leaves the status thawed, and the thaw takes
    it along."""
    point, other = disks.mount("disk"), disks.mount("other")
    with start_agent(wrapper=disks.wrapper).client() as client:
        disks.ioctl(point, FIFREEZE)
        assert freeze(client, point) == 0
        assert client.call(STATUS) == "thawed"
        assert freeze(client, point, other) == 1
        assert client.call(STATUS) == "frozen"
        assert client.call(THAW) == 2
        disks.ioctl(point, FIFREEZE)
        assert client.call(THAW) == 1


@pytest.mark.ours
def test_mount_that_is_hidden(disks: Disks, start_agent: StartAgent) -> None:
    """A filesystem whose first mount is hidden under another is frozen by one that is seen."""
    point = disks.mount("disk")
    bind = disks.folder / "bind"
    bind.mkdir()
    disks.run("mount", "--bind", str(point), str(bind))
    disks.run("mount", "-t", "tmpfs", "none", str(point))
    with start_agent(wrapper=disks.wrapper).client() as client:
        assert freeze(client, point, bind) == 1
        with pytest.raises(OSError):
            disks.ioctl(bind, FIFREEZE)
        assert client.call(THAW) == 1


def test_failure_thaws_all(disks: Disks, start_agent: StartAgent) -> None:
    """When a mount point cannot be opened, nothing stays frozen, the hook hears of the thaw, and
    the error names it."""
    under = disks.folder / "under"
    under.mkdir()
    hidden = disks.mount("under/disk")
    later = disks.mount("later")
    disks.run("mount", "-t", "tmpfs", "none", str(under))
    heard = disks.folder / "heard"
    hook = make_hook(disks.folder / "hook", f'echo "$1" >>{heard}')
    agent = start_agent(hook, wrapper=disks.wrapper)
    with agent.client() as client:
        text = error_of(client, FREEZE_LIST, mountpoints=[str(hidden), str(later)])
        assert text == f"failed to open {hidden}: No such file or directory"
        assert client.call(STATUS) == "thawed"
        assert heard.read_text() == "freeze\nthaw\n"
        assert not list(agent.state_dir.glob("*.isfrozen"))
        (disks.inside(later) / "file").write_bytes(b"x")
        assert freeze(client, later) == 1
        assert client.call(THAW) == 1


@pytest.mark.ours
def test_served_while_frozen(disks: Disks, start_agent: StartAgent) -> None:
    """While frozen all but seven commands are disabled, also blocked ones are served, and
    guest-info says so."""
    point = disks.mount("disk")
    agent = start_agent("--block-rpcs=guest-ping,guest-get-time", wrapper=disks.wrapper)
    with agent.client() as client:
        freeze(client, point)
        for row in client.call("guest-info")["supported_commands"]:
            assert row["enabled"] == (row["name"] in SERVED), row
        assert client.call("guest-ping") == {}
        for command in ("guest-get-time", FREEZE_LIST, "guest-get-fsinfo", "guest-fstrim"):
            with pytest.raises(AgentError) as caught:
                client.call(command)
            assert caught.value.error_class == "CommandNotFound"
            assert caught.value.desc == (
                f"Command {command} has been disabled: the agent is in frozen state"
            )
        assert client.call(THAW) == 1
        rows = client.call("guest-info")["supported_commands"]
        disabled = {row["name"] for row in rows if not row["enabled"]}
        assert disabled - {"guest-get-devices"} == {"guest-ping", "guest-get-time"}


# ---- The agent meanwhile ---------------------------------------------------------------------


@pytest.mark.ours
def test_files_on_the_frozen_filesystem(disks: Disks, start_agent: StartAgent) -> None:
    """Log, pid file and state folder may lie on what is frozen: neither a request nor SIGHUP nor
    SIGTERM makes the agent wait for it, nor does it after its own death, and all go on after the
    thaw."""
    point = disks.mount("disk")
    args = ("-v", "-l", f"{point}/log", "-t", f"{point}/state", "-f", f"{point}/pid")
    log = disks.inside(point) / "log"
    folder = disks.folder / "agent"
    folder.mkdir()
    agent = start_agent(*args, folder=folder, wrapper=disks.wrapper)
    with agent.client() as client:
        assert freeze(client, point) == 1
        before = log.read_bytes()
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            agent.process.send_signal(number)
            assert client.call("guest-ping") == {}
    agent.stop(signal.SIGKILL)
    (folder / "sock").unlink()
    agent = start_agent(*args, folder=folder, wrapper=disks.wrapper)
    agent.may_hold_descriptors = True  # log and pid file come with the thaw
    with agent.client() as client:
        assert client.call(STATUS) == "frozen"
        assert client.call("tinyqga-health")["frozen"] is True
        agent.process.send_signal(signal.SIGHUP)
        assert client.call("guest-ping") == {}
        assert log.read_bytes() == before
        assert client.call(THAW) == 1
        assert client.call(STATUS) == "thawed"
        assert client.call("guest-ping") == {}
        assert len(log.read_bytes()) > len(before)
        wait_until(
            lambda: (disks.inside(point) / "pid").read_text() == f"{agent.pid}\n",
            "the pid file is written",
        )
        assert freeze(client, point) == 1
        assert client.call(THAW) == 1


def test_restart_while_frozen(disks: Disks, start_agent: StartAgent) -> None:
    """An agent that is started again knows that it is frozen, and once it has thawed, that it is
    not."""
    point = disks.mount("disk")
    agent = start_agent(wrapper=disks.wrapper)
    for expected in ("frozen", "thawed"):
        with agent.client() as client:
            if expected == "frozen":
                assert freeze(client, point) == 1
            else:
                assert client.call(THAW) == 1
        agent.stop(signal.SIGKILL)
        (agent.folder / "sock").unlink()
        agent = start_agent(folder=agent.folder, wrapper=disks.wrapper)
        with agent.client() as client:
            assert client.call(STATUS) == expected


@pytest.mark.ours
@pytest.mark.parametrize(
    "content", [b"", b"\n", b"00000000-0000-0000-0000-000000000000", b"x" * 9999],
    ids=["empty", "blank", "other", "long"],
)
def test_flag_of_another_boot(short_tmp: Path, start_agent: StartAgent, content: bytes) -> None:
    """What was frozen before the system was booted is frozen no more."""
    (short_tmp / "state").mkdir()
    (short_tmp / "state" / "qga.state.isfrozen").write_bytes(content)
    with start_agent(folder=short_tmp).client() as client:
        assert client.call(STATUS) == "thawed"
        assert client.call("guest-get-time") > 0


@pytest.mark.ours
def test_told_to_end_by_the_hook(disks: Disks, start_agent: StartAgent) -> None:
    """SIGTERM that comes while the hook runs does not end the agent with filesystems frozen."""
    point = disks.mount("disk")
    hook = make_hook(disks.folder / "hook", '[ "$1" = thaw ] || kill $PPID')
    with start_agent(hook, wrapper=disks.wrapper).client() as client:
        assert freeze(client, point) == 1
        assert client.call(STATUS) == "frozen"
        assert client.call(THAW) == 1


# ---- The hook --------------------------------------------------------------------------------


def test_hook_is_called(disks: Disks, start_agent: StartAgent) -> None:
    """The hook is called with one argument, before the freeze and after the thaw: it can write."""
    point = disks.mount("disk")
    hook = make_hook(disks.folder / "hook", f'echo "$#$1" >>{point}/heard')
    with start_agent(hook, wrapper=disks.wrapper).client() as client:
        for _ in range(2):
            assert freeze(client, point) == 1
            assert client.call(THAW) == 1
        client.call(THAW)
    heard = (disks.inside(point) / "heard").read_text()
    assert heard == "1freeze\n1thaw\n1freeze\n1thaw\n1thaw\n"


@pytest.mark.ours
@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["echo not now; exit 3"], "not now"), (["echo not now >&2; false"], "not now"),
        (["exit 3"], "exit status 3"), (["kill -9 $$"], "killed by signal 9"),
    ],
)
def test_hook_fails(agent_path: Path, start_agent: StartAgent, short_tmp: Path, lines: list[str],
                    why: str) -> None:
    """What a hook says on failure is the error, and nothing is frozen."""
    hook = make_hook(short_tmp / "hook", *lines)
    with start_agent(hook).client() as client:
        text = error_of(client, FREEZE_LIST, mountpoints=["/no/such/mount"])
        assert text == f"child process has failed to execute fsfreeze hook: {why}"
        assert client.call(STATUS) == "thawed"
        assert error_of(client, THAW) == text


def test_hook_fails_to_thaw(disks: Disks, start_agent: StartAgent) -> None:
    """A hook that fails after the thaw is told of; all is thawed nevertheless."""
    point = disks.mount("disk")
    hook = make_hook(disks.folder / "hook", '[ "$1" = freeze ]')
    with start_agent(hook, wrapper=disks.wrapper).client() as client:
        assert freeze(client, point) == 1
        assert "hook" in error_of(client, THAW)
        assert client.call(STATUS) == "thawed"
        (disks.inside(point) / "file").write_bytes(b"x")


@pytest.mark.ours
def test_hook_that_is_missing(start_agent: StartAgent, short_tmp: Path) -> None:
    """Without its hook the agent freezes nothing."""
    place = short_tmp / "hook"
    for mode, why in ((None, "No such file or directory"), (0o644, "Permission denied")):
        if mode:
            place.write_text("#!/bin/sh\n")
            place.chmod(mode)
        with start_agent(f"-F{place}").client() as client:
            text = error_of(client, FREEZE_LIST, mountpoints=["/no/such/mount"])
            assert text == f"child process has failed to execute fsfreeze hook: {why}"


def test_hook_that_takes_its_time(start_agent: StartAgent, short_tmp: Path) -> None:
    """While a hook runs, the next request waits, and what the hook leaves behind does not."""
    os.mkfifo(short_tmp / "go")
    hook = make_hook(short_tmp / "hook", "sleep 1000 &", f"read go <{short_tmp}/go", "kill $!")
    agent = start_agent(hook)
    with agent.client() as client:
        client.send(b'{"execute":"%s","arguments":{"mountpoints":[]}}' % FREEZE_LIST.encode())
        client.send(b'{"execute":"guest-ping"}')
        with (short_tmp / "go").open("w") as go:
            with pytest.raises(TimeoutError):
                client.line(0.5)
            go.write("go\n")
        assert client.line() == b'{"return": 0}\n'
        assert client.line() == b'{"return": {}}\n'
