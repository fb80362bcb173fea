"""Freezing all of a guest: its root, its log and its state are on what is frozen."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vm.conftest import MakeInitramfs
from vm.guest import agent_pid, read_file, shell
from vm.rig import VM

STATE = "/var/state"
LOG = "/var/log"
ARGUMENTS = f"-v -l {LOG} -t {STATE} -f /var/pid"
MIB = 1 << 20
# Mount point: how its image is made, how large it is, and its type.
DISKS = {
    "/": (["mkfs.ext4", "-q", "-F"], 96 * MIB, "ext4"),
    "/mnt/xfs": (["mkfs.xfs", "-q", "-K"], 320 * MIB, "xfs"),
    "/mnt/btrfs": (["mkfs.btrfs", "-q", "-K"], 128 * MIB, "btrfs"),
    "/mnt/vfat": (["mkfs.vfat"], 16 * MIB, "vfat"),
}
FREEZABLE = 3
MOUNT_DISKS = """#!/bin/sh
mkdir -p /mnt/xfs /mnt/btrfs /mnt/vfat
mount -t xfs /dev/vdb /mnt/xfs
mount -t btrfs /dev/vdc /mnt/btrfs
mount -t vfat /dev/vdd /mnt/vfat
"""
# A writer on each filesystem, and somebody who shows on the console that time passes.
WRITERS = """
for place in / /mnt/xfs /mnt/btrfs; do
    (n=0; while :; do
        n=$((n + 1)); echo $n >$place/written; echo "$place wrote $n." >/dev/console
        usleep 20000
    done) &
done
n=0
while :; do n=$((n + 1)); echo "beat $n." >/dev/console; usleep 20000; done
"""
BEATS = 25


class Terminal:
    """A shell on the guest's second serial line, which needs neither the agent nor a disk."""

    def __init__(self, vm: VM) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(vm.serial_path)
        self.sock.settimeout(20)
        self.pending = b""
        script = "exec </dev/ttyS1 >/dev/ttyS1 2>&1; stty -echo; echo ready; exec sh"
        vm.agent().call("guest-exec", path="/bin/sh", arg=["-c", script])
        self.read_to("ready\r\n")
        self.count = 0

    def read_to(self, end: str) -> str:
        """What comes before it."""
        while end.encode() not in self.pending:
            self.pending += self.sock.recv(4096)
        output, _, self.pending = self.pending.partition(end.encode())
        return output.decode()

    def run(self, command: str) -> str:
        """A command's output."""
        self.count += 1
        self.sock.sendall(f"{command}; echo end-of-$(({self.count}))\n".encode())
        return self.read_to(f"end-of-{self.count}\r\n")

    def close(self) -> None:
        self.sock.sendall(b"exit\n")
        self.sock.close()


def make_root(initramfs: Path, folder: Path) -> Path:
    """The content of an initramfs as a root on a disk, whose init starts the agent again."""
    tree = folder / "tree"
    tree.mkdir()
    subprocess.run(
        f"gzip -dc {initramfs} | cpio -id --quiet", shell=True, cwd=tree, check=True, timeout=60
    )
    (tree / "etc/init.d/S20disks").write_text(MOUNT_DISKS)
    (tree / "etc/init.d/S20disks").chmod(0o755)
    (tree / "etc/modules").write_text("")
    (tree / "etc/inittab").write_text(
        f"::sysinit:/etc/init.d/rcS\n::respawn:/sbin/tinyqga {ARGUMENTS}\n"
    )
    return tree


