"""Ten thousand mounts, two thousand addresses, five hundred disks: everything is told of, and the
agent is as small afterwards as before. Nothing is frozen here."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from agent_process import Agent
from conftest import StartAgent
from qga import Client
from test_memory import back_at_the_floor, is_static

CROWDED = str(Path(__file__).with_name("crowded.py"))
DISKS = 500
MOUNTS = 10_000
ADDRESSES = 1_000  # of each kind
THREADS = 16
IMAGE_BYTES = 256 << 10
PATIENCE_S = 60.0
LOOP_CTL_ADD, LOOP_CTL_REMOVE, LOOP_SET_FD, LOOP_CLR_FD = 0x4C80, 0x4C81, 0x4C00, 0x4C01
ANY_NUMBER = -1


def make_loop(control: int, image: Path) -> str:
    """A new block device, the image's content on it."""
    number = fcntl.ioctl(control, LOOP_CTL_ADD, ANY_NUMBER)
    device = f"/dev/loop{number}"
    if not os.path.exists(device):
        os.mknod(device, 0o60600, os.makedev(7, number))
    disk = os.open(device, os.O_RDWR)
    file = os.open(image, os.O_RDWR)
    fcntl.ioctl(disk, LOOP_SET_FD, file)
    os.close(file)
    os.close(disk)
    return device


def remove_loop(control: int, device: str) -> None:
    disk = os.open(device, os.O_RDWR)
    fcntl.ioctl(disk, LOOP_CLR_FD)
    os.close(disk)
    try:
        fcntl.ioctl(control, LOOP_CTL_REMOVE, int(device[len("/dev/loop"):]))
    except OSError:
        pass  # a mount namespace that is being taken down may still hold it


@pytest.fixture(scope="module")
def disks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Five hundred loop devices, a small ext4 each."""
    try:
        control = os.open("/dev/loop-control", os.O_RDWR)
    except OSError as error:
        pytest.skip(f"this machine has no loop devices to give: {error}")
    folder = tmp_path_factory.mktemp("disks")
    model = folder / "model"
    with model.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    subprocess.run(["/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", model],
                   check=True)
    images = [folder / str(number) for number in range(DISKS)]
    for image in images:
        image.write_bytes(model.read_bytes())
    with ThreadPoolExecutor(THREADS) as pool:
        tasks = [pool.submit(make_loop, control, image) for image in images]
        try:
            yield [task.result() for task in tasks]
        finally:
            made = [task.result() for task in tasks if not task.exception()]
            list(pool.map(lambda device: remove_loop(control, device), made))
            os.close(control)


def rows(client: Client, command: str) -> Any:
    return client.call(command, timeout_s=PATIENCE_S)


def check_memory(agent: Agent) -> None:
    """Only the release, built static, has its promise to keep."""
    if is_static(agent.program):
        back_at_the_floor(agent)


def needs(agent: Agent, command: str) -> Client:
    """A client, of an agent that has the command."""
    client = agent.client()
    names = {row["name"] for row in client.call("guest-info")["supported_commands"]}
    if command not in names:
        pytest.skip(f"this agent has no {command}")
    return client


@pytest.mark.ours  # 7.2 has a row for each mount
def test_ten_thousand_mounts(
    start_agent: StartAgent, disks: list[str], short_tmp: Path, tmp_path: Path
) -> None:
    """One row for each file system, and none for all the other places where it is mounted."""
    names = tmp_path / "disks"
    names.write_text("\n".join(disks))
    wrapper = [sys.executable, CROWDED, "mounts", str(short_tmp), str(MOUNTS), str(names), "--"]
    agent = start_agent(wrapper=wrapper)
    assert len(Path(f"/proc/{agent.pid}/mountinfo").read_text().splitlines()) > MOUNTS
    client = needs(agent, "guest-get-fsinfo")
    found = {row["mountpoint"]: row for row in rows(client, "guest-get-fsinfo")}
    ours = {f"{short_tmp}/first/{number}": device for number, device in enumerate(disks)}
    assert {at for at in found if at.startswith(f"{short_tmp}/")} == set(ours)
    for at, device in ours.items():
        assert found[at]["name"] == device[len("/dev/"):]
        assert found[at]["type"] == "ext4"
        assert 0 < found[at]["used-bytes"] <= found[at]["total-bytes"] < IMAGE_BYTES
    client.close()
    check_memory(agent)


def test_five_hundred_disks(agent: Agent, disks: list[str]) -> None:
    """Each has its row, here and in the statistics."""
    client = needs(agent, "guest-get-disks")
    found = [row["name"] for row in rows(client, "guest-get-disks")]
    assert len(found) == len(set(found))
    assert set(disks) <= set(found)
    stats = [row["name"] for row in rows(client, "guest-get-diskstats")]
    assert len(stats) == len(set(stats))
    assert {device[len("/dev/"):] for device in disks} <= set(stats)
    client.close()
    check_memory(agent)


def test_two_thousand_addresses(start_agent: StartAgent) -> None:
    """All at their interface, in their order."""
    if os.geteuid() != 0:
        pytest.skip("a network namespace needs root")
    agent = start_agent(wrapper=[sys.executable, CROWDED, "addresses", str(ADDRESSES), "--"])
    client = needs(agent, "guest-network-get-interfaces")
    found = {row["name"]: row for row in rows(client, "guest-network-get-interfaces")}
    for number in range(2):
        addresses = found[f"crowd{number}"]["ip-addresses"]
        numbers = range(number, ADDRESSES, 2)
        assert [one["ip-address"] for one in addresses if one["ip-address-type"] == "ipv4"] == [
            f"10.0.{n // 250}.{n % 250 + 1}" for n in numbers
        ]
        ipv6 = {one["ip-address"] for one in addresses if one["ip-address-type"] == "ipv6"}
        assert ipv6 == {f"2001:db8::{n + 1:x}" for n in numbers}
    client.close()
    check_memory(agent)
