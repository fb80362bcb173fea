"""What freezing does to real filesystems, in a Debian guest under systemd. QEMU's agent stands
beside ours there as the observer: it knows of no freeze."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from qga import AgentError, Client

from vm.debian import DebianVM
from vm.guest import read_file, shell

ARGUMENTS = "-t /var/lib/tinyqga -l /var/log/tinyqga.log"
DISKS = (
    ("ext4", "virtio-blk-pci"),
    ("xfs", "virtio-blk-pci"),
    ("btrfs", "virtio-blk-pci"),
    ("parted", "virtio-blk-pci"),
)
FILESYSTEMS = {"ext4": "/dev/vdb", "xfs": "/dev/vdc", "btrfs": "/dev/vdd"}
MOUNTS = [f"/mnt/{kind}" for kind in FILESYSTEMS]
# The first to be mounted, so the last to be frozen.
FIRST = "/mnt/first/below"
# A writer for each filesystem, and one where nothing is ever frozen.
PREPARE = f"mkdir -p {FIRST} && mount /dev/vde1 {FIRST}\n" + "".join(
    f"mkdir -p /mnt/{kind} && mount {device} /mnt/{kind}\n" for kind, device in FILESYSTEMS.items()
) + "".join(
    f"systemd-run -q sh -c 'while :; do echo x >>{folder}/written; sleep 0.02; done'\n"
    for folder in [*MOUNTS, "/run"]
)
FROZEN_ERROR = "has been disabled: the agent is in frozen state"


class Guest:
    """The machine, our agent and the observer."""

    def __init__(self, vm: DebianVM) -> None:
        self.vm = vm

    @property
    def agent(self) -> Client:
        return self.vm.agent(60.0)

    @property
    def peer(self) -> Client:
        return self.vm.peer(60.0)

    def written(self, folder: str) -> int:
        """How far a writer came."""
        return int(shell(self.peer, f"stat -c %s {folder}/written"))

    def wait_written(self, folder: str, more: int) -> None:
        """Until a writer has done so much more."""
        start = self.written(folder)
        self.vm.wait_for(
            lambda: self.written(folder) >= start + more, 60.0, f"{folder} is not written to"
        )

    def check_stopped(self, folders: list[str]) -> None:
        """While the writer of /run goes on, those of the folders do not."""
        before = {folder: self.written(folder) for folder in folders}
        self.wait_written("/run", 40)
        assert {folder: self.written(folder) for folder in folders} == before

    def check_running(self, folders: list[str]) -> None:
        for folder in folders:
            self.wait_written(folder, 4)

    def freeze(self, mountpoints: list[str]) -> int:
        count: int = self.agent.call("guest-fsfreeze-freeze-list", 60.0, mountpoints=mountpoints)
        return count

    def status(self) -> str:
        status: str = self.agent.call("guest-fsfreeze-status")
        return status


def boot(vm: DebianVM) -> None:
    vm.start_peer()
    shell(vm.peer(60.0), PREPARE, timeout_s=120.0)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, agent_path: Path) -> Iterator[DebianVM]:
    folder = tmp_path_factory.mktemp("effects")
    with DebianVM(
        folder,
        agent=agent_path,
        arguments=ARGUMENTS,
        cpus=2,
        disks=DISKS,
        controllers=(),
        reboot=True,
    ) as vm:
        boot(vm)
        yield vm


@pytest.fixture
def guest(machine: DebianVM) -> Iterator[Guest]:
    """A guest in which nothing is frozen, before and after."""
    guest = Guest(machine)
    assert guest.status() == "thawed"
    yield guest
    guest.agent.call("guest-fsfreeze-thaw", 60.0)
    print(machine.tail())


@pytest.mark.parametrize("kind", FILESYSTEMS)
def test_writer_stops_and_goes_on(guest: Guest, kind: str) -> None:
    """On each kind of filesystem, and on that one only."""
    others = [folder for folder in MOUNTS if folder != f"/mnt/{kind}"]
    guest.check_running(MOUNTS)
    assert guest.freeze([f"/mnt/{kind}"]) == 1
    assert guest.status() == "frozen"
    guest.check_stopped([f"/mnt/{kind}"])
    guest.check_running(others)
    assert guest.agent.call("guest-fsfreeze-thaw", 60.0) == 1
    assert guest.status() == "thawed"
    guest.check_running(MOUNTS)


def test_error_thaws_the_others(guest: Guest) -> None:
    """One that cannot be opened, as another mount hides it: those that were frozen before are
    thawed, and the agent says why."""
    shell(guest.peer, f"mount -t tmpfs none {Path(FIRST).parent}")
    try:
        with pytest.raises(AgentError, match=f"failed to open {FIRST}: No such file or directory"):
            guest.freeze([*MOUNTS, FIRST])
        assert guest.status() == "thawed"
        guest.check_running(MOUNTS)
    finally:
        shell(guest.peer, f"umount {Path(FIRST).parent}")


def test_killed_while_frozen(guest: Guest) -> None:
    """The agent that is started in its place knows what is frozen, and thaws it."""
    assert guest.freeze(MOUNTS) == len(MOUNTS)
    pid = shell(guest.peer, "systemctl show -P MainPID tinyqga").strip()
    shell(guest.peer, f"kill -9 {pid}")
    assert guest.status() == "frozen"
    assert shell(guest.peer, "systemctl show -P MainPID tinyqga").strip() != pid
    with pytest.raises(AgentError, match=FROZEN_ERROR):
        guest.agent.call("guest-get-osinfo")
    guest.check_stopped(MOUNTS)
    assert guest.agent.call("guest-fsfreeze-thaw", 60.0) == len(MOUNTS)
    guest.check_running(MOUNTS)


def test_nothing_is_written_while_frozen(guest: Guest) -> None:
    """Everything is frozen, with the agent's log and its state on it: it goes on answering, and no
    disk is written to."""
    count = guest.agent.call("guest-fsfreeze-freeze", 60.0)
    assert count > len(MOUNTS)

    def writes() -> list[list[str]]:
        table = read_file(guest.peer, "/proc/diskstats").decode()
        return [[*row.split()[2:3], *row.split()[7:10]] for row in table.splitlines()]

    before = writes()
    agent = guest.agent
    for _ in range(3):
        assert agent.call("guest-ping") == {}
        assert agent.call("guest-fsfreeze-status") == "frozen"
        agent.call("guest-info")
        agent.sync()
        for command in ("guest-get-osinfo", "guest-no-such", "guest-fsfreeze-freeze"):
            with pytest.raises(AgentError):
                agent.call(command)
        agent.send(b'{"execute":}')
        assert b"JSON parse error" in agent.line()
    guest.vm.hang_up()
    assert guest.status() == "frozen"
    assert writes() == before
    assert guest.agent.call("guest-fsfreeze-thaw", 60.0) == count
    guest.check_running(MOUNTS)


def test_reboot_while_frozen(guest: Guest) -> None:
    """The state folder is on a disk and says frozen, but of a boot that is over."""
    assert guest.freeze(MOUNTS) == len(MOUNTS)
    assert shell(guest.peer, "ls -A /var/lib/tinyqga").split()
    boot_id = shell(guest.peer, "cat /proc/sys/kernel/random/boot_id")
    guest.vm.qmp("system_reset")
    guest.vm.hang_up()
    guest.vm.hang_up(guest.vm.peer_path)
    assert guest.vm.agent(240.0).call("guest-fsfreeze-status") == "thawed"
    assert shell(guest.agent, "cat /proc/sys/kernel/random/boot_id") != boot_id
    boot(guest.vm)
    guest.check_running(MOUNTS)
    assert guest.freeze(MOUNTS) == len(MOUNTS)
    assert guest.agent.call("guest-fsfreeze-thaw", 60.0) == len(MOUNTS)


def test_log_has_no_complaints(guest: Guest) -> None:
    """It was frozen with the rest, and tells of no error."""
    log = shell(guest.peer, "cat /var/log/tinyqga.log")
    assert not re.search(r"error|critical", log, re.I), log