@pytest.fixture(scope="module")
def images(initramfs_with: MakeInitramfs, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("freeze")
    tree = make_root(initramfs_with(), folder)
    made = []
    for number, (command, size, _) in enumerate(DISKS.values()):
        image = folder / f"{number}.img"
        with image.open("wb") as file:
            file.truncate(size)
        source = ["-d", str(tree)] if number == 0 else []
        subprocess.run([*command, *source, str(image)], check=True, timeout=60)
        made.append(image)
    return made


@pytest.fixture(scope="module")
def guest(initramfs_with: MakeInitramfs, images: list[Path]) -> Iterator[VM]:
    modules = ["virtio_blk", "xfs", "btrfs", "vfat", "nls_cp437", "nls_ascii"]
    options = [word for module in modules for word in ("--module", module)]
    qemu = []
    for number, image in enumerate(images):
        drive = f"if=none,id=disk{number},file={image},format=raw,discard=unmap"
        qemu += ["-drive", drive, "-device", f"virtio-blk-pci,drive=disk{number}"]
    initramfs = initramfs_with("--init", "root", *options)
    with VM(initramfs, serial=True, qemu=tuple(qemu)) as vm:
        yield vm


@pytest.fixture
def frozen(guest: VM) -> Iterator[VM]:
    """The guest, with everything frozen."""
    assert guest.agent().call("guest-fsfreeze-freeze", timeout_s=60) == FREEZABLE
    yield guest
    guest.agent().call("guest-fsfreeze-thaw", timeout_s=60)


def last_number(vm: VM, pattern: str) -> int:
    """The last of the numbers that the console shows behind a text."""
    found = re.findall(rf"^{pattern} (\d+)\.\s*$", vm.console(), re.MULTILINE)
    return int(found[-1]) if found else 0


def wait_beats(vm: VM) -> None:
    begun = last_number(vm, "beat")
    vm.wait_for(lambda: last_number(vm, "beat") > begun + BEATS, 20, "the guest stands still")


def test_filesystems(guest: VM) -> None:
    """Each is told with its device, that of btrfs being the one it was mounted from."""
    rows: list[dict[str, Any]] = guest.agent().call("guest-get-fsinfo")
    found = [(row["mountpoint"], row["type"], row["name"]) for row in rows]
    assert found == [
        (point, kind, f"vd{'abcd'[number]}") for number, (point, (_, _, kind)) in
        enumerate(DISKS.items())
    ]
    for row, (_, size, _) in zip(rows, DISKS.values()):
        assert 0 <= row["used-bytes"] <= row["total-bytes"] <= row["total-bytes-privileged"]
        assert size // 2 < row["total-bytes-privileged"] <= size


def test_writers_stand_still(guest: VM) -> None:
    """While frozen nothing is written, though the guest runs on, and after the thaw it is."""
    client = guest.agent()
    places = ["/", "/mnt/xfs", "/mnt/btrfs"]
    writers = client.call("guest-exec", path="/bin/sh", arg=["-c", WRITERS])["pid"]
    for place in places:
        guest.wait_for(lambda: last_number(guest, f"{place} wrote") > 3, 20, "nobody writes")
    assert client.call("guest-fsfreeze-freeze", timeout_s=60) == FREEZABLE
    assert client.call("guest-fsfreeze-status") == "frozen"
    wait_beats(guest)
    before = [last_number(guest, f"{place} wrote") for place in places]
    wait_beats(guest)
    assert [last_number(guest, f"{place} wrote") for place in places] == before
    assert client.call("guest-fsfreeze-thaw", timeout_s=60) == FREEZABLE
    for place, number in zip(places, before):
        guest.wait_for(
            lambda: last_number(guest, f"{place} wrote") > number + 3, 20, "nobody writes on"
        )
    shell(client, f"kill -9 -{writers}")


def test_killed_while_frozen(guest: VM) -> None:
    """An agent that is killed is started again by init, knows that all is frozen, and thaws."""
    terminal = Terminal(guest)
    try:
        client = guest.agent()
        pid = agent_pid(client)
        assert client.call("guest-fsfreeze-freeze", timeout_s=60) == FREEZABLE
        guest.hang_up()
        terminal.run("killall -9 tinyqga")
        guest.wait_agent(20)
        client = guest.agent()
        assert client.call("guest-fsfreeze-status") == "frozen"
        assert client.call("tinyqga-health")["frozen"] is True
        terminal.run("killall tinyqga; killall -HUP tinyqga")
        assert client.call("guest-ping") == {}
        assert client.call("guest-fsfreeze-thaw", timeout_s=60) == FREEZABLE
        assert client.call("guest-fsfreeze-status") == "thawed"
        assert agent_pid(client) != pid
        assert int(read_file(client, "/var/pid")) == agent_pid(client)
        assert shell(client, f"ls {STATE}").split() == ["qga.state"]
        assert b"guest-exec-status" in read_file(client, LOG)
    finally:
        terminal.close()


def test_port_comes_back_while_frozen(frozen: VM) -> None:
    """The port may go and come again: finding it makes nothing on the frozen root."""
    for _ in range(2):
        frozen.hang_up()
        frozen.unplug_port()
        frozen.plug_port()
        frozen.wait_agent(20)
        assert frozen.agent().call("guest-fsfreeze-status") == "frozen"


def test_trim_gives_space_back(guest: VM, images: list[Path]) -> None:
    """What was deleted in the guest is free on the host after guest-fstrim; each filesystem has a
    row, in the table's order."""
    client = guest.agent()
    big = 40 * MIB

    def used() -> list[int]:
        return [image.stat().st_blocks * 512 for image in images[:2]]

    for point in ("/", "/mnt/xfs"):
        shell(client, f"head -c {big} /dev/urandom >{point}/big; sync", 60)
    before = used()
    shell(client, "rm /big /mnt/xfs/big; sync", 60)
    paths = client.call("guest-fstrim", timeout_s=120)["paths"]
    assert [row["path"] for row in paths] == list(DISKS)
    for row in paths:
        assert set(row) in ({"path", "trimmed", "minimum"}, {"path", "error"}), row
    for row, old, new in zip(paths, before, used()):
        assert row["trimmed"] >= big
        assert new < old - big // 2
    rows = client.call("guest-fstrim", timeout_s=120, minimum=-1)["paths"]
    assert all("trimmed" not in row or row["trimmed"] == 0 for row in rows), rows
    assert guest.agent().call("guest-ping") == {}
