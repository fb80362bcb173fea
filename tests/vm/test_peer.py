"""QEMU's agent 7.2 beside ours in one Debian guest that has one of everything (debian.py): the same
questions, and the same replies.

Where they may differ says tests/differences.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from beside import QUESTIONS, Beside
from differences import GUEST

from vm.debian import DebianVM


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory, agent_path: Path) -> Iterator[Beside]:
    with DebianVM(tmp_path_factory.mktemp("peer"), agent=agent_path) as vm:
        vm.prepare()
        vm.start_peer()
        yield Beside(vm.agent(60.0), vm.peer(60.0), GUEST)


def test_guest_has_everything(beside: Beside) -> None:
    """What the other tests compare is there: each kind of disk, of address and of state."""
    disks = {row["name"]: row for row in beside.peer.call("guest-get-disks")}
    kinds = {disk["address"]["bus-type"] for disk in disks.values() if "address" in disk}
    assert kinds >= {"virtio", "scsi", "sata", "ide", "nvme", "unknown"}
    assert {disk.get("alias") for disk in disks.values()} >= {"group-volume", "crypt"}
    assert disks["/dev/md0"]["dependencies"] and disks["/dev/nvme0n1"]["smart"]
    assert any(disk["partition"] for disk in disks.values())
    filesystems = beside.peer.call("guest-get-fsinfo")
    assert {row["type"] for row in filesystems} == {"ext4", "xfs", "btrfs", "vfat"}
    assert {row["mountpoint"] for row in filesystems} >= {"/mnt/with space é", "/mnt/bind"}
    assert max(len(row["disk"]) for row in filesystems) == 2
    assert {row["online"] for row in beside.peer.call("guest-get-vcpus")} == {True, False}
    assert {row["online"] for row in beside.peer.call("guest-get-memory-blocks")} == {True, False}
    assert beside.peer.call("guest-get-users")
    interfaces = {row["name"]: row for row in beside.peer.call("guest-network-get-interfaces")}
    assert "ip-addresses" not in interfaces["down"]
    assert len(interfaces) >= 6


@pytest.mark.parametrize("question", QUESTIONS)
def test_same_reply(beside: Beside, question: str) -> None:
    """The same members, of the same types and values, in the same order."""
    beside.check(question)


def test_list_of_differences_is_up_to_date(beside: Beside) -> None:
    """What it says to differ still does."""
    beside.check_list()
